package simforce

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const jobsPath = "/services/data/v66.0/jobs/query"

// job makes a query job and returns its id.
func (b *bench) job(soql string, pairs ...string) string {
	b.t.Helper()
	a := b.newJob(soql, pairs...)
	require.Equal(b.t, http.StatusOK, a.status, a.body)
	var made struct{ ID, State string }
	a.into(b.t, &made)
	require.Equal(b.t, "UploadComplete", made.State)
	return made.ID
}

func (b *bench) newJob(soql string, pairs ...string) answer {
	b.t.Helper()
	body := map[string]any{"operation": "query", "query": soql}
	for i := 0; i+1 < len(pairs); i += 2 {
		body[pairs[i]] = pairs[i+1]
	}
	return b.do(http.MethodPost, jobsPath, body)
}

func (b *bench) jobState(id string) map[string]any {
	b.t.Helper()
	a := b.get("/jobs/query/" + id)
	require.Equal(b.t, http.StatusOK, a.status, a.body)
	var info map[string]any
	a.into(b.t, &info)
	return info
}

// results reads a job to its last page and checks the counts on the way.
func (b *bench) results(id string, maxRecords int) [][]string {
	b.t.Helper()
	var rows [][]string
	next := ""
	for {
		path := fmt.Sprintf("/jobs/query/%s/results?maxRecords=%d", id, maxRecords)
		if next != "" {
			path += "&locator=" + next
		}
		a := b.get(path, "Accept", "text/csv")
		require.Equal(b.t, http.StatusOK, a.status, a.body)
		require.Equal(b.t, "text/csv;charset=UTF-8", a.header.Get("Content-Type"))
		page, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		require.NoError(b.t, err)
		require.Equal(b.t, strconv.Itoa(len(page)-1), a.header.Get("Sforce-NumberOfRecords"))
		if next == "" {
			rows = page[:1]
		}
		require.Equal(b.t, rows[0], page[0], "each page has the header line")
		rows = append(rows, page[1:]...)
		next = a.header.Get("Sforce-Locator")
		require.NotEmpty(b.t, next)
		if next == "null" {
			return rows
		}
	}
}

func TestBulkQuery(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	account := b.create("Account", Row{"Name": `A "quoted", name`, "NumberOfEmployees": 7})
	c := b.create("Case", Row{"Subject": "line 1\nline \"two\"", "AccountId": account, "Description": "Grüße\r\n\u2028"})
	empty := b.create("Case", nil)
	b.clock.add(time.Minute)
	survey := b.create("Survey_Response__c", Row{"Score__c": 3, "Case__c": c, "Submitted__c": "2026-11-20T09:13:19Z"})

	id := b.job("select id, subject, IsClosed, SystemModstamp, account.NAME, Account_Name__c, Description from case")
	require.Regexp(t, "^750", id)
	info := b.jobState(id)
	require.Equal(t, "JobComplete", info["state"])
	require.Equal(t, []any{"V2Query", "CSV", "COMMA", "LF", "Parallel", "Case", "query", 66.0, 2.0, 0.0, true}, []any{
		info["jobType"], info["contentType"], info["columnDelimiter"], info["lineEnding"], info["concurrencyMode"], info["object"], info["operation"],
		info["apiVersion"], info["numberRecordsProcessed"], info["retries"], info["isPkChunkingSupported"],
	})
	require.Contains(t, b.get("/jobs/query/"+id).body, `"apiVersion":66.0,`)
	require.Equal(t, "2026-11-23T10:01:00.000+0000", info["createdDate"])
	a := b.get("/jobs/query/" + id + "/results")
	lines := map[string]string{
		c:     `"` + c + `","line 1` + "\n" + `line ""two""","false","2026-11-23T10:00:00.000Z","A ""quoted"", name","A ""quoted"", name","Grüße` + "\r\n\u2028" + `"` + "\n",
		empty: `"` + empty + `","","false","2026-11-23T10:00:00.000Z","","",""` + "\n",
	}
	ids := []string{c, empty}
	slices.Sort(ids)
	require.Equal(t, `"Id","Subject","IsClosed","SystemModstamp","Account.Name","Account_Name__c","Description"`+"\n"+lines[ids[0]]+lines[ids[1]], a.body)
	require.Equal(t, []string{"2", "null"}, []string{a.header.Get("Sforce-NumberOfRecords"), a.header.Get("Sforce-Locator")})
	require.NotEmpty(t, a.header.Get("Sforce-Limit-Info"))

	id = b.job("SELECT Id, Score__c, Submitted__c, Case__r.Subject FROM Survey_Response__c LIMIT 5", "columnDelimiter", "PIPE", "lineEnding", "CRLF", "contentType", "CSV")
	require.Equal(t, false, b.jobState(id)["isPkChunkingSupported"])
	require.Equal(t, `"Id"|"Score__c"|"Submitted__c"|"Case__r.Subject"`+"\r\n"+`"`+survey+`"|"3.0"|"2026-11-20T09:13:19.000Z"|"line 1`+"\n"+`line ""two"""`+"\r\n",
		b.get("/jobs/query/"+id+"/results/").body)

	// Deleted rows are queryAll's alone.
	require.NoError(t, b.DeleteRecord("", empty, false))
	require.Len(t, b.results(b.job("SELECT Id FROM Case"), 10), 2)
	require.Len(t, b.results(b.job("SELECT Id, IsDeleted FROM Case", "operation", "queryAll"), 10), 3)
	require.Equal(t, [][]string{{"Id"}, {c}}, b.results(b.job("SELECT Id FROM Case WHERE Id IN ('"+c+"') ORDER BY Subject DESC LIMIT 3"), 10))
	require.Equal(t, [][]string{{"Id"}}, b.results(b.job("SELECT Id FROM Case LIMIT 0"), 10))
	// Old versions have the columns in an order of their own.
	old := b.do(http.MethodPost, "/services/data/v48.0/jobs/query", map[string]any{"operation": "query", "query": "SELECT Subject, Id FROM Case"})
	var made struct{ ID string }
	old.into(t, &made)
	require.True(t, strings.HasPrefix(b.do(http.MethodGet, "/services/data/v48.0/jobs/query/"+made.ID+"/results", nil).body, `"Id","Subject"`))
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/services/data/v48.0/jobs/query/"+made.ID+"/resultPages", nil).status)
	require.Equal(t, http.StatusConflict, b.get("/jobs/query/"+made.ID+"/results").status, "another version than the job's")
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/services/data/v46.0/jobs/query", nil).status)
	require.Equal(t, 1, b.Counters().Kinds["bulk_pages"])
	log := b.Requests()
	require.True(t, slices.ContainsFunc(log, func(r Request) bool { return r.Kind == "bulk_create" && r.SOQL == "SELECT Id FROM Case" }))
}

func TestBulkPages(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	ids, err := b.CreateRecords("Case", 1234, Write{Fields: Row{"Subject": "case {n}"}})
	require.NoError(t, err)
	id := b.job("SELECT Id, Subject FROM Case")
	for _, n := range []int{1, 7, 400, 1233, 1234, 5000} {
		if n == 1 {
			continue // 1234 requests say no more
		}
		rows := b.results(id, n)
		var got []string
		for _, r := range rows[1:] {
			got = append(got, r[0])
		}
		require.ElementsMatch(t, ids, got)
		require.True(t, slices.IsSorted(got))
	}
	first := b.get("/jobs/query/" + id + "/results?maxRecords=100")
	second := b.get("/jobs/query/" + id + "/results?maxRecords=100&locator=" + first.header.Get("Sforce-Locator"))
	require.Equal(t, second.body, b.get("/jobs/query/"+id+"/results?maxRecords=100&locator="+first.header.Get("Sforce-Locator")).body, "a page can be read again")

	// The job keeps the page size it was made with.
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.PageRows = 100 }))
	id = b.job("SELECT Id FROM Case")
	require.Equal(t, "100", b.get("/jobs/query/"+id+"/results?maxRecords=5000").header.Get("Sforce-NumberOfRecords"))
	var urls []string
	at := jobsPath + "/" + id + "/resultPages"
	for answers := 1; ; answers++ {
		var p struct {
			ResultPages    []struct{ ResultURL string }
			NextRecordsURL string
			Done           bool
		}
		b.do(http.MethodGet, at, nil).into(t, &p)
		require.LessOrEqual(t, len(p.ResultPages), 5)
		for _, x := range p.ResultPages {
			urls = append(urls, x.ResultURL)
		}
		if p.Done {
			require.Empty(t, p.NextRecordsURL)
			require.Equal(t, 3, answers)
			break
		}
		at = p.NextRecordsURL
	}
	require.Len(t, urls, 13)
	slices.Reverse(urls) // any order does
	got := map[string]bool{}
	for _, u := range urls {
		rows, err := csv.NewReader(strings.NewReader(b.do(http.MethodGet, u, nil).body)).ReadAll()
		require.NoError(t, err)
		for _, r := range rows[1:] {
			require.False(t, got[r[0]])
			got[r[0]] = true
		}
	}
	require.Len(t, got, 1234)
	none := b.job("SELECT Id FROM Case WHERE Subject = 'none'")
	require.Equal(t, "\"Id\"\n", b.get("/jobs/query/"+none+"/results").body)
	require.Contains(t, b.get("/jobs/query/"+none+"/resultPages").body, `"resultPages":[{"resultUrl":"/services/data/v66.0/jobs/query/`+none+`/results"}],"nextRecordsUrl":null,"done":true`)
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.Empty = "blank" }))
	a := b.get("/jobs/query/" + b.job("SELECT Id FROM Task") + "/results")
	require.Equal(t, []any{http.StatusOK, "", "0", "null"}, []any{a.status, a.body, a.header.Get("Sforce-NumberOfRecords"), a.header.Get("Sforce-Locator")})
	for _, bad := range []string{"maxRecords=0", "maxRecords=x", "locator=zzz!", "locator=" + locator(1234), "page=1"} {
		require.Equal(t, http.StatusBadRequest, b.get("/jobs/query/"+id+"/results?"+bad).status, bad)
	}
	require.Equal(t, http.StatusBadRequest, b.get("/jobs/query/"+id+"/resultPages?maxRecords=1").status)
	require.Equal(t, http.StatusBadRequest, b.get("/jobs?x=1").status+b.get("/jobs/query?x=1").status-http.StatusNotFound)
}

// The states go by the clock, and the rows are those of the moment the job ran.
func TestBulkStates(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.QueueSeconds, k.Bulk.RunSeconds, k.Bulk.RowsPerSecond = 10, 5, 1 }))
	account := b.create("Account", Row{"Name": "before"})
	c := b.create("Case", Row{"Subject": "one", "AccountId": account})
	d := b.create("Case", Row{"Subject": "two"})
	_, err := b.CreateRecord("Case", Write{Fields: Row{"Subject": "late but in time"}, CommitAfter: 10})
	require.NoError(t, err)
	_, err = b.CreateRecord("Case", Write{Fields: Row{"Subject": "too late"}, CommitAfter: 11})
	require.NoError(t, err)
	id := b.job("SELECT Id, Subject, Account.Name FROM Case ORDER BY Subject")
	early := func() (int, string) {
		a := b.get("/jobs/query/" + id + "/results")
		if a.status == http.StatusNoContent {
			return a.status, ""
		}
		code, _ := a.error(t)
		return a.status, code
	}
	status, code := early()
	require.Equal(t, []any{http.StatusBadRequest, "JOB_NOT_COMPLETE"}, []any{status, code})
	b.clock.add(9 * time.Second)
	_, err = b.UpdateRecord("Case", c, Write{Fields: Row{"Subject": "one, changed in time"}})
	require.NoError(t, err)
	require.Equal(t, "UploadComplete", b.jobState(id)["state"])
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodDelete, jobsPath+"/"+id, nil).status, "not terminal")
	b.clock.add(4 * time.Second) // nobody looked at second ten
	_, err = b.UpdateRecord("Account", account, Write{Fields: Row{"Name": "after"}})
	require.NoError(t, err)
	require.NoError(t, b.DeleteRecord("", d, true))
	info := b.jobState(id)
	require.Equal(t, []any{"InProgress", "2026-11-23T10:00:10.000+0000", 3000.0}, []any{info["state"], info["systemModstamp"], info["totalProcessingTime"]})
	require.Equal(t, 1.0, info["numberRecordsProcessed"], "three of eight seconds have passed")
	b.clock.add(4 * time.Second)
	require.Equal(t, "InProgress", b.jobState(id)["state"], "three rows take three seconds more")
	b.clock.add(time.Second)
	info = b.jobState(id)
	require.Equal(t, []any{"JobComplete", 3.0, 8000.0}, []any{info["state"], info["numberRecordsProcessed"], info["totalProcessingTime"]})
	rows := b.results(id, 100)
	require.Equal(t, [][]string{{"Subject", "Account.Name"}, {"late but in time", ""}, {"one, changed in time", "before"}, {"two", ""}}, [][]string{rows[0][1:], rows[1][1:], rows[2][1:], rows[3][1:]})

	// A job is its user's, whatever the session, until seven days have passed.
	require.Positive(t, b.KillSessions(""))
	b.token, err = b.Login(AdminUser)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, b.get("/jobs/query/"+id).status)
	b.token, err = b.Login(SyncUser)
	require.NoError(t, err)
	require.Len(t, b.results(id, 100), 4)
	code, message := b.do(http.MethodPatch, jobsPath+"/"+id, map[string]any{"state": "Aborted"}).error(t)
	require.Equal(t, []string{"INVALIDJOBSTATE", "Aborting already Completed Job not allowed"}, []string{code, message})
	b.Advance(7*24*time.Hour - time.Minute)
	b.token, err = b.Login(SyncUser)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, b.get("/jobs/query/"+id).status)
	b.Advance(time.Minute)
	require.Equal(t, http.StatusNotFound, b.get("/jobs/query/"+id).status)

	id = b.job("SELECT Id FROM Case")
	a := b.do(http.MethodPatch, jobsPath+"/"+id, map[string]any{"state": "Aborted"})
	require.Contains(t, a.body, `"state":"Aborted"`)
	b.Advance(time.Hour)
	require.Equal(t, "Aborted", b.jobState(id)["state"])
	status, code = early()
	require.Equal(t, []any{http.StatusBadRequest, "INVALIDJOBSTATE"}, []any{status, code})
	require.Equal(t, http.StatusNoContent, b.do(http.MethodDelete, jobsPath+"/"+id, nil).status)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodDelete, jobsPath+"/"+id, nil).status)
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodPatch, jobsPath+"/"+b.job("SELECT Id FROM Case"), map[string]any{"state": "JobComplete"}).status)

	for _, want := range []int{http.StatusPreconditionFailed, http.StatusNoContent} {
		require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.Early = want }))
		id = b.job("SELECT Id FROM Case")
		status, _ = early()
		require.Equal(t, want, status)
	}
	require.NoError(t, b.MoveInstance("http://elsewhere.example"))
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.WrongHost = "serve" }))
	b.token, err = b.Login(SyncUser)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, b.get("/jobs/query/"+id).status, "a move takes the jobs along")
}

func TestBulkFails(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Generate: 20})
	require.NoError(t, b.SetKnobs(func(k *Knobs) {
		k.Bulk.Fail = &BulkFailure{Message: "InternalServerError : Retried more than 15 times", Times: 1}
	}))
	info := b.jobState(b.job("SELECT Id FROM Case"))
	require.Equal(t, []any{"Failed", "InternalServerError : Retried more than 15 times", 0.0}, []any{info["state"], info["errorMessage"], info["numberRecordsProcessed"]})
	require.Equal(t, "JobComplete", b.jobState(b.job("SELECT Id FROM Case"))["state"])
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.Fail = &BulkFailure{} }))
	info = b.jobState(b.job("SELECT Id FROM Case"))
	require.Equal(t, "Failed", info["state"])
	require.NotContains(t, info, "errorMessage")
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.Fail, k.Bulk.FailRows = nil, 19 }))
	info = b.jobState(b.job("SELECT Id FROM EmailMessage"))
	require.Equal(t, []any{"Failed", 15.0}, []any{info["state"], info["retries"]})
	require.Equal(t, "JobComplete", b.jobState(b.job("SELECT Id FROM EmailMessage LIMIT 19"))["state"])

	// What the user loses before it runs.
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.QueueSeconds = 5 }))
	id := b.job("SELECT Id, Subject FROM Case")
	require.NoError(t, b.SetVisible("", SyncUser, "Case.Subject", false))
	b.clock.add(5 * time.Second)
	info = b.jobState(id)
	require.Equal(t, "Failed", info["state"])
	require.Contains(t, info["errorMessage"], "No such column 'Subject' on entity 'Case'")
}

func TestBulkRefuses(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.Refused = []string{"caseshare"} }))
	for soql, want := range map[string][2]string{
		"SELECT Id FROM CaseStatus":                           {"INVALIDENTITY", "Entity 'CaseStatus' is not supported by the Bulk API."},
		"SELECT Id FROM CaseShare":                            {"INVALIDENTITY", "Entity 'CaseShare' is not supported by the Bulk API."},
		"SELECT Id, MailingAddress FROM Contact":              {"FeatureNotEnabled", "Selecting compound data not supported in Bulk Query"},
		"SELECT Id, Body FROM Attachment":                     {"API_ERROR", "Body"},
		"SELECT COUNT() FROM Case":                            {"API_ERROR", "Aggregate Relationships not supported in Bulk Query"},
		"SELECT Id FROM Case LIMIT 5 OFFSET 5":                {"API_ERROR", "OFFSET"},
		"SELECT Id FROM Case GROUP BY Id":                     {"MALFORMED_QUERY", "GROUP BY"},
		"SELECT TYPEOF Owner WHEN User THEN Id END FROM Case": {"MALFORMED_QUERY", "TYPEOF"},
		"SELECT Id, (SELECT Id FROM EmailMessages) FROM Case": {"MALFORMED_QUERY", "subqueries"},
		"SELECT FIELDS(ALL) FROM Case LIMIT 200":              {"MALFORMED_QUERY", "FIELDS"},
		"SELECT Id, ToIds FROM EmailMessage":                  {"INVALID_FIELD", "ToIds"},
		"SELECT Nope FROM Case":                               {"INVALID_FIELD", "No such column 'Nope'"},
		"SELECT Id FROM Nope":                                 {"INVALID_TYPE", "sObject type 'Nope' is not supported"},
		"SELECT Id":                                           {"MALFORMED_QUERY", "unexpected token"},
		"":                                                    {"MALFORMED_QUERY", "missing"},
	} {
		a := b.newJob(soql)
		code, message := a.error(t)
		require.Equal(t, []any{http.StatusBadRequest, want[0]}, []any{a.status, code}, soql)
		require.Contains(t, message, want[1], soql)
	}
	for _, pairs := range [][]string{
		{"operation", "insert"}, {"contentType", "JSON"}, {"columnDelimiter", "DOT"}, {"lineEnding", "CR"}, {"concurrencyMode", "Serial"}, {"object", "Case"},
	} {
		require.Equal(t, http.StatusBadRequest, b.newJob("SELECT Id FROM Case", pairs...).status, pairs)
	}
	require.Equal(t, http.StatusMethodNotAllowed, b.do(http.MethodPut, jobsPath, nil).status)
	require.Equal(t, http.StatusOK, b.newJob("SELECT Id, MailingCity FROM Contact").status)

	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.JobsPerDay = 3 }))
	b.job("SELECT Id FROM Case")
	b.job("SELECT Id FROM Case")
	code, message := b.newJob("SELECT Id FROM Case").error(t)
	require.Equal(t, []string{"LIMIT_EXCEEDED", "Max bulk v2 query jobs (3) per 24 hrs has been reached"}, []string{code, message})
	var limits map[string]struct{ Max, Remaining int }
	b.get("/limits").into(t, &limits)
	require.Equal(t, struct{ Max, Remaining int }{3, 0}, limits["DailyBulkV2QueryJobs"])
	b.Advance(25 * time.Hour)
	var err error
	b.token, err = b.Login(SyncUser)
	require.NoError(t, err)
	_, err = b.CreateRecords("Case", 500, Write{Fields: Row{"Description": strings.Repeat("x", 5000)}})
	require.NoError(t, err)
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.StoredKB = 2048 }))
	b.job("SELECT Id, Description FROM Case")
	b.get("/limits").into(t, &limits)
	require.Equal(t, struct{ Max, Remaining int }{2, 0}, limits["DailyBulkV2QueryFileStorageMB"])
	code, message = b.newJob("SELECT Id FROM Case").error(t)
	require.Equal(t, []string{"LIMIT_EXCEEDED", "Max bulk v2 query result size stored (2048) kb per 24 hrs has been exceeded"}, []string{code, message})

	for _, bad := range []func(*BulkKnobs){
		func(k *BulkKnobs) { k.QueueSeconds = -1 }, func(k *BulkKnobs) { k.PageRows = 0 }, func(k *BulkKnobs) { k.Early = 500 }, func(k *BulkKnobs) { k.Empty = "" },
	} {
		require.Error(t, b.SetKnobs(func(k *Knobs) { bad(&k.Bulk) }))
	}
}

func TestBulkList(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	var want []string
	for range 1003 {
		want = append(want, b.job("SELECT Id FROM Case"))
	}
	slices.Reverse(want)
	type list struct {
		Done           bool
		Records        []struct{ ID, JobType, State string }
		NextRecordsURL string
	}
	var first, second list
	b.get("/jobs/query?jobType=V2Query&concurrencyMode=parallel").into(t, &first)
	require.False(t, first.Done)
	require.Len(t, first.Records, 1000)
	b.do(http.MethodGet, first.NextRecordsURL, nil).into(t, &second)
	require.True(t, second.Done)
	var got []string
	for _, r := range append(first.Records, second.Records...) {
		require.Equal(t, []string{"V2Query", "JobComplete"}, []string{r.JobType, r.State})
		got = append(got, r.ID)
	}
	require.Equal(t, want, got)
	require.Equal(t, http.StatusBadRequest, b.get("/jobs/query?jobType=Classic").status)
	require.Equal(t, http.StatusBadRequest, b.get("/jobs/query?queryLocator="+locator(5000)).status)
}

func TestBulkFaults(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	_, err := b.CreateRecords("Case", 9, Write{Fields: Row{"Subject": "two\nlines \"{n}\""}})
	require.NoError(t, err)
	id := b.job("SELECT Id, Subject, Description FROM Case")
	path := "/jobs/query/" + id + "/results"
	want := b.get(path).body
	read := func(class string, header ...string) answer {
		require.NoError(t, b.FailNext(Fault{Class: class, PathPrefix: jobsPath}))
		a := b.get(path, header...)
		require.Equal(t, 1, b.Counters().Faults[class])
		require.Equal(t, want, b.get(path).body, "the next one is well")
		return a
	}
	a := read("cut_csv")
	require.Equal(t, want[:len(want)/2], a.body)
	require.Equal(t, "9", a.header.Get("Sforce-NumberOfRecords"))
	a = read("cut_csv_rows")
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	require.NoError(t, err, "whole rows are left out, and nothing else")
	require.Less(t, len(rows)-1, 9)
	require.Greater(t, len(rows), 2)
	require.Equal(t, []string{"9", "null"}, []string{a.header.Get("Sforce-NumberOfRecords"), a.header.Get("Sforce-Locator")})
	a = read("nul_csv")
	require.Equal(t, want, strings.Replace(a.body, "\x00", "", 1))
	require.Contains(t, a.body, "\"\x00two\n")
	code, _ := read("results_early").error(t)
	require.Equal(t, "JOB_NOT_COMPLETE", code)
	require.Equal(t, http.StatusNotFound, read("job_lost").status)
	// The transport takes the damage to its gzip itself.
	require.NoError(t, b.FailNext(Fault{Class: "cut_gzip"}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/services/data/v66.0"+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+b.token)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, res.Body.Close())

	require.NoError(t, b.FailNext(Fault{Class: "bulk_jobs_limit", Contains: "FROM Task"}))
	require.Equal(t, http.StatusOK, b.newJob("SELECT Id FROM Case").status)
	code, _ = b.newJob("SELECT Id FROM Task").error(t)
	require.Equal(t, "LIMIT_EXCEEDED", code)
	require.NoError(t, b.FailNext(Fault{Class: "unknown_exception", Contains: "FROM Task"}))
	require.Equal(t, http.StatusInternalServerError, b.newJob("SELECT Id FROM Task").status)

	// One connection gets its share of a second at most.
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Bulk.PaceKBps = 2 }))
	began := time.Now()
	require.Equal(t, want, b.get(path).body)
	require.Greater(t, time.Since(began), time.Duration(len(want))*time.Second/2000-50*time.Millisecond)
}

// Text is made while it is sent: a result of hundreds of megabytes takes none of
// them.
func TestBulkResultIsNotHeld(t *testing.T) {
	b := start(t, Options{})
	_, err := b.CreateRecords("EmailMessage", 4000, Write{Fields: Row{"TextBody": strings.Repeat("0123456789", 10_000)}})
	require.NoError(t, err)
	id := b.job("SELECT Id, TextBody FROM EmailMessage")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w := &sink{}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, jobsPath+"/"+id+"/results", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+b.token)
	b.ServeHTTP(w, req)
	runtime.ReadMemStats(&after)
	require.Greater(t, w.n, 400_000_000)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20), "allocated while %d bytes were sent", w.n)
}

// sink counts what is written to it.
type sink struct {
	header http.Header
	n      int
}

func (s *sink) Header() http.Header {
	if s.header == nil {
		s.header = http.Header{}
	}
	return s.header
}
func (s *sink) Write(b []byte) (int, error) { s.n += len(b); return len(b), nil }
func (s *sink) WriteHeader(int)             {}

func TestAddressesAndFiles(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	c := b.create("Contact", Row{"LastName": "Doe", "MailingCity": "Köln", "MailingStreet": "Ring 1\n2. OG"})
	b.create("Contact", Row{"LastName": "Nowhere"})
	rows := b.rows("SELECT Id, MailingAddress FROM Contact ORDER BY LastName")
	require.Equal(t, map[string]any{
		"city": "Köln", "country": nil, "geocodeAccuracy": nil, "latitude": nil, "longitude": nil, "postalCode": nil, "state": nil, "street": "Ring 1\n2. OG",
	}, rows[0]["MailingAddress"])
	require.Nil(t, rows[1]["MailingAddress"])
	require.Equal(t, []string{c}, b.ids("SELECT Id FROM Contact WHERE MailingCity = 'köln'"))
	for _, soql := range []string{"SELECT Id FROM Contact WHERE MailingAddress = null", "SELECT Id FROM Contact ORDER BY MailingAddress", "SELECT Id FROM Attachment WHERE Body = null"} {
		code, _ := b.query(soql).error(t)
		require.Equal(t, "INVALID_FIELD", code, soql)
	}
	fields := map[string]describeField{}
	for _, name := range []string{"Contact", "Attachment"} {
		var d struct{ Fields []describeField }
		b.get("/sobjects/"+name+"/describe").into(t, &d)
		for _, f := range d.Fields {
			fields[name+"."+f.Name] = f
		}
	}
	address, body := fields["Contact.MailingAddress"], fields["Attachment.Body"]
	require.Equal(t, []any{TypeAddress, "urn:address", true, false, false}, []any{address.Type, address.SoapType, address.Filterable, address.Sortable, address.Createable})
	require.Equal(t, "MailingAddress", *fields["Contact.MailingCity"].CompoundFieldName)
	require.Equal(t, []any{TypeBase64, false, false}, []any{body.Type, body.Filterable, body.Sortable})

	a := b.do(http.MethodPost, "/services/data/v66.0/sobjects/Attachment", map[string]any{"ParentId": c, "Name": "x.txt", "Body": "aGVsbG8="})
	require.Equal(t, http.StatusCreated, a.status, a.body)
	row := b.rows("SELECT Id, Body, BodyLength FROM Attachment")[0]
	at := "/services/data/v66.0/sobjects/Attachment/" + row["Id"].(string) + "/Body"
	require.Equal(t, []any{at, 5.0}, []any{row["Body"], row["BodyLength"]})
	blob := b.do(http.MethodGet, at, nil)
	require.Equal(t, []any{http.StatusOK, "hello", "application/octet-stream"}, []any{blob.status, blob.body, blob.header.Get("Content-Type")})
	require.Equal(t, http.StatusNotFound, b.get("/sobjects/Contact/"+c+"/LastName").status)
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodPost, "/services/data/v66.0/sobjects/Attachment", map[string]any{"ParentId": c, "Name": "x", "Body": "%%"}).status)
	require.True(t, bytes.Contains([]byte(b.query("SELECT Id, ApiName FROM CaseStatus ORDER BY SortOrder").body), []byte("Waiting for Customer")))
}
