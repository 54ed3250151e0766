package transform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
	"salesforcesync/internal/transform"
)

// anew is an object whose records were made comments of by the recipe of an older plan, which
// leaves mails whole.
type anew struct {
	t       testing.TB
	db      *store.Store
	seed    *storetest.Seed
	batches transform.Batches
	target  *store.Target
	ref     flow.BatchRef // the next batch of the live lane
	stamp   time.Time
}

func newAnew(t testing.TB, chunks ...store.Chunk) *anew {
	t.Helper()
	db, seed, ref := sealedChunks(t, nil, chunks...)
	a := &anew{t: t, db: db, seed: seed, batches: transform.Batches{Store: db}, ref: ref, stamp: time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC)}
	a.apply()
	var err error
	a.target, err = db.LoadTarget(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	return a
}

func jsonChunk(records ...[]byte) store.Chunk {
	c := store.Chunk{Format: store.FormatJSON, IDs: make([]string, len(records))}
	for _, raw := range records {
		c.Data = append(append(c.Data, raw...), '\n')
	}
	return c
}

// apply makes comments of the live lane's next batch, which is sealed.
func (a *anew) apply() flow.Counts {
	a.t.Helper()
	_, err := a.batches.Transform(a.t.Context(), a.ref)
	require.NoError(a.t, err)
	done, err := a.db.Upsert(a.t.Context(), a.ref)
	require.NoError(a.t, err)
	a.ref = done.Next
	return done.Counts
}

// read has the live lane read records once more.
func (a *anew) read(records ...[]byte) flow.Counts {
	a.t.Helper()
	b, err := a.db.BeginBatch(a.t.Context(), a.ref)
	require.NoError(a.t, err)
	c := jsonChunk(records...)
	require.NoError(a.t, a.db.AddChunk(a.t.Context(), b, c))
	sum := store.Checksum(c.Format)
	sum.Write(c.Data)
	require.NoError(a.t, a.db.SealBatch(a.t.Context(), b, store.Seal{Chunks: 1, Rows: int64(len(records)), Bytes: int64(len(c.Data)), Checksum: sum.Sum(nil),
		ServerTime: time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)}))
	return a.apply()
}

// plan changes the recipe in force, as a check after an upgrade does.
func (a *anew) plan(r transform.Recipe) {
	a.t.Helper()
	a.seed.Exec(`update objects set plan = $1`, string(planOf(a.t, r)))
}

func planOf(t testing.TB, r transform.Recipe) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"object": "EmailMessage", "recipe": r})
	require.NoError(t, err)
	return raw
}

// apart is the recipe of a plan of today: mails are taken apart.
func apart() transform.Recipe {
	r := recipe
	r.Mapping.Mail = true
	return r
}

// planned says what a retransform would do.
func (a *anew) planned(r transform.Recipe) (flow.RetransformCounts, []transform.Change) {
	a.t.Helper()
	var changes []transform.Change
	counts, err := a.batches.PlanRetransform(a.t.Context(), a.target.SourceID, "EmailMessage", planOf(a.t, r),
		func(c transform.Change) error { changes = append(changes, c); return nil }, func(flow.RetransformCounts) {})
	require.NoError(a.t, err)
	return counts, changes
}

// retransform makes everything anew and returns what was done.
func (a *anew) retransform() flow.RetransformCounts {
	a.t.Helper()
	require.NoError(a.t, a.db.RequestRetransform(a.t.Context(), a.target.IntegrationID, "EmailMessage", clean.Version))
	got, err := a.batches.Retransform(a.t.Context(), flow.RetransformParams{Project: "support", Integration: "salesforce-prod"}, time.Hour)
	require.NoError(a.t, err)
	require.False(a.t, got.Open)
	require.Len(a.t, got.Objects, 1)
	require.Equal(a.t, store.RetransformDone, got.Objects[0].State)
	return got.Objects[0].Counts
}

func (a *anew) one(sql string) string {
	a.t.Helper()
	got := a.seed.Strings(sql)
	require.Len(a.t, got, 1, sql)
	return got[0]
}

func (a *anew) body(id string) string {
	a.t.Helper()
	c, err := a.db.Comment(a.t.Context(), a.target.SourceID, hexID(id))
	require.NoError(a.t, err)
	return c.Messages[0].Body.Text
}

// billed checks that the bill is what was written: a unit per revision, and nothing without one.
func (a *anew) billed(units int) {
	a.t.Helper()
	require.Equal(a.t, fmt.Sprint(units), a.one(`select count(*)::text from ledger`))
	require.Equal(a.t, "0", a.one(`select count(*)::text from ledger l full join revisions v using (source_id, comment_id, revision) where l.units is null or v.texts is null`))
	require.Equal(a.t, "0", a.one(`select count(*)::text from ledger l join revisions v using (source_id, comment_id, revision) where l.after_hash <> v.text_hash`))
	require.Equal(a.t, a.one(`select count(*)::text from ledger where reason = 'created'`), a.one(`select sum(created)::text from batches`))
	require.Equal(a.t, fmt.Sprint(units), a.one(`select sum(units)::text from batches`))
	require.Equal(a.t, "0", a.one(`select count(*)::text from staged`))
}

func anID(n int) string { return salesforce.To18(fmt.Sprintf("02s5e%010d", n)) }

func TestRetransform(t *testing.T) {
	t.Parallel()
	plain := record(map[string]any{"Id": otherID, "TextBody": "Good day"})
	quoting := record(map[string]any{"TextBody": threadText})
	for name, chunks := range map[string][]store.Chunk{"one chunk": {jsonChunk(quoting, plain)}, "two chunks": {jsonChunk(plain), jsonChunk(quoting)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAnew(t, chunks...)
			require.Equal(t, clean.Text(threadText), a.body(mailID))
			a.billed(2)

			same, changes := a.planned(recipe)
			require.Equal(t, flow.RetransformCounts{Records: 2, Unchanged: 2}, same, "the same cleaning and inputs: there is nothing to do")
			require.Empty(t, changes)
			require.Equal(t, same, a.retransform())
			require.Equal(t, "0", a.one(`select count(*)::text from batches b join streams st on st.id = b.stream_id where lane = 'retransform'`), "it leaves no receipts of nothing")

			a.plan(apart())
			want := flow.RetransformCounts{Records: 2, Unchanged: 1, TextChanged: 1, Units: 1, BodiesShorter: 1, SignaturesLonger: 1}
			got, changes := a.planned(apart())
			require.Equal(t, want, got)
			require.Len(t, changes, 1)
			require.Equal(t, mailID, changes[0].Record.ID)
			require.Equal(t, clean.Text(threadText), changes[0].Before.Comment.Messages[0].Body.Text)
			require.Equal(t, "Thanks, that works.", changes[0].Remade.Row.Comment.Messages[0].Body.Text)
			a.billed(2) // a plan writes nothing
			require.Equal(t, clean.Text(threadText), a.body(mailID))

			require.Equal(t, want, a.retransform(), "done is what was planned")
			require.Equal(t, "Thanks, that works.", a.body(mailID))
			require.Equal(t, "Good day", a.body(otherID))
			a.billed(3)
			require.Equal(t, []string{"1 created", "2 text_changed"}, a.seed.Strings(`select revision || ' ' || reason from ledger where comment_id = $1 order by 1`, hexID(mailID)))
			require.Equal(t, fmt.Sprint(clean.Version), a.one(`select distinct cleaning_version::text from revisions where revision = 2`))
			require.Equal(t, []string{"retransform applied 2 1 1"}, a.seed.Strings(`
				select lane || ' ' || state || ' ' || b.rows || ' ' || text_changed || ' ' || unchanged from batches b join streams st on st.id = b.stream_id where lane = 'retransform'`))

			again := flow.RetransformCounts{Records: 2, Unchanged: 2}
			got, _ = a.planned(apart())
			require.Equal(t, again, got)
			require.Equal(t, again, a.retransform(), "the second time costs nothing")
			a.billed(3)

			counts := a.read(quoting)
			require.Zero(t, counts.Units, "what is read again is what is stored")
			require.Equal(t, "Thanks, that works.", a.body(mailID))
		})
	}
}

// What is stored follows its text inputs, not the release: an upgrade alone changes no text.
func TestUpgradeKeepsTextsWhoseInputsStay(t *testing.T) {
	t.Parallel()
	first := record(map[string]any{"TextBody": threadText})
	a := newAnew(t, jsonChunk(first))
	a.plan(apart())
	whole := clean.Text(threadText)
	require.Zero(t, a.read(first).Units)
	require.Equal(t, whole, a.body(mailID))
	counts := a.read(record(map[string]any{"TextBody": threadText, "CcAddress": "carol@example.com", "SystemModstamp": "2026-03-01T12:00:06.000+0000"}))
	require.Equal(t, flow.Counts{Rows: 1, MetadataChanged: 1}, counts)
	require.Equal(t, whole, a.body(mailID))

	counts = a.read(record(map[string]any{"TextBody": threadText, "HtmlBody": threadHTML, "SystemModstamp": "2026-03-01T12:00:07.000+0000"}))
	require.Equal(t, flow.Counts{Rows: 1, TextChanged: 1, Units: 1}, counts, "another input: the text is of today")
	require.Equal(t, "Thanks, that works.", a.body(mailID))
	counts = a.read(record(map[string]any{"TextBody": nil, "HtmlBody": threadHTML, "SystemModstamp": "2026-03-01T12:00:08.000+0000"}))
	require.Zero(t, counts.Units, "another input that says the same costs nothing")
	a.billed(2)
}

// A text that stays keeps the word on whether it was cut.
func TestUpgradeKeepsWhatWasCut(t *testing.T) {
	t.Parallel()
	long := "New.\n\nOn Mon, 2 Mar 2026 at 10:00, Bob <bob@example.com> wrote:\n" + strings.Repeat("> words that were said before\n", 4000)
	a := newAnew(t, jsonChunk(record(map[string]any{"TextBody": long})))
	truncated := func() any {
		c, err := a.db.Comment(t.Context(), a.target.SourceID, hexID(mailID))
		require.NoError(t, err)
		return c.Properties["string:"+transform.PropertyTruncated]
	}
	require.Equal(t, "body", truncated())
	a.plan(apart())
	counts := a.read(record(map[string]any{"TextBody": long, "CcAddress": "carol@example.com", "SystemModstamp": "2026-03-01T12:00:06.000+0000"}))
	require.Equal(t, flow.Counts{Rows: 1, MetadataChanged: 1}, counts)
	require.Equal(t, "body", truncated())
	require.EqualValues(t, 1, a.retransform().TextChanged)
	require.Nil(t, truncated())
	require.Equal(t, "New.", a.body(mailID))
}

// Of each kind of record there is one, of both formats of chunks.
func TestRetransformOfEverything(t *testing.T) {
	t.Parallel()
	csvOf := func(id string, text string) store.Chunk {
		b := newBoth()
		var all map[string]any
		require.NoError(t, json.Unmarshal(record(map[string]any{"Id": id, "TextBody": text}), &all))
		delete(all, "attributes")
		for path, value := range all {
			cell := ""
			if value != nil {
				cell = fmt.Sprint(value)
			}
			b.set(path, value, cell)
		}
		header, cells := b.csv(t, transform.Recipients{})
		return store.Chunk{Format: store.FormatCSV, IDs: []string{id}, Data: []byte(header + cells)}
	}
	for format, chunk := range map[string]func(id, text string) store.Chunk{
		"csv": csvOf, "json": func(id, text string) store.Chunk {
			return jsonChunk(record(map[string]any{"Id": id, "TextBody": text}))
		},
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var chunks []store.Chunk
			for n := range 8 {
				chunks = append(chunks, chunk(anID(n), threadText))
			}
			a := newAnew(t, chunks...)
			a.plan(apart())
			a.seed.Exec(`update records set state = 'filtered' where record_id = $1`, anID(1))
			a.seed.Exec(`update records set state = 'invisible' where record_id = $1`, anID(2))
			a.seed.Exec(`update records set state = 'deleted' where record_id = $1`, anID(3))
			a.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id in ($1, $2)`, hexID(anID(3)), hexID(anID(4)))
			a.seed.Exec(`update records set state = 'filtered' where record_id = $1`, anID(4))
			a.seed.Exec(`update records set raw_stream = null, raw_epoch = null, raw_seq = null, raw_chunk = null where record_id = $1`, anID(5))
			a.seed.Exec(`delete from raw_chunks where chunk = 6`)
			want := flow.RetransformCounts{Records: 7, WithoutRaw: 2, Unchanged: 1, TextChanged: 4, Units: 4, BodiesShorter: 4, SignaturesLonger: 4}
			planned, _ := a.planned(apart())
			require.Equal(t, want, planned)
			require.Equal(t, want, a.retransform())
			a.billed(12)
			require.Equal(t, []string{"deleted", "filtered", "filtered", "invisible", "live", "live", "live", "live"}, a.seed.Strings(`select state from records order by 1`), "nothing else changes")
			require.Equal(t, "2", a.one(`select count(*)::text from comments where deleted_at is not null`))
			require.Equal(t, flow.RetransformCounts{Records: 7, WithoutRaw: 2, Unchanged: 5}, a.retransform())
		})
	}
}

// A page is made as a whole or not at all, and goes on where it was.
func TestRetransformGoesOn(t *testing.T) {
	t.Parallel()
	var records [][]byte
	const mails = 1203
	for n := range mails {
		records = append(records, record(map[string]any{"Id": anID(n), "TextBody": fmt.Sprintf("Mail %d.\n\n%s", n, threadText)}))
	}
	a := newAnew(t, jsonChunk(records[:700]...), jsonChunk(records[700:]...))
	a.plan(apart())
	planned, _ := a.planned(apart())
	require.EqualValues(t, mails, planned.TextChanged)
	require.NoError(t, a.db.RequestRetransform(t.Context(), a.target.IntegrationID, "EmailMessage", clean.Version))
	require.NoError(t, a.db.RequestRetransform(t.Context(), a.target.IntegrationID, "EmailMessage", clean.Version), "one that is open goes on")
	in := flow.RetransformParams{Project: "support", Integration: "salesforce-prod"}

	jobs, err := a.db.OpenRetransforms(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	_, err = a.db.RemakePage(t.Context(), jobs[0], 10, func(p *store.Remaking) (flow.RetransformCounts, error) {
		again, err := transform.NewAgain(p.Plan)
		require.NoError(t, err)
		_, err = again.Records(p.RawReader, p.Records, func(c transform.Change) error { return p.Add(c.Remade) })
		require.NoError(t, err)
		return flow.RetransformCounts{}, errors.New("it is killed")
	})
	require.ErrorContains(t, err, "it is killed")
	a.billed(mails)

	for range 2 { // each as long as one page takes
		got, err := a.batches.Retransform(t.Context(), in, time.Nanosecond)
		require.NoError(t, err)
		require.True(t, got.Open)
	}
	require.Equal(t, "0", a.one(`select count(*)::text from ledger where reason = 'text_changed'`), "no time, no page")
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = a.batches.Retransform(stopped, in, time.Hour)
	require.Error(t, err)
	got, err := a.batches.Retransform(t.Context(), in, time.Hour)
	require.NoError(t, err)
	require.Equal(t, []flow.RetransformProgress{{Object: "EmailMessage", State: store.RetransformDone, Total: mails, Counts: planned}}, got.Objects)
	a.billed(2 * mails)
	require.Equal(t, "3", a.one(`select count(*)::text from batches b join streams st on st.id = b.stream_id where lane = 'retransform'`))
}

func TestRetransformEndsEarly(t *testing.T) {
	t.Parallel()
	in := flow.RetransformParams{Project: "support", Integration: "salesforce-prod"}
	for name, c := range map[string]struct {
		meanwhile func(*anew)
		version   int
		reason    string
	}{
		"cancelled": {func(a *anew) {
			names, err := a.db.CancelRetransforms(t.Context(), a.target.IntegrationID, "")
			require.NoError(t, err)
			require.Equal(t, []string{"EmailMessage"}, names)
		}, clean.Version, "cancelled by an operator"},
		"another mapping": {func(a *anew) { a.seed.Exec(`update integrations set epoch = epoch + 1`) }, clean.Version, "the mapping changed meanwhile: plan it again"},
		"no plan":         {func(a *anew) { a.seed.Exec(`update objects set plan = null, state = 'unchecked'`) }, clean.Version, "the mapping changed meanwhile: plan it again"},
		"another release": {func(*anew) {}, clean.Version - 1, "it was planned with another cleaning version than the worker has: plan it again with the worker's release"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAnew(t, jsonChunk(record(map[string]any{"TextBody": threadText})))
			a.plan(apart())
			require.NoError(t, a.db.RequestRetransform(t.Context(), a.target.IntegrationID, "EmailMessage", c.version))
			c.meanwhile(a)
			got, err := a.batches.Retransform(t.Context(), in, time.Hour)
			require.NoError(t, err)
			require.False(t, got.Open)
			list, err := a.db.Retransforms(t.Context(), a.target.IntegrationID)
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, store.RetransformCancelled, list[0].State)
			require.Equal(t, c.reason, list[0].Reason)
			a.billed(1)
		})
	}
	a := newAnew(t, jsonChunk(record(nil)))
	for _, version := range []int{clean.Version - 1, clean.Version, clean.Version} {
		require.NoError(t, a.db.RequestRetransform(t.Context(), a.target.IntegrationID, "EmailMessage", version))
	}
	require.Equal(t, []string{fmt.Sprint(clean.Version-1, " cancelled"), fmt.Sprint(clean.Version, " open")}, a.seed.Strings(`select cleaning_version || ' ' || state from retransforms order by id`),
		"what is asked for anew takes the place of what another release asked for")
	require.Equal(t, fault.NotFound, fault.KindOf(a.db.RequestRetransform(t.Context(), a.target.IntegrationID, "Case", clean.Version)))
	_, err := a.batches.Retransform(t.Context(), flow.RetransformParams{Project: "support", Integration: "other"}, time.Hour)
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}

// Live changes win: whoever comes first, what was read last is what is there.
func TestRetransformBesideLiveChanges(t *testing.T) {
	t.Parallel()
	const mails, rounds = 60, 25
	text := func(n, version int) string {
		return fmt.Sprintf("Version %d of mail %d.\n\n%s", version, n, threadText)
	}
	var records [][]byte
	for n := range mails {
		records = append(records, record(map[string]any{"Id": anID(n), "TextBody": text(n, 0)}))
	}
	a := newAnew(t, jsonChunk(records...))
	a.plan(apart())
	var all sync.WaitGroup
	done := make(chan struct{})
	all.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if !assertNoError(t, a.db.RequestRetransform(t.Context(), a.target.IntegrationID, "EmailMessage", clean.Version)) {
				return
			}
			jobs, err := a.db.OpenRetransforms(t.Context(), "support", "salesforce-prod")
			if !assertNoError(t, err) {
				return
			}
			for over := false; !over && len(jobs) > 0; {
				over, err = a.db.RemakePage(t.Context(), jobs[0], 7, func(p *store.Remaking) (flow.RetransformCounts, error) {
					again, err := transform.NewAgain(p.Plan)
					if err != nil {
						return flow.RetransformCounts{}, err
					}
					return again.Records(p.RawReader, p.Records, func(c transform.Change) error { return p.Add(c.Remade) })
				})
				if !assertNoError(t, err) {
					return
				}
			}
		}
	})
	last := map[int]int{}
	random := rand.New(rand.NewPCG(5, 5))
	for round := 1; round <= rounds; round++ {
		var changed [][]byte
		for _, n := range random.Perm(mails)[:10] {
			last[n] = round
			changed = append(changed, record(map[string]any{"Id": anID(n), "TextBody": text(n, round), "SystemModstamp": a.stamp.Add(time.Duration(round) * time.Second).Format("2006-01-02T15:04:05.000+0000")}))
		}
		a.read(changed...)
	}
	close(done)
	all.Wait()
	a.retransform()
	for n := range mails {
		require.Equal(t, fmt.Sprintf("Version %d of mail %d.\n\nThanks, that works.", last[n], n), a.body(anID(n)))
	}
	units := a.one(`select count(*)::text from ledger`)
	var n int
	_, err := fmt.Sscan(units, &n)
	require.NoError(t, err)
	a.billed(n)
	require.Equal(t, "0", a.one(`select count(*)::text from ledger where before_hash = after_hash`), "no unit for a text that is the same")
}

func assertNoError(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && t.Context().Err() == nil {
		t.Errorf("make texts anew: %v", err)
	}
	return err == nil
}

// What could not become a comment is tried again when the mapping or the cleaning is another.
func TestSetAsideIsTriedAgain(t *testing.T) {
	t.Parallel()
	undated := map[string]any{"MessageDate": nil, "CreatedDate": nil}
	a := newAnew(t, jsonChunk(record(undated), record(map[string]any{"Id": otherID, "MessageDate": nil, "CreatedDate": nil}), record(map[string]any{"Id": thirdID})))
	ctx, source, integration := t.Context(), a.target.SourceID, a.target.IntegrationID
	a.seed.Exec(`update records set raw_chunk = 7 where record_id = $1`, otherID)
	list, more, err := a.db.ListSetAside(ctx, source, "", store.SetAsideAt{}, 1)
	require.NoError(t, err)
	require.True(t, more)
	require.Len(t, list, 1)
	require.Equal(t, store.SetAside{Object: "EmailMessage", RecordID: mailID, Reason: "no timestamp: MessageDate and CreatedDate is empty", Since: list[0].Since, HasRaw: true}, list[0])
	list, more, err = a.db.ListSetAside(ctx, source, "EmailMessage", store.SetAsideAt{Object: "EmailMessage", RecordID: mailID}, 5)
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, list, 1)
	require.False(t, list[0].HasRaw)
	counts, err := a.db.CountSetAside(ctx, source)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"EmailMessage": 2}, counts)

	require.NoError(t, a.batches.RetrySetAside(ctx, integration, source, "EmailMessage", planOf(t, recipe), 10))
	a.billed(1)
	require.Equal(t, []string{otherID + " set_aside"}, a.seed.Strings(`select record_id || ' ' || reason from rechecks`), "Salesforce is asked for what has no raw copy")
	ids, err := a.db.UntriedSetAside(ctx, source, "EmailMessage", recipe.Fingerprint(), 10)
	require.NoError(t, err)
	require.Empty(t, ids, "once is enough")

	other := recipe
	other.Mapping.Timestamp = []string{"MessageDate", "SystemModstamp"}
	require.NotEqual(t, recipe.Fingerprint(), other.Fingerprint())
	a.plan(other)
	require.NoError(t, a.batches.RetrySetAside(ctx, integration, source, "EmailMessage", planOf(t, other), 10))
	require.Equal(t, "Good day", a.body(mailID))
	a.billed(2)
	require.Equal(t, []string{otherID}, a.seed.Strings(`select record_id from set_aside`))
	require.Equal(t, []string{"live", "live", "set_aside"}, a.seed.Strings(`select state from records order by 1`))
	require.NoError(t, a.batches.RetrySetAside(ctx, integration, source, "EmailMessage", planOf(t, other), 10))
	a.billed(2)
}

// A comment that was set aside comes back with the text that it had: nobody asked for another.
func TestSetAsideComesBackWithItsText(t *testing.T) {
	t.Parallel()
	a := newAnew(t, jsonChunk(record(map[string]any{"TextBody": threadText})))
	counts := a.read(record(map[string]any{"TextBody": threadText, "MessageDate": nil, "CreatedDate": nil, "SystemModstamp": "2026-03-01T12:00:06.000+0000"}))
	require.Equal(t, flow.Counts{Rows: 1, SetAside: 1}, counts)
	other := apart()
	other.Mapping.Timestamp = []string{"SystemModstamp"}
	a.plan(other)
	require.NoError(t, a.batches.RetrySetAside(t.Context(), a.target.IntegrationID, a.target.SourceID, "EmailMessage", planOf(t, other), 10))
	require.Equal(t, []string{"live"}, a.seed.Strings(`select state from records`))
	require.Equal(t, clean.Text(threadText), a.body(mailID))
	a.billed(1)
	require.Equal(t, flow.RetransformCounts{Records: 1, TextChanged: 1, Units: 1, BodiesShorter: 1, SignaturesLonger: 1}, a.retransform())
	a.billed(2)
}

// A record that the mapping of today cannot make a comment of is set aside; its comment stays.
func TestRetransformSetsAside(t *testing.T) {
	t.Parallel()
	a := newAnew(t, jsonChunk(record(map[string]any{"ThreadIdentifier": strings.Repeat("x", 600)})))
	other := recipe
	other.Mapping.From = "ThreadIdentifier" // no address is as long
	a.plan(other)
	want := flow.RetransformCounts{Records: 1, SetAside: 1}
	got, _ := a.planned(other)
	require.Equal(t, want, got)
	require.Equal(t, want, a.retransform())
	require.Equal(t, []string{"set_aside"}, a.seed.Strings(`select state from records`))
	require.Equal(t, "Good day", a.body(mailID))
	require.Equal(t, flow.RetransformCounts{Records: 1, Unchanged: 1}, a.retransform())
	a.plan(recipe)
	got = a.retransform()
	require.Equal(t, flow.RetransformCounts{Records: 1, MetadataChanged: 1}, got, "and comes back")
	require.Equal(t, []string{"live"}, a.seed.Strings(`select state from records`))
	require.Empty(t, a.seed.Strings(`select record_id from set_aside`))
	a.billed(1)
}

// Fields that a raw copy lacks keep what they fed, texts among them.
func TestRetransformOfWhatWasHidden(t *testing.T) {
	t.Parallel()
	a := newAnew(t, jsonChunk(without(t, record(map[string]any{"TextBody": threadText}), []string{"CcAddress"})))
	a.seed.Exec(`update comments set changed = pg_current_xact_id(), envelope = jsonb_set(envelope, '{0,cc}', '["carol@example.com"]')`)
	a.plan(apart())
	require.EqualValues(t, 1, a.retransform().TextChanged)
	c, err := a.db.Comment(t.Context(), a.target.SourceID, hexID(mailID))
	require.NoError(t, err)
	require.Equal(t, []string{"carol@example.com"}, c.Messages[0].Cc)
	more := apart()
	more.Mapping.Signature = &transform.TextPath{Path: "Missing__c"}
	more.Types = transform.Types{"Missing__c": salesforce.TypeString}
	for path, of := range recipe.Types {
		more.Types[path] = of
	}
	a.plan(more)
	got := a.retransform()
	require.Zero(t, got.Units, "a text of which an input is missing stays: %+v", got)
	require.Equal(t, comment.Text{Text: "Thanks, that works."}, c.Messages[0].Body)
}
