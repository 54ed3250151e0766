package app

import (
	"context"
	"time"

	"go.uber.org/zap"

	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

// WaitAtStart is how long a program waits at its start for what it depends on: long
// enough for a machine that boots, short enough to be noticed.
const WaitAtStart = time.Minute

// OpenDatabase waits for PostgreSQL, opens it and checks that its schema is this
// program's. Errors are those of store.Open and CheckSchema.
func OpenDatabase(ctx context.Context, log *zap.Logger, url secret.Text, o store.Options) (*store.Store, error) {
	var db *store.Store
	if err := WaitFor(ctx, log, "PostgreSQL", WaitAtStart, func(ctx context.Context) (err error) {
		db, err = store.Open(ctx, url.Reveal(), o)
		return err
	}); err != nil {
		return nil, err
	}
	if err := db.CheckSchema(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}
