package soak

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(performerDatabase) != "" {
		os.Exit(performerMain())
	}
	os.Exit(storetest.Main(m))
}

// play runs a script to its end and says what it did, and what was wrong.
func play(ctx context.Context, d *database, s script, b *bend) (did tally, err error) {
	var r *run
	defer func() {
		switch x := recover().(type) {
		case nil:
		case failure:
			err = x
			if r != nil {
				err = failure{x.text + "\n--- the last of what happened:\n" + strings.Join(r.trail[max(0, len(r.trail)-40):], "\n")}
			}
		default:
			err = fmt.Errorf("panic: %v\n%s", x, debug.Stack())
		}
		if r != nil {
			did = r.tally
			r.end()
		}
	}()
	d.empty(ctx)
	r = newRun(ctx, d, makeSetup(s.seed), b, nil)
	for _, st := range s.steps {
		r.say("step %s:%x", st.name, st.seed)
		actOf(st.name).do(r, st.rng())
		r.tally.steps++
	}
	r.heal()
	r.compare()
	r.rereads()
	r.tally.units = int(r.units())
	return r.tally, nil
}

// rereads reads everything once more, as after a changed file or as a resync, and
// requires that it costs nothing and changes nothing.
func (r *run) rereads() {
	units, before := r.units(), maps.Clone(r.receipts)
	r.onceMore()
	r.settle()
	read := int64(0)
	for ref, c := range r.receipts {
		if _, old := before[ref]; !old {
			check(c.Rows == c.Unchanged, "everything was read again, and batch %v says %+v", ref, c)
			read += c.Rows
		}
	}
	there := 0
	for _, o := range r.objects {
		for _, s := range o.now {
			if s.readable() {
				there++
			}
		}
	}
	check(read >= int64(there), "%d rows were to be read again, and %d were", there, read)
	r.same(units)
}

// onceMore has everything read again: by a changed file, or by a resync.
func (r *run) onceMore() {
	if r.set.seed%2 == 0 {
		for _, o := range r.objects {
			const always = "CreatedDate > 1990-01-01T00:00:00Z"
			if o.where.soql == "" {
				o.where.soql = always
			} else {
				o.where.soql = "(" + o.where.soql + ") AND " + always
			}
		}
		r.apply()
	} else {
		for _, o := range r.objects {
			must(r.d.db.RequestResync(r.ctx, r.id, o.name, time.Time{}, time.Time{}, "once more"), "ask for a resync")
		}
	}
}

// same requires that reading again has ended, changed nothing and cost nothing.
func (r *run) same(units int64) {
	for _, left := range rows[struct{ Object string }](r.ctx, r.d, `
		select object from streams where integration_id = $1 and lane = 'resync' and finished_at is null`, r.id) {
		fail("the resync of %s does not end", left.Object)
	}
	check(r.units() == units, "everything was read again, and it cost %d units", r.units()-units)
	r.compare()
}

// report is a failure with everything needed to see it again.
func report(s script, err error) string {
	return fmt.Sprintf("seed %d: %v\n--- setup: %s\n--- script: %s\n--- again: SOAK_SCRIPT='%s' go test ./internal/soak -run '^TestScript$' -v",
		s.seed, err, makeSetup(s.seed), s, s)
}

// envNumber is a number from the environment.
func envNumber(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, name)
	return n
}

// TestScript plays one script, for a person who wants to see it again.
func TestScript(t *testing.T) {
	text := os.Getenv("SOAK_SCRIPT")
	if text == "" {
		return // there is nothing to see
	}
	s, err := parseScript(text)
	require.NoError(t, err)
	if len(s.steps) == 0 {
		s = makeScript(s.seed)
	}
	did, err := play(t.Context(), newDatabase(t), s, nil)
	t.Logf("%+v", did)
	if err != nil {
		t.Fatal(report(s, err))
	}
}

// scripts is how many run with the other tests, and watched how many of them under the race
// detector. It makes a script three times as long, and what runs at the same time in one does
// so in all of them; what differs is what happens to it, which needs many scripts and no detector.
const scripts, watched = 200, 40

// players is how many scripts run at a time: each waits for PostgreSQL half of its time.
const players = 4

// many plays the scripts of the seeds from first on until there were n (0: no end), enough
// failed, or the time is over; then it tells what they did. Failures are told as they
// come, made as small as can be.
type many struct {
	first, n uint64
	failures int
	until    time.Time
	every    time.Duration // how often progress is told; 0 never

	mu     sync.Mutex
	next   uint64
	failed int
	total  tally
	played uint64
}

func (m *many) take() (uint64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n > 0 && m.next >= m.n || m.failed >= m.failures || !m.until.IsZero() && time.Now().After(m.until) {
		return 0, false
	}
	m.next++
	return m.first + m.next - 1, true
}

func (m *many) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("%d scripts, %d failed: %s", m.played, m.failed, m.total)
}

func (m *many) play(t *testing.T) {
	t.Helper()
	began := time.Now()
	var workers sync.WaitGroup
	for range players {
		d := newDatabase(t)
		workers.Go(func() {
			for seed, ok := m.take(); ok && t.Context().Err() == nil; seed, ok = m.take() {
				s := makeScript(seed)
				did, err := play(t.Context(), d, s, nil)
				m.mu.Lock()
				m.played++
				m.total.add(did)
				if err != nil {
					m.failed++
				}
				m.mu.Unlock()
				if err != nil {
					small, err := shrink(s, err, 60, func(s script) error { _, err := play(t.Context(), d, s, nil); return err })
					t.Error(report(small, err))
				}
			}
		})
	}
	over := make(chan struct{})
	var progress sync.WaitGroup
	if m.every > 0 {
		progress.Go(func() {
			ticker := time.NewTicker(m.every)
			defer ticker.Stop()
			for {
				select {
				case <-over:
					return
				case <-ticker.C:
					t.Logf("%s: %s", time.Since(began).Round(time.Second), m)
				}
			}
		})
	}
	workers.Wait()
	close(over)
	progress.Wait()
	t.Logf("measured: in %s %s", time.Since(began).Round(time.Second), m)
}

// firstSeed is the one asked for, else always the same: a build must not fail for what it
// did not change. `make soak` looks for new ones.
func firstSeed(t *testing.T) uint64 {
	t.Helper()
	return envNumber(t, "SOAK_SEED", 60_000)
}

// newSeed is the one asked for, else one that nobody has had.
func newSeed(t *testing.T) uint64 {
	t.Helper()
	return envNumber(t, "SOAK_SEED", uint64(time.Now().UnixNano())%1_000_000_000)
}

// Whatever Salesforce does and whoever dies: nothing is missing, nothing is there
// twice, nothing costs what it should not.
func TestRandomScripts(t *testing.T) {
	t.Parallel()
	n := envNumber(t, "SOAK_SCRIPTS", scripts)
	playSeeds(t, firstSeed(t), min(n, watched))
}

// The rest of the scripts, which `make test` plays without the race detector.
func TestPlainRandomScripts(t *testing.T) {
	t.Parallel()
	n := envNumber(t, "SOAK_SCRIPTS", scripts)
	if n <= watched {
		return // all are played above
	}
	playSeeds(t, firstSeed(t)+watched, n-watched)
}

// playSeeds plays the scripts of n seeds.
func playSeeds(t *testing.T, first, n uint64) {
	t.Helper()
	t.Logf("measured: SOAK_SEED=%d and the %d seeds after it", first, n-1)
	m := &many{first: first, n: n, failures: 5}
	m.play(t)
}

// TestSoak plays scripts until it is stopped, one fails, or SOAK_FOR is over: `make soak`.
func TestSoak(t *testing.T) {
	text := os.Getenv("SOAK_FOR")
	if text == "" {
		return // it has no end of its own
	}
	m := &many{first: newSeed(t), failures: 1, every: 10 * time.Second}
	if text != "ever" {
		d, err := time.ParseDuration(text)
		require.NoError(t, err, "SOAK_FOR")
		m.until = time.Now().Add(d)
	}
	t.Logf("SOAK_SEED=%d and the seeds after it", m.first)
	m.play(t)
}

// seedsToCatch bounds how long a broken product may go unnoticed.
const seedsToCatch = 60

// The scripts are worth something only if they catch what is broken.
func TestPlainScriptsCatchBrokenProducts(t *testing.T) {
	t.Parallel()
	first := firstSeed(t)
	t.Logf("measured: SOAK_SEED=%d", first)
	for _, b := range bends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t)
			if b.forget != "" {
				d.exec(t.Context(), b.forget)
			}
			for i := range uint64(seedsToCatch) {
				if _, err := play(t.Context(), d, makeScript(first+i), &b); err != nil {
					require.ErrorAs(t, err, new(failure), "the script itself is broken")
					if _, whole := play(t.Context(), newDatabase(t), makeScript(first+i), nil); whole != nil {
						t.Errorf("the product that is whole fails script %d too: %v", first+i, whole)
						return
					}
					how, _, _ := strings.Cut(err.Error(), "{")
					t.Logf("measured: %q (%s) is caught by script %d, seed %d: %.240s", b.name, b.why, i+1, first+i, strings.ReplaceAll(how, "\n", " "))
					return
				}
			}
			t.Errorf("%d scripts from seed %d on did not notice: %s", seedsToCatch, first, b.why)
		})
	}
}
