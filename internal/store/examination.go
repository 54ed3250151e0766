package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Examination is how far the last check of an integration that is being set up is. The zero value is none.
type Examination struct {
	Running bool
	Lapsed  bool // whoever made it is gone, and never said how it went
	Problem string
	Hint    string
}

// BeginExamination notes that an integration is examined from now on, by the caller and for as long as within at most, and
// returns the number of the run. ok is false while somebody else does.
func (s *Store) BeginExamination(ctx context.Context, integrationID string, within time.Duration) (run int64, ok bool, err error) {
	err = s.pool.QueryRow(ctx, `
		insert into examinations as e (integration_id, lapses_at) values ($1, now() + $2::interval)
		on conflict (integration_id) do update set run = e.run + 1, lapses_at = excluded.lapses_at, ended_at = null, problem = '', hint = ''
		where e.ended_at is not null or e.lapses_at <= now()
		returning run`, integrationID, within).Scan(&run)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return run, err == nil, translate("begin to examine", err)
}

// EndExamination notes the end of a run, and why there is no report if there is none. A run that has lapsed, and was followed by
// another, changes nothing.
func (s *Store) EndExamination(ctx context.Context, integrationID string, run int64, problem, hint string) error {
	_, err := s.pool.Exec(ctx, `
		update examinations set ended_at = now(), problem = $3, hint = $4 where integration_id = $1 and run = $2`, integrationID, run, problem, hint)
	return translate("end the examination", err)
}

// Examination reads how far the last one is.
func (s *Store) Examination(ctx context.Context, integrationID string) (e Examination, err error) {
	err = s.pool.QueryRow(ctx, `
		select ended_at is null and lapses_at > now(), ended_at is null and lapses_at <= now(), problem, hint
		from examinations where integration_id = $1`, integrationID).Scan(&e.Running, &e.Lapsed, &e.Problem, &e.Hint)
	if errors.Is(err, pgx.ErrNoRows) {
		return Examination{}, nil
	}
	return e, translate("read how far the examination is", err)
}
