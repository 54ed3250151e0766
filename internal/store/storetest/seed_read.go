package storetest

import (
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Strings gives the rows of a query for one text column, for tests that look at what
// was written.
func (s *Seed) Strings(sql string, args ...any) []string {
	s.t.Helper()
	rows, err := s.pool.Query(s.t.Context(), sql, args...)
	require.NoError(s.t, err, sql)
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(s.t, err, sql)
	return values
}

// URL is the database's address, for tests that start programs on it.
func (s *Seed) URL() string { return s.pool.Config().ConnString() }
