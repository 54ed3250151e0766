package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// begin starts the object's batches beside those of other objects: one object's
// trouble or flood is its own.
func (l *loop) begin(ctx workflow.Context, news flow.News) {
	if l.running[news.Object] {
		return
	}
	if l.state.Objects[news.Object] == nil {
		l.state.Objects[news.Object] = &flow.ObjectState{}
	}
	l.running[news.Object] = true
	l.busy++
	workflow.Go(ctx, func(ctx workflow.Context) {
		err := l.batches(ctx, news)
		l.running[news.Object] = false
		object := l.state.Objects[news.Object]
		switch {
		case object == nil || temporal.IsCanceledError(err):
		case err != nil:
			kind, f := failureOf(err)
			l.fail(ctx, news.Object, kind, f)
		default:
			object.Failures, object.Refused = 0, 0
			if object.Kind != "" {
				object.Kind, object.Fault, object.Hint, object.RetryAt = "", "", "", time.Time{}
				l.reportObject(ctx, news.Object)
			}
		}
		l.describe(ctx)
		l.finished++
		l.busy-- // last: a new history may begin when nothing is out
	})
}

// batches polls, transforms and upserts until there is no more, or until the
// workflow wants to stop.
func (l *loop) batches(ctx workflow.Context, news flow.News) error {
	ref := news.Batch
	ref.Object = news.Object
	for {
		what := fmt.Sprintf("%s, batch %d", news.Object, ref.Seq)
		polled, err := flow.Poll.Run(onPoll(ctx, pollLongest, heartbeatBatch, "poll "+what), ref)
		if err != nil {
			return err
		}
		if !polled.Sealed {
			if !polled.More {
				return nil
			}
			if l.stopping(ctx) {
				l.cut = true
				return nil
			}
			continue // parents were followed and their children wait to be read
		}
		done, err := apply(ctx, onLoad, ref, fmt.Sprintf("%s: %d rows", what, polled.Rows))
		if err != nil {
			return err
		}
		if o := l.state.Objects[news.Object]; o != nil && !done.Again {
			o.Batches++
			o.LastSeq = ref.Seq
			o.Totals.Add(done.Counts)
			l.state.Totals.Add(done.Counts)
		}
		if !done.More {
			return nil
		}
		if l.stopping(ctx) {
			l.cut = true
			return nil
		}
		ref = done.Next
		ref.Object = news.Object
	}
}

// apply transforms and upserts a sealed batch, on the queue that on chooses. Cleaned rows
// do not survive a crash of PostgreSQL; then they are made again.
func apply(ctx workflow.Context, on func(workflow.Context, string) workflow.Context, ref flow.BatchRef, what string) (flow.UpsertResult, error) {
	for attempt := 1; ; attempt++ {
		if _, err := flow.Transform.Run(on(ctx, "transform "+what), ref); err != nil {
			return flow.UpsertResult{}, err
		}
		done, err := flow.Upsert.Run(on(ctx, "upsert "+what), ref)
		if err == nil {
			return done, nil
		}
		if kind, _ := failureOf(err); kind != kindStale || attempt == 3 {
			return done, err
		}
	}
}

func (l *loop) stopping(ctx workflow.Context) bool { return l.paused || full(ctx) }

// fail notes one object's failure and when to try it again. The others go on.
func (l *loop) fail(ctx workflow.Context, name, kind string, f flow.Failure) {
	o := l.state.Objects[name]
	if o == nil {
		o = &flow.ObjectState{}
		l.state.Objects[name] = o
	}
	now := workflow.Now(ctx)
	switch kind {
	case kindStopped, kindFenced, kindReauthorize:
		l.state.LastWatch = time.Time{} // the row in PostgreSQL says what now
		return
	case kindConfig:
		// Something was renamed or hidden since the last check: find out at once. If the check
		// sees nothing wrong and it fails all the same, checking again at once would not end.
		o.Refused++
		o.RetryAt = now.Add(refusal(ctx, name, o.Refused, f.RetryAfter))
		l.state.CheckAt = now
		if o.Failures++; o.Failures > 1 {
			l.state.CheckAt = o.RetryAt
		}
	case kindPermission:
		o.Refused++
		o.RetryAt = now.Add(refusal(ctx, name, o.Refused, f.RetryAfter))
	case kindQuota:
		o.RetryAt = now.Add(patience(kind, f, 1))
	default:
		o.Failures++
		o.RetryAt = now.Add(patience(kind, f, o.Failures))
	}
	o.Kind, o.Fault, o.Hint = kind, f.Message, f.Hint
	l.reportObject(ctx, name)
}

// reportObject writes the object's trouble, or its end, to PostgreSQL.
func (l *loop) reportObject(ctx workflow.Context, name string) {
	o := l.state.Objects[name]
	_, err := flow.Report.Run(onControl(ctx, "report "+name), flow.ReportParams{
		Project: l.params.Project, Integration: l.params.Integration, Object: name,
		Kind: o.Kind, Reason: o.Fault, Hint: o.Hint, Until: o.RetryAt})
	if err != nil {
		workflow.GetLogger(ctx).Warn("the object's state was not reported", flow.LogObject, name, flow.LogError, err)
	}
}
