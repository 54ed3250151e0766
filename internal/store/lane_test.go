package store_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// noon is the stamp that tests count from.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// lane writes batches of one stream the way Poll, Transform and Upsert do.
type lane struct {
	t      testing.TB
	db     *store.Store
	seed   *storetest.Seed
	id     string // integration
	source string
	ref    flow.BatchRef // the next batch
	clock  time.Time     // Salesforce's, at each read
}

// newLane makes an integration with one object whose comments follow deletes as the
// policy says, and gives its live lane.
func newLane(t testing.TB, deleted string) *lane {
	t.Helper()
	db, seed := storetest.NewSeed(t)
	return laneOf(t, db, seed, "salesforce-prod", deleted)
}

func laneOf(t testing.TB, db *store.Store, seed *storetest.Seed, name, deleted string) *lane {
	t.Helper()
	result, err := db.ApplyIntegration(t.Context(), laneFile(name, deleted))
	require.NoError(t, err)
	target, err := db.LoadTarget(t.Context(), "support", name)
	require.NoError(t, err)
	require.Len(t, target.Objects, 1)
	o := target.Objects[0]
	return &lane{t: t, db: db, seed: seed, id: result.IntegrationID, source: target.SourceID, clock: at(3600),
		ref: flow.BatchRef{Stream: o.Stream, Epoch: o.Epoch, Seq: o.Seq + 1, Object: o.Name}}
}

func laneFile(name, deleted string) config.Integration {
	return config.Integration{
		Project: "support", Integration: name, Source: name,
		Connection: config.Connection{InstanceURL: "https://acme.my.salesforce.com", LoginURL: "https://login.salesforce.com",
			ConsumerKey: "the-consumer-key", ConsumerSecret: "plain-consumer-secret"},
		PollInterval: config.DefaultPollInterval,
		Objects:      []config.Object{{Object: "EmailMessage", Preset: "email", Deleted: deleted}},
	}
}

// second gives another lane of the same object.
func (l *lane) second(kind string) *lane {
	l.t.Helper()
	var stream int64
	_, err := fmt.Sscan(l.seed.Strings(`insert into streams (integration_id, object, lane, epoch) values ($1, $2, $3, $4) returning id::text`,
		l.id, l.ref.Object, kind, l.ref.Epoch)[0], &stream)
	require.NoError(l.t, err)
	other := *l
	other.ref.Stream, other.ref.Seq = stream, 1
	return &other
}

// mail is one state of one record in Salesforce.
type mail struct {
	id       string
	stamp    time.Time
	raw      string // what Salesforce holds as text; the cleaned text is its own unless cleaned says otherwise
	cleaned  string
	priority string
	deleted  bool
	reason   string
}

func (m mail) row() store.StagedRow {
	texts := sha256.Sum256([]byte(m.raw))
	whole := sha256.Sum256([]byte(m.raw + "\x00" + m.priority))
	r := store.StagedRow{RecordID: m.id, Stamp: m.stamp, RecordDigest: whole[:], TextDigest: texts[:], Deleted: m.deleted}
	switch {
	case m.deleted:
	case m.reason != "":
		r.Reason = m.reason
	default:
		body := m.raw
		if m.cleaned != "" {
			body = m.cleaned
		}
		sent := noon
		r.Comment = &comment.Comment{ID: "c-" + m.id, Timestamp: noon, ThreadID: "aa",
			Messages:   []comment.Message{{Body: comment.Text{Text: body}, Subject: &comment.Text{Text: "S"}, From: "Ann <ann@example.com>", To: []string{"bob@example.com"}, SentAt: &sent}},
			Properties: comment.Properties{"string:Priority": m.priority}}
		if m.priority == "" {
			r.Comment.Properties = comment.Properties{}
		}
	}
	return r
}

func (l *lane) begin() *store.Batch {
	l.t.Helper()
	b, err := l.db.BeginBatch(l.t.Context(), l.ref)
	require.NoError(l.t, err)
	return b
}

func (l *lane) seal(b *store.Batch, rows int, rechecked ...string) {
	l.t.Helper()
	lines := make([]byte, rows)
	sum := sha256.Sum256(lines)
	require.NoError(l.t, l.db.AddChunk(l.t.Context(), b, store.Chunk{Number: 0, Format: store.FormatJSON, IDs: make([]string, rows), Data: lines}))
	require.NoError(l.t, l.db.SealBatch(l.t.Context(), b, store.Seal{Chunks: 1, Rows: int64(rows), Bytes: int64(rows), Checksum: sum[:],
		ServerTime: l.clock, Rechecked: rechecked}))
}

func (l *lane) stage(ref flow.BatchRef, version int, mails ...mail) error {
	l.t.Helper()
	b, err := l.db.LoadBatch(l.t.Context(), ref)
	require.NoError(l.t, err)
	return l.db.StageRows(l.t.Context(), b, version, func(st *store.Staging) error {
		for _, m := range mails {
			if err := st.Add(m.row()); err != nil {
				return err
			}
		}
		return nil
	})
}

// prepare does everything but the Upsert.
func (l *lane) prepare(mails ...mail) flow.BatchRef {
	l.t.Helper()
	l.seal(l.begin(), len(mails))
	require.NoError(l.t, l.stage(l.ref, 1, mails...))
	ref := l.ref
	l.ref.Seq++
	return ref
}

func (l *lane) upsert(ref flow.BatchRef) flow.Counts {
	l.t.Helper()
	result, err := l.db.Upsert(l.t.Context(), ref)
	require.NoError(l.t, err)
	require.False(l.t, result.Again)
	require.Equal(l.t, result.Counts.Rows, result.Counts.Sum())
	l.sound()
	return result.Counts
}

// apply runs one batch through and checks that the store is sound after it.
func (l *lane) apply(mails ...mail) flow.Counts {
	l.t.Helper()
	return l.upsert(l.prepare(mails...))
}

func (l *lane) strings(sql string, args ...any) []string {
	l.t.Helper()
	return l.seed.Strings(sql, args...)
}

// one gives the only row of a one-column query as text; "" for no row.
func (l *lane) one(sql string, args ...any) string {
	l.t.Helper()
	rows := l.seed.Strings(sql, args...)
	if len(rows) == 0 {
		return ""
	}
	require.Len(l.t, rows, 1, sql)
	return rows[0]
}

// refused runs a statement in a transaction that is rolled back whatever happens, and
// gives the error.
func (l *lane) refused(t *testing.T, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), l.seed.URL())
	require.NoError(t, err)
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context()) //nolint:errcheck // the connection ends anyway
	_, err = tx.Exec(t.Context(), sql)
	require.Error(t, err, "nothing refuses: %s", sql)
	return err.Error()
}

// text is the body in force of a record's comment, with a mark when it is a tombstone.
func (l *lane) text(id string) string {
	l.t.Helper()
	return l.one(`
		select (v.texts->0->>'body') || case when c.deleted_at is null then '' else ' (deleted)' end
		from comments c join revisions v on (v.source_id, v.comment_id, v.revision) = (c.source_id, c.id, c.revision)
		where c.source_id = $1 and c.id = $2`, l.source, "c-"+id)
}

func (l *lane) state(id string) string {
	l.t.Helper()
	return l.one(`select state from records where source_id = $1 and record_id = $2`, l.source, id)
}

func (l *lane) units() int {
	l.t.Helper()
	return len(l.strings(`select comment_id from ledger where source_id = $1`, l.source))
}

// version tells one row version of a comment from the next.
func (l *lane) version(id string) string {
	l.t.Helper()
	return l.one(`select ctid::text || ' ' || xmin::text from comments where source_id = $1 and id = $2`, l.source, "c-"+id)
}

func (l *lane) rechecks() []string {
	l.t.Helper()
	return l.strings(`select record_id || ' ' || reason || case when not_before <= now() then ' due' else '' end from rechecks order by 1`)
}

// sound checks what must hold after any batch, whatever was in it.
func (l *lane) sound() {
	l.t.Helper()
	for what, sql := range map[string]string{
		"an applied batch whose counts do not sum": `
			select seq::text from batches where state = 'applied' and rows <> created + text_changed + metadata_changed + unchanged + stale + set_aside + deleted`,
		"a ledger that is not the batches' units": `
			select sum.units || ' in batches' from (select coalesce(sum(units), 0) as units from batches) sum
			where sum.units <> (select count(*) from ledger)`,
		"a day whose sum is not its units": `
			select coalesce(d.day, l.day)::text from (
				select source_id, day, lane, reason, sum(units) as units from ledger_days group by 1, 2, 3, 4) d
			full join (
				select g.source_id, (g.at at time zone 'UTC')::date as day, coalesce(st.lane, 'api') as lane, g.reason, sum(g.units) as units
				from ledger g left join ledger_streams st using (stream_id) group by 1, 2, 3, 4) l using (source_id, day, lane, reason)
			where d.units is distinct from l.units`,
		"a unit without its revision": `
			select g.comment_id || ' ' || g.revision from ledger g join comments c on c.source_id = g.source_id and c.id = g.comment_id
			where not exists (select from revisions v where (v.source_id, v.comment_id, v.revision, v.text_hash) = (g.source_id, g.comment_id, g.revision, g.after_hash))
			-- what was erased has left its bill behind
			and not c.erased and not exists (select from ledger again where again.source_id = g.source_id and again.comment_id = g.comment_id
				and again.revision > g.revision and again.reason = 'created')`,
		"a revision without its unit": `
			select comment_id || ' ' || revision from revisions v
			where not exists (select from ledger g where (g.source_id, g.comment_id, g.revision) = (v.source_id, v.comment_id, v.revision))`,
		"a comment that is not at its last revision": `
			select c.id from comments c
			where not c.erased and (c.revision, c.text_hash) is distinct from (select (v.revision, v.text_hash) from revisions v
				where v.source_id = c.source_id and v.comment_id = c.id order by revision desc limit 1)`,
		"a live record without a living comment": `
			select record_id from records r where state = 'live'
			and not exists (select from comments c where c.source_id = r.source_id and c.id = r.comment_id and c.deleted_at is null)`,
		"a deleted record with a living comment": `
			select record_id from records r join integrations i on i.source_id = r.source_id join objects o on o.integration_id = i.id and o.name = r.object where r.state = 'deleted' and o.spec->>'deleted' <> 'keep'
			and exists (select from comments c where c.source_id = r.source_id and c.id = r.comment_id and c.deleted_at is null)`,
		"a set-aside list that differs from the records": `
			select coalesce(r.record_id, a.record_id) from (select * from records where state = 'set_aside') r
			full join set_aside a on (a.source_id, a.object, a.record_id) = (r.source_id, r.object, r.record_id)
			where r.record_id is null or a.record_id is null`,
		"something left of an erased record": `
			select r.record_id from records r left join comments c on c.source_id = r.source_id and c.id = r.comment_id
			where r.state = 'erased' and not coalesce(c.erased, true) or r.state = 'live' and c.erased
			   or r.state = 'erased' and (r.raw_stream is not null or r.record_digest <> '' or r.text_digest <> ''
			      or exists (select from revisions v where v.source_id = c.source_id and v.comment_id = c.id)
			      or exists (select from set_aside a where (a.source_id, a.object, a.record_id) = (r.source_id, r.object, r.record_id)))`,
		"cleaned rows of an applied batch": `
			select s.record_id from staged s join batches b on (b.stream_id, b.epoch, b.seq) = (s.stream_id, s.epoch, s.seq) where b.state = 'applied'`,
		"a stream whose seq is not its last applied batch": `
			select id::text from streams st where seq <> coalesce((select max(seq) from batches b where b.stream_id = st.id and state = 'applied'), 0)`,
	} {
		require.Empty(l.t, l.strings(sql), "there is %s", what)
	}
}
