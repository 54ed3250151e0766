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
