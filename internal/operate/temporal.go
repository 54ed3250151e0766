package operate

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

const (
	dialWait = 5 * time.Second
	callWait = 10 * time.Second
	// attributesWait is how long a start waits for search attributes that were just
	// created: Temporal's services learn of them one after the other.
	attributesWait = 15 * time.Second
)

// Temporal is the server as an operator uses it.
type Temporal struct {
	Client    client.Client
	HostPort  string // for people
	Namespace string
	PublicURL string // of our own page, for links in Temporal's; "" = not known
	shared    bool   // somebody else closes the client
}

// Dial connects to Temporal; close what it gives. fault.Unreachable when it does not answer.
func Dial(ctx context.Context, o client.Options) (*Temporal, error) {
	o.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler)) // errors are returned and shown once
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	w := &Temporal{HostPort: o.HostPort, Namespace: o.Namespace}
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, w.Translate("connect", err)
	}
	w.Client = c
	return w, nil
}

// Share gives the same Temporal to everyone who dials; whoever made the client closes it. publicURL is where our
// own page is.
func Share(c client.Client, o client.Options, publicURL string) func(context.Context) (*Temporal, error) {
	w := &Temporal{Client: c, HostPort: o.HostPort, Namespace: o.Namespace, PublicURL: publicURL, shared: true}
	return func(context.Context) (*Temporal, error) { return w, nil }
}

// Shared gives what is connected to everyone who dials; whoever dialled first closes it.
func (w *Temporal) Shared() func(context.Context) (*Temporal, error) {
	shared := *w
	shared.shared = true
	return func(context.Context) (*Temporal, error) { return &shared, nil }
}

// Close ends the connection.
func (w *Temporal) Close() {
	if !w.shared {
		w.Client.Close()
	}
}

// Translate turns Temporal's errors into faults, once, at this edge.
func (w *Temporal) Translate(op string, err error) error {
	if err == nil {
		return nil
	}
	op = "temporal: " + op
	var (
		namespace   *serviceerror.NamespaceNotFound
		missing     *serviceerror.NotFound
		denied      *serviceerror.PermissionDenied
		exhausted   *serviceerror.ResourceExhausted
		unavailable *serviceerror.Unavailable
		deadline    *serviceerror.DeadlineExceeded
		invalid     *serviceerror.InvalidArgument
	)
	switch {
	case errors.As(err, &namespace):
		return fault.Wrap(fault.Invalid, err, "%s", op).
			WithHint("check TEMPORAL_NAMESPACE, or make the namespace: temporal operator namespace create -n %s", w.Namespace)
	case errors.As(err, &denied):
		return fault.Wrap(fault.Forbidden, err, "%s", op).WithHint("check TEMPORAL_API_KEY or the TEMPORAL_TLS_* variables, and their rights on namespace %s", w.Namespace)
	case errors.As(err, &missing):
		return fault.Wrap(fault.NotFound, err, "%s", op)
	case errors.As(err, &exhausted):
		return fault.Wrap(fault.Transient, err, "%s", op).WithHint("Temporal is busy: try again")
	case errors.As(err, &invalid):
		return fault.Wrap(fault.Config, err, "%s", op)
	case errors.As(err, &unavailable), errors.As(err, &deadline), errors.Is(err, context.DeadlineExceeded), op == "temporal: connect":
		return fault.Wrap(fault.Unreachable, err, "Temporal at %s does not answer", w.HostPort).
			WithHint("check TEMPORAL_ADDRESS and that Temporal is running")
	}
	return fault.Wrap(fault.Internal, err, "%s", op)
}

// Running reports whether the integration's workflow runs, and its run id.
func (w *Temporal) Running(ctx context.Context, workflowID string) (runID string, running bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	d, err := w.Client.DescribeWorkflowExecution(ctx, workflowID, "")
	if err = w.Translate("describe "+workflowID, err); fault.Is(err, fault.NotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	info := d.GetWorkflowExecutionInfo()
	return info.GetExecution().GetRunId(), info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

// Ensure starts the integration's workflow, or signals the one that runs. It reports
// whether it started one.
func (w *Temporal) Ensure(ctx context.Context, project, integration, status string) (started bool, err error) {
	id := flow.WorkflowID(project, integration)
	if _, running, err := w.Running(ctx, id); err != nil {
		return false, err
	} else if running {
		running, err := w.Signal(ctx, id, flow.SignalConfigChanged)
		if err != nil || running {
			return false, err
		}
		// It ended in between: start it.
	}
	return true, w.start(ctx, project, integration, status)
}

// wakeLoads tells the workflows beside the integration's own that what they wait for may be there. One
// that does not run has nothing to wait for; one that is paused stays so.
func (w *Temporal) wakeLoads(ctx context.Context, spec config.Integration) error {
	ids := []string{flow.RetransformID(spec.Project, spec.Integration)}
	for _, o := range spec.Objects {
		ids = append(ids, flow.BackfillID(spec.Project, spec.Integration, o.Object))
	}
	for _, id := range ids {
		if _, err := w.Signal(ctx, id, flow.SignalResume); err != nil {
			return err
		}
	}
	return nil
}

// start starts the integration's workflow; one that another starter started just now is as good.
func (w *Temporal) start(ctx context.Context, project, integration, status string) error {
	options := client.StartWorkflowOptions{
		ID:                       flow.WorkflowID(project, integration),
		TaskQueue:                flow.QueueIntegrations,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StaticSummary:            "Salesforce → comments: " + project + "/" + integration,
		StaticDetails:            flow.About(flow.WorkflowID(project, integration), w.PublicURL),
		Priority:                 temporal.Priority{FairnessKey: flow.FairnessKey(project)},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword(flow.AttributeProject).ValueSet(project),
			temporal.NewSearchAttributeKeyKeyword(flow.AttributeIntegration).ValueSet(integration),
			temporal.NewSearchAttributeKeyKeyword(flow.AttributeStatus).ValueSet(status),
		),
	}
	params := flow.IntegrationParams{Project: project, Integration: integration}
	deadline := time.Now().Add(attributesWait)
	for {
		call, cancel := context.WithTimeout(ctx, callWait)
		_, err := w.Client.ExecuteWorkflow(call, options, flow.WorkflowIntegration, params)
		cancel()
		var invalid *serviceerror.InvalidArgument
		unknown := errors.As(err, &invalid) && strings.Contains(strings.ToLower(invalid.Message), "search attribute")
		switch {
		case err == nil:
			return nil
		case !unknown:
			return w.Translate("start "+options.ID, err)
		case time.Now().After(deadline):
			return fault.Wrap(fault.Config, err, "Temporal lacks the search attributes of integrations").WithHint("run `starter setup`, then `starter start %s/%s`", project, integration)
		}
		if err := Rest(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// Signal sends a signal; running is false when there is no such running workflow.
func (w *Temporal) Signal(ctx context.Context, workflowID, name string) (running bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	err = w.Translate("signal "+workflowID, w.Client.SignalWorkflow(ctx, workflowID, "", name, flow.SignalPayload{Written: true}))
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// Rest waits, or ends with ctx.
func Rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// StartRetransform starts the workflow that makes an integration's texts anew; one that runs is as
// good: it sees what was asked for with its next step.
func (w *Temporal) StartRetransform(ctx context.Context, project, integration string) (started bool, err error) {
	return w.startBeside(ctx, flow.RetransformID(project, integration), flow.WorkflowRetransform,
		project, "texts made anew: "+project+"/"+integration, flow.RetransformParams{Project: project, Integration: integration})
}

// startDelivery starts the workflow that delivers an integration's comments; one that runs is as
// good: it is woken by what was written.
func (w *Temporal) startDelivery(ctx context.Context, project, integration string) (started bool, err error) {
	return w.startBeside(ctx, flow.DeliveryID(project, integration), flow.WorkflowDelivery,
		project, "comments → tenant: "+project+"/"+integration, flow.DeliveryParams{Project: project, Integration: integration})
}

// startBeside starts a workflow that runs beside the integration's, unless it runs.
func (w *Temporal) startBeside(ctx context.Context, id, kind, project, summary string, params any) (started bool, err error) {
	_, running, err := w.Running(ctx, id)
	if err != nil {
		return false, err
	}
	call, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	_, err = w.Client.ExecuteWorkflow(call, client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                flow.QueueIntegrations,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StaticSummary:            summary,
		StaticDetails:            flow.About(id, w.PublicURL),
		Priority:                 temporal.Priority{FairnessKey: flow.FairnessKey(project)},
	}, kind, params)
	return !running, w.Translate("start "+id, err)
}

// end lets a workflow end itself, which it does when a signal makes it look and it finds
// its integration deleted, and terminates it when no worker lets it.
func (w *Temporal) end(ctx context.Context, workflowID, signal string, patience time.Duration) (string, error) {
	running, err := w.Signal(ctx, workflowID, signal)
	if err != nil {
		return "", err
	}
	if !running {
		return WorkflowNotRunning, nil
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = w.Client.GetWorkflow(wait, workflowID, "").Get(wait, nil)
	var ended *temporal.WorkflowExecutionError
	if err == nil || errors.As(err, &ended) {
		return WorkflowEnded, nil
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	call, cancelCall := context.WithTimeout(ctx, callWait)
	defer cancelCall()
	err = w.Client.TerminateWorkflow(call, workflowID, "", "the integration was deleted and no worker ended its workflow")
	if err = w.Translate("terminate "+workflowID, err); err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	return WorkflowTerminated, nil
}
