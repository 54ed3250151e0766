package simforce

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// window is the query string of updated and deleted.
func window(from, to time.Time) string {
	return "?start=" + url.QueryEscape(from.Format(time.RFC3339)) + "&end=" + url.QueryEscape(to.Format(time.RFC3339))
}

type changes struct {
	IDs                   []string
	DeletedRecords        []struct{ ID, DeletedDate string }
	EarliestDateAvailable string
	LatestDateCovered     string
}

func (b *bench) changes(object, which string, from, to time.Time) changes {
	b.t.Helper()
	a := b.get("/sobjects/" + object + "/" + which + window(from, to))
	require.Equal(b.t, http.StatusOK, a.status, a.body)
	var c changes
	a.into(b.t, &c)
	return c
}

func (c changes) gone() []string {
	var out []string
	for _, r := range c.DeletedRecords {
		out = append(out, r.ID)
	}
	return out
}

// stampOf reads SystemModstamp behind the API's back.
func (b *bench) stampOf(id string) time.Time {
	b.t.Helper()
	row, err := b.Record("", id)
	require.NoError(b.t, err)
	return row["SystemModstamp"].(time.Time)
}

func TestLateCommit(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	t0 := b.clock.now()
	old := b.create("Case", Row{"Subject": "old"})
	doomed := b.create("Case", Row{"Subject": "doomed"})
	b.clock.add(90 * time.Second)
	tx, err := b.Begin("")
	require.NoError(t, err)
	made, err := tx.CreateRecord("Case", Write{Fields: Row{"Subject": "made"}})
	require.NoError(t, err)
	id := made["Id"].(string)
	b.clock.add(5 * time.Second)
	_, err = tx.UpdateRecord("Case", old, Write{Fields: Row{"Subject": "new"}})
	require.NoError(t, err)
	_, err = tx.UpdateRecord("Case", id, Write{Fields: Row{"Priority": "High"}})
	require.NoError(t, err, "a transaction sees its own rows")
	require.NoError(t, tx.DeleteRecord(doomed, false))
	mail, err := tx.CreateRecord("EmailMessage", Write{Fields: Row{"ParentId": old}})
	require.NoError(t, err)
	b.clock.add(time.Minute)
	after := b.create("Case", Row{"Subject": "after"})

	require.ElementsMatch(t, []string{old, doomed, after}, b.ids("SELECT Id FROM Case"))
	require.Equal(t, "old", b.rows("SELECT Subject FROM Case WHERE Id = '" + old + "'")[0]["Subject"])
	require.Equal(t, http.StatusNotFound, b.get("/sobjects/Case/"+id).status)
	rows, err := b.Records("", "Case")
	require.NoError(t, err)
	require.Len(t, rows, 3)
	info := b.OpenTransactions()
	require.Len(t, info, 1)
	require.Equal(t, 5, info[0].Rows, "three cases, a mail, and the history of a priority")
	b.clock.add(10 * time.Minute)
	require.Equal(t, "2026-11-23T10:01:30.000+0000", b.changes("Case", "updated", t0, b.clock.now()).LatestDateCovered, "the start of the transaction")
	require.Equal(t, "2026-11-23T10:01:30.000+0000", b.changes("Task", "deleted", t0, b.clock.now()).LatestDateCovered)
	require.Equal(t, "2026-11-23T10:01:00.000+0000", b.changes("Case", "updated", t0, t0.Add(time.Minute)).LatestDateCovered)

	_, err = b.UpdateRecord("Case", old, Write{Fields: Row{"Subject": "x"}})
	require.ErrorContains(t, err, "UNABLE_TO_LOCK_ROW")
	require.ErrorContains(t, b.DeleteRecord("", old, false), "UNABLE_TO_LOCK_ROW")
	a := b.do(http.MethodPatch, "/services/data/v66.0/sobjects/Case/"+doomed, map[string]any{"Subject": "x"})
	code, _ := a.error(t)
	require.Equal(t, "UNABLE_TO_LOCK_ROW", code)
	b.WriteNow(20) // the writer goes round what is locked

	require.NoError(t, tx.Commit())
	require.Error(t, tx.Commit(), "a transaction commits once")
	require.Equal(t, t0.Add(95*time.Second), b.stampOf(id))
	require.Equal(t, t0.Add(95*time.Second), b.stampOf(old))
	row := b.rows("SELECT Id, CreatedDate, SystemModstamp, Priority FROM Case WHERE Id = '" + id + "'")[0]
	require.Equal(t, []any{"2026-11-23T10:01:30.000+0000", "2026-11-23T10:01:35.000+0000", "High"}, []any{row["CreatedDate"], row["SystemModstamp"], row["Priority"]})
	require.Contains(t, b.ids("SELECT Id FROM EmailMessage WHERE ParentId = '"+old+"'"), mail["Id"])
	gone := b.changes("Case", "deleted", t0, b.clock.now())
	require.Equal(t, []string{doomed}, gone.gone())
	require.Equal(t, "2026-11-23T10:01:35.000+0000", gone.DeletedRecords[0].DeletedDate, "behind the watermark too")
	require.Equal(t, "2026-11-23T10:12:00.000+0000", gone.LatestDateCovered, "whole minutes when nothing is open")
	_, err = b.UpdateRecord("Case", old, Write{Fields: Row{"Subject": "x"}})
	require.NoError(t, err, "the lock is gone")
}

func TestCommitByTheClock(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	t0 := b.clock.now()
	_, err := b.CreateRecord("Case", Write{Fields: Row{"Subject": "a"}, CommitAfter: 600})
	require.NoError(t, err)
	b.clock.add(3 * time.Second)
	ids, err := b.CreateRecords("Case", 3, Write{Fields: Row{"Subject": "b {n}"}, CommitAfter: 3})
	require.NoError(t, err)
	require.Len(t, ids, 3)
	require.Equal(t, "2026-11-23T10:00:00.000+0000", b.changes("Case", "updated", t0.Add(-time.Minute), t0.Add(time.Hour)).LatestDateCovered)
	require.Empty(t, b.ids("SELECT Id FROM Case"))
	b.clock.add(3 * time.Second)
	require.ElementsMatch(t, ids, b.ids("SELECT Id FROM Case"))
	require.Len(t, b.OpenTransactions(), 1)
	b.clock.add(593 * time.Second)
	require.Len(t, b.ids("SELECT Id FROM Case"), 3)
	b.clock.add(time.Second)
	rows := b.rows("SELECT Id, Subject, SystemModstamp FROM Case ORDER BY SystemModstamp, Id")
	require.Equal(t, []any{"a", "2026-11-23T10:00:00.000+0000"}, []any{rows[0]["Subject"], rows[0]["SystemModstamp"]})
	require.Equal(t, "b 1", rows[1]["Subject"])
	require.Equal(t, "2026-11-23T10:10:00.000+0000", b.changes("Case", "updated", t0, t0.Add(time.Hour)).LatestDateCovered)

	_, err = b.CreateRecord("Case", Write{Fields: Row{"Nope": "a"}, CommitAfter: 5})
	require.ErrorContains(t, err, "No such column")
	require.Empty(t, b.OpenTransactions(), "a refused write leaves nothing open")
	_, err = b.CreateRecord("Case", Write{CommitAfter: -1})
	require.Error(t, err)
}

func TestRollbackAndChildren(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	c := b.create("Case", Row{"Subject": "x"})
	tx, err := b.Begin("Acme")
	require.NoError(t, err)
	_, err = tx.CreateRecord("EmailMessage", Write{Fields: Row{"ParentId": c}})
	require.NoError(t, err)
	require.ErrorContains(t, b.DeleteRecord("", c, true), "UNABLE_TO_LOCK_ROW", "a child is about to appear")
	require.NoError(t, tx.Rollback())
	require.Empty(t, b.ids("SELECT Id FROM EmailMessage"))
	require.NoError(t, b.DeleteRecord("", c, true))

	c = b.create("Case", Row{"Subject": "y"})
	kept := b.create("EmailMessage", Row{"ParentId": c})
	tx, err = b.Begin("")
	require.NoError(t, err)
	m, err := tx.CreateRecord("EmailMessage", Write{Fields: Row{"ParentId": c}})
	require.NoError(t, err)
	require.NoError(t, tx.DeleteRecord(c, false), "its own child is no obstacle")
	require.NoError(t, tx.UndeleteRecord(c))
	require.NoError(t, tx.DeleteRecord(kept, true))
	require.NoError(t, tx.Commit())
	require.Equal(t, []string{m["Id"].(string)}, b.ids("SELECT Id FROM EmailMessage"))
	require.Empty(t, b.changes("Case", "deleted", b.clock.now(), b.clock.now().Add(time.Hour)).DeletedRecords)

	tx, err = b.Begin("Globex")
	require.NoError(t, err)
	_, err = tx.CreateRecord("Case", Write{Fields: Row{"Subject": "other"}, Org: "Acme"})
	require.ErrorContains(t, err, "belongs to org Globex")
	_, err = tx.CreateRecord("Case", Write{Fields: Row{"Subject": "other"}})
	require.NoError(t, err)
	// The schema grows while it is open.
	require.NoError(t, b.AddObject("", Object{Name: "Case", Fields: []*Field{{Name: "New__c", Type: TypeString}}}))
	require.NoError(t, tx.Commit())
	rows, err := b.Records("Globex", "Case")
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Contains(t, rows[1], "New__c")
}

func TestManyRowsInOneSecond(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	const n = 10_000
	ids, err := b.CreateRecords("Case", n, Write{Fields: Row{"Subject": "load {n}"}})
	require.NoError(t, err)
	require.Len(t, ids, n)
	stamp := b.clock.now().Format("2006-01-02T15:04:05Z")
	b.clock.add(time.Minute)
	require.Equal(t, n, len(b.ids("SELECT Id FROM Case WHERE SystemModstamp = "+stamp+" ORDER BY Id")))
	got, last := []string{}, "500000000000000AAA"
	for {
		page := b.ids("SELECT Id FROM Case WHERE SystemModstamp = " + stamp + " AND Id > '" + last + "' ORDER BY Id LIMIT 2000")
		if len(page) == 0 {
			break
		}
		got, last = append(got, page...), page[len(page)-1]
	}
	slices.Sort(ids)
	require.Equal(t, ids, got)

	touched, err := b.Bump("", "Case", time.Time{})
	require.NoError(t, err)
	require.Equal(t, n, touched)
	require.Empty(t, b.ids("SELECT Id FROM Case WHERE SystemModstamp = "+stamp))
	row := b.rows("SELECT SystemModstamp, LastModifiedDate, Subject FROM Case WHERE Id = '" + ids[7] + "'")[0]
	require.Equal(t, "2026-11-23T10:01:00.000+0000", row["SystemModstamp"])
	require.Equal(t, "2026-11-23T10:00:00.000+0000", row["LastModifiedDate"])
	b.clock.add(time.Minute)
	touched, err = b.Bump("", "Case", b.clock.now(), ids[1:4]...)
	require.NoError(t, err)
	require.Equal(t, 3, touched)
	require.Equal(t, ids[1:4], b.ids("SELECT Id FROM Case WHERE SystemModstamp > 2026-11-23T10:01:00Z ORDER BY SystemModstamp, Id"))
	_, err = b.Bump("", "CaseHistory", time.Time{})
	require.Error(t, err)
	_, err = b.CreateRecords("Case", 0, Write{})
	require.Error(t, err)
}

// Readers, writers and transactions at once; the race detector looks on.
func TestTransactionsAtOnce(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	var group sync.WaitGroup
	for g := range 3 {
		group.Go(func() {
			for i := range 15 {
				tx, err := b.Begin("")
				if err != nil {
					t.Error(err)
					return
				}
				_, err = tx.CreateRecords("Case", 5, Write{Fields: Row{"Subject": fmt.Sprintf("%d.%d {n}", g, i)}})
				if err != nil {
					t.Error(err)
				}
				b.query("SELECT COUNT() FROM Case")
				b.clock.add(time.Second)
				if i%3 == 0 {
					err = tx.CommitAfter(time.Second)
				} else {
					err = tx.Commit()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	b.clock.add(time.Minute)
	require.Len(t, b.ids("SELECT Id FROM Case"), 3*15*5)
	require.Empty(t, b.OpenTransactions())
}
