package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// query is one request of the API.
type query struct {
	method, path string
	follow       bool // the page behind it is what is measured
}

// kind is one line of the table.
type kind struct {
	name string
	make func(m *mix) query
}

// mix knows what there is to ask for.
type mix struct {
	random  *rand.Rand
	rows    int
	threads int
}

const sourcePath = "/api/v1/sources/support/emails"

func find(values url.Values) query {
	return query{method: http.MethodGet, path: sourcePath + "/comments?" + values.Encode()}
}

func (m *mix) word(from, to int) string { return allWords[from+m.random.IntN(to-from)] }

// at is a moment of the years that the comments are from.
func (m *mix) at() time.Time {
	return firstDay.Add(time.Duration(m.random.Int64N(int64(years))))
}

func (m *mix) newest(q string) query { return find(url.Values{"q": {q}, "direction": {"descending"}}) }

func (m *mix) property(p ...string) query {
	return find(url.Values{"property": p, "direction": {"descending"}})
}

// within asks for a month.
func (m *mix) within(values url.Values) query {
	at := m.at()
	values.Set("from_timestamp", at.Format(time.RFC3339))
	values.Set("to_timestamp", at.AddDate(0, 1, 0).Format(time.RFC3339))
	return find(values)
}

// Frequent words are in every other comment down to one in fifty, middling ones in one of a hundred to one of some thousands.
var kinds = []kind{
	{"newest", func(*mix) query { return find(url.Values{"direction": {"descending"}}) }},
	{"by time", func(m *mix) query { return find(url.Values{"from_timestamp": {m.at().Format(time.RFC3339)}}) }},
	{"by time, page 2", func(m *mix) query {
		q := find(url.Values{"from_timestamp": {m.at().Format(time.RFC3339)}})
		q.follow = true
		return q
	}},
	{"one comment", func(m *mix) query {
		return query{method: http.MethodGet, path: sourcePath + "/comments/" + commentID(m.random.IntN(m.rows))}
	}},
	{"property: case number", func(m *mix) query { return m.property("string:Case Number=" + caseNumber(m.random.IntN(m.threads))) }},
	{"property: priority", func(m *mix) query { return m.property("string:Priority=" + priorities[m.random.IntN(5)]) }},
	{"property: domain", func(m *mix) query { return m.property("string:Domain=" + allWords[m.random.IntN(5000)] + ".example") }},
	{"property: priority, direction and domain", func(m *mix) query {
		return m.property("string:Priority=Critical", "string:Direction=inbound", "string:Domain="+allWords[m.random.IntN(500)]+".example")
	}},
	{"property: priority in a month", func(m *mix) query { return m.within(url.Values{"property": {"string:Priority=High"}}) }},
	{"q: frequent word", func(m *mix) query { return m.newest(m.word(0, 50)) }},
	{"q: middling word", func(m *mix) query { return m.newest(m.word(50, 5000)) }},
	{"q: middling word, page 2", func(m *mix) query {
		q := m.newest(m.word(50, 5000))
		q.follow = true
		return q
	}},
	{"q: middling word, oldest first", func(m *mix) query { return find(url.Values{"q": {m.word(50, 5000)}}) }},
	{"q: rare word", func(m *mix) query { return m.newest(m.word(5000, vocabulary)) }},
	{"q: no such word", func(m *mix) query { return m.newest("xyzzy") }},
	{"q: two frequent words", func(m *mix) query { return m.newest(m.word(0, 50) + " " + m.word(0, 50)) }},
	{"q: two middling words", func(m *mix) query { return m.newest(m.word(50, 1000) + " " + m.word(50, 1000)) }},
	{"q: frequent and rare word", func(m *mix) query { return m.newest(m.word(0, 20) + " " + m.word(5000, vocabulary)) }},
	{"q: OR and -", func(m *mix) query {
		return m.newest(fmt.Sprintf("%s -%s OR %s", m.word(50, 1000), m.word(0, 20), m.word(1000, vocabulary)))
	}},
	{"q: phrase of frequent words", func(m *mix) query { return m.newest(`"` + m.word(0, 20) + " " + m.word(0, 20) + `"`) }},
	{"q: word in a month", func(m *mix) query { return m.within(url.Values{"q": {m.word(0, 5000)}}) }},
	{"q: word and property", func(m *mix) query {
		return find(url.Values{"q": {m.word(50, 2000)}, "property": {"string:Priority=Critical"}, "direction": {"descending"}})
	}},
	{"threads", func(*mix) query { return query{method: http.MethodGet, path: sourcePath + "/threads"} }},
	{"threads, page 2", func(*mix) query { return query{method: http.MethodGet, path: sourcePath + "/threads", follow: true} }},
	{"one thread", func(m *mix) query {
		return query{method: http.MethodGet, path: sourcePath + "/threads/" + threadID(m.random.IntN(m.threads))}
	}},
	{"statistics", func(*mix) query { return query{method: http.MethodPost, path: sourcePath + "/statistics"} }},
}
