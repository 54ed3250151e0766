package app

import (
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"salesforcesync/internal/build"
	"salesforcesync/internal/flow"
)

// SayBuild writes the first line of a program's log: which build this is.
func SayBuild(log *zap.Logger) {
	b := build.Read()
	log.Info("starting", zap.String(flow.LogVersion, b.Version), zap.String(flow.LogCommit, b.Commit), zap.String(flow.LogGo, b.Go))
}

// buildInfo is the build as a metric: always 1, what it says is in the labels.
func buildInfo() prometheus.Collector {
	b := build.Read()
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "salesforcesync_build_info",
		Help:        "The build that runs; always 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go_version": b.Go},
	}, func() float64 { return 1 })
}
