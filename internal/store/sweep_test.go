package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// What has run out goes, and nothing else does.
func TestSweep(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.seed.Exec(`insert into users (id, email, username) values ('00000000000000aa', 'ann@example.com', 'ann'), ('00000000000000bb', 'bob@example.com', 'bob')`)
	// Each table has a row that is of use, with 'kept' or 1 in it, and one that is not.
	for table, sql := range map[string]string{
		"sessions":       `insert into sessions (hash, user_id, expires_at) select hash, '00000000000000aa', now() + age from rows`,
		"sign_ins":       `insert into sign_ins (state_hash, browser_hash, next, expires_at) select hash, hash, '/', now() + age from rows`,
		"notices":        `insert into notices (hash, level, message, expires_at) select hash, 'success', 'x', now() + age from rows`,
		"connect_links":  `insert into connect_links (hash, integration_id, expires_at, spent_at) select hash, '` + l.id + `', now() + interval '1 day', case when not kept then now() + age - interval '8 days' end from rows`,
		"password_links": `insert into password_links (hash, user_id, expires_at) select hash, case when kept then '00000000000000aa' else '00000000000000bb' end, now() + age - interval '7 days' + interval '1 minute' from rows`,
		"oauth_attempts": `insert into oauth_attempts (state_hash, integration_id, verifier, browser_hash, user_id, expires_at) select hash, '` + l.id + `', '', hash, '00000000000000aa', now() + age from rows`,
		"quota_calls":    `insert into quota_calls (org_id, bucket, calls) select 'x', now() + age - interval '1 day' * case when kept then 1 else 2 end, 1 from rows`,
		"schema_events":  `insert into schema_events (integration_id, object, kind, message, hint, resolved_at) select '` + l.id + `', 'Case', 'field_hidden', '', '', case when not kept then now() + age - interval '1 year' end from rows`,
	} {
		l.seed.Exec(`with rows as (select sha256(convert_to(n::text, 'UTF8')) as hash, n = 1 as kept, case when n = 1 then interval '1 hour' else interval '-1 hour' end as age from generate_series(1, 2) n) ` + sql)
		require.Equal(t, "2", l.one(`select count(*)::text from `+table), table)
	}
	removed, err := l.db.Sweep(t.Context())
	require.NoError(t, err)
	want := map[string]int64{}
	for _, table := range store.SweptTables() {
		want[table] = 1
		require.Equal(t, "1", l.one(`select count(*)::text from `+table), table)
	}
	require.Equal(t, want, removed)
	removed, err = l.db.Sweep(t.Context())
	require.NoError(t, err)
	require.Empty(t, removed)
}

// Receipts stay while there is a raw copy, for a quarter of a year, and the newest for ever.
func TestOldReceiptsAreRemoved(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	for n := range 4 {
		l.apply(mail{id: idA, stamp: at(n), raw: string(rune('a' + n))})
	}
	l.seed.Exec(`insert into batches (stream_id, epoch, seq, state, chunks, checksum, read_begin, read_end, applied_at, raw_removed_at)
		select stream_id, epoch, n, 'applied', 1, '', 1, 2, now(), now() from batches b, generate_series(5, 110) n where b.seq = 1`)
	l.seed.Exec(`update streams set seq = 110`)
	remove := func(limit int) bool {
		more, err := l.db.RemoveReceipts(t.Context(), l.id, limit)
		require.NoError(t, err)
		return more
	}
	first := func() string { return l.one(`select min(seq)::text from batches`) }
	require.False(t, remove(100))
	require.Equal(t, "1", first(), "none is old")
	l.seed.Exec(`update batches set applied_at = now() - interval '91 days'`)
	require.False(t, remove(100))
	require.Equal(t, "1", first(), "its raw copy is there")
	require.Equal(t, "11", l.one(`select min(seq)::text from batches where seq > 4`), "of the newest hundred none goes")
	_, err := l.db.RemoveRaw(t.Context(), l.id, noon.AddDate(100, 0, 0), 100)
	require.NoError(t, err)
	require.True(t, remove(3))
	require.Equal(t, "4", first())
	require.False(t, remove(100))
	require.Equal(t, "11", first())
	require.Equal(t, "4", l.one(`select count(*)::text from ledger`))
}

// Every table is in the table of docs/backup.md that says how long it is kept, and nothing else is.
func TestEveryTableIsSaidHowLongItIsKept(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "backup.md"))
	require.NoError(t, err)
	_, text, found := strings.Cut(string(raw), "\n## How long\n")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n## ")
	var said []string
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "| `") {
			cells := strings.Split(line, "|")
			require.Len(t, cells, 6, line)
			for _, c := range cells[1:5] {
				require.NotEmpty(t, strings.TrimSpace(c), line)
			}
			for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cells[1], -1) {
				said = append(said, m[1])
			}
		}
	}
	_, seed := storetest.NewSeed(t)
	require.ElementsMatch(t, seed.Strings(`select tablename from pg_tables where schemaname = 'public'`), said)
	for _, table := range store.SweptTables() {
		require.Regexp(t, "(?m)^\\| [^|]*`"+table+"`[^|]*\\|.*\\| `authsvc`", text, table)
	}
}
