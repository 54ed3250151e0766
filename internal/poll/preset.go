package poll

import (
	"slices"
	"strings"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/transform"
)

// preset is what records of an object become without a word in the file.
type preset struct {
	name, object string
	paths        []presetPath
	leaves       []presetLeaves
	mail         bool // the body is a mail: the newest message is kept apart
	chat         bool // the body is a chat: a message for each turn
	relations    bool // recipients are in EmailMessageRelation too
}

// presetPath is one path of a preset and what it feeds.
type presetPath struct {
	part     string // of the integration file; "" for a property
	property string
	path     string
	optional bool   // the preset goes on without it
	html     bool   // a text that is HTML
	rich     string // a checkbox that says whether a text is HTML
	name     bool   // of a sender, whose address stands behind it
	onCase   bool   // a lookup that makes the thread, or a property that is set, only where it leads to a case
	// pace is that of the last parent. Accounts and contacts are looked at once a minute: at every
	// look they would double its cost. Users are not: they change at every login, and each time all
	// that they ever wrote would be read again; nor is a lookup to many kinds of record, which
	// would be a question for each.
	pace pace
}

// presetLeaves is a condition that leaves rows out, and why.
type presetLeaves struct {
	field    string
	values   []string // texts that the field must not be; nil for a checkbox that must not be set
	why      string
	optional bool // it helps where it can be read
}

// Fields that most objects share.
var (
	fromCreator = []presetPath{
		{part: "from", path: "CreatedBy.Name", name: true, optional: true, pace: never},
		{part: "from", path: "CreatedBy.Email", optional: true, pace: never},
	}
	whenCreated = []presetPath{
		{part: "sent_at", path: "CreatedDate"},
		{part: "timestamp", path: "CreatedDate"},
	}
	ofParentCase = caseProperties("Parent.")
)

// caseProperties is what a comment says of the case that relation leads to.
func caseProperties(relation string) []presetPath {
	var out []presetPath
	for _, p := range []struct {
		name, field string
		pace        pace
	}{
		{"Case Number", "CaseNumber", atOnce}, {"Case Status", "Status", atOnce}, {"Case Priority", "Priority", atOnce}, {"Case Origin", "Origin", atOnce},
		{"Case Owner", "Owner.Name", never}, {"Account", "Account.Name", rarely},
	} {
		out = append(out, presetPath{property: p.name, path: relation + p.field, optional: true, pace: p.pace})
	}
	return out
}

// property is an optional property, the parent that it may come from being looked at rarely.
func property(name, path string) presetPath {
	return presetPath{property: name, path: path, optional: true, pace: rarely}
}

// stillProperty is an optional property whose parent is not followed.
func stillProperty(name, path string) presetPath {
	return presetPath{property: name, path: path, optional: true, pace: never}
}

// presets are all there are (object reference, each object). What a preset cannot do without is
// what would make its comments wrong or doubly billed; everything else is optional.
var presets = []preset{
	{
		// The two bodies must both be visible: with one hidden, half of the mails would seem empty.
		// Status 5 is Draft in EmailMessage's fixed list, and a private draft is visible to its
		// author only: a draft must never be billed.
		name: config.PresetEmail, object: "EmailMessage", mail: true, relations: true,
		paths: slices.Concat([]presetPath{
			{part: "subject", path: "Subject"},
			{part: "body", path: "TextBody"},
			{part: "body", path: "HtmlBody", html: true},
			{part: "from", path: "FromAddress"},
			{part: "from", path: "FromName", name: true},
			{part: "to", path: "ToAddress"},
			{part: "cc", path: "CcAddress"},
			{part: "bcc", path: "BccAddress", optional: true},
			{part: "sent_at", path: "MessageDate"},
			{part: "timestamp", path: "MessageDate"},
			{part: "timestamp", path: "CreatedDate"},
			{part: "thread", path: "ParentId"},
			{part: "thread", path: "ThreadIdentifier", optional: true},
			{part: "direction", path: "Incoming"},
		}, ofParentCase, []presetPath{property("Has Attachments", "HasAttachment")}),
		leaves: []presetLeaves{
			{field: "Status", values: []string{"5"}, why: "leaves drafts out"},
			{field: "IsPrivateDraft", why: "leaves drafts out", optional: true},
		},
	},
	{
		// A case that began as a mail has the mail as its description.
		name: config.PresetCase, object: "Case", mail: true,
		paths: slices.Concat([]presetPath{
			{part: "subject", path: "Subject"},
			{part: "body", path: "Description"},
			{part: "from", path: "SuppliedName", name: true, optional: true},
			{part: "from", path: "SuppliedEmail", optional: true},
			{part: "from", path: "Contact.Name", name: true, optional: true, pace: rarely},
			{part: "from", path: "Contact.Email", optional: true, pace: rarely},
			{part: "thread", path: "Id"},
		}, whenCreated, caseProperties(""), []presetPath{
			property("Case Type", "Type"), property("Case Reason", "Reason"), property("Case Closed", "IsClosed"),
		}),
	},
	{
		name: config.PresetCaseComment, object: "CaseComment",
		paths: slices.Concat([]presetPath{
			{part: "body", path: "CommentBody"},
			{part: "thread", path: "ParentId"},
		}, fromCreator, whenCreated, ofParentCase, []presetPath{property("Published", "IsPublished")}),
	},
	{
		// A mail leaves a task behind with a copy of its text. Without TaskSubtype the two could
		// not be told apart, and the text would be billed twice.
		name: config.PresetTask, object: "Task",
		paths: slices.Concat([]presetPath{
			{part: "subject", path: "Subject"},
			{part: "body", path: "Description"},
			{part: "thread", path: "WhatId", onCase: true},
			{part: "direction", path: "CallType", optional: true},
		}, fromCreator, whenCreated, []presetPath{
			{property: "Case Number", path: "What.Name", optional: true, onCase: true, pace: never},
			stillProperty("Related To", "What.Name"), stillProperty("Related To Type", "What.Type"), stillProperty("Name", "Who.Name"),
			property("Account", "Account.Name"), property("Task Type", "TaskSubtype"), property("Task Status", "Status"), property("Task Priority", "Priority"),
			stillProperty("Task Owner", "Owner.Name"), property("Due Date", "ActivityDate"), property("Call Result", "CallDisposition"),
			property("Call Duration", "CallDurationInSeconds"), property("Archived", "IsArchived"),
		}),
		leaves: []presetLeaves{{field: "TaskSubtype", values: []string{"Email", "ListEmail"}, why: "leaves copies of mails out"}},
	},
	{
		// What the platform writes into a feed by itself is no communication, or is the copy of one
		// that has an object of its own.
		name: config.PresetFeed, object: "FeedItem",
		paths: slices.Concat([]presetPath{
			{part: "subject", path: "Title", optional: true},
			{part: "body", path: "Body", rich: "IsRichText"},
			{part: "thread", path: "ParentId", onCase: true},
			{part: "thread", path: "Id"},
		}, fromCreator, whenCreated, []presetPath{
			{property: "Case Number", path: "Parent.Name", optional: true, onCase: true, pace: never},
			stillProperty("Related To", "Parent.Name"), stillProperty("Related To Type", "Parent.Type"),
			property("Post Type", "Type"), property("Post Status", "Status"), property("Comments", "CommentCount"),
		}),
		leaves: []presetLeaves{{field: "Type", why: "leaves out what is no post, or the copy of a mail, comment, call or chat", values: []string{
			"TrackedChange", "CreateRecordEvent", "ActivityEvent", "MilestoneEvent", "AttachArticleEvent",
			"EmailMessageEvent", "CaseCommentPost", "CallLogPost", "ChatTranscriptPost"}}},
	},
	{
		name: config.PresetFeed, object: "FeedComment",
		paths: slices.Concat([]presetPath{
			{part: "body", path: "CommentBody", rich: "IsRichText"},
			{part: "thread", path: "ParentId", onCase: true},
			{part: "thread", path: "FeedItemId"},
		}, fromCreator, whenCreated, []presetPath{property("Post Status", "Status")}),
	},
	{
		name: config.PresetChat, object: "LiveChatTranscript", chat: true,
		paths: slices.Concat([]presetPath{
			{part: "body", path: "Body", html: true},
			{part: "sent_at", path: "StartTime"},
			{part: "timestamp", path: "StartTime"},
			{part: "timestamp", path: "CreatedDate"},
			{part: "thread", path: "CaseId"},
			{part: "from", path: "Contact.Name", name: true, optional: true, pace: rarely},
			{part: "from", path: "Contact.Email", optional: true, pace: rarely},
		}, caseProperties("Case."), []presetPath{
			property("Contact", "Contact.Name"), property("Chat Status", "Status"), stillProperty("Chat Owner", "Owner.Name"),
			property("Chat Duration", "ChatDuration"), property("Wait Time", "WaitTime"),
		}),
	},
}

// findPreset is the preset of an object; nil when the file names none. A preset of another
// object is an error.
func findPreset(want config.Object) (*preset, error) {
	if want.Preset == "" {
		return nil, nil
	}
	var fits []string
	for i, p := range presets {
		if p.name != want.Preset {
			continue
		}
		if strings.EqualFold(p.object, want.Object) {
			return &presets[i], nil
		}
		fits = append(fits, p.object)
	}
	if len(fits) == 0 {
		return nil, fault.New(fault.Config, "preset %s of %s is unknown to this release", want.Preset, want.Object).
			WithHint("run a release that has it, or name the fields of %s instead", want.Object)
	}
	return nil, fault.New(fault.Config, "preset %s is for %s, not for %s", want.Preset, strings.Join(fits, " and "), want.Object).
		WithHint("leave `preset` out and name the fields of %s", want.Object)
}

// owns reports whether the file says itself what a path of the preset would.
func owns(want config.Object, p presetPath) bool {
	if p.property == "" {
		_, set := want.Fields[p.part]
		return set
	}
	return slices.ContainsFunc(want.Properties, func(w config.Property) bool { return w.Name == p.property })
}

// preset maps what a preset gives. Parts and properties that the file sets itself are not asked for.
func (c *compiler) preset(m *transform.Mapping, p *preset, want config.Object) error {
	m.Mail, m.Chat, m.Domains = p.mail, p.chat, true
	m.URL = c.instance
	for _, one := range p.paths {
		if owns(want, one) {
			continue
		}
		if err := c.feed(m, one); err != nil {
			return err
		}
	}
	if p.relations {
		return c.recipients(m, want.Fields)
	}
	return nil
}

// feed resolves a path of a preset and maps it.
func (c *compiler) feed(m *transform.Mapping, p presetPath) error {
	path, err := c.wish(p)
	if err != nil {
		return err
	}
	switch p.part {
	case "subject":
		m.Subject = path
	case "body":
		text := transform.TextPath{Path: path, HTML: p.html}
		if p.rich != "" {
			if text.Rich, err = c.path(p.rich); err != nil {
				return err
			}
		}
		m.Body = append(m.Body, text)
	case "from":
		m.AddSender(path, p.name)
	case "to":
		m.To = path
	case "cc":
		m.Cc = path
	case "bcc":
		m.Bcc = path
	case "sent_at":
		m.SentAt = path
	case "timestamp":
		m.Timestamp = append(m.Timestamp, path)
	case "thread":
		if p.onCase {
			m.Case = path
		} else {
			m.Thread = append(m.Thread, path)
		}
	case "direction":
		m.Direction = path
	default:
		m.Properties = append(m.Properties, transform.PropertyPath{Name: p.property, Path: path, Case: p.onCase})
	}
	return nil
}

// wish is path for one of a preset's. An optional one that is not visible is not
// selected, but stays in the mapping: comments of an earlier mapping may have what it
// fed, and keep it.
func (c *compiler) wish(p presetPath) (string, error) {
	text, err := c.selects(p.path, p.pace)
	if p.optional && fault.Is(err, fault.Config) {
		c.leave(p.path)
		return p.path, nil
	}
	return text, err
}

// leaveOut is the preset's own condition. A field of it that once helped is needed like every
// field of a condition.
func (c *compiler) leaveOut(p *preset) ([]soql.Expr, error) {
	var out []soql.Expr
	for _, l := range p.leaves {
		_, err := salesforce.ResolvePath(c.plan.Object, l.field, c.describe)
		if l.optional && fault.Is(err, fault.Config) && (c.before == nil || !strings.Contains(c.before.Where, l.field)) {
			c.leave(l.field)
			continue
		}
		if err != nil {
			return nil, err
		}
		if l.values == nil {
			out = append(out, soql.Compare(l.field, soql.Equal, soql.BoolLiteral(false)))
		}
		for _, value := range l.values { // not NOT IN, of which Salesforce does not say what it does with null
			out = append(out, soql.Compare(l.field, soql.NotEqual, soql.StringLiteral(value)))
		}
	}
	return out, nil
}

// FollowedParents are the relations that every look for news follows because of a preset, as paths.
func FollowedParents(want config.Object) []string {
	p, err := findPreset(want)
	if p == nil || err != nil {
		return nil
	}
	var out []string
	for _, one := range p.paths {
		path := one.path
		if one.pace != atOnce {
			path = parentOf(path)
		}
		for path = parentOf(path); path != ""; path = parentOf(path) {
			if !owns(want, one) && !slices.Contains(out, path) {
				out = append(out, path)
			}
		}
	}
	return out
}

// parentOf cuts the last name off a path.
func parentOf(path string) string {
	i := strings.LastIndexByte(path, '.')
	return path[:max(i, 0)]
}
