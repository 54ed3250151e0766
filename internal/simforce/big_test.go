package simforce

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// Big mails are rows like all others, whichever way they are asked for.
func TestBigMails(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Big: 2000, Generate: 10, Seed: 5})
	var count struct{ TotalSize int }
	b.get("/query?q=SELECT+COUNT()+FROM+EmailMessage").into(t, &count)
	require.Equal(t, 2010, count.TotalSize)
	const fields = "Id, SystemModstamp, CreatedDate, TextBody, HtmlBody, Subject, FromName, FromAddress, ToAddress, Incoming, Status, ParentId, Parent.CaseNumber, Parent.Priority, MessageDate, IsDeleted, ThreadIdentifier"
	columns := b.results(b.job("SELECT "+fields+" FROM EmailMessage WHERE MessageIdentifier LIKE '%big@mail.example>'"), 300)
	require.Len(t, columns, 2001)
	byID := map[string][]string{}
	var size, text, incoming int
	var all strings.Builder
	for _, row := range columns[1:] {
		require.NotContains(t, byID, row[0])
		byID[row[0]] = row
		size += len(row[3]) + len(row[4])
		text += len(row[3])
		if row[9] == "true" {
			incoming++
		}
		require.NotEmpty(t, row[12], "each has a case")
		all.WriteString(row[3] + row[4])
	}
	t.Logf("measured: %d bytes of bodies, %d of them text", size/2000, text/2000)
	require.InDelta(t, 8000, size/2000, 1000, "bytes of a mail's bodies")
	require.InDelta(t, 2000, text/2000, 400, "bytes of text")
	require.InDelta(t, 1400, incoming, 120)
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	require.NoError(t, err)
	one := all.String()[:1<<20] // as much as a chunk
	ratio := float64(len(one)) / float64(len(packer.EncodeAll([]byte(one), nil)))
	require.InDelta(t, 4.5, ratio, 1.2, "how well it packs: about as mail that has text and HTML of it")

	var page struct{ Records []map[string]any }
	b.get("/query?q="+strings.ReplaceAll("SELECT "+fields+" FROM EmailMessage WHERE MessageIdentifier = '<77.big@mail.example>'", " ", "+")).into(t, &page)
	require.Len(t, page.Records, 1)
	got := page.Records[0]
	row := byID[got["Id"].(string)]
	require.Equal(t, row[3], got["TextBody"])
	require.Equal(t, row[4], got["HtmlBody"])
	require.Equal(t, row[5], got["Subject"])
	require.Equal(t, row[12], got["Parent"].(map[string]any)["CaseNumber"])
	require.Equal(t, row[6], got["FromName"])

	_, err = b.UpdateRecord("EmailMessage", row[0], Write{Fields: Row{"TextBody": "written"}})
	require.NoError(t, err)
	again := b.results(b.job("SELECT "+fields+" FROM EmailMessage WHERE Id = '"+row[0]+"'"), 10)[1]
	require.Equal(t, "written", again[3])
	require.NotEqual(t, row[1], again[1], "it has a new stamp")
	for i := 4; i < len(row); i++ {
		require.Equal(t, row[i], again[i], "column %d stays", i)
	}
	require.NoError(t, b.DeleteRecord("", row[0], false))
	b.get("/query?q=SELECT+COUNT()+FROM+EmailMessage").into(t, &count)
	require.Equal(t, 2009, count.TotalSize)
	_, err = New(Options{Big: 10, StateFile: t.TempDir() + "/state"})
	require.ErrorContains(t, err, "big mails are not kept in a state file")
}

// Who asks for a page twice is seen.
func TestPagesAreCounted(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Generate: 50})
	id := b.job("SELECT Id FROM EmailMessage")
	b.results(id, 20)
	pages := b.Counters().Pages
	require.Len(t, pages, 3)
	for name, c := range pages {
		require.Equal(t, PageCount{1, 1}, c, name)
	}
	b.get(fmt.Sprintf("/jobs/query/%s/results?maxRecords=20", id))
	require.Equal(t, PageCount{2, 2}, b.Counters().Pages[id+"  20"])
	raw, err := json.Marshal(b.Counters())
	require.NoError(t, err)
	require.Contains(t, string(raw), `"pages"`)
}

// What draining a result of big mails costs, over HTTP.
func BenchmarkBigResults(b *testing.B) {
	s, err := New(Options{Big: 20_000, Generate: 1, Seed: 1})
	require.NoError(b, err)
	p, e := s.compileAt(s.view(s.orgs[0], s.orgs[0].firstUser()), "SELECT Id, Subject, TextBody, HtmlBody, FromAddress, SystemModstamp, Parent.CaseNumber FROM EmailMessage", true, s.now())
	if e != nil {
		b.Fatal(e)
	}
	r := p.bulk(1, &bulkJob{version: "v66.0"})
	w := &counting{}
	for b.Loop() {
		w.n = 0
		if err := r.write(w, 0, len(r.rows), ',', "\n"); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(w.n))
}

type counting struct{ n int }

func (c *counting) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }
