package deliver

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
	"salesforcesync/internal/tenant"
)

// Tenant is what this package asks of the other side; *tenant.Client is one.
type Tenant interface {
	Sync(ctx context.Context, t tenant.Target, comments []json.RawMessage) (tenant.Counts, error)
	Delete(ctx context.Context, t tenant.Target, ids []string) error
	Count(ctx context.Context, t tenant.Target) (int64, error)
}

// Service delivers. Store, Listener and Tenant are required.
type Service struct {
	Store    *store.Store
	Listener *store.Listener
	Tenant   Tenant
	// Pages bounds by its capacity how many pages are in memory at once; nil = no bound.
	Pages chan struct{}

	// DeliverFor bounds one Deliver; default 10 minutes.
	DeliverFor time.Duration
	// First is how long is waited after a first failure, longest after many in a row; default 5 seconds
	// and 5 minutes.
	First, Longest time.Duration
	// Refused and Parked are the same for failures that somebody has to do something about, unless the tenant
	// said so in passing; default 15 seconds and 15 minutes.
	Refused, Parked time.Duration
	// CompareEvery is how often counts are compared at most; default an hour.
	CompareEvery time.Duration
}

const (
	defaultFor     = 10 * time.Minute
	defaultFirst   = 5 * time.Second
	defaultLongest = 5 * time.Minute
	defaultRefused = 15 * time.Second
	defaultParked  = 15 * time.Minute
	defaultCompare = time.Hour

	holdFor   = 30 * time.Second // of a lease: within so long another process takes over from a killed one
	holdEvery = 5 * time.Second
	freshFor  = time.Minute            // counts that people see in Temporal are no older
	lookEvery = 5 * time.Second        // for changes that nobody notifies of, or that wait for an older transaction
	lookSoon  = 250 * time.Millisecond // after a notification: the change may wait for an older transaction
)

// Deliver sends what changed, and waits for more, until its time is over, or until the
// delivery is in another state than the one that is shown, or has delivered something that is not shown for a minute. It may be repeated and given up at any
// moment. What goes wrong at the tenant is a state, with when it is tried again; an error is trouble of our
// own.
func (s *Service) Deliver(ctx context.Context, in flow.DeliverParams) (flow.DeliverResult, error) {
	d, err := s.Store.Delivery(ctx, in.Project, in.Integration)
	if fault.Is(err, fault.NotFound) {
		return flow.DeliverResult{State: flow.StateCancelled, Reason: "the integration is gone"}, nil
	}
	if err != nil {
		return flow.DeliverResult{}, err
	}
	if result, over := ended(d); over {
		return result, nil
	}
	l, err := s.hold(ctx, d.IntegrationID)
	if err != nil {
		return flow.DeliverResult{}, err
	}
	defer l.letGo()
	now := time.Now()
	run := &run{service: s, in: in, lease: l, before: d.Counts, fresh: now.Add(freshFor), end: now.Add(cmp.Or(s.DeliverFor, defaultFor))}
	result, err := run.loop(l.ctx)
	if err != nil && ctx.Err() == nil && l.ctx.Err() != nil {
		err = context.Cause(l.ctx)
	}
	return result, err
}

// run is one Deliver.
type run struct {
	service   *Service
	in        flow.DeliverParams
	lease     *lease
	before    flow.DeliveryCounts // that are shown
	fresh     time.Time           // until then they may be shown, whatever is delivered
	end       time.Time
	compareAt time.Time // not before
}

func (r *run) loop(ctx context.Context) (flow.DeliverResult, error) {
	s := r.service
	wake, stop := s.Listener.Wait(r.lease.integrationID)
	defer stop()
	var changed <-chan struct{}
	listening := ""
	var soon time.Time // until then something may wait for an older transaction
	for {
		d, err := s.Store.Delivery(ctx, r.in.Project, r.in.Integration)
		if fault.Is(err, fault.NotFound) {
			return flow.DeliverResult{State: flow.StateCancelled, Reason: "the integration is gone"}, nil
		}
		if err != nil {
			return flow.DeliverResult{}, err
		}
		if result, over := ended(d); over {
			return result, nil
		}
		if listening != d.SourceID { // before anything is read: what changes from now on wakes
			ch, stop := s.Listener.Wait(d.SourceID)
			defer stop() //nolint:revive // a source changes once in years
			changed, listening = ch, d.SourceID
		}
		wait := lookEvery
		if time.Now().Before(soon) {
			wait = lookSoon
		}
		switch {
		case d.Desired != store.DesiredRunning:
		case d.RetryAt != nil && time.Until(*d.RetryAt) > 0:
			wait = min(wait, time.Until(*d.RetryAt))
		default:
			more, err := r.step(ctx, d)
			if err != nil {
				return flow.DeliverResult{}, err
			}
			if more {
				wait = 0
			} else if d.RetryAt != nil {
				wait = min(wait, max(time.Until(*d.RetryAt), 0))
			}
		}
		result := resultOf(d)
		now := time.Now()
		if result.State != r.in.Shown || now.After(r.end) || now.After(r.fresh) && result.Counts != r.before {
			return result, nil
		}
		if wait <= 0 {
			continue
		}
		timer := time.NewTimer(min(wait, time.Until(r.end)+time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return flow.DeliverResult{}, context.Cause(ctx)
		case <-wake:
		case <-changed:
			soon = time.Now().Add(lookEvery)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// step delivers the next page and notes how the delivery is. more says that there is more to do at once.
func (r *run) step(ctx context.Context, d *store.Delivery) (more bool, err error) {
	token, err := r.service.Store.DeliveryToken(d)
	if err != nil {
		return false, r.note(ctx, d, err)
	}
	to := tenant.Target{Endpoint: d.Endpoint, Project: d.Project, Source: d.Source, Token: token}
	sent, more, err := r.page(ctx, d, to)
	switch {
	case isCall(err) || fault.Is(err, fault.Config):
		return false, r.note(ctx, d, err)
	case err != nil:
		return false, err
	case sent && !more && d.State == flow.StateIdle:
		return true, nil // a little news does not make it busy
	case sent:
		return true, r.set(ctx, d, flow.StateSyncing)
	}
	if err := r.set(ctx, d, flow.StateIdle); err != nil {
		return false, err
	}
	return false, r.compare(ctx, d, to)
}

// set notes that nothing is wrong.
func (r *run) set(ctx context.Context, d *store.Delivery, state string) error {
	caughtUp := state != flow.StateIdle || d.CaughtUpAt != nil && (d.SentAt == nil || d.CaughtUpAt.After(*d.SentAt))
	if d.State == state && d.Reason == "" && d.RetryAt == nil && caughtUp {
		return nil
	}
	d.State, d.Reason, d.Hint, d.Said, d.Failures, d.RetryAt = state, "", "", "", 0, nil
	return r.service.Store.SetDeliveryState(ctx, d, r.lease.holder)
}

// ended says whether there is nothing to deliver any more.
func ended(d *store.Delivery) (flow.DeliverResult, bool) {
	switch {
	case d == nil:
		return flow.DeliverResult{State: flow.StateCancelled, Reason: "the integration file has no destination any more"}, true
	case d.Desired == store.DesiredDeleted:
		return flow.DeliverResult{State: flow.StateCancelled, Reason: "the integration is being deleted"}, true
	case d.Desired == store.DesiredDisconnected:
		return resultOf(d), true
	}
	return flow.DeliverResult{}, false
}

// resultOf is what people are shown in Temporal. What the tenant said is for PostgreSQL only: it may
// repeat a comment.
func resultOf(d *store.Delivery) flow.DeliverResult {
	state, reason, hint := d.Shown()
	result := flow.DeliverResult{State: state, Reason: reason, Hint: hint, Counts: d.Counts, Undeliverable: d.Undeliverable}
	if d.RetryAt != nil && state == d.State {
		result.Until = d.RetryAt.UTC()
	}
	return result
}
