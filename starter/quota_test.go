package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

const testOrg = "00D000000000001EAA"

// used makes an org's numbers what a test wants: its size, and calls of ours an hour ago.
func (b *bench) used(most, used int64, ours int) {
	b.t.Helper()
	require.NoError(b.t, b.db.SaveTold(b.t.Context(), testOrg, store.QuotaTold{Max: most, Used: used, At: time.Now()}))
	for range ours {
		_, err := b.db.TakeCall(b.t.Context(), testOrg, time.Now().Add(-time.Hour), store.QuotaTold{}, 1<<40)
		require.NoError(b.t, err)
	}
}

func TestPlanSaysWhatTheQuotaAllows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	plan := func(yaml string) (operate.QuotaView, string) {
		t.Helper()
		var p planResult
		b.runWith(yaml, "plan", "-f", "-", "--json").json(&p)
		return p.Quota, b.runWith(yaml, "plan", "-f", "-").good().out
	}
	v, text := plan(mailYAML)
	require.False(t, v.OrgKnown)
	require.EqualValues(t, 15000, v.OrgMax)
	require.EqualValues(t, 3000, v.OwnMax)
	require.InDelta(t, 28.8, v.CallEvery, 0.01)
	require.Equal(t, []float64{10, 32.3, 1}, []float64{v.Wanted, v.Interval, v.CallsPerLook})
	require.InDelta(t, 2675, v.CallsPerDay, 5)
	require.Contains(t, text, "the org is not known yet; of one with 15,000 API requests, 20% is 3,000 in 24 hours, one call in 29s")
	require.Contains(t, text, "looks for news every 32s instead of 10s; idle that is 2,675 calls a day (about 1 a look)")
	require.Contains(t, text, "  first load: of EmailMessage; what is written meanwhile arrives as usual\n")
	require.Contains(t, text, "starter status support/salesforce-prod --watch")

	name, file := b.apply("--no-start")
	unchanged := b.run("plan", "-f", file).good().out
	require.Contains(t, unchanged, "not known yet", "a file without changes has a quota too")
	require.NotContains(t, unchanged, "first load")
	other := strings.Replace(strings.Replace(mailYAML, "project: support", "project: "+strings.Split(name, "/")[0], 1), "Incoming = true", "Incoming = false", 1)
	require.Contains(t, b.runWith(other, "plan", "-f", "-").good().out, "first load: of EmailMessage;", "it is read again from its start")
	b.grant(name)
	b.used(100_000, 5000, 0)
	v, text = plan(strings.Replace(mailYAML, "project: support", "project: other", 1))
	require.True(t, v.OrgKnown, "the other integration has called this org")
	require.EqualValues(t, 20_000, v.OwnMax)
	require.Equal(t, 2, v.Integrations)
	require.Equal(t, v.Wanted, v.Interval)
	require.EqualValues(t, 8640, v.CallsPerDay)
	require.Contains(t, text, "20% of the org's 100,000 API requests is 20,000 in 24 hours, one call in 4.3s")
	require.Contains(t, text, "looks for news every 10s, shared with 1 more on this org; idle that is 8,640 calls a day")

	// What was measured counts more than what was worked out, and the strictest file holds.
	require.NoError(t, b.db.SavePace(t.Context(), b.integration(name).ID, store.QuotaPace{Wanted: 10 * time.Second, Paced: 10 * time.Second, Calls: 2.9, Spent: 3}))
	project, _, _ := strings.Cut(name, "/")
	strict := strings.Replace(mailYAML, "project: support", "project: "+project, 1) + "quota: {share: 5%, reserve: 40%}\n"
	v, text = plan(strict)
	require.True(t, v.Measured)
	require.Equal(t, 2.9, v.CallsPerLook)
	require.Equal(t, "5%", v.Share)
	require.Contains(t, text, "~ quota.share: 20% → 5%")
	require.Contains(t, text, "nothing is asked when less than 40% are left")
	require.Contains(t, text, "looks for news every 56s instead of 10s; idle that is 4,466 calls a day (measured 2.9 a look)")
	b.runWith(strict, "apply", "-f", "-", "--no-start").good()
	v, _ = plan(strings.Replace(mailYAML, "project: support", "project: other", 1))
	require.Equal(t, "5%", v.Share)
	require.Equal(t, "40%", v.Reserve)

	b.runWith(mailYAML+"quota: {share: 200%}\n", "plan", "-f", "-").bad(exitInput, "line 14: quota: share: 200% is not between 0.1% and 100%")
}

func TestStatusSaysWhatIsUsed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name, _ := b.apply("--no-start")
	var s statusView
	b.run("status", name, "--json").json(&s)
	require.Nil(t, s.Quota)
	b.grant(name)
	text := b.run("status", name).good().out
	require.Contains(t, text, "quota        what the org has is not known before the first call; ours are 0 of 3,000 (20%)")
	require.Regexp(t, `asks +every 10s\n`, text)

	b.used(1000, 250, 30)
	require.NoError(t, b.db.SavePace(t.Context(), b.integration(name).ID, store.QuotaPace{
		Wanted: 10 * time.Second, Paced: 94500 * time.Millisecond, Calls: 1.5, Spent: 2, Reason: "20% of the org's 1,000 API requests in 24 hours", At: time.Now()}))
	b.run("status", name, "--json").json(&s)
	require.NotNil(t, s.Quota)
	require.EqualValues(t, 250, s.Quota.OrgUsed)
	require.EqualValues(t, 30, s.Quota.OwnUsed)
	require.EqualValues(t, 200, s.Quota.OwnMax)
	require.Equal(t, []float64{10, 94.5, 1.5}, []float64{s.Quota.Wanted, s.Quota.Interval, s.Quota.CallsPerLook})
	require.EqualValues(t, 1371, s.Quota.CallsPerDay)
	require.Nil(t, s.Quota.GoesOn)
	text = b.run("status", name).good().out
	require.Contains(t, text, "every 1m35s instead of 10s: quota, 20% of the org's 1,000 API requests in 24 hours")
	require.Contains(t, text, "250 of the org's 1,000 API requests are used (")
	require.Contains(t, text, "10% are kept for others; ours are 30 of 200 (20%)")

	b.used(1000, 950, 0)
	b.run("status", name, "--json").json(&s)
	require.NotNil(t, s.Quota.GoesOn)
	require.WithinDuration(t, time.Now().Add(10*time.Minute), *s.Quota.GoesOn, time.Minute)
	require.Contains(t, b.run("status", name).good().out, "nothing is asked until ")

	b.run("pause", name)
	require.NotContains(t, b.run("status", name).good().out, "asks ")
}

func TestCallsPerLook(t *testing.T) {
	t.Parallel()
	object := func(paths ...string) config.Object {
		o := config.Object{Object: "X", Fields: config.FieldMap{"body": "Body"}}
		for _, p := range paths {
			o.Properties = append(o.Properties, config.Property{Name: p, Path: p})
		}
		return o
	}
	mail := config.Object{Object: "EmailMessage", Preset: config.PresetEmail, Properties: []config.Property{{Path: "Parent.Priority"}, {Path: "Parent.Account.Name"}}}
	for _, c := range []struct {
		calls   float64
		objects []config.Object
	}{
		{1, nil},
		{1, []config.Object{mail}},
		{1, []config.Object{mail, object(), object("Name")}},
		{2, []config.Object{mail, object(), object(), object()}},
		{1, []config.Object{object("A.B.C.D", "a.b.x")}},
		{2, []config.Object{object("A.B.C.D.E.F")}},
	} {
		require.InDelta(t, c.calls, operate.CallsPerLook(config.Integration{Objects: c.objects}), 0, "%+v", c.objects)
	}
}
