package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// Integration is one row of a list of integrations.
type Integration struct {
	ID              string
	Project         string
	Name            string
	SourceID        string
	Source          string
	SpecVersion     int64
	Desired         string // running, paused, disconnected, deleted
	Status          string // a state of package flow
	Reason          string
	Hint            string
	Since           time.Time
	Until           *time.Time // when it goes on by itself
	WatchedAt       *time.Time // last time Salesforce was asked for news
	ConnectionState string     // none, granted, lost, disconnected
	OrgID           string     // "" before the first grant
	Username        string
	Objects         int64 // configured
	Invalid         int64 // of these, config_invalid
	Comments        int64 // not deleted ones
	Units           int64 // AI units so far
	CompleteTo      *time.Time
}

// selectIntegrations leaves comments and units to countSources.
const selectIntegrations = `
	select i.id, p.name, i.name, i.source_id, s.name, i.spec_version, i.desired, i.status, i.status_reason, i.status_hint,
	       i.status_since, i.status_until, i.watched_at,
	       coalesce(c.state, 'none'), coalesce(c.org_id, ''), coalesce(c.username, ''),
	       (select count(*) from objects o where o.integration_id = i.id),
	       (select count(*) from objects o where o.integration_id = i.id and o.state = 'config_invalid'),
	       0::bigint, 0::bigint,
	       (select case when count(*) = count(` + verifiedTo + `) then min(` + verifiedTo + `) end
	          from objects o left join streams st on st.integration_id = o.integration_id and st.object = o.name and st.lane = 'live'
	         where o.integration_id = i.id)
	  from integrations i
	  join projects p on p.id = i.project_id
	  join sources s on s.id = i.source_id
	  left join connections c on c.integration_id = i.id`

// ListIntegrations lists the integrations of a project, or all when project is "".
func (s *Store) ListIntegrations(ctx context.Context, project string) ([]Integration, error) {
	rows, err := s.pool.Query(ctx, selectIntegrations+` where $1 = '' or p.name = $1 order by p.name, i.name`, project)
	if err != nil {
		return nil, translate("list integrations", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Integration])
	if err == nil {
		err = countSources(ctx, s.pool, list)
	}
	return list, translate("list integrations", err)
}

// IntegrationByName reads one integration. fault.NotFound, with the nearest names as a
// hint, when there is none.
func (s *Store) IntegrationByName(ctx context.Context, project, name string) (Integration, error) {
	rows, err := s.pool.Query(ctx, selectIntegrations+` where p.name = $1 and i.name = $2`, project, name)
	if err != nil {
		return Integration{}, translate("read integration "+project+"/"+name, err)
	}
	i, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Integration])
	if errors.Is(err, pgx.ErrNoRows) {
		return Integration{}, s.noIntegration(ctx, project, name)
	}
	one := []Integration{i}
	if err == nil {
		err = countSources(ctx, s.pool, one)
	}
	return one[0], translate("read integration "+project+"/"+name, err)
}

// noIntegration says that an integration does not exist and which ones do.
func (s *Store) noIntegration(ctx context.Context, project, name string) error {
	e := fault.New(fault.NotFound, "there is no integration %s/%s", project, name)
	rows, err := s.pool.Query(ctx, `
		select p.name || '/' || i.name from integrations i join projects p on p.id = i.project_id order by 1 limit 1000`)
	if err != nil {
		return translate("list integrations", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return translate("list integrations", err)
	}
	return e.WithHint("%s", hintNames(project+"/"+name, names))
}

// countSources fills in how many comments and units the sources of integrations have. Both numbers are
// kept, so asking costs the same whatever the size.
func countSources(ctx context.Context, q rowsQuerier, list []Integration) error {
	bySource := map[string]*Integration{} // one integration feeds a source
	for i := range list {
		bySource[list[i].SourceID] = &list[i]
	}
	rows, err := q.Query(ctx, `
		select s.id, `+countKept+`s.id),
		       (select coalesce(sum(d.units), 0)::bigint from ledger_days d where d.source_id = s.id)
		  from sources s where s.id = any($1)`, slices.Collect(maps.Keys(bySource)))
	if err != nil {
		return err
	}
	var id string
	var comments, units int64
	_, err = pgx.ForEachRow(rows, []any{&id, &comments, &units}, func() error {
		bySource[id].Comments, bySource[id].Units = comments, units
		return nil
	})
	return err
}
