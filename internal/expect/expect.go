package expect

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
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

// The objects whose comments this package knows.
const (
	MailObject   = "EmailMessage"
	NoteObject   = "CaseComment"
	SurveyObject = "Survey_Response__c"
)

// MailSpec is the object of an integration file whose comments are those of [Mail].
func MailSpec() config.Object {
	return config.Object{Object: MailObject, Preset: config.PresetEmail, Properties: []config.Property{
		{Name: "Account", Path: "Parent.Account.Name"}, {Name: "Read", Path: "Status"}}}
}

// NoteSpec is the object of [Note], by fields.
func NoteSpec() config.Object {
	return config.Object{Object: NoteObject, Fields: config.FieldMap{"timestamp": "CreatedDate", "body": "CommentBody", "thread": "ParentId"},
		Properties: []config.Property{{Name: "Case Subject", Path: "Parent.Subject"}, {Name: "Case Status", Path: "Parent.Status"}}}
}

// SurveySpec is the object of [Survey], by fields.
func SurveySpec() config.Object {
	return config.Object{Object: SurveyObject, Fields: config.FieldMap{"timestamp": "Submitted__c", "body": "Feedback__c"},
		Properties: []config.Property{{Name: "Score", Path: "Score__c"}, {Name: "Name", Path: "Name"}}}
}

// Parents are the rows that properties and conditions reach, and the relations of mails
// by mail, in Id order.
type Parents struct {
	Cases, Accounts, Owners map[string]simforce.Row
	Relations               map[string][]simforce.Row
	Instance                string // the address of the org
}

// ParentsOf collects them; records lists all rows of an object.
func ParentsOf(instance string, records func(object string) []simforce.Row) Parents {
	p := Parents{map[string]simforce.Row{}, map[string]simforce.Row{}, map[string]simforce.Row{}, map[string][]simforce.Row{}, instance}
	for _, r := range records("Case") {
		p.Cases[Text(r, "Id")] = r
	}
	for _, r := range records("Account") {
		p.Accounts[Text(r, "Id")] = r
	}
	for _, r := range slices.Concat(records("User"), records("Group")) {
		p.Owners[Text(r, "Id")] = r
	}
	for _, r := range records("EmailMessageRelation") {
		if r["IsDeleted"] != true {
			mail := Text(r, "EmailMessageId")
			p.Relations[mail] = append(p.Relations[mail], r)
		}
	}
	return p
}

// CaseOf is the case of a row, nil without one.
func (p Parents) CaseOf(row simforce.Row) simforce.Row { return p.Cases[Text(row, "ParentId")] }

// Text is a field of a row, "" when it is null.
func Text(r simforce.Row, field string) string { s, _ := r[field].(string); return s }

// HexOf is the id of the comment that a record becomes.
func HexOf(s string) string { return hex.EncodeToString([]byte(s)) }

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

// Mail is the comment of an EmailMessage, as [MailSpec] asks for it.
func Mail(m simforce.Row, p Parents) *comment.Comment {
	sent := m["MessageDate"].(time.Time).UTC()
	msg := comment.Message{From: Text(m, "FromAddress"), To: addresses(Text(m, "ToAddress")), Cc: addresses(Text(m, "CcAddress")),
		Bcc: addresses(Text(m, "BccAddress")), SentAt: &sent}
	if m["Incoming"] != true { // only these have recipients besides their address fields
		for _, rel := range p.Relations[Text(m, "Id")] {
			list := map[string]*[]string{"ToAddress": &msg.To, "CcAddress": &msg.Cc, "BccAddress": &msg.Bcc}[Text(rel, "RelationType")]
			a := Text(rel, "RelationAddress")
			if list != nil && a != "" && !slices.ContainsFunc(*list, func(b string) bool { return strings.EqualFold(a, b) }) {
				*list = append(*list, a)
			}
		}
	}
	if name := oneLine(Text(m, "FromName")); name != "" && msg.From != "" {
		msg.From = name + " <" + msg.From + ">"
	} else if name != "" {
		msg.From = name
	}
	if s := oneLine(Text(m, "Subject")); s != "" {
		msg.Subject = &comment.Text{Text: s}
	}
	// How a mail is taken apart is package clean's own business.
	split := clean.Split(clean.Mail{Text: Text(m, "TextBody"), HTML: Text(m, "HtmlBody"), FromName: Text(m, "FromName"), FromAddress: Text(m, "FromAddress"), Subject: Text(m, "Subject")})
	if msg.Body.Text = split.Reply; split.Signature != "" {
		msg.Signature = &comment.Text{Text: split.Signature}
	}
	thread := Text(m, "ParentId")
	if thread == "" {
		thread = Text(m, "ThreadIdentifier")
	}
	c := &comment.Comment{ID: HexOf(Text(m, "Id")), Timestamp: sent, ThreadID: HexOf(thread), Messages: []comment.Message{msg},
		Properties: comment.Properties{"string:Direction": "outbound"}}
	if m["Incoming"] == true {
		c.Properties["string:Direction"] = "inbound"
	}
	property(c, "Read", Text(m, "Status"))
	parent := p.CaseOf(m)
	for name, field := range map[string]string{"Case Number": "CaseNumber", "Case Status": "Status", "Case Priority": "Priority", "Case Origin": "Origin"} {
		property(c, name, Text(parent, field))
	}
	property(c, "Account", Text(p.Accounts[Text(parent, "AccountId")], "Name"))
	property(c, "Case Owner", Text(p.Owners[Text(parent, "OwnerId")], "Name"))
	property(c, "Has Attachments", strconv.FormatBool(m["HasAttachment"] == true))
	property(c, "Record URL", p.Instance+"/"+Text(m, "Id"))
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

// Note is the comment of a CaseComment, as [NoteSpec] asks for it.
func Note(n simforce.Row, p Parents) *comment.Comment {
	c := &comment.Comment{ID: HexOf(Text(n, "Id")), Timestamp: n["CreatedDate"].(time.Time).UTC(), ThreadID: HexOf(Text(n, "ParentId")),
		Messages: []comment.Message{{Body: comment.Text{Text: clean.Text(Text(n, "CommentBody"))}}}, Properties: comment.Properties{}}
	property(c, "Case Subject", Text(p.CaseOf(n), "Subject"))
	property(c, "Case Status", Text(p.CaseOf(n), "Status"))
	return c
}

// Survey is the comment of a Survey_Response__c, as [SurveySpec] asks for it; nil without a date,
// where it cannot become one.
func Survey(s simforce.Row, _ Parents) *comment.Comment {
	at, ok := s["Submitted__c"].(time.Time)
	if !ok {
		return nil
	}
	c := &comment.Comment{ID: HexOf(Text(s, "Id")), Timestamp: at.UTC(),
		Messages: []comment.Message{{Body: comment.Text{Text: clean.Text(Text(s, "Feedback__c"))}}}, Properties: comment.Properties{}}
	if n, ok := s["Score__c"].(float64); ok {
		c.Properties["number:Score"] = n
	}
	property(c, "Name", Text(s, "Name"))
	return c
}

func property(c *comment.Comment, name, value string) {
	if value != "" {
		c.Properties["string:"+name] = clean.Text(value)
	}
}

// Print is a comment as one comparable line, "" for none.
func Print(c *comment.Comment) string {
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
	if err != nil {
		panic(fmt.Sprintf("write a comment: %v", err)) // nothing in a comment cannot be JSON
	}
	return string(raw)
}
