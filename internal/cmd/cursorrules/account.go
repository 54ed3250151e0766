package main

import (
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// never is the wait of a change that did not arrive.
const never = time.Duration(1<<63 - 1)

// account is what one rule asked and got.
type account struct {
	org   *org
	next  http.RoundTripper
	calls map[string]int // API requests by kind
	bytes int64          // of the answers
	rows  int            // whole records read
	again int            // of these, versions that it had read before
	light int            // rows of ids and stamps alone
	idle  time.Time      // from when on it does nothing any more; zero while it works

	latest map[string]int // newest change read of each record, by number plus one
	read   []bool         // by number of the change
	waits  []time.Duration
}

func newAccount(o *org) *account {
	return &account{org: o, next: o.sim.Transport(), calls: map[string]int{}, latest: map[string]int{}}
}

// RoundTrip counts what is asked, as Salesforce counts: what the token endpoint answers is
// no API request.
func (a *account) RoundTrip(r *http.Request) (*http.Response, error) {
	if path, ok := strings.CutPrefix(r.URL.Path, "/services/data/"); ok {
		a.calls[kindOf(strings.Split(path, "/")[1:])]++
	}
	resp, err := a.next.RoundTrip(r)
	if err == nil {
		resp.Body = &metered{resp.Body, &a.bytes}
	}
	return resp, err
}

// kindOf names a request by its path behind the version.
func kindOf(path []string) string {
	switch {
	case path[0] != "query" && path[0] != "queryAll":
		return path[0]
	case len(path) > 1:
		return "next page"
	}
	return "query"
}

// metered counts what is read of a body.
type metered struct {
	io.ReadCloser
	n *int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	*m.n += int64(n)
	return n, err
}

func (a *account) total() int {
	n := 0
	for _, c := range a.calls {
		n += c
	}
	return n
}

// got books one whole record of an answer.
func (a *account) got(number int) {
	a.grow()
	a.rows++
	if a.read[number] {
		a.again++
	}
	a.read[number] = true
}

// arrived books that the version is where the rule brings it. It stands for those before
// it of the same record.
func (a *account) arrived(number int, at time.Time) {
	a.grow()
	id := a.org.changes[number].id
	for _, n := range a.org.history[id] {
		if n > number {
			break
		}
		if n >= a.latest[id] {
			a.waits[n] = at.Sub(a.org.changes[n].commit)
		}
	}
	a.latest[id] = max(a.latest[id], number+1)
}

func (a *account) grow() {
	for len(a.waits) < len(a.org.changes) {
		a.waits = append(a.waits, never)
		a.read = append(a.read, false)
	}
}

// missing are the records that a rule has not got as they are now.
type missing struct {
	all      int
	outdated int // it has an older version
	loads    int // a mass load wrote them last
}

func (a *account) missing() (m missing) {
	for id, history := range a.org.history {
		last := history[len(history)-1]
		if a.latest[id] == last+1 {
			continue
		}
		m.all++
		if a.latest[id] > 0 {
			m.outdated++
		}
		if a.org.changes[last].load {
			m.loads++
		}
	}
	return m
}

// lost counts the changes that did not arrive, themselves or by a later one.
func (a *account) lost() int {
	a.grow()
	n := 0
	for _, w := range a.waits {
		if w == never {
			n++
		}
	}
	return n
}

// staleness gives percentiles of the time from the commit of a change to its arrival. A
// change that did not arrive waits for ever.
func (a *account) staleness(percent ...float64) []time.Duration {
	a.grow()
	return percentiles(a.waits, percent...)
}

// percentiles gives the nearest ranks of values.
func percentiles(values []time.Duration, percent ...float64) []time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	out := make([]time.Duration, len(percent))
	for i, p := range percent {
		if len(sorted) > 0 {
			out[i] = sorted[max(int(math.Ceil(p/100*float64(len(sorted)))), 1)-1]
		}
	}
	return out
}
