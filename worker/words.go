package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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

// wordsLag is how far the index of words is behind, read when somebody asks.
type wordsLag struct {
	read func(ctx context.Context, sourceID string) (time.Duration, error)
}

var wordsLagSeconds = prometheus.NewDesc("salesforcesync_search_lag_seconds",
	"How long ago the oldest change to a comment was made that searches do not find yet, of all sources; 0 when they find everything.", nil, nil)

// Describe names the metric.
func (w wordsLag) Describe(out chan<- *prometheus.Desc) { out <- wordsLagSeconds }

// Collect reads it. A database that is away leaves it out: zero would be a lie.
func (w wordsLag) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
	defer cancel()
	if lag, err := w.read(ctx, ""); err == nil {
		out <- prometheus.MustNewConstMetric(wordsLagSeconds, prometheus.GaugeValue, lag.Seconds())
	}
}
