package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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
// table): Transform must run again; fault.Quota when the batch would cost more AI units than the
// integration's cap leaves for this month: nothing of it is applied.
func (s *Store) Upsert(ctx context.Context, ref flow.BatchRef) (result flow.UpsertResult, err error) {
	for range upsertTries {
		if result, err = s.upsert(ctx, ref); !errors.Is(err, errOvertaken) {
			break
		}
	}
	return result, err
}

// upsertTries is how often a batch is decided anew at once because another lane wrote one of
// its records meanwhile. That lane is done then; whoever still fails is tried again by whom it failed.
const upsertTries = 5

// errOvertaken says that another lane wrote a record between the decision what a row is
// and its being written.
var errOvertaken = errors.New("another lane wrote one of the batch's records meanwhile")

// upsert is one try of Upsert.
func (s *Store) upsert(ctx context.Context, ref flow.BatchRef) (result flow.UpsertResult, err error) {
	var integration string
	var told Applied
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
		if errors.Is(err, pgx.ErrNoRows) { // whoever asks remembers what a restored database does not
			return fault.New(fault.Fenced, "batch %d of stream %d is not known: it was dropped, or the database was restored", ref.Seq, ref.Stream)
		}
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
		if b.State != BatchTransformed {
			return fault.New(fault.Stale, "batch %d of stream %d is not transformed", ref.Seq, ref.Stream)
		}
		if result.Counts, erased, err = merge(ctx, tx, b); err != nil {
			return err
		}
		integration = b.IntegrationID
		told = Applied{Lane: b.Lane, Counts: result.Counts, Began: b.Began, Newest: b.Newest}
		crashpoint.Hit(crashpoint.BeforeCommit)
		return nil
	})
	if err == nil && !result.Again {
		s.tell(ctx, told)
	}
	if err == nil && !result.Again && result.Counts.Rows > manyRows {
		s.vacuumStaged(ctx)
		s.analyzeFirst(ctx)
	}
	if err == nil && erased {
		s.eraseSoon(ctx, integration)
	}
	return result, err
}

// vacuumStaged gives the room of rows that were applied to those of the next batch. A load would
// fill gigabytes before autovacuum comes by, and write them to the disk for nothing. It takes a few
// milliseconds; if it cannot be done now, the next batch does it.
func (s *Store) vacuumStaged(ctx context.Context) {
	_, _ = s.pool.Exec(ctx, `vacuum (skip_locked, truncate off) staged`)
}

// analyzeFirst tells the planner of the tables that a first load fills before autovacuum comes by:
// without it, reading one comment among 200,000 took 20 ms. Once is enough, because what is known of a table
// grows with it. If it cannot be done now, the next batch does it.
func (s *Store) analyzeFirst(ctx context.Context) {
	_, _ = s.pool.Exec(ctx, `
		do $$
		declare
			name text;
		begin
			for name in
				select relname from pg_class
				where oid in ('comments'::regclass, 'revisions'::regclass, 'records'::regclass, 'ledger'::regclass) and reltuples < 0
			loop
				execute format('analyze (skip_locked) %I', name);
			end loop;
		end $$`)
}

// manyRows is where comparing each row of a batch with each other row costs more than
// a hash of all records.
const manyRows = 500

// chooseJoins keeps the planner from nested loops where it cannot tell what they cost: it
// takes records and comments for a few rows until they are analyzed for the first time.
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
	_, err := tx.Exec(ctx, `set local enable_nestloop = off`)
	return err
}

// outcomes is what was decided of a batch's rows: how many there are of each kind, and
// which statements have something to do.
type outcomes struct {
	flow.Counts
	written  int64 // comments that are there already and are written again
	known    int64 // records that are known already and are written again
	novel    int64 // records that are not known
	ended    int64 // deletes of comments
	gone     int64 // rows that bring an erased record's text once more, or erase one
	asked    int64 // records to be read again
	returned int64 // records that were set aside
	// forgotten is rows that bring what was erased on request once more, or what is older than comments are kept.
	forgotten int64
}

// merge writes everything a batch changes, and says whether it erased something. What each
// row is, is decided once and kept in a narrow table of the session's; the statements behind it
// run in the order in which each needs the one before, and only where there is something to do.
func merge(ctx context.Context, tx pgx.Tx, b *Batch) (c flow.Counts, erased bool, err error) {
	args := pgx.NamedArgs{
		"source": b.SourceID, "integration": b.IntegrationID, "object": b.Object,
		"stream": b.Stream, "epoch": b.Epoch, "seq": b.Seq, "settle": Settle, "tail": Tail, "forgotten": ForgottenReason,
		"aged": AgedReason,
	}
	if _, err := tx.Exec(ctx, makeOutcomes); err != nil {
		return c, false, translate("make room for the outcomes", err)
	}
	if _, err := tx.Exec(ctx, shareObject, args); err != nil {
		return c, false, translate("wait until nothing of the object is being erased", err)
	}
	if b.Lane == "backfill" {
		if _, err := tx.Exec(ctx, takeTurns, args); err != nil {
			return c, false, translate("wait for the page of another part", err)
		}
	}
	// The source is locked as a reference to it would be, once for all rows.
	var policy string
	var oldest *time.Time
	if err := tx.QueryRow(ctx, `
		select coalesce((select spec->>'deleted' from objects where integration_id = @integration and name = @object), 'tombstone'),
		       (select`+oldestKept+`from integrations i where i.id = @integration)
		from sources where id = @source for key share`,
		args).Scan(&policy, &oldest); err != nil {
		return c, false, translate("read the policy", err)
	}
	args["erase"], args["keep"], args["oldest"] = policy == "erase", policy == "keep", oldest
	var o outcomes
	if err := tx.QueryRow(ctx, decideOutcomes, args).Scan(&o.Rows, &o.Created, &o.TextChanged, &o.MetadataChanged, &o.Unchanged, &o.Stale, &o.SetAside,
		&o.Deleted, &o.Filtered, &o.Invisible, &o.written, &o.known, &o.novel, &o.ended, &o.gone, &o.asked, &o.returned, &o.forgotten); err != nil {
		return c, false, translate("decide what each row is", err)
	}
	if o.Rows != b.Rows-b.Skipped {
		return c, false, fault.New(fault.Stale, "batch %d of stream %d has %d of %d cleaned rows", b.Seq, b.Stream, o.Rows, b.Rows-b.Skipped)
	}
	o.Units = o.Created + o.TextChanged
	if err := mayCost(ctx, tx, b.IntegrationID, o.Units); err != nil {
		return c, false, err
	}
	for _, step := range []struct {
		what, sql string
		rows      int64 // that it writes; -1: nobody knows
	}{
		{"write new comments", insertComments, o.Created + o.TextChanged + o.MetadataChanged - o.written},
		{"write comments again", updateComments, o.written},
		{"write the revisions", writeRevisions, o.Units},
		{"delete comments", deleteComments, o.ended},
		{"write new record states", insertRecords, o.novel},
		{"write record states again", updateRecords, o.known},
		{"answer the rechecks", answerRechecks, -1},
		{"erase what is gone", eraseRows, min(o.gone, 1)},
		{"forget what is forgotten", forgetAgain, min(o.forgotten, 1)},
		{"ask ambiguous rows again", addRechecks, o.asked},
		{"set records aside", setAside, o.SetAside},
		{"take records back", unsetAside, min(o.returned, 1)},
		// Last: its sums are rows that other batches of the lane write too.
		{"write the ledger", writeLedger, o.Units},
	} {
		if step.rows == 0 {
			continue
		}
		if step.sql == eraseRows {
			if err := chooseJoins(ctx, tx, o.gone); err != nil {
				return c, false, translate("choose how to join", err)
			}
		}
		tag, err := tx.Exec(ctx, step.sql, args)
		if err != nil {
			return c, false, overtaken(step.what, err)
		}
		switch step.sql {
		case insertComments, updateComments, writeRevisions, writeLedger, deleteComments, insertRecords, updateRecords:
			// Rows are written as the versions that were decided on, or not at all. One that another
			// lane wrote in between is not among them; then nothing of the batch may stay.
			if tag.RowsAffected() != step.rows {
				return c, false, fault.Wrap(fault.Transient, errOvertaken, "%s: %d rows of %d of %s", step.what, tag.RowsAffected(), step.rows, b.Object)
			}
		case eraseRows, forgetAgain:
			erased = erased || tag.RowsAffected() > 0
		}
	}
	if err := hasCost(ctx, tx, b.IntegrationID, o.Units); err != nil {
		return c, false, err
	}
	// The table's CHECKs refuse the transaction if the counts do not add up.
	for name, n := range map[string]int64{"created": o.Created, "text_changed": o.TextChanged, "metadata_changed": o.MetadataChanged, "unchanged": o.Unchanged,
		"stale": o.Stale, "set_aside": o.SetAside, "deleted": o.Deleted, "filtered": o.Filtered, "invisible": o.Invisible, "units": o.Units} {
		args[name] = n
	}
	err = tx.QueryRow(ctx, closeBatch, args).Scan(&c.Rows, &c.Created, &c.TextChanged, &c.MetadataChanged,
		&c.Unchanged, &c.Stale, &c.SetAside, &c.Deleted, &c.Filtered, &c.Invisible, &c.Units)
	return c, erased, err
}

// overtaken is the fault of a statement that failed, by errOvertaken if it is one that
// a new decision cures: another lane wrote a new record first, or each waits for the other.
func overtaken(what string, err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == uniqueViolation || pg.Code == deadlockDetected) {
		return fault.Wrap(fault.Transient, errors.Join(errOvertaken, err), "%s", what)
	}
	return translate(what, err)
}

// Codes of PostgreSQL (its manual, appendix A).
const (
	uniqueViolation  = "23505"
	deadlockDetected = "40P01"
)

// The rows of the batch.
const thisBatch = ` (s.stream_id, s.epoch, s.seq) = (@stream, @epoch, @seq) `

// byKey finds the one row whose column is value, by an index that begins with the columns
// that are compared before it. Measured: a planner that knows nothing of a table yet takes any
// index with these columns for as good, and reads all of the object's records for each one (0.6 ms
// each among 20,000), or all of them at once for a join. Only the primary key has the order asked for here.
func byKey(column, value string) string {
	return ` ` + column + ` between ` + value + ` and ` + value + ` order by ` + column + ` limit 1 `
}

// Lanes of one object apply side by side: a live batch must not wait for the pages of a load.
// A row is decided on by what is committed, and written only if that is still so: the primary
// keys refuse a record that another lane made first, and a version that is no longer the last one is
// not found (docs/decisions/20261126-lanes-apply-side-by-side.md). Erase looks at an object as a
// whole, so nothing is applied to it meanwhile. Both locks end with the transaction.
const (
	shareObject = `select pg_advisory_xact_lock_shared(hashtextextended(@source || '/' || @object, 0))`
	lockObject  = `select pg_advisory_xact_lock(hashtextextended(@source || '/' || @object, 0))`
)

// takeTurns lets the pages of a load apply one after the other. Measured, 300,000 mails: three at a
// time took a third more of the database's time, because there is always one that still sees the rows
// of those before it, and vacuumStaged has to leave them.
const takeTurns = `select pg_advisory_xact_lock(hashtextextended('load ' || @source || '/' || @object, 0))`

// makeOutcomes makes the session's table of outcomes, once, and empty at every commit. Wide rows
// stay where they are: at, comment_at and record_at say where, and the versions which one of
// those that stood there one after the other. state is null where the record is
// not written. It also keeps the compiler of queries away, which takes longer than they do.
const makeOutcomes = `
	set local jit = off;
	create temporary table if not exists outcomes (
		at          tid not null,
		record_id   text collate "C" not null,
		outcome     text not null,
		revision    int,
		before_hash bytea,
		text_hash   bytea,
		text_digest bytea,
		reason      text,
		comment_id  text,
		comment_at  tid,
		comment_version xid,
		record_at   tid,
		record_version xid,
		state       text,
		ask         text,
		ended       boolean not null,
		gone        boolean not null,
		returned    boolean not null,
		forgotten   boolean not null default false
	) on commit delete rows`

// staging gives the staged row of the outcome o, which is where it was when the outcome was
// decided: the batch is locked.
const staging = ` cross join lateral (select * from staged where ctid = o.at offset 0) s `

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
//
// A row with a kept text has the text that is in force now: another lane may have written
// one since the row was made. One whose comment was erased meanwhile has nothing to keep.
//
// A record's row that is the stored one to the letter leaves no new version behind, unless a
// second version with its stamp may still turn up: then it counts when this one was read.
// That is so until the object is known to be complete beyond it.
var decideOutcomes = `
	with decided as (
		insert into outcomes (at, record_id, outcome, revision, before_hash, text_hash, text_digest, reason, comment_id,
			comment_at, comment_version, record_at, record_version, state, ask, ended, gone, returned, forgotten)
		select x.at, x.record_id, x.outcome,
			case when x.outcome in ('created', 'text_changed') then coalesce(x.revision, 0) + 1 else x.revision end,
			case when x.erased then null else x.before_hash end,
			x.text_hash, x.text_digest, x.reason, x.comment_id, x.comment_at, x.comment_version, x.record_at, x.record_version,
			case when x.outcome <> 'stale' and not (x.verdict is not null and x.outcome = 'unchanged') and (
				x.record_at is null
				or (x.known_stamp, x.known_digest, x.known_state) is distinct from (x.stamp, x.record_digest, x.state)
				or (x.state = 'live' and x.known_text <> x.text_digest)
				or (x.read_begin > x.known_begin and x.stamp > x.verified_to)) then x.state end,
			case when x.record_at is null and x.outcome = 'stale' then null
			     when x.read_again or (x.outcome = 'stale' and x.stamp = x.known_stamp)
			       or (x.outcome <> 'stale' and x.stamp > x.server_time - @settle::interval)
			     then case when x.outcome = 'stale' then 'ambiguous' else 'unsettled' end end,
			x.outcome = 'deleted' and x.living and not @keep,
			coalesce(case when x.outcome = 'stale' then x.known_state = 'erased' when x.is_deleted then @erase or x.known_state = 'erased' or x.forgotten end, false),
			coalesce(x.known_state = 'set_aside', false) and x.outcome <> 'stale' and (x.outcome <> 'set_aside' and x.reason is null or x.reason = @aged),
			x.forgotten
		from (
			select n.ctid as at, n.record_id, n.stamp, n.record_digest, n.is_deleted, n.verdict, n.text_hash, k.text_digest, k.reason, forgotten.forgotten or unwanted.why is not null as forgotten,
				b.read_begin, b.read_again, b.server_time, b.verified_to,
				coalesce(n.comment_id, r.comment_id) as comment_id, c.ctid as comment_at, c.version as comment_version, c.revision, c.text_hash as before_hash, coalesce(c.erased, false) as erased, c.id is not null and c.deleted_at is null as living,
				r.ctid as record_at, r.version as record_version, r.stamp as known_stamp, r.record_digest as known_digest, r.text_digest as known_text, r.state as known_state, r.read_begin as known_begin,
				case when n.is_deleted and (@erase or forgotten.forgotten) then 'erased' when n.is_deleted then 'deleted' when k.reason is not null then 'set_aside' else coalesce(n.verdict, 'live') end as state,
				case
					when n.verdict is not null and r.record_id is null then 'stale' -- nothing is known that it could change
					when r.record_id is not null and n.stamp < r.stamp then 'stale'
					when r.stamp = n.stamp and not same.same and b.read_begin <= r.read_end then 'stale'
					when n.verdict = r.state or n.verdict = 'invisible' and r.state in ('deleted', 'erased') then 'unchanged'
					when n.verdict is not null then n.verdict
					when n.is_deleted and r.state in ('deleted', 'erased') then 'unchanged'
					when n.is_deleted then 'deleted'
					when k.reason is not null and r.stamp = n.stamp and same.same and r.state = 'set_aside' then 'unchanged'
					when k.reason is not null then 'set_aside'
					when c.id is null or c.erased then 'created'
					when (r.text_digest = k.text_digest or c.text_hash = n.text_hash) then
						case when c.content_hash = n.content_hash and c.deleted_at is null then 'unchanged' else 'metadata_changed' end
					else 'text_changed'
				end as outcome
			from (
				select read_begin, read_again, server_time, coalesce((
					select st.verified_to from streams st
					where st.integration_id = @integration and st.object = @object and st.lane = 'live' and st.part = ''), '-infinity') as verified_to
				from batches where (stream_id, epoch, seq) = (@stream, @epoch, @seq)
			) b
			cross join (select ctid, * from staged s where` + thisBatch + `offset 0) n
			left join lateral (
				select ctid, xmin as version, * from records
				where source_id = @source and object = @object and` + byKey("record_id", "n.record_id") + `) r on true
			left join lateral (
				select ctid, xmin as version, * from comments
				where source_id = @source and` + byKey("id", "coalesce(n.comment_id, r.comment_id)") + `) c on true
			cross join lateral (select` + forgotten + `as forgotten) forgotten
			cross join lateral (
				select case when n.is_deleted or n.verdict is not null then null when forgotten.forgotten then @forgotten when n.ts < @oldest then @aged end as why
			) unwanted
			cross join lateral (
				select r.record_digest = n.record_digest and (r.state in ('deleted', 'erased')) = n.is_deleted as same
			) same
			cross join lateral (
				select case when n.text_kept and r.record_id is not null then r.text_digest else n.text_digest end as text_digest,
				       case when forgotten.forgotten or unwanted.why is not null then unwanted.why
				            when n.text_kept and r.record_id is not null
				            then case when c.id is null or c.erased then 'its text was erased while it was being read' end
				            else n.reason end as reason
			) k
		) x
		order by x.record_id -- what is written next to each other stands next to each other
		returning *
	)
	select count(*),
	       count(*) filter (where outcome = 'created'),
	       count(*) filter (where outcome = 'text_changed'),
	       count(*) filter (where outcome = 'metadata_changed'),
	       count(*) filter (where outcome = 'unchanged'),
	       count(*) filter (where outcome = 'stale'),
	       count(*) filter (where outcome = 'set_aside'),
	       count(*) filter (where outcome = 'deleted'),
	       count(*) filter (where outcome = 'filtered'),
	       count(*) filter (where outcome = 'invisible'),
	       count(*) filter (where outcome in ('created', 'text_changed', 'metadata_changed') and comment_at is not null),
	       count(*) filter (where state is not null and record_at is not null),
	       count(*) filter (where state is not null and record_at is null),
	       count(*) filter (where ended),
	       count(*) filter (where gone),
	       count(ask),
	       count(*) filter (where returned),
	       count(*) filter (where forgotten)
	from decided`

const insertComments = `
	insert into comments (source_id, id, ts, thread_id, envelope, properties, revision, text_hash, content_hash)
	select @source, o.comment_id, s.ts, s.thread_id, s.envelope, s.properties, o.revision, o.text_hash, s.content_hash
	from outcomes o` + staging + `
	where o.outcome = 'created' and o.comment_at is null`

// The text that stays goes with what was said of its length. Those of a chat may have been parted
// otherwise than this release would: then its messages are those that the texts belong to.
const updateComments = `
	update comments c set
		ts = s.ts, thread_id = s.thread_id, text_format = '', attachments = null, revision = o.revision,
		envelope = case when o.outcome = 'metadata_changed' and jsonb_array_length(c.envelope) <> jsonb_array_length(s.envelope)
			then c.envelope else s.envelope end,
		properties = case when o.outcome = 'metadata_changed' and o.before_hash is distinct from o.text_hash and c.properties->'string:Truncated' is distinct from s.properties->'string:Truncated'
			then s.properties - 'string:Truncated' || jsonb_strip_nulls(jsonb_build_object('string:Truncated', c.properties->'string:Truncated'))
			else s.properties end,
		text_hash = case when o.outcome = 'metadata_changed' then o.before_hash else o.text_hash end, content_hash = s.content_hash,
		last_modified = now(), changed = pg_current_xact_id(), deleted_at = null, erased = false
	from outcomes o` + staging + `
	where o.outcome in ('created', 'text_changed', 'metadata_changed')
	  and c.ctid = o.comment_at and c.xmin = o.comment_version`

const writeRevisions = `
	insert into revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version)
	select @source, o.comment_id, o.revision, s.texts, o.text_hash,
	       (select cleaning_version from batches b where (b.stream_id, b.epoch, b.seq) = (@stream, @epoch, @seq))
	from outcomes o` + staging + `
	where o.outcome in ('created', 'text_changed')`

const writeLedger = `
	insert into ledger (source_id, comment_id, revision, reason, before_hash, after_hash, stream_id, epoch, seq)
	select @source, comment_id, revision, outcome, before_hash, text_hash, @stream, @epoch, @seq
	from outcomes
	where outcome in ('created', 'text_changed')`

const deleteComments = `
	update comments c set deleted_at = now(), last_modified = now(), changed = pg_current_xact_id()
	from outcomes o
	where o.ended and c.ctid = o.comment_at and c.xmin = o.comment_version`

// The text_digest of a record is that of the text in force: a record that was deleted or set aside
// brings its text when it comes back.
const insertRecords = `
	insert into records (source_id, object, record_id, stamp, read_begin, read_end, record_digest, text_digest,
		state, comment_id, raw_stream, raw_epoch, raw_seq, raw_chunk)
	select @source, @object, o.record_id, s.stamp, b.read_begin, b.read_end, s.record_digest, o.text_digest,
	       o.state, s.comment_id, @stream, @epoch, @seq, s.chunk
	from batches b cross join outcomes o` + staging + `
	where (b.stream_id, b.epoch, b.seq) = (@stream, @epoch, @seq) and o.state is not null and o.record_at is null`

const updateRecords = `
	update records r set
		stamp = s.stamp, read_begin = b.read_begin, read_end = b.read_end, record_digest = s.record_digest,
		-- What was erased stays so under any policy.
		state = case when o.state = 'deleted' and r.state = 'erased' then r.state else o.state end,
		text_digest = case when o.state = 'live' then o.text_digest else r.text_digest end,
		comment_id = coalesce(s.comment_id, r.comment_id),
		-- A verdict is no copy of the record: the last one stays.
		raw_stream = case when s.verdict is null then @stream else r.raw_stream end,
		raw_epoch = case when s.verdict is null then @epoch else r.raw_epoch end,
		raw_seq = case when s.verdict is null then @seq else r.raw_seq end,
		raw_chunk = case when s.verdict is null then s.chunk else r.raw_chunk end,
		updated_at = now()
	from batches b cross join outcomes o` + staging + `
	where (b.stream_id, b.epoch, b.seq) = (@stream, @epoch, @seq) and o.state is not null
	  and r.ctid = o.record_at and r.xmin = o.record_version`

const addRechecks = `
	insert into rechecks as k (integration_id, object, record_id, reason, not_before)
	select @integration, @object, record_id, ask, case when outcome = 'stale' then now() else now() + @settle::interval + interval '1 second' end
	from outcomes where ask is not null
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
	select @source, @object, record_id, reason from outcomes where outcome = 'set_aside' and reason <> @aged
	on conflict (source_id, object, record_id) do update set reason = excluded.reason`

const unsetAside = `
	delete from set_aside a using outcomes o
	where o.returned and a.source_id = @source and a.object = @object and a.record_id = o.record_id`

const closeBatch = `
	with closed as (
		update batches b set state = 'applied', applied_at = now(),
			created = @created, text_changed = @text_changed, metadata_changed = @metadata_changed,
			unchanged = @unchanged + b.skipped, stale = @stale, set_aside = @set_aside, deleted = @deleted,
			filtered = @filtered, invisible = @invisible, units = @units
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
