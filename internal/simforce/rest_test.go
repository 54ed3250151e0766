package simforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVersions(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	b.token = ""
	var list []map[string]string
	a := b.do(http.MethodGet, "/services/data", nil)
	a.into(t, &list)
	require.Equal(t, map[string]string{"label": "Summer '14", "url": "/services/data/v31.0", "version": "31.0"}, list[0])
	require.Contains(t, list, map[string]string{"label": "Spring '26", "url": "/services/data/v66.0", "version": "66.0"})
	require.Equal(t, "68.0", list[len(list)-1]["version"])
	for version, want := range map[string]int{"v30.0": 410, "v20.0": 410, "v69.0": 404, "v66.1": 404, "v66": 404, "66.0": 404, "v31.0": 401, "v68.0": 401} {
		require.Equal(t, want, b.do(http.MethodGet, "/services/data/"+version+"/limits", nil).status, version)
	}
}

func TestRefusedRoutes(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	for _, path := range []string{"/jobs/ingest", "/jobs/query/750000000000001AAA", "/search?q=x", "/tooling/query", "/composite/sobjects", "/sobjects/Nope", "/sobjects/Case/500000000000001AAA", "/queryAll/x/y"} {
		a := b.get(path)
		require.Equal(t, http.StatusNotFound, a.status, path)
		code, message := a.error(t)
		require.Equal(t, "NOT_FOUND", code)
		require.Equal(t, "The requested resource does not exist", message)
	}
	a := b.do(http.MethodPut, "/services/data/v66.0/sobjects/Case/500000000000001AAA", nil)
	require.Equal(t, http.StatusMethodNotAllowed, a.status)
	code, _ := a.error(t)
	require.Equal(t, "METHOD_NOT_ALLOWED", code)
	require.Equal(t, http.StatusMethodNotAllowed, b.do(http.MethodPost, "/services/data/v66.0/query?q=x", nil).status)
	require.Equal(t, http.StatusNotAcceptable, b.get("/limits", "Accept", "application/xml").status)
	require.Equal(t, http.StatusRequestURITooLong, b.get("/query?q="+strings.Repeat("x", 17_000)).status)
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, b.get("/limits", "X-Long", strings.Repeat("x", 17_000)).status)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/anything", nil).status)
}

func TestQuota(t *testing.T) {
	t.Parallel()
	b := start(t, Options{DailyRequests: 100})
	other, err := b.Login(OtherUser)
	require.NoError(t, err)
	require.NoError(t, b.SetQuotaUsed("", 98))
	require.Equal(t, "api-usage=99/100", b.get("/limits").header.Get("Sforce-Limit-Info"))
	var limits map[string]struct{ Max, Remaining int }
	b.get("/limits").into(t, &limits)
	require.Equal(t, struct{ Max, Remaining int }{100, 0}, limits["DailyApiRequests"])
	a := b.get("/limits")
	require.Equal(t, http.StatusForbidden, a.status)
	require.JSONEq(t, `[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]`, a.body)
	mine := b.token
	b.token = other
	require.Equal(t, http.StatusOK, b.get("/limits").status, "each org has its own quota")
	b.token = mine
	require.NoError(t, b.SetQuotaUsed("", 0))
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.QuotaMax, k.SessionTTLSeconds = 3, 1_000_000 }))
	for range 3 {
		require.Equal(t, http.StatusOK, b.get("/limits").status)
	}
	require.Equal(t, http.StatusForbidden, b.get("/limits").status)
	b.clock.add(25 * time.Hour)
	require.Equal(t, http.StatusOK, b.get("/limits").status, "the day rolls")
}

// Every key that a real describe has, by the recordings.
const objectKeys = `actionOverrides activateable associateEntityType associateParentEntity childRelationships compactLayoutable createable custom customSetting deepCloneable defaultImplementation deletable deprecatedAndHidden extendedBy extendsInterfaces feedEnabled fields hasSubtypes implementedBy implementsInterfaces isInterface isSubtype keyPrefix label labelPlural layoutable listviewable lookupLayoutable mergeable mruEnabled name namedLayoutInfos networkScopeFieldName queryable recordTypeInfos replicateable retrieveable searchLayoutable searchable sobjectDescribeOption supportedScopes triggerable undeletable updateable urls`
const fieldKeys = `aggregatable aiPredictionField autoNumber byteLength calculated calculatedFormula cascadeDelete caseSensitive compoundFieldName controllerName createable custom defaultValue defaultValueFormula defaultedOnCreate dependentPicklist deprecatedAndHidden digits displayLocationInDecimal encrypted externalId extraTypeInfo filterable filteredLookupInfo formulaTreatNullNumberAsZero groupable highScaleNumber htmlFormatted idLookup inlineHelpText label length mask maskType name nameField namePointing nillable permissionable picklistValues polymorphicForeignKey precision queryByDistance referenceTargetField referenceTo relationshipName relationshipOrder restrictedDelete restrictedPicklist scale searchPrefilterable soapType sortable type unique updateable writeRequiresMasterRead`

func keys(m map[string]any) string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	var global struct {
		Encoding     string
		MaxBatchSize int
		Sobjects     []map[string]any
	}
	b.get("/sobjects/").into(t, &global)
	require.Equal(t, 200, global.MaxBatchSize)
	var names []string
	for _, o := range global.Sobjects {
		names = append(names, o["name"].(string))
		var d map[string]any
		b.get("/sobjects/"+o["name"].(string)+"/describe").into(t, &d)
		require.Equal(t, objectKeys, keys(d))
		for _, f := range d["fields"].([]any) {
			require.Equal(t, fieldKeys, keys(f.(map[string]any)))
		}
	}
	require.Equal(t, []string{"Account", "Attachment", "Case", "CaseComment", "CaseHistory", "CaseShare", "CaseStatus", "Contact", "EmailMessage", "EmailMessageRelation", "Event", "FeedComment", "FeedItem", "Group", "LiveChatTranscript", "ObjectPermissions", "Organization", "PermissionSet", "PermissionSetAssignment", "Survey_Response__c", "Task", "User"}, names)

	var d struct {
		KeyPrefix          string
		Fields             []map[string]any
		ChildRelationships []struct {
			ChildSObject, Field string
			RelationshipName    *string
			CascadeDelete       bool
		}
	}
	b.get("/sobjects/emailmessage/describe").into(t, &d)
	require.Equal(t, "02s", d.KeyPrefix)
	flags := map[string]string{}
	for _, f := range d.Fields {
		s := ""
		for _, flag := range []string{"filterable", "sortable", "groupable", "aggregatable", "nillable", "permissionable"} {
			if f[flag] == true {
				s += strings.ToUpper(flag[:1])
			}
		}
		flags[f["name"].(string)] = fmt.Sprintf("%s %s %v/%v %s", f["type"], f["soapType"], f["length"], f["byteLength"], s)
	}
	for name, want := range map[string]string{
		"Id":             "id tns:ID 18/18 FSGA",
		"ParentId":       "reference tns:ID 18/18 FSGANP",
		"TextBody":       "textarea xsd:string 131072/393216 NP",
		"Subject":        "string xsd:string 4000/12000 FSGANP",
		"FromAddress":    "email xsd:string 80/240 FSGANP",
		"Incoming":       "boolean xsd:boolean 0/0 FSG",
		"MessageDate":    "datetime xsd:dateTime 0/0 FSANP",
		"Status":         "picklist xsd:string 255/765 FSGA",
		"SystemModstamp": "datetime xsd:dateTime 0/0 FSA",
	} {
		require.Equal(t, want, flags[name], name)
	}
	b.get("/sobjects/Case/describe").into(t, &d)
	children := map[string]bool{}
	for _, c := range d.ChildRelationships {
		if c.RelationshipName != nil {
			children[c.ChildSObject+"."+c.Field+" "+*c.RelationshipName] = c.CascadeDelete
		}
	}
	require.Subset(t, children, map[string]bool{
		"EmailMessage.ParentId EmailMessages": true, "EmailMessage.RelatedToId Emails": false, "CaseComment.ParentId CaseComments": true,
		"Task.WhatId Tasks": true, "Case.ParentId Cases": false,
	})
}

func TestConditionalDescribe(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	a := b.get("/sobjects/Case/describe")
	etag, modified := a.header.Get("ETag"), a.header.Get("Last-Modified")
	require.NotEmpty(t, etag)
	not := b.get("/sobjects/Case/describe", "If-Modified-Since", modified)
	require.Equal(t, http.StatusNotModified, not.status)
	require.Empty(t, not.body)
	require.Equal(t, http.StatusNotModified, b.get("/sobjects/Case/describe", "If-None-Match", etag).status)
	require.NoError(t, b.SetVisible("", "*", "Case.Type", false))
	require.Equal(t, http.StatusOK, b.get("/sobjects/Case/describe", "If-Modified-Since", modified).status)
	require.Equal(t, http.StatusOK, b.get("/sobjects/Case/describe", "If-None-Match", etag).status)
}

func TestWritesOverREST(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	post := func(object string, body any) answer {
		return b.do(http.MethodPost, "/services/data/v66.0/sobjects/"+object, body)
	}
	a := post("Contact", map[string]any{"FirstName": "Jo", "LastName": "Ek", "Email": "jo@ek.example", "attributes": map[string]any{"type": "Contact"}})
	require.Equal(t, http.StatusCreated, a.status, a.body)
	var made struct {
		ID      string
		Success bool
		Errors  []any
	}
	a.into(t, &made)
	require.True(t, made.Success)
	path := "/services/data/v66.0/sobjects/Contact/" + made.ID
	require.Equal(t, path, a.header.Get("Location"))
	b.clock.add(1500 * time.Millisecond)
	require.Equal(t, http.StatusNoContent, b.do(http.MethodPatch, path, map[string]any{"FirstName": ""}).status)
	var got map[string]any
	b.get("/sobjects/Contact/"+made.ID[:15]).into(t, &got)
	require.Equal(t, "Ek", got["Name"])
	require.Nil(t, got["FirstName"])
	require.Equal(t, "2026-11-23T10:00:01.000+0000", got["SystemModstamp"])
	require.Equal(t, "2026-11-23T10:00:00.000+0000", got["CreatedDate"])
	b.get("/sobjects/Contact/"+made.ID+"?fields=Name,CreatedBy.Username").into(t, &got)
	require.Equal(t, SyncUser, got["CreatedBy"].(map[string]any)["Username"])
	require.Equal(t, http.StatusNoContent, b.do(http.MethodDelete, path, nil).status)
	code, _ := b.do(http.MethodDelete, path, nil).error(t)
	require.Equal(t, "ENTITY_IS_DELETED", code)

	for want, body := range map[string]struct {
		object string
		body   any
	}{
		"REQUIRED_FIELD_MISSING Required fields are missing: [LastName]": {"Contact", map[string]any{"FirstName": "x"}},
		"INVALID_FIELD No such column 'Foo' on sobject of type Contact":  {"Contact", map[string]any{"LastName": "x", "Foo": 1}},
		"INVALID_FIELD_FOR_INSERT_UPDATE":                                {"Case", map[string]any{"CaseNumber": "1"}},
		"STRING_TOO_LONG Subject: data value too large":                  {"Case", map[string]any{"Subject": strings.Repeat("x", 256)}},
		"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST":                        {"EmailMessage", map[string]any{"Status": "9"}},
		"FIELD_INTEGRITY_EXCEPTION":                                      {"EmailMessage", map[string]any{"ParentId": b.orgs[0].firstUser()}},
		"JSON_PARSER_ERROR":                                              {"Case", []int{1}},
		"JSON_PARSER_ERROR Cannot deserialize":                           {"Case", map[string]any{"IsEscalated": "yes"}},
	} {
		code, message := post(body.object, body.body).error(t)
		require.True(t, strings.HasPrefix(code+" "+message, want), code+" "+message)
	}
	require.Len(t, b.rows("SELECT Id FROM Case"), 0)
}

func TestParentChangeLeavesChildrenAlone(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	c := b.create("Case", Row{"Subject": "x", "Priority": "Low"})
	m := b.create("EmailMessage", Row{"ParentId": c})
	b.clock.add(time.Minute)
	_, err := b.UpdateRecord("Case", c, Write{Fields: Row{"Priority": "High"}})
	require.NoError(t, err)
	row := b.rows("SELECT SystemModstamp, Parent.Priority, Parent.SystemModstamp FROM EmailMessage WHERE Id = '" + m + "'")[0]
	require.Equal(t, "2026-11-23T10:00:00.000+0000", row["SystemModstamp"])
	require.Equal(t, "High", row["Parent"].(map[string]any)["Priority"])
	require.Equal(t, "2026-11-23T10:01:00.000+0000", row["Parent"].(map[string]any)["SystemModstamp"])
}

type compositeResult struct {
	Parts []struct {
		Body           json.RawMessage
		HTTPHeaders    map[string]string `json:"httpHeaders"`
		HTTPStatusCode int               `json:"httpStatusCode"`
		ReferenceID    string            `json:"referenceId"`
	} `json:"compositeResponse"`
}

func TestComposite(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Generate: 5})
	part := func(ref, path string) map[string]any {
		return map[string]any{"method": "GET", "url": "/services/data/v66.0" + path, "referenceId": ref}
	}
	ask := func(body any) answer { return b.do(http.MethodPost, "/services/data/v66.0/composite", body) }
	query := "/query?q=" + url.QueryEscape("SELECT Id FROM Case WHERE CreatedDate > 2020-01-01T00:00:00+01:00")
	var out compositeResult
	used := b.quota.count(b.orgs[0].id, b.now())
	ask(map[string]any{"compositeRequest": []any{part("a", query), part("b", "/query?q=SELECT+Foo+FROM+Case"), part("c", "/sobjects/Case/describe")}}).into(t, &out)
	require.Equal(t, used+1, b.quota.count(b.orgs[0].id, b.now()), "one call")
	require.Equal(t, []any{"a", 200, "b", 400, "c", 200}, []any{out.Parts[0].ReferenceID, out.Parts[0].HTTPStatusCode, out.Parts[1].ReferenceID, out.Parts[1].HTTPStatusCode, out.Parts[2].ReferenceID, out.Parts[2].HTTPStatusCode})
	require.JSONEq(t, b.get(query).body, string(out.Parts[0].Body))
	require.Contains(t, string(out.Parts[1].Body), `[{"message":"\nSELECT Foo FROM Case`)
	require.NotEmpty(t, out.Parts[2].HTTPHeaders["ETag"])

	conditional := part("d", "/sobjects/Case/describe")
	conditional["httpHeaders"] = map[string]string{"If-Modified-Since": out.Parts[2].HTTPHeaders["Last-Modified"]}
	ask(map[string]any{"compositeRequest": []any{conditional}}).into(t, &out)
	require.Equal(t, http.StatusNotModified, out.Parts[0].HTTPStatusCode)
	require.Equal(t, "null", string(out.Parts[0].Body))

	ask(map[string]any{"allOrNone": true, "compositeRequest": []any{part("a", query), part("b", "/query?q=SELECT+Foo+FROM+Case")}}).into(t, &out)
	require.Contains(t, string(out.Parts[0].Body), "PROCESSING_HALTED")
	require.Contains(t, string(out.Parts[1].Body), "INVALID_FIELD")

	six := []any{}
	for i := range 6 {
		six = append(six, part(fmt.Sprint("q", i), query))
	}
	many := []any{}
	for i := range 26 {
		many = append(many, part(fmt.Sprint("q", i), "/limits"))
	}
	for name, body := range map[string]any{
		"six queries": map[string]any{"compositeRequest": six}, "too many": map[string]any{"compositeRequest": many}, "none": map[string]any{},
		"same name": map[string]any{"compositeRequest": []any{part("a", query), part("a", query)}},
		"reference": map[string]any{"compositeRequest": []any{part("a", "/sobjects/Case/@{x.id}")}},
		"other url": map[string]any{"compositeRequest": []any{map[string]any{"method": "GET", "url": "/elsewhere", "referenceId": "a"}}},
		"typo":      map[string]any{"compositeRequests": six},
	} {
		require.Equal(t, http.StatusBadRequest, ask(body).status, name)
	}
	// One call asks everything a watch needs to know of an object.
	now := b.clock.now().Add(time.Hour)
	span := "?start=" + url.QueryEscape(now.Add(-2*time.Hour).Format(time.RFC3339)) + "&end=" + url.QueryEscape(now.Format(time.RFC3339))
	c, gone := b.create("Case", nil), b.create("Case", nil)
	require.NoError(t, b.DeleteRecord("", gone, false))
	count := url.QueryEscape("SELECT COUNT() FROM Case WHERE IsDeleted = false AND SystemModstamp >= 2026-11-23T10:00:00Z AND SystemModstamp < 2026-11-23T11:00:00Z")
	watch := []any{
		part("updated", "/sobjects/Case/updated/"+span), part("deleted", "/sobjects/Case/deleted"+span), part("count", "/queryAll?q="+count),
		part("both", "/queryAll?q="+url.QueryEscape("SELECT COUNT() FROM Case WHERE SystemModstamp >= 2026-11-23T10:00:00Z")), conditional,
	}
	b.clock.add(time.Hour)
	ask(map[string]any{"compositeRequest": watch}).into(t, &out)
	body := func(i int) string { return string(out.Parts[i].Body) }
	require.JSONEq(t, `{"ids":["`+c+`"],"latestDateCovered":"2026-11-23T11:00:00.000+0000"}`, body(0))
	require.Contains(t, body(1), `{"id":"`+gone+`","deletedDate":"2026-11-23T10:00:00.000+0000"}`)
	require.JSONEq(t, `{"totalSize":1,"done":true,"records":[]}`, body(2))
	require.JSONEq(t, `{"totalSize":2,"done":true,"records":[]}`, body(3))
	require.Equal(t, []any{http.StatusNotModified, "null"}, []any{out.Parts[4].HTTPStatusCode, body(4)})
	require.NotEmpty(t, out.Parts[4].HTTPHeaders["Last-Modified"])
	require.NoError(t, b.SetVisible("", SyncUser, "Case.Type", false))
	ask(map[string]any{"compositeRequest": watch}).into(t, &out)
	require.Equal(t, http.StatusOK, out.Parts[4].HTTPStatusCode, "a right was taken away")
	require.NotContains(t, body(4), `"name":"Type"`)
	conditional["httpHeaders"] = map[string]string{"If-Modified-Since": out.Parts[4].HTTPHeaders["Last-Modified"]}
	ask(map[string]any{"compositeRequest": watch}).into(t, &out)
	require.Equal(t, http.StatusNotModified, out.Parts[4].HTTPStatusCode)
	require.NoError(t, b.SetVisible("", SyncUser, "Case.Type", true))
	ask(map[string]any{"compositeRequest": watch}).into(t, &out)
	require.Equal(t, http.StatusOK, out.Parts[4].HTTPStatusCode, "and given back within the same second")
	require.Contains(t, body(4), `"name":"Type"`)

	var batch struct {
		HasErrors bool
		Results   []struct {
			StatusCode int
			Result     json.RawMessage
		}
	}
	b.do(http.MethodPost, "/services/data/v66.0/composite/batch", map[string]any{"batchRequests": []any{
		map[string]any{"method": "GET", "url": "v66.0/sobjects/Case/describe"}, map[string]any{"method": "GET", "url": "v66.0/sobjects/Nope/describe"},
	}}).into(t, &batch)
	require.True(t, batch.HasErrors)
	require.Equal(t, []int{200, 404}, []int{batch.Results[0].StatusCode, batch.Results[1].StatusCode})
	require.JSONEq(t, b.get("/sobjects/Case/describe").body, string(batch.Results[0].Result))
}
