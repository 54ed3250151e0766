package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"salesforcesync/activities"
	"salesforcesync/internal/app"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/workflows"
)

// stopTimeout is how long activities under way may take to end when the worker stops.
const stopTimeout = 20 * time.Second

// addQueues adds one Temporal worker per task queue that is to be served, so that long watches
// never take the slots of work that is ready.
func addQueues(process *app.App, temporal client.Client, doing *activities.Activities, served []string) {
	var workers []worker.Worker
	queue := func(name string, o worker.Options, register func(worker.Worker)) {
		if !slices.Contains(served, name) {
			return
		}
		o.WorkerStopTimeout = stopTimeout
		o.OnFatalError = process.Fail
		w := worker.New(temporal, name, o)
		register(w)
		workers = append(workers, w)
	}
	queue(flow.QueueIntegrations, worker.Options{}, func(w worker.Worker) {
		workflows.Register(w)
		doing.RegisterControl(w)
	})
	// A watch holds its slot for minutes and does nothing: slots must not be fewer than integrations.
	queue(flow.QueuePoll, worker.Options{DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: 2000},
		func(w worker.Worker) { doing.RegisterPoll(w) })
	// CPU and database bound: more at once would only wait for each other.
	queue(flow.QueueLoad, worker.Options{DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: 8},
		func(w worker.Worker) { doing.RegisterLoad(w) })
	// Apart from live work, which would else stand behind a load of millions.
	queue(flow.QueueBackfill, worker.Options{DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: pageSlots()},
		func(w worker.Worker) { doing.RegisterBackfill(w) })
	process.Add(app.Step{
		Name: "task queues",
		Start: func(context.Context) error {
			for _, w := range workers {
				if err := w.Start(); err != nil {
					return fault.Wrap(fault.Unreachable, err, "poll Temporal's task queues")
				}
			}
			return nil
		},
		Stop: func(context.Context) error {
			var all sync.WaitGroup // together: each may need its whole time
			for _, w := range workers {
				all.Go(w.Stop)
			}
			all.Wait()
			return nil
		},
	})
}

// checkAttributes refuses to run without the search attributes: a workflow that sets
// an unknown one fails its task again and again, which is harder to understand.
func checkAttributes(ctx context.Context, temporal client.Client, namespace string) error {
	have, err := temporal.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	var missing *serviceerror.NamespaceNotFound
	if errors.As(err, &missing) { // connecting does not ask for it
		return fault.Wrap(fault.Invalid, err, "Temporal has no namespace %q", namespace).
			WithHint("check TEMPORAL_NAMESPACE, or make the namespace: temporal operator namespace create -n %s", namespace)
	}
	if err != nil {
		return fault.Wrap(fault.Unreachable, err, "list Temporal's search attributes").WithHint("check TEMPORAL_ADDRESS and that the server is running")
	}
	for _, name := range flow.Attributes {
		if have.GetCustomAttributes()[name] != enumspb.INDEXED_VALUE_TYPE_KEYWORD {
			return fault.New(fault.Invalid, "namespace %q has no search attribute %s of type Keyword", namespace, name).
				WithHint("run `starter setup`")
		}
	}
	return nil
}
