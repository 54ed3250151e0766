package poll

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/store"
)

// Bounds of a backfill.
const (
	defaultBulkFrom = 10_000  // rows from which a first load or a resync goes through Bulk; docs/performance.md has what it rests on
	partsAimed      = 16      // parts of a small load: some are read while others are made ready
	fewestPartRows  = 5_000   // of a part, unless the object has fewer
	mostPartRows    = 250_000 // of a part: a job that is too large fails as a whole
	mostParts       = 400     // jobs count against 10,000 a day
	jobsAtOnce      = 5       // at Salesforce, not complete
	readyAhead      = 3       // complete parts that wait to be read: results are kept for days, no need to hoard them
	defaultStepFor  = 50 * time.Second
	stepGlance      = 500 * time.Millisecond // between two looks at PostgreSQL
	shortestGlance  = 50 * time.Millisecond
	firstLook       = 300 * time.Millisecond // at a job, then twice as long each time
	longestLook     = 30 * time.Second
	mostLooks       = int(2 * time.Hour / longestLook) // at a job that Salesforce works on: a part has few rows, which take minutes
	mostAttempts    = 4                                // of a part by Bulk; then REST reads it
)

// BackfillStep carries the backfill of one object as far as it goes without reading rows:
// it lays it out, asks for jobs and looks after them. It returns as soon as a page can be
// read that is not under way, when the backfill is at an end, or when something stops it;
// else after a while. It may be repeated and given up at any moment: all it knows is in
// PostgreSQL.
func (s *Service) BackfillStep(ctx context.Context, in flow.BackfillStepParams) (flow.BackfillStepResult, error) {
	ctx = quota.WithClass(ctx, quota.Background)
	most := cmp.Or(s.StepFor, defaultStepFor)
	if in.Wait > 0 {
		most = min(most, in.Wait)
	}
	end := time.Now().Add(most)
	for first := true; ; first = false {
		wait, result, err := s.backfillStep(ctx, in, first)
		if err != nil || result.Outcome != flow.OutcomeOpen || len(result.Ready) > 0 || time.Now().After(end) {
			return result, err
		}
		select {
		case <-ctx.Done():
			return result, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// backfillStep is one look. wait is how long nothing is to be expected.
func (s *Service) backfillStep(ctx context.Context, in flow.BackfillStepParams, first bool) (wait time.Duration, result flow.BackfillStepResult, err error) {
	t, err := s.Store.LoadTarget(ctx, in.Project, in.Integration)
	if fault.Is(err, fault.NotFound) {
		return 0, flow.BackfillStepResult{Outcome: flow.OutcomeDeleted, Reason: err.Error()}, nil
	}
	if err != nil {
		return 0, result, err
	}
	_, v := verdict(t)
	result = flow.BackfillStepResult{Outcome: v.Outcome, Reason: v.Reason, Hint: v.Hint}
	o, there := t.Object(in.Object)
	reachable := t.ConnectionState == "granted" && t.Desired == store.DesiredRunning
	if reachable && first {
		if err := s.endJobs(ctx, t, in.Object); err != nil {
			return 0, result, err
		}
	}
	switch {
	case v.Outcome == flow.OutcomeDeleted:
		return 0, result, nil
	case !there || o.Backfill == nil:
		result.Outcome = flow.OutcomeCancelled
		if state, err := s.Store.EndedBackfill(ctx, t.IntegrationID, in.Object); err != nil || state == store.BackfillDone {
			result.Outcome = flow.OutcomeDone
			return 0, result, err
		}
		return 0, result, nil
	case o.Backfill.Desired == store.BackfillCancelled:
		if err := s.Store.EndBackfill(ctx, o.Backfill.ID, store.BackfillCancelled); err != nil {
			return 0, result, err
		}
		result.Outcome = flow.OutcomeCancelled
		if reachable {
			return 0, result, s.endJobs(ctx, t, in.Object)
		}
		return 0, result, nil
	}
	if first {
		if err := s.Store.BeatBackfill(ctx, o.Backfill.ID, in.Fault, in.Until); err != nil {
			return 0, result, err
		}
	}
	switch {
	case v.Outcome == flow.OutcomeUnchecked || v.Outcome == "" && o.State != "ok":
		// The integration's own loop checks it; what comes of that ends this or lets it go on.
		result.Outcome = flow.OutcomeOpen
		return 2 * time.Second, result, nil
	case v.Outcome != "":
		return 0, result, nil
	case o.Backfill.Desired == store.BackfillPaused:
		result.Outcome, result.Reason = flow.OutcomePaused, "the backfill is paused by an operator"
		result.Hint = "resume it with `starter backfill " + t.Project + "/" + t.Integration + " --resume --object " + o.Name + "`"
		return 0, result, nil
	}
	plan, err := s.plan(o)
	if err != nil {
		return 0, result, err
	}
	l := &laying{service: s, target: t, object: o, plan: plan, load: o.Backfill, org: s.Orgs.Org(t.IntegrationID)}
	if err := l.layOut(ctx); err != nil {
		return 0, result, err
	}
	parts, err := s.Store.Parts(ctx, o.Backfill.ID)
	if err != nil {
		return 0, result, err
	}
	if err := l.jobs(ctx, parts); err != nil {
		return 0, result, err
	}
	if parts, err = s.Store.Parts(ctx, o.Backfill.ID); err != nil {
		return 0, result, err
	}
	wait = untilLook(parts, t.ReadAt)
	result.Outcome = flow.OutcomeOpen
	result.Ready, err = s.tally(ctx, o, parts, in.Busy, &result)
	if err == nil && result.Planned && result.Done == result.Parts {
		result.Outcome = flow.OutcomeDone
		if err = s.Store.EndBackfill(ctx, o.Backfill.ID, store.BackfillDone); err == nil {
			err = s.endJobs(ctx, t, o.Name)
		}
	}
	return wait, result, err
}

// untilLook is how long nothing is to be done: none while parts are still divided, else until the next
// job is to be looked at. What others do to the backfill in PostgreSQL is seen after stepGlance.
func untilLook(parts []store.Part, now time.Time) time.Duration {
	wait := stepGlance
	for _, p := range parts {
		switch p.State {
		case store.PartSplitting:
			return 0
		case store.PartRunning:
			wait = min(wait, max(p.LookAt.Sub(now), shortestGlance))
		}
	}
	return wait
}

// tally counts the parts and chooses those whose next page is to be read.
func (s *Service) tally(ctx context.Context, o *store.TargetObject, parts []store.Part, busy []int64, result *flow.BackfillStepResult) ([]flow.BatchRef, error) {
	result.Planned = true
	free := s.pagesAtOnce()
	var ready []flow.BatchRef
	for _, p := range parts {
		switch {
		case p.State == store.PartSplitting:
			result.Planned = false
			continue
		case p.Finished:
			result.Done++
		case slices.Contains(busy, p.Stream):
			free-- // whoever has it, has it: a page under way, or a wait after a failure
		case p.State == store.PartReady:
			ready = append(ready, flow.BatchRef{Stream: p.Stream, Epoch: p.Epoch, Seq: p.Seq + 1, Object: o.Name, Part: p.Number})
		}
		result.Parts++
	}
	ready = ready[:min(len(ready), max(free, 0))]
	var err error
	result.Rows, result.Expected, err = s.Store.BackfillRows(ctx, o.Backfill.ID)
	return ready, err
}

func (s *Service) pagesAtOnce() int { return cmp.Or(s.PagesAtOnce, min(runtime.GOMAXPROCS(0)+1, 6)) }

func (s *Service) bulkFrom() int64 { return cmp.Or(s.BulkFrom, defaultBulkFrom) }

// laying is a backfill being laid out.
type laying struct {
	service *Service
	target  *store.Target
	object  *store.TargetObject
	plan    *Plan
	load    *store.Load
	org     Salesforce
}
