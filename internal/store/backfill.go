package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// Load is an object's open backfill as those who carry it out want it.
type Load struct {
	ID          int64
	First       bool // the object is not complete until it is done
	Known       bool // the store has records of the object: look before staging
	Reason      string
	From, Until time.Time // rows with a stamp in between; zero = unbounded
	Desired     string
	Planned     bool // its first ranges are known
}

// Range is a stretch of CreatedDate, [From, Until), each zero for an open end, and about
// how many rows it has.
type Range struct {
	From, Until time.Time
	Rows        int64
	Split       bool // it has too many rows for one part: divide it
}

// States of a part.
const (
	PartSplitting = "splitting" // its range is still to be divided
	PartWaiting   = "waiting"   // for its job to be asked for
	PartAsked     = "asked"     // a job was asked for, and no answer is known
	PartRunning   = "running"   // Salesforce makes the result
	PartReady     = "ready"     // its pages can be read
)

// Ways to read a part.
const (
	PartBulk = "bulk"
	PartREST = "rest"
)

// Part is a part of a backfill.
type Part struct {
	Backfill    int64
	Number      int
	Stream      int64 // 0 while it is to be divided
	Epoch, Seq  int64 // of its stream
	From, Until time.Time
	Rows        int64 // about
	State       string
	API         string
	Attempt     int
	JobID       string
	Processed   int64 // numberRecordsProcessed of the complete job
	PageRows    int   // maxRecords of its pages; 0 = not chosen yet
	ChainSeq    int64 // batches behind this one are pages of the present job
	ReadBegin   int64
	ReadEnd     int64
	ServerTime  time.Time
	LookAt      time.Time // when to look at its job again
	Looks       int
	Finished    bool // everything of it is applied
}

const partColumns = ` p.backfill_id, p.part, coalesce(p.stream_id, 0), coalesce(st.epoch, 0), coalesce(st.seq, 0),
	coalesce(p.from_date, '0001-01-01Z'), coalesce(p.until_date, '0001-01-01Z'), p.rows_expected, p.state, p.api, p.attempt,
	coalesce(p.job_id, ''), coalesce(p.processed, 0), coalesce(p.page_rows, 0), p.chain_seq, coalesce(p.read_begin, 0), coalesce(p.read_end, 0),
	coalesce(p.server_time, '0001-01-01Z'), p.look_at, p.looks, st.finished_at is not null `

// Parts reads the parts of a backfill, in the order in which they are to be read: what is
// newest comes first.
func (s *Store) Parts(ctx context.Context, backfill int64) ([]Part, error) {
	rows, err := s.pool.Query(ctx, `
		select`+partColumns+`from backfill_parts p left join streams st on st.id = p.stream_id
		where p.backfill_id = $1 order by p.until_date desc nulls first, p.part`, backfill)
	if err != nil {
		return nil, translate("read the parts", err)
	}
	parts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Part])
	return parts, translate("read the parts", err)
}

// PartOf reads the part whose stream it is; false when it is no part's.
func (s *Store) PartOf(ctx context.Context, stream int64) (Part, bool, error) {
	rows, err := s.pool.Query(ctx, `
		select`+partColumns+`from backfill_parts p join streams st on st.id = p.stream_id where st.id = $1`, stream)
	if err != nil {
		return Part{}, false, translate("read the part", err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Part])
	if errors.Is(err, pgx.ErrNoRows) {
		return p, false, nil
	}
	return p, err == nil, translate("read the part", err)
}

// unattended is true of an open backfill f that no workflow looks after: none was seen at work for so long that it counts as gone.
const unattended = ` f.state = 'open' and coalesce(f.beat_at < now() - interval '3 minutes', true) `

// ClaimBackfills names the objects of an integration with an open backfill that no workflow
// looks after. Who asks is to start one for each; nobody is told of them for a while.
func (s *Store) ClaimBackfills(ctx context.Context, integrationID string) ([]string, error) {
	rows, err := s.pool.Query(ctx, `
		update backfills f set beat_at = now() where f.integration_id = $1 and`+unattended+`returning f.object`, integrationID)
	if err != nil {
		return nil, translate("look for backfills", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return names, translate("look for backfills", err)
}

// BeatBackfill notes that a workflow looks after the backfill, and what it waits for: a
// nil fault is nothing.
func (s *Store) BeatBackfill(ctx context.Context, backfill int64, waits *flow.ObjectFault, until time.Time) error {
	f := flow.ObjectFault{}
	if waits != nil {
		f = *waits
	}
	_, err := s.pool.Exec(ctx, `
		update backfills set beat_at = now(), started_at = coalesce(started_at, now()),
			fault_kind = $2, fault_message = $3, fault_hint = $4, retry_at = $5
		where id = $1`, backfill, f.Kind, f.Message, f.Hint, nullTime(until))
	return translate("note the backfill", err)
}

// EndBackfill closes a backfill as BackfillDone or BackfillCancelled. After it the object
// is compared with Salesforce at once. Its jobs are unwanted from here on.
func (s *Store) EndBackfill(ctx context.Context, backfill int64, state string) error {
	return s.inTx(ctx, "end the backfill", func(tx pgx.Tx) error {
		var integration, object string
		err := tx.QueryRow(ctx, `
			update backfills set state = $2, finished_at = now(), fault_kind = '', fault_message = '', fault_hint = '', retry_at = null
			where id = $1 and state = 'open' returning integration_id, object`, backfill, state).Scan(&integration, &object)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			update streams set compare_after = now() where integration_id = $1 and object = $2 and lane = 'live'`, integration, object); err != nil {
			return err
		}
		return wake(ctx, tx, integration)
	})
}

// EndedBackfill says how the object's last backfill ended; "" when there was none, or one is open.
func (s *Store) EndedBackfill(ctx context.Context, integrationID, object string) (string, error) {
	var state string
	err := s.pool.QueryRow(ctx, `
		select state from backfills where integration_id = $1 and object = $2 order by id desc limit 1`, integrationID, object).Scan(&state)
	if errors.Is(err, pgx.ErrNoRows) || state == BackfillOpen {
		return "", nil
	}
	return state, translate("read the last backfill", err)
}

// BeginFirstLoad opens the first load of an object whose live lane begins now, at at by
// Salesforce's clock. It may be repeated, and returns when the live lane was to begin the first time: no job
// of the load is older. expected is Salesforce's own count, 0 when it does not tell.
func (s *Store) BeginFirstLoad(ctx context.Context, ref flow.BatchRef, integrationID string, at time.Time, expected int64) (begun time.Time, err error) {
	err = s.inTx(ctx, "open the first load", func(tx pgx.Tx) error {
		var applied int64
		if err := lockStream(ctx, tx, ref, &applied); err != nil {
			return err
		}
		// One that somebody asked for before is of a stretch, perhaps, and began before the live lane.
		if _, err := tx.Exec(ctx, `
			update backfills set state = 'cancelled', finished_at = now()
			where integration_id = $1 and object = $2 and state = 'open' and not first`, integrationID, ref.Object); err != nil {
			return err
		}
		if _, err := requestBackfill(ctx, tx, integrationID, ref.Object, true, time.Time{}, time.Time{}, "first load"); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `
			update backfills set rows_expected = coalesce(rows_expected, nullif($3, 0)), begun = coalesce(begun, $4)
			where integration_id = $1 and object = $2 and state = 'open' returning begun`, integrationID, ref.Object, expected, at).Scan(&begun); err != nil {
			return err
		}
		return wake(ctx, tx, integrationID)
	})
	return begun, err
}

// BeginReload opens a backfill for a resync that is too large for pages over REST, in the
// resync's place. false when another backfill is open.
func (s *Store) BeginReload(ctx context.Context, ref flow.BatchRef, integrationID string, from, until time.Time, reason string) (made bool, err error) {
	err = s.inTx(ctx, "open a backfill for the resync", func(tx pgx.Tx) error {
		var applied int64
		if err := lockStream(ctx, tx, ref, &applied); err != nil {
			return err
		}
		if made, err = requestBackfill(ctx, tx, integrationID, ref.Object, false, from, until, reason); err != nil {
			return err
		}
		return wake(ctx, tx, integrationID)
	})
	return made, err
}

// PlanBackfill stores the first ranges of a backfill and how many rows there are. It does
// nothing when they are known.
func (s *Store) PlanBackfill(ctx context.Context, backfill, expected int64, ranges []Range) error {
	return s.inTx(ctx, "lay out the backfill", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update backfills set planned = true, rows_expected = $2 where id = $1 and state = 'open' and not planned`, backfill, expected)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return addRanges(ctx, tx, backfill, ranges)
	})
}

// SplitPart puts ranges in the place of a part that was to be divided. It does nothing
// when somebody else has divided it.
func (s *Store) SplitPart(ctx context.Context, p Part, ranges []Range) error {
	return s.inTx(ctx, "divide a part", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `delete from backfill_parts where backfill_id = $1 and part = $2 and state = 'splitting'`, p.Backfill, p.Number)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return addRanges(ctx, tx, p.Backfill, ranges)
	})
}

func addRanges(ctx context.Context, tx pgx.Tx, backfill int64, ranges []Range) error {
	var integration, object string
	var number int
	if err := tx.QueryRow(ctx, `
		select f.integration_id, f.object, coalesce((select max(part) from backfill_parts p where p.backfill_id = f.id), 0)
		from backfills f where f.id = $1 for update`, backfill).Scan(&integration, &object, &number); err != nil {
		return err
	}
	// A number is given once: the stream of a part that is gone has its name for good.
	var last int
	if err := tx.QueryRow(ctx, `
		select coalesce(max(split_part(part, '.', 2)::int), 0) from streams
		where integration_id = $1 and object = $2 and lane = 'backfill' and part like $3`, integration, object, strconv.FormatInt(backfill, 10)+".%").Scan(&last); err != nil {
		return err
	}
	number = max(number, last)
	for _, r := range ranges {
		number++
		var stream any
		state := PartSplitting
		if !r.Split {
			state = PartWaiting
			var id int64
			if err := tx.QueryRow(ctx, `
				insert into streams (integration_id, object, lane, part, epoch)
				select i.id, $2, 'backfill', $3, i.epoch from integrations i where i.id = $1 returning id`,
				integration, object, strconv.FormatInt(backfill, 10)+"."+strconv.Itoa(number)).Scan(&id); err != nil {
				return err
			}
			stream = id
		}
		if _, err := tx.Exec(ctx, `
			insert into backfill_parts (backfill_id, part, stream_id, from_date, until_date, rows_expected, state) values ($1, $2, $3, $4, $5, $6, $7)`,
			backfill, number, stream, nullTime(r.From), nullTime(r.Until), r.Rows, state); err != nil {
			return err
		}
	}
	return nil
}

// ReadREST has a part read over REST, because Bulk refuses it. Why is for people. A job
// of it that may be there is unwanted.
func (s *Store) ReadREST(ctx context.Context, p Part, why string) error {
	return s.inTx(ctx, "have a part read over REST", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			update backfill_parts set api = 'rest', why_rest = $4, state = 'ready', attempt = attempt + 1, job_id = null,
				chain_seq = (select seq from streams where id = stream_id)
			where backfill_id = $1 and part = $2 and attempt = $3 and api = 'bulk' and stream_id is not null`, p.Backfill, p.Number, p.Attempt, why)
		return err
	})
}

// LastPage is what is known of the pages of a part that were applied.
type LastPage struct {
	Next  string // where the next page begins; "" = at the beginning
	Rows  int64  // that came with the pages of the present job
	Bytes int64
}

// LastPage reads where the next page of a part begins.
func (s *Store) LastPage(ctx context.Context, p Part) (LastPage, error) {
	var l LastPage
	err := s.pool.QueryRow(ctx, `
		select coalesce((select next_locator from batches where stream_id = $1 and seq = $3 and seq > $2 and state = 'applied' order by epoch desc limit 1), ''),
		       coalesce(sum(fetched), 0)::bigint, coalesce(sum(bytes), 0)::bigint
		from batches where stream_id = $1 and seq > $2 and state = 'applied'`, p.Stream, p.ChainSeq, p.Seq).Scan(&l.Next, &l.Rows, &l.Bytes)
	return l, translate("read the last page", err)
}

// RowBytes is how long rows of a backfill are on average, by what was read of it; 0 when
// nothing was.
func (s *Store) RowBytes(ctx context.Context, backfill int64) (int64, error) {
	var n int64
	err := s.pool.QueryRow(ctx, `
		select coalesce((sum(b.bytes) / nullif(sum(b.fetched), 0))::bigint, 0)
		from backfill_parts p join batches b on b.stream_id = p.stream_id and b.state <> 'reading'
		where p.backfill_id = $1`, backfill).Scan(&n)
	return n, translate("read how long rows are", err)
}

// ChoosePage fixes how many rows the part's pages have, once.
func (s *Store) ChoosePage(ctx context.Context, p Part, rows int) (int, error) {
	err := s.pool.QueryRow(ctx, `
		update backfill_parts set page_rows = coalesce(page_rows, $4) where backfill_id = $1 and part = $2 and attempt = $3 returning page_rows`,
		p.Backfill, p.Number, p.Attempt, rows).Scan(&rows)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, fault.New(fault.Fenced, "part %d of the backfill has another job", p.Number)
	}
	return rows, translate("choose how long pages are", err)
}

// BackfillRows says how many rows of a backfill are applied, and how many there are by
// Salesforce's count; 0 when it was not counted.
func (s *Store) BackfillRows(ctx context.Context, backfill int64) (rows, expected int64, err error) {
	err = s.pool.QueryRow(ctx, `
		select coalesce((select sum(b.rows) from backfill_parts p join batches b on b.stream_id = p.stream_id and b.state = 'applied' where p.backfill_id = f.id), 0)::bigint,
		       coalesce(f.rows_expected, 0)
		from backfills f where f.id = $1`, backfill).Scan(&rows, &expected)
	return rows, expected, translate("count the rows of the backfill", err)
}
