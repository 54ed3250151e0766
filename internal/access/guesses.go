package access

import (
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/fault"
)

// How many wrong passwords are taken within guessWindow before sign-in waits.
// Ten from one address for one account is a person who forgot; the wider limits
// stop many addresses that try one account and one address that tries many,
// and are far enough from the first that a stranger cannot easily lock
// the owner out.
const (
	guessWindow         = 15 * time.Minute
	guessesPerPair      = 10
	guessesPerAccount   = 100
	guessesPerAddress   = 100
	signInsPerAddress   = 1000    // begun at an identity provider: an organisation behind one proxy is one address
	guessesKept         = 100_000 // counters in memory; past that, the old ones go first
	guessesKeptAtAPurge = guessesKept / 2
)

// guesses counts failures in memory: a restart forgets them, which is cheaper
// than a table that anybody can make grow.
type guesses struct {
	mu       sync.Mutex
	counters map[string]*guessCounter
}

type guessCounter struct {
	failures int
	until    time.Time // the window's end
}

func newGuesses() *guesses { return &guesses{counters: map[string]*guessCounter{}} }

type guessLimit struct {
	key   string
	limit int
}

func guessLimits(account, address string) []guessLimit {
	account = strings.ToLower(account)
	return []guessLimit{
		{"pair " + address + " " + account, guessesPerPair},
		{"account " + account, guessesPerAccount},
		{"address " + address, guessesPerAddress},
	}
}

// begin counts an attempt as a failure before the password is looked at, so that
// many at once cannot slip through, and says how long to wait when there were too many.
func (g *guesses) begin(account, address string, now time.Time) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	limits := guessLimits(account, address)
	for _, l := range limits {
		if c := g.counters[l.key]; c != nil && now.Before(c.until) && c.failures >= l.limit {
			wait = max(wait, c.until.Sub(now))
		}
	}
	if wait > 0 {
		return wait
	}
	g.purge(now)
	for _, l := range limits {
		g.count(l.key, now)
	}
	return 0
}

// succeeded takes the attempt back and forgets the failures of this account from
// this address.
func (g *guesses) succeeded(account, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	limits := guessLimits(account, address)
	delete(g.counters, limits[0].key)
	for _, l := range limits[1:] {
		if c := g.counters[l.key]; c != nil && c.failures > 0 {
			c.failures--
		}
	}
}

// unjudged takes back an attempt whose password nobody looked at, so that an owner
// who knocks while strangers keep the door busy is not locked out. The address it
// came from goes on being counted: it may be the stranger's.
func (g *guesses) unjudged(account, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range guessLimits(account, address)[:2] {
		if c := g.counters[l.key]; c != nil && c.failures > 0 {
			c.failures--
		}
	}
}

// wait says how long nothing is taken for a key any more; 0 = it is.
func (g *guesses) wait(key string, limit int, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.counters[key]; c != nil && now.Before(c.until) && c.failures >= limit {
		return c.until.Sub(now)
	}
	return 0
}

// note counts one try for a key.
func (g *guesses) note(key string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.purge(now)
	g.count(key, now)
}

// count is called with mu held.
func (g *guesses) count(key string, now time.Time) {
	c := g.counters[key]
	if c == nil || !now.Before(c.until) {
		c = &guessCounter{until: now.Add(guessWindow)}
		g.counters[key] = c
	}
	c.failures++
}

// CheckGuess refuses with fault.RateLimited an address from which too many wrong links and tokens
// came. Those have 256 random bits and cannot be guessed; but who tries is to be slowed down.
func (s *Service) CheckGuess(address string) error {
	return slowDown(s.guesses.wait("link "+address, guessesPerAddress, s.now()), "there were too many wrong links and tokens from this address")
}

// CheckSignIn counts a sign-in that begins at an identity provider, and refuses an address with
// fault.RateLimited that begins very many: each is kept until it ends.
func (s *Service) CheckSignIn(address string) error {
	key := "begun " + address
	wait := s.guesses.wait(key, signInsPerAddress, s.now())
	if wait == 0 {
		s.guesses.note(key, s.now())
	}
	return slowDown(wait, "there were too many sign-ins from this address")
}

func slowDown(wait time.Duration, why string) error {
	if wait == 0 {
		return nil
	}
	e := fault.New(fault.RateLimited, "%s", why)
	e.RetryAfter = wait
	return e
}

// WrongGuess notes a wrong link or token for CheckGuess.
func (s *Service) WrongGuess(address string) { s.guesses.note("link "+address, s.now()) }

func (g *guesses) purge(now time.Time) {
	if len(g.counters) < guessesKept {
		return
	}
	for key, c := range g.counters {
		if !now.Before(c.until) || len(g.counters) > guessesKeptAtAPurge {
			delete(g.counters, key)
		}
	}
}
