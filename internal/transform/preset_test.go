package transform_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// with is the mail mapping with a change.
func with(change func(*transform.Mapping)) transform.Recipe {
	m := mailMapping
	change(&m)
	types := transform.Types{"What.Name": salesforce.TypeString, "WhatId": salesforce.TypeReference, "Rich": salesforce.TypeBoolean,
		"Other.Name": salesforce.TypeString, "Other.Email": salesforce.TypeEmail, "StartTime": salesforce.TypeDateTime}
	for path, typ := range mailTypes {
		types[path] = typ
	}
	return transform.Recipe{Stamp: "SystemModstamp", Types: types, Mapping: m}
}

func rowOf(t *testing.T, r transform.Recipe, fields map[string]any) store.StagedRow {
	t.Helper()
	all := map[string]any{"What": nil, "WhatId": nil, "Rich": nil, "Other": nil, "StartTime": nil}
	for k, v := range fields {
		all[k] = v
	}
	row, err := r.Row(record(all))
	require.NoError(t, err)
	require.NotNil(t, row.Comment, row.Reason)
	return row
}

func TestSenders(t *testing.T) {
	t.Parallel()
	r := with(func(m *transform.Mapping) {
		m.From, m.FromName = "", ""
		m.AddSender("FromName", true)
		m.AddSender("FromAddress", false)
		m.AddSender("Other.Name", true)
		m.AddSender("Other.Email", false)
	})
	require.Equal(t, "FromName", r.Mapping.FromName)
	require.Equal(t, []transform.Sender{{Name: "Other.Name", Address: "Other.Email"}}, r.Mapping.Senders)
	require.Equal(t, []string{"from"}, r.Mapping.Feeds("Other.Email"))
	other := map[string]any{"Name": "Bo", "Email": "bo@b.example"}
	for _, c := range []struct {
		name, address any
		other         any
		want          string
	}{
		{"Ann", "ann@a.example", other, "Ann <ann@a.example>"},
		{nil, "ann@a.example", other, "ann@a.example"},
		{"Ann", nil, other, "Bo <bo@b.example>"}, // an address says more than a name
		{nil, nil, other, "Bo <bo@b.example>"},
		{"Ann", nil, nil, "Ann"},
		{"Ann", nil, map[string]any{"Name": "Bo", "Email": nil}, "Ann"},
		{nil, nil, map[string]any{"Name": "Bo", "Email": nil}, "Bo"},
		{nil, nil, nil, ""},
	} {
		require.Equal(t, c.want, rowOf(t, r, map[string]any{"FromName": c.name, "FromAddress": c.address, "Other": c.other}).Comment.Messages[0].From, "%v", c)
	}
}

func TestDomains(t *testing.T) {
	t.Parallel()
	r := with(func(m *transform.Mapping) { m.Domains = true })
	for _, c := range []struct {
		from, to, cc     any
		sender, receiver any
	}{
		{"Ann@Organisation.ORG", "a@company.com", nil, "organisation.org", "company.com"},
		{"ann@a.example", "x@B.example; Y <y@b.example>; z@c.example", "q@q.example", "a.example", "b.example, c.example"},
		{"ann@a.example", nil, "q@q.example", "a.example", "q.example"},
		{"no address", "nor here; @; a@", nil, nil, nil},
		{"ann@a.example.", "x@sub.b.example", nil, "a.example", "sub.b.example"},
		{"ann@two words", `"a@b.example" <c@d.example>`, nil, nil, "d.example"},
	} {
		p := rowOf(t, r, map[string]any{"FromAddress": c.from, "ToAddress": c.to, "CcAddress": c.cc}).Comment.Properties
		require.Equal(t, c.sender, p["string:Sender Domain"], "%v", c)
		require.Equal(t, c.receiver, p["string:Recipient Domain"], "%v", c)
	}
	var many []string
	for i := range 40 {
		many = append(many, "a@d"+strings.Repeat("x", i)+".example")
	}
	p := rowOf(t, r, map[string]any{"ToAddress": strings.Join(many, ";")}).Comment.Properties
	require.Len(t, strings.Split(p["string:Recipient Domain"].(string), ", "), 20)

	own := with(func(m *transform.Mapping) {
		m.Domains, m.URL = true, "https://acme.example/"
		m.Properties = []transform.PropertyPath{{Name: transform.PropertySenderDomain, Path: "Parent.Age__c"}, {Name: transform.PropertyRecordURL, Path: "Parent.CaseNumber"}}
	})
	got := rowOf(t, own, map[string]any{"Parent": map[string]any{"Age__c": 2}}).Comment.Properties
	require.Equal(t, comment.Properties{"string:Direction": "inbound", "number:Sender Domain": 2.0, "string:Recipient Domain": "example.com"}, got)
}

func TestRecordURL(t *testing.T) {
	t.Parallel()
	r := with(func(m *transform.Mapping) { m.URL = "https://acme.my.salesforce.com/" })
	require.Equal(t, "https://acme.my.salesforce.com/"+mailID, rowOf(t, r, nil).Comment.Properties["string:Record URL"])
}

func TestThreadsOfCasesAndOthers(t *testing.T) {
	t.Parallel()
	r := with(func(m *transform.Mapping) {
		m.Case, m.Thread = "WhatId", []string{"ParentId"}
		m.Properties = []transform.PropertyPath{{Name: "Case Number", Path: "What.Name", Case: true}, {Name: "Related To", Path: "What.Name"}}
	})
	require.Equal(t, []string{"thread"}, r.Mapping.Feeds("WhatId"))
	const account, other = "0015e00000AbCdEAAV", "5005e00000AbCdFAAV"
	c := rowOf(t, r, map[string]any{"WhatId": other, "What": map[string]any{"Name": "00001026"}}).Comment
	require.Equal(t, hexID(other), c.ThreadID)
	require.Equal(t, "00001026", c.Properties["string:Case Number"])
	c = rowOf(t, r, map[string]any{"WhatId": account, "What": map[string]any{"Name": "Initech"}}).Comment
	require.Equal(t, hexID(caseID), c.ThreadID)
	require.NotContains(t, c.Properties, "string:Case Number")
	require.Equal(t, "Initech", c.Properties["string:Related To"])
	require.Equal(t, hexID(caseID), rowOf(t, r, nil).Comment.ThreadID)
}

func TestRichTextIsSaidByTheRecord(t *testing.T) {
	t.Parallel()
	r := with(func(m *transform.Mapping) { m.Body = []transform.TextPath{{Path: "TextBody", Rich: "Rich"}} })
	require.Equal(t, []string{"Rich", "Subject", "TextBody"}, r.Mapping.TextPaths())
	plain := rowOf(t, r, map[string]any{"TextBody": "<p>a &lt; b</p>", "Rich": false})
	rich := rowOf(t, r, map[string]any{"TextBody": "<p>a &lt; b</p>", "Rich": true})
	require.Equal(t, "<p>a &lt; b</p>", plain.Comment.Messages[0].Body.Text)
	require.Equal(t, "a < b", rich.Comment.Messages[0].Body.Text)
	require.NotEqual(t, plain.TextDigest, rich.TextDigest, "it decides about the text")
}

func TestDirectionInOneSpelling(t *testing.T) {
	t.Parallel()
	r := with(func(m *transform.Mapping) { m.Direction = "ThreadIdentifier" })
	for in, want := range map[string]string{"Inbound": "inbound", "OUTBOUND": "outbound", "Internal": "Internal"} {
		require.Equal(t, want, rowOf(t, r, map[string]any{"ThreadIdentifier": in}).Comment.Properties["string:Direction"])
	}
}

// Metadata that a release adds to a preset is no input of a text, a chat that was none before is.
func TestWhatDecidesAboutTexts(t *testing.T) {
	t.Parallel()
	text := func(change func(*transform.Mapping)) []byte { return rowOf(t, with(change), nil).TextDigest }
	same := text(func(*transform.Mapping) {})
	for name, change := range map[string]func(*transform.Mapping){
		"mail":       func(m *transform.Mapping) { m.Mail = true },
		"domains":    func(m *transform.Mapping) { m.Domains = true },
		"url":        func(m *transform.Mapping) { m.URL = "https://acme.example/" },
		"senders":    func(m *transform.Mapping) { m.Senders = []transform.Sender{{Name: "Other.Name"}} },
		"case":       func(m *transform.Mapping) { m.Case = "WhatId" },
		"properties": func(m *transform.Mapping) { m.Properties = nil },
	} {
		require.Equal(t, same, text(change), name)
	}
	require.NotEqual(t, same, text(func(m *transform.Mapping) { m.Chat = true }))
}

func TestChatMessages(t *testing.T) {
	t.Parallel()
	r := with(func(m *transform.Mapping) {
		m.Chat, m.SentAt, m.Body = true, "StartTime", []transform.TextPath{{Path: "TextBody", HTML: true}}
	})
	row := rowOf(t, r, map[string]any{"StartTime": "2026-03-01T12:00:00.000+0000", "TextBody": "( 4s ) Ann: one<br>( 1m 5s ) " + strings.Repeat("Bo", 70) + ": two<br>"})
	messages := row.Comment.Messages
	require.Len(t, messages, 2)
	require.Equal(t, "Hello", messages[0].Subject.Text)
	require.Equal(t, []string{"bob@example.com"}, messages[0].To)
	require.Nil(t, messages[1].Subject)
	require.Nil(t, messages[1].To)
	require.Equal(t, "2026-03-01T12:01:05Z", messages[1].SentAt.Format("2006-01-02T15:04:05Z07:00"))
	undated := rowOf(t, r, map[string]any{"TextBody": "( 4s ) Ann: one<br>"}).Comment.Messages
	require.Equal(t, "one", undated[0].Body.Text)
	require.Nil(t, undated[0].SentAt)
	none := rowOf(t, r, map[string]any{"TextBody": "<p>no <b>chat</b></p>"}).Comment.Messages
	require.Equal(t, []comment.Message{{Subject: &comment.Text{Text: "Hello"}, Body: comment.Text{Text: "no chat"}, From: "Ann Example <ann@example.com>", To: []string{"bob@example.com"}}}, none)
}
