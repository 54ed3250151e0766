package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"salesforcesync/internal/flow"
)

// StopTimeout bounds the whole of a graceful stop.
const StopTimeout = 30 * time.Second

// Step is a part of a process that is started and stopped by name.
type Step struct {
	Name string
	// Start returns when the part is ready; nil = nothing to do. ctx ends when the process is
	// told to stop, also while it is starting.
	Start func(ctx context.Context) error
	// Stop returns when the part is at rest; nil = nothing to do. ctx bounds it.
	Stop func(ctx context.Context) error
}

// App is one process: its steps, its logger, its health and its metrics.
type App struct {
	Log     *zap.Logger
	Health  *Health
	Metrics *prometheus.Registry

	steps       []Step
	failed      chan error
	stopTimeout time.Duration
}

// New makes an App without steps.
func New(log *zap.Logger) *App {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	return &App{Log: log, Health: newHealth(log), Metrics: metrics, failed: make(chan error, 1), stopTimeout: StopTimeout}
}

// Add appends a step. Steps start in the order in which they were added.
func (a *App) Add(step Step) { a.steps = append(a.steps, step) }

// Go adds a step that runs in a goroutine of its own until its ctx ends. If it
// returns before that, with an error or without, the process stops.
func (a *App) Go(name string, run func(ctx context.Context) error) {
	var cancel context.CancelFunc
	done := make(chan struct{})
	a.Add(Step{
		Name: name,
		Start: func(ctx context.Context) error {
			// It is stopped when its turn comes, not when the signal arrives.
			ctx, cancel = context.WithCancel(context.WithoutCancel(ctx)) //nolint:gosec // the stop step cancels it
			go func() {
				defer close(done)
				err := run(ctx)
				if ctx.Err() != nil {
					return
				}
				if err == nil {
					err = errors.New("ended by itself")
				}
				a.Fail(fmt.Errorf("%s: %w", name, err))
			}()
			return nil
		},
		Stop: func(ctx context.Context) error {
			cancel()
			select {
			case <-done:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	})
}

// Fail ends Run with err. The first failure counts; Fail never blocks.
func (a *App) Fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// Run starts the steps, waits until ctx ends or something fails, and stops what was
// started, last first. It returns what failed; a stop that was asked for and went
// well is nil.
func (a *App) Run(ctx context.Context) error {
	a.Health.setPhase("starting")
	started, err := a.start(ctx)
	if err == nil && ctx.Err() == nil {
		a.Health.setPhase("")
		a.Log.Info("running")
		select {
		case <-ctx.Done():
		case err = <-a.failed:
		}
	}
	a.Log.Info("stopping", zap.Duration(flow.LogAtMost, a.stopTimeout))
	a.Health.setPhase("stopping")
	if stopErr := a.stop(ctx, started); err == nil {
		err = stopErr
	} else if stopErr != nil {
		a.Log.Warn("stop was not clean", zap.Error(stopErr))
	}
	return err
}

func (a *App) start(ctx context.Context) (started []Step, err error) {
	for _, step := range a.steps {
		if ctx.Err() != nil { // told to stop before it was up
			return started, nil //nolint:nilerr // that is how it was to end
		}
		if step.Start != nil {
			if err := step.Start(ctx); err != nil {
				if ctx.Err() != nil {
					return started, nil //nolint:nilerr // told to stop meanwhile
				}
				return started, fmt.Errorf("start %s: %w", step.Name, err)
			}
		}
		started = append(started, step)
	}
	return started, nil
}

func (a *App) stop(ctx context.Context, started []Step) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.stopTimeout)
	defer cancel()
	var problems []error
	for i := len(started) - 1; i >= 0; i-- {
		step := started[i]
		if step.Stop == nil {
			continue
		}
		begun := time.Now()
		if err := step.Stop(ctx); err != nil {
			problems = append(problems, fmt.Errorf("stop %s: %w", step.Name, err))
		}
		a.Log.Debug("stopped", zap.String(flow.LogStep, step.Name), zap.Duration(flow.LogDuration, time.Since(begun)))
	}
	return errors.Join(problems...)
}
