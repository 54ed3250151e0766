package simforce

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// keepRows makes rows of a stock leave it, unchanged: all of them, or those that which picks.
func keepRows(t *testing.T, s *Server, which func(id string) bool) {
	t.Helper()
	for _, object := range []string{"Case", "EmailMessage"} {
		rows, err := s.Records("", object)
		require.NoError(t, err)
		for _, r := range rows {
			if id := r["Id"].(string); which(id) {
				_, err := s.UpdateRecord(object, id, Write{Still: true})
				require.NoError(t, err)
			}
		}
	}
}

// twins are three simulators of the same rows: all in stock, half of them, none.
func twins(t *testing.T, mails int) []*bench {
	t.Helper()
	var out []*bench
	for i := range 3 {
		b := start(t, Options{Big: mails, Generate: 30, Seed: 5})
		n := 0
		keepRows(t, b.Server, func(string) bool {
			n++
			return i == 2 || i == 1 && mix(1, fmt.Sprint(n))%2 == 0
		})
		if left := b.orgs[0].table("EmailMessage").stock.left; i == 2 {
			require.Zero(t, left)
		} else {
			require.Positive(t, left)
		}
		out = append(out, b)
	}
	return out
}

// agree asks all of them the same and wants the same answer.
func agree[T any](t *testing.T, all []*bench, what string, ask func(*bench) T) T {
	t.Helper()
	want := ask(all[len(all)-1])
	for i, b := range all[:len(all)-1] {
		require.Equal(t, want, ask(b), "%s, simulator %d", what, i)
	}
	return want
}

func (b *bench) selected(soql string) []Row {
	b.t.Helper()
	rows, err := b.Select("", SyncUser, soql, true)
	require.NoError(b.t, err, soql)
	return rows
}

func TestStockRowsAreLikeOthers(t *testing.T) {
	t.Parallel()
	all := twins(t, 250)
	for _, object := range []string{"EmailMessage", "Case", "Contact", "Account"} {
		rows := agree(t, all, object, func(b *bench) []Row {
			rows, err := b.Records("", object)
			require.NoError(t, err)
			return rows
		})
		require.NotEmpty(t, rows)
		require.True(t, slices.IsSortedFunc(rows, func(a, b Row) int { return strings.Compare(a["Id"].(string), b["Id"].(string)) }))
	}
	mails := all[0].selected("SELECT Id, CreatedDate, SystemModstamp, ParentId FROM EmailMessage ORDER BY CreatedDate, Id")
	rng := rand.New(rand.NewPCG(1, 2))
	one := func() Row { return mails[rng.IntN(len(mails))] }
	when := func(r Row, field string) string { return r[field].(time.Time).Format("2006-01-02T15:04:05Z") }
	terms := []func() string{
		func() string { return "CreatedDate >= " + when(one(), "CreatedDate") },
		func() string { return "CreatedDate < " + when(one(), "CreatedDate") },
		func() string { return "CreatedDate = " + when(one(), "CreatedDate") },
		func() string { return "SystemModstamp > " + when(one(), "SystemModstamp") },
		func() string { return "SystemModstamp <= " + when(one(), "SystemModstamp") },
		func() string { return "Id > '" + one()["Id"].(string) + "'" },
		func() string { return "Id <= '" + one()["Id"].(string) + "'" },
		func() string { return "Id IN ('" + one()["Id"].(string) + "', '" + one()["Id"].(string) + "')" },
		func() string {
			if id, ok := one()["ParentId"].(string); ok {
				return "ParentId = '" + id + "'"
			}
			return "ParentId = null"
		},
		func() string { return "Incoming = true" },
		func() string { return "Parent.Priority = 'High'" },
		func() string { return "Status IN ('0', '2')" },
	}
	orders := []string{"", "ORDER BY Id", "ORDER BY Id DESC", "ORDER BY SystemModstamp, Id", "ORDER BY SystemModstamp DESC, Id DESC",
		"ORDER BY CreatedDate, Id", "ORDER BY SystemModstamp", "ORDER BY Subject, Id"}
	found := 0
	for range 150 {
		var where []string
		for range rng.IntN(4) {
			where = append(where, terms[rng.IntN(len(terms))]())
		}
		condition := ""
		if len(where) > 0 {
			condition = " WHERE " + strings.Join(where, []string{" AND ", " OR "}[rng.IntN(2)])
		}
		soql := "SELECT Id, Subject, CreatedDate, Parent.CaseNumber, Parent.Contact.Email FROM EmailMessage" + condition + " " + orders[rng.IntN(len(orders))]
		if rng.IntN(3) == 0 {
			soql += fmt.Sprintf(" LIMIT %d", rng.IntN(20))
		}
		found += len(agree(t, all, soql, func(b *bench) []Row { return b.selected(soql) }))
		count := "SELECT COUNT() FROM EmailMessage" + condition
		agree(t, all, count, func(b *bench) int {
			n, err := b.Count("", SyncUser, count, false)
			require.NoError(t, err)
			return n
		})
	}
	require.Greater(t, found, 2000)
	agree(t, all, "updated", func(b *bench) changes {
		return b.changes("EmailMessage", "updated", b.clock.now().Add(-20*24*time.Hour), b.clock.now())
	})
	for _, id := range []string{"", "x", "02s", makeID("02s", "dM", stockBase+1), makeID("02s", "dM", stockBase), makeID("02s", "dM", stockBase+stockStep*250), makeID("02s", "zz", stockBase+stockStep)} {
		require.Nil(t, all[0].orgs[0].find(id), id)
	}
}

func TestStockInBulkAndREST(t *testing.T) {
	t.Parallel()
	all := twins(t, 120)
	const fields = "Id, IsDeleted, CreatedDate, CreatedById, SystemModstamp, LastModifiedDate, Subject, TextBody, HtmlBody, FromName, FromAddress, ToAddress, CcAddress, Incoming, " +
		"HasAttachment, Status, MessageDate, ReplyToEmailMessageId, ParentId, ThreadIdentifier, MessageIdentifier, ActivityId, Parent.CaseNumber, Parent.Owner.Name, Parent.Contact.Account.Name, Parent.ClosedDate, Parent.Account_Name__c"
	for _, where := range []string{"", " WHERE CreatedDate >= 2026-01-01T00:00:00Z", " WHERE Incoming = true AND Parent.Status = 'Closed'", " ORDER BY SystemModstamp, Id"} {
		rows := agree(t, all, where, func(b *bench) [][]string {
			return b.results(b.job("SELECT "+fields+" FROM EmailMessage"+where, "operation", "queryAll"), 33)
		})
		require.Greater(t, len(rows), 20)
		byID := map[string]map[string]any{}
		for _, r := range all[0].rows("SELECT " + fields + " FROM EmailMessage" + where) {
			byID[r["Id"].(string)] = r
		}
		require.Len(t, byID, len(rows)-1)
		for _, cells := range rows[1:] {
			r := byID[cells[0]]
			for i, name := range strings.Split(fields, ", ") {
				var v any = r
				for _, part := range strings.Split(name, ".") {
					if parent, ok := v.(map[string]any); ok {
						v = parent[part]
					}
				}
				switch x := v.(type) {
				case nil:
					v = ""
				case bool:
					v = fmt.Sprint(x)
				case string:
					v = strings.Replace(x, ".000+0000", ".000Z", 1)
				}
				require.Equal(t, v, cells[i], "%s of %s", name, cells[0])
			}
		}
	}
	cases := agree(t, all, "cases", func(b *bench) [][]string {
		return b.results(b.job("SELECT Id, CaseNumber, Subject, Description, IsClosed, ClosedDate, ContactId, Contact.Name, ContactEmail, OwnerId, SystemModstamp FROM Case"), 50)
	})
	require.Greater(t, len(cases), 30)
}

func TestStockRowsAreWritten(t *testing.T) {
	t.Parallel()
	all := twins(t, 120)
	cases := all[0].selected("SELECT Id FROM Case WHERE CaseNumber > '10000000' ORDER BY Id")
	mails := all[0].selected("SELECT Id, ParentId FROM EmailMessage WHERE ParentId != null AND CreatedDate < 2026-11-01T00:00:00Z ORDER BY CreatedDate, Id")
	everything := func(b *bench) [][]Row {
		var out [][]Row
		for _, object := range []string{"EmailMessage", "Case"} {
			out = append(out, b.selected("SELECT Id, IsDeleted, SystemModstamp, CreatedDate FROM "+object+" ORDER BY Id"))
		}
		out = append(out, b.selected("SELECT Id, CaseId, NewValue FROM CaseHistory ORDER BY Id"))
		return append(out, b.selected("SELECT Id, TextBody, Status, Parent.Priority, ParentId FROM EmailMessage ORDER BY SystemModstamp, Id"))
	}
	step := func(what string, f func(*bench) error) {
		for _, b := range all {
			b.clock.add(time.Minute)
			require.NoError(t, f(b), what)
		}
		agree(t, all, what, everything)
	}
	id := func(rows []Row, i int) string { return rows[i]["Id"].(string) }
	step("update a mail", func(b *bench) error {
		_, err := b.UpdateRecord("EmailMessage", id(mails, 3), Write{Fields: Row{"TextBody": "written"}})
		return err
	})
	step("update a case", func(b *bench) error {
		_, err := b.UpdateRecord("Case", id(cases, 2), Write{Fields: Row{"Priority": "Critical", "Status": "Escalated"}})
		return err
	})
	step("delete a case with its mails", func(b *bench) error { return b.DeleteRecord("", id(cases, 4), false) })
	step("undelete it", func(b *bench) error { return b.UndeleteRecord("", id(cases, 4)) })
	step("delete a mail for good", func(b *bench) error { return b.DeleteRecord("", id(mails, 9), true) })
	step("merge cases", func(b *bench) error { return b.MergeRecords("", id(cases, 6), id(cases, 7)) })
	step("bump all mails", func(b *bench) error {
		n, err := b.Bump("", "EmailMessage", time.Time{}, id(mails, 11), id(mails, 12))
		require.Equal(t, 2, n)
		return err
	})
	step("rename a value", func(b *bench) error {
		_, err := b.RenamePicklist("", "Case", "Priority", "High", "Higher", true)
		return err
	})
	step("write in a transaction", func(b *bench) error {
		tx, err := b.Begin("")
		require.NoError(t, err)
		_, err = tx.UpdateRecord("EmailMessage", id(mails, 14), Write{Fields: Row{"Subject": "late"}})
		require.NoError(t, err)
		require.NotEqual(t, "late", b.selected("SELECT Subject FROM EmailMessage WHERE Id = '" + id(mails, 14) + "'")[0]["Subject"])
		b.clock.add(time.Minute)
		return tx.Commit()
	})
	step("add a field", func(b *bench) error {
		return b.AddObject("", Object{Name: "EmailMessage", KeyPrefix: "02s", Fields: []*Field{{Name: "Extra__c", Type: TypeString}}})
	})
	require.Len(t, agree(t, all, "the new field", func(b *bench) []Row { return b.selected("SELECT Extra__c FROM EmailMessage WHERE Extra__c = null") }), 149)
	step("delete and forget everything", func(b *bench) error {
		for _, r := range b.selected("SELECT Id FROM Case WHERE IsDeleted = false ORDER BY Id") {
			if err := b.DeleteRecord("", r["Id"].(string), true); err != nil {
				return err
			}
		}
		return nil
	})
	require.NotEmpty(t, all[0].selected("SELECT Id FROM EmailMessage"), "mails without a case")
	// A job's rows and parents are those of its time.
	b := start(t, Options{Big: 40})
	job := b.job("SELECT Id, Subject, Parent.Priority FROM EmailMessage")
	before := b.results(job, 100)
	for _, r := range b.selected("SELECT Id FROM Case") {
		_, err := b.UpdateRecord("Case", r["Id"].(string), Write{Fields: Row{"Priority": "Low"}})
		require.NoError(t, err)
	}
	for _, r := range b.selected("SELECT Id FROM EmailMessage") {
		require.NoError(t, b.DeleteRecord("", r["Id"].(string), true))
	}
	require.Equal(t, before, b.results(job, 100))
	require.Empty(t, b.ids("SELECT Id FROM EmailMessage"))
	b.WriteNow(30)
	require.NotEmpty(t, b.ids("SELECT Id FROM EmailMessage"))
}

func TestStockIsKeptInTheStateFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sim.state")
	o := Options{Big: 80, Generate: 5, StateFile: file}
	b := start(t, o)
	ids := b.ids("SELECT Id FROM EmailMessage WHERE CreatedDate < 2026-10-01T00:00:00Z ORDER BY Id")
	_, err := b.UpdateRecord("EmailMessage", ids[1], Write{Fields: Row{"Subject": "written"}})
	require.NoError(t, err)
	_, err = b.Bump("", "EmailMessage", time.Time{}, ids[4])
	require.NoError(t, err)
	require.NoError(t, b.DeleteRecord("", ids[2], true))
	require.NoError(t, b.DeleteRecord("", ids[3], false))
	want := all(t, b.Server)
	require.NoError(t, b.Close())
	for range 2 { // the second time from a file written anew
		c := start(t, o)
		require.Equal(t, want, all(t, c.Server))
		require.Equal(t, 80-4, c.orgs[0].table("EmailMessage").stock.left)
		require.ErrorContains(t, c.AddStock(Stock{Mails: 1}), "has a stock of 80 mails already")
		require.NoError(t, c.Close())
	}
}

func TestStockIsAddedWhileItRuns(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	for _, k := range []Stock{{}, {Mails: mostStock + 1}, {Mails: 5, From: b.clock.now(), To: b.clock.now()}} {
		require.Error(t, b.AddStock(k))
	}
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	a := b.do(http.MethodPost, "/_sim/stock", map[string]any{"mails": 60, "from": from, "to": from.AddDate(0, 1, 0)})
	require.Equal(t, http.StatusOK, a.status, a.body)
	rows := b.selected("SELECT CreatedDate, SystemModstamp FROM EmailMessage ORDER BY CreatedDate, Id")
	require.Len(t, rows, 60)
	for _, r := range rows {
		require.False(t, r["CreatedDate"].(time.Time).Before(from))
		require.False(t, r["SystemModstamp"].(time.Time).Before(r["CreatedDate"].(time.Time)))
		require.False(t, r["SystemModstamp"].(time.Time).After(from.AddDate(0, 1, 0)))
	}
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodPost, "/_sim/stock", map[string]any{"mails": 60}).status)
}

// What tests of speed lean on: the rows are of the size they say, and pack as mail does.
func TestStockIsLikeMail(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Big: 2000})
	rows := b.selected("SELECT TextBody, HtmlBody, Incoming, ParentId, Parent.ContactId FROM EmailMessage")
	var text, html, incoming, parents int
	var csv bytes.Buffer
	for _, r := range rows {
		text += len(r["TextBody"].(string))
		html += len(r["HtmlBody"].(string))
		if r["Incoming"].(bool) {
			incoming++
		}
		if r["ParentId"] != nil {
			parents++
			require.NotNil(t, r["Parent.ContactId"])
		}
	}
	require.Equal(t, []int{2000, 1400, 1800}, []int{len(rows), incoming, parents})
	require.InDelta(t, 1900, text/len(rows), 200)
	require.InDelta(t, 6100, html/len(rows), 400)
	j := b.orgs[0].table("EmailMessage")
	p, e := b.compileText(b.view(b.orgs[0], b.orgs[0].firstUser()), "SELECT Id, TextBody, HtmlBody FROM EmailMessage", true)
	require.Nil(t, e)
	require.NoError(t, p.bulk(1, &bulkJob{version: "v66.0"}).write(&csv, 0, 2000, ',', "\n"))
	require.Equal(t, 2000, j.size())
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	require.NoError(t, err)
	packed := 0
	for chunk := range slices.Chunk(csv.Bytes(), 1<<20) {
		packed += len(enc.EncodeAll(chunk, nil))
	}
	require.InDelta(t, 4.2, float64(csv.Len())/float64(packed), 0.7, "zstd, a megabyte at a time")
}

// It measures the heap, so it runs beside no other test.
func TestStockOfMillions(t *testing.T) {
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	const mails = 1_000_000
	stockTexts()
	before := heap()
	b := start(t, Options{Big: mails})
	require.Less(t, (heap()-before)/mails, 100, "bytes a row")
	n, err := b.Count("", SyncUser, "SELECT COUNT() FROM EmailMessage WHERE IsDeleted = false", true)
	require.NoError(t, err)
	require.Equal(t, mails, n)
	id := b.job("SELECT Id FROM EmailMessage WHERE CreatedDate >= 2024-01-01T00:00:00Z AND CreatedDate < 2024-03-01T00:00:00Z")
	require.Greater(t, b.jobState(id)["numberRecordsProcessed"], 10_000.0)
}

func TestResultPagesAreCounted(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Big: 3000})
	id := b.job("SELECT Id, HtmlBody FROM EmailMessage")
	page := func(query string) answer { return b.get("/jobs/query/" + id + "/results" + query) }
	first := page("?maxRecords=2000")
	second := first.header.Get("Sforce-Locator")
	page("?maxRecords=2000&locator=" + second)
	page("?maxRecords=2000&locator=" + second)
	page("?maxRecords=x")
	require.NoError(t, b.FailNext(Fault{Class: "cut_csv", PathPrefix: "/services/data"}))
	page("")
	require.NoError(t, b.FailNext(Fault{Status: 503, Stage: "after", PathPrefix: "/services/data"}))
	page("?maxRecords=7")
	// A client that hangs up has not got the page.
	req, err := http.NewRequest(http.MethodGet, b.url+"/services/data/v66.0/jobs/query/"+id+"/results?maxRecords=3000", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+b.token)
	res, err := (&http.Transport{DisableCompression: true}).RoundTrip(req)
	require.NoError(t, err)
	_, err = io.ReadFull(res.Body, make([]byte, 1000))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, map[string]PageCount{
		id + "  2000":               {1, 1},
		id + " " + second + " 2000": {2, 2},
		id + "  ":                   {1, 0},
		id + "  7":                  {1, 0},
		id + "  3000":               {1, 0},
	}, b.Counters().Pages)
	b.ResetCounters()
	require.Empty(t, b.Counters().Pages)

	zip := func() string {
		return b.get("/jobs/query/"+id+"/results", "Accept-Encoding", "gzip").header.Get("Content-Encoding")
	}
	require.Equal(t, "gzip", zip())
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.Plain = true }))
	require.Empty(t, zip())
}

// BenchmarkBulkPages sends results of a stock to a client on the same machine.
func BenchmarkBulkPages(b *testing.B) {
	s, err := New(Options{Big: 20_000})
	if err != nil {
		b.Fatal(err)
	}
	o := s.orgs[0]
	p, e := s.compileText(s.view(o, o.firstUser()), "SELECT Id, CreatedDate, Subject, TextBody, HtmlBody, Incoming, ParentId, Parent.CaseNumber FROM EmailMessage", true)
	if e != nil {
		b.Fatal(e)
	}
	result := p.bulk(1, &bulkJob{version: "v66.0"})
	b.SetBytes(result.size)
	b.ReportAllocs()
	for b.Loop() {
		if err := result.write(io.Discard, 0, 20_000, ',', "\n"); err != nil {
			b.Fatal(err)
		}
	}
}
