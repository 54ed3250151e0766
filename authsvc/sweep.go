package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"salesforcesync/internal/oauth"
)

// sweepEvery is how often grants that nobody confirmed are given back to Salesforce.
const sweepEvery = 10 * time.Minute

// sweepGrants gives back, until ctx ends, what waited for a confirmation in vain.
func sweepGrants(ctx context.Context, connections *oauth.Service, log *zap.Logger) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if n, err := connections.SweepPending(ctx); err != nil && ctx.Err() == nil {
			log.Warn("unconfirmed grants were not all given back", zap.Int("taken", n), zap.Error(err))
		} else if n > 0 {
			log.Info("gave back unconfirmed grants", zap.Int("grants", n))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
