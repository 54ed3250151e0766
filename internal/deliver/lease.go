package deliver

import (
	"context"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// lease is the right to deliver for an integration, renewed until it is let go.
type lease struct {
	ctx           context.Context // ends with the lease
	integrationID string
	holder        string
	letGo         func()
}

// hold waits until nobody else delivers for the integration.
func (s *Service) hold(ctx context.Context, integrationID string) (*lease, error) {
	holder := store.NewID()
	for {
		held, err := s.Store.HoldDelivery(ctx, integrationID, holder, holdFor)
		if err != nil {
			return nil, err
		}
		if held {
			break
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
	inner, cancel := context.WithCancelCause(ctx)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		s.renew(inner, integrationID, holder, cancel)
	}()
	return &lease{ctx: inner, integrationID: integrationID, holder: holder, letGo: func() {
		cancel(nil)
		<-finished
		last, end := context.WithTimeout(context.WithoutCancel(ctx), holdEvery)
		defer end()
		_ = s.Store.LetGoDelivery(last, integrationID, holder) // else it ends by itself
	}}, nil
}

// renew keeps the lease, and ends what goes on under it when it is lost, or may be.
func (s *Service) renew(ctx context.Context, integrationID, holder string, lost context.CancelCauseFunc) {
	good := time.Now()
	ticker := time.NewTicker(holdEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		asked := time.Now()
		held, err := s.Store.HoldDelivery(ctx, integrationID, holder, holdFor)
		switch {
		case err == nil && held:
			good = asked
		case err == nil:
			lost(fault.New(fault.Transient, "somebody else delivers now, or there is another destination"))
			return
		case time.Since(good) > holdFor-2*holdEvery:
			lost(fault.Wrap(fault.Unreachable, err, "PostgreSQL did not answer for too long to go on delivering"))
			return
		}
	}
}
