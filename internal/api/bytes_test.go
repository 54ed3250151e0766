package api

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
)

// badBytes are texts that PostgreSQL cannot keep, or that look like what we look for.
var badBytes = []string{"%00", "%ff", "a%00", "%c3%28", "%ed%a0%80", "%f0%9f%98%80", "%0a", "%25", "%27%3b--", "id:%00", "id:%ff000000000000000", "support%2F%00", "%00%2Femails"}

// Every segment of every route takes any bytes, and none of them is our fault.
func TestAnyBytesInPaths(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{RequestsPerSecond: 1e6, Burst: 1e6})
	tested := 0
	for _, r := range routes {
		for _, path := range paths(b, r) {
			segments := strings.Split(path, "/")
			for i := 1; i < len(segments); i++ {
				for _, bad := range badBytes {
					changed := slices.Clone(segments)
					changed[i] = bad
					p := strings.Join(changed, "/")
					a := b.do(r.method, p, "root", "")
					want := []int{http.StatusNotFound, http.StatusMethodNotAllowed}
					if r.on == onInstallation && r.method == http.MethodPut { // the name of what is to be made
						want = append(want, http.StatusBadRequest)
					}
					require.Contains(t, want, a.status, "%s %s: %s", r.method, p, a.raw)
					tested++
				}
			}
		}
	}
	require.Greater(t, tested, 500)
}

// usageParameters are those of what says what AI units there are.
var usageParameters = []string{"from", "to", "project", "source", "integration", "reason"}

func isUsage(path string) bool {
	return strings.HasSuffix(path, "/usage") || strings.HasSuffix(path, "/units")
}

// Likewise every parameter. What a route does not know it ignores.
func TestAnyBytesInParameters(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{RequestsPerSecond: 1e6, Burst: 1e6})
	b.seed.Mail(b.source, madeOfRecord, noon, "s", "b")
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), thread_id = '5f'`)
	b.record1("b", "live")
	known := []string{"limit", "after", "from_timestamp", "to_timestamp", "direction", "include_markup", "include_thread_properties"}
	own := map[string][]string{"skipped": {"limit", "after", "object"}, "changes": {"limit", "after", "wait"}}
	for _, r := range routes {
		if writes(r) {
			continue // they want a body, or an id
		}
		for _, path := range paths(b, r) {
			for _, name := range slices.Concat(known, usageParameters, []string{"object", "wait", "q", "property", "unknown", "%00", "%ff"}) {
				if slices.Contains(usageParameters, name) && !isUsage(path) {
					continue
				}
				for _, bad := range badBytes {
					want := http.StatusOK
					page := strings.HasSuffix(path, "/comments") || strings.HasSuffix(path, "/threads/5f")
					if page && slices.Contains(known, name) {
						want = http.StatusBadRequest
					}
					if strings.HasPrefix(path, "/api/v1") && strings.HasSuffix(path, "/comments") && slices.Contains([]string{"q", "property"}, name) {
						want = http.StatusBadRequest
					}
					if (strings.HasSuffix(path, "/threads") || strings.HasSuffix(path, "/revisions")) && slices.Contains([]string{"limit", "after"}, name) {
						want = http.StatusBadRequest
					}
					if slices.Contains(own[path[strings.LastIndex(path, "/")+1:]], name) {
						want = http.StatusBadRequest
					}
					if strings.HasSuffix(path, "/units") && slices.Contains([]string{"limit", "after"}, name) || isUsage(path) && slices.Contains(usageParameters, name) {
						want = http.StatusBadRequest
					}
					a := b.do(r.method, path+"?"+name+"="+bad, "root", "")
					require.Equal(t, want, a.status, "%s %s?%s=%s: %s", r.method, path, name, bad, a.raw)
				}
			}
		}
	}
}

func TestAnyBytesInBodiesAndHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.seed.Mail(b.source, "0a", noon, "s", "b")
	const path = "/api/v1/sources/support/emails/statistics"
	for body, want := range map[string]int{
		"\x00": http.StatusBadRequest, "\xff": http.StatusBadRequest, "{\"\x00\":1}": http.StatusBadRequest,
		`{"comment_filter":{"timestamp":{"minimum":"\u0000"}}}`: http.StatusBadRequest,
		`{"comment_filter":{"\u0000":[1]}}`:                     http.StatusBadRequest,
		"{\"comment_filter\":{\"\xff\":[1]}}":                   http.StatusBadRequest,
		`{"comment_filter":{"sources":["\u0000"]}}`:             http.StatusOK,
		"{\"comment_filter\":{\"sources\":[\"\xff\"]}}":         http.StatusOK,
	} {
		a := b.do(http.MethodPost, path, "reader", body)
		require.Equal(t, want, a.status, "%q: %s", body, a.raw)
	}
	for _, token := range []string{"\xff", "sfsync_\xff", b.tokens["reader"] + "\xff", "sfsync_" + strings.Repeat("\xff", 43)} {
		b.tokens["strange"] = token
		require.Equal(t, http.StatusUnauthorized, b.do(http.MethodGet, "/auth/user", "strange", "").status, "%q", token)
	}
	// The ends of the calendar are times like any other, also in a continuation.
	for _, at := range []string{"0000-01-01T00:00:00Z", "0000-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-23:59"} {
		for _, name := range []string{"from_timestamp", "to_timestamp"} {
			for _, direction := range []string{"ascending", "descending"} {
				b.get(listPath+"?limit=1&direction="+direction+"&"+name+"="+at, "reader")
			}
		}
		at, err := url.QueryUnescape(at)
		require.NoError(t, err)
		b.get(listPath+"?after="+base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"s":%q,"t":%q,"i":"0a"}`, b.source, at)), "reader")
	}
}

func TestNumbersKeepTheirPoint(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	for n, want := range map[float64]string{
		0: "0.0", 2: "2.0", -1e14: "-100000000000000.0", 1e15: "1000000000000000.0", -1e15: "-1000000000000000.0", 1 << 53: "9007199254740992.0",
		123456789012345680000: "123456789012345680000.0", 1e20: "100000000000000000000.0", 1e21: "1e+21", math.MaxFloat64: "1.7976931348623157e+308",
		0.5: "0.5", 1e-7: "1e-7", 1234567.25: "1234567.25",
	} {
		got, err := number(n).MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, want, string(got))
		require.Regexp(t, `[.e]`, string(got), "a float on the wire")
	}
	b.seed.Comment(b.source, comment.Comment{ID: "0a", Timestamp: noon, Messages: []comment.Message{{}}, Properties: comment.Properties{"number:Big": 1e15}})
	require.Contains(t, b.do(http.MethodGet, listPath, "reader", "").raw, `"number:Big":1000000000000000.0`)
}

// The vendor's client puts paths behind its endpoint, which people end in a slash.
func TestASecondSlashInFront(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.seed.Mail(b.source, "0a", noon, "s", "b")
	for _, path := range []string{"/api/v1/sources", listPath, listPath + "?limit=1", "/auth/user", "/api/v1/sources/support/emails/comments/0a"} {
		want := b.get(path, "reader")
		for _, slashes := range []string{"/", "//"} {
			require.Equal(t, want, b.get(slashes+path, "reader"), slashes+path)
		}
		require.True(t, strings.HasPrefix(b.record.Route, "GET /a"), b.record.Route)
	}
	require.Equal(t, http.StatusUnauthorized, b.do(http.MethodGet, "//auth/user", "", "").status)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "//api//v1/sources", "reader", "").status, "in front only")
	require.Equal(t, http.StatusMethodNotAllowed, b.do(http.MethodPatch, "//api/v1/sources", "reader", "").status)
}
