package devstack

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/lib/pq" // the driver that embedded-postgres brings; the product's own belongs to package store
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
)

func startPostgres(t *testing.T, o PostgresOptions) *Postgres {
	t.Helper()
	if o.Log == nil {
		o.Log = logTo(t)
	}
	p, err := StartPostgres(testContext(t), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Remove()) })
	return p
}

func open(t *testing.T, p *Postgres) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", p.URL())
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestPostgresKeepsCommitsOverAKill(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, PostgresOptions{Durable: true, Database: "salesforcesync"})
	db := open(t, p)
	_, err := db.Exec("CREATE TABLE committed (n int PRIMARY KEY)")
	require.NoError(t, err)
	for n := range 20 {
		_, err := db.Exec("INSERT INTO committed VALUES ($1)", n)
		require.NoError(t, err)
	}
	// A session is in the middle of a statement when the crash comes.
	busy := make(chan error, 1)
	go func() {
		_, err := db.Exec("SELECT pg_sleep(600)")
		busy <- err
	}()
	require.Eventually(t, func() bool {
		var n int
		err := db.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'").Scan(&n)
		return err == nil && n == 1
	}, time.Minute, 10*time.Millisecond)

	url := p.URL()
	require.NoError(t, p.Kill())
	require.Error(t, <-busy)
	require.Error(t, db.Ping(), "it is gone")

	require.NoError(t, p.Restart(testContext(t)))
	require.Equal(t, url, p.URL(), "the address stays")
	var n int
	require.NoError(t, open(t, p).QueryRow("SELECT count(*) FROM committed").Scan(&n))
	require.Equal(t, 20, n)
}

func TestPostgresGoesOnWithItsFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pg") // closed to other users, as below /root
	first := startPostgres(t, PostgresOptions{Dir: dir})
	_, err := open(t, first).Exec("CREATE TABLE kept AS SELECT 7 AS n")
	require.NoError(t, err)
	require.NoError(t, first.Stop())

	second := startPostgres(t, PostgresOptions{Dir: dir})
	var n int
	require.NoError(t, open(t, second).QueryRow("SELECT n FROM kept").Scan(&n))
	require.Equal(t, 7, n)
}

func TestPostgresRemoveLeavesNothing(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, PostgresOptions{})
	require.DirExists(t, p.DataDir())
	require.NoError(t, p.Remove())
	require.NoDirExists(t, p.DataDir())
	require.NoDirExists(t, p.cl.dir)
}

func TestPostgresAsksForThePassword(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, PostgresOptions{})
	db, err := sql.Open("postgres", "postgres://postgres:wrong@"+address(p.Port())+"/postgres?sslmode=disable")
	require.NoError(t, err)
	defer db.Close()
	require.ErrorContains(t, db.Ping(), "password authentication failed")
}

func TestPostgresOnATakenPort(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, PostgresOptions{})
	dir := t.TempDir()
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(awayPlace(dir))) })
	_, err := StartPostgres(testContext(t), PostgresOptions{Dir: dir, Port: p.Port()})
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	require.Contains(t, fault.HintOf(err), "stop what listens")
}

func TestClusterOfAnotherVersion(t *testing.T) {
	t.Parallel()
	tools, err := Here()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600))
	_, err = tools.PostgresFor(testContext(t), dir)
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	require.ErrorContains(t, err, "made by PostgreSQL 9")
}

func TestClusterAwayFromItsFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pg") // t.TempDir is closed to other users
	first := startPostgres(t, PostgresOptions{Dir: dir})
	away := filepath.Dir(first.DataDir()) != dir
	require.Equal(t, isRoot(), away, "data in %s", first.DataDir())
	require.NoError(t, first.Stop())

	// Somebody removes the folder: its data elsewhere is not taken up again, its password is gone.
	require.NoError(t, os.RemoveAll(dir))
	second := startPostgres(t, PostgresOptions{Dir: dir})
	require.NoError(t, open(t, second).Ping())
}

func TestServerPackage(t *testing.T) {
	t.Parallel()
	name, err := serverPackage([]byte("postgresql\n  Depends: postgresql-17\n"))
	require.NoError(t, err)
	require.Equal(t, "postgresql-17", name)
	_, err = serverPackage([]byte("postgresql\n"))
	require.Error(t, err)
}

func TestMissingLibraries(t *testing.T) {
	t.Parallel()
	simulation := `NOTE: This is only a simulation!
Inst libicu72 (72.1-3 Debian:12.8/stable [amd64])
Inst libllvm14 (1:14.0.6-12 Debian:12.8/stable [amd64])
Inst libjson-perl (4.10000-1 Debian:12.8/stable [all])
Inst postgresql-common (248 Debian:12.8/stable [all])
Inst libpq5 [15.1] (15.18 Debian:12.8/stable [amd64])
Conf libpq5 (15.18 Debian:12.8/stable [amd64])
`
	require.Equal(t, []string{"libicu72", "libpq5"}, missingLibraries([]byte(simulation)))
}
