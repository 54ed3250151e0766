package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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

	by := map[string]map[string]bool{}
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
	server, err := devstack.StartTemporal(t.Context(), devstack.TemporalOptions{Settings: []string{"matching.enableFairness=true"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	b := newBenchAt(t, server.Address())
	b.setUp()
	sim, address := b.salesforce(2)
	b.env["TASK_QUEUES"] = flow.QueueIntegrations + "," + flow.QueuePoll
	asking := b.start()
	sealed := func(project string) int {
		return len(b.seed.Strings(`select b.stream_id::text from batches b join streams s on s.id = b.stream_id
			join integrations i on i.id = s.integration_id join projects p on p.id = i.project_id
			where b.state = 'sealed' and p.name = '` + project + `'`))
	}
	const flood = 40
	for n := range flood {
		b.integrationOf(sim, address, "flood", fmt.Sprintf("prod-%d", n))
	}
	b.eventually("the flood waits to be stored", func() bool { return sealed("flood") == flood })
	b.integrationOf(sim, address, "small", "prod")
	b.eventually("so does the other one's", func() bool { return sealed("small") == 1 })

	b.env["TASK_QUEUES"] = flow.QueueLoad
	loading := b.start()
	b.eventually("all is stored", func() bool { return sealed("flood")+sealed("small") == 0 })
	before, err := strconv.Atoi(b.seed.Strings(`
		with applied as (
			select p.name, b.applied_at from batches b join streams s on s.id = b.stream_id
			join integrations i on i.id = s.integration_id join projects p on p.id = i.project_id where b.seq = 1)
		select count(*)::text from applied where name = 'flood' and applied_at < (select applied_at from applied where name = 'small')`)[0])
	require.NoError(t, err)
	t.Logf("measured: %d of %d batches of the flood were stored before the one that came after them", before, flood)
	require.Less(t, before, flood/2)
	require.Equal(t, app.ExitOK, asking.stop(), asking.said())
	require.Equal(t, app.ExitOK, loading.stop(), loading.said())
}
