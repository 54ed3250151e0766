package simforce

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// keptRequests is how many requests the log holds.
const keptRequests = 2000

// Request is one line of the request log. It holds no token and no body.
type Request struct {
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	SOQL   string    `json:"soql,omitempty"`
	Status int       `json:"status"`
	Kind   string    `json:"kind"`
}

// Counters say how often each kind of request came, all in all and refused
// (status 400 and above).
type Counters struct {
	Kinds   map[string]int `json:"kinds"`
	Refused map[string]int `json:"refused"`
	Total   int            `json:"total"`
	// Faults are the faults that were given, by class: those of FaultClasses,
	// "custom" for answers of Fault without one, "delay", "maintenance",
	// "wrong_host" and "concurrent". Null while there was none.
	Faults map[string]int `json:"faults,omitempty"`
	// Pages are the pages of bulk results that were asked for, by "job locator maxRecords",
	// as they were given.
	Pages map[string]PageCount `json:"pages,omitempty"`
}

// PageCount says how often a page of a bulk result was asked for, and how often it was
// answered to its last row: neither a damaged answer counts nor one whose client hung up.
type PageCount struct {
	Asked int `json:"asked"`
	Whole int `json:"whole"`
}

type counters struct {
	mu  sync.Mutex
	c   Counters
	log []Request
}

func (cs *counters) init() {
	cs.c = Counters{Kinds: map[string]int{}, Refused: map[string]int{}}
	cs.log = nil
}

// page counts a page of a bulk result that was asked for, or one that was answered whole.
func (cs *counters) page(name string, whole bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.c.Pages == nil {
		cs.c.Pages = map[string]PageCount{}
	}
	c := cs.c.Pages[name]
	if whole {
		c.Whole++
	} else {
		c.Asked++
	}
	cs.c.Pages[name] = c
}

func (cs *counters) fault(class string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.c.Faults == nil {
		cs.c.Faults = map[string]int{}
	}
	cs.c.Faults[class]++
}

// unfault takes back a fault that found nothing to damage.
func (cs *counters) unfault(class string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.c.Faults[class]--; cs.c.Faults[class] == 0 {
		delete(cs.c.Faults, class)
	}
}

func (cs *counters) add(kind string, status int, r *http.Request, at time.Time, soql string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.c.Total++
	cs.c.Kinds[kind]++
	if status >= 400 {
		cs.c.Refused[kind]++
	}
	if len(cs.log) >= 2*keptRequests {
		cs.log = slices.Clone(cs.log[keptRequests:])
	}
	if strings.HasPrefix(kind, "query") {
		q, _ := url.ParseQuery(r.URL.RawQuery)
		soql = q.Get("q")
	}
	cs.log = append(cs.log, Request{at, r.Method, r.URL.Path, soql, status, kind})
}

// kindOf names what a request is for: query, query_more, describe,
// describe_global, retrieve, create, update, delete, updated, deleted, limits,
// composite, batch, bulk_create, bulk_list, bulk_get, bulk_abort, bulk_delete,
// bulk_results, bulk_pages, versions, authorize, token_code, token_refresh, token,
// revoke, introspect, userinfo, identity, other.
func kindOf(r *http.Request) string {
	path := r.URL.Path
	if name, ok := strings.CutPrefix(path, "/services/oauth2/"); ok {
		if name != "token" {
			return name
		}
		r.Body = http.MaxBytesReader(nil, r.Body, 1<<20)
		if err := r.ParseForm(); err == nil {
			switch r.PostForm.Get("grant_type") {
			case "authorization_code":
				return "token_code"
			case "refresh_token":
				return "token_refresh"
			}
		}
		return "token"
	}
	rest, ok := strings.CutPrefix(path, "/services/data")
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	switch {
	case strings.HasPrefix(path, "/id/"):
		return "identity"
	case !ok:
		return "other"
	case parts[0] == "":
		return "versions"
	case len(parts) == 1:
		return "resources"
	}
	switch head, n := parts[1], len(parts); {
	case head == "query" || head == "queryAll":
		if n == 3 {
			return "query_more"
		}
		return "query"
	case head == "composite" && n == 3:
		return parts[2]
	case head == "jobs":
		return jobKind(r.Method, parts)
	case head != "sobjects":
		return head
	case n == 2:
		return "describe_global"
	case n == 4 && slices.Contains([]string{"describe", "updated", "deleted"}, parts[3]):
		return parts[3]
	}
	switch r.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPatch:
		return "update"
	case http.MethodDelete:
		return "delete"
	}
	return "retrieve"
}

// jobKind is kindOf for /jobs/query/….
func jobKind(method string, parts []string) string {
	switch n := len(parts); {
	case n == 5 && parts[4] == "results":
		return "bulk_results"
	case n == 5:
		return "bulk_pages"
	case n == 3 && method == http.MethodPost:
		return "bulk_create"
	case n == 3:
		return "bulk_list"
	case method == http.MethodPatch:
		return "bulk_abort"
	case method == http.MethodDelete:
		return "bulk_delete"
	}
	return "bulk_get"
}

// Counters returns a copy of the counts since the start or the last reset.
func (s *Server) Counters() Counters {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	c := s.counters.c
	c.Kinds, c.Refused, c.Faults, c.Pages = maps.Clone(c.Kinds), maps.Clone(c.Refused), maps.Clone(c.Faults), maps.Clone(c.Pages)
	return c
}

// ResetCounters sets all counts to zero and empties the request log.
func (s *Server) ResetCounters() {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	s.counters.init()
}

// Requests returns the latest requests, oldest first, at most two thousand.
func (s *Server) Requests() []Request {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	log := s.counters.log
	return slices.Clone(log[max(0, len(log)-keptRequests):])
}
