package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"salesforcesync/internal/app"
	"salesforcesync/internal/devstack"
	"salesforcesync/internal/flow"
)

// Stages scale apart: one worker asks Salesforce, another one makes and stores comments.
func TestStagesOnWorkersApart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	sim, address := b.salesforce(5)
	id := b.integration(sim, address)
	b.env["TASK_QUEUES"] = flow.QueueIntegrations + ", " + flow.QueuePoll
	asking := b.start()
	b.env["TASK_QUEUES"] = flow.QueueLoad + "," + flow.QueueBackfill
	loading := b.start()
	b.eventually("everything is there", func() bool { return len(b.seed.Strings(`select id from comments`)) == 5 })

	// Which worker began what. The server writes that an activity began when it hears that it ended, after its effect is there.
	by := map[string]map[string]bool{}
	b.eventually("history tells of every stage", func() bool {
		clear(by)
		names := map[int64]string{}
		for _, event := range b.history(id) {
			if a := event.GetActivityTaskScheduledEventAttributes(); a != nil {
				names[event.GetEventId()] = a.GetActivityType().GetName()
				require.Equal(t, "support", a.GetPriority().GetFairnessKey())
			}
			if a := event.GetActivityTaskStartedEventAttributes(); a != nil {
				name := names[a.GetScheduledEventId()]
				if by[name] == nil {
					by[name] = map[string]bool{}
				}
				pid, _, _ := strings.Cut(a.GetIdentity(), "@")
				by[name][pid] = true
			}
		}
		return by[flow.Upsert.Name] != nil
	})
	one := func(r *running) map[string]bool { return map[string]bool{strconv.Itoa(r.cmd.Process.Pid): true} }
	require.Equal(t, one(asking), by[flow.Poll.Name])
	require.Equal(t, one(loading), by[flow.Transform.Name])
	require.Equal(t, one(loading), by[flow.Upsert.Name])
	require.Equal(t, app.ExitOK, asking.stop(), asking.said())
	require.Equal(t, app.ExitOK, loading.stop(), loading.said())
}

// One tenant has much to store, another one a little that came after it: on a server with
// fairness turned on the little one does not wait for all of the flood.
func TestOneTenantsFloodDoesNotStarveOthers(t *testing.T) {
	t.Parallel()
	server, err := devstack.StartTemporal(t.Context(), devstack.TemporalOptions{Settings: []string{
		"matching.enableFairness=true",
		// Turns are taken within each partition of a task queue: one of them shows what they are.
		"matching.numTaskqueueReadPartitions=1", "matching.numTaskqueueWritePartitions=1"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	b := newBenchAt(t, server.Address())
	b.setUp()
	sim, address := b.salesforce(2)
	b.env["TASK_QUEUES"] = flow.QueueIntegrations + "," + flow.QueuePoll
	asking := b.start()
	batches := func(state, project string) int {
		return len(b.seed.Strings(`select b.stream_id::text from batches b join streams s on s.id = b.stream_id
			join integrations i on i.id = s.integration_id join projects p on p.id = i.project_id
			where b.seq = 1 and b.state = '` + state + `' and p.name = '` + project + `'`))
	}
	const flood = 40
	for n := range flood {
		b.integrationOf(sim, address, "flood", fmt.Sprintf("prod-%d", n))
	}
	b.eventually("the flood waits to be stored", func() bool { return batches("sealed", "flood") == flood })
	b.integrationOf(sim, address, "small", "prod")
	b.eventually("so does the other one's", func() bool { return batches("sealed", "small") == 1 })
	b.eventually("all of it is in the queue", func() bool { // which is a while after it could be stored
		queue, err := b.temporal.WorkflowService().DescribeTaskQueue(t.Context(), &workflowservice.DescribeTaskQueueRequest{
			Namespace: b.namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: flow.QueueLoad}, TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY, ReportStats: true})
		require.NoError(t, err)
		return queue.GetStats().GetApproximateBacklogCount() == flood+1
	})

	b.env["TASK_QUEUES"] = flow.QueueLoad
	loading := b.start()
	b.eventually("all is stored", func() bool { return batches("applied", "flood") == flood && batches("applied", "small") == 1 })
	// When a worker was given the first thing to do for it.
	begun := func(workflow string) time.Time {
		for _, event := range b.history(workflow) {
			if a := event.GetActivityTaskScheduledEventAttributes(); a != nil && a.GetActivityType().GetName() == flow.Transform.Name {
				for _, next := range b.history(workflow) {
					if next.GetActivityTaskStartedEventAttributes().GetScheduledEventId() == event.GetEventId() {
						return next.GetEventTime().AsTime()
					}
				}
			}
		}
		require.Fail(t, "nothing was done for "+workflow)
		return time.Time{}
	}
	small, before := begun(flow.WorkflowID("small", "prod")), 0
	for n := range flood {
		if begun(flow.WorkflowID("flood", fmt.Sprintf("prod-%d", n))).Before(small) {
			before++
		}
	}
	t.Logf("measured: %d of %d batches of the flood were begun before the one that came after them", before, flood)
	require.Less(t, before, flood/2)
	require.Equal(t, app.ExitOK, asking.stop(), asking.said())
	require.Equal(t, app.ExitOK, loading.stop(), loading.said())
}
