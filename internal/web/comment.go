package web

import (
	"context"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/find"
	"salesforcesync/internal/gate"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// CommentStore is what the pages of comments read; *store.Store is one.
type CommentStore interface {
	find.Searcher
	transform.Records
	SourceByName(ctx context.Context, project, name string) (*store.Source, error)
	SizeOf(ctx context.Context, q store.CommentSearch, most int) (store.Size, error)
	WordsLag(ctx context.Context, sourceID string) (time.Duration, error)
	ThreadComments(ctx context.Context, threadID string, q store.CommentQuery) ([]store.StoredComment, bool, error)
	Comment(ctx context.Context, sourceID, id string) (*store.StoredComment, error)
	Revisions(ctx context.Context, sourceID, commentID string, before, limit int) ([]store.Revision, bool, error)
	CommentUnits(ctx context.Context, sourceID, commentID string) ([]store.Unit, error)
	AuditOften(ctx context.Context, e store.AuditEvent, sourceID string, rows int64) error
}

// pagesAtATime is how many pages of comments are made at a time: one may read many comments of any size.
const pagesAtATime = 8

func newPages() *gate.Gate { return gate.New("make a page of comments", pagesAtATime, gate.Patience) }

// sourceForm is what names of sources are made of.
var sourceForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// source reads the source that the path names, if the visitor has the permission there.
func (web *Web) source(v *visit, permission string) (*store.Source, error) {
	project, name := v.r.PathValue("project"), v.r.PathValue("source")
	missing := fault.New(fault.NotFound, "there is no source %.200q", project+"/"+name)
	if !nameForm.MatchString(project) || !sourceForm.MatchString(name) {
		return nil, missing
	}
	if err := v.who.Permit(project, permission, missing); err != nil {
		return nil, err
	}
	found, err := web.store.SourceByName(v.r.Context(), project, name)
	if fault.Is(err, fault.NotFound) {
		err = missing
	}
	return found, err
}

// reads writes to the audit log that the visitor read so many comments of a source, as the API does.
func (web *Web) reads(v *visit, event string, source *store.Source, rows int) error {
	return web.store.AuditOften(v.r.Context(), store.AuditEvent{
		Type: event, Sources: []string{source.ID}, Projects: []string{source.ProjectID}, Details: map[string]any{},
		Names: map[string]string{source.ID: source.Project + "/" + source.Name, source.ProjectID: source.Project},
	}, source.ID, int64(rows))
}

// segment makes any id one segment of a path. Browsers take dots for places in the path, however they are
// written: an id of nothing else has no page.
func segment(id string) (escaped string, ok bool) {
	return url.PathEscape(id), id != "" && id != "." && id != ".."
}

// commentPath is the page of a comment; "" when it cannot have one.
func commentPath(project, source, id string) string { return pathOf("comments", project, source, id) }

// threadPath is the page of a thread; "" when there is none.
func threadPath(source *store.Source, id string) string {
	return pathOf("threads", source.Project, source.Name, id)
}

func pathOf(kind, project, source, id string) string {
	last, ok := segment(id)
	if !ok {
		return ""
	}
	return "/" + kind + "/" + url.PathEscape(project) + "/" + url.PathEscape(source) + "/" + last
}

// way is whether a comment came in or went out, where it says so.
type way string

const (
	cameIn  way = "in"
	wentOut way = "out"
)

// wayOf reads it from a comment's properties, if the reader may see it.
func wayOf(properties comment.Properties, hidden find.Hidden) way {
	const key = "string:" + transform.PropertyDirection
	if hidden.Has(key) {
		return ""
	}
	switch properties[key] {
	case transform.DirectionIn:
		return cameIn
	case transform.DirectionOut:
		return wentOut
	}
	return ""
}

// Label is the way in words.
func (w way) Label() string {
	switch w {
	case cameIn:
		return "Received"
	case wentOut:
		return "Sent"
	}
	return ""
}

// recordPath is where a comment's record is seen in Salesforce; "" when the comment does not say, or
// is of no record.
func recordPath(c *store.StoredComment, hidden find.Hidden) string {
	const key = "string:" + transform.PropertyRecordURL
	id := transform.RecordOf(c.ID)
	text, _ := c.Properties[key].(string)
	if id == "" || hidden.Has(key) {
		return ""
	}
	at, err := url.Parse(text)
	if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Path != "/"+id {
		return ""
	}
	return text
}

// subjectOf is the subject of a comment's first message that has one.
func subjectOf(c *store.StoredComment) string {
	for i := range c.Messages {
		if s := c.Messages[i].Subject; s != nil && s.Text != "" {
			return s.Text
		}
	}
	return ""
}

// sizeInWords is a store.Size in words, such as "12 comments" or "10,000+ comments"; "" when nobody knows.
func sizeInWords(s store.Size) string {
	switch {
	case s.Unknown:
		return ""
	case s.More:
		return groupDigits(s.N) + "+ comments"
	case s.N == 1:
		return "1 comment"
	}
	return groupDigits(s.N) + " comments"
}

// property is a property as a page shows it.
type property struct {
	Name, Value string
	Cut         bool   // the value is longer
	Search      string // path that finds the comments with the same; "" = none
}

// valueText writes a property's value.
func valueText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}
