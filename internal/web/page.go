package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/request"
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
	Title string
	Email string // of who is signed in; "" = nobody
}

func (web *Web) page(v *visit, title string) page {
	p := page{Title: title}
	if v.who != nil {
		p.Email = v.who.Email
	}
	return p
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
