package salesforce

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/transform"

	"salesforcesync/internal/fault"
)

// JobState is how far a bulk query job is.
type JobState string

// The states of a job, in Salesforce's spelling.
const (
	JobUploaded JobState = "UploadComplete" // it waits for its turn
	JobRunning  JobState = "InProgress"
	JobComplete JobState = "JobComplete" // there are results, for seven days
	JobFailed   JobState = "Failed"
	JobAborted  JobState = "Aborted"
)

// Ended reports whether the job will not change any more.
func (s JobState) Ended() bool { return s == JobComplete || s == JobFailed || s == JobAborted }

// Job is a query job of Bulk API 2.0 as Salesforce tells of it. It outlives the session that
// made it.
type Job struct {
	ID         string
	Operation  string // "query" or "queryAll"
	Object     string
	State      JobState
	CreatedBy  string    // the user's id
	Created    time.Time // whole seconds, by Salesforce's clock
	APIVersion string    // "66.0"; results come in no other
	// Processed is how many rows it has found, all of them once it is complete; -1 when the
	// answer did not say: only QueryJob's does.
	Processed int
	Message   string // why it failed; a job may fail without a word
	Retries   int    // how often Salesforce itself began again
}

// jobBody is a job on the wire (Bulk API 2.0 guide, "Get Information About a Query Job").
type jobBody struct {
	ID           string      `json:"id"`
	Operation    string      `json:"operation"`
	Object       string      `json:"object"`
	CreatedByID  string      `json:"createdById"`
	CreatedDate  string      `json:"createdDate"`
	State        JobState    `json:"state"`
	APIVersion   json.Number `json:"apiVersion"`
	JobType      string      `json:"jobType"`
	Processed    *int        `json:"numberRecordsProcessed"`
	Retries      int         `json:"retries"`
	ErrorMessage string      `json:"errorMessage"`
}

func (b jobBody) job() (Job, error) {
	created, err := parseDateTime(b.CreatedDate)
	switch {
	case !ValidID(b.ID):
		return Job{}, fmt.Errorf("the job's id %s is not a Salesforce id", excerpt(b.ID))
	case b.State == "":
		return Job{}, errors.New("the job has no state")
	case err != nil:
		return Job{}, errors.New("the job's createdDate is not a datetime")
	}
	j := Job{ID: To18(b.ID), Operation: b.Operation, Object: b.Object, State: b.State, CreatedBy: To18(b.CreatedByID), Created: created,
		APIVersion: b.APIVersion.String(), Processed: -1, Message: clean(b.ErrorMessage, 300), Retries: b.Retries}
	if b.Processed != nil {
		j.Processed = *b.Processed
	}
	return j, nil
}

const jobsResource = "/jobs/query"

// CreateQueryJob has Salesforce run q in bulk; all is queryAll: deleted and archived rows too.
// When the answer is lost the job may be there all the same: QueryJobs finds it. See
// [BulkRefuses] for what Bulk cannot do.
func (c *Client) CreateQueryJob(ctx context.Context, q string, all bool) (Job, error) {
	ask := struct {
		Operation       string `json:"operation"`
		Query           string `json:"query"`
		ContentType     string `json:"contentType"`
		ColumnDelimiter string `json:"columnDelimiter"`
		LineEnding      string `json:"lineEnding"`
	}{"query", q, "CSV", "COMMA", "LF"}
	if all {
		ask.Operation = "queryAll"
	}
	r := request{op: "create a bulk query job of " + objectOf(q), kind: "bulk_create", path: c.dataPath(jobsResource), once: true}
	var err error
	if r.body, err = json.Marshal(ask); err != nil {
		return Job{}, fault.Wrap(fault.Internal, err, "%s", r.op)
	}
	return c.job(ctx, r)
}

// QueryJob tells how a job is. See [JobGone].
func (c *Client) QueryJob(ctx context.Context, id string) (Job, error) {
	r, err := c.jobRequest("look at a bulk query job", id)
	if err != nil {
		return Job{}, err
	}
	r.kind = "bulk_state"
	return c.job(ctx, r)
}

// mostJobPages bounds a list of jobs: 10,000 a day are kept for seven days, 1,000 to a page.
const mostJobPages = 100

// QueryJobs lists the query jobs that the user sees, of whatever state. It is for finding a job
// whose creation was not answered.
func (c *Client) QueryJobs(ctx context.Context) ([]Job, error) {
	const op = "list the bulk query jobs"
	path := c.dataPath(jobsResource + "?jobType=V2Query")
	var jobs []Job
	for range mostJobPages {
		var got struct {
			Done    *bool     `json:"done"`
			Records []jobBody `json:"records"`
			Next    string    `json:"nextRecordsUrl"`
		}
		err := c.do(ctx, request{op: op, kind: "bulk_state", path: path, read: func(a *answer) error {
			got.Done, got.Records, got.Next = nil, nil, ""
			if err := decodeJSON(a, '{', &got); err != nil {
				return err
			}
			if got.Done == nil || !*got.Done && got.Next == "" {
				return errors.New("the list does not say whether it is done, or names no next page")
			}
			return nil
		}})
		if err != nil {
			return nil, err
		}
		for _, b := range got.Records {
			if b.JobType != "" && b.JobType != "V2Query" { // jobs of Bulk API 1.0 may be listed too
				continue
			}
			job, err := b.job()
			if err != nil {
				return nil, fault.Wrap(fault.Transient, err, op)
			}
			jobs = append(jobs, job)
		}
		if *got.Done {
			return jobs, nil
		}
		if path = got.Next; !strings.HasPrefix(path, "/services/data/") || strings.Contains(path, "..") {
			return nil, fault.New(fault.Transient, "%s: the path of the next page is not a path of the data API", op)
		}
	}
	return nil, fault.New(fault.Transient, "%s: the list does not end", op)
}

// AbortJob has Salesforce stop a job. One that has ended, or is gone, is left as it is.
func (c *Client) AbortJob(ctx context.Context, id string) error {
	r, err := c.jobRequest("abort a bulk query job", id)
	if err != nil {
		return err
	}
	r.kind, r.method, r.body = "bulk_end", http.MethodPatch, []byte(`{"state":"Aborted"}`)
	r.read = func(a *answer) error {
		var got jobBody
		if err := decodeJSON(a, '{', &got); err != nil {
			return err
		}
		if !got.State.Ended() {
			return errors.New("the job goes on")
		}
		return nil
	}
	if err := c.do(ctx, r); err != nil && !JobGone(err) {
		return err
	}
	return nil
}

// DeleteJob removes a job and its results, and aborts it first when it has not ended. A job
// that is gone is fine.
func (c *Client) DeleteJob(ctx context.Context, id string) error {
	r, err := c.jobRequest("delete a bulk query job", id)
	if err != nil {
		return err
	}
	r.kind, r.method = "bulk_end", http.MethodDelete
	r.read = func(a *answer) error {
		if a.status == http.StatusNoContent {
			return nil
		}
		return unwantedBody(a, a.body) // a page for people, most likely
	}
	err = c.do(ctx, r)
	if notEnded(err) {
		if err := c.AbortJob(ctx, id); err != nil {
			return err
		}
		err = c.do(ctx, r)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}

// notEnded reports that a job was not deleted because it has not ended.
func notEnded(err error) bool {
	code := codeOf(err)
	return code == "API_ERROR" && fault.Is(err, fault.Transient) || code == "INVALIDJOBSTATE"
}

// Results is one page of a complete job's results.
type Results struct {
	// Body is CSV with a header line: [csv.NewReader] reads it. It is as large as the page, and
	// must be read to its end: only there a cut or damaged answer shows. It is empty when there
	// is no row.
	Body       io.Reader
	Records    int       // rows of this page; -1 when Salesforce did not say
	Next       string    // locator of the next page, good for as long as the job is there; "" on the last one
	ServerTime time.Time // Salesforce's clock (Date header); zero when it did not say

	text *utf8Reader
}

// TakeDamaged has Body give text that is not UTF-8 as it is. Without it such text ends the read
// with [CodeNotUTF8], because it is most likely an accident of this one answer; when it comes
// again and again it is what Salesforce has. It is called before Body is read.
func (r Results) TakeDamaged() {
	if r.text != nil {
		r.text.lenient = true
	}
}

// JobResults asks for one page of a complete job's results and gives it to read, once. locator
// is "" for the first page, else Results.Next; maxRecords is how many rows the page may have, 0
// for Salesforce's choice. A page may be asked for again while the job is there, with the same rows.
//
// An error of read that is a fault comes back as it is. Any other is taken for what it says of the
// answer (it is cut, not CSV, too slow) and is fault.Transient. See [NotReady] and [JobGone]. A
// job with no rows at all need not be asked: some answers to that are the same as those that come
// too early.
func (c *Client) JobResults(ctx context.Context, id, locator string, maxRecords int, read func(Results) error) error {
	r, err := c.jobRequest("read a page of a bulk query job", id)
	if err != nil {
		return err
	}
	ask := url.Values{}
	if maxRecords > 0 {
		ask.Set("maxRecords", strconv.Itoa(maxRecords))
	}
	if locator != "" {
		ask.Set("locator", locator)
	}
	r.path += "/results"
	if len(ask) > 0 {
		r.path += "?" + ask.Encode()
	}
	r.kind, r.accept, r.results, r.once = "bulk_results", "text/csv", true, true
	r.read = func(a *answer) error {
		page, err := resultsOf(a)
		if err != nil {
			return err
		}
		err = read(page)
		var own *fault.Error
		if errors.As(err, &own) {
			return &callersError{err}
		}
		return err
	}
	return c.do(ctx, r)
}

// resultsOf checks that a good answer is a page of results before anybody reads it.
func resultsOf(a *answer) (Results, error) {
	if a.status == http.StatusNoContent {
		return Results{}, &fault.Error{Kind: fault.Transient, Code: CodeJobNotComplete, RetryAfter: 5 * time.Second,
			Message: "the job has no results yet", Hint: "the job is looked at again"}
	}
	charset, known := charsetOf(a.header)
	if !known {
		return Results{}, unwanted(a, []byte("in a charset that is not known"))
	}
	from := a.body
	if charset != nil {
		from = transform.NewReader(from, charset.NewDecoder())
	}
	const firstLook = 512
	b := bufio.NewReaderSize(from, firstLook)
	first, err := b.Peek(firstLook)
	if err != nil && !errors.Is(err, io.EOF) && len(first) == 0 {
		return Results{}, err
	}
	records, told := -1, a.header.Get("Sforce-NumberOfRecords")
	if n, err := strconv.Atoi(told); err == nil && n >= 0 {
		records = n
	}
	first = bytes.TrimSpace(bytes.TrimPrefix(first, []byte("\xef\xbb\xbf")))
	switch {
	case len(first) == 0 && records != 0:
		return Results{}, unwanted(a, nil) // an empty page says that it is one
	case len(first) > 0 && strings.IndexByte("<[{", first[0]) >= 0: // a page for people, or an error in spite of the status
		return Results{}, unwantedBody(a, b)
	}
	page := Results{Records: records, Next: a.header.Get("Sforce-Locator"), ServerTime: a.serverTime, text: &utf8Reader{from: b}}
	page.Body = page.text
	if page.Next == "null" { // this very text is how the end is spelt
		page.Next = ""
	}
	return page, nil
}

func (c *Client) job(ctx context.Context, r request) (Job, error) {
	var job Job
	r.read = func(a *answer) error {
		var got jobBody
		err := decodeJSON(a, '{', &got)
		if err == nil {
			job, err = got.job()
		}
		return err
	}
	if err := c.do(ctx, r); err != nil {
		return Job{}, err
	}
	return job, nil
}

func (c *Client) jobRequest(op, id string) (request, error) {
	if !ValidID(id) {
		return request{}, fault.New(fault.Internal, "%s: %s is not the id of a job", op, excerpt(id))
	}
	return request{op: op, path: c.dataPath(jobsResource + "/" + id)}, nil
}
