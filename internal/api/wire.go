package api

import (
	"cmp"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/find"
	"salesforcesync/internal/store"
)

// timestamp is a time as the vendor's API writes it: RFC 3339, UTC, microseconds,
// for example 2016-02-10T23:13:28.340295+00:00.
type timestamp time.Time

const timestampLayout = "2006-01-02T15:04:05.000000-07:00"

// MarshalJSON writes the time.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(`"` + timestampLayout + `"`)), nil
}

type number = comment.Number

type wireProject struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Title        string    `json:"title"`
	Description  string    `json:"description"`
	CreatedAt    timestamp `json:"created_at"`
	UpdatedAt    timestamp `json:"updated_at"`
	UserAutoJoin bool      `json:"user_auto_join"`
}

func toWireProject(p store.Project) wireProject {
	return wireProject{
		ID: p.ID, Name: p.Name, Title: p.Title, Description: p.Description,
		CreatedAt: timestamp(p.CreatedAt), UpdatedAt: timestamp(p.UpdatedAt),
	}
}

type wireSource struct {
	ID                  string    `json:"id"`
	Owner               string    `json:"owner"`
	Name                string    `json:"name"`
	Title               string    `json:"title"`
	Description         string    `json:"description"`
	Language            string    `json:"language"`
	ShouldTranslate     bool      `json:"should_translate"`
	SensitiveProperties []string  `json:"sensitive_properties"`
	CreatedAt           timestamp `json:"created_at"`
	UpdatedAt           timestamp `json:"updated_at"`
	LastModified        timestamp `json:"last_modified"`
	Kind                string    `json:"_kind"`
	EmailTransformTag   *string   `json:"email_transform_tag,omitempty"`
}

func toWireSource(s store.Source) wireSource {
	return wireSource{
		ID: s.ID, Owner: s.Project, Name: s.Name, Title: s.Title, Description: s.Description, Language: s.Language,
		ShouldTranslate: s.ShouldTranslate, SensitiveProperties: append([]string{}, s.SensitiveProperties...),
		CreatedAt: timestamp(s.CreatedAt), UpdatedAt: timestamp(s.UpdatedAt), LastModified: timestamp(s.UpdatedAt), Kind: s.Kind,
		EmailTransformTag: s.EmailTransformTag,
	}
}

type wireComment struct {
	ID             string               `json:"id"`
	UID            string               `json:"uid"`
	Timestamp      timestamp            `json:"timestamp"`
	ThreadID       string               `json:"thread_id,omitempty"`
	Messages       []wireMessage        `json:"messages"`
	UserProperties map[string]any       `json:"user_properties"`
	TextFormat     string               `json:"text_format"`
	Attachments    []comment.Attachment `json:"attachments"`
	SourceID       string               `json:"source_id"`
	CreatedAt      timestamp            `json:"created_at"`
	LastModified   timestamp            `json:"last_modified"`
	HasAnnotations bool                 `json:"has_annotations"`
	Context        string               `json:"context"`
}

type wireMessage struct {
	Body      comment.Text  `json:"body"`
	Subject   *comment.Text `json:"subject,omitempty"`
	Signature *comment.Text `json:"signature,omitempty"`
	From      string        `json:"from,omitempty"`
	To        []string      `json:"to,omitempty"`
	Cc        []string      `json:"cc,omitempty"`
	Bcc       []string      `json:"bcc,omitempty"`
	SentAt    *timestamp    `json:"sent_at,omitempty"`
	Language  string        `json:"language,omitempty"`
}

func toWireMessages(list []comment.Message) []wireMessage {
	out := make([]wireMessage, len(list))
	for i, m := range list {
		out[i] = wireMessage{
			Body: m.Body, Subject: m.Subject, Signature: m.Signature, From: m.From, To: m.To, Cc: m.Cc, Bcc: m.Bcc,
			SentAt: (*timestamp)(m.SentAt), Language: m.Language,
		}
	}
	return out
}

// toWireComment leaves out the properties that hidden names.
func toWireComment(c store.StoredComment, hidden find.Hidden) wireComment {
	out := wireComment{
		ID: c.ID, UID: c.SourceID + "." + c.ID, Timestamp: timestamp(c.Timestamp), ThreadID: c.ThreadID,
		Messages: toWireMessages(c.Messages), UserProperties: make(map[string]any, len(c.Properties)),
		TextFormat: cmp.Or(c.TextFormat, comment.Plain), Attachments: append([]comment.Attachment{}, c.Attachments...), SourceID: c.SourceID,
		CreatedAt: timestamp(c.CreatedAt), LastModified: timestamp(c.LastModified), Context: c.Context,
	}
	for key, value := range c.Properties {
		if hidden.Has(key) {
			continue
		}
		if f, ok := value.(float64); ok {
			value = number(f)
		}
		out.UserProperties[key] = value
	}
	return out
}
