package simforce

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVisibleRows(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	account := b.create("Account", Row{"Name": "Blue"})
	contact := b.create("Contact", Row{"LastName": "Doe", "AccountId": account})
	c := b.create("Case", Row{"Subject": "x", "ContactId": contact})
	hidden := b.create("Case", Row{"Subject": "secret"})
	m := b.create("EmailMessage", Row{"ParentId": c, "Subject": "mail"})
	gone := b.create("EmailMessage", Row{"ParentId": c, "Subject": "gone"})
	lone := b.create("EmailMessage", Row{"Subject": "lone"})
	b.create("EmailMessage", Row{"ParentId": hidden, "Subject": "unseen"})
	require.NoError(t, b.DeleteRecord("", gone, false))
	require.NoError(t, b.SetRowVisible("", SyncUser, hidden, false))
	require.NoError(t, b.SetVisible("", SyncUser, "Case.Priority", false))
	require.NoError(t, b.SetVisible("", SyncUser, "EmailMessage.Headers", false))

	rows, err := b.Visible("", SyncUser, "emailmessage")
	require.NoError(t, err)
	byID := map[any]Row{}
	for _, r := range rows {
		byID[r["Id"]] = r
	}
	require.Len(t, byID, 3)
	require.Equal(t, []any{"mail", "x", false, "Avery"}, []any{byID[m]["Subject"], byID[m]["Parent.Subject"], byID[m]["IsDeleted"], byID[m]["CreatedBy.FirstName"]})
	require.Equal(t, true, byID[gone]["IsDeleted"])
	require.Contains(t, byID[lone], "Parent.CaseNumber", "every row has every path")
	require.Nil(t, byID[lone]["Parent.CaseNumber"])
	require.NotContains(t, byID[m], "Parent.Priority")
	require.NotContains(t, byID[m], "Headers")
	require.Contains(t, byID[m], "RelatedTo.Name")
	all, err := b.Visible("", AdminUser, "EmailMessage")
	require.NoError(t, err)
	require.Len(t, all, 4)
	require.Contains(t, all[0], "Parent.Priority")

	few, err := b.Visible("", SyncUser, "EmailMessage", "id", "parent.contact.account.name")
	require.NoError(t, err)
	require.Contains(t, few, Row{"Id": m, "Parent.Contact.Account.Name": "Blue"})
	_, err = b.Visible("", SyncUser, "EmailMessage", "Nope")
	require.ErrorContains(t, err, "No such column 'Nope'")
	_, err = b.Visible("", SyncUser, "Nope")
	require.Error(t, err)
	require.NoError(t, b.SetVisible("", SyncUser, "EmailMessage", false))
	_, err = b.Visible("", SyncUser, "EmailMessage")
	require.Error(t, err)

	// The control endpoint spells the same rows as REST does.
	var spelled []map[string]any
	b.do(http.MethodGet, "/_sim/visible/EmailMessage?user="+AdminUser+"&path=Id&path=Parent.CaseNumber&path=SystemModstamp", nil).into(t, &spelled)
	require.Len(t, spelled, 4)
	require.Contains(t, spelled, map[string]any{"Id": m, "Parent.CaseNumber": "00001001", "SystemModstamp": "2026-11-23T10:00:00.000+0000"})
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodGet, "/_sim/visible/Nope", nil).status)

	// The same rows as over HTTP, without a request.
	require.NoError(t, b.SetVisible("", SyncUser, "EmailMessage", true))
	b.ResetCounters()
	got, err := b.Select("", SyncUser, "SELECT Id, Parent.CaseNumber FROM EmailMessage WHERE IsDeleted = false ORDER BY Subject DESC LIMIT 2", true)
	require.NoError(t, err)
	require.Equal(t, []Row{{"Id": m, "Parent.CaseNumber": "00001001"}, {"Id": lone, "Parent.CaseNumber": nil}}, got)
	n, err := b.Count("", SyncUser, "SELECT COUNT() FROM EmailMessage", true)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	n, err = b.Count("", SyncUser, "SELECT Id FROM EmailMessage LIMIT 1", false)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	got, err = b.Select("", SyncUser, "SELECT COUNT() FROM EmailMessage", true)
	require.NoError(t, err)
	require.Empty(t, got)
	require.Zero(t, b.Counters().Total)
	_, err = b.Select("", SyncUser, "SELECT Nope FROM Case", true)
	require.ErrorContains(t, err, "INVALID_FIELD")
	_, err = b.Select("Nope", SyncUser, "SELECT Id FROM Case", true)
	require.Error(t, err)
	_, err = b.Select("", "nobody", "SELECT Id FROM Case", true)
	require.Error(t, err)
}

func TestHiddenParents(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	contact := b.create("Contact", Row{"LastName": "Doe", "Email": "doe@x.example"})
	c := b.create("Case", Row{"ContactId": contact})
	require.NoError(t, b.SetRowVisible("", SyncUser, contact, false))
	const soql = "SELECT Id, ContactId, Contact.LastName, ContactEmail FROM Case"
	require.Equal(t, "Doe", b.rows(soql)[0]["Contact"].(map[string]any)["LastName"])
	require.Equal(t, []string{c}, b.ids("SELECT Id FROM Case WHERE Contact.LastName = 'Doe'"))
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.HiddenParents = "null" }))
	row := b.rows(soql)[0]
	require.Nil(t, row["Contact"])
	require.Equal(t, []any{contact, "doe@x.example"}, []any{row["ContactId"], row["ContactEmail"]}, "the reference stays, and a formula sees it all the same")
	require.Empty(t, b.ids("SELECT Id FROM Case WHERE Contact.LastName = 'Doe'"))
	seen, err := b.Visible("", SyncUser, "Case")
	require.NoError(t, err)
	require.Nil(t, seen[0]["Contact.LastName"])
	require.NoError(t, b.SetViewAll("", SyncUser, "Contact", true))
	require.Equal(t, "Doe", b.rows(soql)[0]["Contact"].(map[string]any)["LastName"])
	require.Error(t, b.SetKnobs(func(k *Knobs) { k.HiddenParents = "maybe" }))
}
