package transform_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/csv"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// floodMails are chunks of n mails of about 8 KB (2 KB text, 6 KB HTML), as JSON lines and as CSV.
func floodMails(t testing.TB, n int) (lines, rows []store.Chunk) {
	t.Helper()
	random := rand.New(rand.NewPCG(4, 4))
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("%x", random.IntN(1<<(4+random.IntN(20))))
	}
	prose := func(size int) string {
		var b strings.Builder
		for b.Len() < size {
			b.WriteString(words[min(random.IntN(len(words)), random.IntN(len(words)))])
			b.WriteByte(" \n    "[random.IntN(6)])
		}
		return b.String()
	}
	var line, row store.Chunk
	flush := func() {
		line.Format, row.Format = store.FormatJSON, store.FormatCSV
		lines, rows = append(lines, line), append(rows, row)
		line, row = store.Chunk{}, store.Chunk{}
	}
	for i := range n {
		id := salesforce.To18(fmt.Sprintf("02s5e%010d", i))
		body := prose(2000)
		html := "<html><body><p class=\"x\">" + strings.ReplaceAll(prose(4000), "\n", "</p>\n<p style=\"margin:0\">") + "</p></body></html>"
		sent := time.Unix(1.7e9+int64(i)*60, 0).UTC()
		b := newBoth()
		b.set("Id", id, id)
		b.set("SystemModstamp", sent.Format("2006-01-02T15:04:05.000+0000"), sent.Format("2006-01-02T15:04:05.000Z"))
		b.set("MessageDate", sent.Format("2006-01-02T15:04:05.000+0000"), sent.Format("2006-01-02T15:04:05.000Z"))
		b.set("CreatedDate", sent.Format("2006-01-02T15:04:05.000+0000"), sent.Format("2006-01-02T15:04:05.000Z"))
		b.set("IsDeleted", false, "false")
		b.set("Incoming", true, "true")
		b.set("ParentId", caseID, caseID)
		b.set("Parent.Age__c", 2.5, "2.5")
		b.set("Parent.IsClosed", false, "false")
		for path, value := range map[string]any{"Subject": prose(40), "TextBody": body, "HtmlBody": html, "FromName": "Ann Example", "FromAddress": "ann@example.com",
			"ToAddress": "support@acme.example; bob@example.com", "CcAddress": "carol@example.com", "BccAddress": nil, "ThreadIdentifier": nil, "Signature__c": nil,
			"Parent.CaseNumber": fmt.Sprintf("%08d", i/3), "Parent.Priority": "High", "Parent.Account.Name": "Acme", "Parent.ClosedDate": nil, "Parent.Due__c": nil} {
			cell, _ := value.(string)
			b.set(path, value, cell)
		}
		line.IDs, row.IDs = append(line.IDs, id), append(row.IDs, id)
		line.Data = append(append(line.Data, b.line(t, transform.Recipients{})...), '\n')
		header, cells := b.csv(t, transform.Recipients{})
		if row.Data == nil {
			row.Data = []byte(header)
		}
		row.Data = append(row.Data, cells...)
		if len(row.Data) > 1<<20 {
			flush()
		}
	}
	flush()
	return lines, rows
}

// cpu is the processor time of this process.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTransform makes comments of a batch of 4,000 mails of 8 KB, from chunks in the
// database to staged rows, as CSV and as JSON lines; the text needs little cleaning. Its
// other half is BenchmarkBatch in package store.
func BenchmarkTransform(b *testing.B) {
	const mails = 4000
	lines, rows := floodMails(b, mails)
	for name, chunks := range map[string][]store.Chunk{"json": lines, "csv": rows} {
		b.Run(name, func(b *testing.B) {
			db, _, ref := sealedChunks(b, nil, chunks...)
			batches := transform.Batches{Store: db}
			before := cpu(b)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				result, err := batches.Transform(b.Context(), ref)
				require.NoError(b, err)
				require.EqualValues(b, mails, result.Comments)
			}
			b.ReportMetric(mails*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric((cpu(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkRow makes the rows alone, and BenchmarkIdentity what tells versions apart.
func BenchmarkRow(b *testing.B) {
	benchmarkRows(b, func(c *transform.Compiled, row csv.Row) error { _, err := c.Row(row); return err })
}

func BenchmarkIdentity(b *testing.B) {
	benchmarkRows(b, func(c *transform.Compiled, row csv.Row) error { _, err := c.Identity(row); return err })
}

func benchmarkRows(b *testing.B, do func(*transform.Compiled, csv.Row) error) {
	_, rows := floodMails(b, 120)
	data := rows[0].Data
	b.SetBytes(int64(len(data)) / int64(len(rows[0].IDs)))
	b.ReportAllocs()
	for n := 0; n < b.N; {
		r := csv.NewBytesReader(data)
		header, err := r.Header()
		require.NoError(b, err)
		c, err := recipe.Compile(header)
		require.NoError(b, err)
		for ; n < b.N; n++ {
			row, err := r.Next()
			if err != nil {
				break
			}
			require.NoError(b, do(c, row))
		}
	}
}

// BenchmarkRetransform plans and applies a retransform of 4,000 mails, each of which changes.
func BenchmarkRetransform(b *testing.B) {
	const mails = 4000
	_, chunks := floodMails(b, mails)
	for range b.N {
		b.StopTimer()
		a := newAnew(b, chunks...)
		a.plan(apart())
		a.seed.Exec(`update comments set changed = pg_current_xact_id(), text_hash = '\x00'`)
		b.StartTimer()
		begun := time.Now()
		counts, _ := a.planned(apart())
		b.ReportMetric(mails/time.Since(begun).Seconds(), "planned/s")
		require.EqualValues(b, mails, counts.TextChanged)
		begun = time.Now()
		require.Equal(b, counts, a.retransform())
		b.ReportMetric(mails/time.Since(begun).Seconds(), "applied/s")
	}
}
