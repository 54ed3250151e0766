package transform_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
	"salesforcesync/internal/transform"
)

// sealed makes a live lane whose first batch holds the chunks, each a list of records.
func sealed(t testing.TB, checksum []byte, chunks ...[][]byte) (*store.Store, *storetest.Seed, flow.BatchRef) {
	t.Helper()
	var out []store.Chunk
	for _, records := range chunks {
		c := store.Chunk{Format: store.FormatJSON, IDs: make([]string, len(records))}
		for _, raw := range records {
			c.Data = append(append(c.Data, raw...), '\n')
		}
		out = append(out, c)
	}
	return sealedChunks(t, checksum, out...)
}

// sealedChunks is sealed for chunks of any format.
func sealedChunks(t testing.TB, checksum []byte, chunks ...store.Chunk) (*store.Store, *storetest.Seed, flow.BatchRef) {
	t.Helper()
	db, seed := storetest.NewSeed(t)
	applied, err := db.ApplyIntegration(t.Context(), config.Integration{
		Project: "support", Integration: "salesforce-prod", Source: "salesforce-emails",
		Connection:   config.Connection{InstanceURL: "https://acme.my.salesforce.com", LoginURL: "https://login.salesforce.com", ConsumerKey: "k"},
		PollInterval: config.DefaultPollInterval,
		Objects:      []config.Object{{Object: "EmailMessage", Preset: "email", Deleted: config.DeletedTombstone}},
	})
	require.NoError(t, err)
	plan, err := json.Marshal(map[string]any{"object": "EmailMessage", "recipe": recipe})
	require.NoError(t, err)
	require.NoError(t, db.SaveCheck(t.Context(), applied.IntegrationID, store.Check{SpecVersion: applied.SpecVersion, Begun: time.Now(), Objects: []store.CheckedObject{{Name: "EmailMessage", Plan: plan}}}))
	target, err := db.LoadTarget(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	o := target.Objects[0]
	ref := flow.BatchRef{Stream: o.Stream, Epoch: o.Epoch, Seq: 1, Object: o.Name}
	b, err := db.BeginBatch(t.Context(), ref)
	require.NoError(t, err)
	sum := store.Checksum(store.FormatJSON)
	if len(chunks) > 0 {
		sum = store.Checksum(chunks[0].Format)
	}
	seal := store.Seal{Chunks: len(chunks), ServerTime: time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)}
	for i, c := range chunks {
		c.Number = i
		sum.Write(c.Data)
		seal.Rows += int64(len(c.IDs))
		seal.Bytes += int64(len(c.Data))
		require.NoError(t, db.AddChunk(t.Context(), b, c))
	}
	if seal.Checksum = checksum; checksum == nil {
		seal.Checksum = sum.Sum(nil)
	}
	require.NoError(t, db.SealBatch(t.Context(), b, seal))
	return db, seed, ref
}

const otherID, thirdID = "02s5e00000AbCdFAAV", "02s5e00000AbCdGAAV"

func TestTransform(t *testing.T) {
	t.Parallel()
	db, seed, ref := sealed(t, nil,
		[][]byte{record(nil), record(map[string]any{"Id": otherID, "IsDeleted": true})},
		[][]byte{record(map[string]any{"Id": thirdID, "MessageDate": nil, "CreatedDate": nil})})
	batches := transform.Batches{Store: db}
	want := flow.TransformResult{Comments: 1, SetAside: 1, CleaningVersion: clean.Version}
	got, err := batches.Transform(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, want, got)
	first := seed.Strings(`select staged::text from staged order by record_id`)
	require.Len(t, first, 3)
	require.Equal(t, []string{"0", "0", "1"}, seed.Strings(`select chunk::text from staged order by record_id`), "each row knows where its raw copy is")

	got, err = batches.Transform(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, first, seed.Strings(`select staged::text from staged order by record_id`), "the same bytes again")

	done, err := db.Upsert(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, flow.Counts{Rows: 3, Created: 1, SetAside: 1, Deleted: 1, Units: 1}, done.Counts)
	_, err = batches.Transform(t.Context(), ref)
	require.NoError(t, err, "a batch that was applied is left alone")
	require.Empty(t, seed.Strings(`select record_id from staged`))
	require.Equal(t, []string{"EmailMessage " + thirdID}, seed.Strings(`select object || ' ' || record_id from set_aside`))
}

func TestTransformOfNothing(t *testing.T) {
	t.Parallel()
	db, _, ref := sealed(t, nil)
	_, err := transform.Batches{Store: db}.Transform(t.Context(), ref)
	require.NoError(t, err)
	done, err := db.Upsert(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, flow.Counts{}, done.Counts)
}

func TestTransformRefuses(t *testing.T) {
	t.Parallel()
	t.Run("a batch that is not what was read", func(t *testing.T) {
		t.Parallel()
		db, seed, ref := sealed(t, []byte("the sum of something else"), [][]byte{record(nil)})
		_, err := transform.Batches{Store: db}.Transform(t.Context(), ref)
		require.Equal(t, fault.Internal, fault.KindOf(err))
		require.ErrorContains(t, err, "checksum")
		require.Empty(t, seed.Strings(`select record_id from staged`))
		require.Equal(t, []string{"sealed"}, seed.Strings(`select state from batches`))
	})
	t.Run("a batch that is not there", func(t *testing.T) {
		t.Parallel()
		db, _, ref := sealed(t, nil)
		ref.Seq = 2
		_, err := transform.Batches{Store: db}.Transform(t.Context(), ref)
		require.Equal(t, fault.Fenced, fault.KindOf(err), "it was dropped because it could not be applied any more")
	})
	t.Run("a batch that is still read", func(t *testing.T) {
		t.Parallel()
		db, seed, ref := sealed(t, nil)
		seed.Exec(`update batches set state = 'reading'`)
		_, err := transform.Batches{Store: db}.Transform(t.Context(), ref)
		require.Equal(t, fault.Fenced, fault.KindOf(err))
	})
	t.Run("a batch of the mapping before", func(t *testing.T) {
		t.Parallel()
		db, seed, ref := sealed(t, nil, [][]byte{record(nil)})
		seed.Exec(`update objects set state = 'unchecked', plan = null`)
		seed.Exec(`update streams set epoch = epoch + 1`)
		_, err := transform.Batches{Store: db}.Transform(t.Context(), ref)
		require.Equal(t, fault.Fenced, fault.KindOf(err))
	})
}
