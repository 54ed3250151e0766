package simforce

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Fault is a broken answer for coming requests.
type Fault struct {
	// Method, PathPrefix and Contains select requests; empty ones match all.
	// Contains is looked for in the decoded query string, in the URLs of the parts of
	// a composite request and in the query of a new bulk job, so "FROM Case" selects
	// the queries of one object.
	Method     string `json:"method,omitempty"`
	PathPrefix string `json:"path_prefix,omitempty"`
	Contains   string `json:"contains,omitempty"`
	// Times is how many requests it hits; 0 means one.
	Times int `json:"times,omitempty"`
	// Class is a name of FaultClasses and stands for the answer below. A class
	// that damages the true answer does the work in any case.
	Class string `json:"class,omitempty"`
	// DelayMS holds the request back first, by the wall clock. With nothing else
	// given the request is then answered as usual.
	DelayMS int `json:"delay_ms,omitempty"`
	// Status, Headers and Body are the answer.
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	// Stage "before" (default) answers instead of doing the work; "after" does
	// the work first and then gives this answer: a refresh has rotated, a record
	// is written, and the client does not learn of it.
	Stage string `json:"stage,omitempty"`
	// Drop closes the connection without an answer.
	Drop bool `json:"drop,omitempty"`
}

func (f Fault) check() error {
	switch {
	case !slices.Contains([]string{"", "before", "after"}, f.Stage):
		return fmt.Errorf("stage must be before or after, not %q", f.Stage)
	case f.Class != "" && (f.Drop || f.Status != 0 || f.Body != "" || faultClass(f.Class) == nil):
		return fmt.Errorf("class %q must be one of GET /_sim/faults/classes, and stand without status, body and drop", f.Class)
	case f.DelayMS < 0:
		return fmt.Errorf("delay_ms must not be negative")
	case f.Class == "" && !f.Drop && !f.passes() && (f.Status < 100 || f.Status > 599):
		return fmt.Errorf("status must be 100 to 599 unless drop is set, not %d", f.Status)
	case f.Times < 0:
		return fmt.Errorf("times must not be negative")
	}
	return nil
}

// passes tells a mere delay.
func (f *Fault) passes() bool {
	return f.DelayMS > 0 && f.Status == 0 && !f.Drop && f.Class == ""
}

func (f *Fault) matches(r *http.Request, kind string) bool {
	if f.Method != "" && !strings.EqualFold(f.Method, r.Method) || !strings.HasPrefix(r.URL.Path, f.PathPrefix) {
		return false
	}
	if f.Contains == "" {
		return true
	}
	return strings.Contains(faultText(r, kind), f.Contains)
}

func (f *Fault) write(w http.ResponseWriter) {
	if f.Drop {
		panic(http.ErrAbortHandler) // net/http closes the connection quietly
	}
	for name, value := range f.Headers {
		w.Header().Set(name, value)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	}
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body) //nolint:gosec // what a test wants to be sent; the client may be gone
}

// faults are the answers waiting to be given, first come first served.
type faults struct {
	mu   sync.Mutex
	list []*Fault
}

func (fs *faults) take(r *http.Request, kind string) *Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fits := func(f *Fault) bool {
		class := faultClass(f.Class)
		return f.matches(r, kind) && (class == nil || class.hits(r.URL.Path, kind))
	}
	i := slices.IndexFunc(fs.list, fits)
	if i < 0 {
		return nil
	}
	f := *fs.list[i]
	if fs.list[i].Times--; fs.list[i].Times <= 0 {
		fs.list = slices.Delete(fs.list, i, i+1)
	}
	return &f
}

// FailNext makes coming requests fail as f says, after faults already waiting.
func (s *Server) FailNext(f Fault) error {
	if err := f.check(); err != nil {
		return err
	}
	f.Times = max(f.Times, 1)
	if f.Stage == "" {
		f.Stage = "before"
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, &f)
	return nil
}

// Faults returns the faults still waiting.
func (s *Server) Faults() []Fault {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	out := []Fault{}
	for _, f := range s.faults.list {
		out = append(out, *f)
	}
	return out
}

// ClearFaults forgets the faults still waiting.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}
