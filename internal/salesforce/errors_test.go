package salesforce

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
)

func errorList(code, message string) string {
	raw, err := json.Marshal([]map[string]any{{"message": message, "errorCode": code}})
	if err != nil {
		panic(err) // a map of strings always encodes
	}
	return string(raw)
}

const noSuchColumn = "\nSELECT Id, Foo FROM Case\n           ^\nERROR at Row:1:Column:12\nNo such column 'Foo' on entity 'Case'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name."

func TestSort(t *testing.T) {
	t.Parallel()
	const html = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>secret page text</body></html>"
	for _, c := range []struct {
		name   string
		status int
		body   string
		kind   fault.Kind
		cure   remedy
		code   string
		says   string
		hints  string
	}{
		{"session", 401, errorList("INVALID_SESSION_ID", "Session expired or invalid"), fault.Stale, remedyRefresh, "INVALID_SESSION_ID", "Session expired or invalid", ""},
		{"session not for rest", 401, errorList("INVALID_SESSION_ID", "This session is not valid for use with the REST API"), fault.Permission, remedyNone, "INVALID_SESSION_ID", "", "IP"},
		{"app not attached", 401, errorList("INVALID_SESSION_ID", "Connected app is not attached to Agent"), fault.Permission, remedyNone, "INVALID_SESSION_ID", "", "app"},
		{"auth header", 401, errorList("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"), fault.Stale, remedyRefresh, "INVALID_AUTH_HEADER", "", ""},
		{"jwt", 401, errorList("INVALID_JWT_FORMAT", "bad token"), fault.Stale, remedyRefresh, "INVALID_JWT_FORMAT", "", ""},
		{"401 empty", 401, "", fault.Stale, remedyRefresh, CodeBrokenBody, "", ""},
		{"401 html", 401, html, fault.Stale, remedyRefresh, CodeNotJSON, "", ""},
		{"userinfo", 403, "Bad_OAuth_Token", fault.Stale, remedyRefresh, "Bad_OAuth_Token", "", ""},
		{"malformed", 400, errorList("MALFORMED_QUERY", "\nSELECT Id, FROM Account\n           ^\nERROR at Row:1:Column:12\nunexpected token: 'FROM'"), fault.Internal, remedyNone, "MALFORMED_QUERY", "unexpected token: 'FROM' (column 12)", "defect"},
		{"needs filter", 400, errorList("MALFORMED_QUERY", "Implementation restriction: ContentDocumentLink requires a filter by a single Id"), fault.Config, remedyNone, "MALFORMED_QUERY", "ContentDocumentLink requires", "condition"},
		{"reified", 400, errorList("MALFORMED_QUERY", "FieldDefinition: a filter on a reified column is required [DurableId]"), fault.Config, remedyNone, "MALFORMED_QUERY", "", "leave it out"},
		{"missing column", 400, errorList("INVALID_FIELD", noSuchColumn), fault.Config, remedyNone, "INVALID_FIELD", "No such column 'Foo' on entity 'Case'", "Read Access"},
		{"missing relation", 400, errorList("INVALID_FIELD", "Didn't understand relationship 'Foo' in field path."), fault.Config, remedyNone, "INVALID_FIELD", "", "Read Access"},
		{"unfilterable", 400, errorList("INVALID_FIELD", "field 'Body' can not be filtered in a query call"), fault.Internal, remedyNone, "INVALID_FIELD", "", "defect"},
		{"twice", 400, errorList("INVALID_FIELD", "duplicate field selected: Id"), fault.Internal, remedyNone, "INVALID_FIELD", "", ""},
		{"type", 400, errorList("INVALID_TYPE", "sObject type 'Foo' is not supported."), fault.Config, remedyNone, "INVALID_TYPE", "", "View All"},
		{"locator", 400, errorList("INVALID_QUERY_LOCATOR", "invalid query locator"), fault.Stale, remedyNone, "INVALID_QUERY_LOCATOR", "", ""},
		{"timeout", 400, errorList("QUERY_TIMEOUT", "Your query request was running for too long."), fault.Transient, remedyNone, "QUERY_TIMEOUT", "", "smaller window"},
		{"too large 400", 400, errorList("OPERATION_TOO_LARGE", "query too large"), fault.Permission, remedyNone, "OPERATION_TOO_LARGE", "", "View All"},
		{"too large 403", 403, errorList("OPERATION_TOO_LARGE", "query too large"), fault.Permission, remedyNone, "OPERATION_TOO_LARGE", "", "View All"},
		{"bulk jobs of a day", 400, errorList("LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached"), fault.Quota, remedyNone, "LIMIT_EXCEEDED", "10000", "of the last 24 hours"},
		{"another bulk limit", 400, errorList("LIMIT_EXCEEDED", "too many batches in the queue"), fault.RateLimited, remedyNone, "LIMIT_EXCEEDED", "", ""},
		{"bulk object", 400, errorList("INVALIDENTITY", "Entity 'CaseStatus' is not supported by the Bulk API."), fault.Config, remedyNone, "INVALIDENTITY", "CaseStatus", "REST instead"},
		{"bulk field", 400, errorList("API_ERROR", "Selecting compound data not supported in Bulk Query"), fault.Config, remedyNone, "API_ERROR", "", "REST instead"},
		{"bulk feature", 400, errorList("FeatureNotEnabled", "Bulk API is not enabled for this user"), fault.Config, remedyNone, "FeatureNotEnabled", "", "REST instead"},
		{"bulk job", 400, errorList("INVALIDJOB", "x"), fault.Internal, remedyNone, "INVALIDJOB", "", ""},
		{"results too early", 412, errorList("JOB_NOT_COMPLETE", "The job is not complete"), fault.Transient, remedyNone, "JOB_NOT_COMPLETE", "", ""},
		{"no results", 400, errorList("INVALIDJOBSTATE", "The job has no results"), fault.Stale, remedyNone, "INVALIDJOBSTATE", "", "anew"},
		{"job runs", 400, errorList("API_ERROR", "the job is not terminated"), fault.Transient, remedyNone, "API_ERROR", "", ""},
		{"job of another version", 409, errorList("API_ERROR", "Results must be got with the version of the job"), fault.Internal, remedyNone, "API_ERROR", "", "defect"},
		{"complicated", 400, errorList("QUERY_TOO_COMPLICATED", "too many joins"), fault.Config, remedyNone, "QUERY_TOO_COMPLICATED", "", "fewer"},
		{"range", 400, errorList("NUMBER_OUTSIDE_VALID_RANGE", "x"), fault.Internal, remedyNone, "NUMBER_OUTSIDE_VALID_RANGE", "", ""},
		{"operator", 400, errorList("INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: zzz"), fault.Internal, remedyNone, "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field", ""},
		{"ids", 400, errorList("EXCEEDED_ID_LIMIT", "x"), fault.Internal, remedyNone, "EXCEEDED_ID_LIMIT", "", ""},
		{"replication date", 400, errorList("INVALID_REPLICATION_DATE", "x"), fault.Internal, remedyNone, "INVALID_REPLICATION_DATE", "", ""},
		{"parameter", 400, errorList("ILLEGAL_QUERY_PARAMETER_VALUE", "x"), fault.Internal, remedyNone, "ILLEGAL_QUERY_PARAMETER_VALUE", "", ""},
		{"txn security", 400, errorList("TXN_SECURITY_METERING_ERROR", "x"), fault.Permission, remedyNone, "TXN_SECURITY_METERING_ERROR", "", "Exempt from Transaction Security"},
		{"day quota", 403, errorList("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), fault.Quota, remedyNone, "REQUEST_LIMIT_EXCEEDED", "", "24 hours"},
		{"concurrent", 403, errorList("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."), fault.RateLimited, remedyNone, "REQUEST_LIMIT_EXCEEDED", "", ""},
		{"concurrent long", 403, errorList("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."), fault.RateLimited, remedyNone, "REQUEST_LIMIT_EXCEEDED", "", ""},
		{"api off org", 403, errorList("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization."), fault.Permission, remedyNone, "API_DISABLED_FOR_ORG", "", "API Enabled"},
		{"api off user", 403, errorList("API_CURRENTLY_DISABLED", "API is disabled for this User"), fault.Permission, remedyNone, "API_CURRENTLY_DISABLED", "", "API Enabled"},
		{"access", 403, errorList("INSUFFICIENT_ACCESS", "x"), fault.Permission, remedyNone, "INSUFFICIENT_ACCESS", "", "permission set"},
		{"access or readonly", 403, errorList("INSUFFICIENT_ACCESS_OR_READONLY", "x"), fault.Permission, remedyNone, "INSUFFICIENT_ACCESS_OR_READONLY", "", ""},
		{"forbidden", 403, errorList("FORBIDDEN", "x"), fault.Permission, remedyNone, "FORBIDDEN", "", ""},
		{"403 unknown", 403, errorList("SOMETHING_NEW", "no"), fault.Permission, remedyNone, "SOMETHING_NEW", "", ""},
		{"not found", 404, errorList("NOT_FOUND", "The requested resource does not exist"), fault.NotFound, remedyNone, "NOT_FOUND", "", ""},
		{"404 empty", 404, "", fault.NotFound, remedyNone, CodeBrokenBody, "", ""},
		{"404 html", 404, html, fault.Transient, remedyNone, CodeNotJSON, "HTML page", ""},
		{"deleted", 404, errorList("ENTITY_IS_DELETED", "entity is deleted"), fault.NotFound, remedyNone, "ENTITY_IS_DELETED", "", ""},
		{"deleted 400", 400, errorList("ENTITY_IS_DELETED", "entity is deleted"), fault.NotFound, remedyNone, "ENTITY_IS_DELETED", "", ""},
		{"method", 405, errorList("METHOD_NOT_ALLOWED", "x"), fault.Internal, remedyNone, "METHOD_NOT_ALLOWED", "", ""},
		{"media type", 415, "", fault.Internal, remedyNone, CodeBrokenBody, "", ""},
		{"conflict", 409, errorList("OTHER", "x"), fault.Internal, remedyNone, "OTHER", "", ""},
		{"precondition", 412, "{}", fault.Internal, remedyNone, "", "412", ""},
		{"428", 428, "{}", fault.Internal, remedyNone, "", "428", ""},
		{"gone", 410, errorList("GONE", "retired"), fault.Internal, remedyNone, "GONE", "", "API version"},
		{"410 bare", 410, "{}", fault.Internal, remedyNone, "", "", "API version"},
		{"unsupported version", 404, errorList("UNSUPPORTED_API_VERSION", "x"), fault.Internal, remedyNone, "UNSUPPORTED_API_VERSION", "", "API version"},
		{"uri", 414, errorList("URI_TOO_LONG", "x"), fault.Internal, remedyNone, "URI_TOO_LONG", "", ""},
		{"uri html", 414, html, fault.Internal, remedyNone, CodeNotJSON, "", ""},
		{"headers", 431, "", fault.Internal, remedyNone, CodeBrokenBody, "", ""},
		{"entity", 413, "", fault.Internal, remedyNone, CodeBrokenBody, "", ""},
		{"edge 420", 420, "", fault.Transient, remedyNobody, CodeBrokenBody, "420", "instance_url"},
		{"edge 420 html", 420, html, fault.Transient, remedyNobody, CodeNotJSON, "420", "instance_url"},
		{"406", 406, "", fault.Transient, remedyNone, CodeBrokenBody, "406 Not Acceptable with an empty body", ""},
		{"408", 408, "", fault.Transient, remedyNone, CodeBrokenBody, "", ""},
		{"429", 429, "", fault.RateLimited, remedyNone, CodeBrokenBody, "", ""},
		{"500", 500, errorList("UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support"), fault.Transient, remedyNone, "UNKNOWN_EXCEPTION", "ErrorId", ""},
		{"500 bare", 500, "", fault.Transient, remedyNone, CodeBrokenBody, "", ""},
		{"502 html", 502, html, fault.Transient, remedyNone, CodeNotJSON, "502 Bad Gateway with an HTML page", "status.salesforce.com"},
		{"503", 503, errorList("SERVER_UNAVAILABLE", "Server too busy"), fault.Transient, remedyNone, "SERVER_UNAVAILABLE", "Server too busy", ""},
		{"503 empty", 503, "", fault.Transient, remedyNone, CodeBrokenBody, "", ""},
		{"504", 504, html, fault.Transient, remedyNone, CodeNotJSON, "", ""},
		{"599", 599, html, fault.Transient, remedyNone, CodeNotJSON, "", ""},
		{"507 json", 507, "{}", fault.Transient, remedyNone, "", "", ""},
		{"lock 400", 400, errorList("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access"), fault.Transient, remedyNone, "UNABLE_TO_LOCK_ROW", "", ""},
		{"lock 409", 409, errorList("UNABLE_TO_LOCK_ROW", "x"), fault.Transient, remedyNone, "UNABLE_TO_LOCK_ROW", "", ""},
		{"301", 301, html, fault.Transient, remedyMoved, CodeNotJSON, "", "instance_url"},
		{"302", 302, "", fault.Transient, remedyMoved, CodeBrokenBody, "", ""},
		{"url not reset", 303, errorList("URL_NOT_RESET", "x"), fault.Transient, remedyMoved, "URL_NOT_RESET", "", ""},
		{"300", 300, `["/services/data/x"]`, fault.Internal, remedyNone, CodeBrokenBody, "", ""},
		{"200 html", 200, html, fault.Transient, remedyNone, CodeNotJSON, "200 OK with an HTML page", ""},
		{"200 empty", 200, "", fault.Transient, remedyNone, CodeBrokenBody, "200 OK with an empty body", ""},
		{"200 other json", 200, `{"a":1}`, fault.Transient, remedyNone, CodeNotJSON, "", ""},
		{"200 error list", 200, errorList("QUERY_TIMEOUT", "x"), fault.Transient, remedyNone, "QUERY_TIMEOUT", "", ""},
		{"400 unknown", 400, errorList("SOMETHING_NEW", "what"), fault.Internal, remedyNone, "SOMETHING_NEW", "what", ""},

		{"object", 404, `{"errorCode":"NOT_FOUND","message":"gone"}`, fault.NotFound, remedyNone, "NOT_FOUND", "gone", ""},
		{"pretty list", 400, "[ {\n  \"message\" : \"bad\",\n  \"errorCode\" : \"INVALID_TYPE\"\n} ]", fault.Config, remedyNone, "INVALID_TYPE", "bad", ""},
		{"byte order mark", 400, "\ufeff" + errorList("INVALID_TYPE", "bad"), fault.Config, remedyNone, "INVALID_TYPE", "bad", ""},
		{"bulk object", 400, `{"exceptionCode":"INVALID_TYPE","exceptionMessage":"bad"}`, fault.Config, remedyNone, "INVALID_TYPE", "bad", ""},
		{"oauth object", 400, `{"error":"invalid_grant","error_description":"expired access/refresh token"}`, fault.Internal, remedyNone, "invalid_grant", "expired access/refresh token", ""},
		{"xml", 401, `<?xml version="1.0"?><Errors><Error><errorCode>INVALID_SESSION_ID</errorCode><message>Session expired or invalid</message></Error></Errors>`, fault.Stale, remedyRefresh, "INVALID_SESSION_ID", "Session expired", ""},
		{"bulk xml", 400, `<error xmlns="x"><exceptionCode>InvalidSessionId</exceptionCode><exceptionMessage>Invalid session id</exceptionMessage></error>`, fault.Stale, remedyRefresh, "INVALID_SESSION_ID", "Invalid session id", ""},
		{"cut list", 403, errorList("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")[:70], fault.Quota, remedyNone, "REQUEST_LIMIT_EXCEEDED", "", ""},
		{"cut list with message", 403, `[{"message":"ConcurrentRequests Limit \"x\" exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"`, fault.RateLimited, remedyNone, "REQUEST_LIMIT_EXCEEDED", "Concurrent", ""},
		{"cut early", 400, `[{"messa`, fault.Transient, remedyNone, CodeBrokenBody, "cut short", ""},
		{"nul and junk", 400, "\x00\x01\xff", fault.Transient, remedyNone, CodeNotJSON, "text that is not JSON", ""},
	} {
		e, cure := sortAnswer("query Case", c.status, http.Header{"X-Request-Id": {"abc"}}, []byte(c.body))
		require.Equal(t, c.kind, e.Kind, c.name)
		require.Equal(t, c.cure, cure, c.name)
		require.Equal(t, c.code, e.Code, c.name)
		require.Contains(t, e.Message, c.says, c.name)
		require.Contains(t, e.Hint, c.hints, c.name)
		require.NotEmpty(t, e.Hint, c.name)
		require.Equal(t, "abc", e.RequestID, c.name)
		require.NotContains(t, e.Error(), "secret page text", c.name)
		require.NotContains(t, e.Error(), "SELECT", "the query stays out of the message")
	}
}

func TestSortWaits(t *testing.T) {
	t.Parallel()
	date := "Mon, 23 Nov 2026 10:00:00 GMT"
	for _, c := range []struct {
		header http.Header
		status int
		body   string
		want   time.Duration
	}{
		{nil, 403, errorList("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), time.Hour},
		{http.Header{"Retry-After": {"7"}}, 429, "", 7 * time.Second},
		{http.Header{"Retry-After": {"Mon, 23 Nov 2026 10:02:00 GMT"}, "Date": {date}}, 503, "", 2 * time.Minute},
		{http.Header{"Retry-After": {"Mon, 23 Nov 2026 09:00:00 GMT"}, "Date": {date}}, 503, "", 30 * time.Second},
		{http.Header{"Retry-After": {"999999999"}}, 429, "", 24 * time.Hour},
		{http.Header{"Retry-After": {"-5"}}, 429, "", 30 * time.Second},
		{http.Header{"Retry-After": {"soon"}}, 429, "", 30 * time.Second},
	} {
		if c.header == nil {
			c.header = http.Header{}
		}
		require.Equal(t, c.want, Sort("x", c.status, c.header, []byte(c.body)).RetryAfter, c.header)
	}
}

// Every rule can be reached by some answer: none stands behind one that takes it all.
func TestEveryRuleCanMatch(t *testing.T) {
	t.Parallel()
	for i, r := range rules {
		status, code := 400, ""
		if len(r.status) > 0 {
			status = r.status[0]
		}
		if len(r.codes) > 0 {
			code = r.codes[0]
		}
		got := findRule(status, bodyError{code, r.text})
		require.Equal(t, r.kind, got.kind, i)
		require.Equal(t, r.hint, got.hint, i)
		require.Equal(t, r.wait, got.wait, i)
	}
}

func TestMessagesKeepSecretsAndStayShort(t *testing.T) {
	t.Parallel()
	token := "00DdM00000vFGtU!AQEAQ.x_y!z" + strings.Repeat("A", 50)
	e := Sort("query Case", 400, http.Header{}, []byte(errorList("MALFORMED_QUERY", "token "+token+" "+strings.Repeat("x", 5000)+"\x00\n\tend")))
	require.NotContains(t, e.Error(), "AQEAQ")
	require.Contains(t, e.Error(), "<secret>")
	require.Less(t, len(e.Error()), 500)
	require.NotContains(t, e.Error(), "\n")

	e = Sort("query Case", 400, http.Header{}, []byte(errorList(strings.Repeat("C", 5000), "x")))
	require.Less(t, len(e.Error()), 500)
}

func TestMissingColumn(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("poll: %w", Sort("query Case", 400, http.Header{}, []byte(errorList("INVALID_FIELD", noSuchColumn))))
	column, entity, ok := MissingColumn(err)
	require.True(t, ok)
	require.Equal(t, "Foo", column)
	require.Equal(t, "Case", entity)

	column, entity, ok = MissingColumn(Sort("", 400, http.Header{}, []byte(errorList("INVALID_FIELD", "No such column 'A__c' on sobject of type Account"))))
	require.True(t, ok)
	require.Equal(t, []string{"A__c", "Account"}, []string{column, entity})

	for _, other := range []error{nil, errors.New("No such column 'Foo' on entity 'Case'"), Sort("", 400, http.Header{}, []byte(errorList("INVALID_FIELD", "duplicate field selected: Id")))} {
		_, _, ok := MissingColumn(other)
		require.False(t, ok)
	}
}

func TestTooBroad(t *testing.T) {
	t.Parallel()
	require.True(t, TooBroad(fmt.Errorf("x: %w", Sort("", 400, http.Header{}, []byte(errorList("QUERY_TIMEOUT", "x"))))))
	require.False(t, TooBroad(Sort("", 500, http.Header{}, nil)))
	require.False(t, TooBroad(nil))
}

func FuzzSort(f *testing.F) {
	f.Add(400, errorList("INVALID_FIELD", noSuchColumn))
	f.Add(503, "<html>")
	f.Add(200, `{"error":{"a":1},"message":5}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		e := Sort("x", status, http.Header{}, []byte(body))
		require.NotEmpty(t, e.Kind)
		require.NotEmpty(t, e.Message)
		require.Less(t, len(e.Error()), 3000)
	})
}
