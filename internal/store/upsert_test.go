package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// Ids of records; the store does not care what they look like.
const (
	idA = "02s000000000001AAA"
	idB = "02s000000000002AAA"
	idC = "02s000000000003AAA"
)

func TestUpsertCreates(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	require.Equal(t, flow.Counts{Rows: 2, Created: 2, Units: 2}, l.apply(
		mail{id: idA, stamp: at(0), raw: "one", priority: "Low"}, mail{id: idB, stamp: at(1), raw: "two"}))
	require.Equal(t, []string{idA + " live", idB + " live"}, l.strings(`select record_id || ' ' || state from records order by 1`))
	require.Equal(t, []string{"created 1 1"}, l.strings(`select distinct reason || ' ' || revision || ' ' || units from ledger`))
	c, err := l.db.Comment(t.Context(), l.source, "c-"+idA)
	require.NoError(t, err)
	want := mail{id: idA, stamp: at(0), raw: "one", priority: "Low"}.row().Comment
	require.Equal(t, want.Messages, c.Messages)
	require.Equal(t, want.Properties, c.Properties)
	require.Equal(t, want.ThreadID, c.ThreadID)
	require.True(t, want.Timestamp.Equal(c.Timestamp))
}

func TestUpsertOutcomes(t *testing.T) {
	t.Parallel()
	first := mail{id: idA, stamp: at(0), raw: "one", priority: "Low"}
	db, seed := storetest.NewSeed(t) // one database, an integration per case
	number := 0
	for name, c := range map[string]struct {
		then   []mail // each in a batch of its own, after first
		want   []flow.Counts
		text   string
		state  string
		units  int
		policy string
		same   bool // no new version of the comment's row
	}{
		"the text changes": {
			then: []mail{{id: idA, stamp: at(10), raw: "two", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, TextChanged: 1, Units: 1}}, text: "two", state: "live", units: 2},
		"only metadata changes": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", priority: "High"}},
			want: []flow.Counts{{Rows: 1, MetadataChanged: 1}}, text: "one", state: "live", units: 1},
		"the same again": {
			then: []mail{first},
			want: []flow.Counts{{Rows: 1, Unchanged: 1}}, text: "one", state: "live", units: 1, same: true},
		"a newer stamp, the same content": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, Unchanged: 1}}, text: "one", state: "live", units: 1, same: true},
		"an older stamp": {
			then: []mail{{id: idA, stamp: at(-10), raw: "older", priority: "High"}},
			want: []flow.Counts{{Rows: 1, Stale: 1}}, text: "one", state: "live", units: 1, same: true},
		"an older delete": {
			then: []mail{{id: idA, stamp: at(-10), raw: "one", deleted: true}},
			want: []flow.Counts{{Rows: 1, Stale: 1}}, text: "one", state: "live", units: 1, same: true},
		"the same stamp, other text, read later": {
			then: []mail{{id: idA, stamp: at(0), raw: "two", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, TextChanged: 1, Units: 1}}, text: "two", state: "live", units: 2},
		"the same stamp, other metadata, read later": { // a parent's change
			then: []mail{{id: idA, stamp: at(0), raw: "one", priority: "High"}},
			want: []flow.Counts{{Rows: 1, MetadataChanged: 1}}, text: "one", state: "live", units: 1},
		"A to B to A is two changes": {
			then: []mail{{id: idA, stamp: at(10), raw: "two", priority: "Low"}, {id: idA, stamp: at(20), raw: "one", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, TextChanged: 1, Units: 1}, {Rows: 1, TextChanged: 1, Units: 1}}, text: "one", state: "live", units: 3},
		"another cleaning of the same text": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", cleaned: "ONE", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, Unchanged: 1}}, text: "one", state: "live", units: 1, same: true},
		"another cleaning of the same text and other metadata": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", cleaned: "ONE", priority: "High"}},
			want: []flow.Counts{{Rows: 1, MetadataChanged: 1}}, text: "one", state: "live", units: 1},
		"the raw text changes, the cleaned text does not": {
			then: []mail{{id: idA, stamp: at(10), raw: "one ", cleaned: "one", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, Unchanged: 1}}, text: "one", state: "live", units: 1, same: true},
		"the raw text changed before the cleaning did": {
			then: []mail{{id: idA, stamp: at(10), raw: "one ", cleaned: "one", priority: "Low"}, {id: idA, stamp: at(20), raw: "one ", cleaned: "ONE", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, Unchanged: 1}, {Rows: 1, Unchanged: 1}}, text: "one", state: "live", units: 1, same: true},

		"deleted": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", deleted: true}},
			want: []flow.Counts{{Rows: 1, Deleted: 1}}, text: "one (deleted)", state: "deleted", units: 1},
		"deleted in the second of its last change": {
			then: []mail{{id: idA, stamp: at(0), raw: "one", priority: "Low", deleted: true}},
			want: []flow.Counts{{Rows: 1, Deleted: 1}}, text: "one (deleted)", state: "deleted", units: 1},
		"deleted twice": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", deleted: true}, {id: idA, stamp: at(20), raw: "one", deleted: true}},
			want: []flow.Counts{{Rows: 1, Deleted: 1}, {Rows: 1, Unchanged: 1}}, text: "one (deleted)", state: "deleted", units: 1},
		"undeleted with the same text": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", deleted: true}, {id: idA, stamp: at(20), raw: "one", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, Deleted: 1}, {Rows: 1, MetadataChanged: 1}}, text: "one", state: "live", units: 1},
		"undeleted with other text": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", deleted: true}, {id: idA, stamp: at(20), raw: "two", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, Deleted: 1}, {Rows: 1, TextChanged: 1, Units: 1}}, text: "two", state: "live", units: 2},
		"changed and deleted between two reads, then undeleted": {
			then: []mail{{id: idA, stamp: at(10), raw: "two", deleted: true}, {id: idA, stamp: at(20), raw: "two", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, Deleted: 1}, {Rows: 1, TextChanged: 1, Units: 1}}, text: "two", state: "live", units: 2},
		"undeleted after a new cleaning version": {
			then: []mail{{id: idA, stamp: at(10), raw: "", deleted: true}, {id: idA, stamp: at(20), raw: "one", cleaned: "ONE", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, Deleted: 1}, {Rows: 1, MetadataChanged: 1}}, text: "one", state: "live", units: 1},
		"deleted and kept": {policy: config.DeletedKeep,
			then: []mail{{id: idA, stamp: at(10), raw: "one", deleted: true}},
			want: []flow.Counts{{Rows: 1, Deleted: 1}}, text: "one", state: "deleted", units: 1, same: true},
		"deleted and kept, then undeleted": {policy: config.DeletedKeep,
			then: []mail{{id: idA, stamp: at(10), raw: "one", deleted: true}, {id: idA, stamp: at(20), raw: "one", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, Deleted: 1}, {Rows: 1, Unchanged: 1}}, text: "one", state: "live", units: 1, same: true},

		"set aside": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", reason: "no timestamp"}},
			want: []flow.Counts{{Rows: 1, SetAside: 1}}, text: "one", state: "set_aside", units: 1, same: true},
		"set aside and read again": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", reason: "no timestamp"}, {id: idA, stamp: at(10), raw: "one", reason: "no timestamp"}},
			want: []flow.Counts{{Rows: 1, SetAside: 1}, {Rows: 1, Unchanged: 1}}, text: "one", state: "set_aside", units: 1, same: true},
		"set aside and back as it was": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", reason: "no timestamp"}, {id: idA, stamp: at(20), raw: "one", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, SetAside: 1}, {Rows: 1, Unchanged: 1}}, text: "one", state: "live", units: 1, same: true},
		"set aside with another text and back with that": {
			then: []mail{{id: idA, stamp: at(10), raw: "two", reason: "no timestamp"}, {id: idA, stamp: at(20), raw: "two", priority: "Low"}},
			want: []flow.Counts{{Rows: 1, SetAside: 1}, {Rows: 1, TextChanged: 1, Units: 1}}, text: "two", state: "live", units: 2},
		"set aside and deleted": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", reason: "no timestamp"}, {id: idA, stamp: at(20), raw: "one", deleted: true}},
			want: []flow.Counts{{Rows: 1, SetAside: 1}, {Rows: 1, Deleted: 1}}, text: "one (deleted)", state: "deleted", units: 1},
		"set aside, then a new release can read the same record": {
			then: []mail{{id: idA, stamp: at(10), raw: "one", priority: "High", reason: "no timestamp"}, {id: idA, stamp: at(10), raw: "one", priority: "High"}},
			want: []flow.Counts{{Rows: 1, SetAside: 1}, {Rows: 1, MetadataChanged: 1}}, text: "one", state: "live", units: 1},
		"a new release refuses the same record": {
			then: []mail{{id: idA, stamp: at(0), raw: "one", priority: "Low", reason: "too long"}},
			want: []flow.Counts{{Rows: 1, SetAside: 1}}, text: "one", state: "set_aside", units: 1, same: true},
	} {
		number++
		integration := fmt.Sprintf("case-%d", number)
		t.Run(name, func(t *testing.T) {
			policy := c.policy
			if policy == "" {
				policy = config.DeletedTombstone
			}
			l := laneOf(t, db, seed, integration, policy)
			require.Equal(t, flow.Counts{Rows: 1, Created: 1, Units: 1}, l.apply(first))
			before := l.version(idA)
			for i, m := range c.then {
				require.Equal(t, c.want[i], l.apply(m), "step %d", i+1)
			}
			require.Equal(t, c.text, l.text(idA))
			require.Equal(t, c.state, l.state(idA))
			require.Equal(t, c.units, l.units())
			if c.same {
				require.Equal(t, before, l.version(idA), "the comment's row was written again")
			} else {
				require.NotEqual(t, before, l.version(idA))
			}
		})
	}
}

func TestUpsertOfUnknownRecords(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	require.Equal(t, flow.Counts{Rows: 2, SetAside: 1, Deleted: 1}, l.apply(
		mail{id: idA, stamp: at(0), raw: "one", deleted: true}, mail{id: idB, stamp: at(0), raw: "two", reason: "no timestamp"}))
	require.Empty(t, l.strings(`select id from comments`))
	require.Equal(t, []string{idB + " no timestamp"}, l.strings(`select record_id || ' ' || reason from set_aside`))

	require.Equal(t, flow.Counts{Rows: 2, Created: 2, Units: 2}, l.apply(
		mail{id: idA, stamp: at(10), raw: "one"}, mail{id: idB, stamp: at(10), raw: "two"}))
	require.Equal(t, "one", l.text(idA))
	require.Equal(t, "two", l.text(idB))
}

func TestUpsertSetAsideRecordThatANewReleaseCanRead(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mail{id: idA, stamp: at(0), raw: "one", reason: "a defect of ours"})
	require.Equal(t, flow.Counts{Rows: 1, Created: 1, Units: 1}, l.apply(mail{id: idA, stamp: at(0), raw: "one"}))
	require.Equal(t, "one", l.text(idA))
}

// A changed mapping reads every record again: stamps and digests are what they were,
// what is made of them is not.
func TestUpsertFollowsAChangedMapping(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	m := mail{id: idA, stamp: at(0), raw: "one", priority: "Low"}
	l.apply(m)
	renamed := m.row()
	renamed.Comment.Properties = map[string]any{"string:Case Priority": "Low"}
	l.seal(l.begin(), 1)
	b, err := l.db.LoadBatch(t.Context(), l.ref)
	require.NoError(t, err)
	require.NoError(t, l.db.StageRows(t.Context(), b, 1, func(st *store.Staging) error { return st.Add(renamed) }))
	require.Equal(t, flow.Counts{Rows: 1, MetadataChanged: 1}, l.upsert(l.ref))
	require.Equal(t, `{"string:Case Priority": "Low"}`, l.one(`select properties::text from comments`))
}

// A release that parts the same chat otherwise leaves the texts in force alone, and with them
// the messages that they belong to.
func TestUpsertKeepsTheMessagesOfTheTextsInForce(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	m := mail{id: idA, stamp: at(0), raw: "one", priority: "Low"}
	l.apply(m)
	m.stamp, m.priority = at(9), "High"
	parted := m.row()
	parted.Comment.Messages = append(parted.Comment.Messages, comment.Message{Body: comment.Text{Text: "two"}})
	l.seal(l.begin(), 1)
	b, err := l.db.LoadBatch(t.Context(), l.ref)
	require.NoError(t, err)
	require.NoError(t, l.db.StageRows(t.Context(), b, 1, func(st *store.Staging) error { return st.Add(parted) }))
	require.Equal(t, flow.Counts{Rows: 1, MetadataChanged: 1}, l.upsert(l.ref))
	require.Equal(t, "one", l.text(idA))
	require.Equal(t, "1 High", l.one(`select jsonb_array_length(envelope) || ' ' || (properties->>'string:Priority') from comments`))
}

// Same stamp, other content: only a read that began after the stored one ended knows better.
func TestUpsertOrderOfReads(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]mail{
		"text":     {id: idA, stamp: at(0), raw: "resynced"},
		"metadata": {id: idA, stamp: at(0), raw: "live", priority: "High"},
		"delete":   {id: idA, stamp: at(0), raw: "live", deleted: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLane(t, config.DeletedTombstone)
			resync := l.second("resync")
			early := resync.prepare(m) // read first, applied last
			require.Equal(t, flow.Counts{Rows: 1, Created: 1, Units: 1}, l.apply(mail{id: idA, stamp: at(0), raw: "live"}))
			require.Equal(t, flow.Counts{Rows: 1, Stale: 1}, resync.upsert(early))
			require.Equal(t, "live", l.text(idA))
			require.Equal(t, []string{idA + " ambiguous due"}, l.rechecks())

			// The recheck began after both: it is believed.
			l.seal(l.begin(), 1, idA)
			require.NoError(t, l.stage(l.ref, 1, m))
			l.upsert(l.ref)
			require.Empty(t, l.rechecks())
			require.Equal(t, map[string]string{"text": "resynced", "metadata": "live", "delete": "live (deleted)"}[name], l.text(idA))
		})
	}
}

func TestUpsertSameContentFromTwoLanesIsNotAmbiguous(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	resync := l.second("resync")
	early := resync.prepare(mail{id: idA, stamp: at(0), raw: "one"})
	l.apply(mail{id: idA, stamp: at(0), raw: "one"})
	require.Equal(t, flow.Counts{Rows: 1, Unchanged: 1}, resync.upsert(early))
	require.Empty(t, l.rechecks())
	require.Equal(t, 1, l.units())
}

func TestUpsertMovesTheCursorAndCounts(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	b := l.begin()
	require.NoError(t, l.db.AddChunk(t.Context(), b, store.Chunk{Number: 0, Format: store.FormatJSON, IDs: []string{idA}, Data: []byte("x")}))
	require.NoError(t, l.db.SealBatch(t.Context(), b, store.Seal{Chunks: 1, Rows: 1, Bytes: 1, Checksum: []byte("sum"), More: true,
		ServerTime: l.clock, To: store.Position{Stamp: at(5), ID: idB}}))
	require.NoError(t, l.stage(l.ref, 7, mail{id: idA, stamp: at(0), raw: "one"}))
	result, err := l.db.Upsert(t.Context(), l.ref)
	require.NoError(t, err)
	require.True(t, result.More)
	require.Equal(t, l.ref.Seq+1, result.Next.Seq)
	require.Equal(t, l.ref.Stream, result.Next.Stream)
	target, err := l.db.LoadTarget(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	require.Equal(t, store.Position{Stamp: at(5), ID: idB}, store.Position{Stamp: target.Objects[0].Hi.Stamp.UTC(), ID: target.Objects[0].Hi.ID})
	require.EqualValues(t, 1, target.Objects[0].Seq)
	require.Equal(t, "7", l.one(`select cleaning_version::text from revisions`))
	require.Equal(t, "1 1", l.one(`select rows_applied || ' ' || seq from streams`))
	l.ref.Seq++

	// A batch that names no position leaves the cursor where it is.
	l.apply(mail{id: idC, stamp: at(1), raw: "late"})
	require.Equal(t, idB, l.one(`select hi_id from streams`))
	require.Equal(t, "2 2", l.one(`select rows_applied || ' ' || seq from streams`))
}

func TestUpsertOfNothing(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	require.NoError(t, l.db.AddRechecks(t.Context(), l.id, l.ref.Object, "late", []string{idA}))
	b := l.begin()
	require.NoError(t, l.db.SealBatch(t.Context(), b, store.Seal{Checksum: []byte("sum"), ServerTime: l.clock, Rechecked: []string{idA}}))
	require.NoError(t, l.stage(l.ref, 1))
	require.Equal(t, flow.Counts{}, l.upsert(l.ref))
	require.Empty(t, l.rechecks(), "an Id that does not come back was asked for all the same")
}

// Rows do not reference their source each by itself; what it has goes with it all the same.
func TestASourceTakesWhatItHasWithIt(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	l, other := laneOf(t, db, seed, "one", config.DeletedTombstone), laneOf(t, db, seed, "other", config.DeletedTombstone)
	for _, lane := range []*lane{l, other} {
		require.Equal(t, flow.Counts{Rows: 2, Created: 1, SetAside: 1, Units: 1}, lane.apply(
			mail{id: idA, stamp: at(0), raw: "one"}, mail{id: idB, stamp: at(0), reason: "no timestamp"}))
	}
	require.NoError(t, db.DeleteIntegration(t.Context(), l.id, false))
	commit := l.holding(`select from sources where id = $1 for key share`, l.source) // as a batch that is being applied does
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		seed.Exec(`delete from sources where id = $1`, l.source)
	}()
	l.waiting(1)
	commit()
	<-gone
	for _, table := range []string{"comments", "revisions", "records", "set_aside"} {
		left := l.strings(`select distinct source_id from ` + table)
		require.Equal(t, []string{other.source}, left, table)
	}
	require.Equal(t, 1, l.units(), "the bill stays")
	require.Equal(t, "support/one 1 by one", l.one(`
		select s.project || '/' || s.name || ' ' || d.units || ' by ' || d.integration from ledger_days d join ledger_sources s using (source_id)
		where source_id = $1`, l.source), "and still has its names")
}

func TestUpsertAfterEraseIsACreation(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedErase)
	l.apply(mail{id: idA, stamp: at(0), raw: "one"})
	require.Equal(t, flow.Counts{Rows: 1, Deleted: 1}, l.apply(mail{id: idA, stamp: at(5), raw: "one", deleted: true}))
	require.Equal(t, "erased", l.state(idA))
	require.Equal(t, flow.Counts{Rows: 1, Unchanged: 1}, l.apply(mail{id: idA, stamp: at(5), raw: "one", deleted: true}))
	require.Equal(t, flow.Counts{Rows: 1, Stale: 1}, l.apply(mail{id: idA, stamp: at(1), raw: "late"}))
	require.Equal(t, flow.Counts{Rows: 1, SetAside: 1}, l.apply(mail{id: idA, stamp: at(6), raw: "two", reason: "no timestamp"}))
	require.Equal(t, flow.Counts{Rows: 1, Deleted: 1}, l.apply(mail{id: idA, stamp: at(7), raw: "two", deleted: true}))
	require.Equal(t, flow.Counts{Rows: 1, Created: 1, Units: 1}, l.apply(mail{id: idA, stamp: at(10), raw: "one"}))
	require.Equal(t, "one", l.text(idA))
	require.Equal(t, []string{"1 created", "2 created"}, l.strings(`select revision || ' ' || reason from ledger order by 1`))
}

func TestSchemaRefusesWhatMustNeverBe(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mail{id: idA, stamp: at(0), raw: "one"}, mail{id: idB, stamp: at(0), raw: "two"})
	l.seal(l.begin(), 1)
	for name, sql := range map[string]string{
		"counts that do not sum":                   `update batches set created = 1, unchanged = 0 where state = 'applied'`,
		"units that are not the counts":            `update batches set units = 1 where state = 'applied'`,
		"applied without a sum":                    `update batches set state = 'applied' where state = 'sealed'`,
		"sealed without a checksum":                `update batches set checksum = null where state = 'sealed'`,
		"sealed without an end of reading":         `update batches set read_end = null where state = 'sealed'`,
		"sealed without a begin of reading":        `update batches set read_begin = null where state = 'sealed'`,
		"read that ended before it began":          `update batches set read_end = read_begin where state = 'sealed'`,
		"an unknown state":                         `update batches set state = 'done' where state = 'sealed'`,
		"half a position":                          `update batches set to_stamp = now() where state = 'sealed'`,
		"half a cursor":                            `update streams set hi_id = 'x'`,
		"a second unit for a revision":             `insert into ledger select * from ledger`,
		"two units in one row":                     `update ledger set units = 2`,
		"no unit in a row":                         `update ledger set units = 0`,
		"a creation with a text before":            `update ledger set before_hash = after_hash`,
		"a change without a text before":           `update ledger set reason = 'text_changed'`,
		"a text without a hash":                    `update revisions set text_hash = null`,
		"a revision of no comment":                 `update revisions set comment_id = 'nobody'`,
		"a live record without a comment":          `update records set comment_id = null`,
		"an unknown record state":                  `update records set state = 'gone'`,
		"two batches of one number":                `insert into batches (stream_id, epoch, seq, state) select stream_id, epoch, seq, 'reading' from batches`,
		"a batch of no stream":                     `insert into batches (stream_id, epoch, seq, state) values (-1, 1, 1, 'reading')`,
		"two live lanes":                           `insert into streams (integration_id, object, lane, epoch) select integration_id, object, lane, epoch from streams`,
		"one source fed twice":                     `insert into integrations (id, project_id, name, source_id, spec) select '0123456789abcdef', project_id, 'second', source_id, spec from integrations`,
		"granted without a token":                  `update connections set state = 'granted', org_id = 'o', user_id = 'u'`,
		"granted without an org":                   `update connections set state = 'granted', access_token = 'x', user_id = 'u'`,
		"an object that is good and has no plan":   `update objects set state = 'ok'`,
		"a recheck for no reason":                  `insert into rechecks (integration_id, object, record_id, reason) select id, 'EmailMessage', 'x', 'because' from integrations`,
		"an attempt that nobody and no link began": `insert into oauth_attempts (state_hash, integration_id, verifier, browser_hash, expires_at) select sha256('a'), id, '', sha256('b'), now() from integrations`,
		"a link hash that is no hash":              `insert into connect_links (hash, integration_id, expires_at) select 'short', id, now() from integrations`,
		"two rows of one record in a batch":        `insert into staged (stream_id, epoch, seq, record_id, stamp, record_digest, text_digest, chunk) select 1, 1, 1, 'x', now(), '', '', 0 from generate_series(1, 2)`,
		"an email in capitals":                     `insert into users (id, email, username) values ('0123456789abcdef', 'Ann@Example.com', 'ann')`,
		"a desired state nobody can mean":          `update integrations set desired = 'stopped'`,
	} {
		t.Run(name, func(t *testing.T) { require.Regexp(t, `SQLSTATE 23(505|502|503|514)`, l.refused(t, sql)) })
	}
	l.sound()
}
