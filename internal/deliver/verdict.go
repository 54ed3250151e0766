package deliver

import (
	"cmp"
	"context"
	"errors"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// call marks an error of a call to the tenant: it is a state of the delivery. Trouble with
// PostgreSQL is not.
type call struct{ error }

func (c call) Unwrap() error { return c.error }

func isCall(err error) bool {
	var c call
	return errors.As(err, &c)
}

// note makes a failure the state of the delivery. What passes by itself is tried again sooner or later;
// what somebody has to do something about is looked at ever less often, and at once after an apply, a resume or a
// sync-now.
func (r *run) note(ctx context.Context, d *store.Delivery, cause error) error {
	s := r.service
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d.Failures++
	var wait time.Duration
	switch kind := fault.KindOf(cause); kind {
	case fault.Transient, fault.RateLimited:
		d.State = flow.StateBackingOff
		wait = max(backoff(cmp.Or(s.First, defaultFirst), cmp.Or(s.Longest, defaultLongest), d.Failures), fault.RetryAfterOf(cause))
	default:
		d.State = flow.StateConfigInvalid
		wait = backoff(cmp.Or(s.Refused, defaultRefused), cmp.Or(s.Parked, defaultParked), d.Failures)
	}
	d.Reason, d.Hint, d.Said = cause.Error(), fault.HintOf(cause), ""
	var own *fault.Error
	if errors.As(cause, &own) && own.Cause != nil {
		alone := *own
		alone.Cause = nil
		d.Reason, d.Said = alone.Error(), own.Cause.Error()
	}
	at := time.Now().Add(wait)
	d.RetryAt = &at
	return s.Store.SetDeliveryState(ctx, d, r.lease.holder)
}

// backoff doubles from first to longest.
func backoff(first, longest time.Duration, failures int) time.Duration {
	wait := first
	for range failures - 1 {
		if wait *= 2; wait >= longest {
			return longest
		}
	}
	return wait
}
