package poll

import (
	"context"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/store"
)

// longInterval is where ticking inside one Watch stops paying: the workflow's
// timer costs less than an activity that sleeps.
const longInterval = time.Minute

// Watch asks whether anything is new until there is, until something changed that
// the workflow must know, or until its time is over. It asks at once, then at the
// integration's interval, and looks at PostgreSQL before each call and whenever it
// is notified. Errors concern the whole integration; one object's trouble is in
// the result.
func (s *Service) Watch(ctx context.Context, p flow.WatchParams) (flow.WatchResult, error) {
	t, err := s.Store.LoadTarget(ctx, p.Project, p.Integration)
	if fault.Is(err, fault.NotFound) {
		return flow.WatchResult{Outcome: flow.OutcomeDeleted, Reason: err.Error(), Hint: fault.HintOf(err)}, nil
	}
	if err != nil {
		return flow.WatchResult{}, err
	}
	s.keepAlive(ctx, t)
	wake, stop := s.Listener.Wait(t.IntegrationID)
	defer stop()
	// Read again: what changed before this waited would wake nobody.
	if t, err = s.Store.LoadTarget(ctx, p.Project, p.Integration); err != nil {
		return flow.WatchResult{}, err
	}
	end := time.Now().Add(s.watchFor())
	asked := t.SyncRequests
	ticks := 0
	for {
		wanted, result := verdict(t)
		result.Ticks = ticks
		if result.Outcome != "" {
			return result, nil
		}
		metered, calls := quota.Metered(ctx)
		if moved, err := s.lookAtSchema(metered, t); moved || err != nil {
			result.Outcome = flow.OutcomeUnchecked
			return result, err
		}
		if err := s.tick(metered, t, p.Skip, &result); err != nil {
			return result, err
		}
		ticks++
		interval := wanted
		if s.Quota != nil {
			if interval, err = s.Quota.Pace(ctx, t.IntegrationID, wanted, calls.Calls()); err != nil {
				return result, err
			}
			result.Interval = interval
		}
		result.Ticks = ticks
		if result.Outcome != "" {
			return result, nil
		}
		result.Outcome = flow.OutcomeQuiet
		// That every object is refused is for the workflow to say, before anybody waits.
		untold := refused(t, &result) && t.Status != flow.StateConfigInvalid
		if p.Once || untold || result.Delivery || interval >= longInterval || time.Now().Add(interval).After(end) {
			return result, nil
		}
		if t, err = s.sleep(ctx, p, interval, wanted, wake, asked); err != nil {
			return result, err
		}
		if t == nil {
			return flow.WatchResult{Outcome: flow.OutcomeDeleted, Ticks: ticks}, nil
		}
		asked = t.SyncRequests
	}
}

// verdict is what the row alone decides: "" when Salesforce may be asked.
func verdict(t *store.Target) (time.Duration, flow.WatchResult) {
	result := flow.WatchResult{Objects: len(t.Objects)}
	result.Interval = specOf(t).interval()
	result.Delivery = t.Undelivered && t.Desired != store.DesiredDeleted && t.Desired != store.DesiredDisconnected
	for _, o := range t.Objects {
		if o.State == "config_invalid" {
			result.Invalid = append(result.Invalid, flow.ObjectFault{Object: o.Name, Kind: string(fault.Config), Message: o.Problem, Hint: o.Hint})
		}
	}
	switch {
	case t.Desired == "deleted":
		result.Outcome = flow.OutcomeDeleted
	case t.Desired == "disconnected" || t.ConnectionState == "disconnected":
		result.Outcome = flow.OutcomeDisconnected
		result.Reason = "disconnected from Salesforce"
		result.Hint = "run `starter connect " + t.Project + "/" + t.Integration + "` and open the link to connect again"
	case t.Desired == "paused":
		result.Outcome = flow.OutcomePaused
		result.Reason = "paused by an operator"
		result.Hint = "run `starter resume " + t.Project + "/" + t.Integration + "`"
	case t.ConnectionState == "lost":
		result.Outcome, result.Reason, result.Hint = flow.OutcomeAwaiting, t.LostReason, t.LostHint
	case t.ConnectionState != "granted":
		result.Outcome = flow.OutcomeAwaiting
		result.Reason = "not connected to Salesforce yet"
		result.Hint = "run `starter connect " + t.Project + "/" + t.Integration + "` and send the link to the Salesforce administrator"
	case t.CheckedVersion != t.SpecVersion || t.CheckedAt.Before(t.GrantedAt) || t.CheckRequests > t.ChecksAnswered:
		result.Outcome = flow.OutcomeUnchecked
	}
	return result.Interval, result
}

// sleep waits for the next tick. A notification makes it look at the row: a request
// to sync now ends the wait, and so does anything that verdict acts on. nil when the
// integration is gone.
func (s *Service) sleep(ctx context.Context, p flow.WatchParams, interval, wanted time.Duration, wake <-chan struct{}, asked int64) (*store.Target, error) {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		over := false
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
			over = true
		case <-wake:
		}
		t, err := s.Store.LoadTarget(ctx, p.Project, p.Integration)
		if fault.Is(err, fault.NotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if _, v := verdict(t); over || v.Outcome != "" || t.SyncRequests != asked || v.Interval != wanted {
			return t, nil
		}
	}
}

// refused reports whether there are objects and the last check refused them all.
func refused(t *store.Target, result *flow.WatchResult) bool {
	return len(t.Objects) > 0 && len(result.Invalid) == len(t.Objects)
}

// blame puts a failed question into the object's faults, or returns it when it is not
// this object's own trouble.
func blame(result *flow.WatchResult, o *store.TargetObject, err error) error {
	switch fault.KindOf(err) {
	case fault.Config, fault.Permission, fault.Transient, fault.RateLimited, fault.Invalid, fault.Record:
		result.Faults = append(result.Faults, flow.ObjectFault{Object: o.Name, Kind: string(fault.KindOf(err)),
			Message: err.Error(), Hint: fault.HintOf(err), RetryAfter: fault.RetryAfterOf(err)})
		return nil
	}
	return err
}
