package salesforce

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
)

const someJob = "750dM00000AbCdEQAV"

// results answers with a page.
func results(body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/csv;charset=UTF-8")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = io.WriteString(w, body)
	}
}

func TestJobResultsOnTheWire(t *testing.T) {
	t.Parallel()
	require.Equal(t, someJob, To18(someJob[:15]))
	c, _, seen := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "/services/data/v66.0/jobs/query/"+someJob+"/results", r.URL.Path)
		require.Equal(t, "a+/=&b", r.URL.Query().Get("locator"))
		require.Equal(t, "4000", r.URL.Query().Get("maxRecords"))
		require.Equal(t, "text/csv", r.Header.Get("Accept"))
		require.Equal(t, "identity", r.Header.Get("Accept-Encoding"), "next door")
		w.Header().Set("Sforce-Limit-Info", "api-usage=18/5000")
		w.Header().Set("Date", "Mon, 23 Nov 2026 10:00:00 GMT")
		results("\"Id\"\n\"1\"\n", "Sforce-NumberOfRecords", "1", "Sforce-Locator", "MjUwMDA")(w, r)
	})
	require.NoError(t, c.JobResults(t.Context(), someJob, "a+/=&b", 4000, func(r Results) error {
		require.Equal(t, 1, r.Records)
		require.Equal(t, "MjUwMDA", r.Next)
		require.Equal(t, time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), r.ServerTime.UTC())
		all, err := io.ReadAll(r.Body)
		require.Equal(t, "\"Id\"\n\"1\"\n", string(all))
		return err
	}))
	require.Equal(t, "bulk_results", (*seen)[0].Kind)
	require.Equal(t, 5000, (*seen)[0].Usage.Max)
	require.EqualValues(t, 9, (*seen)[0].Bytes)
}

func TestJobResultsHeaders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		records int
		next    string
	}{
		"the last page":       {results("Id\n1\n", "Sforce-NumberOfRecords", "1", "Sforce-Locator", "null"), 1, ""},
		"no headers":          {results("Id\n1\n"), -1, ""},
		"nonsense":            {results("Id\n1\n", "Sforce-NumberOfRecords", "-7", "Sforce-Locator", "x"), -1, "x"},
		"blank and counted":   {results("", "Sforce-NumberOfRecords", "0", "Sforce-Locator", "null"), 0, ""},
		"a mark in the front": {results("\xef\xbb\xbfId\n1\n", "Sforce-NumberOfRecords", "1"), 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _, _ := org(t, nil, c.handler)
			require.NoError(t, client.JobResults(t.Context(), someJob, "", 0, func(r Results) error {
				require.Equal(t, c.records, r.Records)
				require.Equal(t, c.next, r.Next)
				_, err := io.Copy(io.Discard, r.Body)
				return err
			}))
		})
	}
}

func TestJobResultsThatAreNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer    http.HandlerFunc
		kind      fault.Kind
		code      string
		exchanges int
	}{
		"a page for people with 200": {say(200, "text/html", loginPage), fault.Transient, CodeNotJSON, 1},
		"one that says it is CSV":    {say(200, "text/csv", loginPage), fault.Transient, CodeNotJSON, 1},
		"an error list with 200":     {say(200, "application/json", errorList("UNKNOWN_EXCEPTION", "x")), fault.Transient, "UNKNOWN_EXCEPTION", 1},
		"a dead session with 200":    {say(200, "application/json", errorList("INVALID_SESSION_ID", "Session expired or invalid")), fault.Transient, "INVALID_SESSION_ID", 2},
		"nothing with 200":           {say(200, "text/csv", ""), fault.Transient, CodeBrokenBody, 1},
		"blanks with 200":            {say(200, "text/csv", "\n\n"), fault.Transient, CodeBrokenBody, 1},
		"nothing, of five rows":      {results("", "Sforce-NumberOfRecords", "5"), fault.Transient, CodeBrokenBody, 1},
		"a charset nobody knows":     {say(200, "text/csv;charset=x-klingon", "Id\n"), fault.Transient, CodeNotJSON, 1},
		"412 without a word":         {say(412, "", ""), fault.Internal, CodeBrokenBody, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _, seen := org(t, nil, c.answer)
			err := client.JobResults(t.Context(), someJob, "", 0, func(Results) error { panic("there is nothing to read") })
			require.Equal(t, c.kind, fault.KindOf(err), "%v", err)
			require.Equal(t, c.code, codeOf(err), "%v", err)
			require.Len(t, *seen, c.exchanges)
			require.Equal(t, c.code, (*seen)[0].Code)
		})
	}
}

// From Salesforce a page comes packed; what is damaged in the packing shows at the end at the
// latest.
func TestJobResultsComePacked(t *testing.T) {
	t.Parallel()
	page := "\"Id\"\n" + strings.Repeat("\"02sdM00000abcdEQAQ\"\n", 20_000)
	packed := zipped(page)
	damaged := bytes.Clone(packed)
	damaged[len(damaged)-6] ^= 1 // in its sum
	for name, c := range map[string]struct {
		body []byte
		code string
	}{
		"whole": {packed, ""}, "cut": {packed[:len(packed)*2/3], CodeBrokenBody}, "cut in its sum": {packed[:len(packed)-3], CodeBrokenBody},
		"damaged": {damaged, CodeBrokenBody}, "not packed": {[]byte(page), CodeBrokenBody},
	} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			require.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
			w.Header().Set("Sforce-NumberOfRecords", "20000")
			gzipped(w, c.body)
		}))
		policy, err := NewHostPolicy([]string{strings.TrimPrefix(server.URL, "https://")})
		require.NoError(t, err)
		client := New(Options{Tokens: &grant{instance: server.URL, generation: 1}, Hosts: policy, Transport: server.Client().Transport})
		got := ""
		err = client.JobResults(t.Context(), someJob, "", 0, func(r Results) error {
			all, err := io.ReadAll(r.Body)
			got = string(all)
			return err
		})
		require.Equal(t, c.code, codeOf(err), "%s: %v", name, err)
		if c.code == "" {
			require.NoError(t, err)
			require.Equal(t, page, got)
		} else {
			require.Equal(t, fault.Transient, fault.KindOf(err))
		}
		server.Close()
	}
}

// Text that is not UTF-8 is an accident until the caller says otherwise. The page is given to
// its reader once.
func TestJobResultsNotInUTF8(t *testing.T) {
	t.Parallel()
	c, _, seen := org(t, nil, results("\"A\"\n\"Gr\xfc\xdfe\"\n"))
	reads := 0
	read := func(r Results) error {
		reads++
		all, err := io.ReadAll(r.Body)
		require.NotContains(t, string(all), "\xfc", "nothing of it is given out")
		return err
	}
	err := c.JobResults(t.Context(), someJob, "", 0, read)
	require.Equal(t, CodeNotUTF8, codeOf(err))
	require.Equal(t, fault.Transient, fault.KindOf(err))
	require.Equal(t, 1, reads)
	require.Len(t, *seen, 1)
	require.False(t, (*seen)[0].Again)
	require.NoError(t, c.JobResults(t.Context(), someJob, "", 0, func(r Results) error {
		r.TakeDamaged()
		all, err := io.ReadAll(r.Body)
		require.Equal(t, "\"A\"\n\"Gr\xfc\xdfe\"\n", string(all))
		return err
	}))
	c, _, _ = org(t, nil, say(200, "text/csv;charset=ISO-8859-1", "\"A\"\n\"Gr\xfc\xdfe\"\n"))
	require.NoError(t, c.JobResults(t.Context(), someJob, "", 0, func(r Results) error {
		all, err := io.ReadAll(r.Body)
		require.Equal(t, "\"A\"\n\"Grüße\"\n", string(all))
		return err
	}))
	Results{}.TakeDamaged() // made by a test of somebody else
}

func TestUTF8Reader(t *testing.T) {
	t.Parallel()
	const good = "aé日😀z"
	for n := 1; n < 8; n++ {
		all, err := io.ReadAll(&utf8Reader{from: &pieces{strings.NewReader(strings.Repeat(good, 30)), n}})
		require.NoError(t, err)
		require.Equal(t, strings.Repeat(good, 30), string(all))
		for _, bad := range []string{"\xff", "é\xa9", "\xe6\x97x", "\xf0\x9f\x98\n", "\xc3\xc3\xa9", "\xed\xa0\x80"} {
			all, err = io.ReadAll(&utf8Reader{from: &pieces{strings.NewReader(good + bad + good), n}})
			require.ErrorIs(t, err, errNotUTF8, "%q", bad)
			require.True(t, strings.HasPrefix(good+bad, string(all)))
		}
	}
	_, err := io.ReadAll(&utf8Reader{from: iotest.ErrReader(io.ErrUnexpectedEOF)})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// What the reader of a page says of its own work is nobody else's fault.
func TestJobResultsCallersError(t *testing.T) {
	t.Parallel()
	c, _, seen := org(t, nil, results("Id\n1\n", "X-Request-Id", "req-1"))
	own := fault.New(fault.Fenced, "another attempt took over")
	err := c.JobResults(t.Context(), someJob, "", 0, func(Results) error { return own })
	require.Equal(t, error(own), err)
	require.Empty(t, own.RequestID)
	require.Empty(t, own.Op)
	require.Empty(t, (*seen)[0].Fault)
	err = c.JobResults(t.Context(), someJob, "", 0, func(Results) error { return errors.New("not CSV") })
	require.Equal(t, fault.Transient, fault.KindOf(err))
	require.Equal(t, CodeBrokenBody, codeOf(err))
	require.ErrorContains(t, err, "not CSV")
	require.ErrorContains(t, err, "req-1")
	require.Equal(t, fault.Transient, (*seen)[1].Fault)
}

// The watchdog watches Salesforce, not whoever stores what came; and a page has a time of
// its own.
func TestJobResultsAreReadInPeace(t *testing.T) {
	t.Parallel()
	page := "Id\n" + strings.Repeat("1\n", 300_000)
	quick := func(o *Options) { o.IdleTimeout, o.CallTimeout = 3*time.Second, 3*time.Second }
	c, _, _ := org(t, quick, results(page))
	require.NoError(t, c.JobResults(t.Context(), someJob, "", 0, func(r Results) error {
		time.Sleep(3500 * time.Millisecond) // longer than either of them
		n, err := io.Copy(io.Discard, r.Body)
		require.EqualValues(t, len(page), n)
		return err
	}))
	stalled := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, page[:1000])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	drain := func(r Results) error {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	}
	c, _, _ = org(t, quick, stalled)
	require.Equal(t, CodeSilent, codeOf(c.JobResults(t.Context(), someJob, "", 0, drain)))
	c, _, _ = org(t, func(o *Options) { o.ResultsTimeout = 100 * time.Millisecond }, stalled)
	err := c.JobResults(t.Context(), someJob, "", 0, drain)
	require.Equal(t, CodeSilent, codeOf(err))
	require.ErrorContains(t, err, "within 100ms")
}

func TestJobAnswersThatAreOdd(t *testing.T) {
	t.Parallel()
	const good = `{"id":"` + someJob + `","operation":"query","object":"Case","createdById":"005dM00000aYf0qQAC","createdDate":"2026-11-23T10:00:00.000+0000","state":"InProgress","apiVersion":66.0`
	c, _, _ := org(t, nil, say(200, "application/json", good+`,"numberRecordsProcessed":7,"retries":2,"errorMessage":"a\nb","jobType":"V2Query"}`))
	job, err := c.QueryJob(t.Context(), someJob)
	require.NoError(t, err)
	require.Equal(t, Job{ID: someJob, Operation: "query", Object: "Case", State: JobRunning, CreatedBy: To18("005dM00000aYf0q"), Created: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		APIVersion: "66.0", Processed: 7, Message: "a b", Retries: 2}, job)
	for _, body := range []string{`{}`, `[]`, ``, `{"id":"x","state":"InProgress"}`, good, strings.Replace(good, `"state":"InProgress",`, "", 1) + "}", strings.Replace(good, "2026-11", "then", 1) + "}"} {
		c, _, seen := org(t, nil, say(200, "application/json", body))
		_, err := c.QueryJob(t.Context(), someJob)
		require.Equal(t, fault.Transient, fault.KindOf(err), "%s: %v", body, err)
		_, err = c.CreateQueryJob(t.Context(), "SELECT Id FROM Case", true)
		require.Equal(t, fault.Transient, fault.KindOf(err), "%s: %v", body, err)
		require.Len(t, *seen, 2)
	}
	// an end that is not confirmed is none
	for _, odd := range []http.HandlerFunc{say(200, "text/html", loginPage), say(200, "", ""), say(200, "application/json", good+"}")} {
		c, _, _ := org(t, nil, odd)
		require.Equal(t, fault.Transient, fault.KindOf(c.AbortJob(t.Context(), someJob)))
		require.Equal(t, fault.Transient, fault.KindOf(c.DeleteJob(t.Context(), someJob)))
	}
	for _, body := range []string{
		`{"done":true,"records":[{"id":"x"}]}`, `{"records":[]}`, `{"done":false,"records":[]}`,
		`{"done":false,"records":[],"nextRecordsUrl":"https://evil.example/"}`, `{"done":false,"records":[],"nextRecordsUrl":"/services/data/v66.0/jobs/query?x"}`,
	} {
		c, _, seen := org(t, nil, say(200, "application/json", body))
		_, err := c.QueryJobs(t.Context())
		require.Equal(t, fault.Transient, fault.KindOf(err), "%s: %v", body, err)
		require.LessOrEqual(t, len(*seen), mostJobPages)
	}
	c, _, _ = org(t, nil, say(200, "application/json", `{"done":true,"nextRecordsUrl":null,"records":[{"id":"751dM00000AbCdEQAV","jobType":"Classic"},`+good+`,"jobType":"V2Query"}]}`))
	jobs, err := c.QueryJobs(t.Context())
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	require.Equal(t, -1, jobs[0].Processed)
}

// A damaged answer to a creation is not asked for again: that would make another job.
func TestDamagedCreationIsNotRepeated(t *testing.T) {
	t.Parallel()
	c, _, seen := org(t, nil, say(200, "application/json", "{\"id\":\"\xff\"}"))
	_, err := c.CreateQueryJob(t.Context(), "SELECT Id FROM Case", true)
	require.Equal(t, CodeNotUTF8, codeOf(err))
	require.Len(t, *seen, 1)
}
