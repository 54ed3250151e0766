package main

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"salesforcesync/internal/store"
)

// relay carries signals from the outbox to their workflows until Temporal has them.
// It only signals: a workflow that does not run was stopped by somebody or was never
// started, and starting it is not the relay's business; it will read PostgreSQL then.
type relay struct {
	store    *store.Store
	temporal client.Client
	listener *store.Listener
	log      *zap.Logger
}

const (
	relayEvery = 2 * time.Second // also looks when nobody was notified
	relayBatch = 50
	relayKeep  = 7 * 24 * time.Hour // what was settled stays this long, for whoever asks
	relaySweep = time.Hour
)

func (r *relay) run(ctx context.Context) error {
	wake, stop := r.listener.Wait(store.OutboxID)
	defer stop()
	ticker := time.NewTicker(relayEvery)
	defer ticker.Stop()
	var complained error
	swept := time.Now()
	for {
		err := r.deliver(ctx)
		if err == nil && time.Since(swept) > relaySweep {
			swept = time.Now()
			err = r.store.SweepSignals(ctx, swept.Add(-relayKeep))
		}
		if err != nil && ctx.Err() == nil && (complained == nil || complained.Error() != err.Error()) {
			r.log.Warn("signals wait", zap.Error(err))
		}
		complained = err
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-ticker.C:
		}
	}
}

// deliver empties the outbox as far as it can. It returns the last failure.
func (r *relay) deliver(ctx context.Context) error {
	var failed error
	for {
		signals, err := r.store.ClaimSignals(ctx, relayBatch)
		if err != nil || len(signals) == 0 {
			return errors.Join(failed, err)
		}
		for _, s := range signals {
			if err := r.signal(ctx, s); err != nil {
				failed = err
			}
		}
		if failed != nil {
			return failed // its next attempt has a time
		}
	}
}

func (r *relay) signal(ctx context.Context, s store.Signal) error {
	bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := r.temporal.SignalWorkflow(bounded, s.WorkflowID, "", s.Name, nil)
	var gone *serviceerror.NotFound
	switch {
	case err == nil:
		r.log.Info("signalled", zap.String("workflow_id", s.WorkflowID), zap.String("signal", s.Name))
		return r.store.SettleSignal(ctx, s.ID, store.SignalDelivered)
	case errors.As(err, &gone):
		r.log.Info("no workflow to signal", zap.String("workflow_id", s.WorkflowID), zap.String("signal", s.Name))
		return r.store.SettleSignal(ctx, s.ID, store.SignalDropped)
	}
	return errors.Join(err, r.store.FailSignal(ctx, s.ID, err.Error()))
}
