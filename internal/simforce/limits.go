package simforce

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// tally counts something per org over a rolling day, in hours.
type tally struct {
	mu   sync.Mutex
	used map[string]map[int64]int // org → hour → count
}

func (t *tally) sum(org string, now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total(org, now)
}

func (t *tally) total(org string, now time.Time) int {
	n := 0
	hour := now.Unix() / 3600
	for h, count := range t.used[org] {
		if h <= hour-24 {
			delete(t.used[org], h)
			continue
		}
		n += count
	}
	return n
}

func (t *tally) add(org string, n int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(org, n, now)
}

func (t *tally) put(org string, n int, now time.Time) {
	if t.used == nil {
		t.used = map[string]map[int64]int{}
	}
	if t.used[org] == nil {
		t.used[org] = map[int64]int{}
	}
	t.used[org][now.Unix()/3600] += n
}

// quota counts API requests, and remembers what it last told.
type quota struct {
	tally
	told map[string]told
}

type told struct {
	at   time.Time
	used int
}

// take counts one call, or refuses it at the limit.
func (q *quota) take(s *Server, org string) *apiError {
	k := s.Knobs()
	now := s.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.total(org, now) >= k.QuotaMax+k.QuotaSoft {
		return refuse(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
	}
	q.put(org, 1, now)
	return nil
}

// set makes the count of an org what a test wants it to be, as if the calls had
// all been made in this hour.
func (q *quota) set(org string, n int, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.used, org)
	q.put(org, n, now)
}

func (q *quota) count(org string, now time.Time) int { return q.sum(org, now) }

// tell is count as it is told: perhaps what it was a while ago.
func (q *quota) tell(s *Server, org string) int {
	lag := time.Duration(s.Knobs().LimitsLagSeconds) * time.Second
	now := s.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if last, found := q.told[org]; found && lag > 0 && now.Sub(last.at) < lag {
		return last.used
	}
	if q.told == nil {
		q.told = map[string]told{}
	}
	q.told[org] = told{now, q.total(org, now)}
	return q.told[org].used
}

// info is the value of Sforce-Limit-Info, "" for none.
func (q *quota) info(s *Server, org string) string {
	k := s.Knobs()
	used := q.tell(s, org)
	plain := fmt.Sprintf("api-usage=%d/%d", used, k.QuotaMax)
	switch k.LimitInfo {
	case "off":
		return ""
	case "per_app":
		return fmt.Sprintf("%s, per-app-api-usage=%d/%d(appName=simforce)", plain, used, k.QuotaMax)
	}
	return plain
}

func (s *Server) limits(c *call) *reply {
	s.mu.RLock()
	blind := c.view.lacks(ViewSetup)
	s.mu.RUnlock()
	if blind {
		return failed(refuse(http.StatusForbidden, "FORBIDDEN", "You don't have the View Setup and Configuration permission."))
	}
	limit := s.Knobs().QuotaMax
	left := max(limit-s.quota.tell(s, c.view.id), 0)
	type entry struct {
		Max       int `json:"Max"`
		Remaining int `json:"Remaining"`
	}
	full := func(n int) entry { return entry{n, n} }
	k, now := s.Knobs().Bulk, s.now()
	const kilo = 1024
	storedMB := k.StoredKB / kilo
	return okJSON(map[string]entry{
		"DailyApiRequests":                  {limit, left},
		"DailyBulkApiBatches":               full(15_000),
		"DailyBulkV2QueryJobs":              {k.JobsPerDay, max(k.JobsPerDay-s.bulk.made.sum(c.view.id, now), 0)},
		"DailyBulkV2QueryFileStorageMB":     {storedMB, max(storedMB-s.bulk.stored.sum(c.view.id, now)/kilo, 0)},
		"DailyDeliveredPlatformEvents":      full(10_000),
		"DailyStreamingApiEvents":           full(10_000),
		"DailyAsyncApexExecutions":          full(250_000),
		"ConcurrentAsyncGetReportInstances": full(200),
		"DataStorageMB":                     full(10_240),
		"FileStorageMB":                     full(20_480),
		"HourlyODataCallout":                full(1_000),
		"SingleEmail":                       full(5_000),
	})
}
