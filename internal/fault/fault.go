package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what sort of failure an error is and, with that, who must act.
type Kind string

// The kinds. Their text is stable: it is the type of Temporal application
// errors and a label in metrics.
const (
	Transient       Kind = "Transient"       // a passing fault: retry with back-off
	RateLimited     Kind = "RateLimited"     // asked to slow down: retry after Error.RetryAfter
	Stale           Kind = "Stale"           // a session or locator died: start that step again
	Quota           Kind = "Quota"           // the org's daily API requests, or the month's AI units, are used up: wait
	Reauthorize     Kind = "Reauthorize"     // the grant is gone: the Salesforce administrator connects again
	Permission      Kind = "Permission"      // the integration user lacks a right in Salesforce
	Config          Kind = "Config"          // the integration names something that does not exist or is not visible
	Invalid         Kind = "Invalid"         // bad input at the door
	NotFound        Kind = "NotFound"        // no such thing
	Unauthenticated Kind = "Unauthenticated" // who are you?
	Forbidden       Kind = "Forbidden"       // you may not
	Conflict        Kind = "Conflict"        // it exists already, or somebody else owns it
	Unreachable     Kind = "Unreachable"     // PostgreSQL or Temporal is away
	Record          Kind = "Record"          // one record cannot become a comment: set it aside
	Fenced          Kind = "Fenced"          // a newer epoch owns this work
	Stopped         Kind = "Stopped"         // an operator paused, disconnected or deleted it
	Internal        Kind = "Internal"        // a defect of ours
)

// Error is a failure with its kind and what a person needs to act on it. No
// field may hold a token, a code, a password or the body of a record.
type Error struct {
	Kind       Kind
	Op         string        // what was attempted, e.g. "query EmailMessage"
	Message    string        // what is wrong, for people; names the thing
	Hint       string        // the next step, for people; may be empty
	Code       string        // the other side's code, e.g. Salesforce errorCode "INVALID_FIELD"
	RequestID  string        // the other side's request id, for its support
	RetryAfter time.Duration // how long to wait at least; 0 = no opinion
	Cause      error
}

// Error renders "op: message (code, request id): cause" without the hint.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		b.WriteString(": ")
	}
	if e.Message != "" {
		b.WriteString(e.Message)
	} else {
		b.WriteString(string(e.Kind))
	}
	switch {
	case e.Code != "" && e.RequestID != "":
		fmt.Fprintf(&b, " (%s, request id %s)", e.Code, e.RequestID)
	case e.Code != "":
		fmt.Fprintf(&b, " (%s)", e.Code)
	case e.RequestID != "":
		fmt.Fprintf(&b, " (request id %s)", e.RequestID)
	}
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes an error of kind k with a formatted message. The message must not
// hold secrets; give a cause with [Wrap].
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an error of kind k from cause, with what was attempted or what is
// wrong as its message. cause may be nil.
func Wrap(k Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// WithHint returns e with the next step for people.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// KindOf returns the kind of the first *Error in err's chain. A context that
// ended is Transient; anything unknown is Internal; nil has no kind ("").
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Transient
	}
	return Internal
}

// Is reports whether err is of one of the kinds.
func Is(err error, kinds ...Kind) bool {
	k := KindOf(err)
	for _, want := range kinds {
		if k == want {
			return true
		}
	}
	return false
}

// HintOf returns the hint of the first *Error in err's chain that has one.
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Cause
	}
	return ""
}

// RetryAfterOf returns how long err asks to wait: what the first *Error in its chain
// with an opinion says, or 0.
func RetryAfterOf(err error) time.Duration {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return 0
		}
		if e.RetryAfter > 0 {
			return e.RetryAfter
		}
		err = e.Cause
	}
	return 0
}
