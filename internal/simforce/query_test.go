package simforce

import (
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhere(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	at := b.clock.now()
	account := b.create("Account", Row{"Name": "Blue Whale"})
	contact := b.create("Contact", Row{"LastName": "Ng", "Email": "ng@blue.example", "AccountId": account})
	names := map[string]string{}
	for name, fields := range map[string]Row{
		"a": {"Subject": "Alpha 100%", "Priority": "High", "AccountId": account, "ContactId": contact, "IsEscalated": true},
		"b": {"Subject": "beta_x", "Priority": "Low"},
		"c": {"Subject": nil, "Priority": "High", "Status": "Closed"},
		"d": {"Subject": "ALPHABET", "Priority": nil},
	} {
		names[b.create("Case", fields)] = name
	}
	survey := b.create("Survey_Response__c", Row{"Score__c": 3.5, "Submitted__c": at.Add(-26 * time.Hour)})
	names[survey] = "s"
	id := func(name string) string {
		for k, v := range names {
			if v == name {
				return k
			}
		}
		return ""
	}
	stamp := at.Format("2006-01-02T15:04:05Z")
	for where, want := range map[string]string{
		"Subject = 'alpha 100%'":                            "a",
		"Subject != 'beta_x'":                               "acd",
		"Subject LIKE 'alpha%'":                             "ad",
		`Subject LIKE '%100\%'`:                             "a",
		`Subject LIKE 'beta\_x'`:                            "b",
		"Subject LIKE '_eta_x'":                             "b",
		"(NOT Subject LIKE 'alpha%')":                       "bc",
		"Subject = null":                                    "c",
		"Subject = ''":                                      "c",
		"Subject != null":                                   "abd",
		"Subject > 'alphabet'":                              "b",
		"Subject IN ('beta_x', null)":                       "bc",
		"Subject NOT IN ('beta_x', null)":                   "ad",
		"Priority = 'High' AND IsClosed = false":            "a",
		"IsEscalated = true":                                "a",
		"IsEscalated != true":                               "bcd",
		"Account.Name = 'blue whale'":                       "a",
		"Account.Name != 'blue whale'":                      "bcd",
		"Contact.Account.Name LIKE 'Blue%'":                 "a",
		"ContactEmail = 'ng@blue.example'":                  "a",
		"Account_Name__c = 'Blue Whale'":                    "a",
		"Owner.Type = 'User'":                               "abcd",
		"Owner.Name = 'Avery Stone' AND Priority = 'Low'":   "b",
		"Id = '" + id("a") + "'":                            "a",
		"Id = '" + id("a")[:15] + "'":                       "a",
		"Id = '" + strings.ToLower(id("a")) + "'":           "",
		"Id IN ('" + id("a") + "', '" + id("c")[:15] + "')": "ac",
		"Id NOT IN ('" + id("a") + "')":                     "bcd",
		"AccountId = '" + account + "'":                     "a",
		"AccountId = ''":                                    "bcd",
		"AccountId = null":                                  "bcd",
		"SystemModstamp = " + stamp:                         "abcd",
		"SystemModstamp >= " + stamp[:19] + ".900Z":         "abcd",
		"SystemModstamp > " + stamp:                         "",
		"CreatedDate = TODAY":                               "abcd",
		"CreatedDate < TODAY":                               "",
		"CreatedDate = LAST_N_DAYS:1 AND Priority = 'Low'":  "b",
		"ClosedDate != null":                                "c",
	} {
		var got []string
		for _, id := range b.ids("SELECT Id FROM Case WHERE " + where) {
			got = append(got, names[id])
		}
		sort.Strings(got)
		require.Equal(t, want, strings.Join(got, ""), where)
	}
	for where, n := range map[string]int{
		"Score__c > 3": 1, "Score__c = 3.5": 1, "Score__c < 3.5": 0, "Score__c = null": 0, "Submitted__c = YESTERDAY": 1, "Submitted__c = TODAY": 0,
	} {
		require.Len(t, b.ids("SELECT Id FROM Survey_Response__c WHERE "+where), n, where)
	}
}

func TestQueryRefuses(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Generate: 3})
	for soql, want := range map[string][2]string{
		"SELECT Id FROM Foo":                                             {"INVALID_TYPE", "sObject type 'Foo' is not supported."},
		"SELECT Id, Id FROM Case":                                        {"INVALID_FIELD", "duplicate field selected: Id"},
		"SELECT Id, Parent.Foo FROM EmailMessage":                        {"INVALID_FIELD", "No such column 'Foo' on entity 'Case'"},
		"SELECT Id, Boss.Name FROM Case":                                 {"INVALID_FIELD", "Didn't understand relationship 'Boss'"},
		"SELECT Owner.Department FROM Case":                              {"INVALID_FIELD", "No such column 'Department' on entity 'Name'"},
		"SELECT Parent.Parent.Parent.Parent.Parent.Parent.Id FROM Case":  {"INVALID_FIELD", "5 levels"},
		"SELECT Id FROM EmailMessage WHERE HtmlBody LIKE 'x'":            {"INVALID_FIELD", "field 'HtmlBody' can not be filtered in a query call"},
		"SELECT Id FROM EmailMessage ORDER BY TextBody":                  {"INVALID_FIELD", "field 'TextBody' can not be sorted in a query call"},
		"SELECT Id FROM FeedItem WHERE Body = 'x'":                       {"INVALID_FIELD", "field 'Body' can not be filtered"},
		"SELECT Id FROM Case WHERE CreatedDate > '2026-01-01T00:00:00Z'": {"INVALID_FIELD", "value of filter criterion for field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes"},
		"SELECT Id FROM Case WHERE CreatedDate > 2026-01-01":             {"INVALID_FIELD", "must be of type dateTime"},
		"SELECT Id FROM Case WHERE IsClosed = 'true'":                    {"INVALID_FIELD", "must be of type boolean and should not be enclosed in quotes"},
		"SELECT Id FROM Case WHERE Subject = 5":                          {"INVALID_FIELD", "must be of type string and should be enclosed in quotes"},
		"SELECT Id FROM Case WHERE IsClosed > true":                      {"INVALID_QUERY_FILTER_OPERATOR", "invalid operator on boolean field"},
		"SELECT Id FROM Case WHERE Id LIKE '5%'":                         {"INVALID_QUERY_FILTER_OPERATOR", "invalid operator on id field"},
		"SELECT Id FROM Case WHERE Id = 'zzz'":                           {"INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: zzz"},
		"SELECT Id FROM Case WHERE Subject < null":                       {"INVALID_QUERY_FILTER_OPERATOR", "null"},
		"SELECT Id FROM Case OFFSET 2001":                                {"NUMBER_OUTSIDE_VALID_RANGE", "2000"},
		"SELECT Id FROM Case GROUP BY Id":                                {"MALFORMED_QUERY", "GROUP BY"},
	} {
		a := b.query(soql)
		code, message := a.error(t)
		require.Equal(t, want[0], code, soql)
		require.Contains(t, message, want[1], soql)
		require.Equal(t, http.StatusBadRequest, a.status)
		require.Empty(t, a.header.Get("Sforce-Limit-Info"))
	}
	code, _ := b.get("/query?q=SELECT+Id+FROM+Case&explain=x").error(t)
	require.Equal(t, "ILLEGAL_QUERY_PARAMETER_VALUE", code)
	code, _ = b.get("/query").error(t)
	require.Equal(t, "MALFORMED_QUERY", code)
	code, _ = b.query("SELECT Id FROM Case", "Sforce-Query-Options", "batchSize=many").error(t)
	require.Equal(t, "ILLEGAL_QUERY_PARAMETER_VALUE", code)
}

func TestSemiJoins(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	account := b.create("Account", Row{"Name": "Blue"})
	c, d := b.create("Case", Row{"AccountId": account}), b.create("Case", Row{"Subject": "d"})
	m, n := b.create("EmailMessage", Row{"ParentId": c}), b.create("EmailMessage", Row{"ParentId": d})
	lone := b.create("EmailMessage", nil)
	for where, want := range map[string][]string{
		"ParentId IN (SELECT Id FROM Case WHERE Account.Name = 'blue')":                                {m},
		"ParentId IN (SELECT Id FROM Case WHERE Subject = 'none')":                                     {},
		"ParentId NOT IN (SELECT Id FROM Case WHERE Account.Name = 'blue')":                            {n, lone},
		"Id IN (SELECT Id FROM EmailMessage WHERE ParentId = '" + d + "') AND IsDeleted = false":       {n},
		"Parent.AccountId IN (SELECT AccountId FROM Case)":                                             {m},
		"ParentId IN (SELECT Id FROM Case) AND ParentId IN (SELECT Id FROM Case WHERE Subject != 'd')": {m},
	} {
		require.ElementsMatch(t, want, b.ids("SELECT Id FROM EmailMessage WHERE "+where), where)
	}
	// The question a client has about its own rights, in one statement.
	require.NoError(t, b.SetViewAll("", SyncUser, "Case", true))
	require.Len(t, b.rows("SELECT Id FROM ObjectPermissions WHERE SobjectType = 'Case' AND PermissionsViewAllRecords = true AND ParentId IN (SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '"+b.Orgs()[0].Users[SyncUser]+"')"), 1)
	for where, want := range map[string][2]string{
		"Subject IN (SELECT Id FROM Case)":                                              {"MALFORMED_QUERY", "should be an id field"},
		"ParentId IN (SELECT Subject FROM Case)":                                        {"MALFORMED_QUERY", "must be of type Id or Reference"},
		"ParentId IN (SELECT Id, Subject FROM Case)":                                    {"MALFORMED_QUERY", "selects one field"},
		"ParentId IN (SELECT Id FROM Case LIMIT 1)":                                     {"MALFORMED_QUERY", "without ORDER BY, LIMIT"},
		"Incoming = true OR ParentId IN (SELECT Id FROM Case)":                          {"MALFORMED_QUERY", "top level"},
		"ParentId IN (SELECT Id FROM Case WHERE AccountId IN (SELECT Id FROM Account))": {"MALFORMED_QUERY", "top level"},
		"ParentId IN (SELECT Id FROM Nope)":                                             {"INVALID_TYPE", "'Nope'"},
		"ParentId IN (SELECT Nope FROM Case)":                                           {"INVALID_FIELD", "'Nope'"},
	} {
		code, message := b.query("SELECT Id FROM EmailMessage WHERE " + where).error(t)
		require.Equal(t, want[0], code, where)
		require.Contains(t, message, want[1], where)
	}
}

func TestRecordSpelling(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	account := b.create("Account", Row{"Name": `A "quoted" \ name`, "NumberOfEmployees": 12})
	c := b.create("Case", Row{"Subject": "S <b>\u2028", "AccountId": account})
	m := b.create("EmailMessage", Row{"ParentId": c, "TextBody": "x\r\ny\x00z", "Incoming": true})
	a := b.query("select id, incoming, Parent.account.Name, SYSTEMMODSTAMP, parent.CaseNumber, HtmlBody, RelatedTo.Name from emailmessage where ID = '" + m + "'")
	require.Equal(t, `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"EmailMessage","url":"/services/data/v66.0/sobjects/EmailMessage/`+m+
		`"},"Id":"`+m+`","Incoming":true,"Parent":{"attributes":{"type":"Case","url":"/services/data/v66.0/sobjects/Case/`+c+
		`"},"Account":{"attributes":{"type":"Account","url":"/services/data/v66.0/sobjects/Account/`+account+`"},"Name":"A \"quoted\" \\ name"},"CaseNumber":"00001001"},`+
		`"SystemModstamp":"2026-11-23T10:00:00.000+0000","HtmlBody":null,"RelatedTo":null}]}`, a.body)
	require.Equal(t, "application/json;charset=UTF-8", a.header.Get("Content-Type"))
	require.Regexp(t, `^api-usage=\d+/1000000$`, a.header.Get("Sforce-Limit-Info"))
	require.NotEmpty(t, a.header.Get("X-SFDC-Request-Id"))
	require.Equal(t, "Mon, 23 Nov 2026 10:00:00 GMT", a.header.Get("Date"))
	require.Equal(t, "x\r\nyz", b.rows("SELECT TextBody FROM EmailMessage WHERE Id = '" + m + "'")[0]["TextBody"])

	b.create("Survey_Response__c", Row{"Score__c": 3})
	b.create("Survey_Response__c", Row{"Score__c": 25_000_000})
	require.Contains(t, b.query("SELECT Score__c FROM Survey_Response__c ORDER BY Score__c").body, `"Score__c":3.0}`)
	require.Contains(t, b.query("SELECT Score__c FROM Survey_Response__c ORDER BY Score__c").body, `"Score__c":2.5E7}`)
	require.Contains(t, b.query("SELECT NumberOfEmployees FROM Account").body, `"NumberOfEmployees":12}`)
	require.Equal(t, `{"totalSize":0,"done":true,"records":[]}`, b.query("SELECT Id FROM Case WHERE Subject = 'none'").body)
	require.Equal(t, `{"totalSize":1,"done":true,"records":[]}`, b.query("SELECT COUNT() FROM Case").body)
}

func TestGzip(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Generate: 20})
	a := b.query("SELECT Id FROM EmailMessage", "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", a.header.Get("Content-Encoding"))
	z, err := gzip.NewReader(strings.NewReader(a.body))
	require.NoError(t, err)
	plain, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Equal(t, b.query("SELECT Id FROM EmailMessage", "Accept-Encoding", "identity").body, string(plain))
}

// bulk writes n messages in one second each time it is called.
func (b *bench) bulk(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.orgs[0]
	for i := range n {
		o.must(change{object: "EmailMessage", fields: Row{"Subject": fmt.Sprint(i), "TextBody": "t"}, user: o.firstUser(), now: b.now(), system: true})
	}
}

func TestTieOrderIsArbitraryUnlessIdIsAsked(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Seed: 5})
	b.bulk(300)
	b.clock.add(time.Second)
	b.bulk(50)
	tie := b.ids("SELECT Id FROM EmailMessage ORDER BY SystemModstamp")
	first := slices.Clone(tie[:300])
	require.False(t, sort.StringsAreSorted(first), "a tie must not come in Id order")
	require.Equal(t, tie, b.ids("SELECT Id FROM EmailMessage ORDER BY SystemModstamp"), "the same statement repeats")
	sort.Strings(first)
	full := b.ids("SELECT Id FROM EmailMessage ORDER BY SystemModstamp, Id")
	require.Equal(t, first, full[:300])
	require.True(t, sort.StringsAreSorted(full[300:]))
	down := b.ids("SELECT Id FROM EmailMessage ORDER BY SystemModstamp DESC, Id DESC")
	slices.Reverse(down)
	require.Equal(t, full, down)
	require.True(t, sort.StringsAreSorted(b.ids("SELECT Id FROM EmailMessage")))
	require.False(t, sort.StringsAreSorted(b.ids("SELECT Id FROM EmailMessage WHERE Incoming = false")))
	require.NotEqual(t, tie[:10], b.ids("SELECT Id FROM EmailMessage ORDER BY SystemModstamp LIMIT 10"), "another statement, another order")
}

func TestKeysetReadsEveryRowOnce(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Seed: 9})
	for range 5 {
		b.bulk(137)
		b.clock.add(time.Second)
	}
	stamp, last := "2026-11-23T09:00:00Z", "000000000000000AAA"
	seen := map[string]bool{}
	for {
		rows := b.rows(fmt.Sprintf("SELECT Id, SystemModstamp FROM EmailMessage WHERE (SystemModstamp = %s AND Id > '%s') OR SystemModstamp > %s ORDER BY SystemModstamp, Id LIMIT 50", stamp, last, stamp))
		for _, r := range rows {
			require.False(t, seen[r["Id"].(string)])
			seen[r["Id"].(string)] = true
		}
		if len(rows) == 0 {
			break
		}
		at, err := time.Parse(wireDatetime, rows[len(rows)-1]["SystemModstamp"].(string))
		require.NoError(t, err)
		stamp, last = at.UTC().Format("2006-01-02T15:04:05Z"), rows[len(rows)-1]["Id"].(string)
	}
	require.Len(t, seen, 5*137)
}

// The indexes are a short cut only: with them switched off a query must give
// the same rows in the same order.
func TestIndexesChangeNothing(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Seed: 3, Generate: 120})
	rng := rand.New(rand.NewPCG(1, 2))
	b.clock.add(time.Minute)
	b.WriteNow(60)
	all := b.ids("SELECT Id FROM EmailMessage")
	cases := b.ids("SELECT Id FROM Case")
	stamps := b.rows("SELECT SystemModstamp FROM EmailMessage")
	require.NoError(t, b.DeleteRecord("", all[3], false))
	var leaf func() string
	var cond func(depth int) string
	leaf = func() string {
		op := []string{"=", "<", "<=", ">", ">=", "!="}[rng.IntN(6)]
		switch rng.IntN(6) {
		case 0:
			return "Id " + op + " '" + all[rng.IntN(len(all))] + "'"
		case 1:
			return "Id IN ('" + all[rng.IntN(len(all))] + "', '" + all[rng.IntN(len(all))] + "')"
		case 2:
			return "ParentId IN ('" + cases[rng.IntN(len(cases))] + "', '" + cases[rng.IntN(len(cases))] + "')"
		case 3:
			return "Incoming = true"
		}
		at, _ := time.Parse(wireDatetime, stamps[rng.IntN(len(stamps))]["SystemModstamp"].(string))
		return "SystemModstamp " + op + " " + at.UTC().Format("2006-01-02T15:04:05Z")
	}
	cond = func(depth int) string {
		if depth == 0 || rng.IntN(4) == 0 {
			return leaf()
		}
		word := []string{" AND ", " OR "}[rng.IntN(2)]
		out := "(" + cond(depth-1) + word + cond(depth-1) + ")"
		if rng.IntN(6) == 0 {
			return "(NOT " + out + ")"
		}
		return out
	}
	orders := []string{"", " ORDER BY Id", " ORDER BY Id DESC", " ORDER BY SystemModstamp", " ORDER BY SystemModstamp, Id", " ORDER BY SystemModstamp DESC, Id DESC", " ORDER BY SystemModstamp DESC, Id", " ORDER BY Subject, Id"}
	limits := []string{"", " LIMIT 0", " LIMIT 1", " LIMIT 7", " LIMIT 40 OFFSET 5"}
	found := 0
	for range 3000 {
		text := "SELECT Id FROM EmailMessage WHERE " + cond(3) + orders[rng.IntN(len(orders))] + limits[rng.IntN(len(limits))]
		p, e := b.compileText(view{org: b.orgs[0]}, text, rng.IntN(2) == 0)
		require.Nil(t, e, text)
		fast := p.run(3, text)
		require.Equal(t, len(fast), p.count(), text)
		// The slow way: no bounds, no early stop.
		p.bounds = bounds{}
		limit := p.query.Limit
		p.query.Limit = -1
		slow := p.run(3, text)
		if limit >= 0 {
			slow = slow[:min(limit, len(slow))]
		}
		require.Equal(t, slow, fast, text)
		found += len(fast)
	}
	require.Greater(t, found, 1000)
}

func TestPages(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	b.bulk(4100)
	size := func(soql string, header ...string) (first, total int, next string) {
		var p pageOf
		a := b.query(soql, header...)
		a.into(t, &p)
		return len(p.Records), p.TotalSize, p.NextRecordsURL
	}
	for soql, want := range map[string]int{
		"SELECT Id FROM EmailMessage":                               2000,
		"SELECT Id, TextBody FROM EmailMessage":                     1000,
		"SELECT Id, TextBody, HtmlBody FROM EmailMessage":           200,
		"SELECT Id, TextBody, Parent.Description FROM EmailMessage": 200,
	} {
		n, total, next := size(soql)
		require.Equal(t, want, n, soql)
		require.Equal(t, 4100, total)
		require.Regexp(t, fmt.Sprintf(`^/services/data/v66.0/query/0r8[0-9A-Za-z]{15}-%d$`, want), next)
		require.Len(t, b.rows(soql), 4100)
	}
	n, _, _ := size("SELECT Id FROM EmailMessage", "Sforce-Query-Options", "batchSize=250")
	require.Equal(t, 250, n)
	n, _, _ = size("SELECT Id FROM EmailMessage", "Sforce-Query-Options", "batchSize=5")
	require.Equal(t, 200, n)
	n, total, next := size("SELECT Id FROM EmailMessage LIMIT 100")
	require.Equal(t, []any{100, 100, ""}, []any{n, total, next})
}

func TestCursors(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	b.bulk(2500)
	open := func() string {
		var p pageOf
		b.query("SELECT Id, Subject FROM EmailMessage").into(t, &p)
		return p.NextRecordsURL
	}
	bad := func(a answer) {
		t.Helper()
		require.Equal(t, http.StatusBadRequest, a.status, a.body)
		code, _ := a.error(t)
		require.Equal(t, "INVALID_QUERY_LOCATOR", code)
	}
	next := open()
	again := b.do(http.MethodGet, next, nil)
	require.Equal(t, http.StatusOK, again.status)
	require.Equal(t, again.body, b.do(http.MethodGet, next, nil).body, "a page can be read again")
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, strings.Replace(next, "/query/", "/queryAll/", 1), nil).status)
	bad(b.do(http.MethodGet, strings.Replace(next, "v66.0", "v65.0", 1), nil))
	bad(b.do(http.MethodGet, next+"0", nil))
	bad(b.get("/query/0r8xx0000000000AAA-2000"))

	// A row deleted in between is missing from its page, values are read late.
	var p pageOf
	again.into(t, &p)
	gone, changed := p.Records[0]["Id"].(string), p.Records[1]["Id"].(string)
	require.NoError(t, b.DeleteRecord("", gone, false))
	_, err := b.UpdateRecord("EmailMessage", changed, Write{Fields: Row{"Subject": "late"}})
	require.NoError(t, err)
	p = pageOf{}
	b.do(http.MethodGet, next, nil).into(t, &p)
	require.Equal(t, 2500, p.TotalSize)
	require.Len(t, p.Records, 499)
	require.Equal(t, "late", p.Records[0]["Subject"])

	// Bound to the session that opened it.
	old := b.token
	b.token, err = b.Login(SyncUser)
	require.NoError(t, err)
	bad(b.do(http.MethodGet, next, nil))
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.ForeignLocator = "session" }))
	require.Equal(t, http.StatusUnauthorized, b.do(http.MethodGet, next, nil).status)
	b.token = old
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, next, nil).status)

	// The eleventh pushes the first out.
	for range 9 {
		open()
	}
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, next, nil).status)
	open()
	bad(b.do(http.MethodGet, next, nil))

	next = open()
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.SessionTTLSeconds = 1_000_000 }))
	b.clock.add(49 * time.Hour)
	bad(b.do(http.MethodGet, next, nil))
}

func TestDeletedRows(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	c := b.create("Case", Row{"Subject": "x"})
	m := b.create("EmailMessage", Row{"ParentId": c, "RelatedToId": c})
	before := b.create("EmailMessage", Row{"ParentId": c})
	require.NoError(t, b.DeleteRecord("", before, false))
	b.clock.add(time.Hour)
	require.NoError(t, b.DeleteRecord("", c, false))
	require.Empty(t, b.ids("SELECT Id FROM EmailMessage"))
	var p pageOf
	b.get("/queryAll?q="+url.QueryEscape("SELECT Id, IsDeleted, SystemModstamp FROM EmailMessage ORDER BY Id")).into(t, &p)
	require.Len(t, p.Records, 2)
	require.Equal(t, true, p.Records[0]["IsDeleted"])
	a := b.get("/sobjects/Case/" + c)
	require.Equal(t, http.StatusNotFound, a.status)
	code, _ := a.error(t)
	require.Equal(t, "ENTITY_IS_DELETED", code)

	var gone struct {
		DeletedRecords                           []struct{ ID, DeletedDate string }
		EarliestDateAvailable, LatestDateCovered string
	}
	window := "?start=" + url.QueryEscape("2026-11-23T09:59:59+00:00") + "&end=" + url.QueryEscape("2026-11-23T12:00:00Z")
	b.get("/sobjects/EmailMessage/deleted/"+window).into(t, &gone)
	require.Len(t, gone.DeletedRecords, 2)
	require.Equal(t, "2026-11-08T11:00:00.000+0000", gone.EarliestDateAvailable)
	require.Equal(t, "2026-11-23T11:00:00.000+0000", gone.LatestDateCovered)

	b.clock.add(time.Minute)
	require.NoError(t, b.UndeleteRecord("", c))
	require.Equal(t, []string{m}, b.ids("SELECT Id FROM EmailMessage"), "what was deleted before stays deleted")
	var back struct{ IDs []string }
	b.get("/sobjects/EmailMessage/updated"+window).into(t, &back)
	require.Equal(t, []string{m}, back.IDs)
	require.NoError(t, b.DeleteRecord("", c, true))
	rows, err := b.Records("", "EmailMessage")
	require.NoError(t, err)
	require.Empty(t, rows)

	for query, want := range map[string]string{
		"": "MISSING_ARGUMENT", "?start=2026-11-23T10:00:10Z&end=2026-11-23T10:00:50Z": "INVALID_REPLICATION_DATE",
		"?start=2026-10-01T10:00:10Z&end=2026-11-23T10:00:50Z": "INVALID_REPLICATION_DATE", "?start=x&end=y": "ILLEGAL_QUERY_PARAMETER_VALUE",
	} {
		code, _ := b.get("/sobjects/Case/updated" + query).error(t)
		require.Equal(t, want, code, query)
	}
}

func TestVisibility(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Generate: 4})
	admin, err := b.Login(AdminUser)
	require.NoError(t, err)
	require.NoError(t, b.SetVisible("", SyncUser, "Case.Subject", false))
	require.NoError(t, b.SetVisible("", SyncUser, "Task", false))
	code, message := b.query("SELECT Parent.Subject FROM EmailMessage").error(t)
	require.Equal(t, "INVALID_FIELD", code)
	require.Contains(t, message, "No such column 'Subject' on entity 'Case'")
	code, _ = b.query("SELECT Id FROM Task").error(t)
	require.Equal(t, "INVALID_TYPE", code)
	code, _ = b.query("SELECT Activity.Subject FROM EmailMessage").error(t)
	require.Equal(t, "INVALID_FIELD", code)
	require.Equal(t, http.StatusNotFound, b.get("/sobjects/Task/describe").status)
	require.NotContains(t, b.get("/sobjects").body, `"name":"Task"`)
	require.NotContains(t, b.get("/sobjects/Case/describe").body, `"name":"Subject"`)
	require.NotContains(t, b.get("/sobjects/Case/describe").body, `"childSObject":"Task"`)
	b.token = admin
	require.Contains(t, b.get("/sobjects/Case/describe").body, `"name":"Subject"`)
	require.Equal(t, http.StatusOK, b.query("SELECT Subject FROM Case").status)
	require.Error(t, b.SetVisible("", "*", "Case.SystemModstamp", false))
	require.Error(t, b.SetVisible("", "*", "Case.Nope", false))
	require.NoError(t, b.SetVisible("", "*", "Case.Subject", false))
	require.Equal(t, http.StatusBadRequest, b.query("SELECT Subject FROM Case").status)
	require.NoError(t, b.SetVisible("", "*", "Case.Subject", true))
	require.Equal(t, http.StatusOK, b.query("SELECT Subject FROM Case").status)
}
