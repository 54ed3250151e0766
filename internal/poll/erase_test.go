package poll_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/simforce"
)

const canary = "canary-7f3a"

var erasedMail = config.Object{Object: "EmailMessage", Preset: config.PresetEmail, Deleted: config.DeletedErase,
	Properties: []config.Property{{Name: "Message", Path: "MessageIdentifier"}}}

// holding lists the tables that hold the canary anywhere: in the text of a row, in bytes, or in a
// compressed payload.
func (b *bench) holding() []string {
	b.Helper()
	var out []string
	for _, table := range b.seed.Strings(`select tablename from pg_tables where schemaname = 'public' order by 1`) {
		found := b.count(`select count(*) from ` + table + ` t where t::text ilike '%` + canary + `%' or t::text ilike '%` + hex.EncodeToString([]byte(canary)) + `%'`)
		if found > 0 {
			out = append(out, table)
		}
	}
	for _, lines := range b.raw() {
		if strings.Contains(lines, canary) {
			out = append(out, "raw_chunks")
			break
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// raw gives the kept raw lines of each batch, decoded, and requires that its checksum and
// its number of rows are those of what is kept.
func (b *bench) raw() map[string]string {
	b.Helper()
	reader, err := zstd.NewReader(nil)
	require.NoError(b, err)
	defer reader.Close()
	out := map[string]string{}
	for _, row := range b.seed.Strings(`
		select k.stream_id || '.' || k.epoch || '.' || k.seq || ' ' || encode(k.payload, 'hex') || ' ' || k.rows || ' ' || k.bytes || ' ' || coalesce(array_to_string(k.ids, ','), '')
		from raw_chunks k order by k.stream_id, k.epoch, k.seq, k.attempt, k.chunk`) {
		f := strings.Split(row, " ")
		payload, err := hex.DecodeString(f[1])
		require.NoError(b, err)
		lines, err := reader.DecodeAll(payload, nil)
		require.NoError(b, err)
		require.Equal(b, []string{fmt.Sprint(bytes.Count(lines, []byte("\n"))), fmt.Sprint(len(lines))}, f[2:4])
		if f[4] != "" {
			require.Len(b, strings.Split(f[4], ","), bytes.Count(lines, []byte("\n")))
		}
		out[f[0]] += string(lines)
	}
	for _, row := range b.seed.Strings(`
		select stream_id || '.' || epoch || '.' || seq || ' ' || encode(checksum, 'hex') || ' ' || rows - erased from batches where checksum is not null`) {
		f := strings.Split(row, " ")
		sum := sha256.Sum256([]byte(out[f[0]]))
		require.Equal(b, []string{f[0], hex.EncodeToString(sum[:]), fmt.Sprint(strings.Count(out[f[0]], "\n"))}, f)
	}
	return out
}

// marked writes a mail with the canary in each of its parts, changes it, and reads both versions.
func (b *bench) marked() string {
	b.Helper()
	id := b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": canary, "TextBody": "first " + canary, "FromName": canary,
		"FromAddress": canary + "@example.com", "ToAddress": canary + "@example.org", "MessageIdentifier": "<" + canary + ">",
		"ThreadIdentifier": canary, "Incoming": true}})
	b.settle()
	b.clock.add(time.Minute)
	b.update("EmailMessage", id, simforce.Row{"HtmlBody": nil, "TextBody": "second " + canary})
	b.settle()
	require.Equal(b, "second "+canary, b.comment(id).Messages[0].Body.Text)
	require.Subset(b, b.holding(), []string{"comments", "raw_chunks", "revisions"})
	return id
}

// erased requires that nothing is left of the record but the proof.
func (b *bench) erased(id string, comments int, units int64) {
	b.Helper()
	require.Empty(b, b.holding())
	require.Equal(b, []string{"erased"}, b.seed.Strings(`select state from records where record_id = $1`, id))
	require.Equal(b, []string{"true true 2 [] {}"}, b.seed.Strings(`
		select erased || ' ' || (deleted_at is not null) || ' ' || revision || ' ' || envelope || ' ' || properties from comments where id = $1`, hex.EncodeToString([]byte(id))))
	require.Zero(b, b.count(`select count(*) from erasures`))
	require.Len(b, b.comments(), comments)
	require.Equal(b, units, b.units())
	_, err := b.db.Comment(b.Context(), b.source, hex.EncodeToString([]byte(id)))
	require.Equal(b, fault.NotFound, fault.KindOf(err))
	newest, err := b.db.NewestComments(b.Context(), []string{b.source}, 100)
	require.NoError(b, err)
	require.Len(b, newest, comments)
}

func TestEraseLeavesTheProofOnly(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 20}, erasedMail)
	id := b.marked()
	before := strings.Join(b.seed.Strings(`select m::text from comments m where id <> $1 order by id`, hex.EncodeToString([]byte(id))), "\n")
	b.clock.add(time.Minute)
	require.NoError(t, b.sim.DeleteRecord("", id, false))
	require.EqualValues(t, 1, b.settle().Deleted)
	b.erased(id, 20, 22)
	require.Equal(t, before, strings.Join(b.seed.Strings(`select m::text from comments m where not erased order by id`), "\n"), "the others are as they were")
	require.Equal(t, 20, b.count(`select count(*) from records r where state = 'live' and exists (select 1 from raw_chunks k
		where (k.stream_id, k.epoch, k.seq, k.chunk) = (r.raw_stream, r.raw_epoch, r.raw_seq, r.raw_chunk) and r.record_id = any(k.ids))`))

	// Read again in the recycle bin it brings its text, and loses it again.
	require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "by hand"))
	require.Zero(t, b.settle().Units)
	b.erased(id, 20, 22)

	// It comes back as a creation, whatever its text is.
	b.clock.add(time.Minute)
	require.NoError(t, b.sim.UndeleteRecord("", id))
	counts := b.settle()
	require.Equal(t, []int64{1, 1}, []int64{counts.Created, counts.Units})
	require.Equal(t, "second "+canary, b.comment(id).Messages[0].Body.Text)
	require.Equal(t, []string{"1 created", "2 text_changed", "3 created"}, b.seed.Strings(`
		select revision || ' ' || reason from ledger where comment_id = $1 order by revision`, hex.EncodeToString([]byte(id))))
	require.Equal(t, 21, b.count(`select count(*) from records r where state = 'live' and exists (select 1 from raw_chunks k
		where (k.stream_id, k.epoch, k.seq, k.chunk) = (r.raw_stream, r.raw_epoch, r.raw_seq, r.raw_chunk) and r.record_id = any(k.ids))`))
}

func TestEraseReachesRecordsThatWereDeletedBefore(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{config.DeletedTombstone, config.DeletedKeep} {
		object := erasedMail
		object.Deleted = policy
		b := connected(t, simforce.Options{Generate: 5}, object)
		id := b.marked()
		require.NoError(t, b.sim.DeleteRecord("", id, false))
		b.settle()
		b.spec.Objects[0].Deleted = config.DeletedErase
		result := b.apply()
		require.EqualValues(t, 1, result.Erase)
		require.Empty(t, result.Reread)
		require.Zero(t, b.apply().Erase)
		status, err := b.db.IntegrationStatus(t.Context(), "support", "prod")
		require.NoError(t, err)
		require.EqualValues(t, 1, status.ObjectList[0].Erasing)
		b.check()
		require.Zero(t, b.settle().Rows)
		b.erased(id, 5, 7)

		// Erased is erased, whatever the policy is afterwards.
		b.spec.Objects[0].Deleted = config.DeletedTombstone
		b.apply()
		b.check()
		require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "by hand"))
		b.settle()
		b.erased(id, 5, 7)
	}
}

func TestPolicyThatIsTakenBackErasesNothing(t *testing.T) {
	t.Parallel()
	object := erasedMail
	object.Deleted = config.DeletedTombstone
	b := connected(t, simforce.Options{}, object)
	id := b.marked()
	require.NoError(t, b.sim.DeleteRecord("", id, false))
	b.settle()
	for _, policy := range []string{config.DeletedErase, config.DeletedTombstone} {
		b.spec.Objects[0].Deleted = policy
		b.apply()
	}
	b.check()
	b.settle()
	require.Zero(t, b.count(`select count(*) from erasures`))
	require.Contains(t, b.holding(), "revisions")
	require.Equal(t, []string{"deleted"}, b.seed.Strings(`select state from records`))
}

// What Upsert does not do at once, the next look does; chunks of earlier releases do not
// say what they hold.
func TestEraseGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 40}, erasedMail)
	b.svc.BatchBytes = 4000
	id := b.marked()
	b.seed.Exec(`update raw_chunks set ids = null`)
	b.seed.Exec(`update pg_class set reltuples = 1e6 where oid = 'raw_chunks'::regclass`) // too many to look through at once
	require.NoError(t, b.sim.DeleteRecord("", id, false))
	b.drain(b.look().News[0].Batch)
	require.Equal(t, []string{"raw_chunks"}, b.holding(), "texts go with the transaction")
	require.Equal(t, 1, b.count(`select count(*) from erasures`))
	// Cut off after each batch.
	more, n := true, 0
	for ; more; n++ {
		var err error
		more, err = b.db.Erase(t.Context(), b.id, 1)
		require.NoError(t, err)
	}
	require.Greater(t, n, 5)
	b.settle()
	b.erased(id, 40, 42)
	require.Zero(t, b.count(`select count(*) from raw_chunks where ids is null`))
}

// A copy in a batch that is not applied yet is needed until it is.
func TestEraseWaitsForABatchUnderWay(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, erasedMail)
	id := b.marked()
	require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "by hand"))
	ref := b.look().News[0].Batch
	require.NotEqual(t, b.object("EmailMessage").Stream, ref.Stream)
	_, err := b.svc.Poll(t.Context(), ref)
	require.NoError(t, err)
	b.clock.add(time.Minute)
	require.NoError(t, b.sim.DeleteRecord("", id, false))
	b.drain(b.next("EmailMessage"))
	require.Equal(t, []string{"raw_chunks"}, b.holding())
	require.Equal(t, 1, b.count(`select count(*) from erasures where not_before > now()`))
	require.EqualValues(t, 1, b.finish(ref).Counts.Stale, "the older version changes nothing")
	b.settle()
	b.erased(id, 3, 5)
}

// What a fenced batch left behind goes, too.
func TestFencedBatchesLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, erasedMail)
	id := b.marked()
	b.update("EmailMessage", id, simforce.Row{"Subject": "again " + canary})
	ref := b.next("EmailMessage")
	_, err := b.svc.Poll(t.Context(), ref)
	require.NoError(t, err)
	_, err = b.batches.Transform(t.Context(), ref)
	require.NoError(t, err)
	require.Contains(t, b.holding(), "staged")
	b.spec.Objects[0].Properties = nil
	b.apply()
	b.check()
	b.clock.add(time.Minute)
	require.NoError(t, b.sim.DeleteRecord("", id, false))
	b.settle()
	b.erased(id, 3, 5)
	for _, f := range []func() error{
		func() error { _, err := b.batches.Transform(t.Context(), ref); return err },
		func() error { _, err := b.db.Upsert(t.Context(), ref); return err },
		func() error { _, err := b.svc.Poll(t.Context(), ref); return err },
	} {
		require.Equal(t, fault.Fenced, fault.KindOf(f()))
	}
}

// A record that was deleted before it was ever read comes with its text, from the recycle bin.
func TestEraseOfRecordsThatWereNeverRead(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, erasedMail)
	id := b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"TextBody": canary, "Incoming": true}})
	b.clock.add(time.Minute)
	require.NoError(t, b.sim.DeleteRecord("", id, false))
	require.EqualValues(t, 1, b.settle().Deleted)
	require.Empty(t, b.holding())
	require.Empty(t, b.comments())
	require.Zero(t, b.units())
}

func TestDeletingTheIntegrationEndsWhatErasingBegan(t *testing.T) {
	t.Parallel()
	object := erasedMail
	object.Deleted = config.DeletedTombstone
	b := connected(t, simforce.Options{Generate: 2}, object)
	id := b.marked()
	require.NoError(t, b.sim.DeleteRecord("", id, false))
	b.settle()
	b.spec.Objects[0].Deleted = config.DeletedErase
	b.apply()
	require.NoError(t, b.db.DeleteIntegration(t.Context(), b.id, false))
	b.erased(id, 2, 4)
}
