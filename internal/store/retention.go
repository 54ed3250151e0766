package store

import (
	"context"
	"time"
)

// RemoveRaw removes the raw copies of an integration's batches that were applied before a time,
// of at most limit batches, and reports whether there are more. Batches that are not applied yet
// keep theirs; the receipts stay, and so does everything that was made of the copies.
func (s *Store) RemoveRaw(ctx context.Context, integrationID string, before time.Time, limit int) (more bool, err error) {
	// A batch that Erase rewrites right now comes next time.
	tag, err := s.pool.Exec(ctx, `
		with due as (
			select b.stream_id, b.epoch, b.seq from streams st join batches b on b.stream_id = st.id
			where st.integration_id = $1 and b.state = 'applied' and b.chunks > 0 and b.raw_removed_at is null and b.applied_at < $2
			limit $3 for update of b skip locked
		), removed as (
			delete from raw_chunks k using due d where (k.stream_id, k.epoch, k.seq) = (d.stream_id, d.epoch, d.seq)
		)
		update batches b set raw_removed_at = now() from due d where (b.stream_id, b.epoch, b.seq) = (d.stream_id, d.epoch, d.seq)`,
		integrationID, before, limit)
	return tag.RowsAffected() == int64(limit), translate("remove raw copies", err)
}

const (
	// receiptsKept is how long the receipts of batches are kept at least, when their raw copies are gone: people look at
	// what was read lately.
	receiptsKept = 90 * 24 * time.Hour
	// receiptsNewest is how many of each lane are kept whatever their age: retries ask for the last ones.
	receiptsNewest = 100
)

// RemoveReceipts removes the receipts of an integration's batches whose raw copies were removed long ago, at most limit, and
// reports whether there are more. The bill, and all that was made of the batches, stays. Loads keep theirs: they are summed up.
func (s *Store) RemoveReceipts(ctx context.Context, integrationID string, limit int) (more bool, err error) {
	// From the oldest on, as far as they go: the first that must stay ends it.
	tag, err := s.pool.Exec(ctx, `
		delete from batches b using (
			select o.stream_id, o.epoch, o.seq
			from streams st
			cross join lateral (
				select stream_id, epoch, seq, raw_removed_at, applied_at, chunks from batches
				where stream_id = st.id and state = 'applied' and seq <= st.seq - $3
				order by stream_id, epoch, seq limit $4) o
			where st.integration_id = $1 and st.lane in ('live', 'resync', 'retransform')
			  and o.applied_at < now() - $2::interval and (o.chunks = 0 or o.raw_removed_at is not null)
			  and not exists (select from raw_chunks k where (k.stream_id, k.epoch, k.seq) = (o.stream_id, o.epoch, o.seq))
			limit $4) due
		where (b.stream_id, b.epoch, b.seq) = (due.stream_id, due.epoch, due.seq)`,
		integrationID, receiptsKept, receiptsNewest, limit)
	return tag.RowsAffected() == int64(limit), translate("remove old receipts", err)
}
