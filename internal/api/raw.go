package api

import (
	"encoding/json"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// getRaw gives a record's raw copy. It has every field that was read, sensitive ones too. One
// of a deleted record is as unknown as one that never was.
func (a *API) getRaw(c *call) (reply, error) {
	target, err := a.target(c)
	if err != nil {
		return nil, err
	}
	object, id := c.r.PathValue("object"), salesforce.To18(c.r.PathValue("id"))
	missing := fault.New(fault.NotFound, "integration %s/%s has no record %.40q of %.100q", target.Project, target.Integration, c.r.PathValue("id"), object)
	if id == "" || !validName(objectName, object, maxObjectName) {
		return nil, missing
	}
	found, err := a.store.StoredByID(c.r.Context(), target.SourceID, object, []string{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 || found[0].State == store.RecordDeleted || found[0].State == store.RecordErased {
		return nil, missing
	}
	raw, err := transform.RawOf(a.store.RawReader(c.r.Context(), target.SourceID, object), found[0])
	if err != nil {
		return nil, err
	}
	return reply{"record": wireRaw{Object: object, RecordID: id, State: found[0].State, CommentID: found[0].CommentID, SalesforceURL: target.RecordURL(id), Raw: raw}}, nil
}

type wireRaw struct {
	Object        string          `json:"object"`
	RecordID      string          `json:"record_id"`
	State         string          `json:"state"`
	CommentID     string          `json:"comment_id"`
	SalesforceURL string          `json:"salesforce_url"`
	Raw           json.RawMessage `json:"raw"`
}

// getCleaning explains a comment's text: what was set apart, and by which rule. It is worked out of
// the raw copy with the cleaning of today.
func (a *API) getCleaning(c *call) (reply, error) {
	ctx, id := c.r.Context(), c.r.PathValue("id")
	missing := fault.New(fault.NotFound, "source %s/%s has no comment %.100q", c.project, c.source.Name, id)
	if !comment.ValidID(id) {
		return nil, missing
	}
	if _, err := a.store.Comment(ctx, c.source.ID, id); err != nil {
		if fault.Is(err, fault.NotFound) {
			err = missing
		}
		return nil, err
	}
	e, record, err := transform.ExplainComment(ctx, a.store, c.source.ID, id)
	if err != nil {
		return nil, err
	}
	out := wireCleaning{CommentID: id, Object: e.Object, RecordID: record.ID, Version: e.Version, InForce: e.InForce, Same: e.Same, Mail: e.Mail,
		Text: e.Text, Reply: e.Reply, Signature: e.Signature, Spans: []wireSpan{}}
	for i, s := range e.Characters() {
		out.Spans = append(out.Spans, wireSpan{s, e.Text[e.Spans[i].Start:e.Spans[i].End]})
	}
	return reply{"cleaning": out}, nil
}

type wireCleaning struct {
	CommentID string     `json:"comment_id"`
	Object    string     `json:"object"`
	RecordID  string     `json:"record_id"`
	Version   int        `json:"cleaning_version"`          // that explains
	InForce   int        `json:"cleaning_version_in_force"` // that made the stored text
	Same      bool       `json:"same"`                      // what is explained is the stored text
	Mail      bool       `json:"mail"`                      // it was taken apart
	Text      string     `json:"text"`                      // all of it, clean
	Reply     string     `json:"reply"`
	Signature string     `json:"signature"`
	Spans     []wireSpan `json:"spans"`
}

// wireSpan is a stretch that was set apart; start and end count characters of the text.
type wireSpan struct {
	clean.Span
	Text string `json:"text"`
}
