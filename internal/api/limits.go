package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"salesforcesync/internal/fault"
)

// limits is a token bucket per caller, in this process's memory: several processes
// allow several times as much.
type limits struct {
	rate  rate.Limit
	burst int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	swept   time.Time
}

// sweepEvery is how often buckets are looked through for full ones, which are the
// same as none.
const sweepEvery = time.Minute

func newLimits(perSecond float64, burst int) *limits {
	return &limits{rate: rate.Limit(perSecond), burst: max(1, burst), buckets: map[string]*rate.Limiter{}, swept: time.Now()}
}

// take takes one request off the caller's bucket; fault.RateLimited with RetryAfter
// when it is empty.
func (l *limits) take(key string) error {
	now := time.Now()
	l.mu.Lock()
	if now.Sub(l.swept) > sweepEvery {
		l.swept = now
		for k, b := range l.buckets {
			if b.TokensAt(now) >= float64(l.burst) {
				delete(l.buckets, k)
			}
		}
	}
	b := l.buckets[key]
	if b == nil {
		b = rate.NewLimiter(l.rate, l.burst)
		l.buckets[key] = b
	}
	l.mu.Unlock()

	if b.AllowN(now, 1) {
		return nil
	}
	return l.exceeded()
}

// check is take that takes nothing.
func (l *limits) check(key string) error {
	l.mu.Lock()
	b := l.buckets[key]
	l.mu.Unlock()
	if b == nil || b.Tokens() >= 1 {
		return nil
	}
	return l.exceeded()
}

func (l *limits) exceeded() error {
	e := fault.New(fault.RateLimited, "more than %g requests per second", float64(l.rate))
	e.RetryAfter = time.Duration(float64(time.Second) / float64(l.rate))
	return e
}
