package bill

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/store"
)

func TestForecast(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) // 9½ days are left
	day := func(d int, regular, once int64) store.UsageDay {
		return store.UsageDay{Day: time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC), Regular: regular, Once: once}
	}
	number := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		days     []store.UsageDay
		units    int64
		perDay   float64
		of       int
		forecast *int64
	}{
		"nothing yet":              {},
		"began today":              {[]store.UsageDay{day(21, 100, 0)}, 100, 0, 0, nil},
		"began yesterday":          {[]store.UsageDay{day(20, 100, 0), day(21, 10, 0)}, 110, 100, 1, number(1060)},
		"a week, with quiet days":  {[]store.UsageDay{day(13, 9999, 0), day(14, 70, 0), day(20, 70, 0), day(21, 10, 0)}, 10149, 20, 7, number(10339)},
		"a load is not to come":    {[]store.UsageDay{day(10, 7, 0), day(18, 0, 1_000_000), day(20, 14, 0)}, 1_000_021, 2, 7, number(1_000_040)},
		"the month before it":      {[]store.UsageDay{{Day: time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC), Regular: 5000}}, 0, 0, 7, number(0)},
		"clocks that do not agree": {[]store.UsageDay{day(22, 5, 0)}, 5, 0, 0, nil},
	} {
		m := forecast(c.days, now)
		require.Equal(t, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), m.Start, name)
		require.Equal(t, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), m.End, name)
		require.Equal(t, []any{c.units, c.perDay, c.of, c.forecast}, []any{m.Units, m.PerDay, m.Days, m.Forecast}, name)
	}
	december := forecast([]store.UsageDay{day(30, 31, 0)}, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	require.Equal(t, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), december.End)
	require.EqualValues(t, 31*31, *december.Forecast, "the month before says what this one is heading for")
}

func TestCell(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "abc": "abc", "0a=b": "0a=b", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1", "＝1": "'＝1",
		"'=1": "'=1",
	} {
		require.Equal(t, want, Cell(text))
	}
}

// endless is a ledger of so many units, and counts how many were held at a time.
type endless struct {
	Ledger // of what is not listed there is nothing
	units  int
	most   int
	broken int // fails at this one; 0 = never
}

func (e *endless) SettledUnits(context.Context) (time.Time, error) {
	return time.Unix(1_800_000_000, 0), nil
}

func (e *endless) ListUnits(_ context.Context, _ store.LedgerFilter, before time.Time, after *store.UnitKey, limit int) ([]store.Unit, bool, error) {
	first := 0
	if after != nil {
		first = after.Revision
	}
	var page []store.Unit
	for i := first + 1; i <= e.units && len(page) < limit; i++ {
		if i == e.broken {
			return nil, false, errors.New("away")
		}
		n := int64(i)
		page = append(page, store.Unit{At: before, CommentID: "=cmd|' /C calc'!A0,\"", Revision: i, Reason: store.ReasonCreated, Units: 1, AfterHash: []byte{0xab}, Stream: &n})
	}
	e.most = max(e.most, len(page))
	return page, first+len(page) < e.units, nil
}

func TestWriteCSV(t *testing.T) {
	t.Parallel()
	ledger := &endless{units: 3*unitsAtATime + 1}
	var out bytes.Buffer
	var told []int64
	require.NoError(t, WriteCSV(t.Context(), &out, ledger, store.LedgerFilter{}, func(lines int64) error { told = append(told, lines); return nil }))
	require.Equal(t, []int64{unitsAtATime, 2 * unitsAtATime, 3 * unitsAtATime, 3*unitsAtATime + 1}, told)
	require.Equal(t, unitsAtATime, ledger.most)
	lines, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, ledger.units+1)
	require.Equal(t, Header, lines[0])
	for i, line := range lines[1:] {
		require.Equal(t, fmt.Sprint(i+1), line[5])
	}
	require.Equal(t, []string{"2027-01-15T08:00:00Z", "", "", "", "'=cmd|' /C calc'!A0,\"", "1", "created", "1", "", "ab", "", "", "", "", "1", "", ""}, lines[1])

	require.EqualError(t, WriteCSV(t.Context(), &out, &endless{units: 5, broken: 3}, store.LedgerFilter{}, nil), "away")
	full := errors.New("full")
	require.ErrorIs(t, WriteCSV(t.Context(), &out, ledger, store.LedgerFilter{}, func(int64) error { return full }), full)
	out.Reset()
	require.NoError(t, WriteCSV(t.Context(), &out, &endless{}, store.LedgerFilter{}, nil))
	require.Len(t, bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n")), 1, "an empty bill has its header")
}
