package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// How soon a killed worker's activity is given to another one. Activities beat every
// five seconds; what reaches the server is throttled to four fifths of the timeout.
// Watch is what idle integrations are made of, so its beats are the ones that cost.
const (
	heartbeatWatch = 30 * time.Second
	heartbeatBatch = 15 * time.Second
)

// Activities try a few times within seconds. What does not pass by then waits in the
// workflow, where people see it.
var retryBriefly = &temporal.RetryPolicy{
	InitialInterval:    time.Second,
	BackoffCoefficient: 2,
	MaximumInterval:    10 * time.Second,
	MaximumAttempts:    4,
}

// Control writes must get through whatever happens: until they do, PostgreSQL does
// not know what the operator wants. They are tiny, and there is nothing else to do.
var retryAlways = &temporal.RetryPolicy{
	InitialInterval:    time.Second,
	BackoffCoefficient: 2,
	MaximumInterval:    10 * time.Second,
}

// tenantKey is where a workflow's context has the project it works for.
type tenantKey struct{}

// onBehalf makes ctx that of a project. What is dispatched for it, a server with fairness turned
// on takes in turn with what is dispatched for others, however much one of them has.
func onBehalf(ctx workflow.Context, project string) workflow.Context {
	return workflow.WithValue(ctx, tenantKey{}, project)
}

func fairly(ctx workflow.Context) temporal.Priority {
	project, _ := ctx.Value(tenantKey{}).(string)
	return temporal.Priority{FairnessKey: flow.FairnessKey(project)}
}

func onPoll(ctx workflow.Context, longest, heartbeat time.Duration, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: flow.QueuePoll, StartToCloseTimeout: longest, HeartbeatTimeout: heartbeat,
		RetryPolicy: retryBriefly, Summary: summary, Priority: fairly(ctx),
	})
}

func onLoad(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: flow.QueueLoad, StartToCloseTimeout: 15 * time.Minute, HeartbeatTimeout: heartbeatBatch,
		RetryPolicy: retryBriefly, Summary: summary, Priority: fairly(ctx),
	})
}

// onBackfill is for the stages of a backfill's pages: they have workers of their own, few
// at a time, so that live work never stands behind them.
func onBackfill(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: flow.QueueBackfill, StartToCloseTimeout: pageLongest, HeartbeatTimeout: heartbeatBatch,
		RetryPolicy: retryBriefly, Summary: summary, Priority: fairly(ctx),
	})
}

func onControl(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: flow.QueueIntegrations, StartToCloseTimeout: 30 * time.Second,
		RetryPolicy: retryAlways, Summary: summary, Priority: fairly(ctx),
	})
}

// Waits of the workflow.
const (
	parkFor        = time.Hour        // while parked, look again this often: a signal may have been lost with its sender
	firstJitter    = 3 * time.Second  // so that many integrations do not start in the same instant
	backoffFirst   = 2 * time.Second  // after a failure that outlived the activity's own retries
	backoffLongest = 30 * time.Second // a killed process is noticed well within a minute of being back
	quotaFor       = time.Hour        // the org's day is a rolling one; an hour frees some of it
	watchLongest   = 15 * time.Minute // longer than Watch goes on by itself
	pollLongest    = 30 * time.Minute
	checkLongest   = 10 * time.Minute
	pageLongest    = 30 * time.Minute
	defaultTick    = 10 * time.Second
)

// refusedFor is how long something waits after one more refusal for want of a right or a
// name. Whoever gives the right takes minutes or days, and until then each question is in
// vain; but Salesforce refuses in passing, too, and then the next call is good. So as long as a refusal
// is not older than faults that pass, its end is noticed well within a minute, and after a quarter of an hour
// it costs four calls an hour.
var refusedFor = []time.Duration{15 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute}

// Waits of a backfill.
const (
	stepLongest = 5 * time.Minute  // longer than BackfillStep goes on by itself
	stepIdle    = 50 * time.Second // of one that has nothing else to look after: jobs take their time
	stepBusy    = 5 * time.Second  // while pages are under way: how late a slot that got free otherwise may be seen
	breath      = time.Second      // keeps a disagreement with PostgreSQL from spinning
	lookAgain   = time.Minute      // while it is paused or not connected: who changes that signals the integration
)
