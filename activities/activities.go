package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"salesforcesync/internal/deliver"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/gate"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// Activities are the adapters' dependencies.
type Activities struct {
	Store   *store.Store
	Poll    *poll.Service
	Batches transform.Batches
	// Deliveries sends comments to tenants.
	Deliveries *deliver.Service
	// Truncated is told of comments that were made with a text shorter than their record's; nil for
	// nobody.
	Truncated func(comments int64)
	// Watching is told when a watch begins (1) and when it ends (-1); nil for nobody.
	Watching func(more int)

	// Polls bounds how many batches of live work are read at once: each holds a page and a chunk in
	// memory, and after an outage every integration has news. Projects take turns.
	Polls *gate.Turns
}

// RegisterControl registers what the workflow tells PostgreSQL, on the queue of the workflows.
func (a *Activities) RegisterControl(r worker.ActivityRegistry) {
	flow.Report.Bind(r, a.report)
	flow.Steer.Bind(r, a.steer)
}

// RegisterPoll registers what talks to Salesforce and to tenants, and what mostly waits.
func (a *Activities) RegisterPoll(r worker.ActivityRegistry) {
	flow.Check.Bind(r, a.check)
	flow.Watch.Bind(r, a.watch)
	flow.Poll.Bind(r, a.poll)
	flow.BackfillStep.Bind(r, a.backfillStep)
	flow.Deliver.Bind(r, a.deliver)
}

// RegisterLoad registers what costs CPU and database.
func (a *Activities) RegisterLoad(r worker.ActivityRegistry) {
	flow.Transform.Bind(r, a.transform)
	flow.Upsert.Bind(r, a.upsert)
}

// RegisterBackfill registers the stages of a backfill's pages, and what makes texts anew: nobody
// waits for either.
func (a *Activities) RegisterBackfill(r worker.ActivityRegistry) {
	flow.Poll.Bind(r, a.page)
	flow.Transform.Bind(r, a.transform)
	flow.Upsert.Bind(r, a.upsert)
	flow.RetransformStep.Bind(r, a.retransform)
}

// beatEvery is a third of the shortest heartbeat timeout that workflows set.
const beatEvery = 5 * time.Second

// heartbeat tells Temporal at once, and then regularly until stop is called, that the
// attempt is alive. There are no details: where to go on is in PostgreSQL.
func heartbeat(ctx context.Context) (stop func()) {
	activity.RecordHeartbeat(ctx)
	done := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		ticker := time.NewTicker(beatEvery)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-ticker.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return func() {
		close(done)
		<-finished
	}
}

// untilWorkerStops ends ctx when the worker begins to stop, for activities that only wait.
func untilWorkerStops(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopping := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-ctx.Done():
		case <-stopping:
			cancel(fault.New(fault.Transient, "the worker is stopping: another one goes on"))
		}
	}()
	return ctx, func() { cancel(nil) }
}

// longestHiddenWait is how long an activity may wait before it tries again by itself.
const longestHiddenWait = 10 * time.Second

// permanent kinds are not helped by trying the same again: the workflow decides what is.
var permanent = map[fault.Kind]bool{
	fault.Stale: true, fault.Quota: true, fault.Reauthorize: true, fault.Permission: true, fault.Config: true,
	fault.Invalid: true, fault.NotFound: true, fault.Conflict: true, fault.Record: true, fault.Fenced: true, fault.Stopped: true,
}

// expected kinds are part of a normal day and need no entry in an error log.
var expected = map[fault.Kind]bool{fault.Fenced: true, fault.Stopped: true, fault.Quota: true}

// translate makes err a Temporal error: its type is the fault's kind, its details a
// flow.Failure. Causes are rendered into the message, not attached: an attached
// cause would be stored whole.
func translate(err error) error {
	if err == nil {
		return nil
	}
	var canceled *temporal.CanceledError
	if errors.As(err, &canceled) {
		return err
	}
	kind, wait := fault.KindOf(err), fault.RetryAfterOf(err)
	options := temporal.ApplicationErrorOptions{
		// A long wait belongs to the workflow, where it is seen and a signal ends it.
		NonRetryable: permanent[kind] || wait > longestHiddenWait,
		Details:      []any{flow.Failure{Message: err.Error(), Hint: fault.HintOf(err), RetryAfter: wait}},
	}
	if !options.NonRetryable {
		options.NextRetryDelay = wait
	}
	if expected[kind] {
		options.Category = temporal.ApplicationErrorCategoryBenign
	}
	return temporal.NewApplicationErrorWithOptions(err.Error(), string(kind), options)
}
