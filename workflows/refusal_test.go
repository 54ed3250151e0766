package workflows_test

import (
	"slices"
	"time"

	"salesforcesync/internal/flow"
)

// tooLarge is what Watch says of an object that Salesforce refuses.
func tooLarge() (flow.WatchResult, error) {
	return flow.WatchResult{Outcome: flow.OutcomeNews, Interval: 10 * time.Second, Objects: 2, Faults: []flow.ObjectFault{
		{Object: "EmailMessage", Kind: "Permission", Message: "exceeded 100000 distinct ids (OPERATION_TOO_LARGE)", Hint: "give View All"}}}, nil
}

// asked notes when the object was asked, and whether it was.
func (s *IntegrationSuite) asked(times *[]time.Time, p flow.WatchParams) bool {
	if slices.Contains(p.Skip, "EmailMessage") {
		return false
	}
	*times = append(*times, s.env.Now())
	return true
}

// reportsOf are the states of the object that PostgreSQL was told.
func (s *IntegrationSuite) reportsOf(object string) (out []flow.ReportParams) {
	for _, r := range s.do.reported() {
		if r.Object == object {
			out = append(out, r)
		}
	}
	return out
}

// Salesforce refuses in passing, too: the next call is soon, and so it is the next time, after it went well.
func (s *IntegrationSuite) TestARefusalInPassingIsOverWithinSeconds() {
	var times []time.Time
	s.do.watch = func(_ int, p flow.WatchParams) (flow.WatchResult, error) {
		if !s.asked(&times, p) {
			return quiet()
		}
		switch len(times) {
		case 1, 2, 10: // the second follows the first, the third a success
			return tooLarge()
		case 20:
			return deleted()
		}
		return quiet()
	}
	s.Require().NoError(s.run())
	s.WithinRange(times[1], times[0].Add(13*time.Second), times[0].Add(15*time.Second))
	s.WithinRange(times[2], times[1].Add(26*time.Second), times[1].Add(30*time.Second))
	s.WithinRange(times[10], times[9].Add(13*time.Second), times[9].Add(15*time.Second))
	told := s.reportsOf("EmailMessage")
	s.Require().Len(told, 5)
	for i, at := range map[int]time.Time{0: times[1], 1: times[2], 3: times[10]} {
		s.Equal("Permission", told[i].Kind)
		s.Equal("give View All", told[i].Hint)
		s.WithinDuration(at, told[i].Until, time.Second, "what people are told is when it is asked again")
	}
	for _, i := range []int{2, 4} {
		s.Empty(told[i].Kind, "and that it is over")
		s.Zero(told[i].Until)
	}
}

// A refusal that stays costs a few calls more in the first quarter of an hour, and then what it did before.
func (s *IntegrationSuite) TestARefusalThatStaysIsAskedEverLessOften() {
	var times []time.Time
	s.do.watch = func(_ int, p flow.WatchParams) (flow.WatchResult, error) {
		if s.asked(&times, p) {
			return tooLarge()
		}
		return quiet()
	}
	var until time.Time
	s.at(5*time.Hour, func() {
		until = s.status().Objects[0].RetryAt
		s.Equal(flow.StateBackingOff, s.status().Objects[0].State)
		s.env.SignalWorkflow(flow.SignalResume, nil) // somebody has done something about it
	})
	s.at(5*time.Hour+50*time.Second, s.env.CancelWorkflow)
	s.Error(s.run())
	signalled := slices.IndexFunc(times, func(t time.Time) bool { return !t.Before(times[0].Add(5*time.Hour - 5*time.Second)) })
	s.Require().Positive(signalled)
	s.True(until.After(times[signalled]), "the signal came before its time")
	s.Len(times[signalled:], 3, "from the beginning: at once, after 15 seconds, after 30 more")
	times = times[:signalled]
	var waits []time.Duration
	for i := range times[1:] {
		waits = append(waits, times[i+1].Sub(times[i]))
	}
	s.Less(slices.Max(waits[:4]), 31*time.Second, "a fault that passes within a minute and a half is over within half a minute")
	s.True(slices.IsSorted(waits[3:9]), "%v", waits)
	s.LessOrEqual(slices.Max(waits), 15*time.Minute)
	s.GreaterOrEqual(slices.Min(waits[8:]), 15*time.Minute*7/8)
	s.NotEqual(waits[8], waits[9], "what many wait for does not bring them back together")
	within := func(d time.Duration) (n int) {
		for _, t := range times {
			if t.Before(times[0].Add(d)) {
				n++
			}
		}
		return n
	}
	s.LessOrEqual(within(14*time.Minute), 8)
	s.LessOrEqual(within(5*time.Hour)-within(15*time.Minute), 22, "19 before")
}

// A new history goes on where the one before was.
func (s *IntegrationSuite) TestRefusalsAreCarriedOver() {
	var times []time.Time
	s.do.watch = func(_ int, p flow.WatchParams) (flow.WatchResult, error) {
		if !s.asked(&times, p) {
			return quiet()
		}
		if len(times) == 2 {
			return deleted()
		}
		return tooLarge()
	}
	p := params
	p.State = &flow.IntegrationState{Status: flow.StateIdle, Objects: map[string]*flow.ObjectState{"EmailMessage": {Refused: 5}}}
	s.env.ExecuteWorkflow(flow.WorkflowIntegration, p)
	s.Require().NoError(s.env.GetWorkflowError())
	s.WithinRange(times[1], times[0].Add(2*time.Minute*7/8), times[0].Add(2*time.Minute))
}

// What a check refuses is checked again as what Salesforce refuses is asked again. All objects are
// checked together: the newest refusal decides when.
func (s *IntegrationSuite) TestWhatACheckRefusesIsCheckedEverLessOften() {
	var times []time.Time
	start := s.env.Now()
	s.do.check = func(int) (flow.CheckResult, error) {
		times = append(times, s.env.Now())
		result := flow.CheckResult{Objects: []flow.CheckedObject{{Object: "Bad__c", Problem: "no such object"}, {Object: "EmailMessage"}}}
		if s.env.Now().Sub(start) > 3*time.Hour && len(s.status().Objects[1].Fault) == 0 {
			result.Objects[1].Problem = "no such field"
		}
		return result, nil
	}
	s.do.watch = func(n int, _ flow.WatchParams) (flow.WatchResult, error) {
		if n == 1 {
			return flow.WatchResult{Outcome: flow.OutcomeUnchecked}, nil
		}
		r, err := quiet()
		r.Objects, r.Invalid = 2, []flow.ObjectFault{{Object: "Bad__c", Message: "no such object"}}
		return r, err
	}
	s.at(4*time.Hour, s.env.CancelWorkflow)
	s.Error(s.run())
	first := slices.IndexFunc(times, func(t time.Time) bool { return t.Sub(start) > 3*time.Hour })
	s.Require().Greater(first, 8)
	s.LessOrEqual(first, 23, "nine in the first quarter of an hour, and then one in each")
	s.WithinRange(times[1], times[0].Add(13*time.Second), times[0].Add(25*time.Second)) // or the look after it
	s.GreaterOrEqual(times[first].Sub(times[first-1]), 13*time.Minute)
	s.Less(times[first+1].Sub(times[first]), 30*time.Second, "another object is refused now")
}
