package store_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// capped applies the lane's file with a cap; 0 = none.
func (l *lane) capped(units int64) store.ApplyResult {
	l.t.Helper()
	file := laneFile("salesforce-prod", config.DeletedTombstone)
	file.MonthlyUnitCap = units
	result, err := l.db.ApplyIntegration(l.t.Context(), file)
	require.NoError(l.t, err)
	return result
}

// mails makes n mails of one stamp, with the texts of a round.
func mails(n, round int) []mail {
	list := make([]mail, n)
	for i := range list {
		list[i] = mail{id: fmt.Sprintf("02s%012dAAA", i), stamp: at(round), raw: fmt.Sprint("text ", i, " of round ", round)}
	}
	return list
}

// novel is a mail that is none of mails.
func novel(i, round int) mail {
	return mail{id: fmt.Sprintf("02sN%011dAAA", i), stamp: at(round), raw: "new"}
}

func TestABatchBeyondTheCapIsNotApplied(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	result := l.capped(10)
	require.Equal(t, []config.Change{{Path: "monthly_unit_cap", New: "10"}}, result.Changes)
	require.Empty(t, result.Reread, "a cap reads nothing again")
	require.EqualValues(t, 8, l.apply(mails(8, 0)...).Units)
	before := l.strings(`select ctid::text || xmin::text || c from (select ctid, xmin, id as c from comments union all select ctid, xmin, record_id from records
		union all select ctid, xmin, comment_id from revisions union all select ctid, xmin, comment_id from ledger) x order by 1`)

	ref := l.prepare(mails(3, 1)...)
	_, err := l.db.Upsert(t.Context(), ref)
	requireKind(t, fault.Quota, err)
	now := time.Now().UTC()
	require.EqualError(t, err, "cap of 10 AI units for "+now.Format("January 2006")+" is reached: 8 used, this batch needs 3")
	next := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	require.Contains(t, fault.HintOf(err), "raise monthly_unit_cap in the integration file to at least 11 and apply it")
	require.Contains(t, fault.HintOf(err), "it goes on by itself on "+next.Format("2 January 2006"))
	require.InDelta(t, time.Until(next).Seconds(), fault.RetryAfterOf(err).Seconds(), 60)
	require.Equal(t, before, l.strings(`select ctid::text || xmin::text || c from (select ctid, xmin, id as c from comments union all select ctid, xmin, record_id from records
		union all select ctid, xmin, comment_id from revisions union all select ctid, xmin, comment_id from ledger) x order by 1`), "nothing is half-applied")
	l.sound()

	// What costs nothing goes through beside it, and what the cap still has room for.
	other := l.second("resync")
	free := mail{id: mails(1, 0)[0].id, stamp: at(2), raw: "text 0 of round 0", priority: "high"}
	require.Equal(t, flow.Counts{Rows: 1, MetadataChanged: 1}, other.apply(free))
	require.EqualValues(t, 2, other.apply(novel(1, 3), novel(2, 3)).Units)
	_, err = l.db.Upsert(t.Context(), other.prepare(novel(3, 3)))
	require.ErrorContains(t, err, "10 used, this batch needs 1")
	cap, err := l.db.UnitCap(t.Context(), l.id)
	require.NoError(t, err)
	require.Equal(t, []int64{10, 10, 0}, []int64{cap.Limit, cap.Used, cap.Left()})

	// A raised cap lets the very batch through that waited.
	l.capped(11)
	_, err = l.db.Upsert(t.Context(), ref)
	require.ErrorContains(t, err, "10 used, this batch needs 2", "one of its three was changed by another lane meanwhile, and is stale")
	l.capped(12)
	applied, err := l.db.Upsert(t.Context(), ref)
	require.NoError(t, err)
	require.EqualValues(t, 2, applied.Counts.Units)
	l.sound()
}

func TestABatchThatNeedsMoreThanTheWholeCap(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.capped(2)
	_, err := l.db.Upsert(t.Context(), l.prepare(mails(3, 0)...))
	requireKind(t, fault.Quota, err)
	require.Contains(t, fault.HintOf(err), "the batch alone needs more than the cap of a month: raise monthly_unit_cap in the integration file to at least 3 ")
}

func TestTheCapIsOfOneMonth(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.capped(5)
	require.EqualValues(t, 5, l.apply(mails(5, 0)...).Units)
	ref := l.prepare(mails(5, 1)...)
	_, err := l.db.Upsert(t.Context(), ref)
	requireKind(t, fault.Quota, err)
	// The month turns: what was spent lies in the one before.
	l.seed.Exec(`update ledger_days set day = (date_trunc('month', now() at time zone 'UTC') - interval '1 day')::date`)
	applied, err := l.db.Upsert(t.Context(), ref)
	require.NoError(t, err)
	require.EqualValues(t, 5, applied.Counts.Units)
}

// Integrations of one name share a cap's month: to delete one and apply it again buys nothing.
func TestTheCapOutlivesTheIntegration(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.capped(5)
	require.EqualValues(t, 5, l.apply(mails(5, 0)...).Units)
	require.NoError(t, l.db.DeleteIntegration(t.Context(), l.id, false))
	again := laneOf(t, l.db, l.seed, "salesforce-prod", config.DeletedTombstone)
	again.capped(5)
	_, err := l.db.Upsert(t.Context(), again.prepare(novel(1, 0)))
	require.ErrorContains(t, err, "5 used, this batch needs 1")
}

// However many lanes spend at once, together they stay within the cap, and what does not fit leaves no trace.
func TestLanesAtOnceStayWithinTheCap(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3))
	lanes := []*lane{l, l.second("resync"), l.second("backfill"), l.second("sweep")}
	spent := int64(0)
	for round := range 8 {
		limit := spent + int64(random.IntN(60)) + 1
		l.capped(limit)
		refs := make([]flow.BatchRef, len(lanes))
		for i, one := range lanes {
			var rows []mail
			for k := range 1 + random.IntN(40) {
				rows = append(rows, mail{id: fmt.Sprintf("02s%03d%03d%06dAAA", round, i, k), stamp: at(round), raw: "new"})
			}
			refs[i] = one.prepare(rows...)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for i, ref := range refs {
			all.Go(func() {
				result, err := l.db.Upsert(t.Context(), ref)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					spent += result.Counts.Units
				case fault.Is(err, fault.Quota):
					refused++
				default:
					t.Errorf("lane %d: %v", i, err)
				}
			})
		}
		all.Wait()
		require.LessOrEqual(t, spent, limit)
		require.EqualValues(t, spent, l.units())
		l.sound()
		l.capped(0) // what was refused is applied, so that the next round begins with nothing waiting
		for _, ref := range refs {
			result, err := l.db.Upsert(t.Context(), ref)
			require.NoError(t, err)
			if !result.Again {
				spent += result.Counts.Units
				refused--
			}
		}
		require.Zero(t, refused)
	}
	l.sound()
}

func TestUsageAndUnits(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mails(3, 0)...)
	l.apply(mails(1, 1)...)
	backfill := l.second("backfill")
	backfill.apply(novel(1, 0))
	l.seed.Mail(l.source, "0a", noon, "s", "written through the API")
	today := time.Now().UTC().Truncate(24 * time.Hour)

	rows, err := l.db.Usage(t.Context(), store.LedgerFilter{}, store.Groups...)
	require.NoError(t, err)
	row := func(integration, object, lane, reason string, units int64) store.UsageRow {
		return store.UsageRow{Day: today, Project: "support", Source: "salesforce-prod", SourceID: l.source, Integration: integration, Object: object, Lane: lane, Reason: reason, Units: units}
	}
	for i := range rows {
		rows[i].Day = rows[i].Day.UTC()
	}
	require.Equal(t, []store.UsageRow{
		row("", "", "api", "created", 1),
		row("salesforce-prod", "EmailMessage", "backfill", "created", 1),
		row("salesforce-prod", "EmailMessage", "live", "created", 3),
		row("salesforce-prod", "EmailMessage", "live", "text_changed", 1),
	}, rows)
	rows, err = l.db.Usage(t.Context(), store.LedgerFilter{Integration: "salesforce-prod", From: today, To: today}, store.ByReason)
	require.NoError(t, err)
	require.Equal(t, []store.UsageRow{{Reason: "created", Units: 4}, {Reason: "text_changed", Units: 1}}, rows)
	for name, f := range map[string]store.LedgerFilter{
		"another day":         {To: today.AddDate(0, 0, -1)},
		"no project":          {Projects: []string{}},
		"another project":     {Projects: []string{"sales"}},
		"another source":      {Source: "emails"},
		"another integration": {Integration: "nobody"},
	} {
		rows, err := l.db.Usage(t.Context(), f, store.ByDay)
		require.NoError(t, err)
		require.Empty(t, rows, name)
		units, more, err := l.db.ListUnits(t.Context(), f, time.Now().Add(time.Hour), nil, 10)
		require.NoError(t, err)
		require.False(t, more)
		require.Empty(t, units, name)
	}
	days, now, err := l.db.UsageDays(t.Context(), store.LedgerFilter{})
	require.NoError(t, err)
	require.Equal(t, []store.UsageDay{{Day: today, Regular: 5, Once: 1}}, days)
	require.WithinDuration(t, time.Now(), now, time.Minute)

	// Pages of any size are the whole list, each unit once, also when it grows meanwhile.
	before, err := l.db.SettledUnits(t.Context())
	require.NoError(t, err)
	whole, more, err := l.db.ListUnits(t.Context(), store.LedgerFilter{}, before, nil, 100)
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, whole, 6)
	for size := 1; size <= 3; size++ {
		var got []store.Unit
		var after *store.UnitKey
		for more := true; more; {
			var page []store.Unit
			page, more, err = l.db.ListUnits(t.Context(), store.LedgerFilter{}, before, after, size)
			require.NoError(t, err)
			got = append(got, page...)
			key := page[len(page)-1].Key()
			after = &key
			l.seed.Mail(l.source, fmt.Sprintf("0b%d%d", size, len(got)), noon, "s", "meanwhile")
		}
		require.Equal(t, whole, got)
	}
	changed := whole[3]
	require.Equal(t, "text_changed", changed.Reason)
	require.Equal(t, 2, changed.Revision)
	require.NotEmpty(t, changed.BeforeHash)
	require.NotEqual(t, changed.BeforeHash, changed.AfterHash)
	require.Equal(t, []any{"salesforce-prod", "EmailMessage", "live", l.ref.Stream, l.ref.Epoch, int64(2)},
		[]any{changed.Integration, changed.Object, changed.Lane, *changed.Stream, *changed.Epoch, *changed.Seq})
	of, err := l.db.CommentUnits(t.Context(), l.source, changed.CommentID)
	require.NoError(t, err)
	require.Len(t, of, 2)

	// The bill stays readable when everything it was for is gone.
	require.NoError(t, l.db.DeleteIntegration(t.Context(), l.id, false))
	l.seed.Exec(`delete from projects`)
	left, _, err := l.db.ListUnits(t.Context(), store.LedgerFilter{Integration: "salesforce-prod"}, before, nil, 100)
	require.NoError(t, err)
	require.Len(t, left, 5)
	require.Equal(t, changed, left[3])
	require.NotEmpty(t, l.refused(t, `delete from ledger`))
	require.NotEmpty(t, l.refused(t, `update ledger set reason = 'created'`))
	l.seed.Project("support") // another project of the same name
	rows, err = l.db.Usage(t.Context(), store.LedgerFilter{Projects: []string{"support"}}, store.ByDay)
	require.NoError(t, err)
	require.Empty(t, rows, "which does not see what the one before it cost")
}

func TestSettledUnitsWaitForWhoIsUnderWay(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.apply(mails(1, 0)...)
	commit := l.holding(`insert into ledger (source_id, comment_id, revision, reason, after_hash) values ($1, 'c', 1, 'created', 'x')`, l.source)
	l.apply(mails(1, 1)...)
	before, err := l.db.SettledUnits(t.Context())
	require.NoError(t, err)
	units, _, err := l.db.ListUnits(t.Context(), store.LedgerFilter{}, before, nil, 10)
	require.NoError(t, err)
	require.Len(t, units, 1, "the later one could still get an earlier one before it")
	commit()
	before, err = l.db.SettledUnits(t.Context())
	require.NoError(t, err)
	units, _, err = l.db.ListUnits(t.Context(), store.LedgerFilter{}, before, nil, 10)
	require.NoError(t, err)
	require.Len(t, units, 3)
}
