package storetest

import (
	"strconv"

	"github.com/stretchr/testify/require"
)

// Backfill opens a backfill of an integration's object and returns its id. It has been at
// work for a hundred seconds.
func (s *Seed) Backfill(integrationID, object string, first bool, expected int64) int64 {
	s.t.Helper()
	reason := "asked for by an operator"
	if first {
		reason = "first load"
	}
	return s.id(`
		insert into backfills (integration_id, object, first, known, reason, rows_expected, planned, requested_at, started_at)
		values ($1, $2, $3, false, $4, nullif($5::bigint, 0), $5 > 0, now() - interval '101 seconds', now() - interval '100 seconds') returning id::text`,
		integrationID, object, first, reason, expected)
}

// Part adds a part to a backfill, with a page of new comments that was applied half a
// minute ago, and returns its number.
func (s *Seed) Part(backfill, comments int64, state string, finished bool) int64 {
	s.t.Helper()
	stream := s.id(`
		insert into streams (integration_id, object, lane, part, epoch, seq, finished_at)
		select integration_id, object, 'backfill', id || '.' || (select count(*) + 1 from backfill_parts where backfill_id = $1), 1, 1, case when $2 then now() end
		from backfills where id = $1 returning id::text`, backfill, finished)
	s.Exec(`
		insert into batches (stream_id, epoch, seq, state, rows, bytes, created, units, checksum, read_begin, read_end, applied_at)
		values ($1, 1, 1, 'applied', $2::bigint, $2::bigint * 8000, $2, $2, '\x00', 1, 2, now() - interval '30 seconds')`, stream, comments)
	return s.id(`
		insert into backfill_parts (backfill_id, part, stream_id, state, job_id, processed, read_begin, read_end)
		select $1, count(*) + 1, $2, $3, '750', 1, 1, 2 from backfill_parts where backfill_id = $1 returning part::text`, backfill, stream, state)
}

// id runs a statement that returns one number.
func (s *Seed) id(sql string, args ...any) int64 {
	s.t.Helper()
	rows := s.Strings(sql, args...)
	require.Len(s.t, rows, 1, sql)
	n, err := strconv.ParseInt(rows[0], 10, 64)
	require.NoError(s.t, err)
	return n
}
