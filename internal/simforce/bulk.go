package simforce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BulkKnobs are the moods of Bulk API 2.0 queries. Seconds are those of the
// org's clock.
type BulkKnobs struct {
	// QueueSeconds is how long a job stays in UploadComplete, RunSeconds how long
	// in InProgress; RowsPerSecond, when set, adds time for the rows it found. A job
	// keeps the times it was made with.
	QueueSeconds  float64 `json:"queue_seconds"`
	RunSeconds    float64 `json:"run_seconds"`
	RowsPerSecond int     `json:"rows_per_second"`
	// PageRows is how many rows a page of results has when maxRecords says nothing,
	// and the most it can ask for.
	PageRows int `json:"page_rows"`
	// Early is the status of an answer to a request for results before the job is
	// complete: 400, 412 or 204.
	Early int `json:"early"`
	// Empty is what the result of a job without rows looks like: "header" (the
	// first line alone) or "blank" (no body).
	Empty string `json:"empty"`
	// JobsPerDay and StoredKB are the org's allowances for 24 hours, KeepSeconds is
	// how long a job and its results are there.
	JobsPerDay  int `json:"jobs_per_day"`
	StoredKB    int `json:"stored_kb"`
	KeepSeconds int `json:"keep_seconds"`
	// FailRows, when set, fails jobs that find more rows.
	FailRows int `json:"fail_rows"`
	// Fail fails jobs at their end while it is set.
	Fail *BulkFailure `json:"fail"`
	// Refused names objects that cannot be queried in bulk, beside those that never
	// can.
	Refused []string `json:"refused"`
	// PaceKBps is how many thousand bytes of a result one connection gets in a
	// second of the wall clock; 0 is no limit.
	PaceKBps int `json:"pace_kbps"`
	// Plain sends results as they are to clients that take gzip too.
	Plain bool `json:"plain"`
}

// BulkFailure says how jobs fail.
type BulkFailure struct {
	// Message is their errorMessage; without one they fail in silence.
	Message string `json:"message"`
	// Times is after how many jobs it ends; 0 stays until cleared.
	Times int `json:"times,omitempty"`
}

func (k BulkKnobs) check() error {
	switch {
	case k.QueueSeconds < 0, k.RunSeconds < 0, k.RowsPerSecond < 0, k.FailRows < 0, k.PaceKBps < 0, k.JobsPerDay < 0, k.StoredKB < 0:
		return fmt.Errorf("bulk: times, rows and allowances must not be negative")
	case k.PageRows < 1, k.KeepSeconds < 1:
		return fmt.Errorf("bulk: page_rows and keep_seconds must be positive")
	case !slices.Contains([]int{http.StatusBadRequest, http.StatusPreconditionFailed, http.StatusNoContent}, k.Early):
		return fmt.Errorf("bulk: early must be 400, 412 or 204, not %d", k.Early)
	case !slices.Contains([]string{"header", "blank"}, k.Empty):
		return fmt.Errorf("bulk: empty must be header or blank, not %q", k.Empty)
	}
	return nil
}

// defaultBulk is the platform as the documentation has it, and fast.
var defaultBulk = BulkKnobs{
	PageRows: 250_000, Early: http.StatusBadRequest, Empty: "header", JobsPerDay: 10_000, StoredKB: 1_000_000_000, KeepSeconds: 7 * 86400,
}

// The states of a job.
const (
	jobUploaded = "UploadComplete"
	jobRunning  = "InProgress"
	jobComplete = "JobComplete"
	jobFailed   = "Failed"
	jobAborted  = "Aborted"
)

// firstBulkVersion is the first version with query jobs, firstPagesVersion the
// first with resultPages, orderedVersion the first whose columns are in SELECT
// order.
const (
	firstBulkVersion  = 47
	orderedVersion    = 50
	firstPagesVersion = 58
)

// bulkRetries is how often the platform tries a job before it fails it.
const bulkRetries = 15

// jobListPage is how many jobs a page of their list has.
const jobListPage = 1000

// bulkJob is one query job. The caller of its methods holds the data lock.
type bulkJob struct {
	id        string
	user      string
	version   string // v66.0
	operation string
	query     string
	object    string
	delimiter string // COMMA
	ending    string // LF
	chunking  bool
	knobs     BulkKnobs

	born, moved time.Time
	state       string
	// due is when the state moves on by itself; began when it became InProgress.
	due, began time.Time
	message    string
	retries    int
	result     *bulkResult // once it has run
	failing    bool        // fails at its end
}

func (j *bulkJob) expires() time.Time {
	return j.born.Add(time.Duration(j.knobs.KeepSeconds) * time.Second)
}

func (j *bulkJob) ended() bool { return j.state != jobUploaded && j.state != jobRunning }

// processed is how many rows the job has done; while it runs, as far as the time
// has got.
func (j *bulkJob) processed(now time.Time) int {
	if j.result == nil {
		return 0
	}
	n := j.result.rows.len()
	switch j.state {
	case jobRunning:
		if whole := j.due.Sub(j.began); whole > 0 {
			n = int(float64(n) * min(float64(now.Sub(j.began))/float64(whole), 1))
		}
	case jobFailed, jobAborted:
		n = 0
	}
	return n
}

// jobInfo is a job as the API spells it.
type jobInfo struct {
	ID              string      `json:"id"`
	Operation       string      `json:"operation"`
	Object          string      `json:"object"`
	CreatedByID     string      `json:"createdById"`
	CreatedDate     string      `json:"createdDate"`
	SystemModstamp  string      `json:"systemModstamp"`
	State           string      `json:"state"`
	ConcurrencyMode string      `json:"concurrencyMode"`
	ContentType     string      `json:"contentType"`
	APIVersion      json.Number `json:"apiVersion"`
	JobType         string      `json:"jobType,omitempty"`
	LineEnding      string      `json:"lineEnding"`
	ColumnDelimiter string      `json:"columnDelimiter"`
	Processed       *int        `json:"numberRecordsProcessed,omitempty"`
	Retries         *int        `json:"retries,omitempty"`
	Milliseconds    *int64      `json:"totalProcessingTime,omitempty"`
	ErrorMessage    string      `json:"errorMessage,omitempty"`
	Chunking        *bool       `json:"isPkChunkingSupported,omitempty"`
}

func (j *bulkJob) info() jobInfo {
	return jobInfo{
		ID: j.id, Operation: j.operation, Object: j.object, CreatedByID: j.user,
		CreatedDate: j.born.Format(wireDatetime), SystemModstamp: j.moved.Format(wireDatetime), State: j.state,
		ConcurrencyMode: "Parallel", ContentType: "CSV", APIVersion: json.Number(strings.TrimPrefix(j.version, "v")),
		LineEnding: j.ending, ColumnDelimiter: j.delimiter,
	}
}

// full is info with what GET of one job adds.
func (j *bulkJob) full(now time.Time) jobInfo {
	i := j.info()
	n := j.processed(now)
	var spent int64
	switch {
	case j.began.IsZero():
	case j.state == jobRunning:
		spent = now.Sub(j.began).Milliseconds()
	default:
		spent = j.moved.Sub(j.began).Milliseconds()
	}
	i.JobType, i.Processed, i.Retries, i.Milliseconds, i.Chunking, i.ErrorMessage = "V2Query", &n, &j.retries, &spent, &j.chunking, j.message
	return i
}

// advance does what the job's due moment brings. The rows are those of that
// moment: nothing that came later has been written yet.
func (j *bulkJob) advance(o *org) {
	at := j.due
	j.moved = at.Truncate(time.Second)
	if j.state == jobRunning {
		j.end(o)
		return
	}
	j.state, j.began = jobRunning, at
	p, e := o.sim.compileAt(o.sim.view(o, j.user), j.query, j.operation == "queryAll", at)
	if e != nil {
		// The user has lost a field or the object since the job was made.
		j.fail(e.code+": "+e.message, 0)
		return
	}
	j.result = p.bulk(o.sim.opts.Seed, j)
	j.failing = j.knobs.FailRows > 0 && j.result.rows.len() > j.knobs.FailRows
	run := j.knobs.RunSeconds
	if j.knobs.RowsPerSecond > 0 {
		run += float64(j.result.rows.len()) / float64(j.knobs.RowsPerSecond)
	}
	j.due = at.Add(seconds(run))
}

func (j *bulkJob) end(o *org) {
	if f := o.sim.takeBulkFailure(); f != nil {
		j.fail(f.Message, 0)
		return
	}
	if j.failing {
		j.fail("", bulkRetries)
		return
	}
	j.state = jobComplete
	o.sim.bulk.stored.add(o.id, int(j.result.size/1000), j.due)
}

func (j *bulkJob) fail(message string, retries int) {
	j.state, j.message, j.retries, j.result = jobFailed, message, retries, nil
}

// takeBulkFailure uses up one forced failure.
func (s *Server) takeBulkFailure() *BulkFailure {
	s.knobs.mu.Lock()
	defer s.knobs.mu.Unlock()
	f := s.knobs.k.Bulk.Fail
	if f == nil {
		return nil
	}
	switch f.Times {
	case 0:
	case 1:
		s.knobs.k.Bulk.Fail = nil
	default:
		s.knobs.k.Bulk.Fail = &BulkFailure{f.Message, f.Times - 1}
	}
	return f
}

// bulk counts what the jobs of each org use.
type bulk struct{ made, stored tally }

// DropBulkJobs forgets all jobs, as a move of the org does.
func (s *Server) DropBulkJobs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orgs {
		o.jobs = nil
	}
}

// jobs answers /jobs/query and what is below it.
func (s *Server) bulkQuery(c *call) *reply {
	version := versionNumber(c.version)
	if version < firstBulkVersion {
		return failed(errNotFound())
	}
	n := len(c.path)
	switch {
	case n == 2 && c.method == http.MethodPost:
		return s.createJob(c)
	case n == 2:
		return c.only(http.MethodGet, s.listJobs)
	case n == 3 && c.method == http.MethodPatch:
		return s.abortJob(c)
	case n == 3 && c.method == http.MethodDelete:
		return s.deleteJob(c)
	case n == 3:
		return c.only(http.MethodGet, s.getJob)
	case n == 4 && c.path[3] == "results":
		return c.only(http.MethodGet, s.jobResults)
	case n == 4 && c.path[3] == "resultPages" && version >= firstPagesVersion:
		return c.only(http.MethodGet, s.jobPages)
	}
	return failed(errNotFound())
}

func versionNumber(v string) int {
	whole, _, _ := strings.Cut(strings.TrimPrefix(v, "v"), ".")
	n, _ := strconv.Atoi(whole) // checkVersion has seen it
	return n
}

var (
	delimiters = map[string]byte{"COMMA": ',', "BACKQUOTE": '`', "CARET": '^', "PIPE": '|', "SEMICOLON": ';', "TAB": '\t'}
	endings    = map[string]string{"LF": "\n", "CRLF": "\r\n"}
)

func errJob(format string, args ...any) *apiError {
	return refuse(http.StatusBadRequest, "INVALIDJOB", format, args...)
}

func (s *Server) createJob(c *call) *reply {
	in := struct {
		Operation   string `json:"operation"`
		Query       string `json:"query"`
		ContentType string `json:"contentType"`
		Delimiter   string `json:"columnDelimiter"`
		Ending      string `json:"lineEnding"`
		Concurrency string `json:"concurrencyMode"`
	}{ContentType: "CSV", Delimiter: "COMMA", Ending: "LF", Concurrency: "Parallel"}
	if e := decodeStrict(c.body, &in); e != nil {
		return failed(e)
	}
	switch {
	case in.Operation != "query" && in.Operation != "queryAll":
		return failed(errJob("operation must be query or queryAll, not '%s'", in.Operation))
	case in.ContentType != "CSV", delimiters[in.Delimiter] == 0, endings[in.Ending] == "", in.Concurrency != "Parallel":
		return failed(errJob("unsupported contentType, columnDelimiter, lineEnding or concurrencyMode"))
	case in.Query == "":
		return failed(refuse(http.StatusBadRequest, "MALFORMED_QUERY", "SOQL statement is missing: query is required"))
	}
	now := s.now()
	k := s.Knobs().Bulk
	s.mu.Lock()
	defer s.mu.Unlock()
	o := c.view.org
	p, e := s.compileAt(c.view, in.Query, in.Operation == "queryAll", now)
	if e == nil {
		e = p.bulkable(k.Refused)
	}
	if e != nil {
		return failed(e)
	}
	switch {
	case s.bulk.made.sum(o.id, now) >= k.JobsPerDay:
		e = refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "Max bulk v2 query jobs (%d) per 24 hrs has been reached", k.JobsPerDay)
	case s.bulk.stored.sum(o.id, now) >= k.StoredKB:
		e = refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "Max bulk v2 query result size stored (%d) kb per 24 hrs has been exceeded", k.StoredKB)
	}
	if e != nil {
		return failed(e)
	}
	s.bulk.made.add(o.id, 1, now)
	j := &bulkJob{
		id: makeID("750", o.pod, 3_000_000+o.next("bulk job")*13), user: c.view.user, version: c.version, operation: in.Operation, query: in.Query,
		object: p.table.obj.Name, delimiter: in.Delimiter, ending: in.Ending, knobs: k,
		chunking: len(p.order) == 0 && p.query.Limit < 0,
		born:     now.Truncate(time.Second), moved: now.Truncate(time.Second), state: jobUploaded, due: now.Add(seconds(k.QueueSeconds)),
	}
	o.jobs = append(o.jobs, j)
	made := okJSON(j.info())
	o.wake(j.due)
	o.wake(j.expires())
	o.catchUp(now)
	return made
}

// bulkable refuses what Bulk API 2.0 cannot query.
func (p *plan) bulkable(refused []string) *apiError {
	bad := func(format string, args ...any) *apiError {
		return refuse(http.StatusBadRequest, "API_ERROR", format, args...)
	}
	obj := p.table.obj
	named := func(name string) bool { return strings.EqualFold(name, obj.Name) }
	switch {
	case obj.NoBulk || slices.ContainsFunc(refused, named):
		return refuse(http.StatusBadRequest, "INVALIDENTITY", "Entity '%s' is not supported by the Bulk API.", obj.Name)
	case p.query.Count:
		return bad("Aggregate Relationships not supported in Bulk Query")
	case p.query.Offset > 0:
		return bad("OFFSET is not supported in Bulk Query")
	}
	for _, c := range p.columns {
		switch c.field.Type {
		case TypeAddress:
			return refuse(http.StatusBadRequest, "FeatureNotEnabled", "Selecting compound data not supported in Bulk Query")
		case TypeBase64:
			return bad("Selecting binary data not supported in Bulk Query: %s", c.full)
		}
	}
	return nil
}

// job finds the job of a call; the caller holds the data lock.
func (c *call) job() (*bulkJob, *apiError) {
	id, _ := ID18(c.path[2])
	i := slices.IndexFunc(c.view.jobs, func(j *bulkJob) bool { return j.id == id && j.user == c.view.user })
	if i < 0 {
		return nil, errNotFound()
	}
	return c.view.jobs[i], nil
}

func (s *Server) getJob(c *call) *reply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	j, e := c.job()
	if e != nil {
		return failed(e)
	}
	return okJSON(j.full(s.now()))
}

func (s *Server) abortJob(c *call) *reply {
	var in struct {
		State string `json:"state"`
	}
	if e := decodeStrict(c.body, &in); e != nil {
		return failed(e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, e := c.job()
	switch {
	case e != nil:
		return failed(e)
	case in.State != jobAborted:
		return failed(errJob("a query job can be aborted and nothing else, not '%s'", in.State))
	case j.ended():
		return failed(refuse(http.StatusBadRequest, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed"))
	}
	j.state, j.moved, j.result = jobAborted, s.now().Truncate(time.Second), nil
	return okJSON(j.info())
}

func (s *Server) deleteJob(c *call) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, e := c.job()
	switch {
	case e != nil:
		return failed(e)
	case !j.ended():
		return failed(refuse(http.StatusBadRequest, "API_ERROR", "Error encountered when deleting the job because the job is not terminated: %s", j.id))
	}
	o := c.view.org
	o.jobs = slices.DeleteFunc(o.jobs, func(x *bulkJob) bool { return x == j })
	return &reply{status: http.StatusNoContent}
}

// listJobs answers the list of the user's jobs, newest first.
func (s *Server) listJobs(c *call) *reply {
	from := 0
	for name, values := range c.query {
		ok := false
		switch name {
		case "jobType":
			ok = values[0] == "V2Query"
		case "concurrencyMode":
			ok = strings.EqualFold(values[0], "parallel")
		case "queryLocator":
			from, ok = openLocator(values[0])
		}
		if !ok {
			return failed(errParameter(name, values[0]))
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := []jobInfo{}
	for _, j := range slices.Backward(c.view.jobs) {
		if j.user == c.view.user {
			i := j.info()
			i.JobType = "V2Query"
			list = append(list, i)
		}
	}
	if from > len(list) {
		return failed(errParameter("queryLocator", c.query.Get("queryLocator")))
	}
	to := min(from+jobListPage, len(list))
	var next *string
	if to < len(list) {
		at := "/services/data/" + c.version + "/jobs/query?jobType=V2Query&queryLocator=" + locator(to)
		next = &at
	}
	return okJSON(struct {
		Done    bool      `json:"done"`
		Records []jobInfo `json:"records"`
		Next    *string   `json:"nextRecordsUrl"`
	}{next == nil, list[from:to], next})
}
