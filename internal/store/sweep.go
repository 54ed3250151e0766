package store

import (
	"context"
	"time"
)

const (
	// linksKept is how long links that were used or ran out are kept, so that who opens one is told why it is no use.
	linksKept = 7 * 24 * time.Hour
	// eventsKept is how long changes of the schema are kept that need nobody any more.
	eventsKept = 365 * 24 * time.Hour
	// callsKept is how long calls are kept of orgs that are not called any more; others forget them with their next call.
	callsKept = 2 * 24 * time.Hour
	// sweepRows is how many rows are removed in one transaction.
	sweepRows = 1000
)

// sweeps is what is of no use to anybody after a time. Each is a table and a condition of $1, the time before which it is.
var sweeps = []struct {
	table, condition string
	after            time.Duration
}{
	{"sessions", `expires_at < $1`, 0},
	{"sign_ins", `expires_at < $1`, 0},
	{"notices", `expires_at < $1`, 0},
	{"oauth_attempts", `expires_at < $1`, 0},
	{"password_links", `expires_at < $1`, linksKept},
	{"connect_links", `coalesce(spent_at, expires_at) < $1`, linksKept},
	{"quota_calls", `bucket < $1`, callsKept},
	{"schema_events", `resolved_at < $1`, eventsKept},
}

// Sweep removes what has run out and nobody came for, a few rows at a time, and says how many rows of which table. Several may
// do it at once.
func (s *Store) Sweep(ctx context.Context) (removed map[string]int64, err error) {
	removed = map[string]int64{}
	for _, sw := range sweeps {
		for {
			tag, err := s.pool.Exec(ctx, `
				delete from `+sw.table+` where ctid = any(array(
					select ctid from `+sw.table+` where `+sw.condition+` limit $2 for update skip locked))`,
				time.Now().Add(-sw.after), sweepRows)
			if err != nil {
				return removed, translate("sweep "+sw.table, err)
			}
			if tag.RowsAffected() > 0 {
				removed[sw.table] += tag.RowsAffected()
			}
			if tag.RowsAffected() < sweepRows {
				break
			}
		}
	}
	return removed, nil
}
