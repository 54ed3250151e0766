package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/store"
)

// sweepEvery is how often grants that nobody confirmed are given back to Salesforce.
const sweepEvery = 10 * time.Minute

// sweepGrants gives back, until ctx ends, what waited for a confirmation in vain.
func sweepGrants(ctx context.Context, connections *oauth.Service, log *zap.Logger) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if n, err := connections.SweepPending(ctx); err != nil && ctx.Err() == nil {
			log.Warn("unconfirmed grants were not all given back", zap.Int(flow.LogGrants, n), zap.Error(err))
		} else if n > 0 {
			log.Info("gave back unconfirmed grants", zap.Int(flow.LogGrants, n))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// eraseEvery is how often it is looked for sources that were deleted and whose comments are still there.
const eraseEvery = time.Minute

// eraseDeleted removes, until ctx ends, the comments of deleted sources.
func eraseDeleted(ctx context.Context, db *store.Store, log *zap.Logger) error {
	ticker := time.NewTicker(eraseEvery)
	defer ticker.Stop()
	for {
		if n, err := db.EraseDeleted(ctx); err != nil && ctx.Err() == nil {
			log.Warn("comments of deleted sources were not all removed", zap.Int64(flow.LogComments, n), zap.Error(err))
		} else if n > 0 {
			log.Info("removed comments of deleted sources", zap.Int64(flow.LogComments, n))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// expireEvery is how often it is looked for what has run out.
const expireEvery = time.Hour

// removeExpired removes, until ctx ends, what has run out and nobody came for.
func removeExpired(ctx context.Context, db *store.Store, log *zap.Logger) error {
	ticker := time.NewTicker(expireEvery)
	defer ticker.Stop()
	for {
		if removed, err := db.Sweep(ctx); err != nil && ctx.Err() == nil {
			log.Warn("what has run out was not all removed", zap.Any(flow.LogRemoved, removed), zap.Error(err))
		} else if len(removed) > 0 {
			log.Info("removed what has run out", zap.Any(flow.LogRemoved, removed))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
