package salesforce

import (
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

	"salesforcesync/internal/fault"
)

// longestURI is where a query stops travelling in the URI: Salesforce takes 16,384
// bytes of URI and headers together, and failures were seen below that.
const longestURI = 8000

// QueryOptions of one query.
type QueryOptions struct {
	All       bool // queryAll: deleted, merged and archived rows too
	BatchSize int  // rows a page should have, 200 to 2000; 0: Salesforce's choice. Only a wish
}

// Page is one page of a query's answer.
type Page struct {
	TotalSize      int               // rows of the whole answer, or the count of COUNT()
	Done           bool              // this is the last page; the only sign that it is
	NextRecordsURL string            // path of the next page; dies with the session
	Rows           []json.RawMessage // for Decode
	ServerTime     time.Time         // Salesforce's clock (Date header); zero when it did not say
	Usage          Usage
}

// Subquery is one of several queries in one call.
type Subquery struct {
	SOQL string
	QueryOptions
}

// Query runs q and returns its first page. A long query travels in the body of a
// composite call. Errors are those of the table in errors.go.
func (c *Client) Query(ctx context.Context, q string, o QueryOptions) (Page, error) {
	path := c.queryPath(q, o)
	if len(path) > longestURI {
		answers, err := c.together(ctx, []Ask{Subquery{q, o}})
		if err != nil {
			return Page{}, err
		}
		return answers[0].Page, answers[0].Err
	}
	return c.page(ctx, request{op: "query " + objectOf(q), kind: "query", path: path, header: o.header()})
}

// QueryNext returns the page behind Page.NextRecordsURL. Locators expire, are evicted
// and end with their session, so any refusal of Salesforce is fault.Stale: start
// again from the last row that is safe. Passing faults stay what they are.
func (c *Client) QueryNext(ctx context.Context, nextRecordsURL string, o QueryOptions) (Page, error) {
	const op = "query the next page"
	if err := checkNext(nextRecordsURL); err != nil {
		return Page{}, err
	}
	page, err := c.page(ctx, request{op: op, kind: "query-next", path: nextRecordsURL, header: o.header()})
	switch {
	case err == nil:
		return page, nil
	case codeOf(err) == "INVALID_SESSION_ID", fault.Is(err, fault.NotFound, fault.Stale, fault.Internal):
		var cause *fault.Error
		if errors.As(err, &cause) {
			return Page{}, &fault.Error{Kind: fault.Stale, Op: op, Code: cause.Code, RequestID: cause.RequestID,
				Message: "the query's position in Salesforce is lost", Hint: "the query is started again from where it stood", Cause: err}
		}
	}
	return Page{}, err
}

// Count runs a "SELECT COUNT() FROM …" and returns the number.
func (c *Client) Count(ctx context.Context, q string) (int, error) {
	page, err := c.Query(ctx, q, QueryOptions{})
	if err != nil {
		return 0, err
	}
	return page.TotalSize, nil
}

func (c *Client) queryPath(q string, o QueryOptions) string {
	resource := "/query"
	if o.All {
		resource = "/queryAll"
	}
	return c.dataPath(resource + "?q=" + url.QueryEscape(q))
}

const optionsHeader = "Sforce-Query-Options"

func (o QueryOptions) header() http.Header {
	if o.BatchSize == 0 {
		return nil
	}
	return http.Header{optionsHeader: {o.batchSize()}}
}

func (o QueryOptions) batchSize() string {
	return "batchSize=" + strconv.Itoa(min(max(o.BatchSize, 200), 2000))
}

// checkNext keeps a page's path on the instance.
func checkNext(path string) error {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || u.RawQuery != "" || !strings.HasPrefix(path, "/services/data/") || strings.Contains(path, "..") {
		return fault.New(fault.Stale, "the path of the next page is not a path of the query API").WithHint("the query is started again")
	}
	return nil
}

func (c *Client) page(ctx context.Context, r request) (Page, error) {
	var page Page
	r.read = func(a *answer) error {
		body, err := jsonBody(a, '{')
		if err != nil {
			return err
		}
		if page, err = readPage(body); err != nil {
			return err
		}
		page.ServerTime, page.Usage = a.serverTime, a.usage
		return nil
	}
	err := c.do(ctx, r)
	if err != nil {
		return Page{}, err
	}
	return page, nil
}

// readPage reads a query answer row by row, so that a page is in memory once.
func readPage(body io.Reader) (Page, error) {
	page := Page{TotalSize: -1}
	d := json.NewDecoder(body)
	if err := delim(d, '{'); err != nil {
		return Page{}, err
	}
	var sawDone, sawRows bool
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return Page{}, err
		}
		switch key {
		case "totalSize":
			err = d.Decode(&page.TotalSize)
		case "done":
			sawDone, err = true, d.Decode(&page.Done)
		case "nextRecordsUrl":
			err = d.Decode(&page.NextRecordsURL)
		case "records":
			sawRows = true
			err = readRows(d, &page)
		default:
			var skipped json.RawMessage
			err = d.Decode(&skipped)
		}
		if err != nil {
			return Page{}, err
		}
	}
	if err := delim(d, '}'); err != nil {
		return Page{}, err
	}
	switch {
	case !sawDone || !sawRows || page.TotalSize < 0:
		return Page{}, errors.New("the page lacks totalSize, done or records")
	case !page.Done && page.NextRecordsURL == "":
		return Page{}, errors.New("the page is not the last one and names no next one")
	}
	return page, nil
}

func readRows(d *json.Decoder, page *Page) error {
	if err := delim(d, '['); err != nil {
		return err
	}
	for d.More() {
		var row json.RawMessage
		if err := d.Decode(&row); err != nil {
			return err
		}
		if len(row) == 0 || row[0] != '{' {
			return errors.New("a row of the page is not an object")
		}
		page.Rows = append(page.Rows, row)
	}
	return delim(d, ']')
}

func delim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if t != want {
		return fmt.Errorf("expected %s in the page", want)
	}
	return nil
}
