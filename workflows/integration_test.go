package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/suite"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
	"salesforcesync/workflows"
)

var params = flow.IntegrationParams{Project: "support", Integration: "prod"}

// fake stands for the activities: each function may be replaced by a test, and what
// was called is counted. Unless replaced, Watch is quiet.
type fake struct {
	watch     func(n int, p flow.WatchParams) (flow.WatchResult, error)
	check     func(n int) (flow.CheckResult, error)
	poll      func(ref flow.BatchRef) (flow.PollResult, error)
	transform func(ref flow.BatchRef) (flow.TransformResult, error)
	upsert    func(ref flow.BatchRef) (flow.UpsertResult, error)

	watches, checks, polls, transforms, upserts atomic.Int64

	mu      sync.Mutex // two activities may be under way at a time
	reports []flow.ReportParams
	steers  []string
	desired string // as PostgreSQL has it: "paused" after a pause
}

func (f *fake) reported() []flow.ReportParams {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.reports)
}

func (f *fake) steered() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.steers)
}

func (f *fake) paused() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.desired == flow.StatePaused
}

type IntegrationSuite struct {
	suite.Suite
	testsuite.WorkflowTestSuite
	env *testsuite.TestWorkflowEnvironment
	do  *fake
}

func TestIntegration(t *testing.T) { suite.Run(t, new(IntegrationSuite)) }

func (s *IntegrationSuite) SetupTest() {
	s.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	s.begin()
}

func (s *IntegrationSuite) begin() {
	s.env = s.NewTestWorkflowEnvironment()
	s.env.SetTestTimeout(time.Minute)
	workflows.Register(s.env)
	s.do = &fake{}
	f := s.do
	flow.Watch.Bind(s.env, func(_ context.Context, p flow.WatchParams) (flow.WatchResult, error) {
		if f.paused() {
			return flow.WatchResult{Outcome: flow.OutcomePaused, Reason: "paused by an operator"}, nil
		}
		n := int(f.watches.Add(1))
		if f.watch == nil {
			return flow.WatchResult{Outcome: flow.OutcomeQuiet, Interval: 10 * time.Second}, nil
		}
		return f.watch(n, p)
	})
	flow.Check.Bind(s.env, func(context.Context, flow.CheckParams) (flow.CheckResult, error) {
		n := int(f.checks.Add(1))
		if f.check == nil {
			return flow.CheckResult{Objects: []flow.CheckedObject{{Object: "EmailMessage"}}}, nil
		}
		return f.check(n)
	})
	flow.Poll.Bind(s.env, func(_ context.Context, ref flow.BatchRef) (flow.PollResult, error) {
		f.polls.Add(1)
		if f.poll == nil {
			return flow.PollResult{Rows: 3, Sealed: true}, nil
		}
		return f.poll(ref)
	})
	flow.Transform.Bind(s.env, func(_ context.Context, ref flow.BatchRef) (flow.TransformResult, error) {
		f.transforms.Add(1)
		if f.transform == nil {
			return flow.TransformResult{Comments: 3}, nil
		}
		return f.transform(ref)
	})
	flow.Upsert.Bind(s.env, func(_ context.Context, ref flow.BatchRef) (flow.UpsertResult, error) {
		f.upserts.Add(1)
		if f.upsert == nil {
			ref.Seq++
			return flow.UpsertResult{Counts: flow.Counts{Rows: 3, Created: 3, Units: 3}, Next: ref}, nil
		}
		return f.upsert(ref)
	})
	flow.Report.Bind(s.env, func(_ context.Context, p flow.ReportParams) (flow.ReportResult, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.reports = append(f.reports, p)
		return flow.ReportResult{}, nil
	})
	flow.Steer.Bind(s.env, func(_ context.Context, p flow.SteerParams) (flow.SteerResult, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.steers = append(f.steers, p.Signal)
		switch p.Signal {
		case flow.SignalPause:
			f.desired = flow.StatePaused
		case flow.SignalResume:
			f.desired = ""
		}
		return flow.SteerResult{}, nil
	})
}

// quiet, news and deleted are what Watch may say.
func quiet() (flow.WatchResult, error) {
	return flow.WatchResult{Outcome: flow.OutcomeQuiet, Interval: 10 * time.Second, Objects: 1}, nil
}

func news(object string, seq int64) (flow.WatchResult, error) {
	return flow.WatchResult{Outcome: flow.OutcomeNews, Interval: 10 * time.Second, Objects: 1,
		News: []flow.News{{Object: object, Batch: flow.BatchRef{Stream: 7, Epoch: 1, Seq: seq}}}}, nil
}

func deleted() (flow.WatchResult, error) {
	return flow.WatchResult{Outcome: flow.OutcomeDeleted}, nil
}

func (s *IntegrationSuite) run() error {
	s.env.ExecuteWorkflow(flow.WorkflowIntegration, params)
	s.Require().True(s.env.IsWorkflowCompleted())
	return s.env.GetWorkflowError()
}

func (s *IntegrationSuite) status() flow.Status {
	value, err := s.env.QueryWorkflow(flow.QueryStatus)
	s.Require().NoError(err)
	var status flow.Status
	s.Require().NoError(value.Get(&status))
	return status
}

func (s *IntegrationSuite) at(d time.Duration, fn func()) { s.env.RegisterDelayedCallback(fn, d) }

func (s *IntegrationSuite) TestNewsGoesStraightThrough() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		switch n {
		case 1:
			return news("EmailMessage", 1)
		case 2:
			return quiet()
		}
		return deleted()
	}
	s.Require().NoError(s.run())
	s.EqualValues(1, s.do.polls.Load())
	s.EqualValues(1, s.do.transforms.Load())
	s.EqualValues(1, s.do.upserts.Load())
	status := s.status()
	s.EqualValues(3, status.Totals.Units)
	s.Equal("EmailMessage", status.Objects[0].Object)
	s.EqualValues(1, status.Objects[0].Batches)
}

// A long Watch after the last batch must not look like a sync that never ends.
func (s *IntegrationSuite) TestIsIdleWhileItWatches() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		switch n {
		case 1:
			return news("EmailMessage", 1)
		case 2:
			return quiet()
		}
		return deleted()
	}
	s.env.OnActivity(flow.Watch.Name, mock.Anything, mock.Anything).Return(
		func(_ context.Context, p flow.WatchParams) (flow.WatchResult, error) {
			return s.do.watch(int(s.do.watches.Add(1)), p)
		}).After(5 * time.Minute)
	s.at(8*time.Minute, func() {
		s.EqualValues(1, s.do.upserts.Load())
		s.Equal(flow.StateIdle, s.status().State)
	})
	s.Require().NoError(s.run())
}

func (s *IntegrationSuite) TestMoreIsPolledWithoutWatchingBetween() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return news("EmailMessage", 5)
		}
		return deleted()
	}
	var seqs []int64
	s.do.upsert = func(ref flow.BatchRef) (flow.UpsertResult, error) {
		seqs = append(seqs, ref.Seq)
		next := ref
		next.Seq++
		return flow.UpsertResult{Counts: flow.Counts{Rows: 1, Created: 1, Units: 1}, More: ref.Seq < 9, Next: next}, nil
	}
	s.Require().NoError(s.run())
	s.Equal([]int64{5, 6, 7, 8, 9}, seqs)
	s.EqualValues(2, s.do.watches.Load())
}

func (s *IntegrationSuite) TestAnEmptyPollEndsTheObject() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return news("EmailMessage", 1)
		}
		return deleted()
	}
	s.do.poll = func(flow.BatchRef) (flow.PollResult, error) { return flow.PollResult{}, nil }
	s.Require().NoError(s.run())
	s.Zero(s.do.transforms.Load())
	s.Zero(s.do.upserts.Load())
}

func (s *IntegrationSuite) TestParksWithoutAuthorizationAndGoesOnWithTheSignal() {
	granted := false
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		switch {
		case !granted:
			return flow.WatchResult{Outcome: flow.OutcomeAwaiting, Reason: "not connected", Hint: "connect"}, nil
		case s.do.polls.Load() == 0:
			return news("EmailMessage", 1)
		}
		return deleted()
	}
	s.at(30*time.Minute, func() {
		status := s.status()
		s.Equal(flow.StateAwaitingAuthorization, status.State)
		s.Equal("not connected", status.Reason)
		s.Equal("connect", status.Hint)
		s.Zero(s.do.polls.Load())
		s.EqualValues(1, s.do.watches.Load(), "a parked integration asks nothing")
		granted = true
		s.env.SignalWorkflow(flow.SignalTokenGranted, nil)
	})
	s.Require().NoError(s.run())
	s.EqualValues(1, s.do.upserts.Load())
	s.Contains(s.do.steered(), flow.SignalTokenGranted)
	s.Equal(flow.StateAwaitingAuthorization, s.do.reported()[0].State)
}

// The token is granted while Watch, which has already seen that there is none, is on
// its way back: the workflow must not park for an hour.
func (s *IntegrationSuite) TestAGrantDuringWatchIsNotMissed() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return flow.WatchResult{Outcome: flow.OutcomeAwaiting}, nil
		}
		return deleted()
	}
	s.env.OnActivity(flow.Watch.Name, mock.Anything, mock.Anything).Return(
		func(_ context.Context, p flow.WatchParams) (flow.WatchResult, error) {
			return s.do.watch(int(s.do.watches.Add(1)), p)
		}).After(10 * time.Second)
	s.at(8*time.Second, func() { s.env.SignalWorkflow(flow.SignalTokenGranted, nil) })
	began := s.env.Now()
	s.Require().NoError(s.run())
	s.Less(s.env.Now().Sub(began), 5*time.Minute)
	for _, r := range s.do.reported() {
		s.NotEqual(flow.StateAwaitingAuthorization, r.State)
	}
}

func (s *IntegrationSuite) TestPauseShowsAtOnceAndResumeGoesOn() {
	paused := false
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if paused {
			return deleted()
		}
		return quiet()
	}
	var asked int64
	s.at(time.Minute, func() { s.env.SignalWorkflow(flow.SignalPause, nil) })
	s.at(time.Minute+time.Second, func() {
		s.Equal(flow.StatePaused, s.status().State)
		asked = s.do.watches.Load()
	})
	s.at(50*time.Minute, func() {
		s.Equal(asked, s.do.watches.Load(), "a paused integration asks nothing")
		paused = true
		s.env.SignalWorkflow(flow.SignalResume, nil)
	})
	s.Require().NoError(s.run())
	s.Equal([]string{flow.SignalPause, flow.SignalResume}, s.do.steered())
}

func (s *IntegrationSuite) TestPauseStopsAfterTheBatchUnderWay() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return news("EmailMessage", 1)
		}
		return deleted()
	}
	s.do.upsert = func(ref flow.BatchRef) (flow.UpsertResult, error) {
		next := ref
		next.Seq++
		return flow.UpsertResult{More: true, Next: next}, nil // endless
	}
	s.env.OnActivity(flow.Poll.Name, mock.Anything, mock.Anything).Return(
		func(context.Context, flow.BatchRef) (flow.PollResult, error) {
			s.do.polls.Add(1)
			return flow.PollResult{Rows: 1, Sealed: true}, nil
		}).After(time.Second)
	var polls int64
	s.at(20*time.Second, func() { s.env.SignalWorkflow(flow.SignalPause, nil) })
	s.at(30*time.Second, func() { polls = s.do.polls.Load() })
	s.at(10*time.Minute, func() {
		s.Equal(polls, s.do.polls.Load())
		s.env.SignalWorkflow(flow.SignalResume, nil)
	})
	s.Require().NoError(s.run())
	s.Positive(polls)
}

// starter writes PostgreSQL before it signals. Signals that wait unread have lost their
// order: acting on them would write the wrong end over what the operator wanted.
func (s *IntegrationSuite) TestWrittenSignalsAreLookedAtNotSteered() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n > 20 {
			return deleted()
		}
		return quiet()
	}
	s.at(time.Minute, func() {
		s.do.desired = flow.StatePaused // resume, then pause: the operator's last word
		s.env.SignalWorkflowSkippingWorkflowTask(flow.SignalResume, flow.SignalPayload{Written: true})
		s.env.SignalWorkflow(flow.SignalPause, flow.SignalPayload{Written: true})
	})
	s.at(30*time.Minute, func() {
		s.Equal(flow.StatePaused, s.status().State)
		s.Empty(s.do.steered())
		s.do.desired = ""
		s.env.SignalWorkflow(flow.SignalResume, flow.SignalPayload{Written: true})
	})
	s.Require().NoError(s.run())
	s.Empty(s.do.steered())
}

// A grant ends a disconnect and a pause alike: what was heard last is not what counts,
// but what is in PostgreSQL.
func (s *IntegrationSuite) TestAPauseDoesNotOutliveWhatPostgreSQLSays() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if s.do.polls.Load() > 0 {
			return deleted()
		}
		return news("EmailMessage", 1)
	}
	s.do.desired = flow.StatePaused
	s.at(time.Minute, func() { s.env.SignalWorkflow(flow.SignalPause, nil) })
	s.at(2*time.Minute, func() {
		s.Equal(flow.StatePaused, s.status().State)
		s.do.desired = "" // disconnected and connected again meanwhile
		s.env.SignalWorkflow(flow.SignalTokenGranted, nil)
	})
	began := s.env.Now()
	s.Require().NoError(s.run())
	s.Less(s.env.Now().Sub(began), 5*time.Minute)
}

// The grant is lost while an object waits for its next check: neither may spin.
func (s *IntegrationSuite) TestADueCheckDoesNotSpinWhileParked() {
	lost := false
	s.do.check = func(int) (flow.CheckResult, error) {
		if lost {
			return flow.CheckResult{}, temporal.NewNonRetryableApplicationError("not connected", "Reauthorize", nil)
		}
		return flow.CheckResult{Objects: []flow.CheckedObject{{Object: "Bad__c", Problem: "no such object"}, {Object: "EmailMessage"}}}, nil
	}
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		switch {
		case n == 1:
			return flow.WatchResult{Outcome: flow.OutcomeUnchecked}, nil
		case lost:
			return flow.WatchResult{Outcome: flow.OutcomeAwaiting}, nil
		}
		return quiet()
	}
	s.at(time.Minute, func() { lost = true; s.env.SignalWorkflow(flow.SignalSyncNow, nil) })
	s.at(59*time.Second, func() { s.EqualValues(3, s.do.checks.Load(), "at once, after 15 s and after 30 s more") })
	s.at(10*time.Hour, func() {
		s.EqualValues(3, s.do.checks.Load())
		s.Less(s.do.watches.Load(), int64(40))
		s.env.CancelWorkflow()
	})
	s.Error(s.run())
}

// With a long interval, an object that failed is tried again when its time comes.
func (s *IntegrationSuite) TestRetryDoesNotWaitForALongInterval() {
	failed := false
	s.do.watch = func(n int, p flow.WatchParams) (flow.WatchResult, error) {
		if s.do.upserts.Load() > 0 {
			return deleted()
		}
		r, err := news("EmailMessage", 1)
		r.Interval = 24 * time.Hour
		return r, err
	}
	s.do.poll = func(flow.BatchRef) (flow.PollResult, error) {
		if !failed {
			failed = true
			return flow.PollResult{}, temporal.NewNonRetryableApplicationError("server too busy", "Transient", nil)
		}
		return flow.PollResult{Rows: 1, Sealed: true}, nil
	}
	s.at(time.Hour, func() { s.EqualValues(1, s.do.upserts.Load()); s.env.SignalWorkflow(flow.SignalSyncNow, nil) })
	s.Require().NoError(s.run())
}

func (s *IntegrationSuite) TestSyncNowDoesNotWaitForTheTimer() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		switch n {
		case 1:
			return flow.WatchResult{Outcome: flow.OutcomeQuiet, Interval: 24 * time.Hour}, nil
		}
		return deleted()
	}
	s.at(time.Hour, func() { s.env.SignalWorkflow(flow.SignalSyncNow, nil) })
	began := s.env.Now()
	s.Require().NoError(s.run())
	s.Less(s.env.Now().Sub(began), 2*time.Hour)
}

func (s *IntegrationSuite) TestConfigurationIsCheckedWhenWatchAsks() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return flow.WatchResult{Outcome: flow.OutcomeUnchecked}, nil
		}
		return deleted()
	}
	s.Require().NoError(s.run())
	s.EqualValues(1, s.do.checks.Load())
}

func (s *IntegrationSuite) TestOneRefusedObjectStopsOnlyItselfAndIsCheckedAgain() {
	s.do.check = func(n int) (flow.CheckResult, error) {
		problem := "field Foo of Bad__c does not exist"
		if n > 1 {
			problem = ""
		}
		return flow.CheckResult{Objects: []flow.CheckedObject{{Object: "Bad__c", Problem: problem, Hint: "tick Read"}, {Object: "EmailMessage"}}}, nil
	}
	s.do.watch = func(n int, p flow.WatchParams) (flow.WatchResult, error) {
		switch {
		case n == 1:
			return flow.WatchResult{Outcome: flow.OutcomeUnchecked}, nil
		case s.do.checks.Load() > 1:
			return deleted()
		case n == 2:
			s.Empty(p.Skip, "Watch itself leaves out what the check refused")
			r, _ := news("EmailMessage", 1)
			r.Objects = 2
			r.Invalid = []flow.ObjectFault{{Object: "Bad__c", Message: "field Foo"}}
			return r, nil
		}
		r, _ := quiet()
		r.Objects = 2
		return r, nil
	}
	seen := false
	s.at(10*time.Second, func() {
		seen = true
		status := s.status()
		s.Equal(flow.StateConfigInvalid, status.Objects[0].State)
		s.Equal("tick Read", status.Objects[0].Hint)
		s.Equal(flow.StateIdle, status.Objects[1].State)
		s.NotEqual(flow.StateConfigInvalid, status.State)
	})
	s.Require().NoError(s.run())
	s.True(seen)
	s.EqualValues(1, s.do.upserts.Load())
	s.EqualValues(2, s.do.checks.Load())
}

func (s *IntegrationSuite) TestAllObjectsRefusedIsConfigInvalid() {
	start := s.env.Now()
	s.do.check = func(int) (flow.CheckResult, error) {
		return flow.CheckResult{Objects: []flow.CheckedObject{{Object: "Bad__c", Problem: "no such object", Hint: "check the name"}}}, nil
	}
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return flow.WatchResult{Outcome: flow.OutcomeUnchecked}, nil
		}
		if s.env.Now().Sub(start) >= 30*time.Minute {
			return deleted()
		}
		r, err := quiet()
		r.Invalid = []flow.ObjectFault{{Object: "Bad__c", Message: "no such object"}}
		return r, err
	}
	signalled := false
	s.at(30*time.Minute, func() {
		signalled = true
		status := s.status()
		s.Equal(flow.StateConfigInvalid, status.State)
		s.Equal("Bad__c: no such object", status.Reason)
		s.env.SignalWorkflow(flow.SignalConfigChanged, nil)
	})
	began := s.env.Now()
	s.Require().NoError(s.run())
	s.True(signalled)
	s.Less(s.env.Now().Sub(began), 31*time.Minute, "the signal was followed by a look at the configuration")
}

// With nothing that can be asked, looking every few seconds would only fill history.
func (s *IntegrationSuite) TestConfigInvalidWaitsForTheNextCheckOrASignal() {
	s.do.check = func(n int) (flow.CheckResult, error) {
		if n > 1 {
			return flow.CheckResult{Objects: []flow.CheckedObject{{Object: "Bad__c"}}}, nil
		}
		return flow.CheckResult{Objects: []flow.CheckedObject{{Object: "Bad__c", Problem: "no such object"}}}, nil
	}
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		switch {
		case n == 1:
			return flow.WatchResult{Outcome: flow.OutcomeUnchecked}, nil
		case s.do.checks.Load() > 1:
			return deleted()
		}
		r, err := quiet()
		r.Invalid = []flow.ObjectFault{{Object: "Bad__c", Message: "no such object"}}
		return r, err
	}
	shown := false
	s.at(12*time.Second, func() {
		shown = true
		s.Equal(flow.StateConfigInvalid, s.status().State)
		s.WithinDuration(s.env.Now().Add(3*time.Second), s.status().Until, 4*time.Second)
		s.LessOrEqual(s.do.watches.Load(), int64(3))
	})
	began := s.env.Now()
	s.Require().NoError(s.run())
	s.True(shown)
	s.EqualValues(2, s.do.checks.Load())
	s.Less(s.env.Now().Sub(began), 20*time.Second)
}

func (s *IntegrationSuite) TestAFailingObjectBacksOffAndTheOthersGoOn() {
	var failures atomic.Int64
	s.do.poll = func(ref flow.BatchRef) (flow.PollResult, error) {
		if ref.Object == "Case" {
			if failures.Add(1) < 9 { // 4 attempts of an activity, twice, and one more
				return flow.PollResult{}, temporal.NewApplicationErrorWithOptions("server too busy", "Transient",
					temporal.ApplicationErrorOptions{Details: []any{flow.Failure{Message: "server too busy"}}})
			}
		}
		return flow.PollResult{Rows: 1, Sealed: true}, nil
	}
	var mails atomic.Int64
	s.do.watch = func(n int, p flow.WatchParams) (flow.WatchResult, error) {
		r := flow.WatchResult{Outcome: flow.OutcomeNews, Interval: time.Second, Objects: 2}
		if failures.Load() >= 9 && len(p.Skip) == 0 {
			return deleted()
		}
		for _, object := range []string{"Case", "EmailMessage"} {
			skipped := false
			for _, o := range p.Skip {
				skipped = skipped || o == object
			}
			if !skipped {
				r.News = append(r.News, flow.News{Object: object, Batch: flow.BatchRef{Stream: int64(len(object)), Epoch: 1, Seq: 1}})
			}
		}
		return r, nil
	}
	s.do.upsert = func(ref flow.BatchRef) (flow.UpsertResult, error) {
		if ref.Object == "EmailMessage" {
			mails.Add(1)
		}
		return flow.UpsertResult{Next: ref}, nil
	}
	s.Require().NoError(s.run())
	s.Greater(mails.Load(), int64(3), "the other object was synced meanwhile")
	var kinds []string
	for _, r := range s.do.reported() {
		if r.Object == "Case" {
			kinds = append(kinds, r.Kind)
		}
	}
	s.Equal([]string{"Transient", "Transient", ""}, kinds, "its trouble was reported, and its end")
}

// A field was hidden, but the check sees nothing wrong: asking again and again would
// hammer the org.
func (s *IntegrationSuite) TestARefusalThatTheCheckCannotExplainDoesNotSpin() {
	s.do.watch = func(n int, p flow.WatchParams) (flow.WatchResult, error) {
		if len(p.Skip) > 0 {
			return quiet()
		}
		return news("EmailMessage", 1)
	}
	s.do.poll = func(flow.BatchRef) (flow.PollResult, error) {
		return flow.PollResult{}, temporal.NewNonRetryableApplicationError("No such column", "Config", nil)
	}
	var early int64
	s.at(20*time.Minute, func() {
		early = s.do.polls.Load()
		s.LessOrEqual(early, int64(12))
		s.LessOrEqual(s.do.checks.Load(), int64(8))
	})
	s.at(20*time.Minute+5*time.Hour, func() {
		s.LessOrEqual(s.do.polls.Load()-early, int64(2*5*5), "two each quarter of an hour: one before the check, one after it")
		s.Equal(flow.StateConfigInvalid, s.status().Objects[0].State)
		s.env.CancelWorkflow()
	})
	s.Error(s.run())
	s.Positive(early)
}

// What was wrong is not shown while a quiet integration is watched for minutes: the look after it is a short one.
func (s *IntegrationSuite) TestTroubleThatIsOverIsNotShown() {
	var short []bool
	s.do.watch = func(n int, p flow.WatchParams) (flow.WatchResult, error) {
		switch short = append(short, p.Once); n {
		case 2:
			return flow.WatchResult{}, temporal.NewApplicationErrorWithOptions("no answer", "Transient", temporal.ApplicationErrorOptions{NonRetryable: true})
		case 4:
			s.Require().Equal(flow.StateIdle, s.status().State, "before it is watched for long")
		case 5:
			return flow.WatchResult{Outcome: flow.OutcomeDeleted}, nil
		}
		return flow.WatchResult{Outcome: flow.OutcomeQuiet, Objects: 1, Interval: 10 * time.Second}, nil
	}
	s.Require().NoError(s.run())
	s.Require().Equal([]bool{true, false, true, false, false}, short)
}

func (s *IntegrationSuite) TestQuotaIsWaitedForAndShown() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return flow.WatchResult{}, temporal.NewApplicationErrorWithOptions("limit exceeded", "Quota", temporal.ApplicationErrorOptions{
				NonRetryable: true, Details: []any{flow.Failure{Message: "limit exceeded", RetryAfter: 2 * time.Hour}}})
		}
		return deleted()
	}
	s.at(time.Hour, func() {
		status := s.status()
		s.Equal(flow.StateQuotaWait, status.State)
		s.WithinDuration(s.env.Now().Add(time.Hour), status.Until, time.Minute)
		s.EqualValues(1, s.do.watches.Load())
	})
	began := s.env.Now()
	s.Require().NoError(s.run())
	s.GreaterOrEqual(s.env.Now().Sub(began), 2*time.Hour)
}

// capReached is what Upsert says of a batch beyond the month's AI units.
func capReached(left time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("cap of 10 AI units for November 2026 is reached: 8 used, this batch needs 3", "Quota",
		temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{flow.Failure{
			Message: "cap of 10 AI units for November 2026 is reached: 8 used, this batch needs 3", Hint: "raise monthly_unit_cap", RetryAfter: left}}})
}

// cappedUntil runs an integration whose first batch does not fit until open says so.
func (s *IntegrationSuite) cappedUntil(left time.Duration, open func() bool) {
	done := false
	s.do.watch = func(_ int, p flow.WatchParams) (flow.WatchResult, error) {
		switch {
		case done:
			return deleted()
		case len(p.Skip) > 0:
			return quiet()
		}
		return news("EmailMessage", 1)
	}
	s.do.upsert = func(ref flow.BatchRef) (flow.UpsertResult, error) {
		if !open() {
			return flow.UpsertResult{}, capReached(left)
		}
		done = true
		return flow.UpsertResult{Counts: flow.Counts{Rows: 3, Created: 3, Units: 3}, Next: ref}, nil
	}
	s.at(time.Hour, func() {
		status := s.status()
		s.Equal(flow.StateQuotaWait, status.State)
		s.Equal("EmailMessage: cap of 10 AI units for November 2026 is reached: 8 used, this batch needs 3", status.Reason)
		s.Equal("raise monthly_unit_cap", status.Hint)
		s.Require().Len(status.Objects, 1)
		s.Equal(flow.StateQuotaWait, status.Objects[0].State)
		s.WithinDuration(s.env.Now().Add(left-time.Hour), status.Objects[0].RetryAt, time.Minute)
		s.EqualValues(1, s.do.upserts.Load(), "it is not tried again and again")
	})
}

func (s *IntegrationSuite) TestACapIsWaitedForUntilTheMonthTurns() {
	began := s.env.Now()
	s.cappedUntil(100*time.Hour, func() bool { return s.env.Now().Sub(began) > 99*time.Hour })
	s.Require().NoError(s.run())
	s.EqualValues(2, s.do.upserts.Load())
	s.WithinDuration(began.Add(100*time.Hour), s.env.Now(), time.Hour)
	all := s.do.reported()
	last := all[len(all)-1]
	s.Empty(last.Reason, "PostgreSQL knows that it is over")
}

func (s *IntegrationSuite) TestARaisedCapGoesOnAtOnce() {
	began, raised := s.env.Now(), false
	s.cappedUntil(100*time.Hour, func() bool { return raised })
	s.at(2*time.Hour, func() {
		raised = true
		s.env.SignalWorkflow(flow.SignalConfigChanged, flow.SignalPayload{Written: true})
	})
	s.Require().NoError(s.run())
	s.EqualValues(2, s.do.upserts.Load())
	s.WithinDuration(began.Add(2*time.Hour), s.env.Now(), 10*time.Minute)
}

func (s *IntegrationSuite) TestLostCleanedRowsAreMadeAgain() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return news("EmailMessage", 1)
		}
		return deleted()
	}
	s.do.upsert = func(ref flow.BatchRef) (flow.UpsertResult, error) {
		if s.do.transforms.Load() < 2 {
			return flow.UpsertResult{}, temporal.NewNonRetryableApplicationError("0 of 3 cleaned rows", "Stale", nil)
		}
		return flow.UpsertResult{Counts: flow.Counts{Rows: 3, Created: 3, Units: 3}, Next: ref}, nil
	}
	s.Require().NoError(s.run())
	s.EqualValues(2, s.do.transforms.Load())
	s.EqualValues(3, s.status().Totals.Units)
}

func (s *IntegrationSuite) TestAReceiptIsNotCountedTwice() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return news("EmailMessage", 1)
		}
		return deleted()
	}
	s.do.upsert = func(ref flow.BatchRef) (flow.UpsertResult, error) {
		return flow.UpsertResult{Counts: flow.Counts{Rows: 3, Created: 3, Units: 3}, Again: true, Next: ref}, nil
	}
	s.Require().NoError(s.run())
	s.Zero(s.status().Totals.Units)
}

func (s *IntegrationSuite) TestAnIntegrationThatWasNeverAppliedFailsAndSaysSo() {
	s.do.watch = func(int, flow.WatchParams) (flow.WatchResult, error) {
		return flow.WatchResult{Outcome: flow.OutcomeDeleted, Reason: "there is no integration support/prod", Hint: "create it with `starter apply`"}, nil
	}
	err := s.run()
	var app *temporal.ApplicationError
	s.Require().ErrorAs(err, &app)
	s.Equal("NotFound", app.Type())
	s.Contains(app.Error(), "support/prod")
	s.Contains(app.Error(), "starter apply")
}

// Its row went while it was parked: that is an end, not a mistake in the input.
func (s *IntegrationSuite) TestAnIntegrationThatIsGoneEnds() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return flow.WatchResult{Outcome: flow.OutcomeAwaiting, Interval: 10 * time.Second}, nil
		}
		return flow.WatchResult{Outcome: flow.OutcomeDeleted, Reason: "there is no integration support/prod"}, nil
	}
	s.Require().NoError(s.run())
}

func (s *IntegrationSuite) TestInputWithoutNamesIsRefused() {
	s.env.ExecuteWorkflow(flow.WorkflowIntegration, flow.IntegrationParams{Project: "support"})
	s.ErrorContains(s.env.GetWorkflowError(), `"integration"`)
}

// Before a new history begins, nothing may be out and every signal must be heard: a
// signal in an unread channel would be lost.
func (s *IntegrationSuite) TestDrainsBeforeContinueAsNew() {
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return news("EmailMessage", 1)
		}
		return quiet()
	}
	s.do.upsert = func(ref flow.BatchRef) (flow.UpsertResult, error) {
		s.env.SetContinueAsNewSuggested(true)
		// Signals that arrive with the very task that would end the run.
		s.env.SignalWorkflowSkippingWorkflowTask(flow.SignalPause, nil)
		s.env.SignalWorkflowSkippingWorkflowTask(flow.SignalConfigChanged, nil)
		next := ref
		next.Seq++
		return flow.UpsertResult{Counts: flow.Counts{Rows: 2, Created: 2, Units: 2}, More: true, Next: next}, nil
	}
	err := s.run()
	var again *workflow.ContinueAsNewError
	s.Require().True(errors.As(err, &again), "%v", err)
	s.ElementsMatch([]string{flow.SignalPause, flow.SignalConfigChanged}, s.do.steered())
	s.EqualValues(1, s.do.upserts.Load(), "no batch is begun when the run is to end")

	var carried flow.IntegrationParams
	s.Require().NoError(converter.GetDefaultDataConverter().FromPayloads(again.Input, &carried))
	s.Equal("support", carried.Project)
	s.Require().NotNil(carried.State)
	s.EqualValues(2, carried.State.Totals.Units)
	s.EqualValues(1, carried.State.Objects["EmailMessage"].Batches)

	// The next run goes on from there and does not sleep first.
	s.begin()
	s.do.watch = func(int, flow.WatchParams) (flow.WatchResult, error) { return deleted() }
	s.env.ExecuteWorkflow(flow.WorkflowIntegration, carried)
	s.Require().NoError(s.env.GetWorkflowError())
	s.EqualValues(2, s.status().Totals.Units)
}

// A backfill goes on whatever becomes of the integration's workflow, is started once for
// each time that Watch names it, and one that runs already is fine.
func (s *IntegrationSuite) TestStartsABackfillForEachThatNobodyLooksAfter() {
	type started struct {
		id string
		in flow.BackfillParams
	}
	var loads []started
	running := map[string]bool{}
	s.env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in flow.BackfillParams) error {
		loads = append(loads, started{workflow.GetInfo(ctx).WorkflowExecution.ID, in})
		running[in.Object] = true
		defer delete(running, in.Object)
		return workflow.Sleep(ctx, time.Hour)
	}, workflow.RegisterOptions{Name: flow.WorkflowBackfill, DisableAlreadyRegisteredCheck: true})
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		r, err := quiet()
		switch n {
		case 1:
			r.Outcome, r.Backfills = flow.OutcomeNews, []string{"EmailMessage", "Case"}
		case 5:
			r, err = news("EmailMessage", 1)
			r.Backfills = []string{"Case"} // it runs already
		case 10:
			s.Len(running, 2, "nobody waits for its end")
			return deleted()
		}
		return r, err
	}
	s.Require().NoError(s.run())
	s.Equal([]started{
		{"backfill/support/prod/EmailMessage", flow.BackfillParams{Project: "support", Integration: "prod", Object: "EmailMessage"}},
		{"backfill/support/prod/Case", flow.BackfillParams{Project: "support", Integration: "prod", Object: "Case"}},
	}, loads)
	s.EqualValues(1, s.do.upserts.Load())
}

// A delivery that nobody looks after is started, and goes on beside the integration.
func (s *IntegrationSuite) TestStartsADelivery() {
	var started []flow.DeliveryParams
	running := false
	s.env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in flow.DeliveryParams) error {
		started = append(started, in)
		running = true
		defer func() { running = false }()
		s.Equal(flow.DeliveryID("support", "prod"), workflow.GetInfo(ctx).WorkflowExecution.ID)
		return workflow.Sleep(ctx, time.Hour)
	}, workflow.RegisterOptions{Name: flow.WorkflowDelivery, DisableAlreadyRegisteredCheck: true})
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		r, err := quiet()
		switch n {
		case 2, 3: // it runs already, the second time
			r.Delivery = true
		case 6:
			s.True(running, "nobody waits for its end")
			return deleted()
		}
		return r, err
	}
	s.Require().NoError(s.run())
	s.Equal([]flow.DeliveryParams{{Project: "support", Integration: "prod"}}, started)
}

// Watch names a backfill once: the end of a run must not lose its start.
func (s *IntegrationSuite) TestContinueAsNewDoesNotLoseABackfill() {
	begun := 0
	s.env.OnWorkflow(flow.WorkflowBackfill, mock.Anything, mock.Anything).Return(func(workflow.Context, flow.BackfillParams) error {
		begun++
		return nil
	})
	s.do.watch = func(int, flow.WatchParams) (flow.WatchResult, error) {
		s.env.SetContinueAsNewSuggested(true)
		r, err := quiet()
		r.Outcome, r.Backfills = flow.OutcomeNews, []string{"EmailMessage"}
		return r, err
	}
	err := s.run()
	var again *workflow.ContinueAsNewError
	s.Require().True(errors.As(err, &again), "%v", err)
	s.Equal(1, begun)
}

func (s *IntegrationSuite) TestElevenHoursOfQuietCostFewEvents() {
	s.do.watch = func(n int, p flow.WatchParams) (flow.WatchResult, error) {
		s.Equal(n == 1, p.Once, "the first look is a short one: nobody knows yet whether all is well")
		if n > 66 { // eleven hours of ten minutes
			return deleted()
		}
		return quiet()
	}
	s.env.OnActivity(flow.Watch.Name, mock.Anything, mock.Anything).Return(
		func(_ context.Context, p flow.WatchParams) (flow.WatchResult, error) {
			return s.do.watch(int(s.do.watches.Add(1)), p)
		}).After(10 * time.Minute)
	timers := 0
	s.env.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
	s.Require().NoError(s.run())
	s.EqualValues(67, s.do.watches.Load())
	s.LessOrEqual(timers, 70, "one timer and one activity for ten minutes of watching")
	s.Empty(s.do.reported(), "an idle integration writes nothing")
}
