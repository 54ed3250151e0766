package request

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"salesforcesync/internal/fault"
)

// HeaderID is the header that carries a request's id, both ways.
const HeaderID = "X-Request-Id"

// Record is how a request went.
type Record struct {
	ID       string
	Method   string
	Route    string // the pattern that matched, never the path: paths hold names
	Status   int
	Bytes    int64 // of the answer's body, as sent
	Duration time.Duration
	Who      string      // the principal's credential name, if there was one
	Err      error       // what went wrong on our side; shown to nobody outside
	SignIn   SignIn      // when it was one
	Grant    string      // what became of access to Salesforce, when it was about that: a Grant…
	Trace    []zap.Field // in which trace it was, for its line in the log
	begun    time.Time
	address  netip.Addr
}

// SignIn is an attempt to sign in.
type SignIn struct {
	By      string // ByPassword or ByProvider
	Outcome string // SignedIn or a Refused…
}

// What SignIn holds.
const (
	ByPassword = "password"
	ByProvider = "provider"

	SignedIn        = "signed_in"
	RefusedWrong    = "refused"      // wrong, or nobody we know
	RefusedLimited  = "rate_limited" // there were too many
	SignInUndecided = "failed"       // on our side, or the provider's
)

// Tried notes an attempt to sign in and how it ended.
func (r *Record) Tried(by string, err error) {
	r.SignIn = SignIn{By: by, Outcome: SignInUndecided}
	switch {
	case err == nil:
		r.SignIn.Outcome = SignedIn
	case fault.Is(err, fault.RateLimited):
		r.SignIn.Outcome = RefusedLimited
	case fault.Is(err, fault.Unauthenticated, fault.Invalid, fault.NotFound, fault.Forbidden, fault.Conflict):
		r.SignIn.Outcome = RefusedWrong
	}
}

// What became of access to Salesforce.
const (
	GrantConnected = "connected"
	GrantAsked     = "asked_again" // it is of another user, and waits for a confirmation
	GrantDeclined  = "declined"    // by the person
	GrantRefused   = "refused"     // by Salesforce, or by us: another org, a used link
	GrantFailed    = "failed"      // on our side, or Salesforce was away
)

type contextKey struct{}

// idPattern is what we take over from a caller or a proxy: it goes into logs.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// Handler gives every request its record and id, and calls observe when it was
// answered. proxies are those whose X-Forwarded-For is believed, see Address.
func Handler(next http.Handler, observe func(Record), proxies ...netip.Prefix) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record := &Record{ID: r.Header.Get(HeaderID), Method: r.Method, begun: time.Now(), address: visitor(r, proxies)}
		if !idPattern.MatchString(record.ID) {
			record.ID = newID()
		}
		w.Header().Set(HeaderID, record.ID)
		recorder := &recorder{ResponseWriter: w, record: record}
		defer func() {
			record.Duration = time.Since(record.begun)
			observe(*record)
		}()
		next.ServeHTTP(recorder, r.WithContext(context.WithValue(r.Context(), contextKey{}, record)))
	})
}

// Of gives the record of the request that ctx belongs to, for a handler to note
// what it knows. Outside Handler it gives a record that nobody reads.
func Of(ctx context.Context) *Record {
	if record, ok := ctx.Value(contextKey{}).(*Record); ok {
		return record
	}
	return &Record{begun: time.Now()}
}

// Recover turns a panic of the handler that defers it into a call of answer with
// an error for the record. An answer that has begun cannot be taken back: the connection
// is cut instead, so that nobody takes half of it for the whole.
func Recover(w http.ResponseWriter, r *http.Request, answer func(err error)) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // the value itself is panicked with
		panic(cause)
	}
	err := &PanicError{Cause: cause, Stack: debug.Stack()}
	record := Of(r.Context())
	record.Err = err
	if record.Status != 0 {
		panic(http.ErrAbortHandler)
	}
	answer(err)
}

// PanicError is a panic in a handler.
type PanicError struct {
	Cause any
	Stack []byte
}

// Error names the cause; the stack is for the log.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Cause) }

// newID is a UUID of version 7: request ids sort by time, also across processes.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// recorder notes status and size on the way out.
type recorder struct {
	http.ResponseWriter
	record *Record
}

func (w *recorder) WriteHeader(status int) {
	if w.record.Status == 0 && status >= 200 {
		w.record.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.record.Status == 0 {
		w.record.Status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.record.Bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
