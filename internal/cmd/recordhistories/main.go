// Command recordhistories runs the workflows through a set of scenarios
// on a real Temporal development server, with stand-ins for the activities, and
// writes the histories as JSON. The replay test of package workflows replays them in
// every build: a change that breaks a running integration fails there.
//
// Run it on a released commit, once per release:
//
//	make record-replay RELEASE=v0.1.0
//
// Histories of a release that exists are never recorded again: they stand for
// workflows that run somewhere. Before a release, what is new may be recorded as a pre-release,
// v0.2.0-pre.1: the build holds to it at once, and it goes when the release itself is recorded.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/flow"
	"salesforcesync/workflows"
)

const usage = "usage: recordhistories RELEASE    (for example v0.1.0; the folder workflows/testdata/RELEASE must not exist)"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 2 || !regexp.MustCompile(`^v\d+\.\d+\.\d+(-pre\.\d+)?$`).MatchString(os.Args[1]) {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "recordhistories:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, release string) error {
	tools, err := devstack.Here()
	if err != nil {
		return err
	}
	out := filepath.Join(tools.Root, "workflows", "testdata", release)
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(out, 0o755); err != nil {
		return fmt.Errorf("the histories of %s are there already and stand for running workflows: %w", release, err)
	}
	for _, s := range scenarios {
		if err := record(ctx, s, filepath.Join(out, s.name+".json")); err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
		fmt.Println("recorded", s.name)
	}
	return nil
}

// record runs one scenario on a server of its own.
func record(ctx context.Context, s scenario, path string) error {
	var attributes []string
	for _, name := range flow.Attributes {
		attributes = append(attributes, name+"=Keyword")
	}
	server, err := devstack.StartTemporal(ctx, devstack.TemporalOptions{SearchAttributes: attributes, Settings: s.settings})
	if err != nil {
		return err
	}
	defer server.Stop() //nolint:errcheck // it is in memory and goes with this process
	c, err := client.DialContext(ctx, client.Options{HostPort: server.Address(), Identity: "recordhistories", Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		return err
	}
	defer c.Close()

	play := &play{script: s}
	for _, queue := range []string{flow.QueueIntegrations, flow.QueuePoll, flow.QueueLoad, flow.QueueBackfill} {
		w := worker.New(c, queue, worker.Options{})
		workflows.Register(w)
		play.register(w)
		if err := w.Start(); err != nil {
			return err
		}
		defer w.Stop()
	}
	id, kind, params := s.workflow()
	started, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: flow.QueueIntegrations}, kind, params)
	if err != nil {
		return err
	}
	for _, step := range s.signals {
		if err := play.await(ctx, step.after); err != nil {
			return err
		}
		if step.signal == "" {
			err = c.CancelWorkflow(ctx, id, "")
		} else {
			err = c.SignalWorkflow(ctx, id, "", step.signal, nil)
		}
		if err != nil {
			return err
		}
	}
	// The first run's history; the runs after a continue-as-new end by themselves.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := c.GetWorkflow(ctx, id, "").Get(ctx, nil); err != nil && !s.fails {
		return err
	}
	return save(ctx, c, id, started.GetRunID(), path)
}

func save(ctx context.Context, c client.Client, id, run, path string) error {
	history := newHistory()
	events := c.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return err
		}
		history.Events = append(history.Events, event)
	}
	return writeHistory(path, history)
}
