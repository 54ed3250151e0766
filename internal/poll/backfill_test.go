package poll_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// flooded is connected with a service for which few rows are many.
func flooded(t *testing.T, o simforce.Options, objects ...config.Object) *bench {
	t.Helper()
	b := connected(t, o, objects...)
	b.svc.BulkFrom, b.svc.PartRows, b.svc.BatchBytes, b.svc.StepFor, b.svc.PagesAtOnce = 50, 30, 8_000, time.Nanosecond, 3
	return b
}

// step is one step of the backfill's workflow.
func (b *bench) step(object string) flow.BackfillStepResult {
	b.Helper()
	result, err := b.svc.BackfillStep(b.Context(), flow.BackfillStepParams{Project: "support", Integration: "prod", Object: object})
	require.NoError(b, err)
	return result
}

// flood is the workflow of a backfill until it ends. between is called between steps.
func (b *bench) flood(object string, between func(n int)) (flow.Counts, string) {
	b.Helper()
	var total flow.Counts
	for n := range 400 {
		if between != nil {
			between(n)
		}
		result, err := b.svc.BackfillStep(b.Context(), flow.BackfillStepParams{Project: "support", Integration: "prod", Object: object})
		if fault.Is(err, fault.Transient) {
			b.lookAgain()
			continue
		}
		require.NoError(b, err)
		if result.Outcome != flow.OutcomeOpen {
			return total, result.Outcome
		}
		for _, ref := range result.Ready {
			ref.Object = object
			counts, err := b.page(ref)
			total.Add(counts)
			if err != nil {
				require.True(b, fault.Is(err, fault.Transient) || fault.Is(err, fault.Fenced), "%v", err)
			}
		}
		b.clock.add(time.Second)
		b.lookAgain()
	}
	require.FailNow(b, "the backfill does not end")
	return total, ""
}

// lookAgain makes time pass for jobs that are to be looked at later.
func (b *bench) lookAgain() {
	b.Helper()
	b.seed.Exec(`update backfill_parts set look_at = now() - interval '1 second' where look_at > now() - interval '1 second'`)
}

// page polls, transforms and applies the pages of a part from ref on.
func (b *bench) page(ref flow.BatchRef) (flow.Counts, error) {
	b.Helper()
	var total flow.Counts
	for {
		polled, err := b.svc.Poll(b.Context(), ref)
		if err != nil || !polled.Sealed {
			return total, err
		}
		done := b.finish(ref)
		total.Add(done.Counts)
		if !done.More {
			return total, nil
		}
		ref = done.Next
	}
}

// begin lets the live lane find out that there is a flood.
func (b *bench) begin(object string) {
	b.Helper()
	counts, _ := b.sync()
	require.Zero(b, counts.Rows)
	require.NotNil(b, b.object(object).Backfill)
	require.Equal(b, []string{object}, b.look().Backfills)
	require.Empty(b, b.look().Backfills, "whoever was told starts a workflow")
}

// jobs is how many bulk jobs the org has.
func (b *bench) jobs() int {
	b.Helper()
	jobs, err := b.orgs.auth.Org(b.id).QueryJobs(b.Context())
	require.NoError(b, err)
	return len(jobs)
}

func TestFirstLoadGoesThroughBulk(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 300, Seed: 3}, mailObject)
	b.begin("EmailMessage")
	b.sim.ResetCounters()
	asks := 0
	b.orgs.during(func(_ int, q string) {
		if strings.Contains(q, "TextBody") {
			asks++
		}
	})
	counts, outcome := b.flood("EmailMessage", nil)
	require.Equal(t, flow.OutcomeDone, outcome)
	require.EqualValues(t, 300, counts.Created)
	require.EqualValues(t, 300, b.units())
	require.Zero(t, asks, "no body came over REST")
	require.Greater(t, b.count(`select count(*) from backfill_parts`), 5)
	require.Greater(t, b.count(`select count(*) from batches b join streams s on s.id = b.stream_id where lane = 'backfill'`), b.count(`select count(*) from backfill_parts`), "parts have pages")
	require.Zero(t, b.jobs(), "no job is left")
	require.Zero(t, b.count(`select count(*) from bulk_jobs`))
	b.seed.Exec(`update streams set verify_after = now()`)
	require.Zero(t, b.settle().Units)
	b.same()
	require.EqualValues(t, 300, b.units())
	require.Equal(t, []string{"300 300"}, b.seed.Strings(`select salesforce_rows || ' ' || stored_rows from streams where lane = 'live'`), "it is compared as soon as it is loaded")
}

// What changes while the load is under way ends with its newest version, and is billed once for each text.
func TestLiveSyncGoesOnBesideTheLoad(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 200, Seed: 4}, mailObject)
	b.begin("EmailMessage")
	mails := b.records("EmailMessage")
	changed := map[string]bool{}
	live := flow.Counts{}
	load, outcome := b.flood("EmailMessage", func(n int) {
		if n%2 == 1 || n > 40 {
			return
		}
		m := mails[(n*37)%len(mails)]
		id := m["Id"].(string)
		switch n % 3 {
		case 0:
			b.update("EmailMessage", id, simforce.Row{"TextBody": fmt.Sprintf("changed at step %d", n), "HtmlBody": nil})
			changed[id] = true
		case 1:
			b.update("Case", text(m, "ParentId"), simforce.Row{"Priority": "High"})
		case 2:
			b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"TextBody": "new", "Incoming": true, "MessageDate": b.clock.now(), "FromAddress": "a@x.example"}})
		}
		b.clock.add(2 * time.Second)
		counts, _ := b.sync()
		live.Add(counts)
	})
	require.Equal(t, flow.OutcomeDone, outcome)
	rest := b.settle()
	b.same()
	total := len(b.comments())
	texts := b.count(`select count(*) from revisions`)
	require.EqualValues(t, texts, b.units(), "one unit for each text")
	require.LessOrEqual(t, texts, total+len(changed), "and for each change, no more")
	require.Equal(t, b.units(), load.Units+live.Units+rest.Units)
}

func TestSecondPassCostsNothing(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 200, Seed: 5, MatchRecipients: true}, mailObject)
	b.begin("EmailMessage")
	b.flood("EmailMessage", nil)
	b.settle()
	comments := b.comments()
	b.clock.add(time.Hour)
	b.seed.Exec(`update streams set verify_after = now()`)
	b.settle()
	before := b.seed.Strings(`select 'c' || id || xmin::text from comments union all select 'r' || record_id || xmin::text from records
		union all select 'v' || comment_id || xmin::text from revisions order by 1`)
	chunks := b.count(`select count(*) from raw_chunks`)
	require.NoError(t, b.db.RequestBackfill(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "again"))
	require.True(t, fault.Is(b.db.RequestBackfill(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "twice"), fault.Conflict))
	counts, outcome := b.flood("EmailMessage", nil)
	require.Equal(t, flow.OutcomeDone, outcome)
	require.EqualValues(t, 200, counts.Unchanged)
	require.EqualValues(t, 200, counts.Rows)
	require.EqualValues(t, 200, b.units())
	require.Equal(t, before, b.seed.Strings(`select 'c' || id || xmin::text from comments union all select 'r' || record_id || xmin::text from records
		union all select 'v' || comment_id || xmin::text from revisions order by 1`), "no row has a new version")
	require.Equal(t, chunks, b.count(`select count(*) from raw_chunks`), "nothing was staged")
	require.EqualValues(t, 200, b.count(`select sum(skipped) from batches`))
	require.Equal(t, comments, b.comments())
}

// Pages with nothing to stage need no steps of their own; each ends what the one before said, also when the
// job goes away between two of them.
func TestUnchangedPagesAreOneBatch(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 300, Seed: 15, MatchRecipients: true}, mailObject)
	b.svc.PartRows = 100
	b.begin("EmailMessage")
	b.flood("EmailMessage", nil)
	b.settle()
	b.clock.add(time.Hour)
	b.seed.Exec(`update streams set verify_after = now()`)
	b.settle()
	again := func(lost int) (asked, batches int) {
		require.NoError(t, b.db.RequestBackfill(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "again"))
		last := b.count(`select max(id) from backfills`)
		b.orgs.results = func(locator string) {
			asked++
			if locator != "" && lost > 0 {
				lost--
				b.sim.DropBulkJobs()
			}
		}
		counts, outcome := b.flood("EmailMessage", nil)
		require.Equal(t, flow.OutcomeDone, outcome)
		require.Zero(t, lost)
		require.EqualValues(t, 300, counts.Unchanged)
		require.EqualValues(t, 300, b.units())
		return asked, b.count(fmt.Sprintf(`select count(*) from batches where stream_id in (select stream_id from backfill_parts where backfill_id = %d)`, last))
	}
	asked, batches := again(0)
	require.Greater(t, asked, 10)
	require.LessOrEqual(t, batches, (asked+4)/5+b.count(`select count(*) from backfill_parts where backfill_id = (select max(id) from backfills)`))
	twice, _ := again(3)
	require.Greater(t, twice, asked, "what a lost job gave is asked for again")
}

func TestResyncOfManyRowsGoesThroughBulk(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 120, Seed: 6}, mailObject)
	b.svc.BulkFrom = 1000
	require.EqualValues(t, 120, b.settle().Created)
	b.svc.BulkFrom = 50
	require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "asked for"))
	for range 5 {
		b.sync()
	}
	require.NotNil(t, b.object("EmailMessage").Backfill)
	require.Nil(t, b.object("EmailMessage").Resync)
	counts, outcome := b.flood("EmailMessage", nil)
	require.Equal(t, flow.OutcomeDone, outcome)
	require.EqualValues(t, 120, counts.Unchanged)
	require.EqualValues(t, 120, b.units())
}

func TestBulkRefusesAndRESTReads(t *testing.T) {
	t.Parallel()
	for name, turn := range map[string]func(*simforce.Knobs){
		"entity":         func(k *simforce.Knobs) { k.Bulk.Refused = []string{"EmailMessage"} },
		"silent failure": func(k *simforce.Knobs) { k.Bulk.FailRows = 3 },
		"failure":        func(k *simforce.Knobs) { k.Bulk.Fail = &simforce.BulkFailure{Message: "InternalServerError"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := flooded(t, simforce.Options{Generate: 150, Seed: 7, MatchRecipients: true}, mailObject)
			require.NoError(t, b.sim.SetKnobs(turn))
			b.begin("EmailMessage")
			counts, outcome := b.flood("EmailMessage", nil)
			require.Equal(t, flow.OutcomeDone, outcome)
			require.EqualValues(t, 150, counts.Created)
			require.Equal(t, []string{"rest"}, b.seed.Strings(`select distinct api from backfill_parts where rows_expected > 3`))
			require.Zero(t, b.count(`select count(*) from backfill_parts where api = 'rest' and why_rest = ''`))
			require.Zero(t, b.jobs())
			b.settle()
			require.EqualValues(t, 150, b.units())
		})
	}
}

// A field is hidden when jobs are asked for and can be read again before they are done: what they bring lacks it, and they are
// asked for anew.
func TestAFieldComesBackWhileJobsRun(t *testing.T) {
	t.Parallel()
	for state, queue := range map[string]float64{"running": 20, "ready": 0} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			b := flooded(t, simforce.Options{Generate: 60, Seed: 10}, mailObject)
			require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.QueueSeconds = queue }))
			b.hide("EmailMessage.Subject")
			b.check()
			b.begin("EmailMessage")
			made := 0
			for range 30 {
				if made = b.count(`select count(*) from backfill_parts where state = '` + state + `' and api = 'bulk'`); made > 0 {
					break
				}
				b.step("EmailMessage")
				b.clock.add(time.Second)
				b.lookAgain()
			}
			require.NotZero(t, made)
			b.show("EmailMessage.Subject")
			b.check()
			require.Equal(t, made, b.count(`select count(*) from backfill_parts where state = 'waiting' and attempt = 2`))
			counts, outcome := b.flood("EmailMessage", nil)
			require.Equal(t, flow.OutcomeDone, outcome)
			require.EqualValues(t, 60, counts.Created)
			require.Zero(t, b.jobs(), "none is left at Salesforce")
			b.settle()
			b.same()
			require.Zero(t, b.count(`select count(*) from set_aside`))
			require.EqualValues(t, 60, b.units())
		})
	}
}

// A job that Salesforce works on for ever is aborted and asked for again, and in the end REST reads its part; one that only
// waits for its turn keeps its place.
func TestJobThatNeverEnds(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 60, Seed: 9}, mailObject)
	require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.QueueSeconds, k.Bulk.RunSeconds = 20, 1e9 }))
	b.begin("EmailMessage")
	hours := func(int) { b.seed.Exec(`update backfill_parts set looks = 240 where state = 'running'`) } // of looking, every half a minute
	for n := range 10 {
		b.step("EmailMessage")
		hours(n)
		b.lookAgain()
	}
	made := b.jobs()
	require.NotZero(t, made)
	require.Equal(t, []string{"1"}, b.seed.Strings(`select distinct attempt::text from backfill_parts`), "they are queued")
	b.clock.add(20 * time.Second)
	_, err := b.svc.BackfillStep(t.Context(), flow.BackfillStepParams{Project: "support", Integration: "prod", Object: "EmailMessage"})
	require.ErrorContains(t, err, "has been in progress for hours")
	require.Equal(t, fault.Transient, fault.KindOf(err))
	counts, outcome := b.flood("EmailMessage", hours)
	require.Equal(t, flow.OutcomeDone, outcome)
	require.EqualValues(t, 60, counts.Created)
	require.Equal(t, []string{"rest jobs for it failed again and again"}, b.seed.Strings(`select distinct api || ' ' || why_rest from backfill_parts where rows_expected > 0`))
	require.Zero(t, b.jobs(), "none is left at Salesforce")
	b.settle()
	b.same()
	require.EqualValues(t, 60, b.units())
}

// A job whose results are gone is asked for again; what came of it stays.
func TestJobThatIsGone(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 200, Seed: 8}, mailObject)
	b.begin("EmailMessage")
	gone := 0
	counts, outcome := b.flood("EmailMessage", func(n int) {
		if n == 4 || n == 6 {
			gone++
			b.sim.DropBulkJobs()
		}
	})
	require.Equal(t, flow.OutcomeDone, outcome)
	require.Equal(t, 2, gone)
	require.EqualValues(t, 200, counts.Created)
	b.settle()
	b.same()
	require.EqualValues(t, 200, b.units())
}

func TestPauseAndCancelOfABackfill(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 200, Seed: 9}, mailObject)
	b.begin("EmailMessage")
	for b.jobs() == 0 {
		b.step("EmailMessage")
		b.lookAgain()
	}
	steer := func(signal string) {
		require.NoError(t, b.db.SteerBackfill(t.Context(), "support", "prod", "EmailMessage", signal))
	}
	steer(flow.SignalPause)
	b.sim.ResetCounters()
	require.Equal(t, flow.OutcomePaused, b.step("EmailMessage").Outcome)
	require.Zero(t, b.sim.Counters().Total, "nothing is asked while it is paused")
	part := b.seed.Strings(`select stream_id::text || ' ' || st.epoch from backfill_parts p join streams st on st.id = stream_id order by p.part limit 1`)[0]
	var ref flow.BatchRef
	_, err := fmt.Sscan(part, &ref.Stream, &ref.Epoch)
	require.NoError(t, err)
	ref.Seq = 1
	require.Error(t, b.db.Gate(t.Context(), ref.Stream, ref.Epoch))
	steer(flow.SignalResume)
	require.Equal(t, flow.OutcomeOpen, b.step("EmailMessage").Outcome)
	steer(flow.SignalCancel)
	require.Equal(t, flow.OutcomeCancelled, b.step("EmailMessage").Outcome)
	require.Zero(t, b.jobs(), "its jobs are ended")
	require.Nil(t, b.object("EmailMessage").Backfill)
	require.Equal(t, flow.OutcomeCancelled, b.step("EmailMessage").Outcome)
	_, err = b.svc.Poll(t.Context(), ref)
	require.True(t, fault.Is(err, fault.Fenced), "%v", err)
}

// A changed mapping ends what was laid out for the old one; the new one is loaded whole.
func TestChangedMappingBeginsAnotherLoad(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 120, Seed: 10}, mailObject)
	b.begin("EmailMessage")
	for b.units() < 30 {
		for _, ref := range b.step("EmailMessage").Ready {
			_, err := b.page(ref)
			require.NoError(t, err)
		}
		b.lookAgain()
	}
	changed := mailObject
	changed.Properties = []config.Property{{Name: "Case Origin", Path: "Parent.Origin"}, {Name: "Account", Path: "Parent.Account.Name"}}
	b.spec.Objects = []config.Object{changed}
	b.apply()
	require.Equal(t, flow.OutcomeCancelled, b.step("EmailMessage").Outcome)
	require.Zero(t, b.jobs(), "the jobs of the first are ended")
	b.check()
	b.begin("EmailMessage")
	counts, outcome := b.flood("EmailMessage", nil)
	require.Equal(t, flow.OutcomeDone, outcome)
	require.Equal(t, 120, int(counts.Rows))
	b.settle()
	require.EqualValues(t, 120, b.units(), "a mapping costs nothing where the text stays")
	require.Equal(t, 120, b.count(`select count(*) from comments`))
}

// An answer that got lost after Salesforce made the job: the job is found and ended.
func TestLostAnswerLeavesNoJob(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 200, Seed: 11}, mailObject)
	b.begin("EmailMessage")
	lose := 3
	b.orgs.loseJob = func() bool { lose--; return lose >= 0 }
	stranger, err := b.orgs.auth.Org(b.id).CreateQueryJob(t.Context(), "SELECT Id FROM Case", true)
	require.NoError(t, err)
	counts, outcome := b.flood("EmailMessage", nil)
	require.Equal(t, flow.OutcomeDone, outcome)
	require.Negative(t, lose)
	require.EqualValues(t, 200, counts.Created)
	jobs, err := b.orgs.auth.Org(b.id).QueryJobs(t.Context())
	require.NoError(t, err)
	require.Len(t, jobs, 1, "only the job of somebody else is left")
	require.Equal(t, stranger.ID, jobs[0].ID)
}

// Parts cover all of time, without a gap and without an overlap, however rows are spread.
func TestPartsCoverEverything(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 40, Seed: 12}, noteObject)
	b.svc.BulkFrom, b.svc.PartRows = 1, 4
	parent := b.records("Case")[0]["Id"].(string)
	for i := range 60 { // most in two bursts, some long ago, one before Salesforce was
		made := time.Date(2026, 11, 1+i%2*20, 8, 0, i/10, 0, time.UTC)
		switch {
		case i%20 == 0:
			made = time.Date(2005+i/10, 1, 1, 0, 0, 0, 0, time.UTC)
		case i == 59:
			made = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		b.create("CaseComment", simforce.Write{Stamp: made, Fields: simforce.Row{"CreatedDate": made, "ParentId": parent, "CommentBody": fmt.Sprint("note ", i)}})
	}
	want := len(b.records("CaseComment"))
	b.begin("CaseComment")
	counts, outcome := b.flood("CaseComment", nil)
	require.Equal(t, flow.OutcomeDone, outcome)
	require.EqualValues(t, want, counts.Rows, "each row is in one part")
	require.EqualValues(t, want, counts.Created)
	edges := b.seed.Strings(`select coalesce(from_date::text, '-') || ' ' || coalesce(until_date::text, '-') from backfill_parts order by from_date nulls first`)
	require.Greater(t, len(edges), 4)
}

// A backfill that nobody looks after is given to another workflow.
func TestBackfillIsClaimedAgain(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 100, Seed: 13}, mailObject)
	b.begin("EmailMessage")
	b.step("EmailMessage")
	require.Empty(t, b.look().Backfills)
	b.seed.Exec(`update backfills set beat_at = now() - interval '10 minutes'`)
	require.Equal(t, []string{"EmailMessage"}, b.look().Backfills)
	list, err := b.db.Backfills(t.Context(), b.id)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.True(t, list[0].First)
	require.EqualValues(t, 100, list[0].Expected)
	b.flood("EmailMessage", nil)
	list, err = b.db.Backfills(t.Context(), b.id)
	require.NoError(t, err)
	require.Equal(t, store.BackfillDone, list[0].State)
	require.EqualValues(t, 100, list[0].Rows)
	require.EqualValues(t, 100, list[0].Units)
	require.Equal(t, list[0].Parts, list[0].Done)
	require.Equal(t, slices.Sorted(maps.Keys(map[string]bool{"EmailMessage": true})), []string{list[0].Object})
}

// A backfill of a stretch that was asked for before anything was read must not pass for the
// first load.
func TestFirstLoadIsOfEverything(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 120, Seed: 14}, mailObject)
	require.NoError(t, b.db.RequestBackfill(t.Context(), b.id, "EmailMessage", b.clock.now().Add(-time.Hour), time.Time{}, "too early"))
	b.sync()
	counts, outcome := b.flood("EmailMessage", nil)
	require.Equal(t, flow.OutcomeDone, outcome)
	require.EqualValues(t, 120, counts.Created)
	b.settle()
	b.same()
	require.Zero(t, b.jobs())
}
