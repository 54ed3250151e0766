package deliver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// stub is a tenant as it is documented, which does what it is told beside that.
type stub struct {
	t      *testing.T
	server *httptest.Server

	mu       sync.Mutex
	comments map[string]string // id → body
	raw      map[string]json.RawMessage
	newest   map[string]int // id → highest number seen as a body
	calls    int            // but those for statistics
	deletes  int
	order    []string // ids as they came, of numbered bodies that went back
	// before answers in the stub's place, if it returns true; after does so once the call has been acted on.
	before, after func(call int, w http.ResponseWriter, r *http.Request, ids []string) bool
	refuse        func(id, body string) string // the message for a comment that is refused; "" = it is not
	strict        bool                         // deletes of unknown ids are 404
}

const stubPath = "/acme/prod/reinfer_/api/v1/sources/cm.project%2Fmail"

func newStub(t *testing.T) *stub {
	s := &stub{t: t, comments: map[string]string{}, raw: map[string]json.RawMessage{}, newest: map[string]int{}}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest, known := strings.CutPrefix(r.URL.EscapedPath(), stubPath)
	if rest != "/statistics" {
		s.calls++
	}
	if !known {
		s.t.Errorf("a call to %s", r.URL)
	}
	if got := r.Header.Get("Authorization"); !strings.HasPrefix(got, "Bearer re_") {
		s.t.Errorf("Authorization is %q", got)
	}
	var ids, bodies []string
	var raws []json.RawMessage
	switch rest {
	case "/sync":
		var body struct {
			Comments []json.RawMessage `json:"comments"`
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(raw, &body) != nil || len(body.Comments) == 0 || len(body.Comments) > 128 || r.URL.RawQuery != "no_charge=false" {
			s.t.Errorf("a bad sync: %v %s", err, raw)
		}
		for _, raw := range body.Comments {
			var c struct {
				ID       string `json:"id"`
				Messages []struct {
					Body struct {
						Text string `json:"text"`
					} `json:"body"`
				} `json:"messages"`
			}
			_ = json.Unmarshal(raw, &c)
			ids, bodies, raws = append(ids, c.ID), append(bodies, c.Messages[0].Body.Text), append(raws, raw)
		}
	case "/comments":
		if ids = r.URL.Query()["id"]; r.Method != http.MethodDelete || len(ids) == 0 || len(ids) > 32 {
			s.t.Errorf("a bad delete: %s", r.URL)
		}
	}
	if s.before != nil && s.before(s.calls, w, r, ids) {
		return
	}
	answer := `{"status":"ok"}`
	switch rest {
	case "/sync":
		for i, id := range ids {
			if s.refuse != nil {
				if message := s.refuse(id, bodies[i]); message != "" {
					w.WriteHeader(http.StatusBadRequest)
					fmt.Fprintf(w, `{"status":"error","message":%q}`, message)
					return
				}
			}
		}
		n, updated := 0, 0
		for i, id := range ids {
			before, there := s.comments[id]
			switch {
			case !there:
				n++
			case before != bodies[i]:
				updated++
			}
			s.comments[id], s.raw[id] = bodies[i], raws[i]
			if number, err := strconv.Atoi(bodies[i]); err == nil {
				if number < s.newest[id] {
					s.order = append(s.order, id)
				}
				s.newest[id] = max(s.newest[id], number)
			}
		}
		answer = fmt.Sprintf(`{"status":"ok","new":%d,"updated":%d,"unchanged":%d,"updated_properties_only":0,"updated_text_changed":%d}`,
			n, updated, len(ids)-n-updated, updated)
	case "/comments":
		for _, id := range ids {
			if _, there := s.comments[id]; !there && s.strict {
				w.WriteHeader(http.StatusNotFound)
				fmt.Fprintf(w, `{"status":"error","message":"there is no comment %s"}`, id)
				return
			}
		}
		for _, id := range ids {
			delete(s.comments, id)
			s.deletes++
		}
	case "/statistics":
		answer = fmt.Sprintf(`{"status":"ok","statistics":{"num_comments":%d}}`, len(s.comments))
	default:
		s.t.Errorf("a call to %s", r.URL)
	}
	if s.after != nil && s.after(s.calls, w, r, ids) {
		return
	}
	_, _ = io.WriteString(w, answer)
}

// has is what the stub has.
func (s *stub) has() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for id, body := range s.comments {
		out[id] = body
	}
	return out
}

// set changes how the stub behaves.
func (s *stub) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// fails is a before or after that answers with a status and a body.
func fails(status int, body string, header ...string) func(int, http.ResponseWriter, *http.Request, []string) bool {
	return func(_ int, w http.ResponseWriter, _ *http.Request, _ []string) bool {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// breaks is one that ends the connection in the middle of an answer.
func breaks(_ int, w http.ResponseWriter, _ *http.Request, _ []string) bool {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"status":"ok","new":`)
	panic(http.ErrAbortHandler)
}
