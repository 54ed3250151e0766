package workflows_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/suite"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
	"salesforcesync/workflows"
)

var loadParams = flow.BackfillParams{Project: "support", Integration: "prod", Object: "EmailMessage"}

// loading stands for the activities and what PostgreSQL knows of a backfill: parts with
// so many pages each. Each function may be replaced by a test.
type loading struct {
	step   func(n int, in flow.BackfillStepParams) (flow.BackfillStepResult, error) // nil result: as PostgreSQL has it
	poll   func(ref flow.BatchRef) (flow.PollResult, error)
	upsert func(ref flow.BatchRef) (flow.UpsertResult, error)

	mu       sync.Mutex
	pages    map[int64]int64 // by stream: pages of the part
	applied  map[int64]int64 // by stream
	atOnce   int             // pages
	desired  string          // what an operator wants
	ended    string
	steps    []flow.BackfillStepParams
	steers   []flow.SteerParams
	order    []flow.BatchRef // as they were polled
	queues   map[string]string
	stepsOut atomic.Int64
	mostOut  atomic.Int64
}

type BackfillSuite struct {
	suite.Suite
	testsuite.WorkflowTestSuite
	env *testsuite.TestWorkflowEnvironment
	do  *loading
}

func TestBackfill(t *testing.T) { suite.Run(t, new(BackfillSuite)) }

func (s *BackfillSuite) SetupTest() {
	s.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	s.begin(&loading{pages: map[int64]int64{11: 2, 12: 2, 13: 1}, atOnce: 2})
}

func (s *BackfillSuite) begin(do *loading) {
	s.env = s.NewTestWorkflowEnvironment()
	s.env.SetTestTimeout(time.Minute)
	workflows.Register(s.env)
	s.do = do
	if do.applied == nil {
		do.applied, do.queues = map[int64]int64{}, map[string]string{}
	}
	s.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.ActivityType.Name == flow.BackfillStep.Name {
			do.mostOut.Store(max(do.mostOut.Load(), do.stepsOut.Add(1)))
		}
	})
	s.env.SetOnActivityCompletedListener(func(info *activity.Info, _ converter.EncodedValue, _ error) {
		if info.ActivityType.Name == flow.BackfillStep.Name {
			do.stepsOut.Add(-1)
		}
	})
	flow.BackfillStep.Bind(s.env, do.look)
	flow.Poll.Bind(s.env, func(ctx context.Context, ref flow.BatchRef) (flow.PollResult, error) {
		do.saw(ctx)
		do.mu.Lock()
		do.order = append(do.order, ref)
		do.mu.Unlock()
		if do.poll != nil {
			return do.poll(ref)
		}
		return flow.PollResult{Rows: 4000, Sealed: true}, nil
	})
	flow.Transform.Bind(s.env, func(ctx context.Context, ref flow.BatchRef) (flow.TransformResult, error) {
		do.saw(ctx)
		return flow.TransformResult{Comments: 4000}, nil
	})
	flow.Upsert.Bind(s.env, func(ctx context.Context, ref flow.BatchRef) (flow.UpsertResult, error) {
		do.saw(ctx)
		if do.upsert != nil {
			return do.upsert(ref)
		}
		return do.apply(ref), nil
	})
	flow.Steer.Bind(s.env, func(_ context.Context, in flow.SteerParams) (flow.SteerResult, error) {
		do.mu.Lock()
		defer do.mu.Unlock()
		do.steers = append(do.steers, in)
		if do.ended != "" {
			return flow.SteerResult{}, temporal.NewNonRetryableApplicationError("no backfill is under way", "NotFound", nil)
		}
		do.desired = in.Signal
		return flow.SteerResult{}, nil
	})
}

func (do *loading) saw(ctx context.Context) {
	info := activity.GetInfo(ctx)
	do.mu.Lock()
	defer do.mu.Unlock()
	do.queues[info.ActivityType.Name] = info.TaskQueue
}

// look is one step: what PostgreSQL says.
func (do *loading) look(ctx context.Context, in flow.BackfillStepParams) (flow.BackfillStepResult, error) {
	do.saw(ctx)
	do.mu.Lock()
	do.steps = append(do.steps, in)
	n := len(do.steps)
	do.mu.Unlock()
	if do.step != nil {
		if r, err := do.step(n, in); r.Outcome != "" || err != nil {
			return r, err
		}
	}
	do.mu.Lock()
	defer do.mu.Unlock()
	r := flow.BackfillStepResult{Outcome: flow.OutcomeOpen, Planned: true, Parts: len(do.pages), Expected: 20_000}
	switch {
	case do.desired == flow.SignalCancel:
		do.ended = flow.OutcomeCancelled
	case do.desired == flow.SignalPause:
		return flow.BackfillStepResult{Outcome: flow.OutcomePaused, Reason: "paused by an operator", Hint: "resume it"}, nil
	}
	if do.ended != "" {
		return flow.BackfillStepResult{Outcome: do.ended}, nil
	}
	free := do.atOnce
	for _, stream := range slices.Sorted(maps.Keys(do.pages)) {
		r.Rows += 4000 * do.applied[stream]
		switch {
		case do.applied[stream] == do.pages[stream]:
			r.Done++
		case slices.Contains(in.Busy, stream):
			free--
		default:
			r.Ready = append(r.Ready, flow.BatchRef{Stream: stream, Epoch: 1, Seq: do.applied[stream] + 1, Object: "EmailMessage", Part: int(stream - 10)})
		}
	}
	r.Ready = r.Ready[:min(len(r.Ready), max(free, 0))]
	if r.Done == r.Parts {
		do.ended, r.Outcome = flow.OutcomeDone, flow.OutcomeDone
	}
	return r, nil
}

func (do *loading) apply(ref flow.BatchRef) flow.UpsertResult {
	do.mu.Lock()
	defer do.mu.Unlock()
	do.applied[ref.Stream] = ref.Seq
	return flow.UpsertResult{Counts: flow.Counts{Rows: 4000, Created: 4000, Units: 4000}, More: ref.Seq < do.pages[ref.Stream],
		Next: flow.BatchRef{Stream: ref.Stream, Epoch: ref.Epoch, Seq: ref.Seq + 1}}
}

// slow makes an activity take some time.
func (s *BackfillSuite) slow(name string, d time.Duration) {
	do := s.do // one that a cancelled workflow does not wait for may outlive its test
	switch name {
	case flow.Poll.Name:
		s.env.OnActivity(name, mock.Anything, mock.Anything).Return(func(_ context.Context, ref flow.BatchRef) (flow.PollResult, error) {
			do.mu.Lock()
			do.order = append(do.order, ref)
			do.mu.Unlock()
			return flow.PollResult{Rows: 4000, Sealed: true}, nil
		}).After(d)
	case flow.BackfillStep.Name:
		s.env.OnActivity(name, mock.Anything, mock.Anything).Return(do.look).After(d)
	}
}

func (s *BackfillSuite) run() error {
	s.env.ExecuteWorkflow(flow.WorkflowBackfill, loadParams)
	s.Require().True(s.env.IsWorkflowCompleted())
	return s.env.GetWorkflowError()
}

func (s *BackfillSuite) status() flow.BackfillStatus {
	value, err := s.env.QueryWorkflow(flow.QueryStatus)
	s.Require().NoError(err)
	var status flow.BackfillStatus
	s.Require().NoError(value.Get(&status))
	return status
}

func (s *BackfillSuite) at(d time.Duration, fn func()) { s.env.RegisterDelayedCallback(fn, d) }

func (s *BackfillSuite) lastStep() flow.BackfillStepParams { return s.do.steps[len(s.do.steps)-1] }

func refused(kind, message string, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(message, kind, temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{flow.Failure{Message: message, Hint: "do something", RetryAfter: after}}})
}

func (s *BackfillSuite) TestEveryPageOfEveryPartIsLoaded() {
	s.Require().NoError(s.run())
	var pages []string
	for _, ref := range s.do.order {
		pages = append(pages, string(rune('0'+ref.Part))+"/"+string(rune('0'+ref.Seq)))
	}
	s.ElementsMatch([]string{"1/1", "1/2", "2/1", "2/2", "3/1"}, pages)
	status := s.status()
	s.Equal(flow.StateDone, status.State)
	s.EqualValues(5, status.Pages)
	s.EqualValues(20_000, status.Totals.Units)
	s.Equal(3, status.Parts)
	s.Zero(status.Failures + status.Reading)
	s.Equal(map[string]string{flow.BackfillStep.Name: flow.QueuePoll, flow.Poll.Name: flow.QueueBackfill,
		flow.Transform.Name: flow.QueueBackfill, flow.Upsert.Name: flow.QueueBackfill}, s.do.queues, "live work has queues of its own")
}

func (s *BackfillSuite) TestPartsOverlapAndOneStepIsOutAtATime() {
	s.slow(flow.Poll.Name, 10*time.Second)
	s.slow(flow.BackfillStep.Name, 300*time.Millisecond)
	s.at(5*time.Second, func() {
		status := s.status()
		s.Equal(2, status.Reading)
		s.Equal(flow.StateSyncing, status.State)
		s.Equal([]int64{11, 12}, s.lastStep().Busy)
		s.Equal(5*time.Second, s.lastStep().Wait)
		s.Zero(s.do.steps[0].Busy)
		s.Equal(50*time.Second, s.do.steps[0].Wait)
	})
	began := s.env.Now()
	s.Require().NoError(s.run())
	s.Less(s.env.Now().Sub(began), 50*time.Second, "five pages of ten seconds each, two at a time")
	s.EqualValues(1, s.do.mostOut.Load())
}

// A part that Salesforce has ready while others are read is begun at once.
func (s *BackfillSuite) TestAPartThatGetsReadyDoesNotWaitForOthers() {
	s.do.step = func(n int, in flow.BackfillStepParams) (flow.BackfillStepResult, error) {
		if n > 1 {
			return flow.BackfillStepResult{}, nil
		}
		return flow.BackfillStepResult{Outcome: flow.OutcomeOpen, Parts: 1, Ready: []flow.BatchRef{{Stream: 11, Epoch: 1, Seq: 1, Part: 1}}}, nil
	}
	s.slow(flow.Poll.Name, 30*time.Second)
	s.slow(flow.BackfillStep.Name, 200*time.Millisecond)
	s.at(time.Second, func() { s.Equal(2, s.status().Reading) })
	s.Require().NoError(s.run())
}

func (s *BackfillSuite) TestOutcomesThatEndIt() {
	for _, outcome := range []string{flow.OutcomeDone, flow.OutcomeCancelled, flow.OutcomeDeleted} {
		s.begin(&loading{step: func(int, flow.BackfillStepParams) (flow.BackfillStepResult, error) {
			return flow.BackfillStepResult{Outcome: outcome}, nil
		}})
		s.Require().NoError(s.run(), outcome)
		s.Equal(cmp.Or(map[string]string{flow.OutcomeDeleted: flow.StateCancelled}[outcome], outcome), s.status().State)
		s.Len(s.do.steps, 1)
	}
}

// PostgreSQL knows of the last page before its activity has returned: its counts are not lost.
func (s *BackfillSuite) TestTheEndWaitsForPagesUnderWay() {
	s.begin(&loading{pages: map[int64]int64{11: 1}, atOnce: 1})
	s.do.step = func(n int, _ flow.BackfillStepParams) (flow.BackfillStepResult, error) {
		if n == 2 {
			return flow.BackfillStepResult{Outcome: flow.OutcomeDone}, nil
		}
		return flow.BackfillStepResult{}, nil
	}
	s.slow(flow.Poll.Name, 10*time.Second)
	s.Require().NoError(s.run())
	s.EqualValues(1, s.status().Pages)
	s.Equal(flow.StateDone, s.status().State)
}

func (s *BackfillSuite) TestParksUntilPostgreSQLSaysOtherwise() {
	for _, outcome := range []string{flow.OutcomeAwaiting, flow.OutcomePaused, flow.OutcomeDisconnected} {
		s.begin(&loading{pages: map[int64]int64{11: 1}, atOnce: 1})
		var back atomic.Bool
		s.do.step = func(int, flow.BackfillStepParams) (flow.BackfillStepResult, error) {
			if back.Load() {
				return flow.BackfillStepResult{}, nil
			}
			return flow.BackfillStepResult{Outcome: outcome, Reason: "because", Hint: "connect"}, nil
		}
		s.at(10*time.Minute+time.Second, func() {
			status := s.status()
			s.Equal(time.Second, s.lastStep().Wait, "what is shown is soon told to be over")
			s.Equal(outcome, status.State)
			s.Equal("because", status.Reason)
			s.Equal("connect", status.Hint)
			s.InDelta(11, len(s.do.steps), 1, "once a minute")
			back.Store(true)
		})
		began := s.env.Now()
		s.Require().NoError(s.run(), outcome)
		s.Less(s.env.Now().Sub(began), 12*time.Minute)
		s.Equal(flow.StateDone, s.status().State)
	}
}

func (s *BackfillSuite) TestPauseStopsAfterThePageUnderWayAndResumeGoesOn() {
	s.begin(&loading{pages: map[int64]int64{11: 50, 12: 50}, atOnce: 2})
	s.slow(flow.Poll.Name, 4*time.Second)
	s.slow(flow.BackfillStep.Name, time.Second)
	s.at(10*time.Second, func() { s.env.SignalWorkflow(flow.SignalPause, nil) })
	s.at(10*time.Second+time.Millisecond, func() { s.Equal(flow.StatePaused, s.status().State, "at once") })
	var polled int
	s.at(20*time.Second, func() {
		s.Equal(flow.StatePaused, s.status().State)
		s.Zero(s.status().Reading)
		s.Equal(2, s.status().Parts, "what is known stays")
		s.EqualValues(20_000, s.status().Expected)
		polled = len(s.do.order)
	})
	s.at(5*time.Hour, func() {
		s.Len(s.do.order, polled)
		s.env.SignalWorkflow(flow.SignalResume, nil)
	})
	s.at(5*time.Hour+time.Millisecond, func() { s.Equal(flow.StateSyncing, s.status().State, "at once") })
	s.at(5*time.Hour+5*time.Second, func() {
		s.Equal(flow.StateSyncing, s.status().State)
		s.Equal(2, s.status().Reading)
	})
	s.Require().NoError(s.run())
	s.Equal([]flow.SteerParams{
		{Project: "support", Integration: "prod", Object: "EmailMessage", Signal: flow.SignalPause},
		{Project: "support", Integration: "prod", Object: "EmailMessage", Signal: flow.SignalResume}}, s.do.steers)
	s.EqualValues(100, s.status().Pages)
}

// starter writes PostgreSQL before it signals: then the workflow looks, and writes nothing.
func (s *BackfillSuite) TestWrittenSignalsAreLookedAtNotSteered() {
	s.slow(flow.Poll.Name, 10*time.Second)
	s.at(time.Second, func() {
		s.do.desired = flow.SignalPause
		s.env.SignalWorkflowSkippingWorkflowTask(flow.SignalResume, flow.SignalPayload{Written: true})
		s.env.SignalWorkflow(flow.SignalPause, flow.SignalPayload{Written: true})
	})
	s.at(10*time.Minute, func() {
		s.Equal(flow.StatePaused, s.status().State)
		s.do.desired = ""
		s.env.SignalWorkflow(flow.SignalResume, flow.SignalPayload{Written: true})
	})
	s.Require().NoError(s.run())
	s.Empty(s.do.steers)
}

func (s *BackfillSuite) TestTheSignalCancelEndsIt() {
	s.begin(&loading{pages: map[int64]int64{11: 1000}, atOnce: 1})
	s.slow(flow.Poll.Name, 4*time.Second)
	s.slow(flow.BackfillStep.Name, time.Second)
	s.at(time.Minute, func() { s.env.SignalWorkflow(flow.SignalCancel, nil) })
	began := s.env.Now()
	s.Require().NoError(s.run())
	s.Less(s.env.Now().Sub(began), 70*time.Second)
	s.Equal(flow.StateCancelled, s.status().State)
	s.Len(s.do.steers, 1)
	s.Equal(flow.SignalCancel, s.do.steers[0].Signal)
}

// A signal for a backfill that has ended meanwhile is no reason to fail.
func (s *BackfillSuite) TestASignalTooLateIsNoFailure() {
	s.slow(flow.BackfillStep.Name, 10*time.Second)
	s.at(time.Second, func() {
		s.do.ended = flow.OutcomeDone
		s.env.SignalWorkflow(flow.SignalPause, nil)
	})
	s.Require().NoError(s.run())
	s.Len(s.do.steers, 1)
	s.Equal(flow.StateDone, s.status().State)
}

func (s *BackfillSuite) TestCancellingTheWorkflowEndsItsJobs() {
	s.begin(&loading{pages: map[int64]int64{11: 1000, 12: 1000}, atOnce: 1})
	s.slow(flow.Poll.Name, 10*time.Second)
	s.slow(flow.BackfillStep.Name, 3*time.Second)
	s.at(time.Minute+500*time.Millisecond, func() {
		s.EqualValues(1, s.do.stepsOut.Load())
		s.env.CancelWorkflow()
	})
	err := s.run()
	s.True(temporal.IsCanceledError(err), "%v", err)
	s.Len(s.do.steers, 1)
	s.Equal(flow.SignalCancel, s.do.steers[0].Signal)
	s.Equal(flow.OutcomeCancelled, s.do.ended, "a step saw it, and ended the jobs")
	s.EqualValues(1, s.do.mostOut.Load(), "the step that was out was waited for")
	s.Equal(flow.StateCancelled, s.status().State)
}

// A part that fails waits, its stream is not given out meanwhile, people are told why,
// and the other parts go on.
func (s *BackfillSuite) TestAFailingPartBacksOffAndTheOthersGoOn() {
	s.begin(&loading{pages: map[int64]int64{11: 1, 12: 40}, atOnce: 2})
	var failures []time.Time
	s.do.poll = func(ref flow.BatchRef) (flow.PollResult, error) {
		if ref.Stream == 11 && len(failures) < 4 {
			failures = append(failures, s.env.Now())
			return flow.PollResult{}, refused("Transient", "server too busy", 0)
		}
		return flow.PollResult{Rows: 4000, Sealed: true}, nil
	}
	s.do.step = func(_ int, in flow.BackfillStepParams) (flow.BackfillStepResult, error) {
		if in.Until.After(s.env.Now()) {
			s.LessOrEqual(in.Wait, max(time.Second, in.Until.Sub(s.env.Now())+time.Second), "it is back when the part may be given out again")
		}
		return flow.BackfillStepResult{}, nil
	}
	s.slow(flow.BackfillStep.Name, 100*time.Millisecond)
	s.env.OnActivity(flow.Transform.Name, mock.Anything, mock.Anything).Return(flow.TransformResult{}, nil).After(time.Second)
	s.at(time.Second, func() {
		status := s.status()
		s.Equal(1, status.Failures)
		s.Equal(flow.StateSyncing, status.State, "others go on")
		s.Equal("server too busy", status.Reason)
		s.Equal("do something", status.Hint)
		s.False(status.Until.IsZero())
	})
	s.Require().NoError(s.run())
	s.Len(failures, 4)
	for i, least := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second} {
		wait := failures[i+1].Sub(failures[i])
		s.GreaterOrEqual(wait, least)
		s.Less(wait, least+3*time.Second)
	}
	told := 0
	for _, step := range s.do.steps {
		if step.Fault != nil {
			told++
			s.Equal(flow.ObjectFault{Object: "EmailMessage", Kind: "Transient", Message: "server too busy", Hint: "do something"}, *step.Fault)
			s.Contains(step.Busy, int64(11))
		}
	}
	s.Positive(told)
	s.Nil(s.lastStep().Fault)
	s.Empty(s.status().Reason)
	s.EqualValues(41, s.status().Pages)
}

func (s *BackfillSuite) TestWhenEverythingWaitsTheStateSaysWhatFor() {
	for kind, c := range map[string]struct {
		state  string
		times  int64         // that it is refused
		before time.Duration // until the last of them, at most
		wait   time.Duration // after it
	}{
		"Quota":      {flow.StateQuotaWait, 1, 30 * time.Minute, 2 * time.Hour},
		"Permission": {flow.StateConfigInvalid, 9, 20 * time.Minute, 15 * time.Minute},
		"Config":     {flow.StateConfigInvalid, 9, 20 * time.Minute, 15 * time.Minute},
	} {
		s.begin(&loading{pages: map[int64]int64{11: 1}, atOnce: 1})
		var polls atomic.Int64
		s.do.poll = func(flow.BatchRef) (flow.PollResult, error) {
			if polls.Add(1) <= c.times {
				after := time.Duration(0)
				if kind == "Quota" {
					after = 2 * time.Hour
				}
				return flow.PollResult{}, refused(kind, "no", after)
			}
			return flow.PollResult{Rows: 1, Sealed: true}, nil
		}
		s.slow(flow.BackfillStep.Name, 10*time.Second)
		shown := false
		s.at(c.before+time.Minute, func() {
			shown = true
			status := s.status()
			s.Equal(c.state, status.State)
			s.Equal("no", status.Reason)
			s.Equal(1, status.Failures)
			s.WithinRange(status.Until, s.env.Now(), s.env.Now().Add(c.wait))
			s.Equal(c.times, polls.Load())
			s.Equal(kind, s.lastStep().Fault.Kind)
			s.Equal(status.Until, s.lastStep().Until.UTC())
		})
		began := s.env.Now()
		s.Require().NoError(s.run(), kind)
		s.True(shown, kind)
		s.Less(s.env.Now().Sub(began), c.before+c.wait+3*time.Minute)
		s.Equal(c.times+1, polls.Load())
	}
}

// Of several that wait, people are told of the one that waits longest.
func (s *BackfillSuite) TestTheLongestWaitIsTold() {
	s.begin(&loading{pages: map[int64]int64{11: 1, 12: 1, 13: 1}, atOnce: 3})
	s.do.poll = func(ref flow.BatchRef) (flow.PollResult, error) {
		switch ref.Stream {
		case 11:
			return flow.PollResult{}, refused("Transient", "server too busy", 0)
		case 12:
			return flow.PollResult{}, refused("Quota", "limit exceeded", 0)
		}
		return flow.PollResult{}, refused("Permission", "may not", 0)
	}
	s.slow(flow.BackfillStep.Name, time.Second)
	s.at(time.Minute, func() {
		s.Equal("limit exceeded", s.status().Reason)
		s.Equal(flow.StateQuotaWait, s.status().State)
		s.Equal("Quota", s.lastStep().Fault.Kind)
		s.do.desired = flow.SignalCancel
	})
	s.Require().NoError(s.run())
}

// What a part waited for is over with its next page, not with its last.
func (s *BackfillSuite) TestAPartThatGoesOnHasItsTroubleBehindIt() {
	s.begin(&loading{pages: map[int64]int64{11: 2}, atOnce: 1})
	failed := false
	s.do.poll = func(ref flow.BatchRef) (flow.PollResult, error) {
		if !failed {
			failed = true
			return flow.PollResult{}, refused("Transient", "server too busy", 0)
		}
		if ref.Seq == 2 {
			s.Empty(s.status().Reason)
			s.Zero(s.status().Failures)
		}
		return flow.PollResult{Rows: 4000, Sealed: true}, nil
	}
	s.Require().NoError(s.run())
	s.Len(s.do.order, 3)
}

// A step that was given up and tried again may name a part that is under way.
func (s *BackfillSuite) TestAPartHasOnePageUnderWay() {
	s.begin(&loading{pages: map[int64]int64{11: 1}, atOnce: 1})
	named := 0
	s.do.step = func(n int, in flow.BackfillStepParams) (flow.BackfillStepResult, error) {
		switch {
		case n > 1 && len(in.Busy) == 0: // the page is applied, and the usual answer is that all is done
			return flow.BackfillStepResult{}, nil
		case n > 3: // it may come in when the page has ended, and must not name it then
			return flow.BackfillStepResult{Outcome: flow.OutcomeOpen}, nil
		}
		named++
		return flow.BackfillStepResult{Outcome: flow.OutcomeOpen, Ready: []flow.BatchRef{{Stream: 11, Epoch: 1, Seq: 1}}}, nil
	}
	s.slow(flow.Poll.Name, 10*time.Minute)
	s.Require().NoError(s.run())
	s.Equal(3, named)
	s.Len(s.do.order, 1)
}

// Somebody who signals has done something about it: nothing waits for its hour.
func (s *BackfillSuite) TestASignalEndsTheWaitingAfterFailures() {
	var polls atomic.Int64
	s.begin(&loading{pages: map[int64]int64{11: 1}, atOnce: 1})
	s.do.poll = func(flow.BatchRef) (flow.PollResult, error) {
		if polls.Add(1) == 1 {
			return flow.PollResult{}, refused("Quota", "no", 0)
		}
		return flow.PollResult{Rows: 1, Sealed: true}, nil
	}
	s.slow(flow.BackfillStep.Name, time.Second)
	s.at(10*time.Minute, func() { s.env.SignalWorkflow(flow.SignalResume, nil) })
	began := s.env.Now()
	s.Require().NoError(s.run())
	s.Less(s.env.Now().Sub(began), 11*time.Minute)
}

// Work that is fenced or stopped is PostgreSQL's to explain: it is given back without a
// word, and does not spin when PostgreSQL disagrees.
func (s *BackfillSuite) TestWorkThatIsOverIsGivenBackAndDoesNotSpin() {
	for _, kind := range []string{"Stopped", "Fenced", "Reauthorize", "unsealed"} {
		s.begin(&loading{pages: map[int64]int64{11: 1}, atOnce: 1})
		var polls atomic.Int64
		s.do.poll = func(flow.BatchRef) (flow.PollResult, error) {
			polls.Add(1)
			if kind == "unsealed" {
				return flow.PollResult{}, nil
			}
			return flow.PollResult{}, refused(kind, "over", 0)
		}
		s.at(time.Second+500*time.Millisecond, func() { s.EqualValues(2, polls.Load(), "%s: at once", kind) })
		s.at(10*time.Minute, func() {
			s.Less(polls.Load(), int64(30), kind)
			s.Empty(s.status().Reason)
			s.Equal(flow.StateSyncing, s.status().State)
			s.Nil(s.lastStep().Fault)
			s.do.desired = flow.SignalCancel
		})
		s.Require().NoError(s.run(), kind)
	}
}

// A failing step is shown to people by the one that follows within seconds, whatever it is
// that has to be waited for.
func (s *BackfillSuite) TestAFailingStepBacksOffAndIsTold() {
	var at []time.Time
	s.do.step = func(n int, in flow.BackfillStepParams) (flow.BackfillStepResult, error) {
		at = append(at, s.env.Now())
		switch n {
		case 1:
			s.Nil(in.Fault)
		case 2:
			s.Equal("Quota", in.Fault.Kind)
			s.Equal("limit exceeded", in.Fault.Message)
			s.WithinDuration(at[0].Add(2*time.Hour), in.Until, time.Second)
		case 3:
			s.Equal("Quota", in.Fault.Kind)
			s.Equal(time.Second, in.Wait, "it is soon told to be over")
			return flow.BackfillStepResult{}, nil
		default:
			s.Nil(in.Fault)
			return flow.BackfillStepResult{}, nil
		}
		return flow.BackfillStepResult{}, refused("Quota", "limit exceeded", 2*time.Hour)
	}
	s.at(time.Hour, func() {
		status := s.status()
		s.Equal(flow.StateQuotaWait, status.State)
		s.Equal("limit exceeded", status.Reason)
		s.WithinDuration(s.env.Now().Add(time.Hour), status.Until, time.Minute)
	})
	s.Require().NoError(s.run())
	s.Equal(2*time.Second, at[1].Sub(at[0]))
	s.Equal(2*time.Hour, at[2].Sub(at[1]))
	s.EqualValues(5, s.status().Pages)
}

func (s *BackfillSuite) TestAStepThatFindsNothingAndDoesNotWaitDoesNotSpin() {
	s.do.step = func(int, flow.BackfillStepParams) (flow.BackfillStepResult, error) {
		return flow.BackfillStepResult{Outcome: flow.OutcomeOpen}, nil
	}
	s.at(time.Minute, func() {
		s.LessOrEqual(len(s.do.steps), 61)
		s.do.mu.Lock()
		s.do.step = nil
		s.do.mu.Unlock()
	})
	s.Require().NoError(s.run())
}

func (s *BackfillSuite) TestLostCleanedRowsAreMadeAgain() {
	s.begin(&loading{pages: map[int64]int64{11: 1}, atOnce: 1})
	var transforms, upserts atomic.Int64
	s.env.OnActivity(flow.Transform.Name, mock.Anything, mock.Anything).Return(func(context.Context, flow.BatchRef) (flow.TransformResult, error) {
		transforms.Add(1)
		return flow.TransformResult{}, nil
	})
	s.do.upsert = func(ref flow.BatchRef) (flow.UpsertResult, error) {
		if upserts.Add(1) == 1 {
			return flow.UpsertResult{}, refused("Stale", "0 of 4000 cleaned rows", 0)
		}
		return s.do.apply(ref), nil
	}
	s.Require().NoError(s.run())
	s.EqualValues(2, transforms.Load())
	s.EqualValues(1, s.status().Pages)
	s.Len(s.do.order, 1, "the page is not read again")
}

func (s *BackfillSuite) TestAReceiptIsNotCountedTwice() {
	s.do.upsert = func(ref flow.BatchRef) (flow.UpsertResult, error) {
		done := s.do.apply(ref)
		done.Again = true
		return done, nil
	}
	s.Require().NoError(s.run())
	s.Zero(s.status().Totals.Units)
	s.Zero(s.status().Pages)
}

func (s *BackfillSuite) TestInputWithoutNamesIsRefused() {
	s.env.ExecuteWorkflow(flow.WorkflowBackfill, flow.BackfillParams{Project: "support", Integration: "prod"})
	s.ErrorContains(s.env.GetWorkflowError(), `"object"`)
}

// Before a new history begins no page is out and every signal is heard, and the run
// after it goes on from there.
func (s *BackfillSuite) TestDrainsBeforeContinueAsNew() {
	s.begin(&loading{pages: map[int64]int64{11: 9, 12: 9}, atOnce: 2})
	var polls atomic.Int64
	s.env.OnActivity(flow.Poll.Name, mock.Anything, mock.Anything).Return(func(_ context.Context, ref flow.BatchRef) (flow.PollResult, error) {
		s.do.mu.Lock()
		defer s.do.mu.Unlock()
		s.do.order = append(s.do.order, ref)
		return flow.PollResult{Rows: 4000, Sealed: true}, nil
	}).AfterFn(func() time.Duration { return time.Duration(10+polls.Add(1)) * time.Second })
	var ending atomic.Bool
	s.do.upsert = func(ref flow.BatchRef) (flow.UpsertResult, error) {
		switch {
		case ending.Load(): // the last page that is out
			// Signals that arrive with the very task that would end the run.
			s.env.SignalWorkflowSkippingWorkflowTask(flow.SignalPause, nil)
			s.env.SignalWorkflowSkippingWorkflowTask(flow.SignalResume, nil)
		case ref.Seq == 2:
			ending.Store(true)
			s.env.SetContinueAsNewSuggested(true)
		}
		return s.do.apply(ref), nil
	}
	err := s.run()
	var again *workflow.ContinueAsNewError
	s.Require().True(errors.As(err, &again), "%v", err)
	var signals []string
	for _, in := range s.do.steers {
		signals = append(signals, in.Signal)
	}
	s.Equal([]string{flow.SignalResume, flow.SignalPause}, signals, "of two that wait the pause has the last word")
	s.Len(s.do.order, 4, "no page is begun when the run is to end")
	var pages int64
	for _, n := range s.do.applied {
		pages += n
	}
	s.EqualValues(len(s.do.order), pages, "what was begun was finished")

	var carried flow.BackfillParams
	s.Require().NoError(converter.GetDefaultDataConverter().FromPayloads(again.Input, &carried))
	s.Require().NotNil(carried.State)
	s.Equal(pages, carried.State.Pages)
	s.Equal(4000*pages, carried.State.Totals.Units)
	s.False(carried.State.Began.IsZero())
	raw, err := converter.GetDefaultDataConverter().ToPayloads(carried)
	s.Require().NoError(err)
	s.Less(raw.Size(), 1000)

	do := s.do
	do.desired, do.upsert = "", nil
	s.begin(do)
	s.env.ExecuteWorkflow(flow.WorkflowBackfill, carried)
	s.Require().NoError(s.env.GetWorkflowError())
	s.EqualValues(18, s.status().Pages)
	s.True(carried.State.Began.Equal(s.status().Began))
}

// Current details are what Temporal UI shows on top of the page.
func (s *BackfillSuite) TestDetailsSayHowFarItIs() {
	s.do.poll = func(ref flow.BatchRef) (flow.PollResult, error) {
		if ref.Stream == 12 {
			return flow.PollResult{}, refused("Permission", "may not read HtmlBody", 0)
		}
		return flow.PollResult{Rows: 4000, Sealed: true}, nil
	}
	s.slow(flow.BackfillStep.Name, 30*time.Second)
	s.at(10*time.Minute, func() {
		said := s.details()
		s.Contains(said, "**config_invalid** since ")
		s.Contains(said, "may not read HtmlBody\n\n→ do something")
		s.Contains(said, "EmailMessage: 12000 of about 20000 rows (60%), 2 of 3 parts, since ")
		s.Contains(said, "| pages | created | text changed | metadata changed | unchanged | set aside | deleted | AI units |\n|---|---|---|---|---|---|---|---|\n| 3 | 12000 | 0 | 0 | 0 | 0 | 0 | 12000 |\n")
		s.Contains(said, "- part 2 waits until ")
		s.env.CancelWorkflow()
	})
	s.True(temporal.IsCanceledError(s.run()))
	s.Contains(s.details(), "**cancelled** since ")
}

func (s *BackfillSuite) details() string {
	value, err := s.env.QueryWorkflow("__temporal_workflow_metadata")
	s.Require().NoError(err)
	var about sdkpb.WorkflowMetadata
	s.Require().NoError(value.Get(&about))
	return about.GetCurrentDetails()
}
