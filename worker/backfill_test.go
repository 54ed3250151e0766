package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"salesforcesync/internal/app"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
)

// history reads a workflow's events.
func (b *bench) history(id string) []*historypb.HistoryEvent {
	b.t.Helper()
	var events []*historypb.HistoryEvent
	for more := b.temporal.GetWorkflowHistory(b.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); more.HasNext(); {
		event, err := more.Next()
		require.NoError(b.t, err)
		events = append(events, event)
	}
	return events
}

// A flood is loaded by a workflow of its own, started by the integration's, and it reads
// well in Temporal's UI: names, summaries, attributes.
func TestBackfillIsAWorkflowOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	sim, address := b.salesforceWith(simforce.Options{Big: 12_000})
	id := b.integration(sim, address)
	w := b.start()
	load := flow.BackfillID("support", "salesforce-prod", "EmailMessage")
	comments := func() int {
		n, err := strconv.Atoi(b.seed.Strings(`select count(*)::text from comments`)[0])
		require.NoError(t, err)
		return n
	}
	b.eventually("everything is there", func() bool { return comments() == 12_000 })
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), load, "").Get(t.Context(), nil))

	about, err := b.temporal.DescribeWorkflowExecution(t.Context(), load, "")
	require.NoError(t, err)
	info := about.GetWorkflowExecutionInfo()
	require.Equal(t, flow.WorkflowBackfill, info.GetType().GetName())
	require.Equal(t, id, info.GetParentExecution().GetWorkflowId())
	for name, want := range map[string]string{flow.AttributeProject: "support", flow.AttributeIntegration: "salesforce-prod", flow.AttributeStatus: flow.StateDone} {
		var have string
		require.NoError(t, converter.GetDefaultDataConverter().FromPayload(info.GetSearchAttributes().GetIndexedFields()[name], &have))
		require.Equal(t, want, have)
	}
	value, err := b.temporal.QueryWorkflow(t.Context(), load, "", flow.QueryStatus)
	require.NoError(t, err)
	var status flow.BackfillStatus
	require.NoError(t, value.Get(&status))
	require.Equal(t, flow.StateDone, status.State)
	require.EqualValues(t, 12_000, status.Totals.Units)

	summaries := map[string]bool{}
	for _, event := range b.history(load) {
		var summary string
		if raw := event.GetUserMetadata().GetSummary(); raw != nil {
			require.NoError(t, converter.GetDefaultDataConverter().FromPayload(raw, &summary))
			summaries[regexp.MustCompile(`\d+`).ReplaceAllString(summary, "N")] = true
		}
		require.Less(t, event.Size(), 4096)
	}
	for _, want := range []string{"lay out the parts", "poll EmailMessage part N, page N", "transform EmailMessage part N, page N: N rows",
		"upsert EmailMessage part N, page N: N rows"} {
		require.True(t, summaries[want], "%s in %v", want, summaries)
	}
	started := 0
	for _, event := range b.history(id) {
		if child := event.GetStartChildWorkflowExecutionInitiatedEventAttributes(); child != nil {
			started++
			require.Equal(t, enumspb.PARENT_CLOSE_POLICY_ABANDON, child.GetParentClosePolicy())
			require.Equal(t, load, child.GetWorkflowId())
		}
	}
	require.Equal(t, 1, started)
	require.Equal(t, app.ExitOK, w.stop(), w.said())
}

// The stock tools start, pause, resume and cancel a backfill. Nothing of it stays at
// Salesforce when its workflow is cancelled.
func TestBackfillByHand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	sim, address := b.salesforceWith(simforce.Options{Big: 12_000})
	require.NoError(t, sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.RunSeconds = 3600 })) // no job gets ready
	b.integration(sim, address)
	w := b.start()
	load := flow.BackfillID("support", "salesforce-prod", "EmailMessage")
	open := func() string {
		return strings.Join(b.seed.Strings(`select desired || ' ' || state from backfills order by id desc limit 1`), "")
	}
	jobs := func() int { return len(b.seed.Strings(`select job_id from bulk_jobs where job_id is not null`)) }
	b.eventually("jobs are made", func() bool { return jobs() > 0 })
	status := func() string {
		value, err := b.temporal.QueryWorkflow(t.Context(), load, "", flow.QueryStatus)
		require.NoError(t, err)
		var s flow.BackfillStatus
		require.NoError(t, value.Get(&s))
		return s.State
	}
	require.NoError(t, b.temporal.SignalWorkflow(t.Context(), load, "", flow.SignalPause, nil))
	b.eventually("it is paused", func() bool { return open() == "paused open" && status() == flow.StatePaused })
	require.NoError(t, b.temporal.SignalWorkflow(t.Context(), load, "", flow.SignalResume, nil))
	b.eventually("it goes on", func() bool { return open() == "running open" && status() == flow.StateSyncing })
	require.NoError(t, b.temporal.CancelWorkflow(t.Context(), load, ""))
	require.ErrorContains(t, b.temporal.GetWorkflow(t.Context(), load, "").Get(t.Context(), nil), "canceled")
	require.Equal(t, "cancelled cancelled", open())
	require.Zero(t, jobs(), "no job stays at Salesforce")

	// What nobody asked for ends at once.
	again, err := b.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: load, TaskQueue: flow.QueueIntegrations},
		flow.WorkflowBackfill, flow.BackfillParams{Project: "support", Integration: "salesforce-prod", Object: "EmailMessage"})
	require.NoError(t, err)
	require.NoError(t, again.Get(t.Context(), nil))
	require.Equal(t, app.ExitOK, w.stop(), w.said())
}
