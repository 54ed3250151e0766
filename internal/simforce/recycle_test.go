package simforce

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// everything is queryAll.
func (b *bench) everything(soql string) []map[string]any {
	b.t.Helper()
	a := b.get("/queryAll?q=" + url.QueryEscape(soql))
	require.Equal(b.t, http.StatusOK, a.status, a.body)
	var p pageOf
	a.into(b.t, &p)
	require.True(b.t, p.Done)
	return p.Records
}

func TestMerge(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	t0 := b.clock.now()
	account := b.create("Account", Row{"Name": "Acme"})
	winner := b.create("Contact", Row{"LastName": "Ann"})
	loser := b.create("Contact", Row{"LastName": "An", "AccountId": account})
	third := b.create("Contact", Row{"LastName": "A"})
	c := b.create("Case", Row{"Subject": "x", "ContactId": loser})
	other := b.create("Case", Row{"Subject": "y", "ContactId": winner})
	b.clock.add(time.Hour)
	require.NoError(t, b.MergeRecords("", winner, loser, third))
	require.Equal(t, []string{winner}, b.ids("SELECT Id FROM Contact"))
	for _, r := range b.everything("SELECT Id, IsDeleted, MasterRecordId, SystemModstamp FROM Contact") {
		require.Equal(t, "2026-11-23T11:00:00.000+0000", r["SystemModstamp"])
		if r["Id"] != winner {
			require.Equal(t, []any{true, winner}, []any{r["IsDeleted"], r["MasterRecordId"]})
		}
	}
	require.ElementsMatch(t, []string{c, other}, b.ids("SELECT Id FROM Case WHERE ContactId = '"+winner+"'"))
	require.Equal(t, t0.Add(time.Hour), b.stampOf(c), "re-parented rows are stamped")
	require.Equal(t, t0, b.stampOf(other))
	require.ElementsMatch(t, []string{loser, third}, b.changes("Contact", "deleted", t0, b.clock.now().Add(time.Minute)).gone())

	b.clock.add(time.Hour)
	require.NoError(t, b.UndeleteRecord("", loser))
	row, err := b.Record("", loser)
	require.NoError(t, err)
	require.Nil(t, row["MasterRecordId"])
	require.Len(t, b.ids("SELECT Id FROM Case WHERE ContactId = '"+loser+"'"), 0, "children stay with the winner")

	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.QuietMerge = true }))
	parent := b.create("Case", Row{"Subject": "loser", "ParentId": nil})
	_, err = b.UpdateRecord("Case", c, Write{Fields: Row{"ParentId": parent}})
	require.NoError(t, err)
	m := b.create("EmailMessage", Row{"ParentId": parent, "RelatedToId": parent})
	before := b.stampOf(m)
	b.clock.add(time.Hour)
	require.NoError(t, b.MergeRecords("", c, parent))
	require.Equal(t, before, b.stampOf(m))
	mail := b.rows("SELECT Id, ParentId, RelatedToId FROM EmailMessage")[0]
	require.Equal(t, []any{c, c}, []any{mail["ParentId"], mail["RelatedToId"]})
	row, err = b.Record("", c)
	require.NoError(t, err)
	require.Nil(t, row["ParentId"], "the winner does not hang under a loser")

	for _, bad := range []error{
		b.MergeRecords("", c), b.MergeRecords("", c, c), b.MergeRecords("", c, winner), b.MergeRecords("", c, parent),
		b.MergeRecords("", m, m), b.MergeRecords("", "x", c), b.MergeRecords("", c, other, other),
	} {
		require.ErrorContains(t, bad, "MERGE_FAILED")
	}
}

func TestCascade(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]struct{ rows, atEleven int }{"stamp": {1, 1}, "keep": {1, 0}, "drop": {0, 0}} {
		b := start(t, Options{})
		t0 := b.clock.now()
		require.NoError(t, b.SetKnobs(func(k *Knobs) { k.CascadeDelete = mode }))
		c := b.create("Case", Row{"Subject": "x"})
		m := b.create("EmailMessage", Row{"ParentId": c})
		b.clock.add(time.Hour)
		require.NoError(t, b.DeleteRecord("", c, false))
		require.Empty(t, b.ids("SELECT Id FROM EmailMessage"), mode)
		require.Len(t, b.everything("SELECT Id FROM EmailMessage WHERE IsDeleted = true"), want.rows, mode)
		require.Len(t, b.everything("SELECT Id FROM EmailMessage WHERE SystemModstamp >= 2026-11-23T11:00:00Z"), want.atEleven, mode)
		gone := b.changes("EmailMessage", "deleted", t0, t0.Add(2*time.Hour))
		require.Equal(t, []string{m}, gone.gone(), mode)
		require.Equal(t, "2026-11-23T11:00:00.000+0000", gone.DeletedRecords[0].DeletedDate, mode)
		require.NoError(t, b.UndeleteRecord("", c))
		require.Len(t, b.ids("SELECT Id FROM EmailMessage"), want.rows, mode)
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.SessionTTLSeconds = 100_000_000 }))
	t0 := b.clock.now()
	c := b.create("Case", Row{"Subject": "x"})
	m := b.create("EmailMessage", Row{"ParentId": c})
	back := b.create("Case", Row{"Subject": "back"})
	hard := b.create("Case", Row{"Subject": "hard"})
	logged := b.create("Case", Row{"Subject": "logged"})
	for _, id := range []string{c, back} {
		require.NoError(t, b.DeleteRecord("", id, false))
	}
	require.NoError(t, b.DeleteRecord("", hard, true))
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.HardDeletesLogged = true }))
	require.NoError(t, b.DeleteRecord("", logged, true))
	require.ElementsMatch(t, []string{c, back, logged}, b.changes("Case", "deleted", t0, t0.Add(time.Hour)).gone())
	require.Len(t, b.everything("SELECT Id FROM Case"), 2)

	require.Error(t, b.PurgeRecord("", hard))
	require.NoError(t, b.UndeleteRecord("", back))
	require.Error(t, b.PurgeRecord("", back), "it is not in the bin")
	require.NoError(t, b.PurgeRecord("", c))
	require.Empty(t, b.everything("SELECT Id FROM EmailMessage"), "what lay with it goes with it")
	require.ElementsMatch(t, []string{c, logged}, b.changes("Case", "deleted", t0, t0.Add(time.Hour)).gone(), "the log outlives the row")
	require.Equal(t, []string{m}, b.changes("EmailMessage", "deleted", t0, t0.Add(time.Hour)).gone())
	require.Error(t, b.UndeleteRecord("", c))

	b.clock.add(24 * time.Hour)
	require.NoError(t, b.DeleteRecord("", back, false))
	b.clock.add(15*24*time.Hour - time.Second)
	require.Len(t, b.everything("SELECT Id FROM Case"), 1, "fourteen days and some")
	require.Equal(t, []string{back}, b.changes("Case", "deleted", t0, b.clock.now()).gone())
	b.clock.add(time.Second)
	require.Empty(t, b.everything("SELECT Id FROM Case"), "fifteen days are over")
	require.Error(t, b.UndeleteRecord("", back))
	b.clock.add(time.Minute)
	require.Empty(t, b.changes("Case", "deleted", t0, b.clock.now()).gone())

	for range 3 {
		require.NoError(t, b.DeleteRecord("", b.create("Case", nil), false))
	}
	require.NoError(t, b.DeleteRecord("", b.create("Task", nil), false))
	_, err := b.EmptyRecycleBin("", "Nope")
	require.Error(t, err)
	n, err := b.EmptyRecycleBin("", "Case")
	require.NoError(t, err)
	require.Equal(t, 3, n)
	n, err = b.EmptyRecycleBin("", "")
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestGetDeletedRules(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	t0 := b.clock.now()
	var ids []string
	for range 4 {
		id := b.create("Case", nil)
		ids = append(ids, id)
		b.clock.add(time.Minute)
		require.NoError(t, b.DeleteRecord("", id, false))
	}
	c := b.changes("Case", "deleted", t0.Add(2*time.Minute+50*time.Second), t0.Add(3*time.Minute+59*time.Second))
	require.Equal(t, ids[1:2], c.gone(), "seconds of start and end are dropped, the end is not included")
	require.Equal(t, "2026-11-08T10:04:00.000+0000", c.EarliestDateAvailable)
	require.Equal(t, "2026-11-23T10:03:00.000+0000", c.LatestDateCovered)

	require.NoError(t, b.TrimDeleteLog("", "Case", t0.Add(3*time.Minute)))
	c = b.changes("Case", "deleted", t0, t0.Add(time.Hour))
	require.Equal(t, ids[2:], c.gone())
	require.Equal(t, "2026-11-23T10:03:00.000+0000", c.EarliestDateAvailable)
	require.Len(t, b.everything("SELECT Id FROM Case WHERE IsDeleted = true"), 4, "the bin keeps the rows")
	require.Error(t, b.TrimDeleteLog("", "Nope", t0))

	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.ReplicationMax = 1 }))
	for path, want := range map[string]string{
		"deleted" + window(t0, t0.Add(time.Hour)):                          "EXCEEDED_ID_LIMIT",
		"deleted" + window(t0, t0):                                         "INVALID_REPLICATION_DATE",
		"deleted" + window(t0, t0.Add(30*time.Second)):                     "INVALID_REPLICATION_DATE",
		"deleted" + window(t0.Add(-31*24*time.Hour), t0):                   "INVALID_REPLICATION_DATE",
		"updated" + window(t0.Add(-30*24*time.Hour), t0.Add(-time.Minute)): "INVALID_REPLICATION_DATE",
	} {
		a := b.get("/sobjects/Case/" + path)
		code, _ := a.error(t)
		require.Equal(t, []any{400, want}, []any{a.status, code}, path)
	}
	require.Empty(t, b.changes("Case", "updated", b.clock.now().Add(-30*24*time.Hour), t0).IDs, "thirty days back are allowed")
	b.create("Case", nil)
	b.create("Case", nil)
	b.clock.add(time.Minute)
	code, _ := b.get("/sobjects/Case/updated" + window(t0, b.clock.now())).error(t)
	require.Equal(t, "EXCEEDED_ID_LIMIT", code)
	code, _ = b.get("/sobjects/Organization/deleted" + window(t0, b.clock.now())).error(t)
	require.Equal(t, "INVALID_TYPE", code, "not replicateable")
}

func TestArchivedActivities(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	t0 := b.clock.now()
	c := b.create("Case", nil)
	for _, object := range []string{"Task", "Event"} {
		id := b.create(object, Row{"WhatId": c, "Subject": "Call"})
		live := b.create(object, Row{"WhatId": c, "Subject": "Call"})
		b.clock.add(time.Hour)
		stamp := b.stampOf(id)
		require.NoError(t, b.ArchiveRecord("", id))
		require.Equal(t, []string{live}, b.ids("SELECT Id FROM "+object))
		require.Empty(t, b.ids("SELECT Id FROM "+object+" WHERE IsArchived = true"))
		require.Len(t, b.everything("SELECT Id FROM "+object+" WHERE IsArchived = true AND IsDeleted = false"), 1)
		require.Equal(t, stamp, b.stampOf(id))
	}
	require.Error(t, b.ArchiveRecord("", c))
	require.Error(t, b.ArchiveRecord("", "00T000000000001AAA"))
	require.Empty(t, b.changes("Task", "deleted", t0, t0.Add(time.Hour)).gone())
}

func TestNoRecycleBin(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Objects: []Object{{Name: "Gone__c", KeyPrefix: "a0G", NoUndelete: true, Fields: []*Field{
		{Name: "Case__c", Type: TypeReference, ReferenceTo: []string{"Case"}, Relationship: "Case__r", Cascade: true},
	}}}})
	t0 := b.clock.now()
	require.Contains(t, b.get("/sobjects/Gone__c/describe").body, `"undeletable":false`)
	require.Contains(t, b.get("/sobjects/Case/describe").body, `"undeletable":true`)
	c := b.create("Case", nil)
	one, two := b.create("Gone__c", Row{"Case__c": c}), b.create("Gone__c", nil)
	require.NoError(t, b.DeleteRecord("", two, false))
	require.NoError(t, b.DeleteRecord("", c, false))
	require.Empty(t, b.everything("SELECT Id FROM Gone__c"))
	require.ElementsMatch(t, []string{one, two}, b.changes("Gone__c", "deleted", t0, t0.Add(time.Hour)).gone())
	require.Error(t, b.UndeleteRecord("", one))
	require.NoError(t, b.UndeleteRecord("", c))
	require.Empty(t, b.ids("SELECT Id FROM Gone__c"))
}

func TestBinAndSharingAreKept(t *testing.T) {
	t.Parallel()
	o := Options{StateFile: filepath.Join(t.TempDir(), "sim.state")}
	b := start(t, o)
	t0 := b.clock.now()
	purged, deleted, hidden := b.create("Case", nil), b.create("Case", nil), b.create("Case", nil)
	b.clock.add(time.Hour)
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.CascadeDelete = "keep" }))
	m := b.create("EmailMessage", Row{"ParentId": deleted})
	b.clock.add(time.Hour)
	require.NoError(t, b.DeleteRecord("", purged, false))
	require.NoError(t, b.PurgeRecord("", purged))
	require.NoError(t, b.DeleteRecord("", deleted, false))
	require.NoError(t, b.SetRowVisible("", SyncUser, hidden, false))
	open, err := b.Begin("")
	require.NoError(t, err)
	lost, err := open.CreateRecord("Case", Write{})
	require.NoError(t, err)
	require.NoError(t, b.Close())

	c := start(t, o)
	c.clock.add(2 * time.Hour)
	c.token, err = c.Login(SyncUser)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{purged, deleted}, c.changes("Case", "deleted", t0, t0.Add(3*time.Hour)).gone())
	mail := c.changes("EmailMessage", "deleted", t0, t0.Add(3*time.Hour))
	require.Equal(t, []string{m}, mail.gone())
	require.Equal(t, "2026-11-23T12:00:00.000+0000", mail.DeletedRecords[0].DeletedDate, "not the stamp of the row")
	require.Empty(t, c.ids("SELECT Id FROM Case"))
	require.Empty(t, c.OpenTransactions(), "a restart rolls back")
	_, err = c.Record("", lost["Id"].(string))
	require.Error(t, err)
	require.NoError(t, c.SetRowVisible("", SyncUser, hidden, true))
	require.NoError(t, c.UndeleteRecord("", deleted))
	require.NoError(t, c.Close())

	d := start(t, o)
	require.ElementsMatch(t, []string{deleted, hidden}, d.ids("SELECT Id FROM Case"))
	d.clock.add(3 * time.Hour)
	d.token, err = d.Login(SyncUser)
	require.NoError(t, err)
	require.Equal(t, []string{purged}, d.changes("Case", "deleted", t0, t0.Add(3*time.Hour)).gone())
}
