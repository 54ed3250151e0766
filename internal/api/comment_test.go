package api

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

const listPath = "/api/_private/sources/support%2Femails/comments"

var noon = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)

func TestCommentShape(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	at := time.Date(2024, 1, 1, 1, 2, 3, 456789000, time.FixedZone("", 3600))
	b.seed.Comment(b.source, comment.Comment{
		ID: "30324431", Timestamp: at, ThreadID: "5f",
		Messages: []comment.Message{{
			Body: comment.Text{Text: "<b>hi</b> & \u2028 bye"}, Subject: &comment.Text{Text: "s"}, Signature: &comment.Text{Text: "-- \nA"},
			From: "Ann <a@b.c>", To: []string{"d@e.f"}, Cc: []string{"g@h.i", "j@k.l"}, SentAt: &at, Language: "en",
		}, {Body: comment.Text{}}},
		Properties: comment.Properties{"string:Case Number": "00001026", "number:Priority": 2.0, "number:Big": 1e21, "number:Half": -0.5},
	})
	a := b.do(http.MethodGet, "/api/v1/sources/support/emails/comments/30324431?include_markup=true", "reader", "")
	got := a.body["comment"].(map[string]any)
	for _, key := range []string{"created_at", "last_modified"} {
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$`, got[key])
		delete(got, key)
	}
	require.Regexp(t, `^[0-9a-f]{24}$`, got["context"])
	delete(got, "context")
	require.Equal(t, map[string]any{
		"id": "30324431", "uid": b.source + ".30324431", "source_id": b.source, "thread_id": "5f",
		"timestamp": "2024-01-01T00:02:03.456789+00:00",
		"messages": []any{map[string]any{
			"body": map[string]any{"text": "<b>hi</b> & \u2028 bye"}, "subject": map[string]any{"text": "s"}, "signature": map[string]any{"text": "-- \nA"},
			"from": "Ann <a@b.c>", "to": []any{"d@e.f"}, "cc": []any{"g@h.i", "j@k.l"}, "language": "en",
			"sent_at": "2024-01-01T00:02:03.456789+00:00",
		}, map[string]any{"body": map[string]any{"text": ""}}},
		"user_properties": map[string]any{"string:Case Number": "00001026", "number:Priority": 2.0, "number:Big": 1e21, "number:Half": -0.5},
		"text_format":     "plain", "attachments": []any{}, "has_annotations": false,
	}, got)
	require.Contains(t, a.raw, `"number:Priority":2.0`, "a number is a float on the wire")

	list := b.get(listPath+"?include_markup=true&include_thread_properties=false", "reader")
	require.Len(t, list["comments"], 1)
	listed := list["comments"].([]any)[0].(map[string]any)
	delete(listed, "created_at")
	delete(listed, "last_modified")
	delete(listed, "context")
	require.Equal(t, got, listed)
	require.NotContains(t, list, "continuation")
}

func TestIDsRoundTrip(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	for _, id := range []string{"a%b", "a+b", "a:b", "a%2Fb", "..", "a?b#c", "~!@$&'()*,;="} {
		b.seed.Mail(b.source, id, noon, "s", "b")
		for _, source := range []string{"support/emails", "support%2Femails", "id:" + b.source} {
			got := b.get("/api/v1/sources/"+source+"/comments/"+strings.ReplaceAll(url.PathEscape(id), "..", "%2e%2e"), "reader")["comment"].(map[string]any)
			require.Equal(t, id, got["id"])
		}
	}
}

func TestTombstonesAreOutOfEverything(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	for _, id := range []string{"0a", "0b", "0c"} {
		b.seed.Mail(b.source, id, noon, "s", "b")
	}
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id = '0b'`)
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now(), erased = true where id = '0c'`)
	require.Equal(t, []string{"0a"}, ids(t, b.get(listPath, "reader")))
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/api/v1/sources/support/emails/comments/0b", "reader", "").status)
	a := b.do(http.MethodPost, "/api/v1/sources/support/emails/statistics", "reader", "")
	require.Equal(t, map[string]any{"num_comments": 1.0}, a.body["statistics"])
}

func TestTheTextInForceIsRead(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.seed.Mail(b.source, "0a", noon, "s", "first")
	b.seed.Exec(`insert into revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version)
	             select source_id, comment_id, 2, '[{"subject": "s", "body": "second"}]', text_hash, 1 from revisions`)
	require.Contains(t, b.do(http.MethodGet, listPath, "reader", "").raw, "first")
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), revision = 2`)
	a := b.do(http.MethodGet, listPath, "reader", "")
	require.Contains(t, a.raw, "second")
	require.Len(t, a.body["comments"], 1)
}

func TestSensitivePropertiesNeedTheirRight(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.seed.Comment(b.source, comment.Comment{ID: "0a", Timestamp: noon, Messages: []comment.Message{{}},
		Properties: comment.Properties{"string:Name": "n", "string:IBAN": "DE00", "number:Salary": 1.0}})
	b.seed.Exec(`update sources set sensitive_properties = '{IBAN,number:Salary}'`)
	for _, path := range []string{listPath, "/api/v1/sources/support/emails/comments/0a"} {
		a := b.do(http.MethodGet, path, "reader", "")
		require.Contains(t, a.raw, "string:Name")
		require.NotContains(t, a.raw, "IBAN")
		require.NotContains(t, a.raw, "Salary")
		a = b.do(http.MethodGet, path, "sensitive", "")
		require.Contains(t, a.raw, "DE00")
		require.Contains(t, a.raw, "Salary")
	}
}

// Who administers sources and may not see what is sensitive cannot make it visible: names are added to the list, and not taken
// out of it, one by one or all at once.
func TestSensitivePropertiesAreNotUnveiledByWhoMayNotSeeThem(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.user("keeper", store.Grant{Project: "support", Permission: access.SourcesAdmin}, store.Grant{Project: "support", Permission: access.SourcesRead})
	b.seed.Comment(b.source, comment.Comment{ID: "0a", Timestamp: noon, Messages: []comment.Message{{}}, Properties: comment.Properties{"string:IBAN": "DE00", "number:Salary": 1.0}})
	const path = "/api/v1/sources/support/emails"
	list := func(who, names string) answer {
		return b.do(http.MethodPost, path, who, `{"source":{"title":"T","sensitive_properties":`+names+`}}`)
	}
	require.Equal(t, http.StatusOK, list("keeper", `["IBAN"]`).status)
	require.Equal(t, http.StatusOK, list("keeper", `["number:Salary","IBAN"]`).status, "more of them may be named")
	for _, names := range []string{`[]`, `["IBAN"]`, `["number:Salary","IBAN "]`, `["string:IBAN","number:IBAN","number:Salary"]`} {
		a := list("keeper", names)
		require.Equal(t, http.StatusForbidden, a.status, a.raw)
		require.Contains(t, a.body["message"], "needs the permission sources-read-sensitive on project support")
	}
	require.NotContains(t, b.do(http.MethodGet, listPath, "keeper", "").raw, "DE00")
	require.Equal(t, http.StatusOK, list("keeper", `null`).status, "it leaves the list as it is")
	require.Equal(t, []any{"number:Salary", "IBAN"}, b.get(path, "keeper")["source"].(map[string]any)["sensitive_properties"])
	require.Equal(t, http.StatusOK, list("root", `[]`).status)
	require.Contains(t, b.do(http.MethodGet, listPath, "keeper", "").raw, "DE00")
}

// fill adds n comments, several to one timestamp, and returns their ids in order.
func fill(b *bench, n int) []string {
	order := make([]string, n)
	for i := range n {
		order[i] = fmt.Sprintf("%04x", i)
	}
	for _, i := range rand.Perm(n) {
		b.seed.Mail(b.source, order[i], noon.Add(time.Duration(i/5)*time.Second), "s", "b")
	}
	return order
}

// walk follows continuations as the vendor's client does: to_timestamp is sent
// again, from_timestamp and direction are not.
func walk(b *bench, first, next url.Values, between func()) (all []string, pages []int) {
	b.t.Helper()
	return walkAt(b, listPath, first, next, between)
}

func walkAt(b *bench, path string, first, next url.Values, between func()) (all []string, pages []int) {
	b.t.Helper()
	query := first
	for {
		body := b.get(path+"?"+query.Encode(), "reader")
		page := ids(b.t, body)
		all, pages = append(all, page...), append(pages, len(page))
		token, more := body["continuation"].(string)
		if !more {
			return all, pages
		}
		require.NotEmpty(b.t, page, "a page that goes on is not empty")
		query = url.Values{"after": {token}}
		for k, v := range next {
			query[k] = v
		}
		if between != nil {
			between()
		}
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	order := fill(b, 65)

	all, pages := walk(b, url.Values{}, nil, nil)
	require.Equal(t, order, all)
	require.Equal(t, []int{64, 1}, pages, "64 to a page")

	limit := url.Values{"limit": {"13"}}
	all, pages = walk(b, limit, limit, nil)
	require.Equal(t, order, all)
	require.Equal(t, []int{13, 13, 13, 13, 13}, pages, "a full last page has no continuation")

	backwards := slices.Clone(order)
	slices.Reverse(backwards)
	all, _ = walk(b, url.Values{"limit": {"7"}, "direction": {"descending"}}, url.Values{"limit": {"7"}}, nil)
	require.Equal(t, backwards, all)
	all, _ = walk(b, url.Values{"limit": {"256"}, "direction": {"ascending"}}, nil, nil)
	require.Equal(t, order, all)

	// Both ends are included, and hold over pages.
	from, to := "2024-01-01T12:00:02Z", "2024-01-01T14:00:04+02:00"
	for _, direction := range []string{"ascending", "descending"} {
		want := slices.Clone(order[10:25])
		if direction == "descending" {
			slices.Reverse(want)
		}
		all, _ = walk(b, url.Values{"limit": {"4"}, "from_timestamp": {from}, "to_timestamp": {to}, "direction": {direction}},
			url.Values{"limit": {"4"}, "to_timestamp": {to}}, nil)
		require.Equal(t, want, all, direction)
		all, _ = walk(b, url.Values{"limit": {"4"}, "from_timestamp": {from}, "to_timestamp": {to}, "direction": {direction}},
			url.Values{"limit": {"4"}, "from_timestamp": {from}, "to_timestamp": {to}, "direction": {direction}}, nil)
		require.Equal(t, want, all, direction)
	}
	require.Empty(t, ids(t, b.get(listPath+"?from_timestamp=2025-01-01T00:00:00Z", "reader")))
	require.Empty(t, ids(t, b.get(listPath+"?to_timestamp=2024-01-01T11:59:59.999999Z", "reader")))

	// A bound that is later than the place to go on from wins.
	first := b.get(listPath+"?limit=1", "reader")["continuation"].(string)
	require.Equal(t, order[60], ids(t, b.get(listPath+"?limit=1&after="+first+"&from_timestamp=2024-01-01T12:00:12Z", "reader"))[0])
}

// Comments that come and go while somebody pages neither repeat nor hide the others, on whatever way they are listed and
// in whatever direction.
func TestPagingUnderWrites(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	fill(b, 100)
	const inThread = `update comments set changed = pg_current_xact_id(), thread_id = '5f' where thread_id is null`
	b.seed.Exec(inThread)
	step, far := 0, 1000*time.Hour
	for _, path := range []string{listPath, searchPath, "/api/v1/sources/support/emails/threads/5f"} {
		for _, direction := range []string{"ascending", "descending"} {
			order := b.seed.Strings(`select id from comments where deleted_at is null order by ts, id`)
			far += time.Hour // behind what was put there before
			behind, ahead := noon.Add(-far), noon.Add(time.Hour)
			if direction == "descending" {
				slices.Reverse(order)
				behind, ahead = noon.Add(far), noon.Add(-time.Hour)
			}
			began := step
			gone := map[string]bool{}
			all, _ := walkAt(b, path, url.Values{"limit": {"9"}, "direction": {direction}}, url.Values{"limit": {"9"}}, func() {
				step++
				b.seed.Mail(b.source, fmt.Sprintf("behind-%d", step), behind, "s", "b")
				b.seed.Mail(b.source, fmt.Sprintf("ahead-%d", step), ahead, "s", "b")
				b.seed.Exec(inThread)
				id := order[(step-began)*7] // read already, or soon
				gone[id] = true
				b.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now() where id = $1`, id)
			})
			seen := map[string]bool{}
			for _, id := range all {
				require.False(t, seen[id], "%s twice", id)
				seen[id] = true
			}
			for _, id := range order {
				require.True(t, seen[id] || gone[id], "%s is missing", id)
			}
			require.Greater(t, step-began, 8)
			for n := began + 1; n <= step; n++ {
				require.False(t, seen[fmt.Sprintf("behind-%d", n)], "%s %s: behind-%d", direction, path, n)
			}
			require.True(t, seen[fmt.Sprintf("ahead-%d", began+1)])
		}
	}
}

func TestBadListParameters(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	fill(b, 3)
	token := b.get(listPath+"?limit=1", "reader")["continuation"].(string)
	forge := func(change func(map[string]any)) string {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		require.NoError(t, err)
		var c map[string]any
		require.NoError(t, json.Unmarshal(raw, &c))
		change(c)
		raw, err = json.Marshal(c)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	require.Len(t, ids(t, b.get(listPath+"?after="+forge(func(map[string]any) {}), "reader")), 2)
	for _, query := range []string{
		"limit=0", "limit=257", "limit=-1", "limit=x", "limit=64.0", "direction=up", "from_timestamp=yesterday", "to_timestamp=2024-01-01",
		"from_timestamp=2024-01-01T00:00:00+00:00", // an unescaped + is a space
		"include_markup=maybe", "after=!", "after=eA", "after=" + token + "x", "after=" + token + "&direction=descending",
		"after=" + forge(func(c map[string]any) { c["s"] = strings.Repeat("0", 16) }),
		"after=" + forge(func(c map[string]any) { c["i"] = "a\x00b" }),
	} {
		a := b.do(http.MethodGet, listPath+"?"+query, "reader", "")
		require.Equal(t, http.StatusBadRequest, a.status, "%s: %s", query, a.raw)
		name, _, _ := strings.Cut(query, "=")
		require.Contains(t, a.body["message"], name)
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.seed.Mail(b.source, "0a", noon, "s", strings.Repeat("word ", 5000))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+listPath, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+b.tokens["reader"])
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	require.Less(t, res.ContentLength, int64(2000))
	plain, err := gzip.NewReader(res.Body)
	require.NoError(t, err)
	raw, err := io.ReadAll(plain)
	require.NoError(t, err)
	require.True(t, json.Valid(raw))
}

// broken stands for a store in trouble; everything it does not override panics.
type broken struct {
	Store
	err error
}

func (b broken) Projects(context.Context) ([]store.Project, error) { return nil, b.err }

func TestTroubleInsideStaysInside(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	secretCause := errors.New("dial tcp 10.1.2.3:5432: password for user postgres")
	for _, tt := range []struct {
		err    error
		status int
	}{
		{fault.Wrap(fault.Unreachable, secretCause, "list projects"), http.StatusServiceUnavailable},
		{fault.Wrap(fault.Internal, secretCause, "list projects"), http.StatusInternalServerError},
		{secretCause, http.StatusInternalServerError},
		{nil, http.StatusInternalServerError}, // panics further on
	} {
		var s Store = broken{err: tt.err}
		if tt.err == nil {
			s = nil
		}
		b.serve(New(s, b.access, Options{}))
		a := b.do(http.MethodGet, "/api/v1/projects", "reader", "")
		require.Equal(t, tt.status, a.status, a.raw)
		require.NotContains(t, a.raw, "10.1.2.3")
		require.NotContains(t, a.raw, "panic")
		require.Error(t, b.record.Err, "the operator learns it")
		if tt.status == http.StatusInternalServerError {
			require.Contains(t, a.body["message"], a.header.Get("X-Request-Id"))
		} else {
			require.NotEmpty(t, a.header.Get("Retry-After"))
		}
	}
}
