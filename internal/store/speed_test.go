package store_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// batchRows is how many mails of about 8 KB make a page of a large load.
const batchRows = 4000

// words that texts are made of: enough for a text to compress as one that people wrote.
var words = func() []string {
	random := rand.New(rand.NewPCG(1, 1))
	out := make([]string, 2000)
	for i := range out {
		w := make([]byte, 2+random.IntN(9))
		for j := range w {
			w[j] = "etaoinshrdlucmfwypvbgk"[min(random.IntN(22), random.IntN(22))]
		}
		out[i] = string(w)
	}
	return out
}()

// prose is about size bytes of text in lines.
func prose(random *rand.Rand, size int) string {
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(words[min(random.IntN(len(words)), random.IntN(len(words)))])
		b.WriteByte(" \n    "[random.IntN(6)])
	}
	return b.String()
}

// cleanedMails are rows as Transform makes them of mails with Ids from first on.
func cleanedMails(first, n int) []store.StagedRow {
	random := rand.New(rand.NewPCG(uint64(first), 3))
	rows := make([]store.StagedRow, n)
	for i := range rows {
		id := recordID(first + i)
		sent := noon.Add(-time.Duration(first+i) * time.Minute)
		body := prose(random, 2000)
		who := fmt.Sprintf("ann.%d@example.com", random.IntN(5000))
		c := &comment.Comment{ID: fmt.Sprintf("%x", id), Timestamp: sent, ThreadID: fmt.Sprintf("%x", recordID(random.IntN(100_000))),
			Messages: []comment.Message{{Body: comment.Text{Text: body}, Subject: &comment.Text{Text: prose(random, 40)},
				From: "Ann Example <" + who + ">", To: []string{"support@acme.example"}, Cc: []string{who, "bob@example.com"}, SentAt: &sent}},
			Properties: comment.Properties{"string:Case Number": fmt.Sprintf("%08d", random.IntN(100_000)), "string:Case Priority": "High", "string:Case Status": "Closed",
				"string:Case Origin": "Email", "string:Direction": "inbound", "string:Case Subject": prose(random, 40), "number:Age": 2.5}}
		text := sha256.Sum256([]byte(body))
		whole := sha256.Sum256([]byte(id + body))
		rows[i] = store.StagedRow{RecordID: id, Stamp: sent, RecordDigest: whole[:], TextDigest: text[:], Comment: c, Chunk: i / 120}
	}
	return rows
}

// recordID counts in Salesforce's way: Ids of one object follow each other.
func recordID(n int) string { return fmt.Sprintf("02s5e%010dAAA", n) }

// steps sums up what each statement takes.
type steps struct {
	mu   sync.Mutex
	took map[string]time.Duration
}

type stepKey struct{}

type step struct {
	name  string
	begun time.Time
}

func (s *steps) begin(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, stepKey{}, step{name, time.Now()})
}

func (s *steps) end(ctx context.Context) {
	if st, ok := ctx.Value(stepKey{}).(step); ok {
		s.mu.Lock()
		s.took[st.name] += time.Since(st.begun)
		s.mu.Unlock()
	}
}

func (s *steps) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	name := strings.Join(strings.Fields(d.SQL), " ")
	return s.begin(ctx, name[:min(len(name), 60)])
}
func (s *steps) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) { s.end(ctx) }
func (s *steps) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceCopyFromStartData) context.Context {
	return s.begin(ctx, "copy "+d.TableName.Sanitize())
}
func (s *steps) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromEndData) {
	s.end(ctx)
}

func (s *steps) log(b *testing.B) {
	names := make([]string, 0, len(s.took))
	for name := range s.took {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(s.took[b], s.took[a]) })
	for _, name := range names {
		if each := s.took[name] / time.Duration(b.N); each > 100*time.Microsecond {
			b.Logf("%8.1f ms  %s", each.Seconds()*1000, name)
		}
	}
}

// backendCPU is the processor time that the server has spent for this database, of a server on
// this machine; 0 of another one.
func (l *lane) backendCPU() time.Duration {
	var ticks int64
	for _, pid := range l.strings(`select pid::text from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || !strings.Contains(string(stat), "(postgres") {
			continue
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		for _, f := range fields[11:13] {
			n, _ := strconv.ParseInt(f, 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func (l *lane) writtenAhead() int64 {
	n, err := strconv.ParseInt(l.one(`select (pg_current_wal_lsn() - '0/0')::bigint::text`), 10, 64)
	require.NoError(l.t, err)
	return n
}

// load runs one batch of cleaned rows through.
func (l *lane) load(rows []store.StagedRow) flow.Counts {
	b := l.begin()
	require.NoError(l.t, l.db.SealBatch(l.t.Context(), b, store.Seal{Rows: int64(len(rows)), Checksum: []byte("sum"), ServerTime: l.clock}))
	b, err := l.db.LoadBatch(l.t.Context(), l.ref)
	require.NoError(l.t, err)
	require.NoError(l.t, l.db.StageRows(l.t.Context(), b, 1, func(st *store.Staging) error {
		for _, r := range rows {
			if err := st.Add(r); err != nil {
				return err
			}
		}
		return nil
	}))
	done, err := l.db.Upsert(l.t.Context(), l.ref)
	require.NoError(l.t, err)
	l.ref.Seq++
	return done.Counts
}

// BenchmarkBatch stages and applies batches of 4,000 mails with 2 KB of text each: new ones, a
// second pass over them, and one in which a tenth has changed. One operation is one
// batch. It prints what each statement takes, the processor time of the server, and what goes
// through the write-ahead log.
func BenchmarkBatch(b *testing.B) {
	for name, kind := range map[string]func(rows []store.StagedRow){
		"created":   nil,
		"unchanged": func([]store.StagedRow) {},
		"mixed": func(rows []store.StagedRow) {
			for i := range rows {
				switch i % 20 {
				case 0:
					rows[i].Stamp = rows[i].Stamp.Add(time.Second)
					rows[i].Comment.Properties["string:Case Status"] = "New"
					rows[i].RecordDigest = []byte("other")
				case 10:
					rows[i].Stamp = rows[i].Stamp.Add(time.Second)
					rows[i].Comment.Messages[0].Body.Text += "And one thing more."
					rows[i].RecordDigest, rows[i].TextDigest = []byte("other"), []byte("other")
				}
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			l := newLane(b, config.DeletedTombstone)
			trace := &steps{took: map[string]time.Duration{}}
			require.NoError(b, l.db.Trace(b.Context(), trace))
			const before = 5 // so that the tables are not empty
			l.load(cleanedMails(0, 1))
			var cpu time.Duration
			var ahead int64
			for i := range before {
				l.load(cleanedMails(1+i*batchRows, batchRows))
			}
			l.seed.Exec(`update streams set verified_to = now()`)
			l.seed.Exec(`vacuum analyze records`)
			l.seed.Exec(`vacuum analyze comments`)
			clear(trace.took)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				first := 1 + (before+i)*batchRows
				if kind != nil {
					first = 1 + i%before*batchRows
				}
				rows := cleanedMails(first, batchRows)
				if kind != nil {
					kind(rows)
				}
				cpuBefore, aheadBefore := l.backendCPU(), l.writtenAhead()
				b.StartTimer()
				l.load(rows)
				b.StopTimer()
				cpu += l.backendCPU() - cpuBefore
				ahead += l.writtenAhead() - aheadBefore
				b.StartTimer()
			}
			rows := float64(b.N) * batchRows
			b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(cpu.Seconds()*1000/float64(b.N), "server-ms/op")
			b.ReportMetric(float64(ahead)/rows, "wal-B/row")
			trace.log(b)
		})
	}
}

// BenchmarkKnown looks up a thousand records among 20,000.
func BenchmarkKnown(b *testing.B) {
	l := newLane(b, config.DeletedTombstone)
	for i := range 5 {
		l.load(cleanedMails(i*batchRows, batchRows))
	}
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = recordID(i * 17)
	}
	for b.Loop() {
		known, err := l.db.Known(b.Context(), l.source, l.ref.Object, ids)
		require.NoError(b, err)
		require.Len(b, known, len(ids))
	}
}
