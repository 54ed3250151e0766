package flow

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Activity ties an activity's name to its input and output for the workflow that
// runs it and for the worker that registers it.
type Activity[In, Out any] struct{ Name string }

// Run schedules the activity with the options in ctx and waits for it.
func (a Activity[In, Out]) Run(ctx workflow.Context, in In) (Out, error) {
	var out Out
	err := workflow.ExecuteActivity(ctx, a.Name, in).Get(ctx, &out)
	return out, err
}

// Bind registers fn under the activity's name. A function of another type does not compile.
func (a Activity[In, Out]) Bind(r worker.ActivityRegistry, fn func(context.Context, In) (Out, error)) {
	r.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: a.Name})
}

// The activities, in the order in which a record meets them.
var (
	Check     = Activity[CheckParams, CheckResult]{Name: "Check"}
	Watch     = Activity[WatchParams, WatchResult]{Name: "Watch"}
	Poll      = Activity[BatchRef, PollResult]{Name: "Poll"}
	Transform = Activity[BatchRef, TransformResult]{Name: "Transform"}
	Upsert    = Activity[BatchRef, UpsertResult]{Name: "Upsert"}
	Report    = Activity[ReportParams, ReportResult]{Name: "Report"}
	// BackfillStep lays a backfill out, looks after its jobs, and says which pages can be read.
	BackfillStep = Activity[BackfillStepParams, BackfillStepResult]{Name: "BackfillStep"}
	Steer        = Activity[SteerParams, SteerResult]{Name: "Steer"}
	// RetransformStep makes texts anew of stored raw copies, for a while.
	RetransformStep = Activity[RetransformParams, RetransformResult]{Name: "RetransformStep"}
	// Deliver sends what changed to a tenant, and waits for more, for a while.
	Deliver = Activity[DeliverParams, DeliverResult]{Name: "Deliver"}
)
