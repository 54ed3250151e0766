package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Overview is an integration as a person wants to see it at a glance: what it
// feeds, how it is, why, and what to do.
type Overview struct {
	IntegrationID string
	Project       string
	Name          string
	SourceID      string
	Source        string
	Desired       string // what the operator asked for: running, paused or disconnected
	Status        string // a state of package flow
	Reason        string
	Hint          string
	Since         time.Time
	Until         *time.Time // when it goes on by itself
	WatchedAt     *time.Time // last time Salesforce was asked for news
	VerifiedTo    *time.Time // complete up to here, over all its objects; nil until every object is
	Objects       []OverviewObject
	Loading       bool // a backfill is open
	Remaking      bool // texts are being made anew
	Comments      int64
	Units         int64 // AI units so far

	// How often it looks for news, when the quota makes it less often than its file wants;
	// nil otherwise.
	Wanted     *time.Duration
	Paced      *time.Duration
	PaceReason *string

	Connected bool // there is a grant that can be used
}

// OverviewObject is one object of an Overview. Problem is what is wrong with it,
// empty when nothing is.
type OverviewObject struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Problem string `json:"problem"`
	Hint    string `json:"hint"`
}

// Overviews lists the integrations of the named projects, by project and name.
// Deleted ones are left out.
func (s *Store) Overviews(ctx context.Context, projects []string) ([]Overview, error) {
	rows, err := s.pool.Query(ctx, `
		select i.id, p.name, i.name, i.source_id, s.name, i.desired, i.status, i.status_reason, i.status_hint,
		       i.status_since, i.status_until, i.watched_at, v.verified_to, coalesce(o.objects, '[]'),
		       exists (select from backfills f where f.integration_id = i.id and f.state = 'open'),
		       exists (select from retransforms t where t.integration_id = i.id and t.state = 'open'),
		       `+countKept+`i.source_id), (select coalesce(sum(d.units), 0)::bigint from ledger_days d where d.source_id = i.source_id),
		       q.wanted, q.paced, q.reason,
		       exists (select from connections c where c.integration_id = i.id and c.state = 'granted')
		  from integrations i
		  join projects p on p.id = i.project_id
		  join sources s on s.id = i.source_id
		  left join quota_paces q on q.integration_id = i.id and q.paced > q.wanted
		  left join lateral (
		       -- one object that was never verified makes the whole unknown
		       select case when count(*) = count(`+verifiedTo+`) then min(`+verifiedTo+`) end as verified_to
		         from objects ob
		         left join streams st on st.integration_id = ob.integration_id and st.object = ob.name
		                             and st.lane = 'live' and st.epoch = i.epoch
		        where ob.integration_id = i.id) v on true
		  left join lateral (
		       select jsonb_agg(jsonb_build_object(
		                  'name', name, 'state', state,
		                  'problem', case when problem <> '' then problem else fault_message end,
		                  'hint', case when problem <> '' then hint else fault_hint end) order by position) as objects
		         from objects where integration_id = i.id) o on true
		 where p.name = any($1) and i.desired <> 'deleted'
		 order by p.name, i.name`, projects)
	if err != nil {
		return nil, translate("list integrations", err)
	}
	overviews, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Overview])
	return overviews, translate("list integrations", err)
}
