package store

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// ForgottenReason is why a record that was forgotten is set aside. It names nobody.
const ForgottenReason = "its text was erased on request"

// forgotten is true of a staged record n that is to stay forgotten. The list is short: it is hashed once.
const forgotten = ` coalesce(n.record_id in (select f.record_id from forgotten f where f.source_id = @source), false) `

// forgetAgain takes away what a batch brought of forgotten records, and of those older than comments are kept: nothing leads to its raw copies any more, and they are
// removed after it, like those of erased ones. The digest of the whole record stays: it tells that the record is
// the one that was read, so that it is not read again and again.
const forgetAgain = `
	with gone as (
		select o.record_id, b.read_end from outcomes o cross join batches b
		where (b.stream_id, b.epoch, b.seq) = (@stream, @epoch, @seq) and o.forgotten
	), bare as (
		update records r set text_digest = '', raw_stream = null, raw_epoch = null, raw_seq = null, raw_chunk = null
		from gone g where r.source_id = @source and r.object = @object and r.record_id = g.record_id
	)
	insert into erasures as e (source_id, object, record_id, read_end)
	select @source, @object, g.record_id, g.read_end from gone g
	on conflict (source_id, object, record_id) do update set read_end = greatest(e.read_end, excluded.read_end), not_before = now()`

// ForgetPage is how many comments Forget takes at most.
const ForgetPage = eraseTexts

// Forgotten is what Forget did.
type Forgotten struct {
	Comments int64 // that had something left
	Records  int64 // of Salesforce, that these were made of or that were named
}

// Forget erases comments of a source for good, each with all texts it ever had, and the records that they were made of:
// what Salesforce still has of these is not taken again. records are Ids of records besides, which need not have a
// comment. The number of the last revision, the state of the record and the bill stay; raw copies are removed by Erase. At most
// ForgetPage ids at a time; it may be repeated. While a worker runs that does not know of this, it is refused with fault.Conflict. by says for the audit log how they were found, and must not say whose they are.
func (s *Store) Forget(ctx context.Context, sourceID, by string, comments, records []string) (done Forgotten, err error) {
	if len(comments)+len(records) > ForgetPage {
		return done, fault.New(fault.Internal, "%d ids are too many at a time", len(comments)+len(records))
	}
	comments = slices.Clone(comments)
	slices.Sort(comments) // the order of all who lock comments, see writeComments
	args := pgx.NamedArgs{"source": sourceID, "ids": slices.Compact(comments), "named": append(recordsOf(comments), records...),
		"inputs": false, "reason": ForgottenReason}
	err = s.inTx(ctx, "erase comments on request", func(tx pgx.Tx) error {
		if err := knowForgotten(ctx, tx); err != nil {
			return err
		}
		if err := lockObjects(ctx, tx, sourceID); err != nil {
			return err
		}
		if tag, err := tx.Exec(ctx, `select from sources where id = @source for key share`, args); err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, lockComments, args); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			insert into forgotten (source_id, record_id)
			select @source, r.id from (
			    select record_id from records where source_id = @source and comment_id = any(@ids)
			    union select record_id from records where source_id = @source and record_id = any(@named)
			    union select unnest(@named::text[]) collate "C") r (id)
			order by 2 on conflict do nothing`, args); err != nil {
			return err
		}
		if done, err = emptyOut(ctx, tx, args, ofForgotten); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			insert into set_aside as a (source_id, object, record_id, reason)
			select r.source_id, r.object, r.record_id, @reason from records r where`+ofForgotten+`and r.state = 'set_aside'
			on conflict (source_id, object, record_id) do update set reason = excluded.reason`, args); err != nil {
			return err
		}
		if done.Comments+done.Records == 0 {
			return nil
		}
		// Of whom is not said: the log is kept.
		if err := audited(ctx, tx, AuditEvent{Type: EventCommentsForgotten, Sources: []string{sourceID},
			Details: map[string]any{"by": by, "comments": done.Comments, "records": done.Records}}); err != nil {
			return err
		}
		return tellChanged(ctx, tx, sourceID)
	})
	return done, err
}

// ofForgotten is true of the records that are being forgotten.
const ofForgotten = ` r.source_id = @source and (r.comment_id = any(@ids) or r.record_id = any(@named)) `

// emptyOut takes the texts of the comments @ids and of the records that the condition names, with all that was kept of
// them; the objects and the comments are locked. What Salesforce still has is set aside, what it has not is erased for
// good. Raw copies are removed by Erase.
func emptyOut(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs, condition string) (done Forgotten, err error) {
	for _, step := range []struct {
		sql   string
		count *int64
	}{
		{`update records r set text_digest = '', raw_stream = null, raw_epoch = null, raw_seq = null, raw_chunk = null, updated_at = now(),
			record_digest = case when r.state in ('deleted', 'erased') then '' else r.record_digest end,
			state = case r.state when 'live' then 'set_aside' when 'deleted' then 'erased' else r.state end
		  where` + condition + `and (r.state in ('live', 'deleted') or r.text_digest <> '' or r.raw_stream is not null)`, &done.Records},
		{`insert into erasures as e (source_id, object, record_id, read_end)
		  select r.source_id, r.object, r.record_id, nextval('read_order') from records r where` + condition + `
		      and exists (select from integrations i where i.source_id = @source) -- else there are no copies, and nobody who removes any
		  on conflict (source_id, object, record_id) do update set read_end = greatest(e.read_end, excluded.read_end), not_before = now()`, nil},
		{`delete from revisions where source_id = @source and comment_id = any(@ids)`, nil},
		{`update comments c set` + emptied + `where c.source_id = @source and c.id = any(@ids) and not c.erased`, &done.Comments},
		{`delete from undeliverable u using deliveries d where d.source_id = @source and u.integration_id = d.integration_id and u.comment_id = any(@ids)`, nil},
	} {
		tag, err := tx.Exec(ctx, step.sql, args)
		if err != nil {
			return done, err
		}
		if step.count != nil {
			*step.count = tag.RowsAffected()
		}
	}
	return done, nil
}

// lockObjects keeps batches of the source's objects out until the transaction ends, as Erase does.
func lockObjects(ctx context.Context, tx pgx.Tx, sourceID string) error {
	rows, err := tx.Query(ctx, `
		select distinct o.name from integrations i join objects o on o.integration_id = i.id where i.source_id = $1 order by 1`, sourceID)
	if err != nil {
		return err
	}
	objects, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, object := range objects {
		if _, err := tx.Exec(ctx, lockObject, pgx.NamedArgs{"source": sourceID, "object": object}); err != nil {
			return err
		}
	}
	return nil
}

// RecordRef names a record of a source.
type RecordRef struct {
	Object string `json:"object"`
	ID     string `json:"id"`
}

// DropCopies has the raw copies of records removed; what was made of them stays. Erase does it. by is that of Forget.
func (s *Store) DropCopies(ctx context.Context, sourceID, by string, records []RecordRef) error {
	objects, ids := make([]string, len(records)), make([]string, len(records))
	for i, r := range records {
		objects[i], ids[i] = r.Object, r.ID
	}
	return s.inTx(ctx, "have raw copies removed", func(tx pgx.Tx) error {
		if err := lockObjects(ctx, tx, sourceID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			with wanted as (select distinct object, id from unnest($2::text[], $3::text[]) as w (object, id)), bare as (
				update records r set raw_stream = null, raw_epoch = null, raw_seq = null, raw_chunk = null
				from wanted w where r.source_id = $1 and r.object = w.object and r.record_id = w.id
			)
			insert into erasures as e (source_id, object, record_id, read_end)
			select $1, w.object, w.id, nextval('read_order') from wanted w
			on conflict (source_id, object, record_id) do update set read_end = greatest(e.read_end, excluded.read_end), not_before = now()`,
			sourceID, objects, ids)
		if err != nil {
			return err
		}
		return audited(ctx, tx, AuditEvent{Type: EventCommentsForgotten, Sources: []string{sourceID}, Details: map[string]any{"by": by, "raw_copies": len(records)}})
	})
}

// ErasuresLeft counts the records of a source that raw copies are still to be removed of: those are in
// batches under way.
func (s *Store) ErasuresLeft(ctx context.Context, sourceID string) (n int64, err error) {
	err = s.pool.QueryRow(ctx, `select count(*) from erasures where source_id = $1`, sourceID).Scan(&n)
	return n, translate("count what is still to be erased", err)
}
