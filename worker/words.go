package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"salesforcesync/internal/store"
)

// How often the index of words is looked after although nobody told of a change, and how soon
// again when there is a change that cannot be read yet.
const (
	wordsEvery = time.Minute
	wordsSoon  = 500 * time.Millisecond
)

// followWords keeps the index of words behind the comments, until ctx ends. While nothing changes
// it costs one look a minute.
func followWords(ctx context.Context, db *store.Store, listener *store.Listener, log *zap.Logger) {
	wake, stop := listener.Wait(store.CommentsID)
	defer stop()
	complained := ""
	for {
		waiting, err := db.IndexWords(ctx)
		said := ""
		if err != nil && ctx.Err() == nil {
			if said = err.Error(); said != complained {
				log.Warn("the index of words falls behind", zap.Error(err))
			}
		}
		complained = said
		pause := wordsEvery
		if waiting {
			pause = wordsSoon
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}
