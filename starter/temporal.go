package main

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

// workflows is Temporal as starter uses it.
type workflows struct {
	client  client.Client
	options client.Options
}

// dial connects to Temporal. fault.Unreachable when it does not answer.
func (a *app) dial(ctx context.Context, cfg *config.Config) (*workflows, error) {
	o, err := cfg.TemporalOptions()
	if err != nil {
		return nil, err
	}
	o.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler)) // errors are returned and shown once
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	w := &workflows{options: o}
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, w.translate("connect", err)
	}
	w.client = c
	return w, nil
}

func (w *workflows) close() { w.client.Close() }

// translate turns Temporal's errors into faults, once, at this edge.
func (w *workflows) translate(op string, err error) error {
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
			WithHint("check TEMPORAL_NAMESPACE, or make the namespace: temporal operator namespace create -n %s", w.options.Namespace)
	case errors.As(err, &denied):
		return fault.Wrap(fault.Forbidden, err, "%s", op).WithHint("check TEMPORAL_API_KEY or the TEMPORAL_TLS_* variables, and their rights on namespace %s", w.options.Namespace)
	case errors.As(err, &missing):
		return fault.Wrap(fault.NotFound, err, "%s", op)
	case errors.As(err, &exhausted):
		return fault.Wrap(fault.Transient, err, "%s", op).WithHint("Temporal is busy: run the command again")
	case errors.As(err, &invalid):
		return fault.Wrap(fault.Config, err, "%s", op)
	case errors.As(err, &unavailable), errors.As(err, &deadline), errors.Is(err, context.DeadlineExceeded), op == "temporal: connect":
		return fault.Wrap(fault.Unreachable, err, "Temporal at %s does not answer", w.options.HostPort).
			WithHint("check TEMPORAL_ADDRESS and that Temporal is running")
	}
	return fault.Wrap(fault.Internal, err, "%s", op)
}

// running reports whether the integration's workflow runs, and its run id.
func (w *workflows) running(ctx context.Context, workflowID string) (runID string, running bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	d, err := w.client.DescribeWorkflowExecution(ctx, workflowID, "")
	if err = w.translate("describe "+workflowID, err); fault.Is(err, fault.NotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	info := d.GetWorkflowExecutionInfo()
	return info.GetExecution().GetRunId(), info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

// ensure starts the integration's workflow, or signals the one that runs. It reports
// whether it started one.
func (w *workflows) ensure(ctx context.Context, project, integration, status string) (started bool, err error) {
	id := flow.WorkflowID(project, integration)
	if _, running, err := w.running(ctx, id); err != nil {
		return false, err
	} else if running {
		running, err := w.signal(ctx, id, flow.SignalConfigChanged)
		if err != nil || running {
			return false, err
		}
		// It ended in between: start it.
	}
	return true, w.start(ctx, project, integration, status)
}

// wakeLoads tells the workflows beside the integration's own that what they wait for may be there. One
// that does not run has nothing to wait for; one that is paused stays so.
func (w *workflows) wakeLoads(ctx context.Context, spec config.Integration) error {
	ids := []string{flow.RetransformID(spec.Project, spec.Integration)}
	for _, o := range spec.Objects {
		ids = append(ids, flow.BackfillID(spec.Project, spec.Integration, o.Object))
	}
	for _, id := range ids {
		if _, err := w.signal(ctx, id, flow.SignalResume); err != nil {
			return err
		}
	}
	return nil
}

// start starts the integration's workflow; one that another starter started just now is as good.
func (w *workflows) start(ctx context.Context, project, integration, status string) error {
	options := client.StartWorkflowOptions{
		ID:                       flow.WorkflowID(project, integration),
		TaskQueue:                flow.QueueIntegrations,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StaticSummary:            "Salesforce → comments: " + project + "/" + integration,
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
		_, err := w.client.ExecuteWorkflow(call, options, flow.WorkflowIntegration, params)
		cancel()
		var invalid *serviceerror.InvalidArgument
		unknown := errors.As(err, &invalid) && strings.Contains(strings.ToLower(invalid.Message), "search attribute")
		switch {
		case err == nil:
			return nil
		case !unknown:
			return w.translate("start "+options.ID, err)
		case time.Now().After(deadline):
			return fault.Wrap(fault.Config, err, "Temporal lacks the search attributes of integrations").WithHint("run `starter setup`, then `starter start %s/%s`", project, integration)
		}
		if err := rest(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// signal sends a signal; running is false when there is no such running workflow.
func (w *workflows) signal(ctx context.Context, workflowID, name string) (running bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	err = w.translate("signal "+workflowID, w.client.SignalWorkflow(ctx, workflowID, "", name, flow.SignalPayload{Written: true}))
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// rest waits, or ends with ctx.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startRetransform starts the workflow that makes an integration's texts anew; one that runs is as
// good: it sees what was asked for with its next step.
func (w *workflows) startRetransform(ctx context.Context, project, integration string) (started bool, err error) {
	return w.startBeside(ctx, flow.RetransformID(project, integration), flow.WorkflowRetransform,
		"texts made anew: "+project+"/"+integration, flow.RetransformParams{Project: project, Integration: integration})
}

// startDelivery starts the workflow that delivers an integration's comments; one that runs is as
// good: it is woken by what was written.
func (w *workflows) startDelivery(ctx context.Context, project, integration string) (started bool, err error) {
	return w.startBeside(ctx, flow.DeliveryID(project, integration), flow.WorkflowDelivery,
		"comments → tenant: "+project+"/"+integration, flow.DeliveryParams{Project: project, Integration: integration})
}

// startBeside starts a workflow that runs beside the integration's, unless it runs.
func (w *workflows) startBeside(ctx context.Context, id, kind, summary string, params any) (started bool, err error) {
	_, running, err := w.running(ctx, id)
	if err != nil {
		return false, err
	}
	call, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	_, err = w.client.ExecuteWorkflow(call, client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                flow.QueueIntegrations,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StaticSummary:            summary,
	}, kind, params)
	return !running, w.translate("start "+id, err)
}
