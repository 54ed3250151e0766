package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/flow"
)

// IntegrationStatus is everything PostgreSQL knows of how an integration is doing.
type IntegrationStatus struct {
	Integration
	LostReason string // why the grant can no longer be used
	LostHint   string
	CheckedAt  *time.Time // last check against describe
	ObjectList []ObjectStatus
	Events     []SchemaEvent // open alerts, oldest first, then the latest events that are over, newest first
}

// shownEvents is how many events that are over a status holds.
const shownEvents = 20

// ObjectStatus is one object's part of an IntegrationStatus, in file order.
type ObjectStatus struct {
	Name           string
	State          string // unchecked, ok, config_invalid
	Problem        string // why it is config_invalid
	Hint           string
	FaultKind      string // its own trouble while others go on; "" = none
	FaultMessage   string
	FaultHint      string
	FaultSince     *time.Time
	RetryAt        *time.Time
	Comments       int64      // records that are a comment now
	Units          int64      // AI units that it has cost
	RowsApplied    int64      // rows read and applied since the object was added
	HiStamp        *time.Time // newest row applied
	HiID           string
	VerifiedTo     *time.Time // complete up to here
	SalesforceRows *int64     // last count asked of Salesforce, of rows up to CountedTo
	StoredRows     *int64     // what the store had of them then
	CountedTo      *time.Time
	CountedAt      *time.Time
	SweptAt        *time.Time // when all rows had last been compared Id by Id
	Repaired       int64      // differences found by comparing, ever
	SetAside       int64      // records that cannot become a comment
	Filtered       int64      // records outside the condition that were inside it before
	Invisible      int64      // records that are no longer visible and not known to be deleted
	Rechecks       int64      // records waiting to be read again
	LastBatch      *LastBatch
	Resync         *ResyncStatus
	Cursor         string   // how its changes are followed, for people; "" before the first check
	Notes          []string // what the plan cannot do, for people
	Erasing        int64    // deleted records of which copies are still to be removed
	Months         []Month  // the ledger of completeness, oldest first
}

// Missing is by how many rows Salesforce has more than the store, as of the last count;
// never negative.
func (o ObjectStatus) Missing() int64 {
	if o.SalesforceRows == nil || o.StoredRows == nil {
		return 0
	}
	return max(*o.SalesforceRows-*o.StoredRows, 0)
}

// ResyncStatus is a resync that has not ended.
type ResyncStatus struct {
	Reason      string
	RequestedAt time.Time
	From, Until *time.Time // the stretch, by stamp; nil = unbounded
	At          *time.Time // how far it has come
	Rows        int64      // read in this lane, ever
}

// LastBatch is the receipt of the newest applied batch of an object's live stream.
type LastBatch struct {
	Seq       int64
	AppliedAt time.Time
	Counts    flow.Counts
}

// selectObjectStatus leaves the counts of records to countRecords and countApart.
const selectObjectStatus = `
	select o.name, o.state, o.problem, o.hint, o.fault_kind, o.fault_message, o.fault_hint, o.fault_since, o.retry_at,
	       (select coalesce(sum(d.units), 0)::bigint from ledger_days d
	         where d.source_id = i.source_id and d.integration = i.name and d.object = o.name),
	       coalesce(st.rows_applied, 0), nullif(st.hi_stamp, 'epoch'), coalesce(st.hi_id, ''), ` + verifiedTo + `,
	       st.salesforce_rows, st.stored_rows, st.counted_to, st.counted_at, st.swept_at, coalesce(st.repaired, 0),
	       (select count(*) from set_aside a where a.source_id = i.source_id and a.object = o.name),
	       (select count(*) from rechecks c where c.integration_id = i.id and c.object = o.name),
	       lb.seq, lb.applied_at, lb.rows, lb.created, lb.text_changed, lb.metadata_changed, lb.unchanged, lb.stale,
	       lb.set_aside, lb.deleted, lb.filtered, lb.invisible, lb.units,
	       re.reason, re.requested_at, re.from_stamp, re.until_stamp, re.hi_stamp, re.rows_applied,
	       (select coalesce(jsonb_agg(jsonb_build_object('Month', m.month::timestamp at time zone 'UTC', 'Salesforce', m.salesforce_rows,
	           'Stored', m.rows, 'CheckedAt', m.checked_at) order by m.month), '[]') from completeness m where m.stream_id = st.id),
	       coalesce(o.plan #>> '{cursor,says}', ''),
	       array(select jsonb_array_elements_text(case when jsonb_typeof(o.plan -> 'notes') = 'array' then o.plan -> 'notes' else '[]' end)),
	       (select count(*) from erasures e where e.source_id = i.source_id and e.object = o.name)
	  from objects o
	  join integrations i on i.id = o.integration_id
	  left join streams st on st.integration_id = i.id and st.object = o.name and st.lane = 'live'
	  left join streams re on re.integration_id = i.id and re.object = o.name and re.lane = 'resync' and re.finished_at is null
	  left join lateral (
	       select * from batches b where b.stream_id = st.id and b.state = 'applied' order by b.epoch desc, b.seq desc limit 1) lb on true
	 where i.id = $1
	 order by o.position, o.name`

// IntegrationStatus reads how project/name is doing, in one snapshot; while a load is
// under way, counts of many rows may be some seconds older. fault.NotFound,
// with the nearest names as a hint, when there is no such integration.
func (s *Store) IntegrationStatus(ctx context.Context, project, name string) (IntegrationStatus, error) {
	return s.integrationStatus(ctx, project, name, true)
}

// IntegrationGlance is IntegrationStatus without the number of each object's comments, which is
// counted and takes its time with millions: for who looks every few seconds.
func (s *Store) IntegrationGlance(ctx context.Context, project, name string) (IntegrationStatus, error) {
	return s.integrationStatus(ctx, project, name, false)
}

func (s *Store) integrationStatus(ctx context.Context, project, name string, counted bool) (IntegrationStatus, error) {
	status := IntegrationStatus{}
	// By name without the counts, which take their time with millions of comments.
	err := s.pool.QueryRow(ctx, `
		select i.id from integrations i join projects p on p.id = i.project_id where p.name = $1 and i.name = $2`, project, name).Scan(&status.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return status, s.noIntegration(ctx, project, name)
	}
	if err != nil {
		return status, translate("read the status of "+project+"/"+name, err)
	}
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, selectIntegrations+` where i.id = $1`, status.ID)
		if err != nil {
			return err
		}
		if status.Integration, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Integration]); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `
			select coalesce(c.lost_reason, ''), coalesce(c.lost_hint, ''), i.checked_at
			from integrations i left join connections c on c.integration_id = i.id where i.id = $1`, status.ID).
			Scan(&status.LostReason, &status.LostHint, &status.CheckedAt); err != nil {
			return err
		}
		one := []Integration{status.Integration}
		open, err := loading(ctx, tx)
		if err != nil {
			return err
		}
		if err := countSources(ctx, tx, one); err != nil {
			return err
		}
		status.Integration = one[0]
		if rows, err = tx.Query(ctx, selectObjectStatus, status.ID); err != nil {
			return err
		}
		if status.ObjectList, err = pgx.CollectRows(rows, scanObjectStatus); err != nil {
			return err
		}
		for i := range status.ObjectList {
			if err := countApart(ctx, tx, status.SourceID, &status.ObjectList[i]); err != nil {
				return err
			}
			if !counted {
				continue
			}
			if err := s.countRecords(ctx, tx, status.SourceID, open[status.SourceID], &status.ObjectList[i]); err != nil {
				return err
			}
		}
		if rows, err = tx.Query(ctx, `
			(`+selectEvents+`and resolved_at is null order by id) union all
			(`+selectEvents+`and resolved_at is not null order by id desc limit $2)`, status.ID, shownEvents); err != nil {
			return err
		}
		status.Events, err = pgx.CollectRows(rows, pgx.RowToStructByPos[SchemaEvent])
		return err
	})
	return status, translate("read the status of "+project+"/"+name, err)
}

func scanObjectStatus(row pgx.CollectableRow) (ObjectStatus, error) {
	var o ObjectStatus
	var seq *int64
	var applied *time.Time
	var c [11]*int64
	var reason *string
	var requested *time.Time
	var rows *int64
	var re ResyncStatus
	if err := row.Scan(&o.Name, &o.State, &o.Problem, &o.Hint, &o.FaultKind, &o.FaultMessage, &o.FaultHint, &o.FaultSince, &o.RetryAt,
		&o.Units, &o.RowsApplied, &o.HiStamp, &o.HiID, &o.VerifiedTo,
		&o.SalesforceRows, &o.StoredRows, &o.CountedTo, &o.CountedAt, &o.SweptAt, &o.Repaired,
		&o.SetAside, &o.Rechecks, &seq, &applied,
		&c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6], &c[7], &c[8], &c[9], &c[10],
		&reason, &requested, &re.From, &re.Until, &re.At, &rows, &o.Months, &o.Cursor, &o.Notes, &o.Erasing); err != nil {
		return o, err
	}
	if seq != nil && applied != nil {
		o.LastBatch = &LastBatch{Seq: *seq, AppliedAt: *applied, Counts: flow.Counts{
			Rows: *c[0], Created: *c[1], TextChanged: *c[2], MetadataChanged: *c[3], Unchanged: *c[4], Stale: *c[5],
			SetAside: *c[6], Deleted: *c[7], Filtered: *c[8], Invisible: *c[9], Units: *c[10]}}
	}
	if requested != nil && reason != nil && rows != nil {
		re.Reason, re.RequestedAt, re.Rows = *reason, *requested, *rows
		o.Resync = &re
	}
	return o, nil
}
