package main

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"salesforcesync/internal/flow"
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
	every    time.Duration // how often it looks although nobody was notified
}

const (
	relayEvery = 2 * time.Second
	relayBatch = 50
	relayKeep  = 7 * 24 * time.Hour // what was settled stays this long, for whoever asks
	relaySweep = time.Hour
	relayCall  = 10 * time.Second // of Temporal; shorter than a claim lives
	relayNote  = 5 * time.Second
)

func (r *relay) run(ctx context.Context) error {
	wake, stop := r.listener.Wait(store.OutboxID)
	defer stop()
	ticker := time.NewTicker(r.every)
	defer ticker.Stop()
	var complained error
	var swept time.Time // at the start too: a process that never lives for an hour must sweep as well
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

// deliver empties the outbox as far as it can. It returns the last failure. What
// follows a signal that failed waits with it: a workflow gets its signals in order.
func (r *relay) deliver(ctx context.Context) error {
	var failed error
	for {
		signals, err := r.store.ClaimSignals(ctx, relayBatch)
		if err != nil || len(signals) == 0 {
			return errors.Join(failed, err)
		}
		behind := map[string]error{} // by workflow
		for _, s := range signals {
			if cause := behind[s.WorkflowID]; cause != nil {
				failed = errors.Join(cause, r.giveBack(ctx, s, cause))
				continue
			}
			if err := r.signal(ctx, s); err != nil {
				failed, behind[s.WorkflowID] = err, err
			}
		}
		if failed != nil {
			return failed // its next attempt has a time
		}
	}
}

func (r *relay) signal(ctx context.Context, s store.Signal) error {
	bounded, cancel := context.WithTimeout(ctx, relayCall)
	defer cancel()
	err := r.temporal.SignalWorkflow(bounded, s.WorkflowID, "", s.Name, nil)
	var gone *serviceerror.NotFound
	switch {
	case err == nil:
		r.log.Info("signalled", zap.String(flow.LogWorkflowID, s.WorkflowID), zap.String(flow.LogSignal, s.Name))
		return r.settle(ctx, s, store.SignalDelivered)
	case errors.As(err, &gone):
		r.log.Info("no workflow to signal", zap.String(flow.LogWorkflowID, s.WorkflowID), zap.String(flow.LogSignal, s.Name))
		return r.settle(ctx, s, store.SignalDropped)
	}
	return errors.Join(err, r.giveBack(ctx, s, err))
}

// settle and giveBack write down what happened also when the process is told to stop
// in between.
func (r *relay) settle(ctx context.Context, s store.Signal, outcome string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), relayNote)
	defer cancel()
	return r.store.SettleSignal(ctx, s.ID, outcome)
}

func (r *relay) giveBack(ctx context.Context, s store.Signal, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), relayNote)
	defer cancel()
	return r.store.FailSignal(ctx, s.ID, cause.Error())
}
