package e2e

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/simforce"
)

// seen is a comment as the API gives it.
type seen struct {
	ID        string    `json:"id"`
	Timestamp time.Time `json:"timestamp"`
	ThreadID  string    `json:"thread_id"`
	Messages  []struct {
		Body    struct{ Text string } `json:"body"`
		Subject struct{ Text string } `json:"subject"`
		From    string                `json:"from"`
		To      []string              `json:"to"`
		Cc      []string              `json:"cc"`
		Bcc     []string              `json:"bcc"`
		SentAt  *time.Time            `json:"sent_at"`
	} `json:"messages"`
	Properties map[string]any `json:"user_properties"`
}

// flat is a comment as one comparable list of lines.
func (c seen) flat() string {
	var b strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&b, "%s: %v\n", name, value) }
	line("id", c.ID)
	line("timestamp", c.Timestamp.UTC().Format(time.RFC3339Nano))
	line("thread", c.ThreadID)
	for _, m := range c.Messages {
		line("subject", m.Subject.Text)
		line("from", m.From)
		line("to", strings.Join(m.To, " | "))
		line("cc", strings.Join(m.Cc, " | "))
		line("bcc", strings.Join(m.Bcc, " | "))
		if m.SentAt != nil {
			line("sent_at", m.SentAt.UTC().Format(time.RFC3339Nano))
		}
		line("body", m.Body.Text)
	}
	for _, name := range sortedKeys(c.Properties) {
		line(name, c.Properties[name])
	}
	return b.String()
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// comments reads a whole source over the API, page by page.
func (s *stack) comments(source string) (map[string]seen, error) {
	all := map[string]seen{}
	after := ""
	for {
		var page struct {
			Comments     []seen `json:"comments"`
			Continuation string `json:"continuation"`
		}
		path := "/api/_private/sources/" + url.PathEscape(source) + "/comments?limit=200"
		if after != "" {
			path += "&after=" + url.QueryEscape(after)
		}
		if err := s.get(path, &page); err != nil {
			return nil, err
		}
		for _, c := range page.Comments {
			if _, twice := all[c.ID]; twice {
				return nil, fmt.Errorf("comment %s is listed twice", c.ID)
			}
			all[c.ID] = c
		}
		if after = page.Continuation; after == "" {
			return all, nil
		}
	}
}

// expected is what a source must hold, worked out from the simulator's rows without
// the product's own mapping.
func (s *stack) expected(extra map[string]string) map[string]string {
	s.t.Helper()
	parents := map[string]simforce.Row{}
	for _, object := range []string{"Case", "Account", "User", "Group"} {
		for _, row := range s.rows(object) {
			parents[row["Id"].(string)] = row
		}
	}
	out := map[string]string{}
	for _, row := range s.rows("EmailMessage") {
		if row["IsDeleted"] == true || row["Status"] == "5" || row["IsPrivateDraft"] == true {
			continue
		}
		text := func(field string) string { v, _ := row[field].(string); return v }
		c := seen{ID: hexOf(text("Id")), Properties: map[string]any{}}
		sent, ok := row["MessageDate"].(time.Time)
		if ok {
			c.Messages = make([]struct {
				Body    struct{ Text string } `json:"body"`
				Subject struct{ Text string } `json:"subject"`
				From    string                `json:"from"`
				To      []string              `json:"to"`
				Cc      []string              `json:"cc"`
				Bcc     []string              `json:"bcc"`
				SentAt  *time.Time            `json:"sent_at"`
			}, 1)
			c.Timestamp, c.Messages[0].SentAt = sent, &sent
		}
		require.True(s.t, ok, "the simulator's mails all have a date")
		m := &c.Messages[0]
		m.Subject.Text = strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "", "\t", "").Replace(text("Subject")))
		m.Body.Text = s.reply(clean.Mail{Text: text("TextBody"), HTML: text("HtmlBody"), FromName: text("FromName"), FromAddress: text("FromAddress"), Subject: text("Subject")})
		m.From = text("FromAddress")
		if name := strings.TrimSpace(text("FromName")); name != "" {
			m.From = strings.TrimSpace(name + " <" + m.From + ">")
		}
		m.To, m.Cc, m.Bcc = list(text("ToAddress")), list(text("CcAddress")), list(text("BccAddress"))
		c.Properties["string:Has Attachments"] = strconv.FormatBool(row["HasAttachment"] == true)
		c.Properties["string:Record URL"] = s.simURL + "/" + text("Id")
		to := m.To
		if len(to) == 0 {
			to = m.Cc
		}
		for name, addresses := range map[string][]string{"Sender Domain": {m.From}, "Recipient Domain": to} {
			if v := domains(addresses); v != "" {
				c.Properties["string:"+name] = v
			}
		}
		c.Properties["string:Direction"] = map[bool]string{true: "inbound", false: "outbound"}[row["Incoming"] == true]
		if parent := text("ParentId"); parent != "" {
			c.ThreadID = hexOf(parent)
			properties := map[string]string{"Case Number": "CaseNumber", "Case Status": "Status", "Case Priority": "Priority", "Case Origin": "Origin"}
			for name, field := range extra {
				properties[name] = field
			}
			for name, field := range properties {
				if v, _ := parents[parent][field].(string); v != "" {
					c.Properties["string:"+name] = v
				}
			}
			for name, lookup := range map[string]string{"Account": "AccountId", "Case Owner": "OwnerId"} {
				id, _ := parents[parent][lookup].(string)
				if v, _ := parents[id]["Name"].(string); v != "" {
					c.Properties["string:"+name] = v
				}
			}
		} else if thread := text("ThreadIdentifier"); thread != "" {
			c.ThreadID = hexOf(thread)
		}
		out[c.ID] = c.flat()
	}
	return out
}

// reply is what a mail says by itself: how it is taken apart is package clean's own
// business. Each is taken apart once, however often its source is compared.
func (s *stack) reply(m clean.Mail) string {
	text, known := s.replies[m]
	if !known {
		text = clean.Split(m).Reply
		s.replies[m] = text
	}
	return text
}

func (s *stack) rows(object string) []simforce.Row {
	s.t.Helper()
	rows, err := s.sim.Records("", object)
	require.NoError(s.t, err)
	return rows
}

// domains are those of addresses, each once.
func domains(addresses []string) string {
	var out []string
	for _, a := range addresses {
		a = strings.ToLower(strings.Trim(a[strings.LastIndexByte(a, '<')+1:], "<> "))
		if _, domain, ok := strings.Cut(a, "@"); ok && !slices.Contains(out, domain) {
			out = append(out, domain)
		}
	}
	return strings.Join(out, ", ")
}

func hexOf(text string) string { return hex.EncodeToString([]byte(text)) }

func list(text string) []string {
	var out []string
	for _, part := range strings.Split(text, ";") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// difference says how source differs from Salesforce, nil when it does not.
func (s *stack) difference(source string, extra map[string]string) error {
	have, err := s.comments(source)
	if err != nil {
		return err
	}
	want := s.expected(extra)
	missing := 0
	var first string
	for id, text := range want {
		c, ok := have[id]
		switch {
		case !ok:
			missing++
		case c.flat() != text && first == "":
			first = fmt.Sprintf("comment %s differs:\nwant %s\nhave %s", id, text, c.flat())
		}
	}
	foreign := 0
	for id := range have {
		if _, ok := want[id]; !ok {
			foreign++
		}
	}
	if missing+foreign > 0 || first != "" {
		return fmt.Errorf("Salesforce has %d, we have %d: %d missing, %d too many\n%s", len(want), len(have), missing, foreign, first)
	}
	return nil
}

// equal waits until the source holds what Salesforce holds.
func (s *stack) equal(source string) {
	s.t.Helper()
	s.eventually(source+" equals Salesforce", func() error { return s.difference(source, nil) })
}
