package api

import (
	"encoding/base64"
	"encoding/json"
	"net/url"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/find"
	"salesforcesync/internal/store"
)

// wireSkipped is a record that cannot become a comment. The vendor's API has no such thing.
type wireSkipped struct {
	Object        string    `json:"object"`
	RecordID      string    `json:"record_id"`
	Reason        string    `json:"reason"`
	Since         timestamp `json:"since"`
	CommentID     string    `json:"comment_id"`     // that it once became, and that stays as it was; "" for none
	SalesforceURL string    `json:"salesforce_url"` // the record there
	RawURL        *string   `json:"raw_url"`        // the raw copy here; null when there is none any more
}

// listSkipped gives one page of an integration's records that cannot become comments, by
// object and Id. The last page has no continuation.
func (a *API) listSkipped(c *call) (reply, error) {
	target, err := a.target(c)
	if err != nil {
		return nil, err
	}
	q, err := readSkippedQuery(c.r.URL.Query(), target)
	if err != nil {
		return nil, err
	}
	page, more, err := a.store.ListSetAside(c.r.Context(), target.SourceID, q.Object, q.After, q.limit)
	if err != nil {
		return nil, err
	}
	counts, err := a.store.CountSetAside(c.r.Context(), target.SourceID)
	if err != nil {
		return nil, err
	}
	list := make([]wireSkipped, len(page))
	for i, r := range page {
		list[i] = wireSkipped{Object: r.Object, RecordID: r.RecordID, Reason: r.Reason, Since: timestamp(r.Since), CommentID: r.CommentID, SalesforceURL: target.RecordURL(r.RecordID)}
		if r.HasRaw {
			at := store.RawPath(target.Project, target.Integration, r.Object, r.RecordID)
			list[i].RawURL = &at
		}
	}
	out := reply{"skipped": list, "num_skipped": counts}
	if more {
		last := page[len(page)-1]
		q.After = store.SetAsideAt{Object: last.Object, RecordID: last.RecordID}
		token, err := json.Marshal(q)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "write the continuation")
		}
		out["continuation"] = base64.RawURLEncoding.EncodeToString(token)
	}
	return out, nil
}

// skippedQuery is what a continuation carries.
type skippedQuery struct {
	Integration string           `json:"i"`
	Object      string           `json:"o,omitempty"`
	After       store.SetAsideAt `json:"a"`

	limit int
}

func readSkippedQuery(values url.Values, t *store.Target) (skippedQuery, error) {
	q := skippedQuery{Integration: t.IntegrationID}
	if token := values.Get("after"); token != "" {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err == nil {
			err = json.Unmarshal(raw, &q)
		}
		good := func(name string) bool { return name == "" || validName(objectName, name, maxObjectName) }
		if err != nil || q.Integration != t.IntegrationID || !good(q.Object) || !good(q.After.Object) || !good(q.After.RecordID) {
			return q, fault.New(fault.Invalid, "after is no continuation of this list")
		}
	}
	if object := values.Get("object"); object != "" {
		if !validName(objectName, object, maxObjectName) {
			return q, fault.New(fault.Invalid, "object is %.40q, want the API name of an object", object)
		}
		if q.After.Object != "" && q.Object != object {
			return q, fault.New(fault.Invalid, "object is not that of the list which after continues")
		}
		q.Object = object
	}
	var err error
	q.limit, err = find.Limit(values, find.UsualLimit, find.MaxLimit)
	return q, err
}

// target reads the integration that the path names.
func (a *API) target(c *call) (*store.Target, error) {
	name := c.r.PathValue("integration")
	missing := fault.New(fault.NotFound, "there is no integration %.200q", c.project+"/"+name)
	if !validName(sourceName, name, maxSourceName) {
		return nil, missing
	}
	target, err := a.store.LoadTarget(c.r.Context(), c.project, name)
	if fault.Is(err, fault.NotFound) {
		return nil, missing
	}
	return target, err
}
