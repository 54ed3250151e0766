package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/request"
)

// reply is the payload of a good answer; "status" is added on the way out.
type reply map[string]any

const contentType = "application/json; charset=utf-8"

// fail answers with an error: the translation of faults into status codes. Only
// messages for the caller's own mistakes go out; the rest stays in the record.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var tooLarge *http.MaxBytesError
	var encoding *unsupportedEncoding
	switch kind := fault.KindOf(err); {
	case errors.As(err, &tooLarge):
		a.refuse(w, r, http.StatusRequestEntityTooLarge, "413 Content Too Large: the body may have "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes")
	case errors.As(err, &encoding):
		a.refuse(w, r, http.StatusUnsupportedMediaType, "415 Unsupported Media Type: "+encoding.Error())
	case kind == fault.Invalid:
		a.refuse(w, r, http.StatusBadRequest, "400 Bad Request: "+messageOf(err))
	case kind == fault.Unauthenticated:
		challenge := `Bearer realm="comments"`
		if r.Header.Get("Authorization") != "" {
			challenge += `, error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		a.refuse(w, r, http.StatusUnauthorized, "401 Unauthorized: "+messageOf(err))
	case kind == fault.Forbidden:
		a.refuse(w, r, http.StatusForbidden, "403 Forbidden: "+messageOf(err))
	case kind == fault.NotFound:
		a.refuse(w, r, http.StatusNotFound, "404 Not Found: "+messageOf(err))
	case kind == fault.Conflict:
		a.refuse(w, r, http.StatusConflict, "409 Conflict: "+messageOf(err))
	case kind == fault.RateLimited:
		w.Header().Set("Retry-After", seconds(fault.RetryAfterOf(err)))
		a.refuse(w, r, http.StatusTooManyRequests, "429 Too Many Requests: "+messageOf(err))
	case kind == fault.Unreachable || kind == fault.Transient:
		request.Of(r.Context()).Err = err
		w.Header().Set("Retry-After", "5")
		a.refuse(w, r, http.StatusServiceUnavailable, "503 Service Unavailable: try again in a few seconds")
	default:
		request.Of(r.Context()).Err = err
		a.refuse(w, r, http.StatusInternalServerError, "500 Internal Server Error: give request id "+request.Of(r.Context()).ID+" to the operator")
	}
}

func (a *API) refuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	body, _ := encode(reply{"status": "error", "message": message}) // two strings always encode
	request.Answer(w, r, status, contentType, body)
}

// messageOf is the message of the outermost fault, without what caused it.
func messageOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Message
	}
	return "the request is not valid"
}

func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}

func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false) // it is not HTML, and nosniff keeps browsers from taking it for it
	err := e.Encode(v)
	return buf.Bytes(), err
}
