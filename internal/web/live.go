package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/request"
)

// part makes what moves of a page: the name of its template, and its data.
type part func(*Web, *visit) (name string, data any, err error)

// Bounds of a stream. It is short, because who may see what is asked when it begins; the browser
// comes back by itself and says what it has.
const (
	liveEvery  = 2 * time.Second
	liveStill  = 8 * time.Second // after which something is sent although nothing moved
	liveFor    = 24 * time.Second
	liveAgain  = 500 * time.Millisecond // after which a browser comes back
	mostLive   = 400                    // streams at a time
	eventsType = "text/event-stream"
)

// wantsEvents reports whether a browser asks for what moves of a page rather than for the page.
func wantsEvents(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), eventsType)
}

// follow sends the moving part of a page whenever it has changed, as server-sent events (WHATWG HTML,
// "Server-sent events"): "part" has its HTML; "still" says that nothing has changed, "stale" that nobody
// knows right now.
func (web *Web) follow(v *visit, moving part) error {
	if !web.live.TryAcquire(1) {
		return &fault.Error{Kind: fault.Transient, Message: "too many pages are open", RetryAfter: liveFor}
	}
	defer web.live.Release(1)
	name, data, err := moving(web, v)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", eventsType)
	h.Set("X-Accel-Buffering", "no") // or nginx keeps events until there are many
	h.Add("Vary", "Accept")
	control := http.NewResponseController(v.w)
	shown := v.r.Header.Get("Last-Event-Id")
	if _, err := fmt.Fprintf(v.w, "retry: %d\n\n", liveAgain.Milliseconds()); err != nil {
		return errAnswered
	}
	ticker := time.NewTicker(liveEvery)
	defer ticker.Stop()
	begun, spoke := time.Now(), time.Time{}
	for {
		event, id, body := "stale", "", "data: \n"
		if err == nil {
			event, id, body, err = partEvent(name, data, shown)
		}
		if err != nil && !fault.Is(err, fault.Transient, fault.Unreachable) {
			request.Of(v.r.Context()).Err = err
			return errAnswered // the browser comes back and is told
		}
		if event != "still" || time.Since(spoke) > liveStill {
			if _, err := fmt.Fprintf(v.w, "event: %s\n%s%s\n", event, id, body); err != nil || control.Flush() != nil {
				return errAnswered
			}
			spoke = time.Now()
		}
		if event == "part" {
			shown = strings.TrimSpace(strings.TrimPrefix(id, "id: "))
		}
		select {
		case <-v.r.Context().Done():
			return errAnswered
		case <-web.stopping:
			return errAnswered
		case <-ticker.C:
		}
		if time.Since(begun) > liveFor {
			return errAnswered
		}
		name, data, err = moving(web, v)
	}
}

// partEvent makes the event of a part, unless it is what the browser shows already. Its id is a
// digest of its HTML.
func partEvent(name string, data any, shown string) (event, id, body string, err error) {
	var buf bytes.Buffer
	if err := templates.ExecuteTemplate(&buf, name, data); err != nil {
		return "", "", "", fault.Wrap(fault.Internal, err, "render %s", name)
	}
	sum := sha256.Sum256(buf.Bytes())
	digest := hex.EncodeToString(sum[:8])
	if digest == shown {
		return "still", "", "data: \n", nil
	}
	var out strings.Builder
	for line := range strings.Lines(buf.String()) {
		out.WriteString("data: " + strings.TrimRight(line, "\r\n") + "\n")
	}
	return "part", "id: " + digest + "\n", out.String(), nil
}

// Stop ends the streams, so that a server that stops need not wait for them. It may be called once.
func (web *Web) Stop() { close(web.stopping) }
