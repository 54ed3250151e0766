package transform_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/transform"
)

const (
	mailID = "02s5e00000AbCdEAAV"
	caseID = "5005e00000AbCdEAAV"
)

func hexID(id string) string { return salesforce.HexID(id) }

var mailTypes = transform.Types{
	"SystemModstamp": salesforce.TypeDateTime, "IsDeleted": salesforce.TypeBoolean,
	"Subject": salesforce.TypeString, "TextBody": salesforce.TypeTextArea, "HtmlBody": salesforce.TypeTextArea, "Signature__c": salesforce.TypeTextArea,
	"FromName": salesforce.TypeString, "FromAddress": salesforce.TypeString, "ToAddress": salesforce.TypeString, "CcAddress": salesforce.TypeString, "BccAddress": salesforce.TypeString,
	"MessageDate": salesforce.TypeDateTime, "CreatedDate": salesforce.TypeDateTime, "ParentId": salesforce.TypeReference, "ThreadIdentifier": salesforce.TypeString,
	"Incoming": salesforce.TypeBoolean, "Parent.CaseNumber": salesforce.TypeString, "Parent.Priority": salesforce.TypePicklist, "Parent.Age__c": salesforce.TypeDouble,
	"Parent.Account.Name": salesforce.TypeString, "Parent.IsClosed": salesforce.TypeBoolean, "Parent.ClosedDate": salesforce.TypeDateTime, "Parent.Due__c": salesforce.TypeDate,
}

var mailMapping = transform.Mapping{
	Thread: []string{"ParentId", "ThreadIdentifier"}, Subject: "Subject",
	Body:     []transform.TextPath{{Path: "TextBody"}, {Path: "HtmlBody", HTML: true}},
	FromName: "FromName", From: "FromAddress", To: "ToAddress", Cc: "CcAddress", Bcc: "BccAddress",
	SentAt: "MessageDate", Timestamp: []string{"MessageDate", "CreatedDate"}, Direction: "Incoming",
	Properties: []transform.PropertyPath{
		{Name: "Case Number", Path: "Parent.CaseNumber"}, {Name: "Priority", Path: "Parent.Priority"}, {Name: "Age", Path: "Parent.Age__c"},
		{Name: "Account", Path: "Parent.Account.Name"}, {Name: "Closed", Path: "Parent.IsClosed"}, {Name: "Closed At", Path: "Parent.ClosedDate"}, {Name: "Due", Path: "Parent.Due__c"},
	},
}

var recipe = transform.Recipe{Stamp: "SystemModstamp", Types: mailTypes, Mapping: mailMapping}

// record is a mail as REST gives it, with some fields set otherwise; nil means null.
func record(fields map[string]any) []byte {
	all := map[string]any{
		"attributes": map[string]any{"type": "EmailMessage"}, "Id": mailID, "SystemModstamp": "2026-03-01T12:00:05.000+0000", "IsDeleted": false,
		"Subject": "Hello", "TextBody": "Good day", "HtmlBody": nil, "FromName": "Ann Example", "FromAddress": "ann@example.com",
		"ToAddress": "bob@example.com", "CcAddress": nil, "BccAddress": nil, "MessageDate": "2026-03-01T12:00:00.000+0000", "CreatedDate": "2026-03-01T12:00:01.000+0000",
		"ParentId": caseID, "ThreadIdentifier": nil, "Incoming": true, "Parent": nil, "Signature__c": nil,
	}
	for k, v := range fields {
		all[k] = v
	}
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return raw
}

func make1(t testing.TB, m transform.Mapping, fields map[string]any) (*comment.Comment, error) {
	t.Helper()
	rec, err := salesforce.Decode(record(fields), mailTypes)
	require.NoError(t, err)
	return transform.Comment(rec, m, mailTypes)
}

func made(t testing.TB, fields map[string]any) *comment.Comment {
	t.Helper()
	c, err := make1(t, mailMapping, fields)
	require.NoError(t, err)
	return c
}

func TestComment(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	want := &comment.Comment{
		ID: hexID(mailID), Timestamp: sent, ThreadID: hexID(caseID),
		Messages: []comment.Message{{Body: comment.Text{Text: "Good day"}, Subject: &comment.Text{Text: "Hello"},
			From: "Ann Example <ann@example.com>", To: []string{"bob@example.com"}, SentAt: &sent}},
		Properties: comment.Properties{"string:Direction": "inbound", "string:Case Number": "00001026", "string:Priority": "High", "number:Age": 2.5,
			"string:Account": "Acme", "string:Closed": "false", "string:Closed At": "2026-03-02T00:00:00Z", "string:Due": "2026-03-03"},
	}
	require.Equal(t, want, made(t, map[string]any{"Parent": map[string]any{"CaseNumber": "00001026", "Priority": "High", "Age__c": 2.5,
		"Account": map[string]any{"Name": "Acme"}, "IsClosed": false, "ClosedDate": "2026-03-02T00:00:00.000+0000", "Due__c": "2026-03-03"}}))
	require.Len(t, want.ID, 36)
	require.Equal(t, strings.ToLower(want.ID), want.ID)
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"":                                 nil,
		"   ":                              nil,
		"a@x.example":                      {"a@x.example"},
		"a@x.example;":                     {"a@x.example"},
		"a@x.example ; ":                   {"a@x.example"},
		";a@x.example":                     {"a@x.example"},
		"a@x.example;b@y.example":          {"a@x.example", "b@y.example"},
		"a@x.example; b@y.example ;":       {"a@x.example", "b@y.example"},
		"a@x.example;;b@y.example":         {"a@x.example", "b@y.example"},
		"a@x.example, b@y.example":         {"a@x.example", "b@y.example"},
		"a@x.example,b@y.example,":         {"a@x.example", "b@y.example"},
		"a@x.example,, b@y.example":        {"a@x.example", "b@y.example"},
		"Doe, Jane <j@x.example>":          {"Doe, Jane <j@x.example>"},
		"Doe, Jane <j@x.example>;":         {"Doe, Jane <j@x.example>"},
		"Doe, Jane <j@x.example>; b@y.com": {"Doe, Jane <j@x.example>", "b@y.com"},
		`"Doe, Jane" <j@x.example>`:        {`"Doe, Jane" <j@x.example>`},
		`"Doe, Jane" <j@x.example>, Bob <b@y.example>`: {`"Doe, Jane" <j@x.example>`, "Bob <b@y.example>"},
		`"a; b" <c@x.example>; d@y.example`:            {`"a; b" <c@x.example>`, "d@y.example"},
		`"say \"hi\"; you" <c@x.example>;d@y.example`:  {`"say \"hi\"; you" <c@x.example>`, "d@y.example"},
		`one " mark <c@x.example>; d@y.example`:        {`one " mark <c@x.example>`, "d@y.example"},
		"open <c@x.example; d@y.example":               {"open <c@x.example", "d@y.example"},
		"<a;b@x.example>; c@y.example":                 {"<a;b@x.example>", "c@y.example"},
		"line\r\nbreak@x.example; b@y.example":         {"linebreak@x.example", "b@y.example"},
		"ünï@x.example; 李 <l@y.example>":               {"ünï@x.example", "李 <l@y.example>"},
		"no address at all":                            {"no address at all"},
	} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			c := made(t, map[string]any{"ToAddress": in, "CcAddress": in, "BccAddress": in})
			require.Equal(t, want, c.Messages[0].To)
			require.Equal(t, want, c.Messages[0].Cc)
			require.Equal(t, want, c.Messages[0].Bcc)
		})
	}
}

func TestManyAndLongAddresses(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("a@x.example;", comment.MaxAddresses+5)
	long := strings.Repeat("ä", 600) + "@x.example"
	c := made(t, map[string]any{"ToAddress": many, "CcAddress": long})
	require.Len(t, c.Messages[0].To, comment.MaxAddresses)
	require.Equal(t, []string{strings.Repeat("ä", comment.MaxAddressSize)}, c.Messages[0].Cc)
}

func TestFrom(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("ä", n) }
	for name, c := range map[string]struct{ name, address, want any }{
		"both":                   {"Ann Example", "Ann.Example+x@Example.COM", "Ann Example <Ann.Example+x@Example.COM>"},
		"no name":                {nil, "ann@example.com", "ann@example.com"},
		"a blank name":           {" \t", "ann@example.com", "ann@example.com"},
		"no address":             {"Ann Example", nil, "Ann Example"},
		"neither":                {nil, nil, ""},
		"a name with a comma":    {"Example, Ann", "ann@example.com", "Example, Ann <ann@example.com>"},
		"a name on two lines":    {"Ann\r\nExample", "ann@example.com", "AnnExample <ann@example.com>"},
		"just long enough":       {long(512 - 18), "ann@example.com", long(512-18) + " <ann@example.com>"},
		"a name too long":        {long(512 - 17), "ann@example.com", long(512-18) + " <ann@example.com>"},
		"a name far too long":    {long(9000), "ann@example.com", long(512-18) + " <ann@example.com>"},
		"no room for a name":     {"Ann", long(509), long(509)},
		"room for one character": {"Ann", long(508), "A <" + long(508) + ">"},
		"a long name alone":      {long(600), nil, long(512)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, made(t, map[string]any{"FromName": c.name, "FromAddress": c.address}).Messages[0].From)
		})
	}
	_, err := make1(t, mailMapping, map[string]any{"FromAddress": long(513)})
	require.Equal(t, fault.Record, fault.KindOf(err), "an address is never cut")
	require.ErrorContains(t, err, "from has 513 characters")
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fields        map[string]any
		subject, body string
	}{
		"as they are":            {map[string]any{}, "Hello", "Good day"},
		"subject":                {map[string]any{"Subject": "  Re:  \x07AW: [ext] Hello\r\n "}, "Re:  AW: [ext] Hello", "Good day"},
		"no subject":             {map[string]any{"Subject": nil}, "", "Good day"},
		"a blank subject":        {map[string]any{"Subject": " \n"}, "", "Good day"},
		"line ends":              {map[string]any{"TextBody": "a\r\nb\rc"}, "Hello", "a\nb\nc"},
		"text before HTML":       {map[string]any{"HtmlBody": "<p>HTML</p>"}, "Hello", "Good day"},
		"no text":                {map[string]any{"TextBody": nil, "HtmlBody": "<p>HTML &amp; more</p>"}, "Hello", "HTML & more"},
		"a blank text":           {map[string]any{"TextBody": " \r\n\t", "HtmlBody": "<p>HTML</p>"}, "Hello", "HTML"},
		"a text of NUL":          {map[string]any{"TextBody": "\x00", "HtmlBody": "<p>HTML</p>"}, "Hello", "HTML"},
		"text that looks so":     {map[string]any{"TextBody": "<b>not HTML</b>"}, "Hello", "<b>not HTML</b>"},
		"neither":                {map[string]any{"TextBody": nil}, "Hello", ""},
		"HTML that says nothing": {map[string]any{"TextBody": nil, "HtmlBody": "<img src=x>"}, "Hello", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := made(t, c.fields).Messages[0]
			require.Equal(t, c.body, m.Body.Text)
			if c.subject == "" {
				require.Nil(t, m.Subject)
				return
			}
			require.Equal(t, c.subject, m.Subject.Text)
		})
	}
}

func TestSignature(t *testing.T) {
	t.Parallel()
	m := mailMapping
	m.Signature = &transform.TextPath{Path: "Signature__c", HTML: true}
	c, err := make1(t, m, map[string]any{"Signature__c": "<p>Ann</p>"})
	require.NoError(t, err)
	require.Equal(t, &comment.Text{Text: "Ann"}, c.Messages[0].Signature)
	c, err = make1(t, m, map[string]any{"Signature__c": nil})
	require.NoError(t, err)
	require.Nil(t, c.Messages[0].Signature)
}

func TestTruncation(t *testing.T) {
	t.Parallel()
	exact := strings.Repeat("ä", comment.MaxTextChars)
	m := mailMapping
	m.Signature = &transform.TextPath{Path: "Signature__c"}
	c, err := make1(t, m, map[string]any{"TextBody": exact, "Subject": exact, "Signature__c": exact})
	require.NoError(t, err)
	require.Equal(t, exact, c.Messages[0].Body.Text)
	require.NotContains(t, c.Properties, "string:Truncated")

	c, err = make1(t, m, map[string]any{"TextBody": exact + "x"})
	require.NoError(t, err)
	require.Equal(t, exact, c.Messages[0].Body.Text)
	require.Equal(t, "body", c.Properties["string:Truncated"])

	c, err = make1(t, m, map[string]any{"TextBody": exact + "x", "Subject": exact + "x", "Signature__c": exact + "x"})
	require.NoError(t, err)
	require.Equal(t, "subject, body, signature", c.Properties["string:Truncated"])
}

func TestThread(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fields map[string]any
		want   string
	}{
		"the case":                 {map[string]any{"ThreadIdentifier": "t-1"}, hexID(caseID)},
		"a case of 15 characters":  {map[string]any{"ParentId": caseID[:15]}, hexID(caseID)},
		"no case":                  {map[string]any{"ParentId": nil, "ThreadIdentifier": "t-1"}, "742d31"},
		"neither":                  {map[string]any{"ParentId": nil}, ""},
		"an identifier of an id's": {map[string]any{"ParentId": nil, "ThreadIdentifier": caseID[:15]}, "353030356530303030304162436445"},
		"capitals are told apart":  {map[string]any{"ParentId": nil, "ThreadIdentifier": "T-1"}, "542d31"},
		"other letters":            {map[string]any{"ParentId": nil, "ThreadIdentifier": "ä"}, "c3a4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, made(t, c.fields).ThreadID)
		})
	}
	// Whoever writes a mail chooses its identifier, and keeps nothing out with a long one.
	long := strings.Repeat("x", 765) // the longest that Salesforce keeps
	require.Equal(t, strings.Repeat("78", 765), made(t, map[string]any{"ParentId": nil, "ThreadIdentifier": long}).ThreadID)
	wide := func(end string) string {
		return made(t, map[string]any{"ParentId": nil, "ThreadIdentifier": strings.Repeat("字", 764) + end}).ThreadID
	}
	require.Len(t, wide("a"), 64)
	require.Equal(t, wide("a"), wide("a"))
	require.NotEqual(t, wide("a"), wide("b"))
}

func TestDirection(t *testing.T) {
	t.Parallel()
	require.Equal(t, "inbound", made(t, nil).Properties["string:Direction"])
	require.Equal(t, "outbound", made(t, map[string]any{"Incoming": false}).Properties["string:Direction"])
	require.NotContains(t, made(t, map[string]any{"Incoming": nil}).Properties, "string:Direction")
	m := mailMapping
	m.Direction = "Parent.Priority" // any text
	c, err := make1(t, m, map[string]any{"Parent": map[string]any{"Priority": " Internal "}})
	require.NoError(t, err)
	require.Equal(t, "Internal", c.Properties["string:Direction"])
	m.Direction = ""
	c, err = make1(t, m, nil)
	require.NoError(t, err)
	require.NotContains(t, c.Properties, "string:Direction")
}

func TestProperties(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parent any
		want   comment.Properties
	}{
		"no parent":        {nil, comment.Properties{}},
		"nulls":            {map[string]any{"CaseNumber": nil, "Age__c": nil, "Account": nil}, comment.Properties{}},
		"blank":            {map[string]any{"CaseNumber": "", "Priority": "  "}, comment.Properties{}},
		"zero is a number": {map[string]any{"Age__c": 0}, comment.Properties{"number:Age": 0.0}},
		"negative":         {map[string]any{"Age__c": -1.5e3}, comment.Properties{"number:Age": -1500.0}},
		"digits in a text": {map[string]any{"CaseNumber": "007"}, comment.Properties{"string:Case Number": "007"}},
		"a checkbox":       {map[string]any{"IsClosed": true}, comment.Properties{"string:Closed": "true"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := made(t, map[string]any{"Parent": c.parent, "Incoming": nil}).Properties
			require.Equal(t, c.want, got)
		})
	}
}

func TestTimestamp(t *testing.T) {
	t.Parallel()
	c := made(t, map[string]any{"MessageDate": nil})
	require.Equal(t, time.Date(2026, 3, 1, 12, 0, 1, 0, time.UTC), c.Timestamp)
	require.Nil(t, c.Messages[0].SentAt)
	_, err := make1(t, mailMapping, map[string]any{"MessageDate": nil, "CreatedDate": nil})
	require.Equal(t, fault.Record, fault.KindOf(err))
	require.EqualError(t, err, "no timestamp: MessageDate and CreatedDate is empty")
}

func TestMappingPaths(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"HtmlBody", "Subject", "TextBody"}, mailMapping.TextPaths())
	paths := mailMapping.Paths()
	require.IsIncreasing(t, paths)
	require.NotContains(t, paths, "SystemModstamp")
	for path := range mailTypes {
		if path != "SystemModstamp" && path != "IsDeleted" && path != "Signature__c" {
			require.Contains(t, paths, path)
		}
	}
	require.Empty(t, transform.Mapping{}.Paths())
}

// thread is a mail in both bodies, as mail programs send it: what is new, who wrote it, what it answers.
const (
	threadText = "Thanks, that works.\n\nKind regards\nAnn Example\n\nOn Mon, 2 Mar 2026 at 10:00, Bob <bob@example.com> wrote:\n> Please try again.\n"
	threadHTML = `<div>Thanks, that works.</div><br><div>Kind regards<br>Ann Example</div><br>` +
		`<div class="gmail_quote"><div class="gmail_attr">On Mon, 2 Mar 2026 at 10:00, Bob &lt;bob@example.com&gt; wrote:</div><blockquote>Please try again.</blockquote></div>`
)

func TestMail(t *testing.T) {
	t.Parallel()
	m := mailMapping
	m.Mail = true
	signed := &comment.Text{Text: "Kind regards\nAnn Example"}
	for name, fields := range map[string]map[string]any{
		"text":      {"TextBody": threadText},
		"HTML":      {"TextBody": nil, "HtmlBody": threadHTML},
		"both":      {"TextBody": threadText, "HtmlBody": threadHTML},
		"poor HTML": {"TextBody": threadText, "HtmlBody": "<img src=x>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := make1(t, m, fields)
			require.NoError(t, err)
			msg := c.Messages[0]
			require.Equal(t, "Thanks, that works.", msg.Body.Text)
			require.Equal(t, signed, msg.Signature)
			require.Equal(t, "Hello", msg.Subject.Text)
			plain, err := make1(t, mailMapping, fields)
			require.NoError(t, err)
			require.Contains(t, plain.Messages[0].Body.Text, "Please try again.", "a mapping of an older plan goes on as before")
		})
	}
	t.Run("passed on", func(t *testing.T) {
		t.Parallel()
		c, err := make1(t, m, map[string]any{"Subject": "Fwd: Hello", "TextBody": "From: Bob <bob@example.com>\nSent: Monday\nTo: Ann\nSubject: Hello\n\nPlease try again."})
		require.NoError(t, err)
		require.Contains(t, c.Messages[0].Body.Text, "Please try again.", "the subject is looked at")
	})
	t.Run("no signature", func(t *testing.T) {
		t.Parallel()
		c, err := make1(t, m, nil)
		require.NoError(t, err)
		require.Nil(t, c.Messages[0].Signature)
	})
	m.Signature = &transform.TextPath{Path: "Signature__c"}
	for field, want := range map[string]string{
		"":             "Kind regards\nAnn Example",
		"Acme Ltd":     "Acme Ltd\n\nKind regards\nAnn Example",
		"Ann\nExample": "Ann\nExample\n\nKind regards\nAnn Example",
		"Kind regards\r\nAnn Example\r\nAcme Ltd": "Kind regards\nAnn Example\nAcme Ltd",
	} {
		t.Run("with a field "+field, func(t *testing.T) {
			t.Parallel()
			c, err := make1(t, m, map[string]any{"TextBody": threadText, "Signature__c": field})
			require.NoError(t, err)
			require.Equal(t, &comment.Text{Text: want}, c.Messages[0].Signature)
		})
	}
	require.Equal(t, []string{"HtmlBody", "Signature__c", "Subject", "TextBody"}, m.TextPaths(), "both bodies decide")
}

// That mails are taken apart is a matter of the cleaning: it is no other text input, so that
// what is stored stays until somebody asks for it.
func TestMailsHaveTheInputsTheyHad(t *testing.T) {
	t.Parallel()
	apart := recipe
	apart.Mapping.Mail = true
	for name, raw := range map[string][]byte{"text": record(map[string]any{"TextBody": threadText}), "both": record(map[string]any{"TextBody": threadText, "HtmlBody": threadHTML})} {
		before, err := recipe.Row(raw)
		require.NoError(t, err, name)
		after, err := apart.Row(raw)
		require.NoError(t, err, name)
		require.Equal(t, before.TextDigest, after.TextDigest, name)
		require.NotEqual(t, before.RecordDigest, after.RecordDigest, "the mapping is another one")
		require.NotEqual(t, before.Comment.Texts(), after.Comment.Texts(), name)
	}
}
