package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// twoObjects is a file's text with a second object.
const twoObjects = mailYAML + `  - object: Case
    timestamp: CreatedDate
    body: Description
`

// newSeeded is newBench with rows of the test's own.
func newSeeded(t *testing.T) (*bench, *storetest.Seed) {
	t.Helper()
	b := newBench(t)
	db, seed := storetest.NewSeed(t)
	b.db, b.env["DATABASE_URL"] = db, seed.URL()
	return b, seed
}

// applyTwo applies twoObjects without Temporal, connects it, and gives its name.
func (b *bench) applyTwo(extra ...string) string {
	b.t.Helper()
	project := b.project()
	file := b.write("two.yaml", strings.Replace(twoObjects, "project: support", "project: "+project, 1))
	b.run(append([]string{"apply", "-f", file}, extra...)...).good()
	b.grant(project + "/salesforce-prod")
	return project + "/salesforce-prod"
}

// backfills are the last ones of an integration, by object.
func (b *bench) backfills(name string) map[string]store.Backfill {
	b.t.Helper()
	list, err := b.db.Backfills(b.t.Context(), b.integration(name).ID)
	require.NoError(b.t, err)
	out := map[string]store.Backfill{}
	for _, f := range list {
		out[f.Object] = f
	}
	return out
}

func TestBackfillAsksForAll(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	b.withTemporal()
	b.work()
	name := b.applyTwo()
	seed.Exec(`update streams set salesforce_rows = 300000 where object = 'Case' and lane = 'live'`)
	seed.Exec(`insert into batches (stream_id, epoch, seq, state, rows, bytes, created, units, checksum, read_begin, read_end, applied_at)
		select id, epoch, 1, 'applied', 100, 800000, 100, 100, '\x00', 1, 2, now() from streams where object = 'Case'`)

	r := b.run("backfill", name, "--object", "case", "--from", "2026-01-01T00:00:00Z").good()
	require.Contains(t, r.talk, name+" reads again in bulk, beside live sync: Case\nit costs no AI units where no text has changed")
	require.Contains(t, r.talk, "Case: at most 300,000 records, 2,288 MB; roughly 168 API requests")
	require.Contains(t, r.talk, "next: starter status "+name+" --watch")
	f := b.backfills(name)["Case"]
	require.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), f.From.UTC())
	require.True(t, f.Until.IsZero())
	require.False(t, f.First)
	b.heard(name, flow.SignalSyncNow)

	b.run("backfill", name, "--object", "Case", "--object", "EmailMessage").bad(exitInput, "a backfill of Case is under way", "starter backfill "+name+" --object Case --cancel")
	require.Len(t, b.backfills(name), 1, "half of what was named is not what was meant")
	var result backfillResult
	b.run("backfill", name, "--json").json(&result)
	require.Equal(t, "asked", result.Action)
	require.Equal(t, []string{"EmailMessage"}, result.Objects)
	require.Equal(t, []string{"Case"}, result.UnderWay)
	require.Equal(t, []operate.LoadEstimate{{Object: "EmailMessage"}}, result.Estimates)
	require.Equal(t, operate.WorkflowSignalled, result.Workflow)
	b.run("backfill", name).bad(exitInput, "a backfill of EmailMessage and of Case is under way")
}

func TestBackfillSteersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	b.withTemporal()
	name := b.applyTwo("--no-start")
	project, integration, _ := flow.SplitName(name)
	w := worker.New(b.temporal(), flow.QueueIntegrations, worker.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, _ flow.BackfillParams) ([]string, error) {
		heard := make([]string, 3)
		for i := range heard {
			s := workflow.NewSelector(ctx)
			for _, signal := range []string{flow.SignalPause, flow.SignalResume, flow.SignalCancel} {
				s.AddReceive(workflow.GetSignalChannel(ctx, signal), func(c workflow.ReceiveChannel, _ bool) {
					var p flow.SignalPayload
					c.Receive(ctx, &p)
					if p.Written {
						heard[i] = signal
					}
				})
			}
			s.Select(ctx)
		}
		return heard, nil
	}, workflow.RegisterOptions{Name: "Backfill-" + project})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	run, err := b.temporal().ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: flow.BackfillID(project, integration, "EmailMessage"), TaskQueue: flow.QueueIntegrations}, "Backfill-"+project, flow.BackfillParams{})
	require.NoError(t, err)

	b.run("backfill", name, "--pause").bad(exitInput, "no backfill is under way in "+name)
	id := b.integration(name).ID
	seed.Backfill(id, "EmailMessage", true, 0)
	seed.Backfill(id, "Case", true, 0)
	require.Contains(t, b.run("backfill", name, "--pause").good().talk, "the backfill of Case, EmailMessage is paused; live sync goes on\nnext: starter backfill "+name+" --resume")
	require.Equal(t, store.BackfillPaused, b.backfills(name)["Case"].Desired)
	require.Equal(t, store.BackfillPaused, b.backfills(name)["EmailMessage"].Desired)
	require.Contains(t, b.run("backfill", name, "--resume", "--object", "emailmessage").good().talk, "goes on where it was")
	require.Equal(t, store.BackfillPaused, b.backfills(name)["Case"].Desired)
	require.Equal(t, store.BackfillRunning, b.backfills(name)["EmailMessage"].Desired)

	var result backfillResult
	b.run("backfill", name, "--cancel", "--object", "EmailMessage", "--json").json(&result)
	require.Equal(t, flow.SignalCancel, result.Action)
	require.Equal(t, []string{"EmailMessage"}, result.Objects)
	require.Equal(t, operate.WorkflowSignalled, result.Workflow)
	require.Equal(t, store.BackfillCancelled, b.backfills(name)["EmailMessage"].Desired)
	var heard []string
	require.NoError(t, run.Get(t.Context(), &heard))
	require.Equal(t, []string{flow.SignalPause, flow.SignalResume, flow.SignalCancel}, heard)

	b.run("backfill", name, "--cancel", "--object", "Case", "--json").json(&result)
	require.Equal(t, operate.WorkflowNotStarted, result.Workflow, "no workflow looks after it yet: it is written down")
	seed.Exec(`update backfills set state = 'cancelled', finished_at = now() where object = 'Case'`)
	b.run("backfill", name, "--resume", "--object", "Case").bad(exitInput, "no backfill of Case is under way", "starter status "+name)
}

func TestBackfillSaysWhyNot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name, _ := b.apply("--no-start")
	b.run("backfill", name, "--pause", "--cancel").bad(exitInput, "--pause, --resume and --cancel exclude each other")
	b.run("backfill", name, "--cancel", "--from", "2026-01-01T00:00:00Z").bad(exitInput, "it takes no --from and no --until")
	b.run("backfill", name, "--from", "yesterday").bad(exitInput, `--from: "yesterday" is not a time`)
	b.run("backfill", name, "--from", "2026-02-01T00:00:00Z", "--until", "2026-01-01T00:00:00Z").bad(exitInput, "is before --from")
	b.run("backfill", name, "--object", "Lead").bad(exitInput, "has no object Lead", "it has EmailMessage")
	b.run("backfill", name, "--object", "Lead", "--pause").bad(exitInput, "has no object Lead")
	require.Empty(t, b.backfills(name))

	// Temporal is away: the wish is in PostgreSQL.
	r := b.run("backfill", name)
	require.Equal(t, exitUnreachable, r.code)
	require.Contains(t, r.talk, "the backfill is noted")
	require.Len(t, b.backfills(name), 1)
	r = b.run("backfill", name, "--pause")
	require.Equal(t, exitUnreachable, r.code)
	require.Contains(t, r.talk, "it is noted")
	require.Equal(t, store.BackfillPaused, b.backfills(name)["EmailMessage"].Desired)
}

func TestBackfillOfAPausedIntegrationWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name, _ := b.apply("--no-start")
	b.grant(name)
	b.run("pause", name)
	r := b.run("backfill", name).good()
	require.Contains(t, r.talk, "is paused: it begins when the integration is resumed\nnext: starter resume "+name)
	require.Contains(t, r.talk, "EmailMessage: how many records there are is counted first")
	require.Contains(t, b.run("status", name).good().out, "waits: the integration is paused\n    next: run `starter resume "+name+"`")
}

func TestStatusShowsLoads(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	name := b.applyTwo("--no-start")
	id := b.integration(name).ID
	seed.Exec(`update streams set verified_to = now() where lane = 'live'`)
	load := seed.Backfill(id, "EmailMessage", true, 300_000)
	seed.Part(load, 100_000, store.PartReady, true)
	seed.Part(load, 62_000, store.PartReady, false)
	part := seed.Part(load, 0, store.PartRunning, false)

	out := b.run("status", name).good().out
	require.Contains(t, out, "  EmailMessage: first load  ["+strings.Repeat("█", 16)+strings.Repeat("░", 14)+"]  54%  162,000 of 300,000 rows  2,700 rows/s  51s left\n")
	require.Contains(t, out, "    1 of 3 parts are loaded; Salesforce is at work on 1 job; 162,000 new comments, 0 changed texts, 162,000 AI units\n")
	require.Regexp(t, `complete to +not known before the first load of EmailMessage is done\n`, out)
	require.NotContains(t, out, "waits")

	seed.Exec(`update backfills set fault_kind = 'Permission', fault_message = 'the user may not use the Bulk API', fault_hint = 'tick it', retry_at = '2026-11-25T12:00:00Z'`)
	seed.Exec(`update backfill_parts set api = 'rest', why_rest = 'Bulk does not take this object' where part = $1`, part)
	out = b.run("status", name).good().out
	require.Contains(t, out, "    waits: the user may not use the Bulk API; tried again at 2026-11-25T12:00:00Z\n    next: tick it\n")
	require.Contains(t, out, "    1 part goes over REST: Bulk does not take this object\n")
	require.NotContains(t, out, "51s left", "nobody can tell")

	var s statusView
	b.run("status", name, "--json").json(&s)
	require.Nil(t, s.CompleteTo)
	require.Nil(t, s.Objects[0].CompleteTo)
	require.NotNil(t, s.Objects[1].CompleteTo, "of the other object it is known")
	require.Nil(t, s.Objects[1].Backfill)
	f := s.Objects[0].Backfill
	require.Equal(t, []int64{162_000, 300_000, 3, 1, 1, 1, 162_000}, []int64{f.Rows, *f.Expected, f.Parts, f.PartsDone, f.Jobs, f.OverREST, f.Units})
	require.True(t, f.First)
	require.Equal(t, store.BackfillOpen, f.State)
	require.Equal(t, "tick it", f.WaitsFor.Hint)
	require.Nil(t, f.ETA)

	b.run("backfill", name, "--pause")
	require.Contains(t, b.run("status", name).good().out, "waits: paused by an operator\n    next: run `starter backfill "+name+" --object EmailMessage --resume`")
	b.run("backfill", name, "--cancel")
	require.Contains(t, b.run("status", name).good().out, "waits: it is being cancelled")
	require.NoError(t, b.db.EndBackfill(t.Context(), load, store.BackfillCancelled))
	out = b.run("status", name).good().out
	require.Contains(t, out, "first load was cancelled at 162,000 of 300,000 rows")
	require.Contains(t, out, "next: run `starter backfill "+name+" --object EmailMessage`, which loads the rest")
	require.Contains(t, out, "not known before the first load of EmailMessage is done")

	seed.Exec(`update backfills set desired = 'running', state = 'done', finished_at = started_at + interval '90 seconds', rows_expected = null`)
	out = b.run("status", name).good().out
	require.Contains(t, out, "EmailMessage: first load is done: 162,000 rows in 1m30s, 1,800 rows/s; 162,000 new comments")
	require.Contains(t, out, "    1 part went over REST: Bulk does not take this object\n")
	require.NotContains(t, out, "not known before the first load")
	seed.Exec(`update backfills set finished_at = now() - interval '25 hours', started_at = now() - interval '26 hours'`)
	require.NotContains(t, b.run("status", name).good().out, "first load", "it is long ago")
	b.run("status", name, "--json").json(&s)
	require.NotNil(t, s.Objects[0].Backfill, "JSON has it for good")
}

func TestHowLoadsAreWritten(t *testing.T) {
	t.Parallel()
	require.Equal(t, "["+strings.Repeat("░", 30)+"]   ?%", bar(-1))
	require.Equal(t, "["+strings.Repeat("░", 30)+"]   0%", bar(0))
	require.Equal(t, "["+strings.Repeat("█", 29)+"░]  99%", bar(0.99))
	require.Equal(t, "["+strings.Repeat("█", 30)+"] 100%", bar(1))
	require.Equal(t, "2h14m", lasting(2*time.Hour+14*time.Minute+29*time.Second))
	require.Equal(t, "1m34s", lasting(94400*time.Millisecond))
	require.Equal(t, "0.4 rows/s", rate(0.41))
	require.Equal(t, "7,411 rows/s", rate(7410.7))
	b := store.Backfill{State: store.BackfillOpen, From: time.Unix(0, 0), ReadAt: time.Now()}
	v := viewBackfill(b, "a/b", store.DesiredRunning, true)
	require.Equal(t, "backfill from 1970-01-01T00:00:00Z  "+bar(-1)+"  0 rows", v.progress())
	require.Equal(t, []string{"it has not begun; 0 new comments, 0 changed texts, 0 AI units"}, v.details("a/b", "X"))
	b.From, b.Until, b.StartedAt = time.Time{}, time.Unix(0, 0), &b.ReadAt
	v = viewBackfill(b, "a/b", store.DesiredRunning, true)
	require.Equal(t, "backfill until 1970-01-01T00:00:00Z", v.what())
	require.Contains(t, v.details("a/b", "X")[0], "it is being laid out")
	b.From, b.Parts, b.Jobs = time.Unix(-60, 0), 2, 2
	v = viewBackfill(b, "a/b", store.DesiredRunning, true)
	require.Equal(t, "backfill of 1969-12-31T23:59:00Z to 1970-01-01T00:00:00Z", v.what())
	require.Contains(t, v.details("a/b", "X")[0], "0 of 2 parts are loaded, more are being laid out; Salesforce is at work on 2 jobs")
}
