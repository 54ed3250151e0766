package store_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

func (l *lane) saveSchema(s store.Schema) {
	l.t.Helper()
	require.NoError(l.t, l.db.SaveCheck(l.t.Context(), l.id, store.Check{SpecVersion: 1, Begun: time.Now(), Schema: &s}))
}

func (l *lane) reread(since int64) {
	l.t.Helper()
	require.NoError(l.t, l.db.SaveCheck(l.t.Context(), l.id, store.Check{SpecVersion: 1, Begun: time.Now(), Objects: []store.CheckedObject{
		{Name: l.ref.Object, Plan: []byte(`{}`), Reread: &store.Reread{Since: since, Reason: "a field is back"}}}}))
}

func (l *lane) readOrder() int64 {
	l.t.Helper()
	target, err := l.db.LoadTarget(l.t.Context(), "support", "salesforce-prod")
	require.NoError(l.t, err)
	return target.ReadOrder
}

// What was read since the field went is read again, and nothing else; so are rows that
// are still under way.
func TestSaveCheckReadsAgainWhatMissedAField(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mail{id: idA, stamp: at(0), raw: "a"})
	went := l.readOrder() + 1 // whatever begins from now on
	l.apply(mail{id: idB, stamp: at(1), raw: "b"})
	l.apply(mail{id: idC, stamp: at(2), deleted: true})
	underWay := l.prepare(mail{id: unknownID, stamp: at(3), raw: "d"})

	rechecks := func() []string { return l.seed.Strings(`select record_id from rechecks order by record_id`) }
	l.seed.Exec(`delete from rechecks`)
	l.reread(went)
	require.Equal(t, []string{idB}, rechecks(), "not the one read before, nor the one that is gone")
	l.upsert(underWay)
	require.Equal(t, []string{idB, unknownID}, rechecks())
	l.apply(mail{id: idA, stamp: at(4), raw: "a2"})
	require.Equal(t, []string{idB, unknownID}, rechecks(), "what begins after the check reads the field")
}

// Many records cost fewer calls as pages in order than by Id.
func TestSaveCheckResyncsWhatIsMany(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.seed.Exec(`
		insert into records (source_id, object, record_id, stamp, read_begin, read_end, record_digest, text_digest, state)
		select $1, $2, '02s' || lpad(n::text, 15, '0'), $3::timestamptz + make_interval(secs => n), n, n + 1, '\x00', '\x00', 'set_aside'
		from generate_series(1, 2500) n`, l.source, l.ref.Object, at(0))
	l.reread(1001)
	require.Empty(t, l.seed.Strings(`select record_id from rechecks`))
	target, err := l.db.LoadTarget(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	resync := target.Objects[0].Resync
	require.NotNil(t, resync)
	require.Equal(t, []time.Time{at(1001), at(2500)}, []time.Time{resync.From.UTC(), resync.Until.UTC()})
	require.Equal(t, "a field is back", resync.Reason)
}

// prepareRow is prepare for a row that is not a mail's own.
func (l *lane) prepareRow(row store.StagedRow) flow.BatchRef {
	l.t.Helper()
	ref := l.prepare(mail{id: row.RecordID, stamp: row.Stamp, raw: "replaced"})
	b, err := l.db.LoadBatch(l.t.Context(), ref)
	require.NoError(l.t, err)
	require.NoError(l.t, l.db.StageRows(l.t.Context(), b, 1, func(st *store.Staging) error { return st.Add(row) }))
	return ref
}

// unknownID is a record that tests do not apply at first.
const unknownID = "02s5e00000AbCdZAAV"

// A text that could not be read is the one in force when the batch is applied, not the one
// that was in force when it was prepared: nothing is turned back, and nothing billed.
func TestKeptTextIsTheOneInForce(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mail{id: idA, stamp: at(0), raw: "first", priority: "Low"})
	other := l.second("resync")
	late := other.prepare(mail{id: idA, stamp: at(5), raw: "second", priority: "Low"})

	kept := mail{id: idA, stamp: at(10), raw: "first", priority: "High"}.row()
	kept.TextKept = true
	ref := l.prepareRow(kept)
	require.EqualValues(t, 1, other.upsert(late).TextChanged)
	counts := l.upsert(ref)
	require.EqualValues(t, 1, counts.MetadataChanged, "%+v", counts)
	c, err := l.db.Comment(t.Context(), l.source, "c-"+idA)
	require.NoError(t, err)
	require.Equal(t, "second", c.Messages[0].Body.Text)
	require.Equal(t, "High", c.Properties["string:Priority"])
	units, err := l.db.Units(t.Context(), l.source)
	require.NoError(t, err)
	require.EqualValues(t, 2, units)

	// The same text read again is no change.
	counts = l.apply(mail{id: idA, stamp: at(11), raw: "second", priority: "High"})
	require.EqualValues(t, 1, counts.Unchanged)

	// One that was erased meanwhile does not come back by being kept.
	kept.Stamp = at(20)
	ref = l.prepareRow(kept)
	l.seed.Exec(`update comments set changed = pg_current_xact_id(), erased = true, deleted_at = now()`)
	done, err := l.db.Upsert(t.Context(), ref)
	require.NoError(t, err)
	counts = done.Counts
	require.EqualValues(t, 1, counts.SetAside, "%+v", counts)
}

func TestKeptComments(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mail{id: idA, stamp: at(0), raw: "a", priority: "Low"}, mail{id: idB, stamp: at(0), raw: "b"}, mail{id: idC, stamp: at(0), reason: "no timestamp"})
	l.apply(mail{id: idB, stamp: at(1), deleted: true})
	kept, err := l.db.Kept(t.Context(), l.source, l.ref.Object, []string{idA, idB, idC, unknownID})
	require.NoError(t, err)
	require.Len(t, kept, 2, "a tombstone has a last value too")
	require.Equal(t, "b", kept[idB].Comment.Messages[0].Body.Text)
	want := mail{id: idA, stamp: at(0), raw: "a", priority: "Low"}.row().Comment
	got := kept[idA].Comment
	got.Timestamp = got.Timestamp.UTC()
	require.Equal(t, *want, got)
	l.seed.Exec(`update comments set changed = pg_current_xact_id(), erased = true where id = $1`, "c-"+idA)
	kept, err = l.db.Kept(t.Context(), l.source, l.ref.Object, []string{idA})
	require.NoError(t, err)
	require.Empty(t, kept)
}

func TestKnown(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedErase)
	l.apply(mail{id: idA, stamp: at(0), raw: "a", priority: "Low"}, mail{id: idB, stamp: at(0), raw: "b"}, mail{id: idC, stamp: at(2), reason: "no timestamp"})
	l.apply(mail{id: idB, stamp: at(1), deleted: true})
	known, err := l.db.Known(t.Context(), l.source, l.ref.Object, []string{idC, idB, idA, unknownID})
	require.NoError(t, err)
	require.Len(t, known, 3)
	want := mail{id: idA, raw: "a", priority: "Low"}.row()
	a := known[idA]
	require.True(t, a.Stamp.Equal(at(0)))
	a.Stamp = time.Time{}
	require.Equal(t, store.KnownRecord{RecordDigest: want.RecordDigest, TextDigest: want.TextDigest, State: store.RecordLive, Live: true}, a)
	require.Equal(t, store.RecordErased, known[idB].State)
	require.False(t, known[idB].Live)
	require.Empty(t, known[idB].RecordDigest)
	require.Equal(t, store.RecordSetAside, known[idC].State)
	require.True(t, known[idC].Live)
	known, err = l.db.Known(t.Context(), l.source, "Case", []string{idA})
	require.NoError(t, err)
	require.Empty(t, known, "of another object")
	known, err = l.db.Known(t.Context(), l.source, l.ref.Object, nil)
	require.NoError(t, err)
	require.Empty(t, known)
}

// Alerts are what is to be open: repeating says nothing new, what is no longer named is over.
func TestSchemaAlerts(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	hidden := store.SchemaEvent{Object: "Case", Field: "Priority", Kind: store.FieldHidden, Message: "hidden", Hint: "tick it"}
	gone := store.SchemaEvent{Object: "Account", Kind: store.ObjectHidden, Message: "gone"}
	added := store.SchemaEvent{Object: "Case", Field: "Tier__c", Kind: store.FieldsAdded, Message: "new"}
	state := func() (out []string) {
		list, err := l.db.SchemaEvents(t.Context(), l.id, 10)
		require.NoError(t, err)
		for _, e := range list {
			out = append(out, fmt.Sprint(e.Kind, " ", e.Object, ".", e.Field, " ", e.ResolvedAt == nil, " ", e.Message))
		}
		return out
	}
	l.saveSchema(store.Schema{Alerts: []store.SchemaEvent{hidden, gone}, News: []store.SchemaEvent{added}})
	l.saveSchema(store.Schema{Alerts: []store.SchemaEvent{hidden, gone}})
	hidden.Message = "still hidden"
	l.saveSchema(store.Schema{Alerts: []store.SchemaEvent{hidden}})
	require.Equal(t, []string{"fields_added Case.Tier__c false new", "object_hidden Account. false gone", "field_hidden Case.Priority true still hidden"}, state())
	l.saveSchema(store.Schema{})
	l.saveSchema(store.Schema{Alerts: []store.SchemaEvent{hidden}})
	require.Equal(t, []string{"field_hidden Case.Priority true still hidden", "fields_added Case.Tier__c false new", "object_hidden Account. false gone",
		"field_hidden Case.Priority false still hidden"}, state())
	counts, err := l.db.CountAlerts(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int64{store.FieldHidden: 1}, counts)
	require.NoError(t, l.db.SetDesired(t.Context(), l.id, store.DesiredPaused))
	counts, err = l.db.CountAlerts(t.Context())
	require.NoError(t, err)
	require.Empty(t, counts, "nobody is waiting for it")
}

func TestDescriptions(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	due := func() bool {
		target, err := l.db.LoadTarget(t.Context(), "support", "salesforce-prod")
		require.NoError(t, err)
		return target.SchemaDue
	}
	require.True(t, due())
	one := store.Description{Object: "Case", Visible: true, Description: json.RawMessage(`{"name": "Case"}`), LastModified: "Mon"}
	two := store.Description{Object: "Account", Visible: true, Incomplete: true, Description: json.RawMessage(`{"name": "Account"}`)}
	l.saveSchema(store.Schema{Described: []store.Description{one, two}})
	require.False(t, due())
	list, err := l.db.Descriptions(t.Context(), l.id)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []any{"Account", true, "Case", "Mon"}, []any{list[0].Object, list[0].Incomplete, list[1].Object, list[1].LastModified})

	// A hidden object keeps the description it had; one that nobody asks for is forgotten.
	l.saveSchema(store.Schema{Described: []store.Description{{Object: "Case", Description: json.RawMessage(`{}`)}}})
	list, err = l.db.Descriptions(t.Context(), l.id)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.False(t, list[0].Visible)
	require.JSONEq(t, `{"name": "Case"}`, string(list[0].Description))

	require.NoError(t, l.db.SaveLook(t.Context(), l.id, nil, 0))
	require.False(t, due())
	l.seed.Exec(`update integrations set schema_looked_at = schema_looked_at - interval '15 minutes'`)
	require.True(t, due())
	require.NoError(t, l.db.SaveLook(t.Context(), l.id, []store.Description{{Object: "Case", LastModified: "Tue"}}, time.Minute))
	require.False(t, due())
	l.seed.Exec(`update integrations set schema_looked_at = schema_looked_at - interval '1 minute'`)
	require.True(t, due(), "a fault is asked again soon")
	list, err = l.db.Descriptions(t.Context(), l.id)
	require.NoError(t, err)
	require.Equal(t, "Tue", list[0].LastModified)
}

func TestRequestCheck(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	stored, err := l.db.CheckReport(t.Context(), l.id)
	require.NoError(t, err)
	require.Nil(t, stored.At)
	first, err := l.db.RequestCheck(t.Context(), l.id)
	require.NoError(t, err)
	second, err := l.db.RequestCheck(t.Context(), l.id)
	require.NoError(t, err)
	require.Greater(t, second, first)
	l.saveSchema(store.Schema{Report: json.RawMessage(`{"must": []}`), Answered: first})
	l.saveSchema(store.Schema{}) // a check without a report leaves the last one
	stored, err = l.db.CheckReport(t.Context(), l.id)
	require.NoError(t, err)
	require.Equal(t, first, stored.Answered)
	require.JSONEq(t, `{"must": []}`, string(stored.Report))
	require.WithinDuration(t, time.Now(), *stored.At, time.Minute)
	_, err = l.db.CheckReport(t.Context(), "0000000000000000")
	requireKind(t, fault.NotFound, err)
	_, err = l.db.RequestCheck(t.Context(), "0000000000000000")
	requireKind(t, fault.NotFound, err)
}
