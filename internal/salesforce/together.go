package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/fault"
)

// MaxSubqueries is how many queries Salesforce takes in one composite call, MaxParts
// how many parts of any kind (REST API guide, "Composite").
const (
	MaxSubqueries = 5
	MaxParts      = 25
)

// Ask is one question of several that travel in one call: a [Subquery], [AskUpdated],
// [AskDeleted] or [AskDescribe].
type Ask interface {
	// part spells the question; it does not set the reference.
	part(c *Client) (compositePart, error)
	// read fills the answer from a good part.
	read(p compositeAnswer, into *Answer) error
	// about names what is asked, for messages.
	about() string
}

// Answer is the answer to one Ask: an error, or what its kind gives.
type Answer struct {
	Err error

	Page     Page    // of a Subquery
	Updated  Updated // of an AskUpdated
	Deleted  Deleted // of an AskDeleted
	Object   Object  // of an AskDescribe; empty unless Modified
	Modified bool

	ServerTime time.Time // Salesforce's clock (Date header) when the whole call was answered
}

// AskUpdated is [Client.Updated] as a part.
type AskUpdated struct {
	Object   string
	From, To time.Time
}

// AskDeleted is [Client.Deleted] as a part.
type AskDeleted struct {
	Object   string
	From, To time.Time
}

// AskDescribe is [Client.DescribeIfModified] as a part: Since is the LastModified of
// an earlier description, "" for none.
type AskDescribe struct {
	Object string
	Since  string
}

// Together asks several questions in one call, or in as few as their number allows,
// and returns the answers in order. Within a call Salesforce answers the parts one after
// the other, in order. All parts of a call count as one API request. The error is that of
// a whole call; a part's own error is in its Answer.
func (c *Client) Together(ctx context.Context, asks []Ask) ([]Answer, error) {
	answers := make([]Answer, 0, len(asks))
	for len(asks) > 0 {
		n, queries := 0, 0
		for n < len(asks) && n < MaxParts {
			if _, ok := asks[n].(Subquery); ok {
				if queries == MaxSubqueries {
					break
				}
				queries++
			}
			n++
		}
		part, err := c.together(ctx, asks[:n])
		if err != nil {
			return nil, err
		}
		answers = append(answers, part...)
		asks = asks[n:]
	}
	return answers, nil
}

// composite wire shapes (REST API guide, "Composite").
type (
	compositeRequest struct {
		AllOrNone bool            `json:"allOrNone"`
		Requests  []compositePart `json:"compositeRequest"`
	}
	compositePart struct {
		Method      string            `json:"method"`
		URL         string            `json:"url"`
		ReferenceID string            `json:"referenceId"`
		Headers     map[string]string `json:"httpHeaders,omitempty"`
	}
	compositeResponse struct {
		Responses []compositeAnswer `json:"compositeResponse"`
	}
	compositeAnswer struct {
		Body           json.RawMessage   `json:"body"`
		HTTPHeaders    map[string]string `json:"httpHeaders"`
		HTTPStatusCode int               `json:"httpStatusCode"`
		ReferenceID    string            `json:"referenceId"`
	}
)

func (c *Client) together(ctx context.Context, asks []Ask) ([]Answer, error) {
	ask := compositeRequest{}
	about := make([]string, len(asks))
	for i, q := range asks {
		part, err := q.part(c)
		if err != nil {
			return nil, err
		}
		part.Method, part.ReferenceID = http.MethodGet, "q"+strconv.Itoa(i)
		ask.Requests = append(ask.Requests, part)
		about[i] = q.about()
	}
	op := strings.Join(about, ", ")
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "%s: write the composite call", op)
	}
	var answers []Answer
	err = c.do(ctx, request{op: op, kind: "composite", path: c.dataPath("/composite"), body: body, read: func(a *answer) error {
		var got compositeResponse
		if err := decodeJSON(a, '{', &got); err != nil {
			return err
		}
		answers = make([]Answer, len(asks))
		answered := make([]bool, len(asks))
		for _, r := range got.Responses {
			number, found := strings.CutPrefix(r.ReferenceID, "q")
			i, err := strconv.Atoi(number)
			if !found || err != nil || i < 0 || i >= len(asks) || answered[i] {
				return fmt.Errorf("part %s was not asked for", excerpt(r.ReferenceID))
			}
			answered[i] = true
			answers[i].ServerTime = a.serverTime
			if r.HTTPStatusCode != http.StatusNotModified && (r.HTTPStatusCode < 200 || r.HTTPStatusCode > 299) {
				h := http.Header{"X-Request-Id": {requestID(a.header)}}
				e, cure := sortAnswer(about[i], r.HTTPStatusCode, h, r.Body)
				if cure == remedyRefresh { // the session died between two parts: all of them are asked again
					return &mendable{e, cure}
				}
				answers[i].Err = e
				continue
			}
			if err := asks[i].read(r, &answers[i]); err != nil {
				return err
			}
			answers[i].Page.ServerTime, answers[i].Page.Usage = a.serverTime, a.usage
		}
		for i, there := range answered {
			if !there {
				return fmt.Errorf("part q%d has no answer", i)
			}
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

func (q Subquery) about() string { return "query " + objectOf(q.SOQL) }

func (q Subquery) part(c *Client) (compositePart, error) {
	p := compositePart{URL: c.queryPath(q.SOQL, q.QueryOptions)}
	if q.BatchSize != 0 {
		p.Headers = map[string]string{optionsHeader: q.batchSize()}
	}
	return p, nil
}

func (q Subquery) read(p compositeAnswer, into *Answer) (err error) {
	into.Page, err = readPage(bytes.NewReader(p.Body))
	return err
}

func (q AskUpdated) about() string { return "list updated " + q.Object }

func (q AskUpdated) part(c *Client) (compositePart, error) {
	r, err := c.replication("updated", q.Object, q.From, q.To)
	return compositePart{URL: r.path}, err
}

func (q AskUpdated) read(p compositeAnswer, into *Answer) (err error) {
	var got updatedBody
	if err := json.Unmarshal(p.Body, &got); err != nil {
		return err
	}
	into.Updated, err = got.updated(q.about())
	return err
}

func (q AskDeleted) about() string { return "list deleted " + q.Object }

func (q AskDeleted) part(c *Client) (compositePart, error) {
	r, err := c.replication("deleted", q.Object, q.From, q.To)
	return compositePart{URL: r.path}, err
}

func (q AskDeleted) read(p compositeAnswer, into *Answer) (err error) {
	var got deletedBody
	if err := json.Unmarshal(p.Body, &got); err != nil {
		return err
	}
	into.Deleted, err = got.deleted(q.about())
	return err
}

func (q AskDescribe) about() string { return "describe " + q.Object }

func (q AskDescribe) part(c *Client) (compositePart, error) {
	r, err := c.describe(q.Object, q.Since)
	if err != nil {
		return compositePart{}, err
	}
	p := compositePart{URL: r.path}
	if q.Since != "" {
		p.Headers = map[string]string{"If-Modified-Since": q.Since}
	}
	return p, nil
}

func (q AskDescribe) read(p compositeAnswer, into *Answer) error {
	if p.HTTPStatusCode == http.StatusNotModified {
		return nil
	}
	into.Modified = true
	if err := json.Unmarshal(p.Body, &into.Object); err != nil {
		return err
	}
	if into.Object.Name == "" {
		return errors.New("the description has no name")
	}
	into.Object.LastModified = p.HTTPHeaders["Last-Modified"]
	return nil
}
