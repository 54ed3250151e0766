package simforce

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rights asks as a client does: which sets has the user, and what do these say
// of an object.
func (b *bench) rights(user, object string) (read, viewAll bool) {
	b.t.Helper()
	var sets []string
	for _, r := range b.rows("SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '" + b.Orgs()[0].Users[user] + "'") {
		sets = append(sets, "'"+r["PermissionSetId"].(string)+"'")
	}
	require.Len(b.t, sets, 2)
	for _, r := range b.rows("SELECT PermissionsRead, PermissionsViewAllRecords FROM ObjectPermissions WHERE SobjectType = '" + object + "' AND ParentId IN (" + strings.Join(sets, ", ") + ")") {
		read = read || r["PermissionsRead"].(bool)
		viewAll = viewAll || r["PermissionsViewAllRecords"].(bool)
	}
	return read, viewAll
}

func TestObjectPermissionsFollowVisibility(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sim.state")
	b := start(t, Options{StateFile: file})
	is := func(user, object string, read, viewAll bool) {
		t.Helper()
		r, v := b.rights(user, object)
		require.Equal(t, []bool{read, viewAll}, []bool{r, v}, user+" "+object)
	}
	is(SyncUser, "Case", true, false)
	require.NoError(t, b.SetViewAll("", SyncUser, "Case", true))
	is(SyncUser, "Case", true, true)
	is(AdminUser, "Case", true, false)
	is(SyncUser, "Account", true, false)
	require.NoError(t, b.SetVisible("", SyncUser, "Case", false))
	is(SyncUser, "Case", false, false)
	require.NoError(t, b.SetVisible("", SyncUser, "Case", true))
	is(SyncUser, "Case", true, true)
	require.NoError(t, b.SetViewAll("", SyncUser, "Case", false))
	is(SyncUser, "Case", true, false)
	require.NoError(t, b.SetViewAll("", "*", "Contact", true))
	is(SyncUser, "Contact", true, true)
	is(AdminUser, "Contact", true, true)

	// A mail has no permissions of its own: its case decides.
	is(SyncUser, "EmailMessage", false, false)
	require.NoError(t, b.SetViewAll("", SyncUser, "EmailMessage", true))
	is(SyncUser, "EmailMessage", true, true)
	require.NoError(t, b.SetViewAll("", SyncUser, "EmailMessage", false))
	is(SyncUser, "EmailMessage", false, false)

	require.NoError(t, b.AddObject("", Object{Name: "Note__c", KeyPrefix: "a09"}))
	is(SyncUser, "Note__c", true, false)
	require.NoError(t, b.SetPermission("", SyncUser, ViewAllData, true))
	is(SyncUser, "Note__c", true, true)
	all := b.rows("SELECT PermissionSet.PermissionsViewAllData, PermissionSet.IsOwnedByProfile FROM PermissionSetAssignment WHERE AssigneeId = '" + b.Orgs()[0].Users[SyncUser] + "' AND PermissionSet.PermissionsViewAllData = true")
	require.Len(t, all, 1)

	// It lifts what sharing hides, of every object.
	c := b.create("Case", nil)
	require.NoError(t, b.SetRowVisible("", SyncUser, c, false))
	require.Equal(t, []string{c}, b.ids("SELECT Id FROM Case"))
	require.NoError(t, b.SetPermission("", SyncUser, ViewAllData, false))
	require.Empty(t, b.ids("SELECT Id FROM Case"))

	// A new user gets sets too.
	u := b.create("User", Row{"Username": "new@acme.example", "LastName": "New", "Alias": "new", "Email": "new@acme.example"})
	require.Len(t, b.rows("SELECT Id FROM PermissionSetAssignment WHERE AssigneeId = '"+u+"'"), 2)

	rows, err := b.Records("", "ObjectPermissions")
	require.NoError(t, err)
	require.NoError(t, b.Close())
	b = start(t, Options{StateFile: file})
	kept, err := b.Records("", "ObjectPermissions")
	require.NoError(t, err)
	require.Equal(t, rows, kept)
	is(SyncUser, "Contact", true, true)

	require.Error(t, b.SetPermission("", SyncUser, "Fly", true))
	require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, "/services/data/v66.0/sobjects/PermissionSet", map[string]any{"Name": "x"}).status)
}

func TestPermissionsOfTheUser(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	seen := b.get("/sobjects/").header.Get("Last-Modified")
	require.NoError(t, b.SetPermission("", SyncUser, ViewSetup, false))
	for _, object := range []string{"ObjectPermissions", "PermissionSet", "PermissionSetAssignment"} {
		code, message := b.query("SELECT Id FROM " + object).error(t)
		require.Equal(t, "INVALID_TYPE", code)
		require.Contains(t, message, "sObject type '"+object+"' is not supported")
		require.Equal(t, http.StatusNotFound, b.get("/sobjects/"+object+"/describe").status)
	}
	require.Equal(t, http.StatusOK, b.get("/sobjects/", "If-Modified-Since", seen).status, "objects have gone")
	require.Equal(t, http.StatusForbidden, b.get("/limits").status)
	require.NotEmpty(t, b.query("SELECT Id FROM Case").header.Get("Sforce-Limit-Info"))
	require.NoError(t, b.SetPermission("", SyncUser, ViewSetup, true))
	require.Equal(t, http.StatusOK, b.get("/limits").status)
	code, _ := b.query("SELECT Id, IsDeleted FROM ObjectPermissions").error(t)
	require.Equal(t, "INVALID_FIELD", code, "there is no recycle bin for it")

	require.NoError(t, b.SetPermission("", SyncUser, APIEnabled, false))
	a := b.query("SELECT Id FROM Case")
	code, _ = a.error(t)
	require.Equal(t, []any{http.StatusForbidden, "API_DISABLED_FOR_ORG"}, []any{a.status, code})
	var err error
	b.token, err = b.Login(AdminUser)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, b.query("SELECT Id FROM Case").status, "only the user lacks it")
}
