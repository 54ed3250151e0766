package salesforce

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/fault"
)

// remedy is what the client itself may do about an answer, once.
type remedy int

const (
	remedyNone    remedy = iota
	remedyRefresh        // the session died: a newer token may help
	remedyMoved          // wrong host: a newer instance URL may help
	remedyNobody         // nobody there: perhaps the wrong host
	remedyAgain          // a damaged text: the same answer once more is most likely whole
)

// Codes that this package gives where Salesforce gave none.
const (
	CodeNotJSON          = "NOT_JSON"           // a page for people, or other text, where JSON should be
	CodeBrokenBody       = "BROKEN_BODY"        // JSON or gzip cut short, or empty
	CodeResponseTooLarge = "RESPONSE_TOO_LARGE" // more bytes than Options.MaxBody
	CodeSilent           = "SILENT"             // no byte for Options.IdleTimeout
	CodeNotUTF8          = "NOT_UTF8"           // the text is not in the charset that it says
	CodeJobNotComplete   = "JOB_NOT_COMPLETE"   // 204 instead of results; Salesforce's own code where it says one
)

// rule sorts one kind of answer. Empty members match everything; text is looked
// for in the message, in lower case.
type rule struct {
	status []int
	codes  []string
	text   string

	kind   fault.Kind
	remedy remedy
	wait   time.Duration
	hint   string
}

const (
	hintBug        = "this is a defect of the integration; report it with the request id"
	hintFieldRead  = "check the spelling of the API name; if it is right, give the integration user Read Access to the field in a permission set (Object Settings, Field Permissions)"
	hintObjectRead = "check the spelling of the API name; if it is right, give the integration user Read and View All on the object in a permission set"
	hintAPI        = "give the integration user the permission API Enabled, and check that the org's edition and the app's policies allow the REST API"
	hintSession    = "nothing to do unless it lasts; if it does, check the integration user and the app's session policies, then connect again"
	hintBulk       = "Bulk API 2.0 cannot do this; it is done over REST instead"
	hintPassing    = "nothing to do unless it lasts; then look at status.salesforce.com"
)

// rules is read from the top and the first match decides. Codes come before
// statuses, because Salesforce sends the same status for very different things.
var rules = []rule{
	// --- session and access to the API
	{codes: []string{"INVALID_SESSION_ID"}, text: "not valid for use with the rest api", kind: fault.Permission,
		hint: "the session may not use the REST API: check the app's IP relaxation and the trusted IP ranges against this machine's address, and " + hintAPI},
	{codes: []string{"INVALID_SESSION_ID"}, text: "not attached to agent", kind: fault.Permission,
		hint: "an administrator must allow this app for the integration user in Salesforce Setup"},
	{codes: []string{"INVALID_SESSION_ID", "INVALID_AUTH_HEADER", "INVALID_JWT_FORMAT", "BAD_OAUTH_TOKEN"},
		kind: fault.Stale, remedy: remedyRefresh, hint: hintSession},
	{codes: []string{"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"}, kind: fault.Permission, hint: hintAPI},
	{codes: []string{"TXN_SECURITY_METERING_ERROR"}, kind: fault.Permission,
		hint: "a transaction security policy of the org stopped the query: give the integration user Exempt from Transaction Security"},
	{codes: []string{"INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY", "FORBIDDEN"}, kind: fault.Permission,
		hint: "give the integration user Read and View All on the object, and Read Access to its fields, in a permission set"},

	// --- limits
	{codes: []string{"REQUEST_LIMIT_EXCEEDED"}, text: "concurrent", kind: fault.RateLimited, wait: 15 * time.Second,
		hint: "the org runs too many long API calls at once; the integration waits and goes on"},
	{status: []int{429}, codes: []string{"REQUEST_LIMIT_EXCEEDED"}, kind: fault.RateLimited, wait: 30 * time.Second, hint: hintPassing},
	{codes: []string{"REQUEST_LIMIT_EXCEEDED"}, kind: fault.Quota, wait: time.Hour,
		hint: "the org's API requests of the last 24 hours are used up; the integration goes on by itself when some are free again"},

	{codes: []string{"LIMIT_EXCEEDED", "EXCEEDEDQUOTA"}, text: "24 h", kind: fault.Quota, wait: time.Hour,
		hint: "the org's bulk query jobs, or the room for their results, of the last 24 hours are used up; loading goes on by itself when some are free again"},
	{codes: []string{"LIMIT_EXCEEDED", "EXCEEDEDQUOTA"}, kind: fault.RateLimited, wait: time.Minute, hint: hintPassing},

	// --- bulk jobs
	{codes: []string{CodeJobNotComplete}, kind: fault.Transient, wait: 5 * time.Second, hint: "the job is looked at again"},
	{codes: []string{"INVALIDJOBSTATE"}, kind: fault.Stale, hint: "the job is made anew"},
	{codes: []string{"API_ERROR"}, text: "not terminated", kind: fault.Transient, wait: 5 * time.Second, hint: "the job is ended again later"},
	{codes: []string{"API_ERROR"}, text: "not supported", kind: fault.Config, hint: hintBulk},
	{codes: []string{"INVALIDENTITY", "FEATURENOTENABLED"}, kind: fault.Config, hint: hintBulk},
	{codes: []string{"INVALIDJOB"}, kind: fault.Internal, hint: hintBug},

	// --- queries
	{codes: []string{"MALFORMED_QUERY"}, text: "implementation restriction", kind: fault.Config,
		hint: "Salesforce answers for this object only with the filter named here: give the integration user View All Data, add it to the condition, or leave the object out"},
	{codes: []string{"MALFORMED_QUERY"}, text: "reified column", kind: fault.Config,
		hint: "this object cannot be read as a whole; leave it out"},
	{codes: []string{"MALFORMED_QUERY"}, kind: fault.Internal, hint: hintBug},
	{codes: []string{"INVALID_FIELD"}, text: "no such column", kind: fault.Config, hint: hintFieldRead},
	{codes: []string{"INVALID_FIELD"}, text: "no such relation", kind: fault.Config, hint: hintFieldRead},
	{codes: []string{"INVALID_FIELD"}, text: "didn't understand relationship", kind: fault.Config, hint: hintFieldRead},
	{codes: []string{"INVALID_FIELD"}, kind: fault.Internal, hint: hintBug},
	{codes: []string{"INVALID_TYPE"}, kind: fault.Config, hint: hintObjectRead},
	{codes: []string{"INVALID_QUERY_LOCATOR"}, kind: fault.Stale, hint: "the query is started again from where it stood"},
	{codes: []string{"QUERY_TIMEOUT"}, kind: fault.Transient, hint: "a smaller window of time is tried; if that does not help, select fewer fields or make the condition more selective"},
	{codes: []string{"OPERATION_TOO_LARGE"}, kind: fault.Permission,
		hint: "the query is too large for the user's sharing rules: give the integration user View All on the object"},
	{codes: []string{"QUERY_TOO_COMPLICATED"}, kind: fault.Config, hint: "select fewer formula fields and parent paths of this object"},
	{codes: []string{"NUMBER_OUTSIDE_VALID_RANGE", "INVALID_QUERY_FILTER_OPERATOR", "EXCEEDED_ID_LIMIT", "INVALID_REPLICATION_DATE", "ILLEGAL_QUERY_PARAMETER_VALUE"},
		kind: fault.Internal, hint: hintBug},

	// --- records and paths
	{codes: []string{"ENTITY_IS_DELETED"}, kind: fault.NotFound, hint: "the record was deleted in Salesforce"},
	{codes: []string{"NOT_FOUND"}, kind: fault.NotFound, hint: "it does not exist or is not visible to the integration user"},
	{codes: []string{"GONE", "UNSUPPORTED_API_VERSION"}, kind: fault.Internal, hint: "Salesforce retired this API version; update the integration"},
	{codes: []string{"METHOD_NOT_ALLOWED", "UNSUPPORTED_MEDIA_TYPE"}, kind: fault.Internal, hint: hintBug},
	{codes: []string{"URI_TOO_LONG"}, kind: fault.Internal, hint: hintBug},

	// --- passing
	{codes: []string{"UNABLE_TO_LOCK_ROW"}, kind: fault.Transient, wait: time.Second, hint: hintPassing},
	{codes: []string{"SERVER_UNAVAILABLE"}, kind: fault.Transient, wait: 30 * time.Second, hint: hintPassing},
	{codes: []string{"UNKNOWN_EXCEPTION"}, kind: fault.Transient, wait: 2 * time.Second, hint: hintPassing},
	{codes: []string{"URL_NOT_RESET"}, kind: fault.Transient, remedy: remedyMoved, hint: "the org moved to another address; check instance_url in the integration file"},

	// --- no code that is known: the status decides
	{status: []int{301, 302, 303, 307, 308}, kind: fault.Transient, remedy: remedyMoved, wait: 5 * time.Second,
		hint: "the org is at another address or in maintenance; if it lasts, check instance_url in the integration file"},
	{status: []int{401}, kind: fault.Stale, remedy: remedyRefresh, hint: hintSession},
	{status: []int{406}, kind: fault.Transient, wait: 2 * time.Second, hint: hintPassing},
	{status: []int{408}, kind: fault.Transient, wait: 2 * time.Second, hint: hintPassing},
	{status: []int{420}, kind: fault.Transient, remedy: remedyNobody, wait: 5 * time.Second, hint: "Salesforce cannot reach the org at this address; if it lasts, check instance_url in the integration file"},
	{status: []int{429}, kind: fault.RateLimited, wait: 30 * time.Second, hint: hintPassing},
	{status: []int{500}, kind: fault.Transient, wait: 2 * time.Second, hint: hintPassing},
	{status: []int{502, 503, 504}, kind: fault.Transient, wait: 30 * time.Second, hint: hintPassing},
	{status: []int{413, 414, 431}, kind: fault.Internal, hint: hintBug},
	{codes: []string{CodeNotJSON}, kind: fault.Transient, wait: 5 * time.Second, hint: hintPassing}, // not from the API, whatever the status
	{status: []int{403}, kind: fault.Permission, hint: hintAPI},
	{status: []int{404}, kind: fault.NotFound, hint: "it does not exist or is not visible to the integration user"},
	{status: []int{410}, kind: fault.Internal, hint: "Salesforce retired this API version; update the integration"},
	{status: []int{300, 405, 409, 412, 415, 428}, kind: fault.Internal, hint: hintBug},
	{codes: []string{CodeBrokenBody}, kind: fault.Transient, wait: 5 * time.Second, hint: hintPassing},
	{status: []int{400}, kind: fault.Internal, hint: hintBug},
}

// Refusal is one line of the table that sorts what Salesforce answers, for the page that explains it.
type Refusal struct {
	Codes    []string // errorCodes, any of them; none = whatever the code
	Statuses []string // HTTP statuses, any of them; none = whatever the status
	Text     string   // what the message must hold, in lower case
	Kind     fault.Kind
	Hint     string
}

// Refusals gives the table, in the order in which it is read: the first line that fits decides.
func Refusals() []Refusal {
	out := make([]Refusal, len(rules))
	for i, r := range rules {
		out[i] = Refusal{Codes: slices.Clone(r.codes), Text: r.text, Kind: r.kind, Hint: r.hint}
		for _, status := range r.status {
			out[i].Statuses = append(out[i].Statuses, strconv.Itoa(status))
		}
	}
	return out
}

// Sort makes a fault of an answer of Salesforce that is not what was asked for.
// body may be any of the shapes Salesforce and its edge send: JSON array, JSON
// object, OAuth object, XML, HTML, empty, cut short; header gives the request id and
// Retry-After. The message holds at most a short excerpt of Salesforce's message.
func Sort(op string, status int, header http.Header, body []byte) *fault.Error {
	e, _ := sortAnswer(op, status, header, body)
	return e
}

func sortAnswer(op string, status int, header http.Header, body []byte) (*fault.Error, remedy) {
	told := parseBody(header.Get("Content-Type"), body)
	if told.code == "" && status < 300 {
		told = bodyError{CodeNotJSON, "JSON of another form"}
	}
	e := &fault.Error{Op: op, Code: told.code, Message: told.message, RequestID: requestID(header)}
	if e.Message == "" {
		e.Message = fmt.Sprintf("Salesforce answered %s", statusText(status))
	}
	r := findRule(status, told)
	e.Kind, e.Hint, e.RetryAfter = r.kind, r.hint, r.wait
	if asked := retryAfter(header); asked > 0 {
		e.RetryAfter = asked
	}
	if told.code == CodeNotJSON || told.code == CodeBrokenBody {
		e.Message = fmt.Sprintf("Salesforce answered %s with %s", statusText(status), told.message)
	}
	return e, r.remedy
}

func findRule(status int, told bodyError) rule {
	message := strings.ToLower(told.message)
	for _, r := range rules {
		if len(r.status) > 0 && !slices.Contains(r.status, status) {
			continue
		}
		if len(r.codes) > 0 && !slices.Contains(r.codes, strings.ToUpper(told.code)) {
			continue
		}
		if r.text == "" || strings.Contains(message, r.text) {
			return r
		}
	}
	if status >= 500 || status < 300 { // a server's trouble, or a good status with a body of another kind
		return rule{kind: fault.Transient, wait: 5 * time.Second, hint: hintPassing}
	}
	return rule{kind: fault.Internal, hint: hintBug}
}

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return strconv.Itoa(status)
}

// requestIDs are the headers that have it, the likelier first.
var requestIDs = []string{"X-Request-Id", "X-Sfdc-Request-Id"}

// requestID returns the id under which Salesforce's support finds the call.
func requestID(h http.Header) string {
	for _, name := range requestIDs {
		if id := h.Get(name); id != "" {
			return clean(id, 64)
		}
	}
	return ""
}

// retryAfter reads seconds or a date; Salesforce rarely sends either. At most a day.
func retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	wait := time.Duration(0)
	if n, err := strconv.Atoi(v); err == nil {
		wait = time.Duration(min(n, 86400)) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		now := time.Now()
		if server, err := http.ParseTime(h.Get("Date")); err == nil {
			now = server
		}
		wait = at.Sub(now)
	}
	return min(max(wait, 0), 24*time.Hour)
}

var missingColumn = regexp.MustCompile(`(?i)No such column '([^']{1,200})' on (?:entity|sobject of type) '?([A-Za-z0-9_]+)`)

// MissingColumn names the field and the object of an INVALID_FIELD error: the field
// was removed, or hidden from the integration user, since the last describe.
func MissingColumn(err error) (column, entity string, ok bool) {
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != "INVALID_FIELD" {
		return "", "", false
	}
	m := missingColumn.FindStringSubmatch(e.Message)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// TooBroad reports whether the same query over a smaller window may succeed:
// QUERY_TIMEOUT, OPERATION_TOO_LARGE, or an answer above Options.MaxBody.
func TooBroad(err error) bool {
	var e *fault.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case "QUERY_TIMEOUT", "OPERATION_TOO_LARGE", CodeResponseTooLarge:
		return true
	}
	return false
}

// NotReady reports that a job's results were asked for too early.
func NotReady(err error) bool { return codeOf(err) == CodeJobNotComplete }

// JobGone reports that a job is not there any more, or has no results and never will: it
// expired, was deleted, failed or was aborted. Its work needs another job.
func JobGone(err error) bool {
	return fault.Is(err, fault.NotFound) || codeOf(err) == "INVALIDJOBSTATE"
}

// BulkRefuses reports, of an error of CreateQueryJob, that Bulk API 2.0 does not do what was asked
// for and another call may: it does not know the object, cannot select a field or a clause, or is
// not open to the user. Whether the query itself is right, only REST can tell.
func BulkRefuses(err error) bool {
	switch strings.ToUpper(codeOf(err)) {
	case "INVALIDENTITY", "FEATURENOTENABLED", "INVALIDJOB", "MALFORMED_QUERY":
		return true
	case "API_ERROR":
		return fault.Is(err, fault.Config)
	}
	return false
}
