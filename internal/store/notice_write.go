package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Notice is a message shown once to one browser.
type Notice struct {
	Level   string // success or error
	Message string
}

// AddNotice leaves a message for the browser that holds the value with this
// SHA-256. Notices that nobody fetched in time go with it.
func (s *Store) AddNotice(ctx context.Context, hash []byte, n Notice, lifetime time.Duration) error {
	return s.inTx(ctx, "leave a notice", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `delete from notices where expires_at < now()`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into notices (hash, level, message, expires_at) values ($1, $2, $3, now() + $4::interval)`,
			hash, n.Level, n.Message, lifetime)
		return err
	})
}

// TakeNotice reads a notice and removes it: a second call is fault.NotFound.
func (s *Store) TakeNotice(ctx context.Context, hash []byte) (*Notice, error) {
	rows, err := s.pool.Query(ctx, `delete from notices where hash = $1 and expires_at > now() returning level, message`, hash)
	if err != nil {
		return nil, translate("take a notice", err)
	}
	n, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[Notice])
	return n, translate("take a notice", err)
}
