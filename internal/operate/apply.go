package operate

import (
	"context"
	"net/url"
	"slices"

	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/tenant"
)

// DeliveryNone is what became of the delivery of an integration without a destination.
const DeliveryNone = "none"

// Applied is what applying a file did.
type Applied struct {
	store.ApplyResult
	Workflow string // started, signalled or not_started
	Delivery string // the workflow that delivers: started, running or not_started; none without a destination
	// Untold is why the workflow could not be started or told, although the file is in force.
	Untold error
}

// ApplyOptions say how a file is applied.
type ApplyOptions struct {
	NoStart bool // neither start nor signal; Temporal is not needed
	// Over is the version that must be in force, for who has looked at it; 0 = none may be. nil = whatever is.
	Over *int64
	// Veiled is of somebody who may not see sensitive properties, and must not come to see them by what the file says.
	Veiled bool
}

// Apply makes a file the one in force and starts the workflow, or tells the one that runs.
func (h *Hand) Apply(ctx context.Context, spec config.Integration, o ApplyOptions) (Applied, error) {
	result := Applied{Workflow: WorkflowNotStarted, Delivery: DeliveryNone}
	if o.Veiled {
		if err := h.keepVeiled(ctx, spec); err != nil {
			return result, err
		}
	}
	if spec.Destination != nil {
		result.Delivery = WorkflowNotStarted
	}
	var temporal *Temporal
	var err error
	if !o.NoStart { // before anything is written, so that nothing is half-applied when it is away
		if temporal, err = h.Dial(ctx); err != nil {
			return result, err
		}
		defer temporal.Close()
		// Connecting does not ask for the namespace.
		if _, _, err = temporal.Running(ctx, flow.WorkflowID(spec.Project, spec.Integration)); err != nil {
			return result, err
		}
	}
	if o.Over != nil {
		result.ApplyResult, err = h.Store.ApplyIntegrationOver(ctx, spec, *o.Over)
	} else {
		result.ApplyResult, err = h.Store.ApplyIntegration(ctx, spec)
	}
	if err != nil || temporal == nil {
		return result, err
	}
	result.Untold = result.tell(ctx, temporal, spec)
	return result, nil
}

func (a *Applied) tell(ctx context.Context, temporal *Temporal, spec config.Integration) error {
	started, err := temporal.Ensure(ctx, spec.Project, spec.Integration, FirstStatus(a.Desired, a.Connected))
	if err != nil {
		return err
	}
	a.Workflow = WorkflowSignalled
	if started {
		a.Workflow = WorkflowStarted
	}
	if RaisesUnits(a.Changes) {
		if err := temporal.wakeLoads(ctx, spec); err != nil {
			return err
		}
	}
	if spec.Destination == nil {
		return nil
	}
	if started, err = temporal.startDelivery(ctx, spec.Project, spec.Integration); err != nil {
		return err
	}
	a.Delivery = WorkflowRunning
	if started {
		a.Delivery = WorkflowStarted
	}
	return nil
}

// RaisesUnits reports whether what waits for AI units may have some now.
func RaisesUnits(changes []config.Change) bool {
	return slices.ContainsFunc(changes, func(c config.Change) bool { return c.Path == "monthly_unit_cap" })
}

// Checks are the rules for a file that belong to Salesforce, its query language and the tenant.
func Checks(salesforceHosts, deliveryHosts []string) (config.Checks, error) {
	hosts, err := salesforce.NewHostPolicy(salesforceHosts)
	if err != nil {
		return config.Checks{}, err
	}
	return config.Checks{
		Address: func(text string) (string, error) {
			u, err := hosts.Parse(text)
			if err != nil {
				return "", err
			}
			return u.String(), nil
		},
		Login: func(instance string) string {
			u, err := url.Parse(instance)
			if err != nil {
				return instance // Address made it
			}
			return hosts.DefaultLogin(u).String()
		},
		Endpoint: tenant.Hosts(deliveryHosts).Parse,
		Where:    func(condition string) error { _, err := soql.Parse(condition); return err },
		Path:     soql.CheckPath,
		Name:     soql.CheckName,
	}, nil
}
