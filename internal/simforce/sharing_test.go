package simforce

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRowVisibility(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	t0 := b.clock.now()
	admin, err := b.Login(AdminUser)
	require.NoError(t, err)
	sync := b.token
	c, other := b.create("Case", Row{"Subject": "x"}), b.create("Case", Row{"Subject": "y"})
	m := b.create("EmailMessage", Row{"ParentId": c, "Subject": "mail"})
	rel := b.create("EmailMessageRelation", Row{"EmailMessageId": m, "RelationType": "ToAddress", "RelationAddress": "a@b.example"})
	task := b.create("Task", Row{"WhatId": c})
	stamp := b.stampOf(c)
	b.clock.add(time.Hour)

	require.NoError(t, b.SetRowVisible("", SyncUser, c[:15], false))
	require.Equal(t, []string{other}, b.ids("SELECT Id FROM Case"))
	require.Len(t, b.everything("SELECT Id FROM Case"), 1)
	require.Empty(t, b.ids("SELECT Id FROM EmailMessage"), "a mail goes with its case")
	require.Empty(t, b.ids("SELECT Id FROM EmailMessageRelation"))
	require.Equal(t, []string{task}, b.ids("SELECT Id FROM Task"), "an activity has access of its own")
	var count pageOf
	b.query("SELECT COUNT() FROM Case").into(t, &count)
	require.Equal(t, 1, count.TotalSize)
	require.Equal(t, http.StatusNotFound, b.get("/sobjects/Case/"+c).status)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodPatch, "/services/data/v66.0/sobjects/Case/"+c, map[string]any{"Subject": "z"}).status)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodDelete, "/services/data/v66.0/sobjects/Case/"+c, nil).status)
	require.Equal(t, []string{other}, b.changes("Case", "updated", t0, t0.Add(time.Hour)).IDs)
	require.Equal(t, stamp, b.stampOf(c), "no stamp moves")
	b.token = admin
	require.Len(t, b.ids("SELECT Id FROM Case"), 2)
	b.token = sync

	require.NoError(t, b.SetViewAll("", SyncUser, "EmailMessage", true))
	require.Equal(t, []string{m}, b.ids("SELECT Id FROM EmailMessage"))
	require.Len(t, b.ids("SELECT Id FROM Case"), 1)
	require.Equal(t, []string{rel}, b.ids("SELECT Id FROM EmailMessageRelation"))
	require.NoError(t, b.SetViewAll("", SyncUser, "EmailMessage", false))
	require.NoError(t, b.SetViewAll("", SyncUser, "Case", true))
	require.Equal(t, []string{m}, b.ids("SELECT Id FROM EmailMessage"))
	require.Len(t, b.ids("SELECT Id FROM Case"), 2)
	require.NoError(t, b.SetViewAll("", SyncUser, "Case", false))

	require.NoError(t, b.DeleteRecord("", c, false))
	require.Empty(t, b.changes("Case", "deleted", t0, t0.Add(2*time.Hour)).gone(), "an unseen row is deleted unseen")
	require.Empty(t, b.changes("EmailMessage", "deleted", t0, t0.Add(2*time.Hour)).gone())
	require.NoError(t, b.SetRowVisible("", SyncUser, c, true))
	require.Equal(t, []string{c}, b.changes("Case", "deleted", t0, t0.Add(2*time.Hour)).gone())

	require.NoError(t, b.SetRowVisible("", "*", other, false))
	b.token = admin
	require.Empty(t, b.ids("SELECT Id FROM Case"))
	require.Error(t, b.SetRowVisible("", "nobody", other, false))
	require.Error(t, b.SetRowVisible("", "", "500", false))
	require.Error(t, b.SetViewAll("", "", "Nope", true))
	require.Error(t, b.SetOwnerVisible("", "", "Nope", AdminUser, true))
	require.Error(t, b.SetOwnerVisible("", "", "", "nobody", true))
}

func TestOwnerVisibility(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	lena := b.Orgs()[0].Users["lena@acme.example"]
	mine := b.create("Case", Row{"OwnerId": lena})
	other := b.create("Case", nil)
	task := b.create("Task", Row{"OwnerId": lena})
	m := b.create("EmailMessage", Row{"ParentId": mine})
	require.NoError(t, b.SetOwnerVisible("", SyncUser, "Case", "lena@acme.example", false))
	require.Equal(t, []string{other}, b.ids("SELECT Id FROM Case"))
	require.Empty(t, b.ids("SELECT Id FROM EmailMessage"))
	require.Equal(t, []string{task}, b.ids("SELECT Id FROM Task"))
	require.NoError(t, b.SetOwnerVisible("", SyncUser, "", lena, false))
	require.Empty(t, b.ids("SELECT Id FROM Task"))
	// A transfer reveals and hides.
	_, err := b.UpdateRecord("Case", mine, Write{Fields: Row{"OwnerId": b.Orgs()[0].Users[AdminUser]}})
	require.NoError(t, err)
	_, err = b.UpdateRecord("Case", other, Write{Fields: Row{"OwnerId": lena}})
	require.NoError(t, err)
	require.Equal(t, []string{mine}, b.ids("SELECT Id FROM Case"))
	require.Equal(t, []string{m}, b.ids("SELECT Id FROM EmailMessage"))
}

// A row that becomes invisible between two pages is missing from the second.
func TestVisibilityBetweenPages(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	ids, err := b.CreateRecords("Case", 12, Write{})
	require.NoError(t, err)
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.PageMax = 5 }))
	var p pageOf
	b.query("SELECT Id FROM Case ORDER BY Id").into(t, &p)
	require.Len(t, p.Records, 5)
	require.NoError(t, b.SetRowVisible("", "", ids[len(ids)-2], false))
	seen := len(p.Records)
	for !p.Done {
		next := p.NextRecordsURL
		p = pageOf{}
		b.do(http.MethodGet, next, nil).into(t, &p)
		seen += len(p.Records)
	}
	require.Equal(t, 12, p.TotalSize)
	require.Equal(t, 11, seen)
}
