package store

import (
	"context"
	"time"

	"salesforcesync/internal/fault"
)

// verifiedTo is SQL: up to when the object of a live stream st is complete, null when that
// is not known. While its first load is open it is not, however far live has come: what is
// older may be missing. The same after a first load that an operator cancelled, until another
// backfill has read everything, or every row was compared with Salesforce Id by Id and what was found was read. One that
// ended because its object changed is followed by whatever the new rows need.
const verifiedTo = `(case when not exists (
		select from backfills fl
		where fl.integration_id = st.integration_id and fl.object = st.object and fl.first
		  and (fl.state = 'open' or fl.state = 'cancelled' and fl.desired = 'cancelled' and (coalesce(st.swept_at <= fl.finished_at, true)
		       or exists (select from rechecks k where k.integration_id = st.integration_id and k.object = st.object and k.reason = 'repair'))
		       and not exists (select from backfills al where al.integration_id = fl.integration_id and al.object = fl.object and al.id > fl.id
		                       and al.state = 'done' and al.from_stamp is null and al.until_stamp is null))
	) then st.verified_to end)`

// Wait is why a backfill does not go on, and what to do.
type Wait struct {
	Kind    fault.Kind
	Message string
	Hint    string
	RetryAt *time.Time // when it goes on by itself
}

// WaitsFor says what an open backfill waits for: an operator, a grant, or the end of a
// fault; nil when it is at work. name, desired and connected are of its integration.
func (b *Backfill) WaitsFor(name, desired string, connected bool) *Wait {
	switch {
	case b.State != BackfillOpen:
		return nil
	case b.Desired == BackfillCancelled:
		return &Wait{Kind: fault.Stopped, Message: "it is being cancelled: its jobs at Salesforce are ended"}
	case desired == DesiredPaused:
		return &Wait{Kind: fault.Stopped, Message: "the integration is paused", Hint: "run `starter resume " + name + "`"}
	case desired != DesiredRunning:
		return &Wait{Kind: fault.Stopped, Message: "the integration is " + desired}
	case !connected:
		return &Wait{Kind: fault.Reauthorize, Message: "Salesforce is not connected", Hint: "run `starter connect " + name + "`"}
	case b.Desired == BackfillPaused:
		return &Wait{Kind: fault.Stopped, Message: "paused by an operator", Hint: "run `starter backfill " + name + " --object " + b.Object + " --resume`"}
	case b.FaultMessage != "" || b.FaultKind != "":
		return &Wait{Kind: fault.Kind(b.FaultKind), Message: b.FaultMessage, Hint: b.FaultHint, RetryAt: b.RetryAt}
	}
	return nil
}

// Share is how much of an open backfill's rows are loaded, from 0 to 1, and 1 only when all
// parts are; false when nobody can tell yet.
func (b *Backfill) Share() (float64, bool) {
	switch {
	case b.State == BackfillDone:
		return 1, true
	case b.Expected <= 0:
		return 0, false
	}
	return min(float64(b.Rows)/float64(b.Expected), 0.99), true
}

// Took is how long a backfill has been at work, or was; 0 before it began.
func (b *Backfill) Took() time.Duration {
	switch {
	case b.StartedAt == nil:
		return 0
	case b.FinishedAt != nil:
		return b.FinishedAt.Sub(*b.StartedAt)
	}
	return b.ReadAt.Sub(*b.StartedAt)
}

// Speed is rows per second: of the last minute while it is open, of all of it afterwards.
func (b *Backfill) Speed() float64 {
	switch took := b.Took().Seconds(); {
	case b.State == BackfillOpen:
		return b.Rate
	case took > 0:
		return float64(b.Rows) / took
	}
	return 0
}

// Stopped reports whether an operator cancelled it before everything was loaded.
func (b *Backfill) Stopped() bool {
	return b.State == BackfillCancelled && b.Desired == BackfillCancelled
}

// LoadSize is how much a backfill of all rows of an object would read, as far as it is known.
type LoadSize struct {
	Rows  int64 // by Salesforce's last count; 0 = not known
	Bytes int64 // of these rows, judging by those that were read; 0 = not known
}

// LoadSize guesses how much a backfill of an object would read.
func (s *Store) LoadSize(ctx context.Context, integrationID, object string) (LoadSize, error) {
	var size LoadSize
	err := s.pool.QueryRow(ctx, `
		select coalesce(max(st.salesforce_rows) filter (where st.lane = 'live'), 0),
		       coalesce(max(st.salesforce_rows) filter (where st.lane = 'live') * sum(b.bytes) / nullif(sum(b.rows), 0), 0)::bigint
		from streams st
		left join lateral (select sum(bytes) as bytes, sum(rows) as rows from batches where stream_id = st.id and state = 'applied') b on true
		where st.integration_id = $1 and st.object = $2`, integrationID, object).Scan(&size.Rows, &size.Bytes)
	return size, translate("guess the size of a load", err)
}

// LoadTotals is how all open backfills are together.
type LoadTotals struct {
	Open     int64
	Waiting  int64 // of these, paused or held up by a fault
	Rows     int64 // loaded by the open ones
	Expected int64 // by Salesforce's counts
	Jobs     int64 // that Salesforce has for us, wanted or not
}

// LoadTotals reads how the open backfills are.
func (s *Store) LoadTotals(ctx context.Context) (LoadTotals, error) {
	var t LoadTotals
	err := s.pool.QueryRow(ctx, `
		select count(*), count(*) filter (where f.desired <> 'running' or i.desired <> 'running' or f.fault_kind <> ''),
		       coalesce(sum(b.rows), 0)::bigint, coalesce(sum(f.rows_expected), 0)::bigint,
		       (select count(*) from bulk_jobs where job_id is not null)
		from backfills f
		join integrations i on i.id = f.integration_id
		left join lateral (
			select sum(b.rows) as rows from backfill_parts p join batches b on b.stream_id = p.stream_id and b.state = 'applied'
			where p.backfill_id = f.id) b on true
		where f.state = 'open'`).Scan(&t.Open, &t.Waiting, &t.Rows, &t.Expected, &t.Jobs)
	return t, translate("read how the open backfills are", err)
}
