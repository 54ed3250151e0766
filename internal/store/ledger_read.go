package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
)

// Units is the number of AI units that a source has cost so far.
func (s *Store) Units(ctx context.Context, sourceID string) (n int64, err error) {
	err = s.pool.QueryRow(ctx, `select coalesce(sum(units), 0)::bigint from ledger_days where source_id = $1`, sourceID).Scan(&n)
	return n, translate("count AI units", err)
}

// Reasons of a unit.
const (
	ReasonCreated     = "created"
	ReasonTextChanged = "text_changed"
)

// LaneAPI is the lane of what was written through the API.
const LaneAPI = "api"

// LedgerFilter chooses units. Its zero value is all of them, for ever.
type LedgerFilter struct {
	From, To time.Time // days (UTC), both included; zero = open
	// Projects are those that may be seen, by name; nil = all, and what is left of projects that are gone.
	Projects    []string
	Project     string // by name, as the others; "" = any
	Source      string
	Integration string
	Reason      string
}

// where is the condition on ledger_sources s and ledger_days d.
func (f LedgerFilter) where() (string, pgx.NamedArgs) {
	conditions := []string{"true"}
	args := pgx.NamedArgs{}
	add := func(name, condition string, value any, given bool) {
		if given {
			conditions, args[name] = append(conditions, condition), value
		}
	}
	add("from", "d.day >= @from::date", f.From, !f.From.IsZero())
	add("to", "d.day <= @to::date", f.To, !f.To.IsZero())
	// By id too: a project made anew under a name does not see what the one before it cost.
	add("projects", "exists (select from projects p where p.id = s.project_id and p.name = any(@projects))", f.Projects, f.Projects != nil)
	add("project", "s.project = @project", f.Project, f.Project != "")
	add("name", "s.name = @name", f.Source, f.Source != "")
	add("integration", "d.integration = @integration", f.Integration, f.Integration != "")
	add("reason", "d.reason = @reason", f.Reason, f.Reason != "")
	return strings.Join(conditions, " and "), args
}

// UsageRow is a sum of units. What was not grouped by is empty.
type UsageRow struct {
	Day         time.Time
	Project     string
	Source      string
	SourceID    string
	Integration string // "" also of what was written through the API
	Object      string
	Lane        string
	Reason      string
	Units       int64
}

// What sums can be grouped by.
const (
	ByDay         = "day"
	ByProject     = "project"
	BySource      = "source"
	ByIntegration = "integration"
	ByObject      = "object"
	ByLane        = "lane"
	ByReason      = "reason"
)

// Groups are all of them, in the order of a sum's columns.
var Groups = []string{ByDay, ByProject, BySource, ByIntegration, ByObject, ByLane, ByReason}

// maxSums bounds the answer of Usage.
const maxSums = 20_000

// Usage sums the units that a filter chooses, grouped by some of [Groups], in their order. fault.Invalid
// when there are more than 20,000 sums.
func (s *Store) Usage(ctx context.Context, f LedgerFilter, groups ...string) ([]UsageRow, error) {
	wanted := map[string]bool{}
	for _, g := range groups {
		wanted[g] = true
	}
	column := func(group, sql string) string {
		if wanted[group] {
			return sql
		}
		return "''"
	}
	day := "'epoch'::timestamptz"
	if wanted[ByDay] {
		day = "d.day::timestamp at time zone 'UTC'"
	}
	where, args := f.where()
	args["limit"] = maxSums + 1
	rows, err := s.pool.Query(ctx, `
		select `+strings.Join([]string{day, column(ByProject, "s.project"), column(BySource, "s.name"), column(BySource, "s.source_id"),
		column(ByIntegration, "d.integration"), column(ByObject, "d.object"), column(ByLane, "d.lane"), column(ByReason, "d.reason")}, ", ")+`,
		       sum(d.units)::bigint
		  from ledger_sources s join ledger_days d on d.source_id = s.source_id
		 where `+where+`
		 group by 1, 2, 3, 4, 5, 6, 7, 8 order by 1, 2, 3, 4, 5, 6, 7, 8 limit @limit`, args)
	if err != nil {
		return nil, translate("sum AI units", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[UsageRow])
	if len(list) > maxSums {
		return nil, fault.New(fault.Invalid, "these are more than %d sums: group by less, or choose fewer days", maxSums)
	}
	if err == nil && !wanted[ByDay] {
		for i := range list {
			list[i].Day = time.Time{}
		}
	}
	return list, translate("sum AI units", err)
}

// UsageDay is what a day cost, apart by what a forecast treats differently.
type UsageDay struct {
	Day     time.Time
	Regular int64 // of changes as they came
	Once    int64 // of large loads and of texts made anew, which do not come again by themselves
}

// UsageDays sums the units that a filter chooses by day, oldest first; days without a unit are left
// out. now is the database's time.
func (s *Store) UsageDays(ctx context.Context, f LedgerFilter) (days []UsageDay, now time.Time, err error) {
	where, args := f.where()
	rows, err := s.pool.Query(ctx, `
		select now(), day, coalesce(regular, 0), coalesce(once, 0)
		  from (select) one left join (
		       select d.day::timestamp at time zone 'UTC' as day,
		              sum(d.units) filter (where d.lane not in ('backfill', 'retransform'))::bigint as regular,
		              sum(d.units) filter (where d.lane in ('backfill', 'retransform'))::bigint as once
		         from ledger_sources s join ledger_days d on d.source_id = s.source_id
		        where `+where+` group by 1) x on true
		 order by 2`, args)
	if err != nil {
		return nil, now, translate("sum AI units by day", err)
	}
	var day *time.Time
	var u UsageDay
	_, err = pgx.ForEachRow(rows, []any{&now, &day, &u.Regular, &u.Once}, func() error {
		if day != nil {
			u.Day = day.UTC()
			days = append(days, u)
		}
		return nil
	})
	return days, now.UTC(), translate("sum AI units by day", err)
}

// Unit is one AI unit: a line of the bill.
type Unit struct {
	At          time.Time
	Project     string
	Source      string
	SourceID    string
	CommentID   string
	Revision    int
	Reason      string
	Units       int
	BeforeHash  []byte // nil for a creation
	AfterHash   []byte
	Integration string // "" = written through the API
	Object      string
	Lane        string // "" = of a stream that is gone
	Part        string // of a backfill
	// Stream, Epoch and Seq name the batch; nil = written through the API.
	Stream, Epoch, Seq *int64
}

// UnitKey is a unit's place in the order of a list.
type UnitKey struct {
	SourceID  string
	At        time.Time
	CommentID string
	Revision  int
}

// Key is the unit's place.
func (u Unit) Key() UnitKey { return UnitKey{u.SourceID, u.At, u.CommentID, u.Revision} }

const selectUnits = `
	select l.at, s.project, s.name, l.source_id, l.comment_id, l.revision, l.reason, l.units, l.before_hash, l.after_hash,
	       coalesce(st.integration, ''), coalesce(st.object, ''), coalesce(st.lane, case when l.stream_id is null then 'api' else '' end), coalesce(st.part, ''),
	       l.stream_id, l.epoch, l.seq
	  from ledger l
	  join ledger_sources s on s.source_id = l.source_id
	  left join ledger_streams st on st.stream_id = l.stream_id`

// SettledUnits is the time before which the ledger gets no more units: that at which the oldest
// transaction began that is still open. A unit has the time at which its transaction began.
func (s *Store) SettledUnits(ctx context.Context) (t time.Time, err error) {
	err = s.pool.QueryRow(ctx, `
		select least(now(), min(xact_start)) from pg_stat_activity
		where datname = current_database() and backend_type = 'client backend' and xact_start is not null and pid <> pg_backend_pid()`).Scan(&t)
	return t, translate("look how far the ledger is settled", err)
}

// ListUnits lists the units that a filter chooses and that are older than before, by source, time,
// comment and revision, behind after (nil = from the first), at most limit. more says that
// there may be others.
func (s *Store) ListUnits(ctx context.Context, f LedgerFilter, before time.Time, after *UnitKey, limit int) (units []Unit, more bool, err error) {
	where, args := f.where()
	args["after"] = ""
	if after != nil {
		args["after"] = after.SourceID
	}
	// Source by source, so that each is read along its index: what the days say decides where to look.
	rows, err := s.pool.Query(ctx, `
		select distinct s.source_id from ledger_sources s join ledger_days d on d.source_id = s.source_id
		where `+where+` and s.source_id >= @after order by 1`, args)
	if err != nil {
		return nil, false, translate("look which sources have AI units", err)
	}
	sources, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, false, translate("look which sources have AI units", err)
	}
	for _, source := range sources {
		key := UnitKey{SourceID: source}
		if after != nil && after.SourceID == source {
			key = *after
		}
		part, err := s.unitsOf(ctx, f, before, key, limit+1-len(units))
		if err != nil {
			return nil, false, err
		}
		if units = append(units, part...); len(units) > limit {
			return units[:limit], true, nil
		}
	}
	return units, false, nil
}

// unitsOf lists the units of one source.
func (s *Store) unitsOf(ctx context.Context, f LedgerFilter, before time.Time, after UnitKey, limit int) ([]Unit, error) {
	// A bound that is always there, at both ends, keeps the plan on ledger_by_time.
	from, until := f.From, before
	if after.At.After(from) {
		from = after.At
	}
	if !f.To.IsZero() && f.To.AddDate(0, 0, 1).Before(until) {
		until = f.To.AddDate(0, 0, 1)
	}
	rows, err := s.pool.Query(ctx, selectUnits+`
		 where l.source_id = @source and l.at >= @from and l.at < @until and (l.at, l.comment_id, l.revision) > (@at, @comment, @revision)
		   and (@reason = '' or l.reason = @reason) and (@integration = '' or st.integration = @integration)
		 order by l.at, l.comment_id, l.revision limit @limit`, pgx.NamedArgs{
		"source": after.SourceID, "from": from, "until": until, "at": after.At, "comment": after.CommentID, "revision": after.Revision,
		"reason": f.Reason, "integration": f.Integration, "limit": limit})
	if err != nil {
		return nil, translate("list AI units", err)
	}
	units, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Unit])
	return units, translate("list AI units", err)
}

// CommentUnits lists what one comment has cost, oldest first.
func (s *Store) CommentUnits(ctx context.Context, sourceID, commentID string) ([]Unit, error) {
	rows, err := s.pool.Query(ctx, selectUnits+`
		 where l.source_id = $1 and l.comment_id = $2 order by l.revision`, sourceID, commentID)
	if err != nil {
		return nil, translate("read what a comment cost", err)
	}
	units, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Unit])
	return units, translate("read what a comment cost", err)
}

// KnowsIntegration reports whether a project has an integration of this name, or had one that has cost
// something.
func (s *Store) KnowsIntegration(ctx context.Context, project, name string) (known bool, err error) {
	err = s.pool.QueryRow(ctx, `
		select exists (select from integrations i join projects p on p.id = i.project_id where p.name = $1 and i.name = $2)
		    or exists (select from ledger_days d join ledger_sources s on s.source_id = d.source_id join projects p on p.id = s.project_id
		                where p.name = $1 and d.integration = $2)`, project, name).Scan(&known)
	return known, translate("look for the integration", err)
}
