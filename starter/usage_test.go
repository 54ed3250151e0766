package main

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/bill"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
)

func TestUsageSaysWhatAMonthCost(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	name := withMails(b, seed, "Good day", "Good evening", "")
	seed.Exec(`update ledger_days set units = units + 1000, lane = 'backfill'`)
	project, _, _ := flow.SplitName(name)
	month := time.Now().UTC().Format("2006-01")

	text := b.run("usage").good().out
	require.Regexp(t, `(?m)^`+project+`/\S+ +salesforce-prod +1,002 +0 +1,002$`, text)
	require.Regexp(t, `(?m)^`+month+` +1,002 +0 +1,002$`, text)
	require.NotContains(t, text, "forecast", "no full day lies behind")
	require.NotContains(t, text, "cap of")
	require.Contains(t, b.run("status", name).good().out, "AI units     1,002 in "+month+", no cap")

	seed.Exec(`update integrations set spec = spec || '{"monthly_unit_cap": 1500}'`)
	var v usageView
	b.run("usage", name, "--json").json(&v)
	require.Equal(t, []any{month, int64(1002), int64(1002), int64(0)}, []any{v.Month, v.Units, v.Created, v.TextChanged})
	require.Len(t, v.Rows, 1)
	require.Equal(t, []capView{{Project: project, Integration: "salesforce-prod", Month: month, Cap: 1500, Used: 1002, Left: 498}}, v.Caps)
	require.Contains(t, b.run("usage", name).good().out, "cap of "+name+": 1,002 of 1,500 in "+month+", 498 left")
	require.Contains(t, b.run("status", name).good().out, "AI units     1,002 of 1,500 in "+month+", 498 left")

	lines, err := csv.NewReader(strings.NewReader(b.run("usage", name, "--csv").good().out)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, bill.Header, lines[0])
	require.Len(t, lines, 3)
	b.run("usage", "--month", "2020-02", "--json").json(&v)
	require.Equal(t, []any{"2020-02", int64(0)}, []any{v.Month, v.Units})
	b.run("usage", "--month", "Feb").bad(exitInput, `"Feb" is not a month`, "2026-11")
	b.run("usage", name+"x").bad(exitInput, "there is no integration", "did you mean "+name)
	b.run("usage", "--csv", "--json").bad(exitInput, "leave one out")
}

func TestACapIsPlannedAndWakesWhatWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name, _ := b.apply("--no-start")
	project, _, _ := strings.Cut(name, "/")
	file := strings.Replace(mailYAML, "project: support", "project: "+project, 1) + "monthly_unit_cap: 50000\n"
	plan := b.runWith(file, "plan", "-f", "-").good().out
	require.Contains(t, plan, "  + monthly_unit_cap: 50,000\n")
	require.Contains(t, plan, "  AI units: 0 of 50,000 in ")
	require.NotContains(t, plan, "read again", "a cap reads nothing again")
	var p planResult
	b.runWith(file, "plan", "-f", "-", "--json").json(&p)
	require.EqualValues(t, 50000, p.Month.Left)
	require.Empty(t, p.Reread)
	require.True(t, operate.RaisesUnits(p.Changes))
	unchanged := strings.TrimSuffix(file, "monthly_unit_cap: 50000\n")
	b.runWith(unchanged, "plan", "-f", "-", "--json").json(&p)
	require.False(t, operate.RaisesUnits(p.Changes))
}
