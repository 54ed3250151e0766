package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// heard waits until the stand-in workflow has got these signals, in order.
func (b *bench) heard(name string, signals ...string) {
	b.t.Helper()
	var s statusView
	require.Eventually(b.t, func() bool {
		s = statusView{}
		b.run("status", name, "--json").json(&s)
		return s.Workflow != nil && s.Workflow.Status != nil && strings.TrimSpace(s.Workflow.Status.Reason) == strings.Join(signals, " ")
	}, 2*time.Minute, 50*time.Millisecond, "want %v", signals)
}

func TestPauseResumeSyncNow(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	b.work()
	name, _ := b.apply()
	b.run("sync-now", name).bad(exitInput, "is not connected to Salesforce", "starter connect "+name)
	b.grant(name)

	b.run("pause", name).good()
	require.Equal(t, store.DesiredPaused, b.integration(name).Desired)
	var s statusView
	b.run("status", name, "--json").json(&s)
	require.Equal(t, flow.StatePaused, s.State, "at once, whatever the workflow has seen")
	require.Equal(t, "run `starter resume "+name+"`", s.Hint)
	b.run("sync-now", name).bad(exitInput, "is paused", "starter resume "+name)
	b.run("pause", name).good()

	var answer steerResult
	b.run("resume", name, "-json").json(&answer)
	require.Equal(t, steerResult{b.integration(name).Project, "salesforce-prod", store.DesiredRunning, operate.WorkflowSignalled}, answer)
	b.run("sync-now", name).good()
	b.run("start", name).good()
	b.heard(name, flow.SignalPause, flow.SignalPause, flow.SignalResume, flow.SignalSyncNow, flow.SignalConfigChanged)
}

func TestWithoutAWorkflow(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	b.work()
	name, _ := b.apply("--no-start")
	b.grant(name)
	require.Contains(t, b.run("pause", name).good().talk, "no workflow runs for it")
	b.run("resume", name).bad(exitInput, "no workflow runs for "+name, "starter start "+name)
	b.run("sync-now", name).bad(exitInput, "no workflow runs for "+name)
	require.Contains(t, b.run("status", name).good().out, "does not run: starter start "+name)
	require.Contains(t, b.run("start", name).good().talk, "started")
	require.Contains(t, b.run("start", name).good().talk, "runs already")
	b.heard(name, flow.SignalConfigChanged)
}

// When Temporal was lost, or an older database was restored, all are started at once, whatever they wait for.
func TestStartAll(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	b.work()
	running, _ := b.apply("--no-start")
	paused, _ := b.apply("--no-start")
	cut, _ := b.apply("--no-start")
	going, _ := b.apply("--no-start")
	b.grant(running)
	b.grant(paused)
	b.run("pause", paused).good()
	require.NoError(t, b.db.SetDesired(t.Context(), b.integration(cut).ID, store.DesiredDisconnected))
	require.NoError(t, b.db.SetDesired(t.Context(), b.integration(going).ID, store.DesiredDeleted))
	require.NoError(t, b.db.RequestRetransform(t.Context(), b.integration(running).ID, "EmailMessage", clean.Version))

	first := b.run("start", "--all").good()
	for _, name := range []string{running, paused, cut} {
		require.Contains(t, first.out, name+"\t"+operate.WorkflowStarted+"\n")
	}
	require.NotContains(t, first.out, going)
	require.Contains(t, first.talk, going+" is being deleted and is left alone\n  next: starter delete "+going)
	require.Contains(t, first.talk, "3 workflows started, 0 ran already")
	project, name, _ := strings.Cut(running, "/")
	d, err := b.temporal().DescribeWorkflow(t.Context(), flow.RetransformID(project, name), "")
	require.NoError(t, err)
	require.Equal(t, flow.WorkflowRetransform, d.WorkflowExecutionMetadata.WorkflowType.Name)
	require.Equal(t, store.DesiredPaused, b.integration(paused).Desired)
	require.Equal(t, store.DesiredDisconnected, b.integration(cut).Desired)

	var again []steerResult
	b.run("start", "--all", "--json").json(&again)
	require.Len(t, again, 3)
	for _, r := range again {
		require.Equal(t, operate.WorkflowSignalled, r.Workflow)
	}
	b.run("start", "--all", running).bad(exitInput, "one PROJECT/INTEGRATION or --all, not both")
	b.env["TEMPORAL_ADDRESS"] = "127.0.0.1:1"
	b.run("start", "--all").bad(exitUnreachable, "Temporal at 127.0.0.1:1 does not answer")
}

func TestSteeringHoldsWhileTemporalIsAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name, _ := b.apply("--no-start")
	b.run("pause", name).bad(exitUnreachable, "is paused in the database", "Temporal at 127.0.0.1:1 does not answer")
	require.Equal(t, store.DesiredPaused, b.integration(name).Desired)
	b.run("resume", name).bad(exitUnreachable, "resume again when Temporal is back")
	require.Equal(t, store.DesiredRunning, b.integration(name).Desired)

	b.run("delete", name, "--yes").bad(exitUnreachable)
	require.Equal(t, store.DesiredRunning, b.integration(name).Desired, "delete begins only when it can end the workflow")
}

func TestStatusWithoutTemporal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.Contains(t, b.run("list").good().talk, "no integrations yet")
	name, _ := b.apply("--no-start")
	r := b.run("status", name).good()
	require.Contains(t, r.out, name+"  awaiting_authorization since ")
	require.Contains(t, r.out, "run `starter connect "+name+"`")
	require.Contains(t, r.out, "EmailMessage")
	require.Contains(t, r.out, "Temporal at 127.0.0.1:1 does not answer")

	b.grant(name)
	var s map[string]any
	b.run("status", name, "--json").json(&s)
	require.Equal(t, true, s["connected"])
	require.Equal(t, "sync@acme.example", s["username"])
	require.Equal(t, "00D000000000001EAA", s["org_id"])
	require.Nil(t, s["workflow"])
	for _, key := range []string{"project", "integration", "state", "reason", "hint", "complete_to", "units", "comments"} {
		require.Contains(t, s, key)
	}
	object := s["objects"].([]any)[0].(map[string]any)
	for _, key := range []string{"object", "state", "complete_to", "comments", "units", "set_aside", "rechecks", "last_batch", "salesforce_rows"} {
		require.Contains(t, object, key)
	}

	var list []integrationView
	b.run("list", "--json").json(&list)
	require.Len(t, list, 1)
	require.Contains(t, b.run("status").good().out, name)
}

// Who mended what is waited for need not wait; a quota nobody here can mend.
func TestStatusSaysHowNotToWait(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	name, _ := b.apply("--no-start")
	for state, want := range map[string]string{
		"config_invalid": "2026-11-26T12:15:00Z; at once: starter sync-now " + name + "\n",
		"backing_off":    "2026-11-26T12:15:00Z; at once: starter sync-now " + name + "\n",
		"quota_wait":     "2026-11-26T12:15:00Z\n",
	} {
		seed.Exec(`update integrations set status = $1, status_until = '2026-11-26T12:15:00Z'`, state)
		require.Contains(t, b.run("status", name).good().out, "  goes on      "+want, state)
	}
}

// salesforce is the one endpoint that giving access back needs.
func (b *bench) salesforce(answer int) (url string, revoked func() []string) {
	b.t.Helper()
	var mu sync.Mutex
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		bodies = append(bodies, r.URL.Path+" "+string(body))
		mu.Unlock()
		w.WriteHeader(answer)
	}))
	b.t.Cleanup(server.Close)
	b.env["SALESFORCE_EXTRA_HOSTS"] = strings.TrimPrefix(server.URL, "http://")
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return bodies
	}
}

// applyAt is apply with the integration pointing at address.
func (b *bench) applyAt(address string, extra ...string) string {
	b.t.Helper()
	project := b.project()
	file := b.write("integration.yaml", strings.NewReplacer("project: support", "project: "+project, "acme.my.salesforce.com", address).Replace(mailYAML))
	b.run(append([]string{"apply", "-f", file}, extra...)...).good()
	return project + "/salesforce-prod"
}

func TestDisconnectGivesTheAccessBack(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	b.work()
	address, revoked := b.salesforce(http.StatusOK)
	name := b.applyAt(address)
	b.grant(name)
	b.run("connect", name).good()

	require.Contains(t, b.run("disconnect", name).good().talk, "next: starter connect "+name)
	require.Equal(t, []string{"/services/oauth2/revoke token=5Aep.refresh"}, revoked())
	c, err := b.db.LoadConnection(t.Context(), b.integration(name).ID)
	require.NoError(t, err)
	require.Empty(t, c.Access)
	require.Empty(t, c.Refresh)
	require.Equal(t, store.DesiredDisconnected, c.Desired)
	b.heard(name, flow.SignalConfigChanged)

	for _, command := range []string{"start", "resume", "sync-now"} {
		b.run(command, name).bad(exitInput, "is disconnected from Salesforce", "connect it first: starter connect "+name)
	}
	b.run("pause", name).bad(exitInput, "is disconnected")
	b.grant(name)
	b.run("resume", name).good()
}

func TestDisconnectWhenSalesforceIsDown(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	address, _ := b.salesforce(http.StatusServiceUnavailable)
	name := b.applyAt(address, "--no-start")
	b.grant(name)
	b.run("disconnect", name).bad(exitRuntime, "tokens are erased here", "Connected Apps OAuth Usage")
	c, err := b.db.LoadConnection(t.Context(), b.integration(name).ID)
	require.NoError(t, err)
	require.Empty(t, c.Refresh)
}

func TestDisconnectWithTheWrongKeysChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	name, _ := b.apply("--no-start")
	b.grant(name)
	b.env["ENCRYPTION_KEYS"] = "other:" + strings.Repeat("B", 43) + "="
	b.run("disconnect", name).bad(exitInput, "ENCRYPTION_KEYS does not hold the key")
	require.Equal(t, store.DesiredRunning, b.integration(name).Desired)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	b.work()
	b.endWait = 2 * time.Minute // there is a worker, however slow
	address, revoked := b.salesforce(http.StatusOK)
	name := b.applyAt(address)
	b.grant(name)

	b.runWith("no\n", "delete", name).bad(exitInput, "Type its name", "not confirmed, nothing was changed")
	b.run("delete", name).bad(exitInput, "not confirmed")
	require.Equal(t, store.DesiredRunning, b.integration(name).Desired)

	project, integration, _ := flow.SplitName(name)
	r := b.runWith(name+"\n", "delete", name).good()
	require.Contains(t, r.talk, "its comments stay in source "+project+"/salesforce-emails")
	require.Len(t, revoked(), 1)
	d, err := b.temporal().DescribeWorkflowExecution(t.Context(), flow.WorkflowID(project, integration), "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, d.GetWorkflowExecutionInfo().GetStatus(), "it ended itself")
	b.run("status", name).bad(exitInput, "there is no integration")
	b.run("delete", name, "--yes").bad(exitInput, "there is no integration")
}

func TestDeleteWithoutWorkersTerminates(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	b.env["TEMPORAL_NAMESPACE"] = ownNamespace(t, b) // no other test's worker helps out
	db, seed := storetest.NewSeed(t)
	b.db, b.env["DATABASE_URL"] = db, seed.URL()
	address, _ := b.salesforce(http.StatusServiceUnavailable)
	name := b.applyAt(address)
	b.grant(name)
	seed.Mail(b.integration(name).SourceID, "aa", time.Now(), "subject", "body")
	project, integration, _ := flow.SplitName(name)
	seed.Backfill(b.integration(name).ID, "EmailMessage", true, 0)
	load, err := b.temporal().ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: flow.BackfillID(project, integration, "EmailMessage"), TaskQueue: flow.QueueIntegrations}, flow.WorkflowBackfill, flow.BackfillParams{})
	require.NoError(t, err)

	r := b.run("delete", name, "--erase", "--yes", "--json")
	var result deleteResult
	r.json(&result)
	require.Equal(t, "terminated", result.Workflow)
	require.True(t, result.Erased)
	require.False(t, result.Revoked)
	require.Contains(t, r.talk, "Connected Apps OAuth Usage")
	d, err := b.temporal().DescribeWorkflowExecution(t.Context(), load.GetID(), "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, d.GetWorkflowExecutionInfo().GetStatus(), "its large load ends with it")
	require.Empty(t, seed.Strings(`select texts::text from revisions`))
	require.Len(t, seed.Strings(`select comment_id from ledger`), 1)
}
