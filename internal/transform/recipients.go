package transform

import (
	"bytes"
	"encoding/json"
	"strings"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
)

// PathRecipients is set in a staged line of a mail that has recipients besides those in
// its address fields: a [Recipients]. No field of Salesforce can have this name.
const PathRecipients = "_recipients"

// Recipients are addresses that relations of a mail name (EmailMessageRelation). Salesforce
// takes those that it recognizes as contacts or users out of the address fields of a mail
// that was sent from it.
type Recipients struct {
	To  []string `json:"to,omitempty"`
	Cc  []string `json:"cc,omitempty"`
	Bcc []string `json:"bcc,omitempty"`
}

// IsZero reports whether there are none.
func (r Recipients) IsZero() bool { return len(r.To)+len(r.Cc)+len(r.Bcc) == 0 }

// Attach writes the recipients into a line.
func (r Recipients) Attach(line []byte) ([]byte, error) {
	if r.IsZero() {
		return line, nil
	}
	line = bytes.TrimSpace(line)
	encoded, err := json.Marshal(r)
	if err != nil || len(line) < 2 || line[len(line)-1] != '}' {
		return nil, fault.Wrap(fault.Internal, err, "attach recipients to a line that is no record")
	}
	out := make([]byte, 0, len(line)+len(encoded)+len(recipientsKey)+1)
	out = append(append(out, line[:len(line)-1]...), ',')
	out = append(append(out, recipientsKey...), encoded...)
	return append(out, '}'), nil
}

// recipientsKey cannot stand inside a value: there its quotes would be escaped.
var recipientsKey = []byte(`"` + PathRecipients + `":`)

// recipientsOf reads what Attach wrote.
func recipientsOf(line []byte) (Recipients, error) {
	var record struct {
		Recipients Recipients `json:"_recipients"`
	}
	if !bytes.Contains(line, recipientsKey) {
		return record.Recipients, nil
	}
	err := json.Unmarshal(line, &record)
	return record.Recipients, err
}

// add puts the recipients behind the addresses of the message's own fields, each address
// once in any case of letters.
func (r Recipients) add(m *comment.Message) {
	m.To, m.Cc, m.Bcc = join(m.To, r.To), join(m.Cc, r.Cc), join(m.Bcc, r.Bcc)
}

func join(have, more []string) []string {
	known := map[string]bool{}
	for _, a := range have {
		known[bare(a)] = true
	}
	for _, a := range more {
		a, _ = clean.Cut(clean.Line(a), comment.MaxAddressSize)
		if a == "" || known[bare(a)] || len(have) == comment.MaxAddresses {
			continue
		}
		known[bare(a)] = true
		have = append(have, a)
	}
	return have
}

// bare is the address itself, of "Name <address>" too.
func bare(address string) string {
	if open := strings.LastIndexByte(address, '<'); open >= 0 {
		address = strings.TrimSuffix(strings.TrimSpace(address[open+1:]), ">")
	}
	return strings.ToLower(strings.TrimSpace(address))
}
