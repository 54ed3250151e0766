package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/request"
	"salesforcesync/internal/store"
)

//go:embed templates/*.html
var templateFiles embed.FS

// templates are parsed once; a mistake in one is found by every test.
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"asset":  assetPath,
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"when":   func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05 UTC") },
	"number": groupDigits,
	"spans":  spans,
	"dict":   dict,

	"add":      func(a, b int64) int64 { return a + b },
	"list":     func(items ...any) []any { return items },
	"month":    func(t time.Time) string { return t.UTC().Format("January 2006") },
	"clock":    func(t time.Time) string { return t.UTC().Format("15:04:05 UTC") },
	"interval": interval,
	"lane":     laneWords,
	"deed":     deedWords,
	"actor":    actorWords,
	"comment":  commentPath,

	"seriesClass": seriesClass,

	"viewAll":    viewAllWords,
	"fieldState": fieldState,
}).ParseFS(templateFiles, "templates/*.html"))

// dict is what a template is called with when it needs more than one value: names and values by turns.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fault.New(fault.Internal, "dict has a name without a value")
	}
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fault.New(fault.Internal, "dict's name %v is no text", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// page is what the frame around every page shows.
type page struct {
	Title  string
	Email  string        // of who is signed in; "" = nobody
	Places []place       // where one can go
	Notice *store.Notice // what came of the last thing done; nil = nothing to say
	Moves  bool          // the page has a part that moves
}

// place is one of the main pages.
type place struct {
	Label, Path string
	Also        string // another path that belongs to it; "" = none
	Here        bool
}

// places are the main pages. A page belongs to the last one whose path it begins with.
var places = []place{
	{Label: "Overview", Path: "/"},
	{Label: "Comments", Path: "/comments", Also: "/threads"},
	{Label: "Usage", Path: "/usage"},
	{Label: "Access", Path: "/access"},
}

func (web *Web) page(v *visit, title string) page {
	p := page{Title: title}
	if v.who == nil {
		return p
	}
	p.Email = v.who.Email
	p.Places = slices.Clone(places)
	at, here := v.r.URL.Path, 0
	for i, to := range places {
		if at == to.Path || i > 0 && (strings.HasPrefix(at, to.Path+"/") || to.Also != "" && strings.HasPrefix(at, to.Also+"/")) {
			here = i
		}
	}
	p.Places[here].Here = at == "/" || here > 0 || strings.HasPrefix(at, "/integrations")
	return p
}

// open is page with the notification that waits for this browser.
func (web *Web) open(v *visit, title string) (page, error) {
	p := web.page(v, title)
	var err error
	p.Notice, err = web.takeNotice(v)
	return p, err
}

// done answers a form: the browser goes on to a page of ours, which says what came of it.
func (web *Web) done(v *visit, path, message string) error {
	return web.tell(v, path, "success", message)
}

// tell is done with a level: success or error.
func (web *Web) tell(v *visit, path, level, message string) error {
	if err := web.notify(v.r.Context(), v.w, level, message); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// render makes the whole page before the first byte goes out, so that a template
// that fails half-way leaves an error page and not half of a page.
func (web *Web) render(v *visit, status int, name string, data any) error {
	var buf bytes.Buffer
	if err := templates.ExecuteTemplate(&buf, name, data); err != nil {
		return fault.Wrap(fault.Internal, err, "render %s", name)
	}
	request.Answer(v.w, v.r, status, "text/html; charset=utf-8", buf.Bytes())
	return nil
}

// Problem is an error page: what happened and what to do about it, in words for
// the one who reads it.
type Problem struct {
	Status int
	Title  string // a few words
	What   string // what happened
	Do     string // what the reader, or the administrator, must do
	Steps  []string
	// Retry is a path on this site to try again at, "" = none; RetryLabel is its link's text.
	Retry, RetryLabel string
}

type problemPage struct {
	page
	Problem
	RequestID string
}

// problem answers with an error page.
func (web *Web) problem(v *visit, p Problem) {
	data := problemPage{page: web.page(v, p.Title), Problem: p, RequestID: request.Of(v.r.Context()).ID}
	if err := web.render(v, p.Status, "problem", data); err != nil {
		request.Of(v.r.Context()).Err = err
		http.Error(v.w, "The page could not be made. Request id: "+data.RequestID, http.StatusInternalServerError)
	}
}

// Title resolves which of the two embedded titles the frame shows.
func (p problemPage) Title() string { return p.Problem.Title }

// groupDigits writes 1234567 as 1,234,567.
func groupDigits(n int64) string {
	digits := strings.TrimPrefix(strconv.FormatInt(n, 10), "-")
	var b strings.Builder
	if n < 0 {
		b.WriteByte('-')
	}
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
