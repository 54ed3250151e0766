package soak

import (
	"salesforcesync/internal/comment"
	"salesforcesync/internal/config"
	"salesforcesync/internal/expect"
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

// parents are the rows that properties and conditions reach.
type parents = expect.Parents

func text(r simforce.Row, field string) string { return expect.Text(r, field) }

func hexOf(s string) string { return expect.HexOf(s) }

func everything(simforce.Row, parents) bool { return true }

const (
	mailObject   = expect.MailObject
	noteObject   = expect.NoteObject
	surveyObject = expect.SurveyObject
)

var kinds = []kind{
	{
		name: mailObject,
		spec: expect.MailSpec,
		wheres: []where{
			{"", everything},
			{"", everything},
			{"Incoming = true", func(r simforce.Row, _ parents) bool { return r["Incoming"] == true }},
			{"Parent.Priority = 'High'", func(r simforce.Row, p parents) bool { return text(p.CaseOf(r), "Priority") == "High" }},
		},
		counts: func(r simforce.Row) bool { return r["Status"] != "5" && r["IsPrivateDraft"] != true },
		become: expect.Mail,
	},
	{
		name: noteObject,
		spec: expect.NoteSpec,
		wheres: []where{
			{"", everything},
			{"IsPublished = true", func(r simforce.Row, _ parents) bool { return r["IsPublished"] == true }},
			{"Parent.Status != 'Closed'", func(r simforce.Row, p parents) bool { return text(p.CaseOf(r), "Status") != "Closed" }},
		},
		counts: func(simforce.Row) bool { return true },
		become: expect.Note,
	},
	{
		name: surveyObject,
		spec: expect.SurveySpec,
		wheres: []where{
			{"", everything},
			{"Score__c > 5", func(r simforce.Row, _ parents) bool { n, ok := r["Score__c"].(float64); return ok && n > 5 }},
		},
		counts: func(simforce.Row) bool { return true },
		become: expect.Survey,
	},
}
