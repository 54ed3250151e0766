package simforce

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a simulator.
type Options struct {
	// BaseURL is the outside URL, as http://127.0.0.1:8090. It is instance_url,
	// login host and issuer at once. SetBaseURL sets it later.
	BaseURL string
	// ConsumerKey and ConsumerSecret are those of the connected app. Empty ones
	// become "3MVG9simforce" and "simforce-secret".
	ConsumerKey, ConsumerSecret string
	// CallbackURLs are the registered redirect URIs, matched byte for byte.
	CallbackURLs []string
	// MailDir is a directory of .eml files; each becomes one EmailMessage. Empty
	// means generated conversations.
	MailDir string
	// Generate is how many e-mails to write at the start when MailDir is empty.
	Generate int
	// Big is how many e-mails of some 8 KB to have besides, which take little memory: see
	// Stock.
	Big int
	// Rate is how many records per second Run writes; 0 writes none.
	Rate float64
	// Seed decides generated content and the order inside ties.
	Seed uint64
	// Clock is the time of the org; time.Now when nil.
	Clock func() time.Time
	// StateFile keeps data, grants and tokens over restarts; empty keeps nothing.
	// When it exists, MailDir, Generate and Big are not loaded again.
	StateFile string
	// DailyRequests is the org's quota per rolling day; 1,000,000 when 0.
	DailyRequests int
	// MatchRecipients turns on the knob of that name before mail is loaded.
	MatchRecipients bool
	// Objects are custom objects added to both orgs.
	Objects []Object
}

// Server is the simulated Salesforce: an http.Handler with two orgs behind it.
type Server struct {
	opts  Options
	clock func() time.Time

	ahead    atomic.Int64 // nanoseconds of Advance
	inflight atomic.Int64 // data requests being answered

	baseMu sync.RWMutex
	base   string

	// mu guards the data: orgs, schema, rows, visibility.
	mu   sync.RWMutex
	orgs []*org
	// contacts and accounts of the first org by address and domain; built when
	// mail is first delivered.
	contacts, accounts map[string]string

	auth     auth
	cursors  cursors
	knobs    knobs
	faults   faults
	chaos    chaos
	counters counters
	quota    quota
	bulk     bulk
	state    *journal
	writer   writer
}

// New builds the orgs from the state file, the mail directory or the
// generator, in this order of preference.
func New(o Options) (*Server, error) {
	o.ConsumerKey = cmp.Or(o.ConsumerKey, "3MVG9simforce")
	o.ConsumerSecret = cmp.Or(o.ConsumerSecret, "simforce-secret")
	o.DailyRequests = cmp.Or(o.DailyRequests, 1_000_000)
	s := &Server{opts: o, clock: o.Clock, base: strings.TrimSuffix(o.BaseURL, "/")}
	if s.clock == nil {
		s.clock = time.Now
	}
	s.auth.init()
	s.knobs.init(o)
	s.counters.init()
	s.writer.init(o.Seed)
	s.seedOrgs()
	found, err := s.openState()
	if err != nil {
		return nil, err
	}
	for i := range o.Objects {
		if err := s.AddObject("", o.Objects[i]); err != nil {
			return nil, err
		}
	}
	if !found {
		if err := s.load(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		if o.Big > 0 {
			if err := s.AddStock(Stock{Mails: o.Big}); err != nil {
				return nil, errors.Join(err, s.Close())
			}
		}
	}
	for _, org := range s.orgs {
		org.permitted = true
		org.permit(s.now())
	}
	if err := s.startJournal(); err != nil {
		return nil, err
	}
	return s, nil
}

// load fills the first org with mail, from a directory or made up.
func (s *Server) load() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seedOthers()
	if s.opts.MailDir == "" {
		s.generate(s.opts.Generate)
		return nil
	}
	if err := s.loadMail(s.opts.MailDir); err != nil {
		return fmt.Errorf("load mail from %s: %w", s.opts.MailDir, err)
	}
	return nil
}

// Close flushes and closes the state file. The server must not be used after.
func (s *Server) Close() error {
	if s.state == nil {
		return nil
	}
	return s.state.close()
}

// Run writes records at the rate of the knobs until ctx ends.
func (s *Server) Run(ctx context.Context) { s.write(ctx) }

// SetBaseURL sets the outside URL, for servers that learn their port late.
func (s *Server) SetBaseURL(u string) {
	s.baseMu.Lock()
	defer s.baseMu.Unlock()
	s.base = strings.TrimSuffix(u, "/")
}

// BaseURL is the outside URL.
func (s *Server) BaseURL() string {
	s.baseMu.RLock()
	defer s.baseMu.RUnlock()
	return s.base
}

func (s *Server) now() time.Time {
	return s.clock().UTC().Add(time.Duration(s.ahead.Load()))
}

// org finds an organisation by id (15 or 18 characters) or by the start of its
// name; "" is the first.
func (s *Server) org(name string) *org {
	if name == "" {
		return s.orgs[0]
	}
	for _, o := range s.orgs {
		if o.id == name || o.id[:15] == name || strings.EqualFold(o.name, name) {
			return o
		}
	}
	return nil
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// ServeHTTP routes a request: OAuth, identity, data API, control endpoint.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil {
		r.Body = http.NoBody // a caller without a network may leave it out
	}
	start := s.now()
	w.Header().Set("Date", start.Format(http.TimeFormat))
	w.Header().Set("Server", "sfdcedge")
	path := r.URL.Path
	if strings.HasPrefix(path, "/_sim/") {
		s.serveControl(w, r)
		return
	}
	id := randomHex(16)
	w.Header().Set("X-Request-Id", id)
	w.Header().Set("X-SFDC-Request-Id", id)
	rec := &recorder{ResponseWriter: w, status: http.StatusOK}
	kind := kindOf(r)
	soql := jobQuery(r, kind)
	defer func() { s.counters.add(kind, rec.status, r, start, soql) }()
	s.settle()
	refused, done := s.busy(rec, r)
	defer done()
	if refused {
		return
	}
	s.delay(r)
	if !s.failing(rec, r, kind) && !s.astray(rec, r) {
		s.route(rec, r)
	}
}

// recorder remembers the status for the counters.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// discard swallows a response whose request must still take effect.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// maxHead is the most bytes of URI and of headers the platform takes.
const maxHead = 16_384

func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	if len(r.RequestURI) > s.Knobs().URIMax {
		writeHTML(w, http.StatusRequestURITooLong, "URI Too Long", "The request URI is too long.")
		return
	}
	head := len(r.RequestURI)
	for name, values := range r.Header {
		for _, v := range values {
			head += len(name) + len(v) + 4
		}
	}
	if head > maxHead {
		writeHTML(w, http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large", "The request headers are too large.")
		return
	}
	path := r.URL.Path
	switch {
	case path == "/services/data" || path == "/services/data/":
		s.serveVersions(w, r)
	case strings.HasPrefix(path, "/services/data/"):
		s.serveData(w, r)
	case strings.HasPrefix(path, "/services/oauth2/"), strings.HasPrefix(path, "/id/"), path == "/.well-known/openid-configuration":
		s.serveAuth(w, r)
	case path == "/":
		s.serveIndex(w, r)
	default:
		writeHTML(w, http.StatusNotFound, "URL No Longer Exists", "You have attempted to reach a URL that no longer exists on salesforce.com.")
	}
}
