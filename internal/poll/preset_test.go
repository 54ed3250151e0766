package poll_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/simforce"
)

// of is an object with a preset.
func of(preset, object string) config.Object {
	return config.Object{Object: object, Preset: preset, Deleted: config.DeletedTombstone}
}

// everyPreset is each preset with each object that it fits, by object.
func everyPreset() map[string]config.Object {
	out := map[string]config.Object{}
	for preset, objects := range config.PresetObjects {
		for _, object := range objects {
			out[object] = of(preset, object)
		}
	}
	return out
}

func hexOf(id string) string { return hex.EncodeToString([]byte(id)) }

// people are a case with everything around it.
type people struct{ account, contact, owner, caseID string }

func (b *bench) people() people {
	b.Helper()
	var p people
	p.account = b.create("Account", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"Name": "Initech"}})
	p.contact = b.create("Contact", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"FirstName": "Ann", "LastName": "Example", "Email": "Ann@Initech.example", "AccountId": p.account}})
	for _, u := range b.records("User") {
		if text(u, "Username") == "lena@acme.example" {
			p.owner = text(u, "Id")
		}
	}
	p.caseID = b.create("Case", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"Subject": "Invoice", "Description": "It is wrong.", "ContactId": p.contact, "AccountId": p.account,
		"OwnerId": p.owner, "Status": "New", "Priority": "High", "Origin": "Web", "Type": "Problem", "SuppliedName": "Ann E."}})
	return p
}

// creator is who the records of the simulator are written by.
const creator, creatorName = "admin@acme.example", "Avery Stone"

// watchers lets the integration user see everything, which feeds need.
func (b *bench) seesAll() {
	b.Helper()
	require.NoError(b, b.sim.SetPermission("", simforce.SyncUser, simforce.ViewAllData, true))
}

// presetBench is connected with every preset but those left out.
func presetBench(t *testing.T, objects ...string) *bench {
	t.Helper()
	var specs []config.Object
	for _, name := range objects {
		specs = append(specs, everyPreset()[name])
	}
	b := start(t, simforce.Options{}, specs...)
	b.seesAll()
	b.grant()
	b.check()
	return b
}

// What a record of each object becomes, in full.
func TestPresetComments(t *testing.T) {
	t.Parallel()
	at := longAgo.Add(time.Minute)
	write := func(fields simforce.Row) simforce.Write {
		fields["CreatedDate"] = at
		return simforce.Write{Stamp: at, Fields: fields}
	}
	ofCase := func(more comment.Properties) comment.Properties {
		p := comment.Properties{"string:Case Status": "New", "string:Case Priority": "High", "string:Case Origin": "Web",
			"string:Case Owner": "Lena Brandt", "string:Account": "Initech"}
		maps.Copy(p, more)
		return p
	}
	by := creatorName + " <" + creator + ">"
	inCase := func(p people) string { return hexOf(p.caseID) }
	for name, c := range map[string]struct {
		object string
		make   func(*bench, people) (id string, want comment.Comment)
	}{
		"a case": {"Case", func(b *bench, p people) (string, comment.Comment) {
			return p.caseID, comment.Comment{Timestamp: longAgo, ThreadID: inCase(p), Properties: ofCase(comment.Properties{
				"string:Case Type": "Problem", "string:Case Closed": "false", "string:Sender Domain": "initech.example"}),
				Messages: []comment.Message{{Subject: &comment.Text{Text: "Invoice"}, Body: comment.Text{Text: "It is wrong."}, From: "Ann Example <Ann@Initech.example>", SentAt: &longAgo}}}
		}},
		"a case from the web": {"Case", func(b *bench, p people) (string, comment.Comment) {
			id := b.create("Case", write(simforce.Row{"Subject": "Help", "Description": "It\r\nbroke.", "SuppliedName": "Bo", "SuppliedEmail": "bo@globex.example", "ContactId": p.contact, "Status": "New", "OwnerId": p.owner}))
			return id, comment.Comment{Timestamp: at, ThreadID: hexOf(id), Properties: comment.Properties{"string:Case Status": "New", "string:Case Priority": "Medium", "string:Case Owner": "Lena Brandt",
				"string:Case Closed": "false", "string:Sender Domain": "globex.example"},
				Messages: []comment.Message{{Subject: &comment.Text{Text: "Help"}, Body: comment.Text{Text: "It\nbroke."}, From: "Bo <bo@globex.example>", SentAt: &at}}}
		}},
		"a comment": {"CaseComment", func(b *bench, p people) (string, comment.Comment) {
			id := b.create("CaseComment", write(simforce.Row{"ParentId": p.caseID, "CommentBody": "Called back.", "IsPublished": true}))
			return id, comment.Comment{Timestamp: at, ThreadID: inCase(p), Properties: ofCase(comment.Properties{"string:Published": "true", "string:Sender Domain": "acme.example"}),
				Messages: []comment.Message{{Body: comment.Text{Text: "Called back."}, From: by, SentAt: &at}}}
		}},
		"a call about a case": {"Task", func(b *bench, p people) (string, comment.Comment) {
			id := b.create("Task", write(simforce.Row{"WhatId": p.caseID, "WhoId": p.contact, "AccountId": p.account, "OwnerId": p.owner, "Subject": "Call", "Description": "She agrees.",
				"TaskSubtype": "Call", "CallType": "Inbound", "CallDisposition": "reached", "CallDurationInSeconds": int64(90), "Status": "Completed", "ActivityDate": time.Date(2026, 11, 5, 0, 0, 0, 0, time.UTC)}))
			return id, comment.Comment{Timestamp: at, ThreadID: inCase(p), Properties: comment.Properties{"string:Direction": "inbound", "string:Related To Type": "Case",
				"string:Name": "Ann Example", "string:Account": "Initech", "string:Task Type": "Call", "string:Task Status": "Completed", "string:Task Priority": "Normal", "string:Task Owner": "Lena Brandt",
				"string:Due Date": "2026-11-05", "string:Call Result": "reached", "number:Call Duration": 90.0, "string:Archived": "false", "string:Sender Domain": "acme.example"},
				Messages: []comment.Message{{Subject: &comment.Text{Text: "Call"}, Body: comment.Text{Text: "She agrees."}, From: by, SentAt: &at}}}
		}},
		"a task about an account": {"Task", func(b *bench, p people) (string, comment.Comment) {
			id := b.create("Task", write(simforce.Row{"WhatId": p.account, "OwnerId": p.owner, "Subject": "Visit", "TaskSubtype": "Task"}))
			return id, comment.Comment{Timestamp: at, Properties: comment.Properties{"string:Related To Type": "Account", "string:Related To": "Initech",
				"string:Task Type": "Task", "string:Task Status": "Not Started", "string:Task Priority": "Normal", "string:Task Owner": "Lena Brandt", "string:Archived": "false", "string:Sender Domain": "acme.example"},
				Messages: []comment.Message{{Subject: &comment.Text{Text: "Visit"}, From: by, SentAt: &at}}}
		}},
		"a post": {"FeedItem", func(b *bench, p people) (string, comment.Comment) {
			id := b.create("FeedItem", write(simforce.Row{"ParentId": p.caseID, "Body": "1 < 2 & so", "Title": "Look"}))
			return id, comment.Comment{Timestamp: at, ThreadID: inCase(p), Properties: comment.Properties{"string:Related To Type": "Case", "string:Post Type": "TextPost",
				"string:Post Status": "Published", "number:Comments": 0.0, "string:Sender Domain": "acme.example"},
				Messages: []comment.Message{{Subject: &comment.Text{Text: "Look"}, Body: comment.Text{Text: "1 < 2 & so"}, From: by, SentAt: &at}}}
		}},
		"a rich post on an account": {"FeedItem", func(b *bench, p people) (string, comment.Comment) {
			id := b.create("FeedItem", write(simforce.Row{"ParentId": p.account, "Body": "<p>1 &lt; 2</p><p>so</p>", "IsRichText": true}))
			return id, comment.Comment{Timestamp: at, ThreadID: hexOf(id), Properties: comment.Properties{"string:Related To Type": "Account", "string:Related To": "Initech", "string:Post Type": "TextPost",
				"string:Post Status": "Published", "number:Comments": 0.0, "string:Sender Domain": "acme.example"},
				Messages: []comment.Message{{Body: comment.Text{Text: "1 < 2\n\nso"}, From: by, SentAt: &at}}}
		}},
		"a comment on a post": {"FeedComment", func(b *bench, p people) (string, comment.Comment) {
			post := b.create("FeedItem", write(simforce.Row{"ParentId": p.account, "Body": "x"}))
			id := b.create("FeedComment", write(simforce.Row{"FeedItemId": post, "ParentId": p.account, "CommentBody": "<b>y</b>", "IsRichText": true}))
			return id, comment.Comment{Timestamp: at, ThreadID: hexOf(post), Properties: comment.Properties{"string:Post Status": "Published", "string:Sender Domain": "acme.example"},
				Messages: []comment.Message{{Body: comment.Text{Text: "y"}, From: by, SentAt: &at}}}
		}},
		"a chat": {"LiveChatTranscript", func(b *bench, p people) (string, comment.Comment) {
			began := at.Add(-time.Hour)
			first, second := began.Add(4*time.Second), began.Add(80*time.Second)
			id := b.create("LiveChatTranscript", write(simforce.Row{"CaseId": p.caseID, "ContactId": p.contact, "OwnerId": p.owner, "StartTime": began, "ChatDuration": int64(600), "WaitTime": int64(9),
				"Body": `<p align="center">Chat Started: now</p>( 4s ) Visitor: Hello<br>there<br>( 1m 20s ) Lena: Yes?<br>`}))
			return id, comment.Comment{Timestamp: began, ThreadID: inCase(p), Properties: ofCase(comment.Properties{"string:Contact": "Ann Example", "string:Chat Status": "Completed",
				"string:Chat Owner": "Lena Brandt", "number:Chat Duration": 600.0, "number:Wait Time": 9.0}),
				Messages: []comment.Message{{Body: comment.Text{Text: "Hello\nthere"}, From: "Visitor", SentAt: &first}, {Body: comment.Text{Text: "Yes?"}, From: "Lena", SentAt: &second}}}
		}},
		"what is no transcript": {"LiveChatTranscript", func(b *bench, p people) (string, comment.Comment) {
			id := b.create("LiveChatTranscript", write(simforce.Row{"ContactId": p.contact, "OwnerId": p.owner, "Body": "<p>They said <b>nothing</b>.</p>"}))
			return id, comment.Comment{Timestamp: at, Properties: comment.Properties{"string:Contact": "Ann Example", "string:Chat Status": "Completed", "string:Chat Owner": "Lena Brandt", "string:Sender Domain": "initech.example"},
				Messages: []comment.Message{{Body: comment.Text{Text: "They said nothing."}, From: "Ann Example <Ann@Initech.example>"}}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := presetBench(t, c.object)
			p := b.people()
			id, want := c.make(b, p)
			b.settle()
			number := ""
			for _, r := range b.records("Case") {
				if text(r, "Id") == p.caseID {
					number = text(r, "CaseNumber")
				}
				if text(r, "Id") == id {
					want.Properties.SetString("Case Number", text(r, "CaseNumber"))
				}
			}
			switch {
			case want.Properties["string:Related To Type"] == "Case":
				want.Properties.SetString("Case Number", number)
				want.Properties.SetString("Related To", number)
			case want.ThreadID == inCase(p):
				want.Properties.SetString("Case Number", number)
			}
			want.ID = hexOf(id)
			want.Properties.SetString("Record URL", b.url+"/"+id)
			got := b.comment(id)
			got.Timestamp = got.Timestamp.UTC()
			require.Equal(t, want, got)
			require.NoError(t, got.Validate())
		})
	}
}

// Copies and what the platform writes by itself are neither read nor counted.
func TestPresetsLeaveCopiesOut(t *testing.T) {
	t.Parallel()
	b := presetBench(t, "Task", "FeedItem")
	p := b.people()
	var in []string
	for _, kind := range []string{"Task", "Call", "Email", "ListEmail"} {
		id := b.create("Task", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"WhatId": p.caseID, "OwnerId": p.owner, "Subject": kind, "TaskSubtype": kind}})
		if kind == "Task" || kind == "Call" {
			in = append(in, hexOf(id))
		}
	}
	in = append(in, hexOf(b.create("Task", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"OwnerId": p.owner, "Subject": "of no kind"}})))
	for _, kind := range []string{"TextPost", "LinkPost", "TrackedChange", "EmailMessageEvent", "CaseCommentPost"} {
		id := b.create("FeedItem", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"ParentId": p.caseID, "Type": kind, "Body": kind}})
		if kind == "TextPost" || kind == "LinkPost" {
			in = append(in, hexOf(id))
		}
	}
	b.settle()
	b.clock.add(20 * time.Minute)
	b.scan()
	b.settle()
	slices.Sort(in)
	require.Equal(t, in, slices.Sorted(maps.Keys(b.comments())))
	require.EqualValues(t, 5, b.units())
	require.Equal(t, []string{"2 2", "3 3"}, b.seed.Strings(`select salesforce_rows || ' ' || stored_rows from streams where lane = 'live' order by 1`), "completeness counts likewise")
}

// What a preset cannot do without stops its object; what it can is left out, and read when it can be.
func TestPresetsNeedLittle(t *testing.T) {
	t.Parallel()
	for object, need := range map[string]string{
		"Case": "Description", "CaseComment": "CommentBody", "Task": "TaskSubtype", "FeedItem": "IsRichText", "FeedComment": "CommentBody", "LiveChatTranscript": "StartTime",
	} {
		t.Run(object, func(t *testing.T) {
			t.Parallel()
			b := start(t, simforce.Options{Generate: 24}, everyPreset()[object])
			b.seesAll()
			b.grant()
			b.hide(object + "." + need)
			require.Contains(t, b.checked()[object].Problem, need)
			b.show(object + "." + need)
			for _, hidden := range []string{"Account", "Contact"} {
				b.hide(hidden)
			}
			b.check()
			b.settle()
			before := b.comments()
			require.NotEmpty(t, before)
			units := b.units()
			require.EqualValues(t, len(before), units)
			left := b.plan(object).Left
			b.show("Account")
			b.show("Contact")
			b.check()
			b.settle()
			require.Equal(t, units, b.units(), "metadata costs nothing")
			require.Empty(t, b.plan(object).Left)
			if len(left) > 0 {
				require.NotEqual(t, before, b.comments())
			}
		})
	}
}

// A feed can be read as a whole only with View All Data, and the check says so.
func TestFeedsNeedViewAllData(t *testing.T) {
	t.Parallel()
	b := start(t, simforce.Options{}, everyPreset()["FeedItem"])
	b.grant()
	verdict := b.checked()["FeedItem"]
	require.Contains(t, verdict.Problem, "requires a filter by Id")
	require.Contains(t, verdict.Hint, "View All Data")
	b.seesAll()
	b.check()
}

// The records of every object become the same comments over REST and Bulk.
func TestPresetsReadTheSameOverBulk(t *testing.T) {
	t.Parallel()
	for object, fields := range map[string]simforce.Row{
		"Case":               {"Subject": "S {n}", "Description": "It broke {n}\n\nKind regards\nBo", "SuppliedName": "Bo {n}", "SuppliedEmail": "bo@globex.example"},
		"CaseComment":        {"CommentBody": "Called, \"twice\" {n}", "IsPublished": true},
		"Task":               {"Subject": "T {n}", "Description": "x {n}", "TaskSubtype": "Call", "CallDurationInSeconds": int64(61)},
		"FeedItem":           {"Body": "<p>x {n}</p>", "IsRichText": true},
		"FeedComment":        {"CommentBody": "x {n}"},
		"LiveChatTranscript": {"StartTime": longAgo, "Body": "( 4s ) Ann: Hello {n}<br>( 9s ) Bo: \"Hi\"<br>"},
	} {
		t.Run(object, func(t *testing.T) {
			t.Parallel()
			b := presetBench(t, object)
			p := b.people()
			switch object {
			case "CaseComment", "FeedItem":
				fields["ParentId"] = p.caseID
			case "FeedComment":
				fields["FeedItemId"], fields["ParentId"] = b.create("FeedItem", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"ParentId": p.caseID, "Body": "x"}}), p.caseID
			case "LiveChatTranscript":
				fields["CaseId"], fields["ContactId"] = p.caseID, p.contact
			case "Task":
				fields["WhatId"], fields["WhoId"], fields["OwnerId"] = p.caseID, p.contact, p.owner
			}
			_, err := b.sim.CreateRecords(object, 60, simforce.Write{Stamp: longAgo, Fields: fields})
			require.NoError(t, err)
			b.svc.BulkFrom, b.svc.PartRows, b.svc.BatchBytes, b.svc.StepFor, b.svc.PagesAtOnce = 50, 30, 8_000, time.Nanosecond, 3
			b.begin(object)
			counts, outcome := b.flood(object, nil)
			require.Equal(t, flow.OutcomeDone, outcome)
			require.GreaterOrEqual(t, counts.Created, int64(60))
			before := b.comments()

			// REST reads all of it again and finds nothing to change.
			b.svc.BulkFrom = -1
			require.NoError(t, b.db.RequestResync(t.Context(), b.id, object, time.Time{}, time.Time{}, "to compare"))
			again := b.settle()
			require.GreaterOrEqual(t, again.Rows, counts.Created)
			require.Equal(t, again.Rows, again.Unchanged, "%+v", again)
			require.Equal(t, before, b.comments())
		})
	}
}

// A case that changes reaches what hangs on it; a person's new name does so with the record's own change.
func TestPresetsFollowTheCase(t *testing.T) {
	t.Parallel()
	b := presetBench(t, "CaseComment", "LiveChatTranscript")
	p := b.people()
	note := b.create("CaseComment", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"ParentId": p.caseID, "CommentBody": "x"}})
	chat := b.create("LiveChatTranscript", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"CaseId": p.caseID, "OwnerId": p.owner, "Body": "( 4s ) Ann: x", "StartTime": longAgo}})
	b.settle()
	units := b.units()
	b.clock.add(time.Minute)
	b.update("User", p.owner, simforce.Row{"LastName": "Renamed"})
	b.scan()
	require.Zero(t, b.settle().Rows, "users change at every login")
	b.update("Case", p.caseID, simforce.Row{"Priority": "Critical"})
	b.update("Account", p.account, simforce.Row{"Name": "Initrode"})
	b.scan()
	b.settle()
	for _, id := range []string{note, chat} {
		props := b.comment(id).Properties
		require.Equal(t, "Critical", props["string:Case Priority"])
		require.Equal(t, "Initrode", props["string:Account"])
		require.Equal(t, "Lena Renamed", props["string:Case Owner"])
	}
	require.Equal(t, units, b.units())
}

// A chat's text inputs are its bill: who speaks when is metadata of them.
func TestChatsAreBilledOnce(t *testing.T) {
	t.Parallel()
	b := presetBench(t, "LiveChatTranscript")
	id := b.create("LiveChatTranscript", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"StartTime": longAgo, "Body": "( 4s ) Ann: one<br>( 9s ) Bo: two<br>"}})
	b.settle()
	b.clock.add(time.Minute)
	b.update("LiveChatTranscript", id, simforce.Row{"StartTime": longAgo.Add(time.Hour), "Status": "Missed"})
	require.EqualValues(t, 1, b.settle().MetadataChanged)
	require.Equal(t, longAgo.Add(time.Hour+9*time.Second), b.comment(id).Messages[1].SentAt.UTC())
	require.EqualValues(t, 1, b.units())

	// Without the field nothing is forgotten.
	before := b.comment(id)
	for _, field := range []string{"Body", "StartTime"} {
		b.hide("LiveChatTranscript." + field)
		b.noticed()
		b.update("LiveChatTranscript", id, simforce.Row{"WaitTime": int64(5)})
		b.settle()
		require.Equal(t, before.Messages, b.comment(id).Messages, field)
		b.show("LiveChatTranscript." + field)
		b.noticed()
		b.settle()
	}
	b.update("LiveChatTranscript", id, simforce.Row{"Body": "( 4s ) Ann: one<br>( 9s ) Bo: two<br>( 12s ) Ann: three<br>"})
	require.EqualValues(t, 1, b.settle().TextChanged)
	require.Len(t, b.comment(id).Messages, 3)
	require.EqualValues(t, 2, b.units())
}

// A release whose presets read more asks for the records once more, and charges nothing.
func TestANewReleaseReadsMoreAndChargesNothing(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 12}, mailObject)
	b.settle()
	units := b.units()
	// As an older release left it: a smaller plan, and comments made by it.
	var plan map[string]any
	require.NoError(t, json.Unmarshal(b.object("EmailMessage").Plan, &plan))
	recipe := plan["recipe"].(map[string]any)
	mapping, types := recipe["mapping"].(map[string]any), recipe["types"].(map[string]any)
	for _, key := range []string{"mail", "domains", "url"} {
		delete(mapping, key)
	}
	old := map[string]bool{"Case Number": true, "Case Status": true, "Case Priority": true, "Case Origin": true}
	mapping["properties"] = slices.DeleteFunc(mapping["properties"].([]any), func(p any) bool { return !old[p.(map[string]any)["name"].(string)] })
	gone := []string{"HasAttachment", "Parent.Account.Name", "Parent.Owner.Name"}
	for _, path := range gone {
		delete(types, path)
	}
	plan["fields"] = slices.DeleteFunc(plan["fields"].([]any), func(f any) bool { return slices.Contains(gone, f.(string)) })
	raw, err := json.Marshal(plan)
	require.NoError(t, err)
	b.seed.Exec(`update objects set plan = $1`, raw)
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), properties = properties - 'string:Account' - 'string:Case Owner' - 'string:Has Attachments' - 'string:Record URL' - 'string:Sender Domain' - 'string:Recipient Domain', content_hash = 'old'`)
	b.seed.Exec(`update records set record_digest = 'old'`)
	b.check()
	b.settle()
	b.same()
	require.Equal(t, units, b.units())
	require.Len(t, b.seed.Strings(`select 1::text from revisions`), 12, "no text was written anew")
}

// A property that the file names wins over the preset's of that name.
func TestFilesOutrankPresets(t *testing.T) {
	t.Parallel()
	note := of(config.PresetCaseComment, "CaseComment")
	note.Fields = config.FieldMap{"from": "Parent.SuppliedEmail", "thread": "Id"}
	note.Properties = []config.Property{{Name: "Account", Path: "Parent.Subject"}, {Name: "Record URL", Path: "Id"}, {Name: "Sender Domain", Path: "Parent.Type"}}
	b := connected(t, simforce.Options{}, note)
	p := b.people()
	b.update("Case", p.caseID, simforce.Row{"SuppliedEmail": "bo@globex.example"})
	id := b.create("CaseComment", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"ParentId": p.caseID, "CommentBody": "x"}})
	b.settle()
	c := b.comment(id)
	require.Equal(t, "bo@globex.example", c.Messages[0].From)
	require.Equal(t, hexOf(id), c.ThreadID)
	require.Equal(t, "Invoice", c.Properties["string:Account"])
	require.Equal(t, id, c.Properties["string:Record URL"])
	require.Equal(t, "Problem", c.Properties["string:Sender Domain"])
	require.NotContains(t, b.plan("CaseComment").Fields, "Parent.Account.Name")
	require.NotContains(t, b.plan("CaseComment").Fields, "CreatedBy.Name")
}

func TestFollowedParents(t *testing.T) {
	t.Parallel()
	for object, want := range map[string][]string{
		"EmailMessage": {"Parent"}, "Case": nil, "CaseComment": {"Parent"}, "Task": nil, "FeedItem": nil, "FeedComment": nil, "LiveChatTranscript": {"Case"},
	} {
		require.Equal(t, want, slices.Sorted(slices.Values(poll.FollowedParents(everyPreset()[object]))), object)
	}
	note := everyPreset()["CaseComment"]
	for _, name := range []string{"Case Number", "Case Status", "Case Priority", "Case Origin", "Account", "Case Owner"} {
		note.Properties = append(note.Properties, config.Property{Name: name, Path: "CreatedById"})
	}
	require.Empty(t, poll.FollowedParents(note))
	require.Empty(t, poll.FollowedParents(surveyObject))
	require.Empty(t, poll.FollowedParents(of("email", "Case")))
}

// Long texts are cut and marked, never refused.
func TestLongTextsOfPresets(t *testing.T) {
	t.Parallel()
	b := presetBench(t, "LiveChatTranscript")
	long := b.create("LiveChatTranscript", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"Body": "( 4s ) Ann: " + strings.Repeat("word ", 20_000)}})
	var many strings.Builder
	for i := range comment.MaxMessages + 10 {
		fmt.Fprintf(&many, "( %ds ) Ann: turn %d<br>", i, i)
	}
	full := b.create("LiveChatTranscript", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"Body": many.String()}})
	b.settle()
	require.Zero(t, b.count(`select count(*) from set_aside`))
	c := b.comment(long)
	require.Equal(t, "body", c.Properties["string:Truncated"])
	require.True(t, strings.HasSuffix(c.Messages[0].Body.Text, "word"))
	require.Greater(t, len(c.Messages[0].Body.Text), comment.MaxTextChars-10)
	c = b.comment(full)
	require.Len(t, c.Messages, comment.MaxMessages)
	require.Contains(t, c.Messages[comment.MaxMessages-1].Body.Text, fmt.Sprintf("Ann: turn %d", comment.MaxMessages+9))
	require.NotContains(t, c.Properties, "string:Truncated")
}
