package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
)

// QuotaBucket is how finely our own calls are counted in time.
const QuotaBucket = 10 * time.Minute

// quotaKept is how long a bucket counts: until its last call is a day old.
const quotaKept = 24*time.Hour + QuotaBucket

// QuotaTold is what Salesforce said of an org's API requests in its rolling day.
type QuotaTold struct {
	Used, Max       int64
	AppUsed, AppMax int64 // of our app's own allowance; 0 where the org sets none
	At              time.Time
}

// QuotaCalls are our own calls of one bucket.
type QuotaCalls struct {
	Start time.Time
	Calls int64
}

// Quota is what PostgreSQL knows of an org's API requests.
type Quota struct {
	OrgID    string
	Now      time.Time // when all this was so
	Told     QuotaTold // zero when Salesforce never said
	ProbedAt time.Time // last time the org was asked for its limits alone
	Own      []QuotaCalls
	Members  []QuotaMember
}

// QuotaMember is an integration that is connected to the org.
type QuotaMember struct {
	IntegrationID string
	Name          string // project/integration
	Running       bool   // not stopped by an operator
	Terms         config.Quota
	PollInterval  time.Duration
	Pace          *QuotaPace // nil before its first look
}

// QuotaPace is how often an integration looks for news.
type QuotaPace struct {
	Wanted time.Duration // the file's poll_interval
	Paced  time.Duration // what the quota allows
	Calls  float64       // calls of one look, on average
	Spent  float64       // the same with the reading of what it found
	Reason string        // why Paced is more than Wanted; "" when it is not
	At     time.Time
}

// QuotaOrg is the org that an integration is connected to; "" before its first grant.
// An integration never changes its org.
func (s *Store) QuotaOrg(ctx context.Context, integrationID string) (string, error) {
	var org string
	err := s.pool.QueryRow(ctx, `select coalesce(org_id, '') from connections where integration_id = $1`, integrationID).Scan(&org)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return org, translate("read the org of the integration", err)
}

// QuotaOrgAt is the org that some integration reached at an address of Salesforce; ""
// when none did.
func (s *Store) QuotaOrgAt(ctx context.Context, instanceURL string) (string, error) {
	var org string
	err := s.pool.QueryRow(ctx, `
		select org_id from connections
		where org_id is not null and $1 in (instance_url, token_instance_url)
		order by granted_at desc nulls last limit 1`, instanceURL).Scan(&org)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return org, translate("look for the org", err)
}

// LoadQuota reads an org's budget. at is the time that counts; zero is the database's.
func (s *Store) LoadQuota(ctx context.Context, orgID string, at time.Time) (Quota, error) {
	q := Quota{OrgID: orgID}
	batch := &pgx.Batch{}
	batch.Queue(`
		select coalesce($2, clock_timestamp()), coalesce(o.org_used, 0), coalesce(o.org_max, 0), coalesce(o.app_used, 0), coalesce(o.app_max, 0),
		       coalesce(o.told_at, '0001-01-01Z'), coalesce(o.probed_at, '0001-01-01Z')
		from (values ($1::text)) as v (org_id) left join quota_orgs o on o.org_id = v.org_id`, orgID, nullTime(at)).
		QueryRow(func(row pgx.Row) error {
			return row.Scan(&q.Now, &q.Told.Used, &q.Told.Max, &q.Told.AppUsed, &q.Told.AppMax, &q.Told.At, &q.ProbedAt)
		})
	batch.Queue(`
		select bucket, calls from quota_calls
		where org_id = $1 and bucket > coalesce($2, clock_timestamp()) - $3::interval order by bucket`, orgID, nullTime(at), quotaKept).
		Query(func(rows pgx.Rows) (err error) {
			q.Own, err = pgx.CollectRows(rows, pgx.RowToStructByPos[QuotaCalls])
			return err
		})
	batch.Queue(`
		select i.id, p.name || '/' || i.name, i.desired = 'running' and c.state = 'granted',
		       coalesce(i.spec->'quota', '{}'), coalesce(i.spec->>'poll_interval', ''), q.wanted, q.paced, q.calls, q.spent, q.reason, q.paced_at
		from connections c
		join integrations i on i.id = c.integration_id
		join projects p on p.id = i.project_id
		left join quota_paces q on q.integration_id = i.id
		where c.org_id = $1 and i.desired <> 'deleted' order by 2`, orgID).
		Query(func(rows pgx.Rows) (err error) {
			q.Members, err = pgx.CollectRows(rows, scanQuotaMember)
			return err
		})
	return q, translate("read the org's quota", s.pool.SendBatch(ctx, batch).Close())
}

func scanQuotaMember(row pgx.CollectableRow) (QuotaMember, error) {
	var m QuotaMember
	var interval string
	var wanted, paced *time.Duration
	var calls, spent *float64
	var reason *string
	var at *time.Time
	if err := row.Scan(&m.IntegrationID, &m.Name, &m.Running, &m.Terms, &interval, &wanted, &paced, &calls, &spent, &reason, &at); err != nil {
		return m, err
	}
	m.Terms = m.Terms.InForce()
	var d config.Duration
	if err := d.UnmarshalText([]byte(interval)); err != nil {
		d = config.DefaultPollInterval
	}
	m.PollInterval = time.Duration(d)
	if at != nil {
		m.Pace = &QuotaPace{Wanted: *wanted, Paced: *paced, Calls: *calls, Spent: *spent, Reason: *reason, At: *at}
	}
	return m, nil
}

// TakeCall counts one call of our own to an org before it is made, unless most have
// been made in the last day already; taken says which. Whoever takes at the same time,
// in whichever process, waits for one another, so that there is never one too many. told
// is stored with it when it is newer than what is there.
func (s *Store) TakeCall(ctx context.Context, orgID string, at time.Time, told QuotaTold, most int64) (taken bool, err error) {
	batch := &pgx.Batch{}
	saveTold(batch, orgID, told) // locks the org; the next statement sees what others had counted by then
	var first bool
	batch.Queue(`
		with t as (select coalesce($2, clock_timestamp()) as now)
		insert into quota_calls as q (org_id, bucket, calls)
		select $1, date_bin($4, t.now, '2001-01-01Z'), 1 from t
		where (select coalesce(sum(c.calls), 0) from quota_calls c where c.org_id = $1 and c.bucket > t.now - $5::interval) < $3
		on conflict (org_id, bucket) do update set calls = q.calls + 1
		returning q.calls = 1`, orgID, nullTime(at), most, QuotaBucket, quotaKept).
		QueryRow(func(row pgx.Row) error {
			err := row.Scan(&first)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			taken = err == nil
			return err
		})
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return false, translate("count the call", err)
	}
	if first { // once in a bucket, the old ones are cleared away
		if _, err := s.pool.Exec(ctx, `
			delete from quota_calls where org_id = $1 and bucket < coalesce($2, clock_timestamp()) - $3::interval`,
			orgID, nullTime(at), 2*quotaKept); err != nil {
			return taken, translate("clear away old counts of calls", err)
		}
	}
	return taken, nil
}

// SaveTold stores what Salesforce said of an org, when it is newer than what is there.
func (s *Store) SaveTold(ctx context.Context, orgID string, told QuotaTold) error {
	batch := &pgx.Batch{}
	saveTold(batch, orgID, told)
	return translate("store the org's quota", s.pool.SendBatch(ctx, batch).Close())
}

func saveTold(batch *pgx.Batch, orgID string, told QuotaTold) {
	if told.At.IsZero() {
		batch.Queue(`insert into quota_orgs as o (org_id) values ($1) on conflict (org_id) do update set org_id = o.org_id`, orgID)
		return
	}
	batch.Queue(`
		insert into quota_orgs as o (org_id, org_used, org_max, app_used, app_max, told_at) values ($1, $2, $3, $4, $5, $6)
		on conflict (org_id) do update set (org_used, org_max, app_used, app_max, told_at) = (
			select n.* from (values
				(excluded.org_used, excluded.org_max, excluded.app_used, excluded.app_max, excluded.told_at),
				(o.org_used, o.org_max, o.app_used, o.app_max, o.told_at)) as n (org_used, org_max, app_used, app_max, told_at)
			order by n.told_at desc nulls last limit 1)`,
		orgID, told.Used, told.Max, told.AppUsed, told.AppMax, told.At)
}

// ClaimProbe gives one asker in all processes the turn to ask an org for its limits,
// once in every.
func (s *Store) ClaimProbe(ctx context.Context, orgID string, at time.Time, every time.Duration) (bool, error) {
	tag, err := s.pool.Exec(ctx, `
		insert into quota_orgs as o (org_id, probed_at) values ($1, coalesce($2, clock_timestamp()))
		on conflict (org_id) do update set probed_at = excluded.probed_at
		where o.probed_at is null or o.probed_at <= excluded.probed_at - $3::interval`, orgID, nullTime(at), every)
	return tag.RowsAffected() == 1, translate("take the turn to ask for the org's limits", err)
}

// SavePace stores how often an integration looks for news. One that is gone is ignored.
func (s *Store) SavePace(ctx context.Context, integrationID string, p QuotaPace) error {
	_, err := s.pool.Exec(ctx, `
		insert into quota_paces (integration_id, wanted, paced, calls, spent, reason, paced_at)
		select id, $2, $3, $4, $5, $6, coalesce($7, clock_timestamp()) from integrations where id = $1
		on conflict (integration_id) do update set
			wanted = excluded.wanted, paced = excluded.paced, calls = excluded.calls, spent = excluded.spent, reason = excluded.reason, paced_at = excluded.paced_at`,
		integrationID, p.Wanted, p.Paced, p.Calls, p.Spent, p.Reason, nullTime(p.At))
	if err = translate("store the pace", err); fault.Is(err, fault.Conflict) {
		return nil // deleted at this moment
	}
	return err
}
