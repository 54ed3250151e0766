package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/request"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// The bill of any sequence of writes is that of a straight-line model, whatever happened to the requests: clients
// that write beside each other, also the same comments, requests that are given up, and connections to the database that break
// right before a commit and right after it.
func TestTheBillIsThatOfAStraightLine(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newShop(t, seed)
	var all sync.WaitGroup
	clients := make([]*payer, 4)
	for i := range clients {
		clients[i] = &payer{shop: w, name: fmt.Sprint("c", i), r: rand.New(rand.NewPCG(seed, uint64(i))), texts: map[string]string{}, properties: map[string]int{}, units: map[string]int{}}
		all.Go(func() {
			for range 80 {
				clients[i].step()
			}
		})
	}
	all.Wait()
	require.Empty(t, w.failed.Load(), "seed %d", seed)
	t.Logf("%d commits cut before, %d after, %d requests given up, %d sent again", w.proxy.before.Load(), w.proxy.after.Load(), w.givenUp.Load(), w.again.Load())
	require.Positive(t, w.proxy.before.Load())
	require.Positive(t, w.proxy.after.Load())
	require.Positive(t, w.givenUp.Load())

	want, units := []string{}, map[string]int{}
	for _, c := range clients {
		for id, text := range c.texts {
			want = append(want, fmt.Sprintf("%s %s %d", id, text, c.properties[id]))
		}
		for id, n := range c.units {
			units[id] += n
		}
	}
	for i := range hot { // whoever came first made it, and nobody else paid for it
		want = append(want, fmt.Sprintf("hot%d same 0", i))
		units[fmt.Sprint("hot", i)] = 1
	}
	slices.Sort(want)
	require.Equal(t, want, w.seed.Strings(`
		select c.id || ' ' || (r.texts->0->>'body') || ' ' || (c.properties->>'number:n')
		from comments c join revisions r on (r.source_id, r.comment_id, r.revision) = (c.source_id, c.id, c.revision)
		where c.source_id = $1 and c.deleted_at is null order by c.id collate "C"`, w.source), "seed %d", seed)
	bill := []string{}
	for id, n := range units {
		bill = append(bill, fmt.Sprintf("%s %d", id, n))
	}
	slices.Sort(bill)
	require.Equal(t, bill, w.seed.Strings(`select comment_id || ' ' || sum(units) from ledger where source_id = $1 group by comment_id order by comment_id collate "C"`, w.source), "seed %d", seed)
	require.Empty(t, w.seed.Strings(`
		select comment_id || ' ' || revision from (
			select *, lag(after_hash) over (partition by comment_id order by revision) as last from ledger where source_id = $1) l
		where reason = 'text_changed' and (before_hash is distinct from last or before_hash = after_hash)`, w.source), "each unit leads on from the one before")
}

// hot is how many comments every client writes, all the same.
const hot = 3

// shop is an API to write to, whose database is behind a proxy that breaks connections.
type shop struct {
	t      *testing.T
	seed   *storetest.Seed
	source string
	server *httptest.Server
	token  string
	proxy  *breaking

	flights sync.Map // by request id
	givenUp atomic.Int32
	again   atomic.Int32
	failed  atomic.Value // what went wrong first
}

func newShop(t *testing.T, seed uint64) *shop {
	db, s, raw := storetest.NewSeedURL(t)
	w := &shop{t: t, seed: s}
	w.failed.Store("")
	w.source = s.Source(s.Project("support"), "written")
	users := access.New(db)
	_, err := users.CreateUser(t.Context(), "writer@example.com", "", []store.Grant{
		{Project: "support", Permission: access.SourcesAddComments}, {Project: "support", Permission: access.SourcesRead},
	})
	require.NoError(t, err)
	token, err := users.CreateToken(t.Context(), "writer@example.com", "test", time.Time{})
	require.NoError(t, err)
	w.token = token.Reveal()

	u, err := url.Parse(raw)
	require.NoError(t, err)
	w.proxy = newBreaking(t, u.Host, rand.New(rand.NewPCG(seed, 99)))
	u.Host = w.proxy.listener.Addr().String()
	behind, err := store.Open(t.Context(), u.String(), store.Options{MaxConns: 6})
	require.NoError(t, err)
	t.Cleanup(behind.Close)
	w.proxy.armed.Store(true)
	api := New(behind, users, Options{RequestsPerSecond: 1e6, Burst: 1e6})
	arrive := func(rw http.ResponseWriter, r *http.Request) {
		if f, ok := w.flights.Load(request.Of(r.Context()).ID); ok {
			f.(*flight).arrive()
		}
		api.ServeHTTP(rw, r)
	}
	w.server = httptest.NewServer(request.Handler(http.HandlerFunc(arrive), func(r request.Record) {
		if f, ok := w.flights.Load(r.ID); ok {
			close(f.(*flight).over)
		}
	}))
	t.Cleanup(w.server.Close)
	return w
}

// payer writes comments of its own, which it alone knows, and those that all write. texts, properties and
// units are the model: one request after the other, each once.
type payer struct {
	*shop
	name       string
	r          *rand.Rand
	texts      map[string]string
	properties map[string]int
	units      map[string]int
	requests   int
}

// step is one operation: sent until it is answered, and then done in the model.
func (c *payer) step() {
	switch n := c.r.IntN(10); {
	case n < 6:
		c.sync()
	case n < 8:
		c.put()
	default:
		c.remove()
	}
}

func (c *payer) id() string { return fmt.Sprint(c.name, "-", c.r.IntN(12)) }

// pick makes a batch of comments, each once, some of them as they are.
func (c *payer) pick() (ids []string, texts map[string]string, properties map[string]int) {
	texts, properties = map[string]string{}, map[string]int{}
	for range 1 + c.r.IntN(6) {
		id := c.id()
		if _, twice := texts[id]; twice {
			continue
		}
		ids = append(ids, id)
		texts[id], properties[id] = fmt.Sprint("text", c.r.IntN(3)), c.r.IntN(2)
	}
	return ids, texts, properties
}

func (c *payer) write(id, text string, n int, more ...string) string {
	return one(id, text, append([]string{"user_properties", fmt.Sprintf(`{"number:n":%d}`, n)}, more...)...)
}

func (c *payer) apply(ids []string, texts map[string]string, properties map[string]int) {
	for _, id := range ids {
		if before, there := c.texts[id]; !there || before != texts[id] {
			c.units[id]++
		}
		c.texts[id], c.properties[id] = texts[id], properties[id]
	}
}

func (c *payer) sync() {
	ids, texts, properties := c.pick()
	var list []string
	for _, id := range ids {
		list = append(list, c.write(id, texts[id], properties[id]))
	}
	for i := range hot {
		list = append(list, c.write(fmt.Sprint("hot", i), "same", 0))
	}
	c.r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	c.send(http.MethodPost, "/api/v1/sources/support%2Fwritten/sync", batchOf(list...), http.StatusOK)
	c.apply(ids, texts, properties)
}

// put creates a comment that is not there, or overwrites one by its context.
func (c *payer) put() {
	id, text, n := c.id(), fmt.Sprint("put", c.r.IntN(3)), c.r.IntN(2)
	before, there := c.texts[id]
	if there && before == text && c.properties[id] == n {
		return // it would be as it was, and a lost answer could not be told from a refusal
	}
	var more []string
	if there {
		_, raw := c.send(http.MethodGet, "/api/v1/sources/support%2Fwritten/comments/"+id, "", http.StatusOK)
		var got struct{ Comment struct{ Context string } }
		if err := json.Unmarshal(raw, &got); err != nil {
			c.fail("read %s: %v", id, err)
		}
		more = []string{"context", quote(got.Comment.Context)}
		if c.r.IntN(4) == 0 { // an old context changes nothing
			c.send(http.MethodPut, "/api/_private/sources/support%2Fwritten/comments", batchOf(c.write(c.name+"-new", "x", 0), c.write(id, "y", 0, "context", `"old"`)), http.StatusConflict)
		}
	}
	// A refusal after an answer that was lost says that it was written.
	c.send(http.MethodPut, "/api/_private/sources/support%2Fwritten/comments", batchOf(c.write(id, text, n, more...)), http.StatusOK, http.StatusConflict)
	c.apply([]string{id}, map[string]string{id: text}, map[string]int{id: n})
}

func (c *payer) remove() {
	query := url.Values{}
	for range 1 + c.r.IntN(3) {
		id := c.id()
		query.Add("id", id)
		delete(c.texts, id)
		delete(c.properties, id)
	}
	c.send(http.MethodDelete, "/api/v1/sources/support%2Fwritten/comments?"+query.Encode(), "", http.StatusOK)
}

func (w *shop) fail(format string, args ...any) {
	w.failed.CompareAndSwap("", fmt.Sprintf(format, args...))
}

// send sends a request until it is answered for good: with the status wanted, or, if an attempt before may have
// been done, with the other one.
func (c *payer) send(method, path, body string, want int, afterLost ...int) (int, []byte) {
	for attempt := range 200 {
		status, raw := c.attempt(method, path, body)
		switch {
		case status == want, attempt > 0 && slices.Contains(afterLost, status):
			return status, raw
		case status == 0 || status == http.StatusServiceUnavailable:
			c.again.Add(1)
		default:
			c.fail("%s %s: %d %s", method, path, status, raw)
			return status, raw
		}
	}
	c.fail("%s %s is never answered", method, path)
	return 0, nil
}

// flight is a request on its way.
type flight struct {
	arrive func()        // called when the server has it
	over   chan struct{} // closed when the server is done with it
}

// attempt sends a request once, and gives it up now and then; 0 = there was no answer. It comes back when the server is
// done with it: a request that is still under way when the next one is sent would be a client of its own.
func (c *payer) attempt(method, path, body string) (int, []byte) {
	ctx, giveUp := context.WithCancel(c.t.Context())
	defer giveUp()
	f := &flight{arrive: func() {}, over: make(chan struct{})}
	if c.r.IntN(8) == 0 {
		after := time.Duration(c.r.IntN(12_000)) * time.Microsecond
		f.arrive = func() { time.AfterFunc(after, giveUp) }
	}
	c.requests++
	id := fmt.Sprintf("%s-request-%d", c.name, c.requests)
	c.flights.Store(id, f)
	req, err := http.NewRequestWithContext(ctx, method, c.server.URL+path, strings.NewReader(body))
	if err != nil {
		c.fail("%v", err)
		return 0, nil
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set(request.HeaderID, id)
	res, err := http.DefaultTransport.RoundTrip(req)
	defer func() { <-f.over }()
	var raw []byte
	if err == nil {
		raw, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err != nil {
		if ctx.Err() != nil {
			c.givenUp.Add(1)
		}
		return 0, nil
	}
	return res.StatusCode, raw
}

// breaking is a proxy in front of PostgreSQL that breaks the connection at some commits: before they
// reach it, or when they are done and before anybody learns of it.
type breaking struct {
	listener net.Listener
	armed    atomic.Bool
	mu       sync.Mutex
	r        *rand.Rand
	before   atomic.Int32
	after    atomic.Int32
}

func newBreaking(t *testing.T, to string, r *rand.Rand) *breaking {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &breaking{listener: listener, r: r}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				return
			}
			go b.serve(client, server)
		}
	}()
	return b
}

func (b *breaking) chance() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.r.IntN(12)
}

func (b *breaking) serve(client, server net.Conn) {
	cut := func() { _ = client.Close(); _ = server.Close() }
	defer cut()
	var last atomic.Bool // the next answer is not passed on
	go func() {
		defer cut()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || last.Load() {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if b.armed.Load() && bytes.HasSuffix(buf[:n], []byte("commit\x00")) {
			switch b.chance() {
			case 0:
				b.before.Add(1)
				return
			case 1:
				b.after.Add(1)
				last.Store(true)
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}
