package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
)

const searchPath = "/api/v1/sources/support/emails/comments"

// indexed waits until the index of words has everything. Transactions of other tests on the same server may
// hold it up.
func (b *bench) indexed() {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		_, err := b.db.IndexWords(b.t.Context())
		require.NoError(b.t, err)
		lag, err := b.db.WordsLag(b.t.Context(), b.source)
		require.NoError(b.t, err)
		return lag == 0
	}, time.Minute, 20*time.Millisecond)
}

// mails adds comments: five to a case, a minute apart over some months, of two priorities.
func (b *bench) mails(n int) {
	for i := range n {
		at := noon.Add(time.Duration(i) * 11 * time.Hour)
		b.seed.Comment(b.source, comment.Comment{
			ID: fmt.Sprintf("%04x", i), Timestamp: at, ThreadID: fmt.Sprintf("case-%d", i/5),
			Messages: []comment.Message{{
				Subject: &comment.Text{Text: fmt.Sprintf("Rückfrage %04d", i)}, Body: comment.Text{Text: "The invoice is past due"}, From: "Ann <ann@example.com>", SentAt: &at,
			}},
			Properties: comment.Properties{"string:Case Number": fmt.Sprintf("%08d", i/5), "string:Priority": []string{"High", "Low"}[i%2], "number:Score": float64(i % 10)},
		})
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	const n = 300
	b.mails(n)
	b.indexed()
	search := func(query url.Values) []string {
		t.Helper()
		var all []string
		for {
			body := b.get(searchPath+"?"+query.Encode(), "reader")
			page := ids(t, body)
			all = append(all, page...)
			token, more := body["continuation"].(string)
			if !more {
				return all
			}
			query = url.Values{"q": query["q"], "property": query["property"], "thread_id": query["thread_id"], "limit": query["limit"], "after": {token}}
		}
	}
	every := make([]string, n)
	for i := range every {
		every[i] = fmt.Sprintf("%04x", i)
	}
	only := func(keep func(i int) bool) []string {
		var out []string
		for i, id := range every {
			if keep(i) {
				out = append(out, id)
			}
		}
		return out
	}
	for _, limit := range []string{"3", "64", "256"} {
		require.Equal(t, every, search(url.Values{"limit": {limit}}))
		require.Equal(t, every, search(url.Values{"limit": {limit}, "q": {"invoice -paid"}}))
		require.Equal(t, only(func(i int) bool { return i == 0x2a }), search(url.Values{"limit": {limit}, "q": {"ruckfrage 0042"}}))
		require.Equal(t, only(func(i int) bool { return i == 7 || i == 290 }), search(url.Values{"limit": {limit}, "q": {`"frage 0007" OR "RÜCKFRAGE 0007" OR 0290`}}))
		require.Equal(t, only(func(i int) bool { return i/5 == 11 }), search(url.Values{"limit": {limit}, "property": {"string:Case Number=00000011"}}))
		require.Equal(t, only(func(i int) bool { return i%2 == 1 && i%10 == 3 }),
			search(url.Values{"limit": {limit}, "property": {"string:Priority=Low", "number:Score=3.0"}, "q": {`"past due"`}}))
		require.Equal(t, only(func(i int) bool { return i/5 == 9 }), search(url.Values{"limit": {limit}, "thread_id": {"case-9"}}))
		require.Equal(t, only(func(i int) bool { return i/5 == 9 && i%2 == 0 }), search(url.Values{"limit": {limit}, "thread_id": {"case-9"}, "property": {"string:Priority=High"}}))
		from, to := noon.Add(100*11*time.Hour), noon.Add(200*11*time.Hour)
		between := only(func(i int) bool { return 100 <= i && i <= 200 && i%2 == 0 })
		times := url.Values{"limit": {limit}, "property": {"string:Priority=High"}, "from_timestamp": {from.Format(time.RFC3339)}, "to_timestamp": {to.Format(time.RFC3339)}}
		require.Equal(t, between, search(times))
		slices.Reverse(between)
		times.Set("direction", "descending")
		require.Equal(t, between, search(times))
	}
	require.Empty(t, search(url.Values{"q": {"due past invoice refund"}}))
	require.Empty(t, search(url.Values{"q": {`"due past"`}}))

	// What is gone is not found, at once; what changed is found as it is now.
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id = '002a'`)
	require.Empty(t, search(url.Values{"q": {"0042"}}))
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), properties = '{"string:Priority": "Top"}' where id = '0001'`)
	require.NotContains(t, search(url.Values{"property": {"string:Priority=Low"}}), "0001")
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = null where id = '002a'`)
	a := b.do(http.MethodGet, searchPath+"?q=0042", "reader", "")
	require.Positive(t, a.body["index_lag_seconds"])
	b.indexed()
	require.Equal(t, []string{"002a"}, search(url.Values{"q": {"0042"}}))
	require.Equal(t, []string{"0001"}, search(url.Values{"property": {"string:Priority=Top"}}))
	a = b.do(http.MethodGet, searchPath+"?q=0042", "reader", "")
	require.Zero(t, a.body["index_lag_seconds"])

	for query, name := range map[string]string{
		"q=-paid": "q", "q=%22open": "q", "property=Priority=High": "property", "property=string:Priority": "property", "property=number:Score=x": "property",
		"thread_id=%00": "thread_id", "q=a&after=eA": "after", "q=a&limit=0": "limit",
	} {
		a := b.do(http.MethodGet, searchPath+"?"+query, "reader", "")
		require.Equal(t, http.StatusBadRequest, a.status, "%s: %s", query, a.raw)
		require.Contains(t, a.body["message"], name)
	}
}

func TestSensitivePropertiesCannotBeGuessed(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.mails(10)
	b.seed.Exec(`update sources set sensitive_properties = '{Case Number,number:Score}'`)
	b.indexed()
	for _, property := range []string{"string:Case Number=00000001", "string:Case Number=nobody", "number:Score=3"} {
		path := searchPath + "?" + url.Values{"property": {property}}.Encode()
		a := b.do(http.MethodGet, path, "reader", "")
		require.Equal(t, http.StatusForbidden, a.status, a.raw)
		require.Equal(t, http.StatusOK, b.do(http.MethodGet, path, "sensitive", "").status)
	}
	const filter = `{"comment_filter":{"user_properties":{"string:Case Number":{"one_of":["00000001"]}}}}`
	require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, "/api/v1/sources/support/emails/statistics", "reader", filter).status)
	require.Equal(t, http.StatusOK, b.do(http.MethodPost, "/api/v1/sources/support/emails/statistics", "sensitive", filter).status)
	require.Len(t, b.get(searchPath+"?property=string:Priority=Low", "reader")["comments"], 5)
}

func TestStatisticsByProperty(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.mails(40)
	for filter, want := range map[string]float64{
		`{}`: 40,
		`{"user_properties":{"string:Priority":{"one_of":["High"]}}}`:                                                     20,
		`{"user_properties":{"string:Priority":{"one_of":["High","Low"],"not_one_of":["Low"]}}}`:                          20,
		`{"user_properties":{"string:Priority":{"one_of":["Low"]},"number:Score":{"one_of":[3,5.0]}}}`:                    8,
		`{"user_properties":{"string:Absent":{"one_of":["x"]}}}`:                                                          0,
		`{"user_properties":{"string:Absent":{"not_one_of":["x"]}}}`:                                                      40,
		`{"user_properties":{"number:Score":{"one_of":[3]}},"timestamp":{"maximum":"` + noon.Format(time.RFC3339) + `"}}`: 0,
	} {
		a := b.do(http.MethodPost, "/api/v1/sources/support/emails/statistics", "reader", `{"comment_filter":`+filter+`}`)
		require.Equal(t, http.StatusOK, a.status, a.raw)
		require.Equal(t, map[string]any{"num_comments": want}, a.body["statistics"], filter)
	}
	for _, bad := range []string{
		`{"string:Priority":["High"]}`, `{"string:Priority":{"one_of":[3]}}`, `{"Priority":{"one_of":["High"]}}`, `{"string:Priority":{"equals":"High"}}`, `{"number:Score":{"one_of":["3"]}}`, `[1]`,
		`{"string:Priority":{"one_of":[null]}}`,
	} {
		a := b.do(http.MethodPost, "/api/v1/sources/support/emails/statistics", "reader", `{"comment_filter":{"user_properties":`+bad+`}}`)
		require.Equal(t, http.StatusBadRequest, a.status, "%s: %s", bad, a.raw)
	}
}

func TestThreads(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.mails(42) // the last thread has two
	b.seed.Mail(b.source, "alone", noon.Add(1000*time.Hour), "s", "no thread")
	for i := range 20 {
		at := noon.Add(time.Duration(i) * time.Hour * 100)
		b.seed.Comment(b.source, comment.Comment{ID: fmt.Sprintf("long-%02d", i), Timestamp: at, ThreadID: "long/ä", Messages: []comment.Message{{Body: comment.Text{Text: "x"}}}})
	}
	var order []string
	path := "/api/v1/sources/support%2Femails/threads"
	for query := "?limit=3"; ; {
		body := b.get(path+query, "reader")
		for _, item := range body["threads"].([]any) {
			thread := item.(map[string]any)
			order = append(order, thread["thread_id"].(string))
			switch id := thread["thread_id"].(string); id {
			case "long/ä":
				require.Len(t, ids(t, thread), 16)
				require.Equal(t, "long-04", ids(t, thread)[0])
				require.Equal(t, true, thread["has_earlier"])
			case "case-8":
				require.Equal(t, []string{"0028", "0029"}, ids(t, thread))
				require.Equal(t, false, thread["has_earlier"])
			default:
				require.Len(t, ids(t, thread), 5)
			}
		}
		token, more := body["continuation"].(string)
		if !more {
			break
		}
		query = "?limit=3&after=" + token
	}
	require.Equal(t, []string{"long/ä", "case-8", "case-7", "case-6", "case-5", "case-4", "case-3", "case-2", "case-1", "case-0"}, order)

	one := b.get(path+"/"+url.PathEscape("long/ä")+"?limit=19", "reader")
	require.Equal(t, "long/ä", one["thread_id"])
	require.Len(t, one["comments"], 19)
	rest := b.get(path+"/"+url.PathEscape("long/ä")+"?after="+one["continuation"].(string), "reader")
	require.Equal(t, []string{"long-19"}, ids(t, rest))
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, path+"/nobody", "reader", "").status)
}

func TestRevisions(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.seed.Mail(b.source, "0a", noon, "s", "first")
	for i, billed := range []bool{true, false} {
		n := i + 2
		b.seed.Exec(`insert into revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version)
		             select source_id, comment_id, $1::int, jsonb_build_array(jsonb_build_object('body', 'text ' || $1::int)), text_hash, 1 from revisions where revision = 1`, n)
		if billed {
			b.seed.Exec(`insert into ledger (source_id, comment_id, revision, reason, before_hash, after_hash)
			             select source_id, comment_id, $1::int, 'text_changed', after_hash, after_hash from ledger where revision = 1`, n)
		}
	}
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), revision = 3`)
	path := searchPath + "/0a/revisions"
	require.Equal(t, http.StatusForbidden, b.do(http.MethodGet, path, "reader", "").status)
	first := b.get(path+"?limit=2", "sensitive")
	list := first["revisions"].([]any)
	require.Len(t, list, 2)
	newest := list[0].(map[string]any)
	require.Equal(t, []any{3.0, true, false, 0.0, ""}, []any{newest["revision"], newest["in_force"], newest["billed"], newest["ai_units"], newest["reason"]})
	require.Equal(t, []any{map[string]any{"body": map[string]any{"text": "text 3"}}}, newest["messages"])
	second := list[1].(map[string]any)
	require.Equal(t, []any{2.0, false, true, 1.0, "text_changed"}, []any{second["revision"], second["in_force"], second["billed"], second["ai_units"], second["reason"]})
	rest := b.get(path+"?limit=2&after="+first["continuation"].(string), "sensitive")
	require.Len(t, rest["revisions"], 1)
	require.NotContains(t, rest, "continuation")
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now()`)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, path, "sensitive", "").status)
}
