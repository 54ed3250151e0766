package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// How WaitFor asks: each attempt and the pause between two are bounded.
const (
	waitAttempt    = 10 * time.Second
	waitFirstPause = 200 * time.Millisecond
	waitLastPause  = 2 * time.Second
)

// WaitFor tries until attempt succeeds, as long as it fails because something
// cannot be reached, and at most for total. It says what it waits for. Any
// other error ends it at once.
func WaitFor(ctx context.Context, log *zap.Logger, what string, total time.Duration, attempt func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, total)
	defer cancel()
	pause := waitFirstPause
	for n := 1; ; n++ {
		once, cancelOnce := context.WithTimeout(ctx, waitAttempt)
		err := attempt(once)
		cancelOnce()
		if err == nil {
			if n > 1 {
				log.Info("reached", zap.String(flow.LogWhat, what), zap.Int(flow.LogAttempts, n))
			}
			return nil
		}
		if !fault.Is(err, fault.Unreachable, fault.Transient) {
			return err
		}
		if n == 1 {
			log.Warn("waiting", zap.String(flow.LogWhat, what), zap.Duration(flow.LogAtMost, total), zap.Error(err))
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return fmt.Errorf("wait for %s: %w", what, ctx.Err())
			}
			return fmt.Errorf("wait %s for %s: %w", total, what, err)
		case <-time.After(pause):
		}
		pause = min(2*pause, waitLastPause)
	}
}
