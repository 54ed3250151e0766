package salesforce_test

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/csv"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/simforce"
)

// page reads one page of results to its end.
func (s *simulated) page(t *testing.T, id, locator string, maxRecords int) (rows [][]string, next string, err error) {
	t.Helper()
	reads := 0
	err = s.JobResults(t.Context(), id, locator, maxRecords, func(p salesforce.Results) error {
		reads++
		require.False(t, p.ServerTime.IsZero())
		next = p.Next
		r := csv.NewReader(p.Body, csv.Options{})
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			cells := make([]string, row.Len())
			for i := range cells {
				cells[i] = row.Text(i)
			}
			rows = append(rows, cells)
		}
		if p.Records != len(rows) {
			return fault.New(fault.Transient, "%d rows of %d", len(rows), p.Records)
		}
		return nil
	})
	require.LessOrEqual(t, reads, 1)
	return rows, next, err
}

// job makes a job that is complete at once.
func (s *simulated) job(t *testing.T, q string) salesforce.Job {
	t.Helper()
	job, err := s.CreateQueryJob(t.Context(), q, true)
	require.NoError(t, err)
	job, err = s.QueryJob(t.Context(), job.ID)
	require.NoError(t, err)
	require.Equal(t, salesforce.JobComplete, job.State)
	return job
}

func TestBulkJobFromBirthToDeath(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 250})
	require.NoError(t, s.sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.QueueSeconds, k.Bulk.RunSeconds = 3600, 3600 }))
	rows, err := s.sim.Records("", "EmailMessage")
	require.NoError(t, err)
	require.NoError(t, s.sim.DeleteRecord("", rows[0]["Id"].(string), false))
	const q = "SELECT Id, SystemModstamp, TextBody, Parent.CaseNumber FROM EmailMessage"
	job, err := s.CreateQueryJob(t.Context(), q, true)
	require.NoError(t, err)
	require.Equal(t, "queryAll", job.Operation)
	require.Equal(t, "EmailMessage", job.Object)
	require.Equal(t, salesforce.DefaultAPIVersion, job.APIVersion)
	require.Equal(t, salesforce.JobUploaded, job.State)
	require.Equal(t, s.sim.Orgs()[0].Users[simforce.SyncUser], job.CreatedBy)
	require.WithinDuration(t, time.Now(), job.Created, time.Minute)
	require.Equal(t, -1, job.Processed, "not known yet")

	_, _, err = s.page(t, job.ID, "", 100)
	require.True(t, salesforce.NotReady(err), "%v", err)
	require.Equal(t, fault.Transient, fault.KindOf(err))
	require.Positive(t, fault.RetryAfterOf(err))
	s.sim.Advance(90 * time.Minute)
	_, err = s.Refresh(t.Context(), s.token.Generation) // a job is its user's, whatever the session
	require.NoError(t, err)
	job, err = s.QueryJob(t.Context(), job.ID)
	require.NoError(t, err)
	require.Equal(t, salesforce.JobRunning, job.State)
	require.False(t, job.State.Ended())
	s.sim.Advance(time.Hour)
	job, err = s.QueryJob(t.Context(), job.ID)
	require.NoError(t, err)
	require.Equal(t, salesforce.JobComplete, job.State)
	require.True(t, job.State.Ended())
	require.Equal(t, 250, job.Processed, "deleted ones too")

	var all [][]string
	var locators []string
	for next := ""; ; {
		locators = append(locators, next)
		var page [][]string
		page, next, err = s.page(t, job.ID, next, 120)
		require.NoError(t, err)
		all = append(all, page...)
		if next == "" {
			break
		}
	}
	require.Len(t, locators, 3)
	require.Len(t, all, job.Processed)
	again, _, err := s.page(t, job.ID, locators[1], 120)
	require.NoError(t, err)
	require.Equal(t, all[120:240], again, "a page can be asked for again")
	seen := map[string]bool{}
	for _, row := range all {
		require.True(t, salesforce.ValidID(row[0]))
		seen[row[0]] = true
	}
	require.Len(t, seen, 250)

	s.sim.ResetCounters()
	require.NoError(t, s.AbortJob(t.Context(), job.ID), "it has ended")
	require.NoError(t, s.DeleteJob(t.Context(), job.ID))
	require.NoError(t, s.DeleteJob(t.Context(), job.ID), "it is gone")
	require.NoError(t, s.AbortJob(t.Context(), job.ID))
	_, err = s.QueryJob(t.Context(), job.ID)
	require.True(t, salesforce.JobGone(err), "%v", err)
	_, _, err = s.page(t, job.ID, "", 0)
	require.True(t, salesforce.JobGone(err), "%v", err)
	require.Equal(t, map[string]int{"bulk_abort": 2, "bulk_delete": 2, "bulk_get": 1, "bulk_results": 1}, s.kinds())

	kinds := map[string]bool{}
	for _, c := range s.calls {
		kinds[c.Kind] = true
		require.True(t, c.Usage.Max > 0 || c.Fault != "", "bulk calls tell how much of the org's requests is used: %+v", c)
	}
	require.Equal(t, map[string]bool{"bulk_create": true, "bulk_state": true, "bulk_results": true, "bulk_end": true}, kinds)
}

func TestBulkJobIsEnded(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 3})
	require.NoError(t, s.sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.RunSeconds = 3600 }))
	job, err := s.CreateQueryJob(t.Context(), "SELECT Id FROM Case", false)
	require.NoError(t, err)
	require.Equal(t, "query", job.Operation)
	require.NoError(t, s.AbortJob(t.Context(), job.ID))
	job, err = s.QueryJob(t.Context(), job.ID)
	require.NoError(t, err)
	require.Equal(t, salesforce.JobAborted, job.State)
	_, _, err = s.page(t, job.ID, "", 0)
	require.True(t, salesforce.JobGone(err), "%v", err)
	require.False(t, salesforce.NotReady(err))
	require.NoError(t, s.DeleteJob(t.Context(), job.ID))

	running, err := s.CreateQueryJob(t.Context(), "SELECT Id FROM Case", false)
	require.NoError(t, err)
	s.sim.ResetCounters()
	require.NoError(t, s.DeleteJob(t.Context(), running.ID), "it runs: it is aborted first")
	require.Equal(t, map[string]int{"bulk_delete": 2, "bulk_abort": 1}, s.kinds())
	jobs, err := s.QueryJobs(t.Context())
	require.NoError(t, err)
	require.Empty(t, jobs)

	for _, bad := range []string{"", "750", "750dM00000AbCdE/../x", strings.Repeat("7", 18)} {
		require.Equal(t, fault.Internal, fault.KindOf(s.DeleteJob(t.Context(), bad)), bad)
		require.Equal(t, fault.Internal, fault.KindOf(s.AbortJob(t.Context(), bad)), bad)
		_, err := s.QueryJob(t.Context(), bad)
		require.Equal(t, fault.Internal, fault.KindOf(err), bad)
		require.Equal(t, fault.Internal, fault.KindOf(s.JobResults(t.Context(), bad, "", 0, nil)), bad)
	}
}

// A job whose creation was not answered is in the list.
func TestBulkJobsAreListed(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{})
	want := map[string]bool{}
	for range 1001 {
		job, err := s.CreateQueryJob(t.Context(), "SELECT Id FROM Case", true)
		require.NoError(t, err)
		want[job.ID] = true
	}
	require.NoError(t, s.sim.FailNext(simforce.Fault{Method: "POST", Class: "cut_connection"}))
	_, err := s.CreateQueryJob(t.Context(), "SELECT Id FROM EmailMessage", true)
	require.Equal(t, fault.Transient, fault.KindOf(err), "%v", err)
	require.Equal(t, 1002, s.kinds()["bulk_create"], "it is not asked for twice")

	jobs, err := s.QueryJobs(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, s.kinds()["bulk_list"])
	require.Len(t, jobs, 1002)
	for _, job := range jobs {
		if !want[job.ID] {
			require.Equal(t, "EmailMessage", job.Object)
			require.Equal(t, s.sim.Orgs()[0].Users[simforce.SyncUser], job.CreatedBy)
			require.WithinDuration(t, time.Now(), job.Created, time.Minute)
		}
	}
}

func TestBulkWithoutRows(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{})
	for _, empty := range []string{"header", "blank"} {
		require.NoError(t, s.sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.Empty = empty }))
		job := s.job(t, "SELECT Id FROM EmailMessage")
		require.Zero(t, job.Processed)
		rows, next, err := s.page(t, job.ID, "", 50)
		require.NoError(t, err, empty)
		require.Empty(t, rows)
		require.Empty(t, next)
	}
}

func TestBulkTooEarly(t *testing.T) {
	t.Parallel()
	for _, early := range []int{204, 400, 412} {
		s := simulate(t, simforce.Options{})
		require.NoError(t, s.sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.Early, k.Bulk.RunSeconds = early, 60 }))
		job, err := s.CreateQueryJob(t.Context(), "SELECT Id FROM Case", true)
		require.NoError(t, err)
		_, _, err = s.page(t, job.ID, "", 0)
		require.True(t, salesforce.NotReady(err), "%d: %v", early, err)
		require.False(t, salesforce.JobGone(err))
		require.Equal(t, fault.Transient, fault.KindOf(err))
		require.Positive(t, fault.RetryAfterOf(err))
	}
}

func TestBulkRefuses(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{})
	require.NoError(t, s.sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.Refused = []string{"Task"} }))
	for q, want := range map[string]struct {
		refused bool
		kind    fault.Kind
	}{
		"SELECT Id FROM Task":                    {true, fault.Config},
		"SELECT Id, BillingAddress FROM Account": {true, fault.Config},
		"SELECT COUNT() FROM Case":               {true, fault.Config},
		"SELECT Id FROM Case LIMIT 3 OFFSET 2":   {true, fault.Config},
		"SELECT Id FROM":                         {true, fault.Internal},
		"SELECT Id, Bogus__c FROM Case":          {false, fault.Config},
		"SELECT Id FROM Bogus__c":                {false, fault.Config},
	} {
		_, err := s.CreateQueryJob(t.Context(), q, true)
		require.Error(t, err, q)
		require.Equal(t, want.refused, salesforce.BulkRefuses(err), "%s: %v", q, err)
		require.Equal(t, want.kind, fault.KindOf(err), "%s: %v", q, err)
	}
	for _, body := range []string{`[{"errorCode":"FeatureNotEnabled","message":"Selecting compound data not supported in Bulk Query"}]`, `[{"errorCode":"INVALIDJOB","message":"x"}]`} {
		require.NoError(t, s.sim.FailNext(simforce.Fault{Method: "POST", Status: 400, Body: body}))
		_, err := s.CreateQueryJob(t.Context(), "SELECT Id FROM Case", true)
		require.True(t, salesforce.BulkRefuses(err), "%v", err)
	}
	require.NoError(t, s.sim.FailNext(simforce.Fault{Method: "POST", Status: 500, Body: `[{"errorCode":"API_ERROR","message":"x"}]`}))
	_, err := s.CreateQueryJob(t.Context(), "SELECT Id FROM Case", true)
	require.False(t, salesforce.BulkRefuses(err))
	require.Equal(t, fault.Transient, fault.KindOf(err), "%v", err)
	require.False(t, salesforce.BulkRefuses(nil))
}

func TestBulkAllowances(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 5})
	require.NoError(t, s.sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.JobsPerDay = 1 }))
	s.job(t, "SELECT Id FROM Case")
	_, err := s.CreateQueryJob(t.Context(), "SELECT Id FROM Case", true)
	require.Equal(t, fault.Quota, fault.KindOf(err), "%v", err)
	require.Equal(t, time.Hour, fault.RetryAfterOf(err))
	require.Contains(t, fault.HintOf(err), "bulk query jobs")
	require.False(t, salesforce.BulkRefuses(err), "it would be no better over REST")

	require.NoError(t, s.sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.JobsPerDay, k.Bulk.StoredKB = 100, 0 }))
	_, err = s.CreateQueryJob(t.Context(), "SELECT Id FROM Case", true)
	require.Equal(t, fault.Quota, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "result size stored")
}

func TestBulkJobFails(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 5})
	for _, message := range []string{"", "InvalidBatch: something is wrong"} {
		require.NoError(t, s.sim.SetKnobs(func(k *simforce.Knobs) { k.Bulk.Fail = &simforce.BulkFailure{Message: message, Times: 1} }))
		job, err := s.CreateQueryJob(t.Context(), "SELECT Id FROM Case", true)
		require.NoError(t, err)
		job, err = s.QueryJob(t.Context(), job.ID)
		require.NoError(t, err)
		require.Equal(t, salesforce.JobFailed, job.State)
		require.Equal(t, message, job.Message)
		_, _, err = s.page(t, job.ID, "", 0)
		require.True(t, salesforce.JobGone(err), "%v", err)
	}
}

func TestBulkJobExpires(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 5})
	job := s.job(t, "SELECT Id FROM Case")
	s.sim.Advance(8 * 24 * time.Hour)
	_, err := s.QueryJob(t.Context(), job.ID)
	require.True(t, salesforce.JobGone(err), "%v", err)
}

// Whatever befalls a page on its way: it is an error, and passing, and the page is whole when
// it is asked for again.
func TestBulkPagesAreDamaged(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 120})
	job := s.job(t, "SELECT Id, TextBody, HtmlBody, Subject FROM EmailMessage")
	want, _, err := s.page(t, job.ID, "", 100)
	require.NoError(t, err)
	require.Len(t, want, 100)
	for class, code := range map[string]string{
		"cut_csv": salesforce.CodeBrokenBody, "cut_csv_rows": "", "cut_connection": salesforce.CodeBrokenBody,
		"wrong_charset": salesforce.CodeNotUTF8, "html_200": salesforce.CodeNotJSON, "html_503": salesforce.CodeNotJSON, "empty_200": salesforce.CodeBrokenBody,
		"empty_503": salesforce.CodeBrokenBody, "server_unavailable": "SERVER_UNAVAILABLE", "results_early": salesforce.CodeJobNotComplete, "no_answer": "",
	} {
		require.NoError(t, s.sim.FailNext(simforce.Fault{Class: class, Times: map[bool]int{true: 2, false: 1}[class == "no_answer"]}))
		_, _, err := s.page(t, job.ID, "", 100)
		require.Error(t, err, class)
		require.Equal(t, fault.Transient, fault.KindOf(err), "%s: %v", class, err)
		var told *fault.Error
		require.ErrorAs(t, err, &told)
		require.Equal(t, code, told.Code, "%s: %v", class, err)
		s.sim.ClearFaults()
		got, _, err := s.page(t, job.ID, "", 100)
		require.NoError(t, err, class)
		require.Equal(t, want, got, class)
	}
	s.sim.KillSessions("")
	got, _, err := s.page(t, job.ID, "", 100)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoError(t, s.sim.FailNext(simforce.Fault{Class: "job_lost"}))
	_, _, err = s.page(t, job.ID, "", 100)
	require.True(t, salesforce.JobGone(err), "%v", err)
	require.NoError(t, s.sim.FailNext(simforce.Fault{Class: "nul_csv"}))
	got, _, err = s.page(t, job.ID, "", 100)
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(got), "\x00", "a NUL is the caller's to drop")
}

// Results come in no other version than the job's.
func TestBulkVersionsDiffer(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 5})
	job := s.job(t, "SELECT Id FROM Case")
	u := strings.TrimPrefix(s.token.InstanceURL, "http://")
	hosts, err := salesforce.NewHostPolicy([]string{u})
	require.NoError(t, err)
	other := salesforce.New(salesforce.Options{Tokens: s, Hosts: hosts, APIVersion: "60.0"})
	err = other.JobResults(t.Context(), job.ID, "", 0, func(salesforce.Results) error { return nil })
	require.Equal(t, fault.Internal, fault.KindOf(err), "%v", err)
	require.False(t, salesforce.JobGone(err) || salesforce.NotReady(err))
}

// A page as large as it gets passes through: no bound on its size, and no memory for it.
func TestBulkPageHasNoBound(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{})
	text := strings.Repeat("twelve pumps ", 10_000)
	_, err := s.sim.CreateRecords("Case", 1500, simforce.Write{Fields: simforce.Row{"Description": text[:32_000], "Subject": "{n}"}})
	require.NoError(t, err)
	job := s.job(t, "SELECT Id, Description, Subject FROM Case")
	before, rows, size := len(s.calls), 0, 0
	require.NoError(t, s.JobResults(t.Context(), job.ID, "", 0, func(p salesforce.Results) error {
		r := csv.NewReader(p.Body, csv.Options{})
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			rows++
			size += len(row.Raw())
			if _, err := strconv.Atoi(row.Text(2)); err != nil {
				return err
			}
		}
	}))
	require.Equal(t, 1500, rows)
	require.Greater(t, size, 48_000_000)
	require.Greater(t, s.calls[before].Bytes, int64(48_000_000))
}
