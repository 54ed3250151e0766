package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"salesforcesync/internal/flow"
)

// scenario is a story that a workflow lives through; which workflow it is says the one of the first four that
// is there. watch answers the nth Watch, step the nth BackfillStep, and so on.
type scenario struct {
	name     string
	watch    func(n int) (flow.WatchResult, error)
	step     func(n int) (flow.BackfillStepResult, error)
	deliver  func(n int) (flow.DeliverResult, error)
	remake   func(n int, in flow.RetransformParams) (flow.RetransformResult, error)
	check    func(n int) flow.CheckResult
	poll     func(n int) (flow.PollResult, error)
	upsert   func(n int, ref flow.BatchRef) (flow.UpsertResult, error)
	signals  []cue
	settings []string // of the server
	fails    bool     // the workflow ends in failure
}

// workflow is what the scenario is about: the workflow's id, its type, and its input.
func (s scenario) workflow() (id, kind string, params any) {
	const project, integration, object = "support", "salesforce-prod", "EmailMessage"
	switch {
	case s.step != nil && s.watch == nil:
		return flow.BackfillID(project, integration, object), flow.WorkflowBackfill, flow.BackfillParams{Project: project, Integration: integration, Object: object}
	case s.deliver != nil:
		return flow.DeliveryID(project, integration), flow.WorkflowDelivery, flow.DeliveryParams{Project: project, Integration: integration}
	case s.remake != nil:
		return flow.RetransformID(project, integration), flow.WorkflowRetransform, flow.RetransformParams{Project: project, Integration: integration}
	}
	return flow.WorkflowID(project, integration), flow.WorkflowIntegration, flow.IntegrationParams{Project: project, Integration: integration}
}

// cue sends a signal when an activity was called so often; without one it cancels the
// workflow.
type cue struct {
	after  string // "Watch 2"
	signal string
}

const interval = 200 * time.Millisecond

func outcome(o string) (flow.WatchResult, error) {
	return flow.WatchResult{Outcome: o, Interval: interval, Objects: 1}, nil
}

func news(objects ...string) (flow.WatchResult, error) {
	r := flow.WatchResult{Outcome: flow.OutcomeNews, Interval: interval, Objects: len(objects)}
	for i, o := range objects {
		r.News = append(r.News, flow.News{Object: o, Batch: flow.BatchRef{Stream: int64(i + 1), Epoch: 1, Seq: 1, Object: o}})
	}
	return r, nil
}

// sequence answers with each function in turn, and with "deleted" when there are no more.
func sequence(answers ...func() (flow.WatchResult, error)) func(int) (flow.WatchResult, error) {
	return func(n int) (flow.WatchResult, error) {
		if n > len(answers) {
			return outcome(flow.OutcomeDeleted)
		}
		return answers[n-1]()
	}
}

func say(o string) func() (flow.WatchResult, error) {
	return func() (flow.WatchResult, error) { return outcome(o) }
}

func tell(objects ...string) func() (flow.WatchResult, error) {
	return func() (flow.WatchResult, error) { return news(objects...) }
}

// refused is what Watch says when the last check has refused every object.
func refused() (flow.WatchResult, error) {
	r, err := outcome(flow.OutcomeQuiet)
	r.Invalid = []flow.ObjectFault{{Object: "EmailMessage", Kind: "Config", Message: "no such field", Hint: "check the name"}}
	return r, err
}

func failure(kind string, final bool, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(kind, kind, temporal.ApplicationErrorOptions{
		NonRetryable: final, Details: []any{flow.Failure{Message: kind, Hint: "do something", RetryAfter: after}}})
}

func fail(kind string, final bool, after time.Duration) func() (flow.WatchResult, error) {
	return func() (flow.WatchResult, error) { return flow.WatchResult{}, failure(kind, final, after) }
}

var scenarios = []scenario{
	{
		name:    "first-grant",
		watch:   sequence(say(flow.OutcomeAwaiting), say(flow.OutcomeUnchecked), tell("EmailMessage"), say(flow.OutcomeQuiet)),
		signals: []cue{{"Report 1", flow.SignalTokenGranted}},
	},
	{
		name:  "quiet",
		watch: sequence(say(flow.OutcomeQuiet), say(flow.OutcomeQuiet), say(flow.OutcomeQuiet), say(flow.OutcomeQuiet)),
	},
	{
		name:  "batches-of-two-objects",
		watch: sequence(tell("EmailMessage", "Case"), say(flow.OutcomeQuiet), tell("Case"), say(flow.OutcomeQuiet)),
		upsert: func(n int, ref flow.BatchRef) (flow.UpsertResult, error) {
			next := ref
			next.Seq++
			return flow.UpsertResult{Counts: flow.Counts{Rows: 2, Created: 2, Units: 2}, More: n < 4, Next: next}, nil
		},
	},
	{
		name:    "authorization-lost-and-granted-again",
		watch:   sequence(tell("EmailMessage"), fail("Reauthorize", true, 0), say(flow.OutcomeAwaiting), tell("EmailMessage"), say(flow.OutcomeQuiet)),
		signals: []cue{{"Report 1", flow.SignalTokenGranted}},
	},
	{
		name:    "pause-and-resume",
		watch:   sequence(say(flow.OutcomeQuiet), say(flow.OutcomePaused), say(flow.OutcomeQuiet), say(flow.OutcomeQuiet)),
		signals: []cue{{"Watch 1", flow.SignalPause}, {"Report 1", flow.SignalResume}, {"Watch 2", flow.SignalSyncNow}},
	},
	{
		name:  "quota",
		watch: sequence(fail("Quota", true, time.Second), tell("EmailMessage"), say(flow.OutcomeQuiet)),
	},
	{
		name:  "salesforce-away",
		watch: sequence(fail("Transient", true, 0), fail("Transient", true, 0), tell("EmailMessage"), say(flow.OutcomeQuiet)),
	},
	{
		name:  "one-object-fails",
		watch: sequence(tell("EmailMessage", "Case"), say(flow.OutcomeQuiet), say(flow.OutcomeQuiet)),
		poll: func(n int) (flow.PollResult, error) {
			if n == 1 {
				return flow.PollResult{}, failure("Permission", true, 0)
			}
			return flow.PollResult{Rows: 1, Sealed: true}, nil
		},
	},
	{
		name:  "configuration-refused",
		watch: sequence(say(flow.OutcomeUnchecked), refused, say(flow.OutcomeUnchecked), tell("EmailMessage"), say(flow.OutcomeQuiet)),
		check: func(n int) flow.CheckResult {
			object := flow.CheckedObject{Object: "EmailMessage"}
			if n == 1 {
				object.Problem, object.Hint = "no such field", "check the name"
			}
			return flow.CheckResult{Objects: []flow.CheckedObject{object}}
		},
		signals: []cue{{"Report 1", flow.SignalConfigChanged}},
	},
	{
		name:  "cleaned-rows-lost",
		watch: sequence(tell("EmailMessage"), say(flow.OutcomeQuiet)),
		upsert: func(n int, ref flow.BatchRef) (flow.UpsertResult, error) {
			if n == 1 {
				return flow.UpsertResult{}, failure("Stale", true, 0)
			}
			return flow.UpsertResult{Counts: flow.Counts{Rows: 1, Created: 1, Units: 1}, Next: ref}, nil
		},
	},
	{
		name:     "continue-as-new",
		watch:    sequence(tell("EmailMessage"), tell("EmailMessage"), say(flow.OutcomeQuiet), say(flow.OutcomeQuiet), say(flow.OutcomeQuiet), say(flow.OutcomeQuiet)),
		signals:  []cue{{"Poll 1", flow.SignalSyncNow}},
		settings: []string{"limit.historyCount.suggestContinueAsNew=60"},
	},
	{
		name: "starts-a-backfill",
		watch: sequence(func() (flow.WatchResult, error) {
			r, err := news("EmailMessage")
			r.Backfills = []string{"EmailMessage", "Case"}
			return r, err
		}, say(flow.OutcomeQuiet), say(flow.OutcomeQuiet)),
		step: steps(flow.OutcomeDone),
	},
	{
		name:   "backfill-of-two-parts",
		step:   steps("1 2", "", flow.OutcomeDone),
		upsert: threePages,
	},
	{
		name:    "backfill-paused-and-resumed",
		step:    steps("1", flow.OutcomePaused, "1", flow.OutcomeDone),
		signals: []cue{{"BackfillStep 1", flow.SignalPause}, {"BackfillStep 2", flow.SignalResume}},
	},
	{
		name: "backfill-part-fails",
		step: steps("1 2", "", "", "1", flow.OutcomeDone),
		poll: func(n int) (flow.PollResult, error) {
			if n == 1 {
				return flow.PollResult{}, failure("Transient", true, 0)
			}
			return flow.PollResult{Rows: 1, Sealed: true}, nil
		},
	},
	{
		name: "backfill-step-fails",
		step: func(n int) (flow.BackfillStepResult, error) {
			if n <= 2 {
				return flow.BackfillStepResult{}, failure("Quota", true, time.Second)
			}
			return steps("1", flow.OutcomeDone)(n - 2)
		},
	},
	{
		name:    "backfill-cancelled-by-signal",
		step:    steps("1", "", flow.OutcomeCancelled),
		signals: []cue{{"Poll 1", flow.SignalCancel}},
	},
	{
		name:    "backfill-cancelled",
		step:    steps("1", "", "", "", "", "", flow.OutcomeCancelled),
		signals: []cue{{"BackfillStep 3", ""}},
		fails:   true,
	},
	{
		name: "backfill-continue-as-new",
		step: steps("1 2", "", "", "", "1 2", "", flow.OutcomeDone),
		upsert: func(_ int, ref flow.BatchRef) (flow.UpsertResult, error) {
			next := ref
			next.Seq++
			return flow.UpsertResult{Counts: flow.Counts{Rows: 2, Created: 2, Units: 2}, More: true, Next: next}, nil
		},
		signals:  []cue{{"Upsert 3", flow.SignalResume}},
		settings: []string{"limit.historyCount.suggestContinueAsNew=80"},
	},
	{
		name:    "delivery",
		deliver: deliveries(flow.StateSyncing, flow.StateIdle, flow.StateBackingOff, flow.StateIdle, flow.StateCancelled),
	},
	{
		name:    "delivery-paused-and-resumed",
		deliver: deliveries(flow.StateIdle, flow.StatePaused, flow.StateIdle, flow.StateDisconnected),
		signals: []cue{{"Deliver 1", flow.SignalPause}, {"Deliver 2", flow.SignalResume}, {"Deliver 3", flow.SignalSyncNow}},
	},
	{
		name: "delivery-fails",
		deliver: func(n int) (flow.DeliverResult, error) {
			if n == 1 || n == 3 {
				return flow.DeliverResult{}, failure("Transient", true, 0)
			}
			return deliveries("", flow.StateIdle, "", flow.StateCancelled)(n)
		},
		signals: []cue{{"Deliver 3", flow.SignalConfigChanged}},
	},
	{
		name:     "delivery-continue-as-new",
		deliver:  deliveries(flow.StateSyncing, flow.StateIdle, flow.StateSyncing, flow.StateIdle, flow.StateSyncing, flow.StateIdle, flow.StateSyncing, flow.StateIdle, flow.StateCancelled),
		settings: []string{"limit.historyCount.suggestContinueAsNew=40"},
	},
	{
		name:   "retransform",
		remake: remakes(3),
	},
	{
		name: "retransform-fails",
		remake: func(n int, in flow.RetransformParams) (flow.RetransformResult, error) {
			if n <= 2 {
				return flow.RetransformResult{}, failure("Quota", true, time.Second)
			}
			return remakes(4)(n, in)
		},
		signals: []cue{{"RetransformStep 1", flow.SignalResume}},
	},
	{
		name: "retransform-of-what-is-gone",
		remake: func(int, flow.RetransformParams) (flow.RetransformResult, error) {
			return flow.RetransformResult{}, failure("NotFound", true, 0)
		},
	},
	{
		name:    "retransform-cancelled-by-signal",
		remake:  remakes(10),
		signals: []cue{{"RetransformStep 2", flow.SignalCancel}},
	},
	{
		name:    "retransform-cancelled",
		remake:  remakes(10),
		signals: []cue{{"RetransformStep 2", ""}},
		fails:   true,
	},
	{
		name:     "retransform-continue-as-new",
		remake:   remakes(8),
		settings: []string{"limit.historyCount.suggestContinueAsNew=30"},
	},
	{
		name: "never-applied",
		watch: func(int) (flow.WatchResult, error) {
			return flow.WatchResult{Outcome: flow.OutcomeDeleted, Reason: "there is no integration support/salesforce-prod"}, nil
		},
		fails: true,
	},
}

// steps answers with each in turn, and then with the last: the streams whose next page
// can be read, or an outcome.
func steps(answers ...string) func(int) (flow.BackfillStepResult, error) {
	return func(n int) (flow.BackfillStepResult, error) {
		r := flow.BackfillStepResult{Outcome: flow.OutcomeOpen, Parts: 2, Expected: 1000, Planned: true}
		answer := answers[min(n, len(answers))-1]
		for _, stream := range strings.Fields(answer) {
			id, err := strconv.ParseInt(stream, 10, 64)
			if err != nil {
				return flow.BackfillStepResult{Outcome: answer, Reason: answer}, nil //nolint:nilerr // an answer that is no number is an outcome
			}
			r.Ready = append(r.Ready, flow.BatchRef{Stream: id, Epoch: 1, Seq: int64(n), Object: "EmailMessage", Part: int(id)})
		}
		time.Sleep(interval) // as the real one waits for something to be ready
		return r, nil
	}
}

// deliveries answers with each state in turn. What was sent meanwhile grows.
func deliveries(states ...string) func(int) (flow.DeliverResult, error) {
	return func(n int) (flow.DeliverResult, error) {
		r := flow.DeliverResult{State: states[min(n, len(states))-1], Counts: flow.DeliveryCounts{Sent: int64(n), New: int64(n)}}
		if r.State == flow.StateBackingOff {
			r.Reason, r.Hint, r.Until = "the tenant is away", "wait", time.Now().Add(time.Second).UTC()
		}
		time.Sleep(interval) // as the real one waits for something to deliver
		return r, nil
	}
}

// remakes has something left to do before its last step, unless it is cancelled.
func remakes(last int) func(int, flow.RetransformParams) (flow.RetransformResult, error) {
	return func(n int, in flow.RetransformParams) (flow.RetransformResult, error) {
		done := flow.RetransformCounts{Records: 500 * int64(n), Unchanged: 499 * int64(n), TextChanged: int64(n), Units: int64(n)}
		time.Sleep(interval) // as the real one works for a while
		return flow.RetransformResult{Open: n < last && !in.Cancel, Objects: []flow.RetransformProgress{
			{Object: "EmailMessage", State: "open", Total: 500 * int64(last), Counts: done}}}, nil
	}
}

// threePages of a part are there, whichever is asked for first.
func threePages(n int, ref flow.BatchRef) (flow.UpsertResult, error) {
	next := ref
	next.Seq++
	return flow.UpsertResult{Counts: flow.Counts{Rows: 2, Created: 2, Units: 2}, More: n <= 4, Next: next}, nil
}

// play stands in for the activities and counts their calls.
type play struct {
	script scenario
	mu     sync.Mutex
	calls  map[string]int
	heard  chan struct{}
}

func (p *play) called(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == nil {
		p.calls, p.heard = map[string]int{}, make(chan struct{})
	}
	if name != "" {
		p.calls[name]++
		close(p.heard)
		p.heard = make(chan struct{})
	}
	return p.calls[name]
}

// await waits for a call such as "Watch 2".
func (p *play) await(ctx context.Context, call string) error {
	var name string
	var n int
	if _, err := fmt.Sscanf(call, "%s %d", &name, &n); err != nil {
		return fmt.Errorf("cue %q: %w", call, err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p.called("")
	for {
		p.mu.Lock()
		reached, heard := p.calls[name] >= n, p.heard
		p.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-heard:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", call, ctx.Err())
		}
	}
}

func (p *play) register(w worker.Worker) {
	flow.Watch.Bind(w, func(context.Context, flow.WatchParams) (flow.WatchResult, error) {
		return p.script.watch(p.called("Watch"))
	})
	flow.BackfillStep.Bind(w, func(context.Context, flow.BackfillStepParams) (flow.BackfillStepResult, error) {
		return p.script.step(p.called("BackfillStep"))
	})
	flow.Deliver.Bind(w, func(context.Context, flow.DeliverParams) (flow.DeliverResult, error) {
		return p.script.deliver(p.called("Deliver"))
	})
	flow.RetransformStep.Bind(w, func(_ context.Context, in flow.RetransformParams) (flow.RetransformResult, error) {
		return p.script.remake(p.called("RetransformStep"), in)
	})
	flow.Check.Bind(w, func(context.Context, flow.CheckParams) (flow.CheckResult, error) {
		n := p.called("Check")
		if p.script.check != nil {
			return p.script.check(n), nil
		}
		return flow.CheckResult{Objects: []flow.CheckedObject{{Object: "EmailMessage"}}}, nil
	})
	flow.Poll.Bind(w, func(context.Context, flow.BatchRef) (flow.PollResult, error) {
		n := p.called("Poll")
		if p.script.poll != nil {
			return p.script.poll(n)
		}
		return flow.PollResult{Rows: 1, Bytes: 100, Calls: 1, Sealed: true}, nil
	})
	flow.Transform.Bind(w, func(context.Context, flow.BatchRef) (flow.TransformResult, error) {
		p.called("Transform")
		return flow.TransformResult{Comments: 1, CleaningVersion: 1}, nil
	})
	flow.Upsert.Bind(w, func(_ context.Context, ref flow.BatchRef) (flow.UpsertResult, error) {
		n := p.called("Upsert")
		if p.script.upsert != nil {
			return p.script.upsert(n, ref)
		}
		next := ref
		next.Seq++
		return flow.UpsertResult{Counts: flow.Counts{Rows: 1, Created: 1, Units: 1}, Next: next}, nil
	})
	flow.Report.Bind(w, func(context.Context, flow.ReportParams) (flow.ReportResult, error) {
		p.called("Report")
		return flow.ReportResult{}, nil
	})
	flow.Steer.Bind(w, func(context.Context, flow.SteerParams) (flow.SteerResult, error) {
		p.called("Steer")
		return flow.SteerResult{}, nil
	})
}
