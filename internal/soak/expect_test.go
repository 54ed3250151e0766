package soak

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/config"
	"salesforcesync/internal/simforce"
)

// kind is an object of a script: how it is configured, and, without a line of the
// product's mapping, which rows count and what they must become.
type kind struct {
	name   string
	spec   func() config.Object
	wheres []where
	// become is the comment of a row; nil when it cannot become one.
	become func(row simforce.Row, p parents) *comment.Comment
	// counts is the preset's own condition.
	counts func(row simforce.Row) bool
}

// where is a condition and its meaning.
type where struct {
	soql  string
	holds func(row simforce.Row, p parents) bool
}

// parents are the rows that properties and conditions reach, and the relations of mails
// by mail, in Id order.
type parents struct {
	cases, accounts, owners map[string]simforce.Row
	relations               map[string][]simforce.Row
	instance                string // the address of the org
}

func (p parents) caseOf(row simforce.Row) simforce.Row { return p.cases[text(row, "ParentId")] }

func text(r simforce.Row, field string) string { s, _ := r[field].(string); return s }

func everything(simforce.Row, parents) bool { return true }

const (
	mailObject   = "EmailMessage"
	noteObject   = "CaseComment"
	surveyObject = "Survey_Response__c"
)

var kinds = []kind{
	{
		name: mailObject,
		spec: func() config.Object {
			return config.Object{Object: mailObject, Preset: config.PresetEmail, Properties: []config.Property{
				{Name: "Account", Path: "Parent.Account.Name"}, {Name: "Read", Path: "Status"}}}
		},
		wheres: []where{
			{"", everything},
			{"", everything},
			{"Incoming = true", func(r simforce.Row, _ parents) bool { return r["Incoming"] == true }},
			{"Parent.Priority = 'High'", func(r simforce.Row, p parents) bool { return text(p.caseOf(r), "Priority") == "High" }},
		},
		counts: func(r simforce.Row) bool { return r["Status"] != "5" && r["IsPrivateDraft"] != true },
		become: mailComment,
	},
	{
		name: noteObject,
		spec: func() config.Object {
			return config.Object{Object: noteObject, Fields: config.FieldMap{"timestamp": "CreatedDate", "body": "CommentBody", "thread": "ParentId"},
				Properties: []config.Property{{Name: "Case Subject", Path: "Parent.Subject"}, {Name: "Case Status", Path: "Parent.Status"}}}
		},
		wheres: []where{
			{"", everything},
			{"IsPublished = true", func(r simforce.Row, _ parents) bool { return r["IsPublished"] == true }},
			{"Parent.Status != 'Closed'", func(r simforce.Row, p parents) bool { return text(p.caseOf(r), "Status") != "Closed" }},
		},
		counts: func(simforce.Row) bool { return true },
		become: noteComment,
	},
	{
		name: surveyObject,
		spec: func() config.Object {
			return config.Object{Object: surveyObject, Fields: config.FieldMap{"timestamp": "Submitted__c", "body": "Feedback__c"},
				Properties: []config.Property{{Name: "Score", Path: "Score__c"}, {Name: "Name", Path: "Name"}}}
		},
		wheres: []where{
			{"", everything},
			{"Score__c > 5", func(r simforce.Row, _ parents) bool { n, ok := r["Score__c"].(float64); return ok && n > 5 }},
		},
		counts: func(simforce.Row) bool { return true },
		become: surveyComment,
	},
}

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }

// oneLine is a text on one line, without control characters.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s))
}

func addresses(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "; ")
}

func mailComment(m simforce.Row, p parents) *comment.Comment {
	sent := m["MessageDate"].(time.Time).UTC()
	msg := comment.Message{From: text(m, "FromAddress"), To: addresses(text(m, "ToAddress")), Cc: addresses(text(m, "CcAddress")),
		Bcc: addresses(text(m, "BccAddress")), SentAt: &sent}
	if m["Incoming"] != true { // only these have recipients besides their address fields
		for _, rel := range p.relations[text(m, "Id")] {
			list := map[string]*[]string{"ToAddress": &msg.To, "CcAddress": &msg.Cc, "BccAddress": &msg.Bcc}[text(rel, "RelationType")]
			a := text(rel, "RelationAddress")
			if list != nil && a != "" && !slices.ContainsFunc(*list, func(b string) bool { return strings.EqualFold(a, b) }) {
				*list = append(*list, a)
			}
		}
	}
	if name := oneLine(text(m, "FromName")); name != "" && msg.From != "" {
		msg.From = name + " <" + msg.From + ">"
	} else if name != "" {
		msg.From = name
	}
	if s := oneLine(text(m, "Subject")); s != "" {
		msg.Subject = &comment.Text{Text: s}
	}
	// How a mail is taken apart is package clean's own business.
	split := clean.Split(clean.Mail{Text: text(m, "TextBody"), HTML: text(m, "HtmlBody"), FromName: text(m, "FromName"), FromAddress: text(m, "FromAddress"), Subject: text(m, "Subject")})
	if msg.Body.Text = split.Reply; split.Signature != "" {
		msg.Signature = &comment.Text{Text: split.Signature}
	}
	thread := text(m, "ParentId")
	if thread == "" {
		thread = text(m, "ThreadIdentifier")
	}
	c := &comment.Comment{ID: hexOf(text(m, "Id")), Timestamp: sent, ThreadID: hexOf(thread), Messages: []comment.Message{msg},
		Properties: comment.Properties{"string:Direction": "outbound"}}
	if m["Incoming"] == true {
		c.Properties["string:Direction"] = "inbound"
	}
	property(c, "Read", text(m, "Status"))
	parent := p.caseOf(m)
	for name, field := range map[string]string{"Case Number": "CaseNumber", "Case Status": "Status", "Case Priority": "Priority", "Case Origin": "Origin"} {
		property(c, name, text(parent, field))
	}
	property(c, "Account", text(p.accounts[text(parent, "AccountId")], "Name"))
	property(c, "Case Owner", text(p.owners[text(parent, "OwnerId")], "Name"))
	property(c, "Has Attachments", strconv.FormatBool(m["HasAttachment"] == true))
	property(c, "Record URL", p.instance+"/"+text(m, "Id"))
	property(c, "Sender Domain", domains([]string{msg.From}))
	to := msg.To
	if len(to) == 0 {
		to = msg.Cc
	}
	property(c, "Recipient Domain", domains(to))
	return c
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

func noteComment(n simforce.Row, p parents) *comment.Comment {
	c := &comment.Comment{ID: hexOf(text(n, "Id")), Timestamp: n["CreatedDate"].(time.Time).UTC(), ThreadID: hexOf(text(n, "ParentId")),
		Messages: []comment.Message{{Body: comment.Text{Text: clean.Text(text(n, "CommentBody"))}}}, Properties: comment.Properties{}}
	property(c, "Case Subject", text(p.caseOf(n), "Subject"))
	property(c, "Case Status", text(p.caseOf(n), "Status"))
	return c
}

func surveyComment(s simforce.Row, _ parents) *comment.Comment {
	at, ok := s["Submitted__c"].(time.Time)
	if !ok {
		return nil
	}
	c := &comment.Comment{ID: hexOf(text(s, "Id")), Timestamp: at.UTC(),
		Messages: []comment.Message{{Body: comment.Text{Text: clean.Text(text(s, "Feedback__c"))}}}, Properties: comment.Properties{}}
	if n, ok := s["Score__c"].(float64); ok {
		c.Properties["number:Score"] = n
	}
	property(c, "Name", text(s, "Name"))
	return c
}

func property(c *comment.Comment, name, value string) {
	if value != "" {
		c.Properties["string:"+name] = clean.Text(value)
	}
}

// print is a comment as one comparable line.
func print(c *comment.Comment) string {
	if c == nil {
		return ""
	}
	c.Timestamp = c.Timestamp.UTC()
	for i := range c.Messages {
		if at := c.Messages[i].SentAt; at != nil {
			utc := at.UTC()
			c.Messages[i].SentAt = &utc
		}
	}
	raw, err := json.Marshal(c)
	must(err, "write a comment")
	return string(raw)
}
