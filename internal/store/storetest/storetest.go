// Package storetest gives each test a migrated database of its own on a real
// PostgreSQL. It creates and drops databases named …_test_<random> and touches no other.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

var template struct {
	once sync.Once
	name string
	err  error
}

// ServerURL is the PostgreSQL server that tests may create databases on. A test
// without one fails: `make test` brings one.
func ServerURL(t testing.TB) string {
	t.Helper()
	raw := os.Getenv("TEST_DATABASE_URL")
	require.NotEmpty(t, raw, "TEST_DATABASE_URL is not set: run the tests with `make test`, or name a PostgreSQL server whose user may create databases")
	return raw
}

// Keys is a key ring for tests.
func Keys(t testing.TB) *secret.KeyRing {
	t.Helper()
	ring, err := secret.ParseKeyRing("test:" + base64.StdEncoding.EncodeToString(make([]byte, secret.KeySize)))
	require.NoError(t, err)
	return ring
}

// New opens a migrated, empty database that is dropped when the test ends.
func New(t testing.TB) *store.Store {
	t.Helper()
	db, _ := NewURL(t)
	return db
}

// NewURL is New with the database's URL, for tests that start programs.
func NewURL(t testing.TB) (*store.Store, string) {
	t.Helper()
	server := ServerURL(t)
	// Migrating once and copying is several times faster than migrating for each test.
	template.once.Do(func() { template.name, template.err = makeTemplate(server) })
	require.NoError(t, template.err, "make the template database")
	name := randomName()
	exec(t, server, `create database `+name+` template `+template.name)
	raw := withDatabase(t, server, name)
	db, err := store.Open(t.Context(), raw, store.Options{Keys: Keys(t), ApplicationName: "test", MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(func() {
		db.Close()
		exec(t, server, `drop database `+name+` with (force)`)
	})
	return db, raw
}

// Empty creates an empty database, not migrated, and returns its URL.
func Empty(t testing.TB) string {
	t.Helper()
	server := ServerURL(t)
	name := randomName()
	exec(t, server, `create database `+name)
	t.Cleanup(func() { exec(t, server, `drop database `+name+` with (force)`) })
	return withDatabase(t, server, name)
}

// Connect is a connection to the database at url of whoever calls itself name, as older releases and strangers do. It ends
// with the test, or by what is returned.
func Connect(t testing.TB, url, name string) (end func()) {
	t.Helper()
	cfg, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	cfg.RuntimeParams["application_name"] = name
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) }) // it may have been ended
	// A connection that its client has closed is listed for some moments more: the server says when it is gone.
	return func() {
		t.Helper()
		exec(t, url, fmt.Sprintf(`select pg_terminate_backend(%d, 10000)`, conn.PgConn().PID()))
	}
}

// Main runs a package's tests and drops the template database that they made.
// Use it as TestMain of packages that call New.
func Main(m *testing.M) int {
	code := m.Run()
	if template.name == "" {
		return code
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if conn, err := pgx.Connect(ctx, os.Getenv("TEST_DATABASE_URL")); err == nil {
		_, _ = conn.Exec(ctx, `drop database if exists `+template.name+` with (force)`)
		_ = conn.Close(ctx)
	}
	return code
}

func makeTemplate(server string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	name := randomName()
	if _, err := conn.Exec(ctx, `create database `+name); err != nil {
		return "", err
	}
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	db, err := store.Open(ctx, u.String(), store.Options{})
	if err != nil {
		return "", err
	}
	defer db.Close()
	_, _, err = db.Migrate(ctx)
	return name, err
}

func exec(t testing.TB, server, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // t.Context has ended in clean-ups
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	require.NoError(t, err, "connect to TEST_DATABASE_URL")
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	require.NoError(t, err, sql)
}

func withDatabase(t testing.TB, server, name string) string {
	t.Helper()
	u, err := url.Parse(server)
	require.NoError(t, err, "TEST_DATABASE_URL must be in URL form")
	u.Path = "/" + name
	return u.String()
}

func randomName() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return "salesforcesync_test_" + hex.EncodeToString(b[:])
}
