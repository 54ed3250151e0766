package simforce

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// FaultClass describes one way a request can go wrong.
type FaultClass struct {
	Name string `json:"name"`
	// On names the kinds of requests it can hit (see Counters); none means every
	// request of the data API.
	On []string `json:"on,omitempty"`
	// Lasting classes tell the client not to try again soon, or at all. Heavy ones
	// take the wall clock's time or many bytes. Chaos takes neither unless named.
	Lasting bool `json:"lasting,omitempty"`
	Heavy   bool `json:"heavy,omitempty"`

	status  int
	kind    string // content type; JSON when ""
	body    string
	headers map[string]string
	// bend answers with a damaged copy of the true answer; false means that there
	// was nothing to damage and the true answer has been given.
	bend func(w http.ResponseWriter, r *http.Request, full *captured) bool
	// do answers in a way of its own.
	do func(s *Server, w http.ResponseWriter, r *http.Request)
}

const (
	htmlType = "text/html;charset=UTF-8"
	edgePage = "<html><head><title>%s</title></head><body><h1>%s</h1><p>Our edge says: please come back.</p></body></html>"
)

func array(code, message string) string { return string(refuse(0, code, "%s", message).body()) }

func oauthBody(code, description string) string {
	return fmt.Sprintf(`{"error":%q,"error_description":%q}`, code, description)
}

var (
	onQueries = []string{"query", "query_more"}
	onResults = []string{"bulk_results"}
	onToken   = []string{"token_code", "token_refresh", "token"}
)

// faultClasses are all there are, in the order of FaultClasses.
var faultClasses = []*FaultClass{
	// Refusals of the REST API, a JSON array each.
	{Name: "session_expired", do: endSessionFirst},
	{Name: "session_refused", Lasting: true, status: 401, body: array("INVALID_SESSION_ID", "This session is not valid for use with the REST API")},
	{Name: "bad_token", Lasting: true, status: 401, body: array("INVALID_AUTH_HEADER", "INVALID_AUTH_HEADER")},
	{Name: "bad_jwt", Lasting: true, status: 401, body: array("INVALID_JWT_FORMAT", "INVALID_JWT_FORMAT")},
	{Name: "not_attached", Lasting: true, status: 401, body: array("INVALID_SESSION_ID", "Connected app is not attached to Agent")},
	{Name: "query_timeout", On: onQueries, status: 400, body: string(errTimeout().body())},
	{Name: "operation_too_large", On: onQueries, status: 400, body: string(errTooLarge().body())},
	{Name: "query_too_complicated", On: onQueries, Lasting: true, status: 400, body: array("QUERY_TOO_COMPLICATED", "Query is either selecting too many fields or the filter conditions are too complicated.")},
	{Name: "invalid_query_locator", On: []string{"query_more"}, status: 400, body: array("INVALID_QUERY_LOCATOR", "invalid query locator")},
	{Name: "invalid_field", On: onQueries, Lasting: true, status: 400, body: array("INVALID_FIELD", "No such column 'Gone__c' on entity 'Case'. "+adviceField)},
	{Name: "invalid_type", On: onQueries, Lasting: true, status: 400, body: array("INVALID_TYPE", "sObject type 'Gone__c' is not supported. "+adviceObject)},
	{Name: "malformed_query", On: onQueries, Lasting: true, status: 400, body: array("MALFORMED_QUERY", "unexpected token: 'FROM'")},
	{Name: "implementation_restriction", On: onQueries, Lasting: true, status: 400, body: array("MALFORMED_QUERY", "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN operator.")},
	{Name: "reified_column", On: onQueries, Lasting: true, status: 400, body: array("MALFORMED_QUERY", "FieldDefinition: a filter on a reified column is required [DurableId]")},
	{Name: "exceeded_id_limit", On: []string{"updated", "deleted"}, Lasting: true, status: 400, body: array("EXCEEDED_ID_LIMIT", "exceeded 600000 id limit, reduce date range")},
	{Name: "replication_date", On: []string{"updated", "deleted"}, Lasting: true, status: 400, body: array("INVALID_REPLICATION_DATE", "startDate before org replication enabled date")},
	{Name: "transaction_security", Lasting: true, status: 400, body: array("TXN_SECURITY_METERING_ERROR", "A transaction security policy could not be evaluated in time.")},
	{Name: "concurrent_requests", status: 403, body: array("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")},
	{Name: "concurrent_long", status: 403, body: array("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")},
	{Name: "total_requests", Lasting: true, status: 403, body: array("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")},
	{Name: "api_disabled_org", Lasting: true, status: 403, body: array("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.")},
	{Name: "api_disabled_user", Lasting: true, status: 403, body: array("API_CURRENTLY_DISABLED", "API is disabled for this User")},
	{Name: "insufficient_access", Lasting: true, status: 403, body: array("INSUFFICIENT_ACCESS", "insufficient access rights on entity")},
	{Name: "insufficient_access_or_readonly", Lasting: true, status: 403, body: array("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")},
	{Name: "forbidden", Lasting: true, status: 403, body: array("FORBIDDEN", "You do not have permission to view this record.")},
	{Name: "not_found", Lasting: true, status: 404, body: string(errNotFound().body())},
	{Name: "version_gone", Lasting: true, status: 410, body: array("UNSUPPORTED_API_VERSION", "The requested API version is retired.")},
	{Name: "too_many_429", status: 429, headers: map[string]string{"Retry-After": "1"}, body: array("REQUEST_LIMIT_EXCEEDED", "Too many requests.")},
	{Name: "unknown_exception", status: 500, body: array("UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-123 (1234567)")},
	{Name: "server_unavailable", status: 503, body: array("SERVER_UNAVAILABLE", "Server too busy")},

	// The same news in other shapes.
	{Name: "json_object", status: 500, body: `{"message":"An unexpected error occurred.","errorCode":"UNKNOWN_EXCEPTION","enhancedErrorType":"None"}`},
	{Name: "oauth_object", status: 503, body: `{"error":"temporarily_unavailable","error_description":"try again later"}`},
	{Name: "xml", status: 500, kind: "application/xml;charset=UTF-8", body: `<?xml version="1.0" encoding="UTF-8"?><Errors><Error><errorCode>UNKNOWN_EXCEPTION</errorCode><message>An unexpected error occurred.</message></Error></Errors>`},
	{Name: "html_200", status: 200, kind: htmlType, body: fmt.Sprintf(edgePage, "Maintenance", "Scheduled maintenance")},
	{Name: "html_502", status: 502, kind: htmlType, body: fmt.Sprintf(edgePage, "Bad Gateway", "502 Bad Gateway")},
	{Name: "html_503", status: 503, kind: htmlType, body: fmt.Sprintf(edgePage, "Unavailable", "503 Service Unavailable")},
	{Name: "html_504", status: 504, kind: htmlType, body: fmt.Sprintf(edgePage, "Gateway Timeout", "504 Gateway Timeout")},
	{Name: "html_420", status: 420, kind: htmlType, body: fmt.Sprintf(edgePage, "Snag", "We have hit a snag")},
	{Name: "empty_200", status: 200},
	{Name: "empty_406", status: 406},
	{Name: "empty_420", status: 420},
	{Name: "empty_503", status: 503},
	{Name: "login_redirect", status: 302, headers: map[string]string{"Location": "https://login.salesforce.invalid/?ec=302"}},

	// The right answer, damaged on its way.
	{Name: "cut_json", bend: cutHalf},
	{Name: "cut_gzip", bend: cutGzip},
	{Name: "cut_connection", bend: cutConnection},
	{Name: "wrong_charset", bend: wrongCharset},
	{Name: "nul_escaped", bend: nulIn(`\u0000`)},
	{Name: "nul_raw", bend: nulIn("\x00")},
	// A client that had used the connection before may ask again by itself.
	{Name: "no_answer", do: func(*Server, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	{Name: "endless_body", Heavy: true, do: endless},
	{Name: "stalled_body", Heavy: true, do: stall},

	// A CSV result that ends too soon, inside a row or behind one, or has a NUL.
	{Name: "cut_csv", On: onResults, bend: cutHalf},
	{Name: "cut_csv_rows", On: onResults, bend: cutRows},
	{Name: "nul_csv", On: onResults, bend: nulCell},
	{Name: "results_early", On: onResults, status: 400, body: array("JOB_NOT_COMPLETE", "The job is not complete: it is InProgress")},
	{Name: "job_lost", On: []string{"bulk_get", "bulk_results", "bulk_pages"}, Lasting: true, status: 404, body: string(errNotFound().body())},
	{Name: "bulk_jobs_limit", On: []string{"bulk_create"}, Lasting: true, status: 400, body: array("LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached")},
	{Name: "bulk_not_enabled", On: []string{"bulk_create"}, Lasting: true, status: 400, body: array("FeatureNotEnabled", "Bulk API is not enabled for this user")},

	// Refusals of the token endpoint.
	{Name: "token_unavailable", On: onToken, status: 503, body: oauthBody("temporarily_unavailable", "try again later")},
	{Name: "token_server_error", On: onToken, status: 500, body: oauthBody("server_error", "unexpected error")},
	{Name: "token_in_process", On: onToken, status: 400, body: oauthBody("invalid_request", "token request is already being processed")},
	{Name: "token_rate_limit", On: onToken, status: 400, body: oauthBody("rate_limit_exceeded", "login rate exceeded")},
	{Name: "token_html_503", On: onToken, status: 503, kind: htmlType, body: fmt.Sprintf(edgePage, "Unavailable", "503 Service Unavailable")},
	{Name: "token_empty_503", On: onToken, status: 503},
	{Name: "token_html_200", On: onToken, status: 200, kind: htmlType, body: fmt.Sprintf(edgePage, "Maintenance", "Scheduled maintenance")},
	{Name: "token_expired", On: onToken, Lasting: true, status: 400, body: oauthBody("invalid_grant", "expired access/refresh token")},
	{Name: "token_ip_restricted", On: onToken, Lasting: true, status: 400, body: oauthBody("invalid_grant", "ip restricted")},
	{Name: "token_login_hours", On: onToken, Lasting: true, status: 400, body: oauthBody("invalid_grant", "invalid login hours")},
	{Name: "token_not_approved", On: onToken, Lasting: true, status: 400, body: oauthBody("invalid_grant", "user hasn't approved this consumer")},
	{Name: "token_inactive_user", On: onToken, Lasting: true, status: 400, body: oauthBody("inactive_user", "user is inactive")},
	{Name: "token_inactive_org", On: onToken, Lasting: true, status: 400, body: oauthBody("inactive_org", "organization is inactive, locked, closed or suspended")},
	{Name: "token_bad_client_id", On: onToken, Lasting: true, status: 400, body: oauthBody("invalid_client_id", "client identifier invalid")},
	{Name: "token_bad_secret", On: onToken, Lasting: true, status: 401, body: oauthBody("invalid_client", "invalid client credentials")},
	{Name: "token_app_not_found", On: onToken, Lasting: true, status: 400, body: oauthBody("app_not_found", "External client app is not installed in this org")},
	// It has rotated, and half of the answer arrives.
	{Name: "token_cut_json", On: onToken, Lasting: true, bend: cutHalf},
	{Name: "token_no_answer", On: onToken, do: func(*Server, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
}

// FaultClasses lists the classes that Fault.Class and Chaos.Classes may name.
func FaultClasses() []FaultClass {
	out := make([]FaultClass, 0, len(faultClasses))
	for _, c := range faultClasses {
		out = append(out, FaultClass{Name: c.Name, On: slices.Clone(c.On), Lasting: c.Lasting, Heavy: c.Heavy})
	}
	return out
}

func faultClass(name string) *FaultClass {
	i := slices.IndexFunc(faultClasses, func(c *FaultClass) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return faultClasses[i]
}

// hits reports whether the class can befall a request.
func (c *FaultClass) hits(path, kind string) bool {
	if len(c.On) > 0 {
		// A query inside a composite request is a query too.
		return slices.Contains(c.On, kind) || kind == "composite" && c.On[0] == "query"
	}
	return isData(path)
}

// strike answers a request with the class. It counts before it answers, since
// some answers never end. contains selects the part of a composite request.
func (s *Server) strike(c *FaultClass, w http.ResponseWriter, r *http.Request, contains string) {
	switch {
	case len(c.On) > 0 && c.On[0] == "query" && kindOf(r) == "composite":
		s.strikePart(c, w, r, contains)
	case c.bend != nil:
		full := capture(r, s)
		s.counters.fault(c.Name)
		if !c.bend(w, r, full) {
			s.counters.unfault(c.Name)
			full.send(w)
		}
	case c.do != nil:
		s.counters.fault(c.Name)
		c.do(s, w, r)
	default:
		s.counters.fault(c.Name)
		for name, value := range c.headers {
			w.Header().Set(name, value)
		}
		if c.body != "" {
			w.Header().Set("Content-Type", "application/json;charset=UTF-8")
			if c.kind != "" {
				w.Header().Set("Content-Type", c.kind)
			}
		}
		w.WriteHeader(c.status)
		_, _ = w.Write([]byte(c.body)) //nolint:gosec // a constant of this file; the client may be gone
	}
}

// captured is the true answer to a request, not compressed.
type captured struct {
	header http.Header
	status int
	body   bytes.Buffer
	gzip   bool // the client takes gzip
}

func (c *captured) Header() http.Header         { return c.header }
func (c *captured) Write(b []byte) (int, error) { return c.body.Write(b) }
func (c *captured) WriteHeader(status int)      { c.status = status }

func capture(r *http.Request, s *Server) *captured {
	full := &captured{header: http.Header{}, status: http.StatusOK}
	full.gzip = strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
	plain := r.Clone(r.Context())
	plain.Header.Del("Accept-Encoding")
	s.route(full, plain)
	return full
}

// head copies status and headers; length -1 leaves it to the transport.
func (c *captured) head(w http.ResponseWriter, length int) {
	for name, values := range c.header {
		w.Header()[name] = values
	}
	if length >= 0 {
		w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(c.status)
}

func (c *captured) send(w http.ResponseWriter) {
	c.head(w, -1)
	_, _ = w.Write(c.body.Bytes()) // the client may be gone
}

func (c *captured) whole() bool { return c.status == http.StatusOK && c.body.Len() > 20 }

func cutHalf(w http.ResponseWriter, _ *http.Request, full *captured) bool {
	if !full.whole() {
		return false
	}
	half := full.body.Bytes()[:full.body.Len()/2]
	full.head(w, len(half))
	_, _ = w.Write(half)
	return true
}

// cutRows leaves out the last rows of a CSV result and nothing else: only the
// count in the header tells.
func cutRows(w http.ResponseWriter, _ *http.Request, full *captured) bool {
	if !full.whole() {
		return false
	}
	body := full.body.Bytes()
	quoted := false
	var ends []int // behind each line
	for i, c := range body {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\n' && !quoted:
			ends = append(ends, i+1)
		}
	}
	if len(ends) < 2 {
		return false
	}
	part := body[:ends[(len(ends)-1)/2]]
	full.head(w, len(part))
	_, _ = w.Write(part)
	return true
}

// nulCell puts a NUL at the front of the last cell that has text.
func nulCell(w http.ResponseWriter, _ *http.Request, full *captured) bool {
	body := full.body.String()
	header := strings.IndexByte(body, '\n')
	i := strings.LastIndex(body, `,"`)
	for i > header && strings.HasPrefix(body[i+2:], `"`) {
		i = strings.LastIndex(body[:i], `,"`)
	}
	if !full.whole() || i <= header {
		return false
	}
	body = body[:i+2] + "\x00" + body[i+2:]
	full.head(w, len(body))
	_, _ = w.Write([]byte(body))
	return true
}

func cutGzip(w http.ResponseWriter, _ *http.Request, full *captured) bool {
	if !full.whole() || !full.gzip {
		return false
	}
	var z bytes.Buffer
	out := gzip.NewWriter(&z)
	_, _ = out.Write(full.body.Bytes()) // a buffer takes everything
	_ = out.Close()
	part := z.Bytes()[:z.Len()*2/3]
	full.header.Set("Content-Encoding", "gzip")
	full.head(w, len(part))
	_, _ = w.Write(part)
	return true
}

// cutConnection promises the whole body and hangs up after half of it.
func cutConnection(w http.ResponseWriter, _ *http.Request, full *captured) bool {
	if !full.whole() {
		return false
	}
	full.head(w, full.body.Len())
	_, _ = w.Write(full.body.Bytes()[:full.body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// wrongCharset says UTF-8 and sends Latin text in one byte per letter, or, where
// there is only ASCII, UTF-16: never what the header says.
func wrongCharset(w http.ResponseWriter, _ *http.Request, full *captured) bool {
	if !full.whole() {
		return false
	}
	text := full.body.String()
	out, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil || out == text {
		var b []byte
		for _, u := range append([]uint16{0xFEFF}, utf16.Encode([]rune(text))...) {
			b = append(b, byte(u), byte(u>>8))
		}
		out = string(b)
	}
	full.head(w, len(out))
	_, _ = w.Write([]byte(out))
	return true
}

// nulTargets are fields whose text gets the NUL, as their value begins.
var nulTargets = []string{`"TextBody":"`, `"HtmlBody":"`, `"Subject":"`, `"Description":"`, `"CommentBody":"`, `"Body":"`, `__c":"`}

// nulIn puts a NUL at the front of a text value.
func nulIn(nul string) func(http.ResponseWriter, *http.Request, *captured) bool {
	return func(w http.ResponseWriter, r *http.Request, full *captured) bool {
		if !full.whole() || !slices.Contains(onQueries, kindOf(r)) && kindOf(r) != "composite" {
			return false
		}
		body := full.body.String()
		for _, target := range nulTargets {
			i := strings.Index(body, target)
			// A __c field may be a reference or a date, where NUL never stands.
			if i < 0 || strings.HasPrefix(target, "__c") && !strings.Contains(body[i:min(len(body), i+60)], " ") {
				continue
			}
			i += len(target)
			body = body[:i] + nul + body[i:]
			full.head(w, len(body))
			_, _ = w.Write([]byte(body))
			return true
		}
		return false
	}
}

// endSessionFirst ends the caller's session and says so.
func endSessionFirst(s *Server, w http.ResponseWriter, r *http.Request) {
	s.auth.mu.Lock()
	s.endSession(bearer(r))
	s.auth.mu.Unlock()
	send(w, r, failed(errSession()))
}

// endlessBytes is how much endless_body sends if nobody stops it.
const endlessBytes = 2 << 30

// endless begins a page of records and goes on with blanks.
func endless(_ *Server, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, err := w.Write([]byte(`{"totalSize":1,"done":true,"records":[`))
	blank := bytes.Repeat([]byte(" "), 1<<20)
	for sent := 0; err == nil && sent < endlessBytes && r.Context().Err() == nil; sent += len(blank) {
		_, err = w.Write(blank)
	}
}

// stall begins an answer and then says nothing until the client gives up.
func stall(_ *Server, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = w.Write([]byte(`{"totalSize":1,"done":true,"records":[`))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}
