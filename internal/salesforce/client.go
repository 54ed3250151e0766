package salesforce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"salesforcesync/internal/dial"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/tracing"
)

// DefaultAPIVersion is the version whose answers this package was written against.
const DefaultAPIVersion = "66.0"

// Token is a session as of one generation of a connection's grant.
type Token struct {
	Access      secret.Text
	InstanceURL string    // "https://acme.my.salesforce.com"
	Generation  int64     // grows with each refresh
	Since       time.Time // when the session was got; zero when that is not known
}

// TokenSource gives the tokens of one connection.
type TokenSource interface {
	// Token returns the newest token. It is asked before every call, so that nobody
	// holds a copy.
	Token(ctx context.Context) (Token, error)
	// Refresh returns a token newer than generation used, renewing it when nobody
	// else has. One renewal at a time is the source's business.
	Refresh(ctx context.Context, used int64) (Token, error)
}

// Options of a client. Tokens is required.
type Options struct {
	Tokens     TokenSource
	Hosts      HostPolicy
	APIVersion string            // default DefaultAPIVersion
	Transport  http.RoundTripper // default one transport shared by the process
	Observe    func(Call)        // called after every HTTP exchange; may be nil; must be quick

	// Admit is asked before every HTTP exchange; its error ends the call. nil admits all.
	Admit func(context.Context) error

	MaxBody       int64         // bytes of one unpacked answer, default 64 MiB
	AnswerTimeout time.Duration // until the first byte, default 150 s: queries may run 120 s
	IdleTimeout   time.Duration // between two bytes, default 60 s
	CallTimeout   time.Duration // for everything, default 10 min, Salesforce's own limit

	// ResultsTimeout is CallTimeout for a page of a bulk job's results, default 1 h: it is
	// large, and is read as fast as its rows are stored.
	ResultsTimeout time.Duration
}

// Call tells what one HTTP exchange was, for metrics. It holds no content.
type Call struct {
	Kind      string // "query", "composite", "describe" …
	Status    int    // 0 when there was no answer
	Duration  time.Duration
	Bytes     int64      // of the unpacked answer that were read
	Fault     fault.Kind // "" when it went well
	Code      string     // Salesforce's error code
	RequestID string
	Usage     Usage
	// Again says that the client itself makes the call again: the fault is in nobody's
	// error and should be logged here.
	Again bool
}

// Client calls one org as one user. It is safe for concurrent use, and cheap: all
// clients share one transport.
type Client struct {
	o    Options
	http *http.Client
}

// New makes a client; it calls nobody.
func New(o Options) *Client {
	if o.APIVersion == "" {
		o.APIVersion = DefaultAPIVersion
	}
	if o.Transport == nil {
		o.Transport = sharedTransport()
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 64 << 20
	}
	if o.AnswerTimeout <= 0 {
		o.AnswerTimeout = 150 * time.Second
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = 60 * time.Second
	}
	if o.CallTimeout <= 0 {
		o.CallTimeout = 10 * time.Minute
	}
	if o.ResultsTimeout <= 0 {
		o.ResultsTimeout = time.Hour
	}
	return &Client{o: o, http: NewHTTPClient(o.Transport)}
}

// NewHTTPClient makes the HTTP client used towards Salesforce: it keeps no cookies
// and follows no redirect, because a redirect would carry the token along.
func NewHTTPClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = sharedTransport()
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// sharedTransport is one pool of connections for the process. It asks for gzip and
// unpacks it by itself.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial.Dialer(10 * time.Second).DialContext,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
})

// request is one call as the methods of the client describe it. path begins with a
// slash and is joined to the newest instance URL on every try.
type request struct {
	op, kind  string
	method    string // "": GET, and POST with a body
	path      string
	header    http.Header
	body      []byte // JSON
	anonymous bool   // send no token

	accept    string // the type of the answer; "": JSON
	accept304 bool
	results   bool // the answer is a page of results: any size, and its own time
	once      bool // not again for damaged text: it does something, or its reader does

	read func(*answer) error // reads a good answer; may be called again after a retry unless once
}

// callersError is an error of a caller's own that reads an answer. It says nothing of the
// answer, and is passed on as it is.
type callersError struct{ error }

// answer is a good answer; the body is bounded and watched.
type answer struct {
	status     int
	header     http.Header
	body       io.Reader
	lenient    bool // take text that is not UTF-8
	serverTime time.Time
	usage      Usage
}

func (c *Client) dataPath(rest string) string { return "/services/data/v" + c.o.APIVersion + rest }

func (c *Client) timeout(r request) time.Duration {
	if r.results {
		return c.o.ResultsTimeout
	}
	return c.o.CallTimeout
}

// try is one of the tries of a call.
type try struct {
	token   Token
	renewed bool // the one renewal of the session is behind it
	damaged int  // so many answers before had damaged text
}

// mostDamaged is how many damaged answers are not believed. The next one is taken as it
// is: then it is Salesforce that has such text.
const mostDamaged = 2

// knownToBeNew is for how long a session's address is believed when Salesforce's edge
// says that there is nobody: it may as well be an outage, and each renewal counts as a login.
const knownToBeNew = 2 * time.Second

// do makes the call. When the session died it asks for a newer token and tries
// once more; when the host was wrong it looks for a newer instance URL first; when
// the text of an answer was damaged it asks for the same again.
func (c *Client) do(ctx context.Context, r request) error {
	token, err := c.o.Tokens.Token(ctx)
	if err != nil {
		return fmt.Errorf("%s: get the token: %w", r.op, err)
	}
	t := try{token: token}
	for {
		cure, err := c.exchange(ctx, r, t)
		switch {
		case err == nil || cure == remedyNone:
			return err
		case cure == remedyAgain:
			t.damaged++
			continue
		case !t.mends(cure):
			// A new token is refused too. Only the token endpoint can say that the grant
			// is gone, so this is a passing fault that is tried again later.
			var e *fault.Error
			if cure == remedyRefresh && errors.As(err, &e) {
				e.Kind, e.RetryAfter = fault.Transient, 15*time.Second
				e.Message = "Salesforce refuses the session right after it was renewed: " + e.Message
			}
			return err
		}
		newer := t.token
		if cure != remedyRefresh {
			if newer, err = c.o.Tokens.Token(ctx); err != nil {
				return fmt.Errorf("%s: get the token after a redirect: %w", r.op, err)
			}
		}
		if newer.InstanceURL == t.token.InstanceURL {
			if newer, err = c.o.Tokens.Refresh(ctx, t.token.Generation); err != nil {
				return fmt.Errorf("%s: renew the session: %w", r.op, err)
			}
		}
		t.token, t.renewed = newer, true
	}
}

// mendable is an error of reading a good answer that the client itself can mend.
type mendable struct {
	error
	cure remedy
}

// mends reports whether the client makes a call again because of an answer.
func (t try) mends(cure remedy) bool {
	switch cure {
	case remedyAgain:
		return true
	case remedyRefresh, remedyMoved:
		return !t.renewed
	case remedyNobody:
		age := time.Since(t.token.Since) // below zero where clocks differ
		return !t.renewed && (age < 0 || age > knownToBeNew)
	}
	return false
}

// errSilent and errTooLong end a call through its context.
var (
	errSilent  = errors.New("no byte came")
	errTooLong = errors.New("the call took too long")
)

func (c *Client) exchange(ctx context.Context, r request, t try) (cure remedy, err error) {
	base, err := url.Parse(t.token.InstanceURL)
	if err != nil {
		return remedyNone, fault.New(fault.Config, "%s: the connection's instance URL is not a web address", r.op).WithHint("connect again")
	}
	if err := c.o.Hosts.Allowed(base); err != nil {
		e := fault.Wrap(fault.Config, err, "the org's instance URL is not allowed").WithHint("%s", fault.HintOf(err))
		e.Op = r.op
		return remedyNone, e
	}

	if c.o.Admit != nil {
		if err := c.o.Admit(ctx); err != nil {
			return remedyNone, err // it says all; what would have been asked does not matter
		}
	}

	ctx, traced := tracing.Begin(ctx, "Salesforce", r.kind)
	began := time.Now()
	seen := Call{Kind: r.kind}
	counted := &boundedReader{left: c.o.MaxBody}
	if r.results {
		counted.left = math.MaxInt64
	}
	var own *callersError
	defer func() {
		seen.Duration, seen.Bytes = time.Since(began), counted.read
		if err != nil && own == nil {
			seen.Fault, seen.Code, seen.Again = fault.KindOf(err), codeOf(err), t.mends(cure)
		}
		if c.o.Observe != nil {
			c.o.Observe(seen)
		}
		if traced.Recorded() {
			traced.Set(attribute.String("salesforce.kind", seen.Kind), attribute.Int("http.response.status_code", seen.Status), attribute.Int64("salesforce.bytes", seen.Bytes))
		}
		if own != nil { // the answer was good: its reader had enough
			traced.End(nil)
			return
		}
		traced.End(err)
	}()

	callCtx, stop := context.WithTimeoutCause(ctx, c.timeout(r), errTooLong)
	defer stop()
	callCtx, cancel := context.WithCancelCause(callCtx)
	defer cancel(nil)
	watchdog := time.AfterFunc(c.o.AnswerTimeout, func() { cancel(errSilent) })
	defer watchdog.Stop()

	req, err := c.newRequest(callCtx, r, base, t.token)
	if err != nil {
		return remedyNone, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return remedyNone, c.broken(callCtx, ctx, r, t, base, err, "")
	}
	defer resp.Body.Close()
	hideInIDs(resp.Header, t.token.Access)
	// It watches while a byte is waited for, not while the last ones are made use of.
	watchdog.Stop()
	counted.from = resp.Body
	counted.waits = func() { watchdog.Reset(c.o.IdleTimeout) }
	counted.came = func() { watchdog.Stop() }
	seen.Status, seen.RequestID, seen.Usage = resp.StatusCode, requestID(resp.Header), parseUsage(resp.Header)

	good := resp.StatusCode >= 200 && resp.StatusCode < 300 || r.accept304 && resp.StatusCode == http.StatusNotModified
	if !good {
		const enough = 64 << 10
		body, _ := io.ReadAll(io.LimitReader(counted, enough)) // what came of a cut error body still tells the code
		// Salesforce repeats no token, but whatever stands on the way may repeat what it was sent.
		e, cure := sortAnswer(r.op, resp.StatusCode, resp.Header, []byte(secret.Hide(string(body), t.token.Access)))
		return cure, e
	}
	a := &answer{status: resp.StatusCode, header: resp.Header, body: counted, lenient: t.damaged >= mostDamaged, usage: seen.Usage}
	a.serverTime, _ = http.ParseTime(resp.Header.Get("Date")) // zero when absent
	if err := r.read(a); err != nil {
		if errors.As(err, &own) {
			return remedyNone, own.error
		}
		cure := remedyNone
		var m *mendable
		if errors.As(err, &m) {
			cure, err = m.cure, m.error
		}
		var told *fault.Error
		if errors.As(err, &told) && told.Kind != "" {
			if told.Op == "" {
				told.Op = r.op
			}
			if told.RequestID == "" {
				told.RequestID = seen.RequestID
			}
			return cure, err
		}
		if errors.Is(err, errNotUTF8) && context.Cause(callCtx) == nil && !r.once {
			cure = remedyAgain
		}
		return cure, c.broken(callCtx, ctx, r, t, base, err, seen.RequestID)
	}
	_, _ = io.CopyN(io.Discard, counted, 4<<10) // to the end, so that the connection is used again
	return remedyNone, nil
}

// hideInIDs is for the headers that are shown to people, before they are cut to their length.
func hideInIDs(h http.Header, token secret.Text) {
	for _, name := range requestIDs {
		if id := h.Get(name); id != "" {
			h.Set(name, secret.Hide(id, token))
		}
	}
}

func (c *Client) newRequest(ctx context.Context, r request, base *url.URL, token Token) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if r.body != nil {
		method, body = http.MethodPost, bytes.NewReader(r.body)
	}
	method = nonEmpty(r.method, method)
	req, err := http.NewRequestWithContext(ctx, method, base.Scheme+"://"+base.Host+r.path, body)
	if err != nil {
		// the error would repeat the query
		return nil, fault.New(fault.Internal, "%s: the request does not make a URL", r.op)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", nonEmpty(r.accept, "application/json"))
	req.Header.Set("User-Agent", "salesforcesync")
	if r.results && base.Scheme == "http" {
		// Plain http leads to a machine next door, never to Salesforce. There the wire costs
		// nothing, and to pack and unpack a flood more than all else that is done with it.
		req.Header.Set("Accept-Encoding", "identity")
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !r.anonymous {
		req.Header.Set("Authorization", "Bearer "+token.Access.Reveal())
	}
	return req, nil
}

// broken sorts what went wrong on the way: no connection, silence, a cut body, an
// answer that is too large or not JSON.
func (c *Client) broken(callCtx, ctx context.Context, r request, t try, base *url.URL, err error, id string) error {
	e := &fault.Error{Kind: fault.Transient, Op: r.op, RequestID: id, Hint: hintPassing}
	var wrapped *url.Error
	if errors.As(err, &wrapped) { // it repeats the URL and with it the query
		err = wrapped.Err
	}
	err = secret.HideIn(err, t.token.Access) // a malformed answer is quoted
	switch cause := context.Cause(callCtx); {
	case ctx.Err() != nil:
		e.Message, e.Cause, e.Hint = "the call was given up", ctx.Err(), ""
	case errors.Is(cause, errSilent):
		e.Message, e.Code = "no byte came from "+base.Host+" for too long", CodeSilent
	case errors.Is(cause, errTooLong):
		e.Message, e.Code = fmt.Sprintf("%s did not finish within %s", base.Host, c.timeout(r)), CodeSilent
	case errors.Is(err, errTooLarge):
		e.Message, e.Code = fmt.Sprintf("the answer is larger than %d bytes", c.o.MaxBody), CodeResponseTooLarge
		e.Hint = "a smaller window is tried; if that does not help, select fewer long fields"
	case errors.Is(err, errNotUTF8):
		e.Message, e.Code = "the answer of "+base.Host+" is not in UTF-8", CodeNotUTF8
	case id == "" && wrapped != nil:
		e.Message, e.Cause = "cannot reach "+base.Host, err
	default:
		e.Message, e.Code, e.Cause = "the answer of "+base.Host+" is broken or cut short", CodeBrokenBody, err
	}
	return e
}

var errTooLarge = errors.New("the answer is too large")

// boundedReader counts bytes, refuses to pass more than a limit, and tells when it waits
// for one and when the wait is over.
type boundedReader struct {
	from        io.Reader
	left        int64
	read        int64
	waits, came func()
}

func (b *boundedReader) Read(p []byte) (int, error) {
	b.waits()
	defer b.came()
	if b.left <= 0 {
		// the limit may be the exact length: only a further byte is too much
		var one [1]byte
		if n, err := b.from.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.from.Read(p)
	b.left -= int64(n)
	b.read += int64(n)
	return n, err
}

func codeOf(err error) string {
	var e *fault.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// objectOf names what a query reads, for messages.
func objectOf(q string) string {
	words := strings.Fields(q)
	for i, w := range words[:max(len(words)-1, 0)] {
		if strings.EqualFold(w, "FROM") {
			return clean(words[i+1], 80)
		}
	}
	return "?"
}
