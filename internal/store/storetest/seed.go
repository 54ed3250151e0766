package storetest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/store"
)

// Seed puts rows into a test's database the short way, for tests of what reads
// them. What the product itself writes is tested by writing it through the product.
type Seed struct {
	t    testing.TB
	pool *pgxpool.Pool
}

// NewSeed is New with a Seed for the same database.
func NewSeed(t testing.TB) (*store.Store, *Seed) {
	t.Helper()
	db, seed, _ := NewSeedURL(t)
	return db, seed
}

// NewSeedURL is NewSeed with the database's URL.
func NewSeedURL(t testing.TB) (*store.Store, *Seed, string) {
	t.Helper()
	db, url := NewURL(t)
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.MaxConns = 2
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return db, &Seed{t: t, pool: pool}, url
}

// Exec runs one statement.
func (s *Seed) Exec(sql string, args ...any) {
	s.t.Helper()
	_, err := s.pool.Exec(s.t.Context(), sql, args...)
	require.NoError(s.t, err, sql)
}

// Row reads one row; what is scanned into must fit.
func (s *Seed) Row(sql string, args ...any) Row {
	s.t.Helper()
	return Row{s.t, s.pool.QueryRow(s.t.Context(), sql, args...), sql}
}

// Row is a row that is there, or the test fails.
type Row struct {
	t   testing.TB
	row pgx.Row
	sql string
}

// Scan reads the row's columns.
func (r Row) Scan(into ...any) {
	r.t.Helper()
	require.NoError(r.t, r.row.Scan(into...), r.sql)
}

// Begin opens a transaction; what is left open ends with the test.
func (s *Seed) Begin() pgx.Tx {
	s.t.Helper()
	tx, err := s.pool.Begin(s.t.Context())
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(s.t.Context())) })
	return tx
}

// Project adds a project and returns its id.
func (s *Seed) Project(name string) string {
	s.t.Helper()
	id := store.NewID()
	s.Exec(`insert into projects (id, name, title) values ($1, $2, $2)`, id, name)
	return id
}

// Source adds a source to the project with this id and returns the source's id.
func (s *Seed) Source(projectID, name string) string {
	s.t.Helper()
	id := store.NewID()
	s.Exec(`insert into sources (id, project_id, name, title) values ($1, $2, $3, $3)`, id, projectID, name)
	return id
}

// Integration adds an integration that feeds the source and returns its id.
func (s *Seed) Integration(projectID, sourceID, name, status, reason, hint string) string {
	s.t.Helper()
	id := store.NewID()
	s.Exec(`insert into integrations (id, project_id, source_id, name, spec, status, status_reason, status_hint, watched_at)
	        values ($1, $2, $3, $4, '{}', $5, $6, $7, now())`, id, projectID, sourceID, name, status, reason, hint)
	return id
}

// Comment adds a comment with its first revision and its AI unit.
func (s *Seed) Comment(sourceID string, c comment.Comment) {
	s.t.Helper()
	content, err := c.HashContent()
	require.NoError(s.t, err)
	texts := c.Texts()
	if c.Properties == nil {
		c.Properties = comment.Properties{}
	}
	var thread *string
	if c.ThreadID != "" {
		thread = &c.ThreadID
	}
	// At once, as the product does: whoever follows changes sees a comment with its text.
	s.Exec(`
		with made as (
			insert into comments (source_id, id, ts, thread_id, envelope, properties, revision, text_hash, content_hash)
			values ($1, $2, $3, $4, $5, $6, 1, $7, $8)
		), revised as (
			insert into revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version) values ($1, $2, 1, $9, $7, 1)
		)
		insert into ledger (source_id, comment_id, revision, reason, after_hash) values ($1, $2, 1, 'created', $7)`,
		sourceID, c.ID, c.Timestamp, thread, s.json(c.Envelope()), s.json(c.Properties), comment.HashTexts(texts), content, s.json(texts))
}

// Mail adds an email as a comment: one message with a body, a subject and a sender.
func (s *Seed) Mail(sourceID, id string, at time.Time, subject, body string) {
	s.t.Helper()
	s.Comment(sourceID, comment.Comment{
		ID: id, Timestamp: at,
		Messages: []comment.Message{{Body: comment.Text{Text: body}, Subject: &comment.Text{Text: subject}, From: "Ann Example <ann@example.com>", SentAt: &at}},
	})
}

func (s *Seed) json(v any) string {
	s.t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(s.t, err)
	return string(raw)
}
