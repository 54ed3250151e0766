package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// States of a record.
const (
	RecordLive      = "live"      // it is a comment
	RecordSetAside  = "set_aside" // it cannot become one; the reason is kept
	RecordFiltered  = "filtered"  // it is there, but outside the object's condition; its comment stays
	RecordInvisible = "invisible" // it is no longer visible and not known to be deleted; its comment stays
	RecordDeleted   = "deleted"
	RecordErased    = "erased"
)

// Settle is how long before Salesforce's clock a stamp must lie for its second to be
// over for certain when the record was read: the Date of an answer is cut to seconds too. Stamps have whole seconds: a
// record read in the second of its stamp can change again without its stamp
// moving, so it is read once more.
const Settle = 2 * time.Second

// Tail is how long after its stamp a row may become visible: Salesforce gives the stamp
// before it commits, and transactions last up to about ten minutes. What is older than
// this has settled.
const Tail = 15 * time.Minute

// Upsert applies a transformed batch in one transaction: comments, text revisions,
// AI units, deletes, record states, rechecks, the cursor and the batch's counts. It
// may be repeated: an applied batch answers with its stored counts and again = true.
//
// fault.Fenced when the stream is gone or at another epoch; fault.Stale when the
// cleaned rows are not all there (PostgreSQL crashed and emptied the unlogged
// table): Transform must run again.
func (s *Store) Upsert(ctx context.Context, ref flow.BatchRef) (result flow.UpsertResult, err error) {
	var integration string
	erased := false
	err = s.inTx(ctx, "apply the batch", func(tx pgx.Tx) error {
		var applied int64
		if err := lockStream(ctx, tx, ref, &applied); err != nil {
			return err
		}
		// Whoever stages its rows again has finished before they are counted.
		if err := lockBatch(ctx, tx, ref); err != nil {
			return err
		}
		b, err := readBatch(ctx, tx, ref)
		if err != nil {
			return err
		}
		result = flow.UpsertResult{Counts: b.Counts, More: b.More, Next: ref}
		result.Next.Seq = ref.Seq + 1
		if b.State == BatchApplied {
			result.Again = true
			return nil
		}
		if ref.Seq != applied+1 {
			return fault.New(fault.Fenced, "batch %d of stream %d is not the next one: %d is applied", ref.Seq, ref.Stream, applied)
		}
		var staged int64
		if err := tx.QueryRow(ctx, `select count(*) from staged where (stream_id, epoch, seq) = ($1, $2, $3)`,
			ref.Stream, ref.Epoch, ref.Seq).Scan(&staged); err != nil {
			return err
		}
		if b.State != BatchTransformed || staged != b.Rows-b.Skipped {
			return fault.New(fault.Stale, "batch %d of stream %d has %d of %d cleaned rows", ref.Seq, ref.Stream, staged, b.Rows-b.Skipped)
		}
		if result.Counts, erased, err = merge(ctx, tx, b); err != nil {
			return err
		}
		integration = b.IntegrationID
		crashpoint.Hit(crashpoint.BeforeCommit)
		return nil
	})
	if err == nil && erased {
		s.eraseSoon(ctx, integration)
	}
	return result, err
}

// manyRows is where comparing each row of a batch with each other row costs more than
// a hash of all records.
const manyRows = 500

// chooseJoins keeps the planner from nested loops where it cannot tell what they cost: it
// takes staged, which is filled and emptied all the time, for one row, and so it does
// records and comments until they are analyzed for the first time. Measured on a new
// database, 5,000 rows: 10 s with nested loops, 1 s without.
func chooseJoins(ctx context.Context, tx pgx.Tx, rows int64) error {
	unknown := rows > manyRows
	if !unknown {
		if err := tx.QueryRow(ctx, `
			select exists (select 1 from pg_class where oid in ('records'::regclass, 'comments'::regclass) and reltuples < 0)`).Scan(&unknown); err != nil {
			return err
		}
	}
	if !unknown {
		return nil
	}
	// The costs that the planner puts on what is off would start the compiler of queries.
	_, err := tx.Exec(ctx, `set local enable_nestloop = off; set local jit = off`)
	return err
}

// merge writes everything a batch changes, and says whether it erased something. The
// statements run in the order in which each needs the one before.
func merge(ctx context.Context, tx pgx.Tx, b *Batch) (c flow.Counts, erased bool, err error) {
	args := pgx.NamedArgs{
		"source": b.SourceID, "integration": b.IntegrationID, "object": b.Object,
		"stream": b.Stream, "epoch": b.Epoch, "seq": b.Seq, "settle": Settle, "tail": Tail,
	}
	if err := chooseJoins(ctx, tx, b.Rows); err != nil {
		return c, false, translate("choose how to join", err)
	}
	var erases, gone bool
	if err := tx.QueryRow(ctx, `
		select coalesce((select spec->>'deleted' = 'erase' from objects where integration_id = @integration and name = @object), false)`,
		args).Scan(&erases); err != nil {
		return c, false, translate("read the policy", err)
	}
	args["erase"] = erases
	for _, step := range []struct{ what, sql string }{
		{"wait for the object's other lanes", lockObject},
		{"lock the records", lockRecords},
		{"keep texts that could not be read", keepTexts},
		{"decide what each row is", decideOutcomes},
		{"write the comments", writeComments},
		{"write the revisions", writeRevisions},
		{"write the ledger", writeLedger},
		{"delete comments", deleteComments},
		{"write the record states", writeRecords},
		{"erase what is gone", eraseRows},
		{"answer the rechecks", answerRechecks},
		{"ask ambiguous rows again", addRechecks},
		{"set records aside", setAside},
		{"take records back", unsetAside},
	} {
		if step.sql == eraseRows {
			if err := tx.QueryRow(ctx, `select exists (select 1 from staged s where`+thisBatch+`and (s.is_deleted or s.outcome = 'stale'))`, args).Scan(&gone); err != nil {
				return c, false, translate("look for deletes", err)
			}
			if !gone {
				continue // nearly always; the join would cost what a merge does
			}
		}
		tag, err := tx.Exec(ctx, step.sql, args)
		if err != nil {
			return c, false, translate(step.what, err)
		}
		switch step.sql {
		case writeLedger:
			args["units"] = tag.RowsAffected()
		case eraseRows:
			erased = tag.RowsAffected() > 0
		}
	}
	// The counts are those of the rows; units are those of the ledger. The table's
	// CHECKs refuse the transaction if they do not add up.
	err = tx.QueryRow(ctx, closeBatch, args).Scan(&c.Rows, &c.Created, &c.TextChanged, &c.MetadataChanged,
		&c.Unchanged, &c.Stale, &c.SetAside, &c.Deleted, &c.Filtered, &c.Invisible, &c.Units)
	return c, erased, err
}

// The rows of the batch, as every statement below names them.
const thisBatch = ` (s.stream_id, s.epoch, s.seq) = (@stream, @epoch, @seq) `

// Two lanes of one object apply one after the other: a record that neither knows yet has
// no row to lock, and both would decide that it is new. The lock is taken by nothing
// else and ends with the transaction.
const lockObject = `select pg_advisory_xact_lock(hashtextextended(@source || '/' || @object, 0))`

// In Id order, so that nobody who locks records can deadlock with this.
const lockRecords = `
	select 1 from records r
	where r.source_id = @source and r.object = @object
	  and r.record_id in (select record_id from staged s where` + thisBatch + `)
	order by r.record_id
	for update`

// Last writer wins by (stamp, read order). A row with the stored stamp but other
// content is applied only if it was read after the stored one had been read; else
// nobody knows which is newer, and it is asked for again.
//
// Same text inputs (text_digest): the text in force stays, whatever the cleaning
// made of it this time, so that a new cleaning version costs nothing by itself.
//
// A record that is the stored one to the letter (same) may still have to become
// something else: a changed mapping names its properties otherwise, a new release can
// read what an older one set aside.
const decideOutcomes = `
	update staged s set
		outcome = x.outcome,
		before_hash = case when x.erased then null else x.text_hash end,
		revision = case when x.outcome in ('created', 'text_changed') then coalesce(x.revision, 0) + 1 else x.revision end
	from (
		select n.record_id, c.revision, c.text_hash, coalesce(c.erased, false) as erased,
			case
				when n.verdict is not null and r.record_id is null then 'stale' -- nothing is known that it could change
				when r.record_id is not null and n.stamp < r.stamp then 'stale'
				when r.stamp = n.stamp and not same.same and b.read_begin <= r.read_end then 'stale'
				when n.verdict = r.state or n.verdict = 'invisible' and r.state in ('deleted', 'erased') then 'unchanged'
				when n.verdict is not null then n.verdict
				when n.is_deleted and r.state in ('deleted', 'erased') then 'unchanged'
				when n.is_deleted then 'deleted'
				when n.reason is not null and r.stamp = n.stamp and same.same and r.state = 'set_aside' then 'unchanged'
				when n.reason is not null then 'set_aside'
				when c.id is null or c.erased then 'created'
				when (r.text_digest = n.text_digest or c.text_hash = n.text_hash) then
					case when c.content_hash = n.content_hash and c.deleted_at is null then 'unchanged' else 'metadata_changed' end
				else 'text_changed'
			end as outcome
		from staged n
		join batches b on (b.stream_id, b.epoch, b.seq) = (n.stream_id, n.epoch, n.seq)
		left join records r on r.source_id = @source and r.object = @object and r.record_id = n.record_id
		left join comments c on c.source_id = @source and c.id = coalesce(n.comment_id, r.comment_id)
		cross join lateral (
			select r.record_digest = n.record_digest and (r.state in ('deleted', 'erased')) = n.is_deleted as same
		) same
		where (n.stream_id, n.epoch, n.seq) = (@stream, @epoch, @seq)
	) x
	where` + thisBatch + `and s.record_id = x.record_id`

const writeComments = `
	insert into comments as c (source_id, id, ts, thread_id, envelope, properties, revision, text_hash, content_hash)
	select @source, s.comment_id, s.ts, s.thread_id, s.envelope, s.properties, s.revision,
	       case when s.outcome = 'metadata_changed' then s.before_hash else s.text_hash end, s.content_hash
	from staged s
	where` + thisBatch + `and s.outcome in ('created', 'text_changed', 'metadata_changed')
	on conflict (source_id, id) do update set
		ts = excluded.ts, thread_id = excluded.thread_id, envelope = excluded.envelope, properties = excluded.properties,
		revision = excluded.revision, text_hash = excluded.text_hash, content_hash = excluded.content_hash,
		last_modified = now(), deleted_at = null, erased = false`

const writeRevisions = `
	insert into revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version)
	select @source, s.comment_id, s.revision, s.texts, s.text_hash,
	       (select cleaning_version from batches b where (b.stream_id, b.epoch, b.seq) = (@stream, @epoch, @seq))
	from staged s
	where` + thisBatch + `and s.outcome in ('created', 'text_changed')`

const writeLedger = `
	insert into ledger (source_id, comment_id, revision, reason, before_hash, after_hash, stream_id, epoch, seq)
	select @source, s.comment_id, s.revision, s.outcome, s.before_hash, s.text_hash, @stream, @epoch, @seq
	from staged s
	where` + thisBatch + `and s.outcome in ('created', 'text_changed')`

const deleteComments = `
	update comments c set deleted_at = now(), last_modified = now()
	from staged s
	join records r on r.source_id = @source and r.object = @object and r.record_id = s.record_id
	where` + thisBatch + `and s.outcome = 'deleted'
	  and c.source_id = @source and c.id = r.comment_id and c.deleted_at is null
	  and (select coalesce(o.spec->>'deleted', 'tombstone') from objects o
	        where o.integration_id = @integration and o.name = @object) <> 'keep'`

// text_digest is that of the text in force: a record that was deleted or set aside
// brings its text when it comes back.
const writeRecords = `
	insert into records as r (source_id, object, record_id, stamp, read_begin, read_end, record_digest, text_digest,
		state, comment_id, raw_stream, raw_epoch, raw_seq, raw_chunk)
	select @source, @object, s.record_id, s.stamp, b.read_begin, b.read_end, s.record_digest, s.text_digest,
	       case when s.is_deleted and @erase then 'erased' when s.is_deleted then 'deleted' when s.reason is not null then 'set_aside' else coalesce(s.verdict, 'live') end,
	       s.comment_id, s.stream_id, s.epoch, s.seq, s.chunk
	from staged s
	join batches b on (b.stream_id, b.epoch, b.seq) = (s.stream_id, s.epoch, s.seq)
	where` + thisBatch + `and s.outcome <> 'stale'
	  and not (s.verdict is not null and s.outcome = 'unchanged')
	on conflict (source_id, object, record_id) do update set
		stamp = excluded.stamp, read_begin = excluded.read_begin, read_end = excluded.read_end,
		record_digest = excluded.record_digest,
		-- What was erased stays so under any policy.
		state = case when excluded.state = 'deleted' and r.state = 'erased' then r.state else excluded.state end,
		text_digest = case when excluded.state = 'live' then excluded.text_digest else r.text_digest end,
		comment_id = coalesce(excluded.comment_id, r.comment_id),
		-- A verdict is no copy of the record: the last one stays.
		raw_stream = case when excluded.state in ('filtered', 'invisible') then r.raw_stream else excluded.raw_stream end,
		raw_epoch = case when excluded.state in ('filtered', 'invisible') then r.raw_epoch else excluded.raw_epoch end,
		raw_seq = case when excluded.state in ('filtered', 'invisible') then r.raw_seq else excluded.raw_seq end,
		raw_chunk = case when excluded.state in ('filtered', 'invisible') then r.raw_chunk else excluded.raw_chunk end,
		updated_at = now()
	-- A row that is the stored one to the letter leaves no new version behind, unless a
	-- second version with its stamp may still turn up: then it counts when this one was read.
	-- That is so until the object is known to be complete beyond it.
	where (r.stamp, r.record_digest, r.state) is distinct from (excluded.stamp, excluded.record_digest, excluded.state)
	   or (excluded.state = 'live' and r.text_digest <> excluded.text_digest)
	   or (excluded.read_begin > r.read_begin and excluded.stamp > coalesce((
	       select st.verified_to from streams st
	       where st.integration_id = @integration and st.object = @object and st.lane = 'live' and st.part = ''), '-infinity'))`

const addRechecks = `
	insert into rechecks as k (integration_id, object, record_id, reason, not_before)
	select @integration, @object, s.record_id,
	       case when s.outcome = 'stale' then 'ambiguous' else 'unsettled' end,
	       case when s.outcome = 'stale' then now() else now() + @settle::interval + interval '1 second' end
	from staged s
	join batches b on (b.stream_id, b.epoch, b.seq) = (s.stream_id, s.epoch, s.seq)
	join records r on r.source_id = @source and r.object = @object and r.record_id = s.record_id
	where` + thisBatch + `
	  and (b.read_again or (s.outcome = 'stale' and s.stamp = r.stamp)
	    or (s.outcome <> 'stale' and s.stamp > b.server_time - @settle::interval))
	on conflict (integration_id, object, record_id) do update set
		asked = excluded.asked, not_before = least(k.not_before, excluded.not_before)`

// Before new ones are asked for, so that a row which is still unsettled waits its time.
// A recheck asked for while this batch was being read stays: the read may have come too early for it.
const answerRechecks = `
	delete from rechecks k using batches b
	where (b.stream_id, b.epoch, b.seq) = (@stream, @epoch, @seq)
	  and k.integration_id = @integration and k.object = @object
	  and k.record_id = any(b.rechecked) and k.asked < b.read_begin`

const setAside = `
	insert into set_aside as a (source_id, object, record_id, reason)
	select @source, @object, s.record_id, s.reason from staged s
	where` + thisBatch + `and s.outcome = 'set_aside'
	on conflict (source_id, object, record_id) do update set reason = excluded.reason`

const unsetAside = `
	delete from set_aside a using staged s
	where` + thisBatch + `and s.outcome not in ('stale', 'set_aside') and s.reason is null
	  and a.source_id = @source and a.object = @object and a.record_id = s.record_id`

const closeBatch = `
	with counts as (
		select count(*) filter (where outcome = 'created')          as created,
		       count(*) filter (where outcome = 'text_changed')     as text_changed,
		       count(*) filter (where outcome = 'metadata_changed') as metadata_changed,
		       count(*) filter (where outcome = 'unchanged')        as unchanged,
		       count(*) filter (where outcome = 'stale')            as stale,
		       count(*) filter (where outcome = 'set_aside')        as set_aside,
		       count(*) filter (where outcome = 'deleted')          as deleted,
		       count(*) filter (where outcome = 'filtered')         as filtered,
		       count(*) filter (where outcome = 'invisible')        as invisible
		from staged s where` + thisBatch + `
	), closed as (
		update batches b set state = 'applied', applied_at = now(),
			created = counts.created, text_changed = counts.text_changed, metadata_changed = counts.metadata_changed,
			unchanged = counts.unchanged + b.skipped, stale = counts.stale, set_aside = counts.set_aside, deleted = counts.deleted,
			filtered = counts.filtered, invisible = counts.invisible,
			units = @units
		from counts
		where (b.stream_id, b.epoch, b.seq) = (@stream, @epoch, @seq)
		returning b.*
	), moved as (
		update streams st set seq = @seq, rows_applied = st.rows_applied + closed.rows, applied_at = now(),
			hi_stamp = coalesce(closed.to_stamp, st.hi_stamp), hi_id = coalesce(closed.to_id, st.hi_id),
			verify_from = coalesce(st.verify_from, closed.server_time - @tail::interval),
			finished_at = case when closed.final then now() else st.finished_at end
		from closed where st.id = @stream
	), swept as (
		delete from staged s where` + thisBatch + `
	), told as (
		select pg_notify('comments_changed', @source) from closed
		where created + text_changed + metadata_changed + deleted > 0
	)
	select rows, created, text_changed, metadata_changed, unchanged, stale, set_aside, deleted, filtered, invisible, units
	from closed left join told on true`
