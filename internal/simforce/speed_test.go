package simforce

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// What the property test and the load tests ask of the simulator; run with
// go test -bench . -run '^$' ./internal/simforce/

// filled is a simulator with n cases, spread over seconds or all in one.
func filled(b *testing.B, n int, spread bool) (*Server, string, []string) {
	b.Helper()
	c := &clock{t: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	s, err := New(Options{Clock: c.now})
	if err != nil {
		b.Fatal(err)
	}
	var ids []string
	for len(ids) < n {
		some := n
		if spread {
			some = 100
			c.add(30 * time.Second)
		}
		made, err := s.CreateRecords("Case", some, Write{Fields: Row{"Subject": "case {n}", "Priority": "High"}})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, made...)
	}
	c.add(time.Minute)
	token, err := s.Login(SyncUser)
	if err != nil {
		b.Fatal(err)
	}
	return s, token, ids
}

func asked(b *testing.B, s *Server, token, soql string) string {
	b.Helper()
	r := httptest.NewRequest(http.MethodGet, "/services/data/v66.0/queryAll?q="+url.QueryEscape(soql), nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Fatal(w.Body.String())
	}
	return w.Body.String()
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s, err := New(Options{Clock: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		_ = s
	}
}

func BenchmarkSmallQuery(b *testing.B) {
	s, token, _ := filled(b, 300, true)
	b.ReportAllocs()
	for b.Loop() {
		asked(b, s, token, "SELECT Id, SystemModstamp FROM Case WHERE SystemModstamp >= 2026-11-23T10:01:00Z ORDER BY SystemModstamp, Id LIMIT 200")
	}
}

func BenchmarkKeysetPage(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		for _, spread := range []bool{true, false} {
			s, token, ids := filled(b, n, spread)
			at := s.orgs[0].find(ids[n/2])
			soql := fmt.Sprintf("SELECT Id, SystemModstamp, Subject FROM Case WHERE SystemModstamp <= 2027-11-23T10:00:00Z AND (SystemModstamp > %[1]s OR (SystemModstamp = %[1]s AND Id > '%[2]s')) ORDER BY SystemModstamp ASC, Id ASC LIMIT 2000",
				time.Unix(at.stamp(), 0).UTC().Format("2006-01-02T15:04:05Z"), at.id())
			b.Run(fmt.Sprintf("rows=%d/one_second=%t", n, !spread), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					asked(b, s, token, soql)
				}
			})
		}
	}
}

func BenchmarkCount(b *testing.B) {
	s, token, _ := filled(b, 100_000, true)
	for name, where := range map[string]string{
		"hour": "SystemModstamp >= 2026-11-23T12:00:00Z AND SystemModstamp < 2026-11-23T13:00:00Z AND IsDeleted = false",
		"all":  "IsDeleted = false",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				asked(b, s, token, "SELECT COUNT() FROM Case WHERE "+where)
			}
		})
	}
}

func BenchmarkByIDs(b *testing.B) {
	s, token, ids := filled(b, 100_000, true)
	var list []string
	for i := range 200 {
		list = append(list, "'"+ids[i*500]+"'")
	}
	b.ReportAllocs()
	for b.Loop() {
		asked(b, s, token, "SELECT Id, SystemModstamp, Subject FROM Case WHERE Id IN ("+strings.Join(list, ",")+") AND Priority = 'High'")
	}
}

func BenchmarkMassLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		filled(b, 10_000, false)
	}
}

func BenchmarkDescribe(b *testing.B) {
	s, token, _ := filled(b, 100, true)
	for name, since := range map[string]string{"whole": "", "unchanged": "Mon, 23 Nov 2026 10:00:00 GMT"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, "/services/data/v66.0/sobjects/Case/describe", nil)
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("If-Modified-Since", since)
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != http.StatusOK && w.Code != http.StatusNotModified {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

func BenchmarkGzip(b *testing.B) {
	s, token, _ := filled(b, 300, true)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, "/services/data/v66.0/query?q="+url.QueryEscape("SELECT Id, Subject FROM Case"), nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Accept-Encoding", "gzip")
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
}
