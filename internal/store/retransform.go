package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// States of a retransform.
const (
	RetransformOpen      = "open"
	RetransformDone      = "done"
	RetransformCancelled = "cancelled" // the reason says why
)

// What becomes of a record whose comment is made anew.
const (
	RemadeUnchanged = "unchanged"
	RemadeCreated   = "created"
	RemadeText      = "text_changed"
	RemadeMetadata  = "metadata_changed"
	RemadeSetAside  = "set_aside"
)

// Remade is what became of a record whose comment was made anew of its raw copy.
type Remade struct {
	Outcome string
	State   string // of the record from now on
	Back    bool   // it was set aside
	Row     StagedRow
}

// Remaking is a page of records whose comments are being made anew, in a transaction that
// keeps everybody else who writes them out.
type Remaking struct {
	*RawReader
	Records []StoredRecord
	Plan    json.RawMessage // of the object
	Oldest  *time.Time      // since when comments are kept; nil = from the beginning

	staging  *Staging
	outcomes []Remade // without their rows
}

// Add notes what becomes of a record. The row is not kept.
func (p *Remaking) Add(r Remade) error {
	if err := p.staging.Add(r.Row); err != nil {
		return err
	}
	r.Row = StagedRow{RecordID: r.Row.RecordID}
	p.outcomes = append(p.outcomes, r)
	return nil
}

// RetransformJob is an object whose texts are to be made anew.
type RetransformJob struct {
	ID            int64
	IntegrationID string
	SourceID      string
	Object        string
	Version       int // of the cleaning
	Total         int64
}

// RequestRetransform asks for the texts of an object's comments to be made anew of the stored
// raw copies, with the mapping in force and the given cleaning version. One that is open
// goes on, unless it is of another mapping or version: then this one takes its place. fault.NotFound when the integration has no such object.
func (s *Store) RequestRetransform(ctx context.Context, integrationID, object string, version int) error {
	return s.inTx(ctx, "ask for a retransform", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			update retransforms t set state = 'cancelled', reason = 'asked for anew, with another mapping or cleaning version', finished_at = now()
			from integrations i
			where i.id = $1 and t.integration_id = i.id and t.object = $2 and t.state = 'open' and (t.cleaning_version, t.epoch) <> ($3, i.epoch)`,
			integrationID, object, version); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			insert into retransforms (integration_id, object, epoch, cleaning_version, total)
			select i.id, o.name, i.epoch, $3, (select count(*) from records r where r.source_id = i.source_id and r.object = o.name and r.state in`+made+`)
			from integrations i join objects o on o.integration_id = i.id
			where i.id = $1 and o.name = $2
			on conflict (integration_id, object) where state = 'open' do nothing`, integrationID, object, version)
		if err != nil {
			return err
		}
		if tag.RowsAffected() > 0 {
			return auditedIntegration(ctx, tx, EventRetransformRequested, integrationID, map[string]any{"object": object, "cleaning_version": version})
		}
		var there bool
		if err := tx.QueryRow(ctx, `select exists (select from objects where integration_id = $1 and name = $2)`, integrationID, object).Scan(&there); err != nil {
			return err
		}
		if !there {
			return fault.New(fault.NotFound, "the integration has no object %s", object).WithHint("`starter status` lists its objects")
		}
		return nil
	})
}

// CancelRetransforms ends the open retransforms of an integration, of one object or, when
// object is "", of all. What they have made anew stays. It returns their objects.
func (s *Store) CancelRetransforms(ctx context.Context, integrationID, object string) (names []string, err error) {
	err = s.inTx(ctx, "cancel the retransform", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			update retransforms set desired = 'cancelled', state = 'cancelled', reason = 'cancelled by an operator', finished_at = now()
			where integration_id = $1 and ($2 = '' or object = $2) and state = 'open' returning object`, integrationID, object)
		if err != nil {
			return err
		}
		if names, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil || len(names) == 0 {
			return err
		}
		return auditedIntegration(ctx, tx, EventRetransformCancelled, integrationID, map[string]any{"objects": names})
	})
	return names, err
}

// OpenRetransforms lists what is to be made anew in the integration named project/integration,
// in file order. fault.NotFound when there is no such integration.
func (s *Store) OpenRetransforms(ctx context.Context, project, integration string) ([]RetransformJob, error) {
	const op = "read the retransforms"
	var id string
	if err := s.pool.QueryRow(ctx, `select i.id from integrations i join projects p on p.id = i.project_id where p.name = $1 and i.name = $2`,
		project, integration).Scan(&id); err != nil {
		return nil, translate(op, err)
	}
	rows, err := s.pool.Query(ctx, `
		update retransforms t set started_at = coalesce(started_at, now()), beat_at = now()
		from integrations i where i.id = $1 and t.integration_id = i.id and t.state = 'open'
		returning t.id, t.integration_id, i.source_id, t.object, t.cleaning_version, t.total`, id)
	if err != nil {
		return nil, translate(op, err)
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[RetransformJob])
	return jobs, translate(op, err)
}

// EndRetransform ends a retransform before its end. Why is for people.
func (s *Store) EndRetransform(ctx context.Context, id int64, why string) error {
	_, err := s.pool.Exec(ctx, `update retransforms set state = 'cancelled', reason = $2, finished_at = now() where id = $1 and state = 'open'`, id, why)
	return translate("end the retransform", err)
}

// Retransform is one object's last retransform as a person wants to see it.
type Retransform struct {
	Object      string
	State       string // RetransformOpen and so on
	Reason      string // why it ended before its end
	Version     int    // of the cleaning
	Total       int64  // records when it was asked for
	Counts      flow.RetransformCounts
	RequestedAt time.Time
	StartedAt   *time.Time
	BeatAt      *time.Time // when it was last seen at work
	FinishedAt  *time.Time
	ReadAt      time.Time // the database's time when all this was so
}

// Rate is records per second since it began; 0 = nobody knows.
func (r *Retransform) Rate() float64 {
	if r.StartedAt == nil {
		return 0
	}
	until := r.ReadAt
	if r.FinishedAt != nil {
		until = *r.FinishedAt
	}
	return float64(r.Counts.Records) / max(until.Sub(*r.StartedAt).Seconds(), 1)
}

// Left is how long the rest takes; false when nobody can tell.
func (r *Retransform) Left() (time.Duration, bool) {
	rate := r.Rate()
	if r.State != RetransformOpen || rate <= 0 {
		return 0, false
	}
	return time.Duration(float64(max(r.Total-r.Counts.Records, 0)) / rate * float64(time.Second)), true
}

// Retransforms reads the last retransform of each of an integration's objects.
func (s *Store) Retransforms(ctx context.Context, integrationID string) ([]Retransform, error) {
	rows, err := s.pool.Query(ctx, `
		select distinct on (object) object, state, reason, cleaning_version, total, counts, requested_at, started_at, beat_at, finished_at, now()
		from retransforms where integration_id = $1 order by object, id desc`, integrationID)
	if err != nil {
		return nil, translate("read the retransforms", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Retransform])
	return list, translate("read the retransforms", err)
}

// RemakePage makes the next records of a retransform anew, at most limit: remake says, in
// one transaction, what becomes of them, and what that is in numbers. It says whether the
// retransform is over. Repeated after a crash it goes on where it was; nothing is done twice.
//
// Nobody else writes the object's records meanwhile, so that what is made of a raw copy never
// takes the place of something newer. fault.Quota when the page would cost more AI units than the
// integration's cap leaves for this month: nothing of it is written.
func (s *Store) RemakePage(ctx context.Context, job RetransformJob, limit int, remake func(*Remaking) (flow.RetransformCounts, error)) (over bool, err error) {
	var told *flow.RetransformCounts
	err = s.inTx(ctx, "make texts anew", func(tx pgx.Tx) error {
		// The stream first, as everybody does.
		w, err := s.openRemaking(ctx, tx, job.IntegrationID, job.SourceID, job.Object)
		if err != nil {
			return err
		}
		var epoch int64
		var at string
		var counts flow.RetransformCounts
		err = tx.QueryRow(ctx, `select epoch, at_id, counts from retransforms where id = $1 and state = 'open' for update`, job.ID).Scan(&epoch, &at, &counts)
		if errors.Is(err, pgx.ErrNoRows) {
			over = true // cancelled, or its integration is gone
			return nil
		}
		if err != nil {
			return err
		}
		end := func(state, why string) error {
			over = true
			_, err := tx.Exec(ctx, `update retransforms set state = $2, reason = $3, finished_at = now() where id = $1`, job.ID, state, why)
			return err
		}
		if w == nil || w.epoch != epoch {
			return end(RetransformCancelled, "the mapping changed meanwhile: plan it again")
		}
		if w.page.Records, err = storedBehind(ctx, tx, job.SourceID, job.Object, at, limit); err != nil {
			return err
		}
		if len(w.page.Records) == 0 {
			return end(RetransformDone, "")
		}
		made, err := remake(w.page)
		if err != nil {
			return err
		}
		if err := w.apply(ctx, job.Version, made); err != nil {
			return err
		}
		told = &made
		counts.Add(made)
		_, err = tx.Exec(ctx, `update retransforms set at_id = $2, counts = $3, beat_at = now() where id = $1`,
			job.ID, w.page.Records[len(w.page.Records)-1].ID, counts)
		crashpoint.Hit(crashpoint.BeforeCommit)
		return err
	})
	if err == nil && told != nil {
		s.tellRemade(ctx, *told)
	}
	return over, err
}

// RemakeRecords is [Store.RemakePage] for records of an object by Id, which nobody asked for. None
// is made anew while the object has no plan.
func (s *Store) RemakeRecords(ctx context.Context, integrationID, sourceID, object string, version int, ids []string,
	remake func(*Remaking) (flow.RetransformCounts, error)) error {
	var made flow.RetransformCounts
	err := s.inTx(ctx, "make records anew", func(tx pgx.Tx) error {
		w, err := s.openRemaking(ctx, tx, integrationID, sourceID, object)
		if err != nil || w == nil {
			return err
		}
		if w.page.Records, err = storedByID(ctx, tx, sourceID, object, ids); err != nil {
			return err
		}
		if made, err = remake(w.page); err != nil {
			return err
		}
		return w.apply(ctx, version, made)
	})
	if err == nil {
		s.tellRemade(ctx, made)
	}
	return err
}

// remakingTx is a page under way.
type remakingTx struct {
	tx          pgx.Tx
	page        *Remaking
	integration string
	epoch       int64
	stream      int64
	seq         int64 // of the batch that will be the receipt
	args        pgx.NamedArgs
}

// openRemaking takes what is locked for it, in the order in which Upsert does: the stream, the
// object, the source. nil when the object has no plan of today.
func (s *Store) openRemaking(ctx context.Context, tx pgx.Tx, integrationID, sourceID, object string) (*remakingTx, error) {
	w := &remakingTx{tx: tx, integration: integrationID}
	err := tx.QueryRow(ctx, `
		insert into streams as st (integration_id, object, lane, epoch)
		select i.id, o.name, 'retransform', i.epoch from integrations i join objects o on o.integration_id = i.id
		where i.id = $1 and o.name = $2
		on conflict (integration_id, object, lane, part) do update set rows_applied = st.rows_applied
		returning id, epoch, seq + 1`, integrationID, object).Scan(&w.stream, &w.epoch, &w.seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	w.args = pgx.NamedArgs{"source": sourceID, "integration": integrationID, "object": object, "stream": w.stream, "epoch": w.epoch, "seq": w.seq,
		"settle": Settle, "tail": Tail, "aged": AgedReason}
	if _, err := tx.Exec(ctx, lockObject, w.args); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, `select from sources where id = @source for key share`, w.args); err != nil {
		return nil, err
	}
	w.page = &Remaking{RawReader: &RawReader{ctx: ctx, q: tx, source: sourceID, object: object}}
	var state string
	if err := tx.QueryRow(ctx, `
		select o.state, o.plan,`+oldestKept+`from objects o join integrations i on i.id = o.integration_id
		where o.integration_id = $1 and o.name = $2`, integrationID, object).Scan(&state, &w.page.Plan, &w.page.Oldest); err != nil {
		return nil, err
	}
	if w.page.Plan == nil || state == "unchecked" {
		return nil, nil
	}
	w.page.staging = &Staging{ctx: ctx, tx: tx, batch: &Batch{BatchRef: flow.BatchRef{Stream: w.stream, Epoch: w.epoch, Seq: w.seq, Object: object},
		IntegrationID: integrationID, SourceID: sourceID}}
	return w, nil
}

// apply writes what was made anew, by the statements of Upsert, with a batch as the receipt.
// Nothing is written where nothing changes.
func (w *remakingTx) apply(ctx context.Context, version int, made flow.RetransformCounts) error {
	if len(w.page.outcomes) == 0 {
		return nil
	}
	if err := w.page.staging.flush(); err != nil {
		return err
	}
	changed := int64(len(w.page.outcomes))
	w.args["rows"], w.args["version"] = made.Unchanged+changed, version
	if _, err := w.tx.Exec(ctx, `
		insert into batches (stream_id, epoch, seq, state, rows, checksum, read_begin, read_end, cleaning_version)
		values (@stream, @epoch, @seq, 'transformed', @rows, '', nextval('read_order'), nextval('read_order'), @version)`, w.args); err != nil {
		return err
	}
	if _, err := w.tx.Exec(ctx, makeOutcomes); err != nil {
		return err
	}
	var ids, outcomes, states []string
	var back []bool
	counts := map[string]int64{}
	for _, o := range w.page.outcomes {
		ids, outcomes, states, back = append(ids, o.Row.RecordID), append(outcomes, o.Outcome), append(states, o.State), append(back, o.Back)
		counts[o.Outcome]++
	}
	w.args["ids"], w.args["outcomes"], w.args["states"], w.args["back"] = ids, outcomes, states, back
	var noted, written int64
	if err := w.tx.QueryRow(ctx, noteOutcomes, w.args).Scan(&noted, &written); err != nil {
		return err
	}
	if noted != changed {
		return fault.New(fault.Transient, "%d of %d records are there no more", changed-noted, changed)
	}
	units := counts[RemadeCreated] + counts[RemadeText]
	texts := units + counts[RemadeMetadata]
	if err := mayCost(ctx, w.tx, w.integration, units); err != nil {
		return err
	}
	for _, step := range []struct {
		what, sql string
		rows      int64 // that it writes; -1: nobody knows
	}{
		{"write new comments", insertComments, texts - written},
		{"write comments again", updateComments, written},
		{"write the revisions", writeRevisions, units},
		{"write the record states", remadeRecords, changed},
		{"set records aside", setAside, counts[RemadeSetAside]},
		{"take records back", unsetAside, -1},
		{"write the ledger", writeLedger, units},
	} {
		if step.rows == 0 {
			continue
		}
		tag, err := w.tx.Exec(ctx, step.sql, w.args)
		if err != nil {
			return translate(step.what, err)
		}
		if step.rows > 0 && tag.RowsAffected() != step.rows {
			return fault.New(fault.Transient, "%s: %d rows of %d", step.what, tag.RowsAffected(), step.rows)
		}
	}
	if err := hasCost(ctx, w.tx, w.integration, units); err != nil {
		return err
	}
	for name, n := range map[string]int64{"created": counts[RemadeCreated], "text_changed": counts[RemadeText], "metadata_changed": counts[RemadeMetadata],
		"unchanged": made.Unchanged + counts[RemadeUnchanged], "set_aside": counts[RemadeSetAside], "units": units,
		"stale": 0, "deleted": 0, "filtered": 0, "invisible": 0} {
		w.args[name] = n
	}
	_, err := w.tx.Exec(ctx, closeBatch, w.args)
	return err
}

// noteOutcomes puts what was decided where the statements of Upsert look for it.
var noteOutcomes = `
	with noted as (
		insert into outcomes (at, record_id, outcome, revision, before_hash, text_hash, text_digest, reason, comment_id,
			comment_at, comment_version, record_at, record_version, state, ended, gone, returned)
		select s.ctid, s.record_id, d.outcome,
			case when d.outcome in ('created', 'text_changed') then coalesce(c.revision, 0) + 1 else c.revision end,
			case when c.erased then null else c.text_hash end,
			s.text_hash, s.text_digest, s.reason, coalesce(s.comment_id, r.comment_id), c.ctid, c.version, r.ctid, r.version, d.state, false, false, d.back
		from unnest(@ids::text[], @outcomes::text[], @states::text[], @back::boolean[]) as d (id, outcome, state, back)
		cross join lateral (
			select ctid, * from staged s where` + thisBatch + `and` + byKey("s.record_id", "d.id") + `) s
		cross join lateral (
			select ctid, xmin as version, * from records where source_id = @source and object = @object and` + byKey("record_id", "d.id") + `) r
		left join lateral (
			select ctid, xmin as version, * from comments where source_id = @source and` + byKey("id", "coalesce(s.comment_id, r.comment_id)") + `) c on true
		order by d.id
		returning *
	)
	select count(*), count(*) filter (where outcome in ('created', 'text_changed', 'metadata_changed') and comment_at is not null) from noted`

// The record is the version that it was, read when it was: what is made of it has changed, and
// so have the digests, with the mapping.
const remadeRecords = `
	update records r set
		state = o.state, comment_id = coalesce(s.comment_id, r.comment_id), record_digest = s.record_digest,
		text_digest = case when o.outcome = 'set_aside' then r.text_digest else s.text_digest end, updated_at = now()
	from outcomes o` + staging + `
	where r.ctid = o.record_at and r.xmin = o.record_version`
