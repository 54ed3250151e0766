package workflows_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"salesforcesync/internal/flow"
	"salesforcesync/workflows"
)

var deliveryParams = flow.DeliveryParams{Project: "support", Integration: "prod"}

// delivering runs the workflow with a stand-in for Deliver, and keeps the signals that were steered.
func delivering(t *testing.T, deliver func(n int, in flow.DeliverParams) (flow.DeliverResult, error)) (env *testsuite.TestWorkflowEnvironment, steered *[]string) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env = suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	workflows.Register(env)
	n := 0
	env.RegisterActivityWithOptions(func(_ context.Context, in flow.DeliverParams) (flow.DeliverResult, error) {
		n++
		return deliver(n, in)
	}, activity.RegisterOptions{Name: flow.Deliver.Name})
	steered = &[]string{}
	env.RegisterActivityWithOptions(func(_ context.Context, in flow.SteerParams) (flow.SteerResult, error) {
		*steered = append(*steered, in.Project+"/"+in.Integration+" "+in.Signal+in.Object)
		return flow.SteerResult{}, nil
	}, activity.RegisterOptions{Name: flow.Steer.Name})
	return env, steered
}

func deliveryStatus(t *testing.T, env *testsuite.TestWorkflowEnvironment) flow.DeliveryStatus {
	t.Helper()
	answer, err := env.QueryWorkflow(flow.QueryStatus)
	require.NoError(t, err)
	var s flow.DeliveryStatus
	require.NoError(t, answer.Get(&s))
	return s
}

func TestDeliveryShowsWhatItIsToldUntilItEnds(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	story := []flow.DeliverResult{
		{State: flow.StateIdle, Counts: flow.DeliveryCounts{Sent: 3, New: 3}},
		{State: flow.StateBackingOff, Reason: "the tenant does not answer", Hint: "wait", Until: until},
		{State: flow.StateCancelled, Reason: "the integration file has no destination any more"},
	}
	var shown []string
	var env *testsuite.TestWorkflowEnvironment
	env, steered := delivering(t, func(n int, in flow.DeliverParams) (flow.DeliverResult, error) {
		shown = append(shown, in.Shown)
		if n == 3 {
			s := deliveryStatus(t, env)
			require.Equal(t, flow.StateBackingOff, s.State)
			require.Equal(t, "the tenant does not answer", s.Reason)
			require.Equal(t, until, s.Until)
		}
		return story[n-1], nil
	})
	env.ExecuteWorkflow(workflows.Delivery, deliveryParams)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []string{flow.StateSyncing, flow.StateIdle, flow.StateBackingOff}, shown, "Deliver is told what is shown")
	require.Equal(t, flow.StateCancelled, deliveryStatus(t, env).State)
	require.Empty(t, *steered)
}

func TestDeliveryWaitsAfterAFailureOfOurs(t *testing.T) {
	t.Parallel()
	var seen flow.DeliveryStatus
	env, _ := delivering(t, func(n int, _ flow.DeliverParams) (flow.DeliverResult, error) {
		if n == 1 {
			return flow.DeliverResult{}, temporal.NewApplicationErrorWithOptions("PostgreSQL is away", "Unreachable", temporal.ApplicationErrorOptions{
				NonRetryable: true, Details: []any{flow.Failure{Message: "PostgreSQL is away", Hint: "start it"}}})
		}
		return flow.DeliverResult{State: flow.StateDisconnected}, nil
	})
	env.RegisterDelayedCallback(func() { seen = deliveryStatus(t, env) }, time.Second)
	env.ExecuteWorkflow(workflows.Delivery, deliveryParams)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, flow.StateBackingOff, seen.State)
	require.Equal(t, "PostgreSQL is away", seen.Reason)
	require.Equal(t, flow.StateDisconnected, deliveryStatus(t, env).State)
	require.Empty(t, deliveryStatus(t, env).Reason)
}

// A signal that was sent by hand is made true where everything looks; one that says it is, is not.
func TestDeliveryMakesSignalsTrue(t *testing.T) {
	t.Parallel()
	env, steered := delivering(t, func(n int, _ flow.DeliverParams) (flow.DeliverResult, error) {
		if n > 3 {
			return flow.DeliverResult{State: flow.StateCancelled}, nil
		}
		return flow.DeliverResult{State: flow.StateIdle}, nil
	})
	env.RegisterDelayedCallback(func() {
		env.SignalWorkflow(flow.SignalPause, nil)
		env.SignalWorkflow(flow.SignalSyncNow, flow.SignalPayload{Written: true})
	}, 100*time.Millisecond)
	env.ExecuteWorkflow(workflows.Delivery, deliveryParams)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []string{"support/prod pause"}, *steered)
}

func TestDeliveryWantsAName(t *testing.T) {
	t.Parallel()
	env, _ := delivering(t, nil)
	env.ExecuteWorkflow(workflows.Delivery, flow.DeliveryParams{Project: "support"})
	require.ErrorContains(t, env.GetWorkflowError(), "the input must name project and integration")
}
