package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/bill"
	"salesforcesync/internal/store"
)

// billed puts n units of an integration's stream into the ledger, every third a changed text, so many days ago.
func (b *bench) billed(source, stream string, n, daysAgo int) {
	b.t.Helper()
	b.seed.Exec(`
		insert into ledger (source_id, comment_id, revision, reason, before_hash, after_hash, stream_id, epoch, seq, at)
		select $1, $4 || '-' || g, case when g % 3 = 0 then 2 else 1 end, case when g % 3 = 0 then 'text_changed' else 'created' end,
		       case when g % 3 = 0 then '\x0a0b'::bytea end, '\x0c0d', nullif($2, '')::bigint, case when $2 <> '' then 1 end, case when $2 <> '' then 7 end,
		       date_trunc('day', now(), 'UTC') - make_interval(days => $4::int)
		  from generate_series(1, $3::int) g`, source, stream, n, strconv.Itoa(daysAgo))
}

func (b *bench) stream(integration, object string) string {
	b.t.Helper()
	return b.seed.Strings(`insert into streams (integration_id, object, lane, epoch) values ($1, $2, 'live', 1) returning id::text`, integration, object)[0]
}

var hrefs = regexp.MustCompile(`href="(/usage/units\?[^"]*)"`)

func (v view) unitsLinks() (list []string) {
	for _, m := range hrefs.FindAllStringSubmatch(v.html, -1) {
		list = append(list, strings.ReplaceAll(m[1], "&amp;", "&"))
	}
	return list
}

func TestUsageShowsWhatTheBillSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	br := b.browser()
	br.signIn(adminEmail, "/")
	empty := br.get("/usage")
	require.Contains(t, empty.html, "Nothing cost an AI unit in ")
	require.Contains(t, empty.html, "There is no forecast before the first full day.")
	require.NotContains(t, empty.html, "Caps this month")

	support, sales := b.seed.Project("support"), b.seed.Project("sales")
	emails, calls := b.seed.Source(support, "emails"), b.seed.Source(sales, "calls")
	prod := b.seed.Integration(support, emails, "prod", "idle", "", "")
	b.seed.Exec(`update integrations set spec = '{"monthly_unit_cap": 100000}'`)
	stream := b.stream(prod, "EmailMessage")
	for ago := range 3 {
		b.billed(emails, stream, 100*(ago+1), ago)
	}
	b.billed(calls, "", 7, 0)
	b.billed(calls, "", 5, 400)
	for i := range 8 { // more sources than there are colours
		b.billed(b.seed.Source(support, "small-"+strconv.Itoa(i)), "", 2, 0)
	}

	f := store.LedgerFilter{}
	report, err := bill.ReportOf(t.Context(), b.db, f, store.ByReason)
	require.NoError(t, err)
	got := br.get("/usage")
	require.Contains(t, got.html, `<dt>This month so far</dt><dd class="figure">`+groupDigits(report.Units)+`</dd>`)
	require.Contains(t, got.html, `<dt>Forecast for the month</dt><dd class="figure">`+groupDigits(*report.Month.Forecast)+`</dd>`)
	require.Contains(t, got.html, `<bdi>support/emails</bdi>`)
	require.Contains(t, got.html, "other sources")
	require.Contains(t, got.html, "the API")
	caps, err := b.db.UnitCaps(t.Context())
	require.NoError(t, err)
	require.Contains(t, got.html, groupDigits(caps[0].Used)+" of 100,000")
	require.Contains(t, got.html, groupDigits(caps[0].Left())+" left.")
	require.Contains(t, got.html, "What counts")
	require.NotContains(t, got.html, "style=")
	then := time.Now().UTC().AddDate(0, 0, -400)
	require.Contains(t, got.html, `<option value="`+then.Format("2006-01")+`">`, "every month since the first unit can be chosen")
	old := br.get("/usage?month=" + then.Format("2006-01"))
	require.Contains(t, old.html, `<dt>`+then.Format("January 2006")+`</dt><dd class="figure">5</dd>`)
	require.NotContains(t, old.html, "Forecast for the month")
	one := br.get("/usage?project=support&source=emails&integration=prod&month=" + time.Now().UTC().Format("2006-01"))
	require.NotContains(t, one.html, "sales/calls")
	require.Contains(t, one.html, `<option selected>emails</option>`)

	// From each sum to its units: as many as it says, page by page.
	links := one.unitsLinks()
	require.NotEmpty(t, links)
	units, err := bill.ReportOf(t.Context(), b.db, store.LedgerFilter{Project: "support", Source: "emails", Integration: "prod"}, store.ByReason)
	require.NoError(t, err)
	seen := 0
	for at := links[0]; at != ""; {
		page := br.get(at)
		require.Equal(t, http.StatusOK, page.StatusCode)
		seen += strings.Count(page.html, `<a href="/comments/support/emails/`)
		at = ""
		for _, next := range page.unitsLinks() {
			if strings.Contains(next, "after=") {
				at = next
			}
		}
	}
	require.EqualValues(t, units.Units, seen)
	line := br.get(links[0]).html
	for _, want := range []string{`<code title="0a0b">0a0b</code> → <code title="0c0d">0c0d</code>`, "changed text", "new comment", "<bdi>prod</bdi> · EmailMessage · live", "epoch 1, batch 7", "/api/v1/usage/units?format=csv&amp;"} {
		require.Contains(t, line, want)
	}
	require.Contains(t, br.get("/usage/units?project=nowhere").html, "No unit is like that.")
	require.Equal(t, []string{"usage.exported"}, b.seed.Strings(`select distinct type from audit_events where type like 'usage%'`), "who reads the bill line by line leaves a trace")

	for _, bad := range []string{"month=2026", "month=x", "from=x", "project=a%2Fb", "reason=x", "from=2026-02-02&to=2026-02-01"} {
		require.Equal(t, http.StatusBadRequest, br.get("/usage?"+bad).StatusCode, bad)
	}
	require.Equal(t, http.StatusBadRequest, br.get("/usage/units?after=e30").StatusCode)
}

func TestUsageIsOfWhatOneMaySee(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"support", "sales"} {
		project := b.seed.Project(name)
		source := b.seed.Source(project, name+"-mail")
		id := b.seed.Integration(project, source, name+"-in", "idle", "", "")
		b.billed(source, b.stream(id, "Case"), 1234, 0)
	}
	b.seed.Exec(`update integrations set spec = '{"monthly_unit_cap": 1234}'`)
	b.user("reader@example.com", store.Grant{Project: "support", Permission: access.SourcesRead})
	b.user("operator@example.com", store.Grant{Project: "support", Permission: access.IntegrationsRead})
	for email, want := range map[string]struct{ has, hasNot []string }{
		"reader@example.com":   {[]string{"support/support-mail", "1,234"}, []string{"sales", "Caps this month"}},
		"operator@example.com": {[]string{"sources-read"}, []string{"sales", "support-mail"}},
		adminEmail:             {[]string{"support/support-mail", "sales/sales-mail", "2,468", "The cap is reached.", `value="100" class="waits"`}, nil},
	} {
		br := b.browser()
		br.signIn(email, "/")
		for _, query := range []string{"", "?project=sales", "?source=sales-mail"} {
			html := br.get("/usage"+query).html + br.get("/usage/units"+query).html
			for _, s := range want.hasNot {
				rest := strings.NewReplacer("project <bdi>sales</bdi>", "", "source <bdi>sales-mail</bdi>", "", "<option selected>sales</option>", "", "<option selected>sales-mail</option>", "",
					"project=sales", "", "source=sales-mail", "").Replace(html)
				require.NotContains(t, rest, s, "%s as %s", query, email) // but for what they typed themselves
			}
			if query == "" {
				for _, s := range want.has {
					require.Contains(t, html, s, email)
				}
			}
		}
	}
	stranger := b.browser().get("/usage?month=2026-11")
	require.Equal(t, "/sign-in?next="+url.QueryEscape("/usage?month=2026-11"), stranger.Header.Get("Location"))
}

func TestDaysInWords(t *testing.T) {
	t.Parallel()
	day := func(text string) time.Time {
		if text == "" {
			return time.Time{}
		}
		d, err := time.Parse(time.DateOnly, text)
		require.NoError(t, err)
		return d
	}
	for span, want := range map[[2]string]string{
		{"", ""}: "all days", {"2026-11-02", ""}: "from 2 November 2026", {"", "2026-11-02"}: "up to 2 November 2026", {"2026-11-02", "2026-11-02"}: "2 November 2026",
		{"2026-02-01", "2026-02-28"}: "February 2026", {"2026-02-01", "2026-03-01"}: "1 February 2026 to 1 March 2026",
	} {
		require.Equal(t, want, daysInWords(day(span[0]), day(span[1])))
	}
}
