package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// AskJob notes that a job for the part is about to be asked for, at at by Salesforce's
// clock, and where the read order stands: whatever the job reads is newer. fault.Fenced when
// somebody else looks after the part.
func (s *Store) AskJob(ctx context.Context, p Part, at time.Time) error {
	return s.inTx(ctx, "ask for a job", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update backfill_parts set state = 'asked', read_begin = nextval('read_order'), read_end = null, server_time = $4, looks = 0,
				chain_seq = (select seq from streams where id = stream_id)
			where backfill_id = $1 and part = $2 and attempt = $3 and state = 'waiting'`, p.Backfill, p.Number, p.Attempt, at)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return fenced(p)
		}
		_, err = tx.Exec(ctx, `
			insert into bulk_jobs (integration_id, object, backfill_id, part, attempt, asked_at)
			select integration_id, object, id, $2, $3, $4 from backfills where id = $1`, p.Backfill, p.Number, p.Attempt, at)
		return err
	})
}

func fenced(p Part) error {
	return fault.New(fault.Fenced, "part %d of the backfill is looked after by somebody else", p.Number)
}

// JobMade notes the job that Salesforce made for a part. When nobody waits for it any
// more it is unwanted from the beginning: fault.Fenced.
func (s *Store) JobMade(ctx context.Context, p Part, jobID string) error {
	wanted := false
	err := s.inTx(ctx, "note the job", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update backfill_parts set state = 'running', job_id = $4, look_at = now()
			where backfill_id = $1 and part = $2 and attempt = $3 and state = 'asked'`, p.Backfill, p.Number, p.Attempt, jobID)
		if err != nil {
			return err
		}
		wanted = tag.RowsAffected() > 0
		_, err = tx.Exec(ctx, `
			update bulk_jobs set job_id = $4, unwanted = unwanted or not $5 where backfill_id = $1 and part = $2 and attempt = $3`,
			p.Backfill, p.Number, p.Attempt, jobID, wanted)
		return err
	})
	if err == nil && !wanted {
		return fenced(p)
	}
	return err
}

// LookAgain notes when to look at the part's job again.
func (s *Store) LookAgain(ctx context.Context, p Part, after time.Duration) error {
	_, err := s.pool.Exec(ctx, `
		update backfill_parts set look_at = now() + $4::interval, looks = looks + 1
		where backfill_id = $1 and part = $2 and attempt = $3`, p.Backfill, p.Number, p.Attempt, after)
	return translate("note the look", err)
}

// JobReady notes that the part's job is complete, with so many rows.
func (s *Store) JobReady(ctx context.Context, p Part, processed int64) error {
	_, err := s.pool.Exec(ctx, `
		update backfill_parts set state = 'ready', processed = $4, read_end = nextval('read_order')
		where backfill_id = $1 and part = $2 and attempt = $3 and state = 'running'`, p.Backfill, p.Number, p.Attempt, processed)
	return translate("note the complete job", err)
}

// withoutJob is what a part becomes that is asked for anew: pages go on behind what is applied.
const withoutJob = ` state = 'waiting', attempt = attempt + 1, job_id = null, processed = null, page_rows = null,
	chain_seq = (select seq from streams where id = stream_id) `

// JobLost has the part asked for anew after after: its job failed, is gone, or nobody
// knows whether there is one. Pages of it that were applied stay; they are read again.
func (s *Store) JobLost(ctx context.Context, p Part, after time.Duration) error {
	return s.inTx(ctx, "give up a job", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update backfill_parts set`+withoutJob+`, look_at = now() + $4::interval
			where backfill_id = $1 and part = $2 and attempt = $3 and api = 'bulk' and state in ('asked', 'running', 'ready')`,
			p.Backfill, p.Number, p.Attempt, after)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		// Without its intent: a job that has no Id was looked for, or never was.
		if _, err := tx.Exec(ctx, `
			delete from bulk_jobs where backfill_id = $1 and part = $2 and attempt = $3 and job_id is null`, p.Backfill, p.Number, p.Attempt); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			update bulk_jobs set unwanted = true where backfill_id = $1 and part = $2 and attempt = $3`, p.Backfill, p.Number, p.Attempt)
		return err
	})
}

// Job is a job that we have at Salesforce, or may have.
type Job struct {
	ID      int64  // ours
	JobID   string // Salesforce's; "" = asked for, and no answer is known
	AskedAt time.Time
}

// UnwantedJobs are jobs of an integration that are to be ended: of parts that are loaded or
// have another job, and of backfills that have ended. One without an Id is to be looked for.
func (s *Store) UnwantedJobs(ctx context.Context, integrationID, object string) ([]Job, error) {
	rows, err := s.pool.Query(ctx, `
		select j.id, coalesce(j.job_id, ''), j.asked_at from bulk_jobs j
		left join backfills f on f.id = j.backfill_id and f.state = 'open'
		left join backfill_parts p on p.backfill_id = f.id and p.part = j.part and p.attempt = j.attempt and p.api = 'bulk'
		left join streams st on st.id = p.stream_id
		where j.integration_id = $1 and j.object = $2 and (j.retry_at is null or j.retry_at <= now())
		  and (j.unwanted or p.part is null or st.finished_at is not null)
		order by j.id`, integrationID, object)
	if err != nil {
		return nil, translate("look for unwanted jobs", err)
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Job])
	return jobs, translate("look for unwanted jobs", err)
}

// KnownJobs are the Ids of all jobs of an integration that have one.
func (s *Store) KnownJobs(ctx context.Context, integrationID string) (map[string]bool, error) {
	rows, err := s.pool.Query(ctx, `select job_id from bulk_jobs where integration_id = $1 and job_id is not null`, integrationID)
	if err != nil {
		return nil, translate("read the jobs", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	known := make(map[string]bool, len(ids))
	for _, id := range ids {
		known[id] = true
	}
	return known, translate("read the jobs", err)
}

// JobsFound notes jobs that somebody found at Salesforce and that nobody waits for.
func (s *Store) JobsFound(ctx context.Context, integrationID, object string, jobIDs []string, at time.Time) error {
	_, err := s.pool.Exec(ctx, `
		insert into bulk_jobs (integration_id, object, job_id, asked_at, unwanted)
		select $1, $2, id, $4, true from unnest($3::text[]) as id`, integrationID, object, jobIDs, at)
	return translate("note found jobs", err)
}

// JobEnded forgets a job that is gone.
func (s *Store) JobEnded(ctx context.Context, id int64) error {
	_, err := s.pool.Exec(ctx, `delete from bulk_jobs where id = $1`, id)
	return translate("forget the job", err)
}

// EndLater puts off the end of a job that could not be ended now.
func (s *Store) EndLater(ctx context.Context, id int64, after time.Duration) error {
	_, err := s.pool.Exec(ctx, `update bulk_jobs set retry_at = now() + $2::interval where id = $1`, id, after)
	return translate("put off the end of the job", err)
}

// openLoad reads the columns of a backfill that may not be there.
type openLoad struct {
	id                    *int64
	first, known, planned *bool
	reason, desired       *string
	from, until           *time.Time
}

func (o openLoad) load() *Load {
	if o.id == nil {
		return nil
	}
	l := &Load{ID: *o.id, First: *o.first, Known: *o.known, Reason: *o.reason, Desired: *o.desired, Planned: *o.planned}
	if o.from != nil {
		l.From = *o.from
	}
	if o.until != nil {
		l.Until = *o.until
	}
	return l
}
