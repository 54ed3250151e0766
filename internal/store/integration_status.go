package store

import (
	"context"
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
}

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
	Units          int64      // AI units of its batches
	RowsApplied    int64      // rows read and applied since the object was added
	HiStamp        *time.Time // newest row applied
	HiID           string
	VerifiedTo     *time.Time // complete up to here
	SalesforceRows *int64     // last count asked of Salesforce
	CountedAt      *time.Time
	SetAside       int64 // records that cannot become a comment
	Rechecks       int64 // records waiting to be read again
	LastBatch      *LastBatch
}

// LastBatch is the receipt of the newest applied batch of an object's live stream.
type LastBatch struct {
	Seq       int64
	AppliedAt time.Time
	Counts    flow.Counts
}

const selectObjectStatus = `
	select o.name, o.state, o.problem, o.hint, o.fault_kind, o.fault_message, o.fault_hint, o.fault_since, o.retry_at,
	       (select count(*) from records r where r.source_id = i.source_id and r.object = o.name and r.state = 'live'),
	       (select coalesce(sum(b.units), 0)::bigint from batches b join streams t on t.id = b.stream_id
	         where t.integration_id = i.id and t.object = o.name and b.state = 'applied'),
	       coalesce(st.rows_applied, 0), st.hi_stamp, coalesce(st.hi_id, ''), st.verified_to, st.salesforce_rows, st.counted_at,
	       (select count(*) from set_aside a where a.source_id = i.source_id and a.object = o.name),
	       (select count(*) from rechecks c where c.integration_id = i.id and c.object = o.name),
	       lb.seq, lb.applied_at, lb.rows, lb.created, lb.text_changed, lb.metadata_changed, lb.unchanged, lb.stale,
	       lb.set_aside, lb.deleted, lb.units
	  from objects o
	  join integrations i on i.id = o.integration_id
	  left join streams st on st.integration_id = i.id and st.object = o.name and st.lane = 'live'
	  left join lateral (
	       select * from batches b where b.stream_id = st.id and b.state = 'applied' order by b.epoch desc, b.seq desc limit 1) lb on true
	 where i.id = $1
	 order by o.position, o.name`

// IntegrationStatus reads how project/name is doing, in one snapshot. fault.NotFound,
// with the nearest names as a hint, when there is no such integration.
func (s *Store) IntegrationStatus(ctx context.Context, project, name string) (IntegrationStatus, error) {
	status := IntegrationStatus{}
	var err error
	if status.Integration, err = s.IntegrationByName(ctx, project, name); err != nil {
		return status, err
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
		if rows, err = tx.Query(ctx, selectObjectStatus, status.ID); err != nil {
			return err
		}
		status.ObjectList, err = pgx.CollectRows(rows, scanObjectStatus)
		return err
	})
	return status, translate("read the status of "+project+"/"+name, err)
}

func scanObjectStatus(row pgx.CollectableRow) (ObjectStatus, error) {
	var o ObjectStatus
	var seq *int64
	var applied *time.Time
	var c [9]*int64
	if err := row.Scan(&o.Name, &o.State, &o.Problem, &o.Hint, &o.FaultKind, &o.FaultMessage, &o.FaultHint, &o.FaultSince, &o.RetryAt,
		&o.Comments, &o.Units, &o.RowsApplied, &o.HiStamp, &o.HiID, &o.VerifiedTo, &o.SalesforceRows, &o.CountedAt,
		&o.SetAside, &o.Rechecks, &seq, &applied, &c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6], &c[7], &c[8]); err != nil {
		return o, err
	}
	if seq != nil && applied != nil {
		o.LastBatch = &LastBatch{Seq: *seq, AppliedAt: *applied, Counts: flow.Counts{
			Rows: *c[0], Created: *c[1], TextChanged: *c[2], MetadataChanged: *c[3], Unchanged: *c[4], Stale: *c[5],
			SetAside: *c[6], Deleted: *c[7], Units: *c[8]}}
	}
	return o, nil
}
