package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"salesforcesync/internal/dial"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/tracing"
)

// Store is a pool of connections to the product's database. It is safe for
// concurrent use.
type Store struct {
	pool    *pgxpool.Pool
	health  *pgxpool.Pool // one connection, for Ping and CheckSchema; not opened before they ask
	keys    *secret.KeyRing
	counts  largeCounts
	applied func(context.Context, Applied) // nil: nobody wants to know

	// A refresh holds a connection while it waits for Salesforce and needs another for
	// a moment: at most half of the pool may refresh, else all could wait for all.
	refreshing chan struct{}
}

// Options tune a Store.
type Options struct {
	Keys             *secret.KeyRing                // seals secrets; nil refuses what would seal or open one
	ApplicationName  string                         // shown in pg_stat_activity, with the schema's version and the ids of Keys
	MaxConns         int32                          // 0 = pgxpool's default
	StatementTimeout time.Duration                  // ends any longer statement with fault.Unreachable; 0 = none
	Applied          func(context.Context, Applied) // told what was applied, once it is committed; must be quick; nil = nobody
}

// signOfLife is how long a connection that is to be used has to answer.
const signOfLife = 3 * time.Second

// Open connects to the database that url names and waits until it answers or ctx
// ends. It does not look at the schema; see CheckSchema. Errors are
// fault.Invalid for a url that does not parse, fault.Unreachable otherwise.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's error quotes the URL with its password hidden, but not every form of it.
		return nil, fault.New(fault.Invalid, "DATABASE_URL is not a PostgreSQL URL").
			WithHint("write it as postgres://user:password@host:5432/database")
	}
	if o.MaxConns > 0 {
		cfg.MaxConns = o.MaxConns
	}
	cfg.MaxConns = max(cfg.MaxConns, 2) // a refresh needs two
	if o.ApplicationName != "" {
		schema, err := SchemaVersion()
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "read the migrations")
		}
		cfg.ConnConfig.RuntimeParams["application_name"] = connectionName(o.ApplicationName, schema, o.Keys)
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// A client that vanished inside a transaction must not hold its locks for ever.
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "120000"
	if o.StatementTimeout > 0 {
		cfg.ConnConfig.RuntimeParams["statement_timeout"] = strconv.FormatInt(o.StatementTimeout.Milliseconds(), 10)
	}
	// The same from the server's side: it asks a client of which it hears nothing whether it is there.
	for name, value := range map[string]string{"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"} {
		cfg.ConnConfig.RuntimeParams[name] = value
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	// And from this one. A connection that nobody has used for a second is asked for a sign of life before it is, and a
	// network that loses packets must not make that wait for ever.
	cfg.ConnConfig.DialFunc = dial.Dialer(cfg.ConnConfig.ConnectTimeout).DialContext
	cfg.PingTimeout = signOfLife
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, translate("open the database", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		e := fault.Wrap(fault.Unreachable, err, "PostgreSQL at %s:%d does not answer", cfg.ConnConfig.Host, cfg.ConnConfig.Port)
		return nil, e.WithHint("check DATABASE_URL and that the server is running")
	}
	one := cfg.Copy()
	one.MaxConns, one.MinConns, one.MinIdleConns = 1, 0, 0
	health, err := pgxpool.NewWithConfig(ctx, one)
	if err != nil {
		pool.Close()
		return nil, translate("open the database", err)
	}
	return &Store{pool: pool, health: health, keys: o.Keys, applied: o.Applied, refreshing: make(chan struct{}, max(pool.Config().MaxConns/2, 1))}, nil
}

// Close releases the connections.
func (s *Store) Close() {
	s.health.Close()
	s.pool.Close()
}

// Instance names the database apart from others, in other places too: this server's identifier and the
// database's own number.
func (s *Store) Instance(ctx context.Context) (string, error) {
	var name string
	err := s.pool.QueryRow(ctx, `
		select (select system_identifier from pg_control_system())::text || '.' || oid from pg_database where datname = current_database()`).Scan(&name)
	return name, translate("read which database this is", err)
}

// Ping reports whether the database answers. It has a connection of its own, as has
// CheckSchema: a pool that is all in use is no database that is away.
func (s *Store) Ping(ctx context.Context) error {
	return translate("ping the database", s.health.Ping(ctx))
}

// NewID makes an id in the form the comments API shows: 16 lower-case hex digits.
func NewID() string {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand.Read never returns an error since Go 1.24
	}
	return hex.EncodeToString(b[:])
}

// inTx runs fn in one transaction and translates what goes wrong. Where somebody is waiting to have
// an event in the audit log, it is written with the first transaction that changes something.
func (s *Store) inTx(ctx context.Context, op string, fn func(tx pgx.Tx) error) error {
	ctx, traced := tracing.Begin(ctx, "PostgreSQL", op)
	p := actingOf(ctx).pending
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return p.within(ctx, tx)
	})
	p.over(err == nil)
	err = translate(op, err)
	traced.End(err)
	return err
}

// exchange runs what fill queues as one transaction, begun as begin says, in one exchange with the
// database: what idle integrations cost is waiting for answers. Statements cannot depend on each
// other's results. A failure rolls all of it back; the connection is then given up.
func (s *Store) exchange(ctx context.Context, op, begin string, fill func(b *pgx.Batch)) error {
	b := &pgx.Batch{}
	b.Queue(begin)
	fill(b)
	b.Queue("commit")
	return translate(op, s.pool.SendBatch(ctx, b).Close())
}

// translate turns a pgx error into the fault vocabulary, once, at this edge.
// Errors that already are faults pass through.
func translate(op string, err error) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.Wrap(fault.NotFound, err, "%s", op)
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:2] {
		case "08", "57", "53", "58": // connection, operator intervention, resources, system
			return fault.Wrap(fault.Unreachable, err, "%s", op)
		case "40", "55": // serialization, deadlock, lock not available
			return fault.Wrap(fault.Transient, err, "%s", op)
		case "23":
			return fault.Wrap(fault.Conflict, err, "%s", op)
		}
		if pg.Code == "22021" { // character not in repertoire: NUL, or no UTF-8
			return fault.Wrap(fault.Invalid, err, "%s: a text has a character that cannot be stored", op)
		}
		if pg.Code == pgNotAllowed { // as in a database that is another user's
			return fault.Wrap(fault.Invalid, err, "%s: the user of DATABASE_URL may not", op).
				WithHint("let this user own the database: alter database NAME owner to USER")
		}
		return fault.Wrap(fault.Internal, err, "%s", op)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", op, err)
	}
	// Whatever is not PostgreSQL's own answer is a connection that broke.
	return fault.Wrap(fault.Unreachable, err, "%s", op)
}

// seal seals value for one field of one row, one of sealedColumns.
func (s *Store) seal(value secret.Text, table, id, field string) (string, error) {
	if value == "" {
		return "", nil
	}
	if s.keys == nil {
		return "", fault.New(fault.Invalid, "ENCRYPTION_KEYS is missing").
			WithHint("set it to the key ring that the worker and authsvc use")
	}
	if !sealedField(table, field) {
		return "", fault.New(fault.Internal, "%s of %s is not one of the sealed columns", field, table)
	}
	sealed, err := s.keys.Seal(value, table+"/"+id+"/"+field)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "seal %s of %s %s", field, table, id)
	}
	return sealed, nil
}

// open opens what seal sealed for the same field of the same row.
func (s *Store) open(sealed, table, id, field string) (secret.Text, error) {
	if sealed == "" {
		return "", nil
	}
	if s.keys == nil {
		return "", fault.New(fault.Invalid, "ENCRYPTION_KEYS is missing").
			WithHint("set it to the key ring that the worker and authsvc use")
	}
	value, err := s.keys.Open(sealed, table+"/"+id+"/"+field)
	if errors.Is(err, secret.ErrUnknownKey) {
		return "", fault.Wrap(fault.Invalid, err, "ENCRYPTION_KEYS does not hold the key that sealed %s", field).
			WithHint("add the missing key to the ring; it may stand behind the others. If it is lost for good: starter keys abandon %s", secret.KeyIDOf(sealed))
	}
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "%s does not open with ENCRYPTION_KEYS", field).
			WithHint("the ring holds another key under the same id: restore the right one; if it is lost, delete the integration and apply it again, its comments stay")
	}
	return value, nil
}
