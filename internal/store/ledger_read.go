package store

import "context"

// Units is the number of AI units that a source has cost so far.
func (s *Store) Units(ctx context.Context, sourceID string) (n int64, err error) {
	err = s.pool.QueryRow(ctx, `select coalesce(sum(units), 0) from ledger where source_id = $1`, sourceID).Scan(&n)
	return n, translate("count AI units", err)
}
