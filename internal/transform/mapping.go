package transform

import (
	"slices"

	"salesforcesync/internal/salesforce"
)

// Mapping says which Salesforce path feeds which part of a comment. Paths are in
// Salesforce's spelling. In a list, the first path with a value wins.
type Mapping struct {
	Case       string         `json:"case,omitempty"`   // a lookup to several kinds of record: one to a case makes the thread
	Thread     []string       `json:"thread,omitempty"` // an Id or a text
	Subject    string         `json:"subject,omitempty"`
	Body       []TextPath     `json:"body,omitempty"`
	Mail       bool           `json:"mail,omitempty"` // bodies are mails: the newest message is kept apart
	Chat       bool           `json:"chat,omitempty"` // the body is a chat: a message for each turn, dated from SentAt
	Signature  *TextPath      `json:"signature,omitempty"`
	FromName   string         `json:"from_name,omitempty"`
	From       string         `json:"from,omitempty"`
	Senders    []Sender       `json:"senders,omitempty"` // who else a record is from when From and FromName are empty
	To         string         `json:"to,omitempty"`
	Cc         string         `json:"cc,omitempty"`
	Bcc        string         `json:"bcc,omitempty"`
	SentAt     string         `json:"sent_at,omitempty"`
	Timestamp  []string       `json:"timestamp"`
	Direction  string         `json:"direction,omitempty"` // a checkbox "incoming", or a text
	Properties []PropertyPath `json:"properties,omitempty"`
	Domains    bool           `json:"domains,omitempty"` // the domains of sender and recipients are properties
	URL        string         `json:"url,omitempty"`     // with the record's Id behind it, a property
}

// Sender is one of several that a record may be from.
type Sender struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
}

// AddSender adds a path to who records may be from: the name of the next sender, or
// an address.
func (m *Mapping) AddSender(path string, name bool) {
	last := &Sender{m.FromName, m.From}
	if n := len(m.Senders); n > 0 {
		last = &m.Senders[n-1]
	}
	switch {
	case name && last.Name == "":
		last.Name = path
	case !name && last.Address == "":
		last.Address = path
	case name:
		m.Senders = append(m.Senders, Sender{Name: path})
		return
	default:
		m.Senders = append(m.Senders, Sender{Address: path})
		return
	}
	if len(m.Senders) == 0 {
		m.FromName, m.From = last.Name, last.Address
	}
}

// TextPath is a path to a text that may be HTML.
type TextPath struct {
	Path string `json:"path"`
	HTML bool   `json:"html,omitempty"`
	Rich string `json:"rich,omitempty"` // a checkbox that says for each record whether it is HTML
}

// PropertyPath is a property and where its value comes from.
type PropertyPath struct {
	Name string `json:"name"`
	Path string `json:"path"`
	Case bool   `json:"case,omitempty"` // only of a record that Mapping.Case leads from to a case
}

// Paths lists every path the mapping reads, sorted, each once.
func (m Mapping) Paths() []string {
	out := m.TextPaths()
	add := func(paths ...string) {
		for _, p := range paths {
			if p != "" {
				out = append(out, p)
			}
		}
	}
	add(m.Case)
	add(m.Thread...)
	for _, sender := range m.Senders {
		add(sender.Name, sender.Address)
	}
	add(m.FromName, m.From, m.To, m.Cc, m.Bcc, m.SentAt, m.Direction)
	add(m.Timestamp...)
	for _, p := range m.Properties {
		add(p.Path)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Feeds says what a path feeds, in the words of the integration file.
func (m Mapping) Feeds(path string) []string {
	var out []string
	add := func(what string, paths ...string) {
		if path != "" && slices.Contains(paths, path) {
			out = append(out, what)
		}
	}
	add("subject", m.Subject)
	for _, b := range m.Body {
		add("body", b.Path, b.Rich)
	}
	if m.Signature != nil {
		add("signature", m.Signature.Path)
	}
	add("timestamp", m.Timestamp...)
	add("thread", append(slices.Clone(m.Thread), m.Case)...)
	add("from", m.From, m.FromName)
	for _, sender := range m.Senders {
		add("from", sender.Name, sender.Address)
	}
	add("to", m.To)
	add("cc", m.Cc)
	add("bcc", m.Bcc)
	add("sent_at", m.SentAt)
	add("direction", m.Direction)
	for _, p := range m.Properties {
		add("property "+p.Name, p.Path)
	}
	return out
}

// Texts lists the paths that may be HTML: those of body and signature.
func (m Mapping) Texts() []TextPath {
	out := slices.Clone(m.Body)
	if m.Signature != nil {
		out = append(out, *m.Signature)
	}
	return out
}

// TextPaths lists the paths that feed subject, body and signature: as long as their
// values stay, the text stays and nothing is charged. Of a mail those are both bodies, whichever
// is read; the sender's name only helps to find the signature, and is none of them.
func (m Mapping) TextPaths() []string {
	var out []string
	if m.Subject != "" {
		out = append(out, m.Subject)
	}
	for _, b := range m.Body {
		out = append(out, b.Path)
		if b.Rich != "" {
			out = append(out, b.Rich)
		}
	}
	if m.Signature != nil {
		out = append(out, m.Signature.Path)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Types is what the mapping needs to know of describe: the type of each path.
type Types = salesforce.Fields
