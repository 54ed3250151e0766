package salesforce

import (
	"context"
	"errors"
	"net/http"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/soql"
)

// ObjectSummary is one line of the list of objects.
type ObjectSummary struct {
	Name          string `json:"name"`
	Label         string `json:"label"`
	KeyPrefix     string `json:"keyPrefix"`
	Custom        bool   `json:"custom"`
	Queryable     bool   `json:"queryable"`
	Replicateable bool   `json:"replicateable"`
}

// DescribeGlobal lists the objects that the integration user sees.
func (c *Client) DescribeGlobal(ctx context.Context) ([]ObjectSummary, error) {
	var got struct {
		SObjects []ObjectSummary `json:"sobjects"`
	}
	err := c.getJSON(ctx, request{op: "list objects", kind: "describe-global", path: c.dataPath("/sobjects/")}, '{', &got)
	if err != nil {
		return nil, err
	}
	return got.SObjects, nil
}

// Describe returns the fields of an object that the integration user sees. An
// object that does not exist or is hidden is a fault.Config error.
func (c *Client) Describe(ctx context.Context, object string) (Object, error) {
	o, _, err := c.DescribeIfModified(ctx, object, "")
	return o, err
}

// DescribeIfModified is [Client.Describe], sparing the answer when nothing changed
// since an earlier one: since is that Object's LastModified, "" for none. It still
// counts as a call.
func (c *Client) DescribeIfModified(ctx context.Context, object, since string) (o Object, modified bool, err error) {
	r, err := c.describe(object, since)
	if err != nil {
		return Object{}, false, err
	}
	r.read = func(a *answer) error {
		if a.status == http.StatusNotModified {
			o, modified = Object{}, false
			return nil
		}
		o, modified = Object{}, true
		if err := decodeJSON(a, '{', &o); err != nil {
			return err
		}
		if o.Name == "" {
			return errors.New("the description has no name")
		}
		o.LastModified = a.header.Get("Last-Modified")
		return nil
	}
	if err := c.do(ctx, r); err != nil {
		var e *fault.Error
		if fault.Is(err, fault.NotFound) && errors.As(err, &e) {
			return Object{}, false, &fault.Error{Kind: fault.Config, Op: r.op, Code: e.Code, RequestID: e.RequestID,
				Message: "object " + object + " does not exist or is not visible to the integration user", Hint: hintObjectRead}
		}
		return Object{}, false, err
	}
	return o, modified, nil
}

func (c *Client) describe(object, since string) (request, error) {
	if err := soql.CheckName(object); err != nil {
		return request{}, fault.Wrap(fault.Config, err, "describe an object").WithHint("write the object's API name, such as EmailMessage or Survey_Response__c")
	}
	r := request{op: "describe " + object, kind: "describe", path: c.dataPath("/sobjects/" + object + "/describe"), accept304: since != ""}
	if since != "" {
		r.header = http.Header{"If-Modified-Since": {since}}
	}
	return r, nil
}

// getJSON is a call whose whole answer is one JSON value.
func (c *Client) getJSON(ctx context.Context, r request, want byte, v any) error {
	r.read = func(a *answer) error { return decodeJSON(a, want, v) }
	return c.do(ctx, r)
}
