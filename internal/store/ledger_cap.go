package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
)

// Cap is how many AI units an integration may cost in a month (UTC), and has cost so far. What an
// integration of the same name cost before it was deleted counts too.
type Cap struct {
	Project, Integration string

	Month time.Time // its first moment
	Limit int64     // 0 = no cap
	Used  int64
	Ends  time.Time // the first moment of the next month
	now   time.Time // by the database
}

// Left is how many units the month still has; meaningless without a limit.
func (c Cap) Left() int64 { return max(c.Limit-c.Used, 0) }

// monthOf is the month (UTC) that a time is in.
func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// selectCap reads a Cap; what is used only where there is a limit, or where it is always wanted. An
// integration may have fed other sources of its project this month.
const selectCap = `
	select p.name, i.name, coalesce((i.spec->>'monthly_unit_cap')::bigint, 0), now(), case when $2 or i.spec ? 'monthly_unit_cap' then (
		select coalesce(sum(d.units), 0)::bigint
		  from ledger_sources s join ledger_days d on d.source_id = s.source_id
		 where s.project_id = i.project_id and d.integration = i.name
		   and d.day >= date_trunc('month', now() at time zone 'UTC')::date
		   and d.day < (date_trunc('month', now() at time zone 'UTC') + interval '1 month')::date) else 0 end
	  from integrations i join projects p on p.id = i.project_id
	 where $1 = '' and i.spec ? 'monthly_unit_cap' or i.id = $1
	 order by p.name, i.name`

func scanCap(row pgx.CollectableRow) (Cap, error) {
	var c Cap
	err := row.Scan(&c.Project, &c.Integration, &c.Limit, &c.now, &c.Used)
	c.Month = monthOf(c.now)
	c.Ends = c.Month.AddDate(0, 1, 0)
	return c, err
}

func readCap(ctx context.Context, q rowsQuerier, integrationID string, always bool) (Cap, error) {
	rows, err := q.Query(ctx, selectCap, integrationID, always)
	if err != nil {
		return Cap{}, translate("read the cap", err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, scanCap)
	return c, translate("read the cap", err)
}

// UnitCaps reads the caps of all integrations that have one, by project and name.
func (s *Store) UnitCaps(ctx context.Context) ([]Cap, error) {
	rows, err := s.pool.Query(ctx, selectCap, "", true)
	if err != nil {
		return nil, translate("read the caps", err)
	}
	list, err := pgx.CollectRows(rows, scanCap)
	return list, translate("read the caps", err)
}

// UnitCap reads the cap of an integration, and what of it is used. fault.NotFound when there is no
// such integration.
func (s *Store) UnitCap(ctx context.Context, integrationID string) (Cap, error) {
	return readCap(ctx, s.pool, integrationID, true)
}

// mayCost refuses with fault.Quota, before anything is written, what would cost more than the
// integration's cap leaves. Others may be at it at the same time: hasCost has the last word.
func mayCost(ctx context.Context, tx pgx.Tx, integrationID string, units int64) error {
	return keepCap(ctx, tx, integrationID, units, false)
}

// hasCost is mayCost once the units are in the ledger, and the last statement but the receipt.
// Whoever gets here after it counts what was written here: one transaction after the other.
func hasCost(ctx context.Context, tx pgx.Tx, integrationID string, units int64) error {
	return keepCap(ctx, tx, integrationID, units, true)
}

func keepCap(ctx context.Context, tx pgx.Tx, integrationID string, units int64, written bool) error {
	if units == 0 {
		return nil
	}
	if written {
		// Only with a cap. Nothing that others hold is waited for behind it, so that nobody waits in a circle.
		var capped bool
		err := tx.QueryRow(ctx, `
			select true from integrations, lateral (select pg_advisory_xact_lock(hashtextextended('cap ' || id, 0))) l
			where id = $1 and spec ? 'monthly_unit_cap'`, integrationID).Scan(&capped)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return translate("wait for the cap", err)
		}
	}
	c, err := readCap(ctx, tx, integrationID, false)
	if err != nil || c.Limit == 0 {
		return err
	}
	before := c.Used
	if written {
		before -= units
	}
	if before+units <= c.Limit {
		return nil
	}
	return c.reached(before, units)
}

// reached says that a batch of so many units would go beyond the cap, and what to do about it.
func (c Cap) reached(used, units int64) error {
	e := fault.New(fault.Quota, "cap of %s AI units for %s is reached: %s used, this batch needs %s",
		config.Grouped(c.Limit), c.Month.Format("January 2006"), config.Grouped(used), config.Grouped(units))
	e.RetryAfter = max(c.Ends.Sub(c.now), time.Second)
	if units > c.Limit {
		return e.WithHint("the batch alone needs more than the cap of a month: raise monthly_unit_cap in the integration file to at least %s and apply it",
			config.Grouped(max(units, used+units)))
	}
	return e.WithHint("raise monthly_unit_cap in the integration file to at least %s and apply it, or wait: it goes on by itself on %s, with the next month (UTC)",
		config.Grouped(used+units), c.Ends.Format("2 January 2006"))
}
