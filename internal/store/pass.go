package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pass is a reading of a whole object by Id, for objects whose changes no date shows.
type Pass struct {
	Begun   time.Time // Salesforce's clock when its first page was asked for; zero = never begun
	At      string    // it has read up to this Id
	Pages   int       // asked for so far
	Through int64     // the last batch that holds rows of it
	Ended   bool      // it has read everything
	Settled bool      // Ended, and what follows from it was noted
	Due     bool      // it never began, or it ended and its time has come again
}

// UnderWay reports whether the pass has pages left to read.
func (p Pass) UnderWay() bool { return !p.Begun.IsZero() && !p.Ended }

// Wanted reports whether there is something to read.
func (p Pass) Wanted() bool { return p.UnderWay() || p.Due }

// LoadPass reads how far the stream's pass came. What was read in another epoch was an
// answer to another question: the pass then never began.
func (s *Store) LoadPass(ctx context.Context, stream, epoch int64) (Pass, error) {
	var p Pass
	err := s.pool.QueryRow(ctx, `
		select begun, at_id, pages, through, next is not null, settled, coalesce(next <= now(), false)
		from passes where stream_id = $1 and epoch = $2`, stream, epoch).
		Scan(&p.Begun, &p.At, &p.Pages, &p.Through, &p.Ended, &p.Settled, &p.Due)
	if errors.Is(err, pgx.ErrNoRows) {
		return Pass{Due: true}, nil
	}
	return p, translate("read the pass", err)
}

// SavePass notes how far the pass came; one that ended is due again after next. A stream
// that moved to another epoch is left alone.
func (s *Store) SavePass(ctx context.Context, stream, epoch int64, p Pass, next time.Duration) error {
	_, err := s.pool.Exec(ctx, `
		insert into passes (stream_id, epoch, begun, at_id, pages, through, next)
		select id, epoch, $3, $4, $5, $6, case when $7 then now() + $8::interval end
		from streams where id = $1 and epoch = $2
		on conflict (stream_id) do update set epoch = excluded.epoch, begun = excluded.begun, at_id = excluded.at_id,
			pages = excluded.pages, through = excluded.through, next = excluded.next, settled = false`,
		stream, epoch, p.Begun, p.At, p.Pages, p.Through, p.Ended, next)
	return translate("note the pass", err)
}

// SettlePass notes that what follows from the ended pass that began then is done.
func (s *Store) SettlePass(ctx context.Context, stream, epoch int64, begun time.Time) error {
	_, err := s.pool.Exec(ctx, `
		update passes set settled = true where stream_id = $1 and epoch = $2 and begun = $3 and next is not null`, stream, epoch, begun)
	return translate("note the end of the pass", err)
}

// MakePassDue lets the stream's next pass begin at once; one under way goes on.
func (s *Store) MakePassDue(ctx context.Context, stream, epoch int64) error {
	_, err := s.pool.Exec(ctx, `update passes set next = now() where stream_id = $1 and epoch = $2 and next is not null`, stream, epoch)
	return translate("ask for a pass", err)
}

// Passed is one record as a pass sees it.
type Passed struct {
	ID      string
	Digest  []byte // StagedRow.RecordDigest
	Deleted bool
}

// Differing returns which of the records are not stored as they were seen: new ones,
// changed ones, and those that came back.
func (s *Store) Differing(ctx context.Context, sourceID, object string, seen []Passed) (map[string]bool, error) {
	ids, digests, deleted := make([]string, len(seen)), make([][]byte, len(seen)), make([]bool, len(seen))
	for i, r := range seen {
		ids[i], digests[i], deleted[i] = r.ID, r.Digest, r.Deleted
	}
	rows, err := s.pool.Query(ctx, `
		select t.id from unnest($3::text[], $4::bytea[], $5::boolean[]) as t (id, digest, deleted)
		left join records r on r.source_id = $1 and r.object = $2 and r.record_id = t.id
		where case when r.record_id is null then true
		           when t.deleted then r.state not in ('deleted', 'erased')
		           else r.state not in ('live', 'set_aside') or r.record_digest <> t.digest end`,
		sourceID, object, ids, digests, deleted)
	if err != nil {
		return nil, translate("compare the pass", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, translate("compare the pass", err)
	}
	out := make(map[string]bool, len(list))
	for _, id := range list {
		out[id] = true
	}
	return out, nil
}

// Vanished returns the records behind after, up to and including to ("" = to the end),
// that are stored as being there and are not among ids.
func (s *Store) Vanished(ctx context.Context, sourceID, object, after, to string, ids []string) ([]string, error) {
	rows, err := s.pool.Query(ctx, `
		select record_id from records
		where source_id = $1 and object = $2 and record_id > $3 and ($4 = '' or record_id <= $4)
		  and state in ('live', 'set_aside')
		except select unnest($5::text[]) collate "C"
		order by 1`, sourceID, object, after, to, ids)
	if err != nil {
		return nil, translate("look for records that vanished", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return out, translate("look for records that vanished", err)
}
