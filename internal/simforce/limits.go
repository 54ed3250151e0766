package simforce

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// quota counts API requests per org over a rolling day, in hours.
type quota struct {
	mu   sync.Mutex
	used map[string]map[int64]int // org → hour → calls
}

func (q *quota) sum(org string, now time.Time) int {
	n := 0
	hour := now.Unix() / 3600
	for h, calls := range q.used[org] {
		if h <= hour-24 {
			delete(q.used[org], h)
			continue
		}
		n += calls
	}
	return n
}

// take counts one call, or refuses it at the limit.
func (q *quota) take(s *Server, org string) *apiError {
	limit := s.Knobs().QuotaMax
	now := s.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sum(org, now) >= limit {
		return refuse(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
	}
	if q.used == nil {
		q.used = map[string]map[int64]int{}
	}
	if q.used[org] == nil {
		q.used[org] = map[int64]int{}
	}
	q.used[org][now.Unix()/3600]++
	return nil
}

// set makes the count of an org what a test wants it to be, as if the calls had
// all been made in this hour.
func (q *quota) set(org string, n int, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.used == nil {
		q.used = map[string]map[int64]int{}
	}
	q.used[org] = map[int64]int{now.Unix() / 3600: n}
}

func (q *quota) count(org string, now time.Time) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sum(org, now)
}

// info is the value of Sforce-Limit-Info.
func (q *quota) info(s *Server, org string) string {
	return fmt.Sprintf("api-usage=%d/%d", q.count(org, s.now()), s.Knobs().QuotaMax)
}

func (s *Server) limits(c *call) *reply {
	s.mu.RLock()
	blind := c.view.lacks(ViewSetup)
	s.mu.RUnlock()
	if blind {
		return failed(refuse(http.StatusForbidden, "FORBIDDEN", "You don't have the View Setup and Configuration permission."))
	}
	limit := s.Knobs().QuotaMax
	left := max(limit-s.quota.count(c.view.id, s.now()), 0)
	type entry struct {
		Max       int `json:"Max"`
		Remaining int `json:"Remaining"`
	}
	full := func(n int) entry { return entry{n, n} }
	return okJSON(map[string]entry{
		"DailyApiRequests":                  {limit, left},
		"DailyBulkApiBatches":               full(15_000),
		"DailyBulkV2QueryJobs":              full(10_000),
		"DailyBulkV2QueryFileStorageMB":     full(976_562),
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
