package simforce

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Versions the simulator answers; below oldestVersion they are retired.
const (
	oldestVersion = 31
	newestVersion = 68
)

// maxBody is the most bytes of a request body that are read.
const maxBody = 50 << 20

// call is one authenticated request of the data API, or one part of a composite.
type call struct {
	view    view
	session *session
	version string // v66.0
	method  string
	path    []string // below /services/data/vXX.0
	query   url.Values
	header  http.Header
	body    []byte
	inner   bool // part of a composite
}

// reply is what a call gives back; body is JSON already.
type reply struct {
	status int
	header http.Header
	body   []byte
	// stream writes a body that is too long to be held, instead of body.
	stream func(io.Writer) error
	// plain leaves the body as it is for clients that take gzip too; sent, when set,
	// is called when the whole body has gone out.
	plain bool
	sent  func()
}

func ok(body []byte) *reply { return &reply{status: http.StatusOK, body: body} }

func okJSON(v any) *reply {
	body, err := json.Marshal(v)
	if err != nil {
		return failed(refuse(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", "An unexpected error occurred: %s", err))
	}
	return ok(body)
}

func failed(e *apiError) *reply { return &reply{status: e.status, body: e.body()} }

func (s *Server) serveVersions(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		send(w, r, failed(errMethod(r.Method, "GET,HEAD")))
		return
	}
	type entry struct {
		Label   string `json:"label"`
		URL     string `json:"url"`
		Version string `json:"version"`
	}
	var out []entry
	for v := oldestVersion; v <= newestVersion; v++ {
		// Three releases a year; 66.0 is Spring '26.
		release := v - 66 + 26*3
		name := []string{"Spring", "Summer", "Winter"}[release%3]
		year := release / 3
		if name == "Winter" {
			year++
		}
		out = append(out, entry{
			fmt.Sprintf("%s '%02d", name, year), fmt.Sprintf("/services/data/v%d.0", v), fmt.Sprintf("%d.0", v),
		})
	}
	send(w, r, okJSON(out))
}

// serveData authenticates, checks version and quota, and answers one call.
func (s *Server) serveData(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/services/data/"), "/")
	if e := checkVersion(parts[0]); e != nil {
		send(w, r, failed(e))
		return
	}
	sess, e := s.authenticate(r)
	if e != nil {
		send(w, r, failed(e))
		return
	}
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "xml") && !strings.Contains(accept, "json") && !strings.Contains(accept, "*/*") {
		send(w, r, failed(refuse(http.StatusNotAcceptable, "NOT_ACCEPTABLE", "The simulator answers in JSON only")))
		return
	}
	if e := s.enabled(sess); e != nil {
		send(w, r, failed(e))
		return
	}
	if e := s.quota.take(s, sess.org); e != nil {
		send(w, r, failed(e))
		return
	}
	body, e := readBody(r)
	if e != nil {
		send(w, r, failed(e))
		return
	}
	c := &call{
		view: s.view(s.org(sess.org), sess.user), session: sess, version: parts[0],
		method: r.Method, path: trimPath(parts[1:]), query: r.URL.Query(), header: r.Header, body: body,
	}
	rep := s.answer(c)
	if rep.header == nil {
		rep.header = http.Header{}
	}
	if info := s.quota.info(s, sess.org); rep.status < 400 && info != "" {
		rep.header.Set("Sforce-Limit-Info", info)
	}
	send(w, r, rep)
}

func readBody(r *http.Request) ([]byte, *apiError) {
	var in io.Reader = http.MaxBytesReader(nil, r.Body, maxBody)
	if r.Header.Get("Content-Encoding") == "gzip" && r.ContentLength != 0 {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "JSON_PARSER_ERROR", "The request body is not gzip: %s", err)
		}
		in = z
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "JSON_PARSER_ERROR", "The request body cannot be read: %s", err)
	}
	return body, nil
}

func trimPath(parts []string) []string {
	if n := len(parts); n > 0 && parts[n-1] == "" {
		parts = parts[:n-1]
	}
	return parts
}

func checkVersion(v string) *apiError {
	number, found := strings.CutPrefix(v, "v")
	whole, rest, dotted := strings.Cut(number, ".")
	n, err := strconv.Atoi(whole)
	switch {
	case !found || err != nil || !dotted || rest != "0" || n > newestVersion || n < 1:
		return errNotFound()
	case n < oldestVersion:
		return refuse(http.StatusGone, "UNSUPPORTED_API_VERSION", "API version %s is retired and no longer supported", number)
	}
	return nil
}

// answer dispatches one call by path.
func (s *Server) answer(c *call) *reply {
	head := ""
	if len(c.path) > 0 {
		head = c.path[0]
	}
	switch n := len(c.path); {
	case n == 0:
		return c.only(http.MethodGet, s.resources)
	case head == "limits" && n == 1:
		return c.only(http.MethodGet, s.limits)
	case (head == "query" || head == "queryAll") && n == 1:
		return c.only(http.MethodGet, s.query)
	case (head == "query" || head == "queryAll") && n == 2:
		return c.only(http.MethodGet, s.queryMore)
	case head == "sobjects":
		return s.sobjects(c)
	case head == "jobs" && n >= 2 && c.path[1] == "query" && !c.inner:
		return s.bulkQuery(c)
	case head == "composite" && n == 1 && !c.inner:
		return c.only(http.MethodPost, s.composite)
	case head == "composite" && n == 2 && c.path[1] == "batch" && !c.inner:
		return c.only(http.MethodPost, s.batch)
	}
	return failed(errNotFound())
}

func (c *call) only(method string, f func(*call) *reply) *reply {
	if c.method != method && (c.method != http.MethodHead || method != http.MethodGet) {
		return failed(errMethod(c.method, method))
	}
	return f(c)
}

func (s *Server) resources(c *call) *reply {
	out := map[string]string{}
	for _, name := range []string{"limits", "query", "queryAll", "sobjects", "composite", "jobs/query"} {
		out[name] = "/services/data/" + c.version + "/" + name
	}
	out["identity"] = s.identityURL(c.view.id, c.view.user)
	return okJSON(out)
}

func (s *Server) sobjects(c *call) *reply {
	n := len(c.path)
	switch {
	case n == 1:
		return c.only(http.MethodGet, s.describeGlobal)
	case n == 2 && c.method == http.MethodPost:
		return s.createRecord(c)
	case n == 2:
		return c.only(http.MethodGet, s.objectInfo)
	case n == 3 && c.path[2] == "describe":
		return c.only(http.MethodGet, s.describe)
	case n == 3 && c.path[2] == "updated":
		return c.only(http.MethodGet, s.updated)
	case n == 3 && c.path[2] == "deleted":
		return c.only(http.MethodGet, s.deleted)
	case n == 3:
		switch c.method {
		case http.MethodGet, http.MethodHead:
			return s.retrieve(c)
		case http.MethodPatch:
			return s.updateRecord(c)
		case http.MethodDelete:
			return s.deleteRecord(c)
		}
		return failed(errMethod(c.method, "GET,HEAD,PATCH,DELETE"))
	case n == 4:
		return c.only(http.MethodGet, s.blob)
	}
	return failed(errNotFound())
}

// send writes a reply with the headers every data response has.
func send(w http.ResponseWriter, r *http.Request, rep *reply) {
	h := w.Header()
	h.Set("Vary", "Accept-Encoding")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache,must-revalidate,max-age=0,no-store,private")
	}
	for name, values := range rep.header {
		h[name] = values
	}
	// A recorder has the client behind it; other writers keep the answer to themselves.
	_, goes := w.(*recorder)
	if len(rep.body) == 0 && rep.stream == nil {
		w.WriteHeader(rep.status)
		if goes && rep.sent != nil {
			rep.sent()
		}
		return
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json;charset=UTF-8")
	}
	zip := strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && !rep.plain
	if zip {
		h.Set("Content-Encoding", "gzip")
	}
	w.WriteHeader(rep.status)
	if r.Method == http.MethodHead {
		return
	}
	var out io.Writer = w
	if zip {
		z := zippers.Get().(*gzip.Writer)
		z.Reset(w)
		defer func() {
			_ = z.Close() // the client may be gone
			zippers.Put(z)
		}()
		out = z
	}
	if rep.stream != nil {
		if rep.stream(out) == nil && goes && rep.sent != nil {
			rep.sent()
		}
		return
	}
	_, _ = out.Write(rep.body)
}

// zippers are gzip writers to use again: a new one costs more than most answers.
var zippers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is a valid one
	return z
}}

func writeHTML(w http.ResponseWriter, status int, title, text string) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.WriteHeader(status)
	_ = messagePage.Execute(w, map[string]string{"Title": title, "Text": text})
}
