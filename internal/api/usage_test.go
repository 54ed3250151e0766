package api

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/bill"
	"salesforcesync/internal/store"
)

// billed puts units of the integration support/prod and of the API into the ledger, and one of another project.
func billed(b *bench) {
	stream := b.seed.Strings(`insert into streams (integration_id, object, lane, epoch) select id, 'EmailMessage', 'live', 1 from integrations returning id::text`)[0]
	for i := range 5 {
		b.seed.Exec(`insert into ledger (source_id, comment_id, revision, reason, before_hash, after_hash, stream_id, epoch, seq)
			values ($1, $2, $3, case when $3 = 1 then 'created' else 'text_changed' end, case when $3 > 1 then '\x01'::bytea end, '\x02', $4, 1, 7)`,
			b.source, fmt.Sprintf("c%d", i/2), i%2+1, stream)
	}
	b.seed.Exec(`insert into ledger (source_id, comment_id, revision, reason, after_hash) values ($1, '=1+1', 1, 'created', '\x03')`, b.source)
	b.seed.Exec(`insert into ledger (source_id, comment_id, revision, reason, after_hash) select id, 'secret', 1, 'created', '\x04' from sources where name = 'calls'`)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	billed(b)
	today := time.Now().UTC().Format(time.DateOnly)
	usage := b.get("/api/v1/usage", "reader")["usage"].(map[string]any)
	require.EqualValues(t, 6, usage["units"])
	row := func(integration, reason string, units float64) any {
		return map[string]any{"day": today, "project": "support", "source": "emails", "source_id": b.source, "integration": integration, "reason": reason, "units": units}
	}
	require.Equal(t, []any{row("", "created", 1), row("prod", "created", 3), row("prod", "text_changed", 2)}, usage["rows"])
	month := usage["month"].(map[string]any)
	require.EqualValues(t, 6, month["units"])
	require.Nil(t, month["forecast"], "no full day lies behind")
	require.Equal(t, bill.ForecastRule, month["forecast_rule"])

	usage = b.get("/api/v1/usage?group_by=reason&integration=prod", "reader")["usage"].(map[string]any)
	require.Equal(t, []any{map[string]any{"reason": "created", "units": 3.0}, map[string]any{"reason": "text_changed", "units": 2.0}}, usage["rows"])
	usage = b.get("/api/v1/usage?group_by=project", "everywhere")["usage"].(map[string]any)
	require.Equal(t, []any{map[string]any{"project": "sales", "units": 1.0}, map[string]any{"project": "support", "units": 6.0}}, usage["rows"])
	require.Empty(t, b.get("/api/v1/usage?from=2020-01-01&to=2020-01-31", "reader")["usage"].(map[string]any)["rows"])
	for _, who := range []string{"nothing", "elsewhere"} {
		a := b.do(http.MethodGet, "/api/v1/usage", who, "")
		require.NotContains(t, a.raw, "emails")
	}

	// What an integration cost, with its cap.
	b.user("operator", store.Grant{Project: "support", Permission: access.IntegrationsRead})
	b.seed.Exec(`update integrations set spec = '{"monthly_unit_cap": 8}'`)
	for _, path := range []string{"/api/v1/integrations/support/prod/usage", "/api/v1/integrations/support%2Fprod/usage"} {
		usage = b.get(path+"?group_by=object,lane", "operator")["usage"].(map[string]any)
		require.Equal(t, []any{map[string]any{"object": "EmailMessage", "lane": "live", "units": 5.0}}, usage["rows"])
		require.Equal(t, []any{map[string]any{"project": "support", "integration": "prod", "month": today[:7], "cap": 8.0, "used": 5.0, "left": 3.0}}, usage["caps"])
		require.EqualValues(t, 5, usage["month"].(map[string]any)["units"])
	}
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/api/v1/integrations/support/nobody/usage", "operator", "").status)
	require.Equal(t, http.StatusForbidden, b.do(http.MethodGet, "/api/v1/integrations/support/prod/usage", "reader", "").status)
	// An integration may be called as these routes end.
	b.seed.Exec(`update integrations set name = 'usage'`)
	require.Equal(t, "usage", b.get("/api/v1/integrations/support/usage", "operator")["integration"].(map[string]any)["name"])
	b.get("/api/v1/integrations/support/usage/usage", "operator")

	for query, want := range map[string]string{
		"from=yesterday":                `from is "yesterday", want a day (UTC) such as 2026-11-30`,
		"to=2026-11-31":                 `to is "2026-11-31", want a day`,
		"from=2026-02-02&to=2026-02-01": "to is 2026-02-01, before from, 2026-02-02",
		"group_by=day,hour":             `group_by has "hour", want some of day, project, source`,
		"reason=deleted":                `reason is "deleted", want created or text_changed`,
		"project=a%2Fb":                 "cannot be a name",
	} {
		a := b.do(http.MethodGet, "/api/v1/usage?"+query, "reader", "")
		require.Equal(t, http.StatusBadRequest, a.status, a.raw)
		require.Contains(t, a.body["message"], want)
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	billed(b)
	all := b.get("/api/v1/usage/units", "reader")
	require.NotContains(t, all, "continuation")
	require.Len(t, all["units"], 6)
	changed := all["units"].([]any)[1].(map[string]any)
	run := changed["run"].(map[string]any)
	require.Equal(t, []any{"prod", "EmailMessage", "live", 1.0, 7.0}, []any{run["integration"], run["object"], run["lane"], run["epoch"], run["seq"]})
	require.Equal(t, []any{"c0", 2.0, "text_changed", "01", "02"},
		[]any{changed["comment_id"], changed["revision"], changed["reason"], changed["before_hash"], changed["after_hash"]})
	require.Equal(t, map[string]any{"lane": "api"}, all["units"].([]any)[5].(map[string]any)["run"])

	var walked []any
	for after := ""; ; {
		page := b.get("/api/v1/usage/units?limit=2&after="+after, "reader")
		walked = append(walked, page["units"].([]any)...)
		b.seed.Mail(b.source, fmt.Sprint("meanwhile-", len(walked)), noon, "s", "b")
		if page["continuation"] == nil {
			break
		}
		after = page["continuation"].(string)
	}
	require.Equal(t, all["units"], walked)
	for _, query := range []string{"limit=0", "limit=2049", "after=x", "after=e30", "format=xml"} {
		require.Equal(t, http.StatusBadRequest, b.do(http.MethodGet, "/api/v1/usage/units?"+query, "reader", "").status, query)
	}
}

// download gives the lines of a CSV answer.
func (b *bench) download(path, who string, header http.Header) ([][]string, *http.Response) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.server.URL+path, nil)
	require.NoError(b.t, err)
	req.Header = header
	req.Header.Set("Authorization", "Bearer "+b.tokens[who])
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(b.t, err)
	defer res.Body.Close()
	require.Equal(b.t, http.StatusOK, res.StatusCode)
	var body io.Reader = res.Body
	if res.Header.Get("Content-Encoding") == "gzip" {
		body, err = gzip.NewReader(body)
		require.NoError(b.t, err)
	}
	lines, err := csv.NewReader(body).ReadAll()
	require.NoError(b.t, err)
	b.record = <-b.records
	return lines, res
}

func TestUnitsAsCSV(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	billed(b)
	b.user("operator", store.Grant{Project: "support", Permission: access.IntegrationsRead})
	lines, res := b.download("/api/v1/usage/units?format=csv&from=2026-01-01", "reader", http.Header{"Accept-Encoding": {"gzip"}})
	require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	require.Equal(t, `attachment; filename="ai-units-from-2026-01-01.csv"`, res.Header.Get("Content-Disposition"))
	require.True(t, strings.HasPrefix(res.Header.Get("Content-Type"), "text/csv"))
	require.Equal(t, bill.Header, lines[0])
	require.Len(t, lines, 7)
	require.Equal(t, "'=1+1", lines[6][4], "no spreadsheet takes it for a formula")
	require.Equal(t, http.StatusOK, b.record.Status)
	lines, _ = b.download("/api/v1/integrations/support%2Fprod/units", "operator", http.Header{"Accept": {"text/csv;q=0.9, */*"}, "Accept-Encoding": {"identity"}})
	require.Len(t, lines, 6, "what the API wrote is not the integration's")
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodGet, "/api/v1/usage/units?format=csv&from=x", "reader", "").status)
}
