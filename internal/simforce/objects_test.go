package simforce

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestObjectsWithoutSystemModstamp(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Objects: []Object{
		{Name: "Log__c", KeyPrefix: "a0L", NoStamp: true, NoModified: true, NoCreated: true, Fields: []*Field{{Name: "Text__c", Type: TypeString}}},
	}})
	t0 := b.clock.now()
	type described struct {
		Fields []struct {
			Name, Type           string
			Filterable, Sortable bool
		}
		Replicateable, Undeletable, Createable bool
	}
	fields := func(object string) (described, map[string]bool) {
		var d described
		b.get("/sobjects/"+object+"/describe").into(t, &d)
		names := map[string]bool{}
		for _, f := range d.Fields {
			names[f.Name] = f.Filterable && f.Sortable
		}
		return d, names
	}
	d, names := fields("CaseHistory")
	require.Equal(t, map[string]bool{"Id": true, "IsDeleted": true, "CaseId": true, "Field": true, "DataType": true, "OldValue": false, "NewValue": false, "CreatedDate": true, "CreatedById": true}, names)
	require.False(t, d.Undeletable || d.Createable)
	require.True(t, d.Replicateable)
	_, names = fields("CaseShare")
	require.Contains(t, names, "LastModifiedDate")
	require.NotContains(t, names, "CreatedDate")
	require.NotContains(t, names, "SystemModstamp")

	c := b.create("Case", Row{"Status": "New", "Priority": "Low"})
	b.clock.add(time.Hour)
	_, err := b.UpdateRecord("Case", c, Write{Fields: Row{"Status": "Closed", "Priority": "Low"}, User: SyncUser})
	require.NoError(t, err)
	_, err = b.UpdateRecord("Case", c, Write{Fields: Row{"Priority": "High"}, Quiet: true})
	require.NoError(t, err)
	row := b.rows("SELECT CaseId, Field, OldValue, NewValue, CreatedDate, CreatedBy.Username, Case.Subject FROM CaseHistory WHERE CreatedDate >= 2026-11-23T11:00:00Z ORDER BY CreatedDate, Id")
	require.Len(t, row, 1, "jobs leave no history")
	require.Equal(t, []any{c, "Status", "New", "Closed", "2026-11-23T11:00:00.000+0000"}, []any{row[0]["CaseId"], row[0]["Field"], row[0]["OldValue"], row[0]["NewValue"], row[0]["CreatedDate"]})
	for soql, want := range map[string]string{
		"SELECT SystemModstamp FROM CaseHistory": "INVALID_FIELD", "SELECT LastModifiedDate FROM CaseHistory": "INVALID_FIELD",
		"SELECT Id FROM CaseHistory WHERE OldValue = 'New'": "INVALID_FIELD", "SELECT Id FROM CaseHistory ORDER BY NewValue": "INVALID_FIELD",
		"SELECT CreatedDate FROM CaseShare": "INVALID_FIELD", "SELECT CreatedDate FROM Log__c": "INVALID_FIELD",
	} {
		code, _ := b.query(soql).error(t)
		require.Equal(t, want, code, soql)
	}
	require.Len(t, b.changes("CaseHistory", "updated", t0, t0.Add(2*time.Hour)).IDs, 1)
	require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, "/services/data/v66.0/sobjects/CaseHistory", map[string]any{}).status)

	share := b.create("CaseShare", Row{"CaseId": c, "UserOrGroupId": b.Orgs()[0].Users[SyncUser]})
	b.clock.add(time.Hour)
	_, err = b.UpdateRecord("CaseShare", share, Write{Fields: Row{"CaseAccessLevel": "Edit"}})
	require.NoError(t, err)
	require.Equal(t, []string{share}, b.ids("SELECT Id FROM CaseShare WHERE LastModifiedDate = 2026-11-23T12:00:00Z ORDER BY LastModifiedDate, Id"))
	b.clock.add(time.Hour)
	require.NoError(t, b.DeleteRecord("", c, false))
	require.Empty(t, b.everything("SELECT Id FROM CaseShare"))
	require.Equal(t, []string{share}, b.changes("CaseShare", "deleted", t0, t0.Add(4*time.Hour)).gone())

	log := b.create("Log__c", Row{"Text__c": "x"})
	require.Equal(t, []string{log}, b.ids("SELECT Id FROM Log__c WHERE Text__c = 'x' ORDER BY Id"))
	require.NoError(t, b.DeleteRecord("", log, false))
	require.Empty(t, b.ids("SELECT Id FROM Log__c"))
	require.NoError(t, b.UndeleteRecord("", log))
	require.Equal(t, []string{log}, b.ids("SELECT Id FROM Log__c"))
}

func TestRecipientsInRelations(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	c := b.create("Case", nil)
	ann := b.create("Contact", Row{"LastName": "Ann", "Email": "ann@a.example"})
	lena := b.Orgs()[0].Users["lena@acme.example"]
	fields := map[string]any{
		"ParentId": c, "FromAddress": "desk@acme.example", "ToAddress": "ANN@a.example; who@b.example", "CcAddress": "lena@acme.example",
		"ToIds": []string{ann}, "CcIds": []string{lena}, "Status": "3",
	}
	a := b.do(http.MethodPost, "/services/data/v66.0/sobjects/EmailMessage", fields)
	require.Equal(t, http.StatusCreated, a.status, a.body)
	m := b.rows("SELECT Id, ToAddress, CcAddress FROM EmailMessage")[0]
	require.Equal(t, "who@b.example", m["ToAddress"])
	require.Nil(t, m["CcAddress"])
	var got [][3]any
	for _, r := range b.rows("SELECT RelationId, RelationType, RelationAddress, RelationObjectType FROM EmailMessageRelation WHERE EmailMessageId = '" + m["Id"].(string) + "' ORDER BY RelationType DESC") {
		got = append(got, [3]any{r["RelationId"], r["RelationType"], r["RelationAddress"]})
	}
	require.Equal(t, [][3]any{{ann, "ToAddress", "ann@a.example"}, {lena, "CcAddress", "lena@acme.example"}}, got)
	require.Contains(t, b.get("/sobjects/EmailMessage/describe").body, `"junctionIdListNames":["BccIds","CcIds","ToIds"]`)
	for _, bad := range []any{[]string{c}, "x", []int{1}} {
		fields["ToIds"] = bad
		require.Equal(t, http.StatusBadRequest, b.do(http.MethodPost, "/services/data/v66.0/sobjects/EmailMessage", fields).status, bad)
	}
	require.Len(t, b.ids("SELECT Id FROM EmailMessage"), 1)

	// The same for everything the generator sends to contacts.
	plain, matched := start(t, Options{Generate: 80}), start(t, Options{Generate: 80, MatchRecipients: true})
	want := map[string]any{}
	for _, r := range plain.rows("SELECT Id, ToAddress FROM EmailMessage WHERE Incoming = false") {
		want[r["Id"].(string)] = r["ToAddress"]
	}
	require.NotEmpty(t, want)
	for _, r := range matched.rows("SELECT Id, ToAddress FROM EmailMessage WHERE Incoming = false") {
		id := r["Id"].(string)
		require.Nil(t, r["ToAddress"])
		to := matched.rows("SELECT RelationAddress, RelationId FROM EmailMessageRelation WHERE RelationType = 'ToAddress' AND EmailMessageId = '" + id + "'")
		require.Len(t, to, 1)
		require.Equal(t, want[id], to[0]["RelationAddress"])
		require.NotNil(t, to[0]["RelationId"])
	}
	matched.WriteNow(50)
}

func TestSilentChanges(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	c, other := b.create("Case", Row{"Status": "New"}), b.create("Case", Row{"Status": "Closed"})
	gone := b.create("Case", Row{"Status": "New"})
	require.NoError(t, b.DeleteRecord("", gone, false))
	t0 := b.clock.now()
	b.clock.add(time.Hour)
	_, err := b.UpdateRecord("Case", other, Write{Fields: Row{"Subject": "unseen"}, Still: true})
	require.NoError(t, err)
	require.Equal(t, t0, b.stampOf(other))

	n, err := b.RenamePicklist("", "Case", "Status", "New", "Fresh", false)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, "Fresh", b.rows("SELECT Status FROM Case WHERE Id = '" + c + "'")[0]["Status"])
	require.Equal(t, t0, b.stampOf(c))
	require.Equal(t, t0, b.stampOf(other))
	require.Contains(t, b.get("/sobjects/Case/describe").body, `"value":"Fresh"`)
	require.NotContains(t, b.get("/sobjects/Case/describe").body, `"value":"New"`)
	fresh := b.create("Case", nil)
	require.Equal(t, "Fresh", b.rows("SELECT Status FROM Case WHERE Id = '" + fresh + "'")[0]["Status"], "the default too")
	require.Equal(t, []string{gone}, b.changes("Case", "deleted", t0, t0.Add(time.Hour)).gone(), "the delete log survives a schema change")

	tx, err := b.Begin("")
	require.NoError(t, err)
	late, err := tx.CreateRecord("Case", Write{Fields: Row{"Status": "Fresh"}})
	require.NoError(t, err)
	b.clock.add(time.Hour)
	n, err = b.RenamePicklist("", "Case", "Status", "Fresh", "Open", true)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.NoError(t, tx.Commit())
	require.Equal(t, t0.Add(2*time.Hour), b.stampOf(c))
	require.Equal(t, "Open", b.rows("SELECT Status FROM Case WHERE Id = '" + late["Id"].(string) + "'")[0]["Status"])
	for _, bad := range [][3]string{{"Nope", "Status", "Open"}, {"Case", "Subject", "Open"}, {"Case", "Status", "New"}} {
		_, err = b.RenamePicklist("", bad[0], bad[1], bad[2], "x", false)
		require.Error(t, err)
	}
}

// Every knob has a control route.
func TestControlOfData(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	sim := func(method, path string, body any) answer {
		a := b.do(method, "/_sim/"+path, body)
		require.Equal(t, http.StatusOK, a.status, path+": "+a.body)
		return a
	}
	type m = map[string]any
	var made struct{ IDs []string }
	sim("POST", "records/Case", m{"count": 5, "fields": m{"Subject": "n{n}", "Status": "New"}}).into(t, &made)
	require.Len(t, made.IDs, 5)
	ids := made.IDs

	var tx struct{ ID string }
	sim("POST", "transactions", m{"org": "Acme"}).into(t, &tx)
	var row m
	sim("POST", "records/Case", m{"tx": tx.ID, "fields": m{"Subject": "late"}}).into(t, &row)
	require.Equal(t, "late", row["Subject"])
	sim("DELETE", "records/Case/"+ids[0]+"?tx="+tx.ID, nil)
	require.Len(t, b.ids("SELECT Id FROM Case"), 5)
	require.Contains(t, sim("GET", "transactions", nil).body, tx.ID)
	sim("POST", "transactions/"+tx.ID+"/commit", m{"after": 30})
	sim("POST", "clock/advance", m{"seconds": 30})
	require.Contains(t, sim("GET", "clock", nil).body, "2026-11-23T10:00:30Z")
	require.Contains(t, b.ids("SELECT Id FROM Case"), row["Id"])
	require.NotContains(t, b.ids("SELECT Id FROM Case"), ids[0])
	sim("POST", "transactions", m{"commit_after": 60}).into(t, &tx)
	sim("POST", "transactions/"+tx.ID+"/rollback", nil)
	sim("POST", "transactions", m{}).into(t, &tx)
	sim("POST", "transactions/"+tx.ID+"/commit", nil)
	require.Equal(t, http.StatusBadRequest, b.do("POST", "/_sim/transactions/"+tx.ID+"/commit", nil).status)
	require.Equal(t, http.StatusNotFound, b.do("POST", "/_sim/transactions/"+tx.ID+"/explode", nil).status)

	sim("POST", "records/Case/"+ids[0]+"/purge", nil)
	sim("POST", "records/Case/"+ids[1]+"/merge", m{"losers": []string{ids[2]}})
	require.JSONEq(t, `{"purged":1}`, sim("POST", "bin/empty", m{"object": "Case"}).body)
	task := b.create("Task", nil)
	sim("POST", "records/Task/"+task+"/archive", nil)
	require.Empty(t, b.ids("SELECT Id FROM Task"))
	sim("POST", "sharing", m{"user": SyncUser, "id": ids[3], "visible": false})
	require.NotContains(t, b.ids("SELECT Id FROM Case"), ids[3])
	sim("POST", "view_all", m{"user": SyncUser, "object": "Case", "on": true})
	require.Contains(t, b.ids("SELECT Id FROM Case"), ids[3])
	sim("POST", "view_all", m{"user": SyncUser, "object": "Case", "on": false})
	sim("POST", "sharing", m{"user": SyncUser, "object": "Case", "owner": AdminUser, "visible": false})
	require.Empty(t, b.ids("SELECT Id FROM Case"))
	sim("POST", "sharing", m{"user": SyncUser, "object": "Case", "owner": AdminUser, "visible": true})
	sim("POST", "sharing", m{"user": SyncUser, "id": ids[3], "visible": true})
	require.JSONEq(t, `{"bumped":4}`, sim("POST", "bump", m{"object": "Case"}).body)
	require.JSONEq(t, `{"changed":4}`, sim("POST", "picklists/rename", m{"object": "Case", "field": "Status", "from": "New", "to": "Old"}).body)
	sim("POST", "delete_log/trim", m{"object": "Case", "before": "2026-11-23T10:00:00Z"})

	require.Contains(t, sim("GET", "faults/classes", nil).body, `"name":"cut_gzip"`)
	sim("POST", "chaos", m{"rate": 1, "classes": []string{"empty_406"}})
	require.Equal(t, http.StatusNotAcceptable, b.query("SELECT Id FROM Case").status)
	require.Contains(t, sim("GET", "chaos", nil).body, "empty_406")
	sim("DELETE", "chaos", nil)
	sim("POST", "faults", m{"class": "xml"})
	require.Contains(t, b.query("SELECT Id FROM Case").body, "<errorCode>")
	require.Contains(t, sim("GET", "counters", nil).body, `"empty_406":1`)
	sim("PATCH", "knobs", m{"query_limits": m{"timeout_rows": 1}, "maintenance": m{"until": "2026-11-23T09:00:00Z"}, "page_max": 3, "cascade_delete": "drop"})
	code, _ := b.query("SELECT Id FROM Case").error(t)
	require.Equal(t, "QUERY_TIMEOUT", code)
	sim("PATCH", "knobs", m{"query_limits": m{"timeout_rows": 0}})
	b.query("SELECT Id FROM Case")
	require.JSONEq(t, `{"ended":1}`, sim("POST", "cursors/kill", nil).body)
	sim("POST", "instance/move", m{"url": b.elsewhere()})
	require.Equal(t, http.StatusFound, b.query("SELECT Id FROM Case").status)
	require.Equal(t, http.StatusBadRequest, b.do("POST", "/_sim/chaos", m{"rate": 7}).status)
	require.Equal(t, http.StatusBadRequest, b.do("POST", "/_sim/bump", m{"typo": 7}).status)
}

// The same values by REST and in bulk, and what conditions make of their types.
func TestRarerTypes(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	field := func(name string, kind FieldType) *Field { return &Field{Name: name, Type: kind} }
	require.NoError(t, b.AddObject("", Object{Name: "Deal__c", KeyPrefix: "a07", Fields: []*Field{
		field("Sum__c", TypeCurrency), field("Share__c", TypePercent), field("Tags__c", TypeMultipicklist),
		field("Secret__c", TypeEncrypted), field("At__c", TypeTime), field("On__c", TypeDate), field("N__c", TypeInt),
	}}))
	id := b.create("Deal__c", Row{"Sum__c": 12_500_000, "Share__c": 12.5, "Tags__c": "a;b", "Secret__c": "hush", "At__c": "10:15:00", "On__c": "2026-05-01", "N__c": 4})
	const soql = "SELECT Id, Sum__c, Share__c, Tags__c, Secret__c, At__c, On__c, N__c FROM Deal__c"
	require.Contains(t, b.query(soql).body, `"Sum__c":1.25E7,"Share__c":12.5,"Tags__c":"a;b","Secret__c":"hush","At__c":"10:15:00.000Z","On__c":"2026-05-01","N__c":4`)
	require.Equal(t, []string{id, "1.25E7", "12.5", "a;b", "hush", "10:15:00.000Z", "2026-05-01", "4"}, b.results(b.job(soql), 10)[1])
	for where, want := range map[string]int{"Sum__c > 12499999.5": 1, "Share__c = 12.5": 1, "Tags__c = 'a;b'": 1, "Tags__c = 'a'": 0} {
		require.Len(t, b.ids("SELECT Id FROM Deal__c WHERE "+where), want, where)
	}
	for _, soql := range []string{"WHERE Secret__c = 'hush'", "ORDER BY Secret__c", "ORDER BY Tags__c", "WHERE At__c = null", "WHERE Sum__c = '1'"} {
		code, _ := b.query("SELECT Id FROM Deal__c " + soql).error(t)
		require.Equal(t, "INVALID_FIELD", code, soql)
	}
	_, err := b.UpdateRecord("Deal__c", id, Write{Fields: Row{"At__c": "noon"}})
	require.Error(t, err)
	var d struct{ Fields []describeField }
	b.get("/sobjects/Deal__c/describe").into(t, &d)
	got := map[string][]any{}
	for _, f := range d.Fields {
		got[f.Name] = []any{f.SoapType, f.Filterable, f.Sortable, f.Groupable, f.Aggregatable, f.Encrypted}
	}
	require.Equal(t, []any{"xsd:double", true, true, false, true, false}, got["Sum__c"])
	require.Equal(t, []any{"xsd:double", true, true, false, true, false}, got["Share__c"])
	require.Equal(t, []any{"xsd:string", true, false, false, true, false}, got["Tags__c"])
	require.Equal(t, []any{"xsd:string", false, false, false, false, true}, got["Secret__c"])
	require.Equal(t, []any{"xsd:time", true, true, false, true, false}, got["At__c"])
}
