package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/request"
	"salesforcesync/internal/store"
	"salesforcesync/internal/web"
)

// pageBound is what 95 of 100 pages of each kind must stay below, and pageBytes what a first visit may
// bring over the wire: the page and its files.
const (
	pageBound = 100 * time.Millisecond
	pageBytes = 150_000
)

// pageKinds are the pages that show comments.
var pageKinds = []kind{
	{"overview", func(*mix) query { return query{path: "/"} }},
	{"comments", func(*mix) query { return query{path: "/comments"} }},
	{"comments, found by a word", func(m *mix) query { return query{path: "/comments?q=" + m.word(0, 5000)} }},
	{"comments, of a domain", func(m *mix) query {
		return query{path: "/comments?property=" + url.QueryEscape("string:Domain="+allWords[m.random.IntN(5000)]+".example")}
	}},
	{"comment", func(m *mix) query { return query{path: "/comments/support/emails/" + commentID(m.random.IntN(m.rows))} }},
	{"comment, revisions", func(m *mix) query {
		return query{path: "/comments/support/emails/" + commentID(m.random.IntN(m.rows)) + "?view=revisions"}
	}},
	{"conversation", func(m *mix) query {
		return query{path: "/threads/support/emails/" + threadID(m.random.IntN(m.threads))}
	}},
	{"usage", func(*mix) query { return query{path: "/usage"} }},
}

// assetPath finds the files of a page.
var assetPath = regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`)

// pages asks for pages of each kind as a signed-in reader, each twice, and prints what the second took.
func (g *ground) pages(ctx context.Context, db *store.Store, m *mix) error {
	users := access.New(db)
	email := fmt.Sprintf("reader-%d@example.com", time.Now().UnixNano())
	if _, err := users.CreateUser(ctx, email, "", []store.Grant{{Role: "administrator"}}); err != nil {
		return err
	}
	session, err := users.SignInAs(ctx, access.Identity{Issuer: "https://bench.example", Subject: email, Email: email}, false, "")
	if err != nil {
		return err
	}
	const cookie = "salesforcesync_session"
	handler, err := web.New(db, users, nil, web.Options{PublicURL: "http://bench.example"})
	if err != nil {
		return err
	}
	server := httptest.NewServer(request.Handler(handler, func(request.Record) {}))
	defer server.Close()
	get := func(path string) (took time.Duration, wire int, page []byte, err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
		if err != nil {
			return 0, 0, nil, err
		}
		req.AddCookie(&http.Cookie{Name: cookie, Value: session.Reveal()}) //nolint:gosec // a request has no attributes
		req.Header.Set("Accept-Encoding", "gzip")                          // so that it stays as it is on the wire
		begun := time.Now()
		res, err := server.Client().Do(req)
		if err != nil {
			return 0, 0, nil, err
		}
		defer res.Body.Close()
		counted := &counter{Reader: res.Body}
		var body io.Reader = counted
		if res.Header.Get("Content-Encoding") == "gzip" {
			if body, err = gzip.NewReader(counted); err != nil {
				return 0, 0, nil, err
			}
		}
		page, err = io.ReadAll(body)
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("GET %s: %s", path, res.Status)
		}
		return time.Since(begun), counted.n, page, err
	}
	fmt.Fprintf(g.out, "\n| page | p50 | p95 | max | first p95 | first visit, most bytes |\n|---|---|---|---|---|---|\n")
	var bad []string
	for _, k := range pageKinds {
		var took, first []time.Duration
		heaviest := 0
		for range g.times {
			q := k.make(m)
			cold, _, _, err := get(q.path)
			if err != nil {
				return err
			}
			warm, wire, page, err := get(q.path)
			if err != nil {
				return err
			}
			for _, file := range assetPath.FindAllSubmatch(page, -1) {
				_, bytes, _, err := get(string(file[1]))
				if err != nil {
					return err
				}
				wire += bytes
			}
			took, first, heaviest = append(took, warm), append(first, cold), max(heaviest, wire)
		}
		slices.Sort(took)
		slices.Sort(first)
		p95 := took[len(took)*95/100]
		if p95 > pageBound || heaviest > pageBytes {
			bad = append(bad, k.name)
		}
		fmt.Fprintf(g.out, "| %s | %s | %s | %s | %s | %d |\n", k.name, ms(took[len(took)/2]), ms(p95), ms(took[len(took)-1]), ms(first[len(first)*95/100]), heaviest)
	}
	if len(bad) > 0 {
		fmt.Fprintf(g.out, "\nslower than %s or over %d bytes: %q\n", pageBound, pageBytes, bad)
	} else {
		fmt.Fprintf(g.out, "\n95 of 100 pages of each kind are below %s, and a first visit is below %d bytes\n", pageBound, pageBytes)
	}
	return nil
}

// counter counts what is read.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}
