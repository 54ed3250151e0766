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

var anewParams = flow.RetransformParams{Project: "support", Integration: "prod"}

// retransforming runs the workflow with a stand-in for its one activity.
func retransforming(t *testing.T, step func(n int, in flow.RetransformParams) (flow.RetransformResult, error)) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	workflows.Register(env)
	n := 0
	env.RegisterActivityWithOptions(func(_ context.Context, in flow.RetransformParams) (flow.RetransformResult, error) {
		n++
		return step(n, in)
	}, activity.RegisterOptions{Name: flow.RetransformStep.Name})
	return env
}

func anewStatus(t *testing.T, env *testsuite.TestWorkflowEnvironment) flow.RetransformStatus {
	t.Helper()
	answer, err := env.QueryWorkflow(flow.QueryStatus)
	require.NoError(t, err)
	var s flow.RetransformStatus
	require.NoError(t, answer.Get(&s))
	return s
}

func TestRetransformRunsUntilNothingIsOpen(t *testing.T) {
	t.Parallel()
	steps := 0
	env := retransforming(t, func(n int, in flow.RetransformParams) (flow.RetransformResult, error) {
		require.Equal(t, anewParams, in)
		steps = n
		return flow.RetransformResult{Open: n < 3, Objects: []flow.RetransformProgress{{Object: "EmailMessage", State: "open", Total: 30, Counts: flow.RetransformCounts{Records: int64(10 * n)}}}}, nil
	})
	env.ExecuteWorkflow(workflows.Retransform, anewParams)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 3, steps)
	s := anewStatus(t, env)
	require.Equal(t, flow.StateDone, s.State)
	require.EqualValues(t, 30, s.Objects[0].Counts.Records)
}

func TestRetransformWaitsAfterAFailure(t *testing.T) {
	t.Parallel()
	var seen flow.RetransformStatus
	env := retransforming(t, func(n int, _ flow.RetransformParams) (flow.RetransformResult, error) {
		if n == 1 {
			return flow.RetransformResult{}, temporal.NewApplicationErrorWithOptions("PostgreSQL is away", "Unreachable", temporal.ApplicationErrorOptions{
				NonRetryable: true, Details: []any{flow.Failure{Message: "PostgreSQL is away", Hint: "start it"}}})
		}
		return flow.RetransformResult{}, nil
	})
	env.RegisterDelayedCallback(func() { seen = anewStatus(t, env) }, time.Second)
	env.ExecuteWorkflow(workflows.Retransform, anewParams)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, flow.StateBackingOff, seen.State)
	require.Equal(t, "PostgreSQL is away", seen.Reason)
	require.Equal(t, "start it", seen.Hint)
	require.Equal(t, flow.StateDone, anewStatus(t, env).State)
	require.Empty(t, anewStatus(t, env).Reason)
}

func TestRetransformWaitsForACapAndGoesOnWithTheSignal(t *testing.T) {
	t.Parallel()
	raised := false
	env := retransforming(t, func(int, flow.RetransformParams) (flow.RetransformResult, error) {
		if !raised {
			return flow.RetransformResult{}, capReached(100 * time.Hour)
		}
		return flow.RetransformResult{}, nil
	})
	var seen flow.RetransformStatus
	began := env.Now()
	env.RegisterDelayedCallback(func() {
		seen, raised = anewStatus(t, env), true
		env.SignalWorkflow(flow.SignalResume, flow.SignalPayload{Written: true})
	}, 2*time.Hour)
	env.ExecuteWorkflow(workflows.Retransform, anewParams)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, flow.StateQuotaWait, seen.State)
	require.Contains(t, seen.Reason, "cap of 10 AI units")
	require.Equal(t, flow.StateDone, anewStatus(t, env).State)
	require.WithinDuration(t, began.Add(2*time.Hour), env.Now(), time.Minute)
}

func TestRetransformEnds(t *testing.T) {
	t.Parallel()
	open := func(cancelled *bool) func(int, flow.RetransformParams) (flow.RetransformResult, error) {
		return func(n int, in flow.RetransformParams) (flow.RetransformResult, error) {
			*cancelled = in.Cancel
			if n > 3 && !in.Cancel {
				return flow.RetransformResult{}, temporal.NewNonRetryableApplicationError("busy", "Transient", nil)
			}
			return flow.RetransformResult{Open: !in.Cancel}, nil
		}
	}
	t.Run("by a signal", func(t *testing.T) {
		t.Parallel()
		cancelled := false
		env := retransforming(t, open(&cancelled))
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(flow.SignalCancel, nil) }, time.Second)
		env.ExecuteWorkflow(workflows.Retransform, anewParams)
		require.NoError(t, env.GetWorkflowError())
		require.True(t, cancelled)
		require.Equal(t, flow.StateCancelled, anewStatus(t, env).State)
	})
	t.Run("by a cancellation", func(t *testing.T) {
		t.Parallel()
		cancelled := false
		env := retransforming(t, open(&cancelled))
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Second)
		env.ExecuteWorkflow(workflows.Retransform, anewParams)
		require.Error(t, env.GetWorkflowError())
		require.True(t, cancelled, "PostgreSQL is told")
	})
	t.Run("without an integration", func(t *testing.T) {
		t.Parallel()
		env := retransforming(t, func(int, flow.RetransformParams) (flow.RetransformResult, error) {
			return flow.RetransformResult{}, temporal.NewNonRetryableApplicationError("it is gone", "NotFound", nil)
		})
		env.ExecuteWorkflow(workflows.Retransform, anewParams)
		require.NoError(t, env.GetWorkflowError())
		s := anewStatus(t, env)
		require.Equal(t, flow.StateCancelled, s.State)
		require.Contains(t, s.Reason, "it is gone")
	})
	t.Run("without a name", func(t *testing.T) {
		t.Parallel()
		env := retransforming(t, nil)
		env.ExecuteWorkflow(workflows.Retransform, flow.RetransformParams{Project: "support"})
		require.ErrorContains(t, env.GetWorkflowError(), "the input must name project and integration")
	})
}
