package poll_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
)

var (
	historyObject = config.Object{Object: "CaseHistory", Deleted: config.DeletedTombstone,
		Fields:     config.FieldMap{"timestamp": "CreatedDate", "body": "NewValue", "thread": "CaseId"},
		Properties: []config.Property{{Name: "Field", Path: "Field"}, {Name: "Case Number", Path: "Case.CaseNumber"}}}
	shareObject = config.Object{Object: "CaseShare", Deleted: config.DeletedTombstone,
		Fields: config.FieldMap{"timestamp": "LastModifiedDate", "body": "CaseAccessLevel", "thread": "CaseId"}}
	logObject = config.Object{Object: "Log__c", Deleted: config.DeletedTombstone,
		Fields: config.FieldMap{"timestamp": "At__c", "body": "Text__c"}}
	mailsWithAFormula = config.Object{Object: "EmailMessage", Preset: config.PresetEmail, Deleted: config.DeletedTombstone,
		Properties: []config.Property{{Name: "Contact", Path: "Parent.ContactEmail"}}}
	jobObject = config.Object{Object: "Job__c", Deleted: config.DeletedTombstone,
		Fields: config.FieldMap{"timestamp": "CreatedDate", "body": "Text__c"}, Properties: []config.Property{{Name: "Kind", Path: "Kind__r.Name__c"}}}
)

// dateless is an org with objects that lack dates.
func dateless() simforce.Options {
	text, at := &simforce.Field{Name: "Text__c", Type: simforce.TypeString}, &simforce.Field{Name: "At__c", Type: simforce.TypeDatetime}
	return simforce.Options{Objects: []simforce.Object{
		{Name: "Log__c", KeyPrefix: "a0L", NoStamp: true, NoModified: true, NoCreated: true, Fields: []*simforce.Field{text, at}},
		{Name: "Kind__c", KeyPrefix: "a0K", NoStamp: true, NoModified: true, Fields: []*simforce.Field{{Name: "Name__c", Type: simforce.TypeString}}},
		{Name: "Job__c", KeyPrefix: "a0J", NoStamp: true, NoModified: true, Fields: []*simforce.Field{text,
			{Name: "Kind__c", Type: simforce.TypeReference, ReferenceTo: []string{"Kind__c"}, Relationship: "Kind__r"}}},
	}}
}

// passes makes the next pass of every object due, as time does.
func (b *bench) passes() {
	b.Helper()
	b.seed.Exec(`update passes set next = now() where next is not null`)
}

func (b *bench) count(sql string) int {
	b.Helper()
	n := 0
	_, err := fmt.Sscan(b.seed.Strings(`select (` + sql + `)::text`)[0], &n)
	require.NoError(b, err)
	return n
}

func TestCheckChoosesTheCursor(t *testing.T) {
	t.Parallel()
	b := connected(t, dateless(), mailObject, historyObject, shareObject, logObject, jobObject)
	for object, want := range map[string][]string{
		"EmailMessage": {"SystemModstamp", "EmailMessage is followed by SystemModstamp"},
		"CaseHistory":  {"CreatedDate", "CaseHistory is followed by CreatedDate: rows are never changed"},
		"CaseShare": {"LastModifiedDate",
			"CaseShare is followed by LastModifiedDate: a record that an import dates back is not found at once, but by the comparison with Salesforce"},
		"Log__c": {"", "Log__c has no date to follow: all of it is read again and again, and a change is found by the next pass"},
		"Job__c": {"CreatedDate",
			"Job__c is followed by CreatedDate, which does not move when a record changes: changes are found by reading all of it again, now and then"},
	} {
		p := b.plan(object)
		require.Equal(t, want, []string{p.Recipe.Stamp, p.Cursor.Says}, object)
		require.Equal(t, strings.Contains(want[1], "again"), p.Cursor.Passes, object)
	}
	job := b.plan("Job__c")
	require.Empty(t, job.Dependencies)
	require.Equal(t, []string{"Kind__r: a change of Kind__c reaches a comment when its own record changes, because Kind__c has no date to follow"}, job.Notes)
	require.Equal(t, "SystemModstamp", b.plan("CaseHistory").Dependencies[0].Stamp)
}

func TestHistoryIsFollowedByCreatedDate(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, historyObject)
	c := b.create("Case", simforce.Write{Fields: simforce.Row{"Status": "New", "Priority": "Low"}})
	require.Zero(t, b.settle().Created)
	b.clock.add(time.Minute)
	b.update("Case", c, simforce.Row{"Status": "Working"})
	require.EqualValues(t, 1, b.settle().Created)
	b.update("Case", c, simforce.Row{"Priority": "High"})
	b.update("Case", c, simforce.Row{"Status": "Closed"})
	require.EqualValues(t, 2, b.settle().Created)
	got := map[string]string{}
	for _, c := range b.comments() {
		got[c.Messages[0].Body.Text] = c.Properties["string:Field"].(string)
	}
	require.Equal(t, map[string]string{"Working": "Status", "High": "Priority", "Closed": "Status"}, got)
	require.EqualValues(t, 3, b.units())
	require.Zero(t, b.count(`select count(*) from passes`), "rows that never change need no pass")
}

func TestShareIsFollowedByLastModifiedDate(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, shareObject)
	c := b.create("Case", simforce.Write{Fields: simforce.Row{"Status": "New"}})
	b.settle()
	id := b.create("CaseShare", simforce.Write{Fields: simforce.Row{"CaseId": c, "UserOrGroupId": b.sim.Orgs()[0].Users[simforce.SyncUser]}})
	require.EqualValues(t, 1, b.settle().Created)
	b.clock.add(time.Minute)
	b.update("CaseShare", id, simforce.Row{"CaseAccessLevel": "Edit"})
	require.EqualValues(t, 1, b.settle().TextChanged)
	require.Equal(t, "Edit", b.comment(id).Messages[0].Body.Text)
	require.EqualValues(t, 2, b.units())
}

func TestObjectWithoutADateIsReadInPasses(t *testing.T) {
	t.Parallel()
	b := connected(t, dateless(), logObject)
	log := func(text string) string {
		return b.create("Log__c", simforce.Write{Fields: simforce.Row{"Text__c": text, "At__c": longAgo}})
	}
	ids := make([]string, 0, 30)
	for i := range 30 {
		ids = append(ids, log(fmt.Sprint("text ", i)))
	}
	require.EqualValues(t, 30, b.settle().Created)
	require.Len(t, b.comments(), 30)
	target, err := b.db.LoadTarget(t.Context(), "support", "prod")
	require.NoError(t, err)
	require.WithinDuration(t, b.clock.now().Add(-15*time.Minute), target.Objects[0].VerifiedTo, 10*time.Second)
	b.look()
	require.Equal(t, []string{"30 of 30"}, b.seed.Strings(`select stored_rows || ' of ' || salesforce_rows from streams`))

	// Nothing changed: a pass costs its page and leaves nothing behind.
	batches, chunks := b.count(`select count(*) from batches where state = 'applied'`), b.count(`select count(*) from raw_chunks`)
	b.passes()
	b.sim.ResetCounters()
	require.Zero(t, b.settle().Rows)
	require.Equal(t, 1, b.sim.Counters().Total)
	require.Equal(t, batches, b.count(`select count(*) from batches where state = 'applied'`))
	require.Equal(t, chunks, b.count(`select count(*) from raw_chunks`))
	b.sim.ResetCounters()
	require.Zero(t, b.settle().Rows)
	require.Zero(t, b.sim.Counters().Total, "between passes nobody is asked")

	// One of each: text, metadata-free repetition, new, deleted, undeleted.
	b.update("Log__c", ids[3], simforce.Row{"Text__c": "changed"})
	ids = append(ids, log("new"))
	require.NoError(t, b.sim.DeleteRecord("", ids[5], false))
	b.passes()
	require.Equal(t, flow.Counts{Rows: 3, Created: 1, TextChanged: 1, Deleted: 1, Units: 2}, b.settle())
	require.Equal(t, "changed", b.comment(ids[3]).Messages[0].Body.Text)
	require.Len(t, b.comments(), 30)
	b.passes()
	require.Zero(t, b.settle().Rows, "a deleted record that is seen again is nothing new")
	require.NoError(t, b.sim.UndeleteRecord("", ids[5]))
	b.passes()
	counts := b.settle()
	require.EqualValues(t, 1, counts.MetadataChanged)
	require.Zero(t, counts.Units)
	require.Len(t, b.comments(), 31)
	require.EqualValues(t, 32, b.units())

	// A count that differs does not wait for the next pass, and neither does a request.
	log("counted")
	b.seed.Exec(`update streams set compare_after = now()`)
	require.EqualValues(t, 1, b.settle().Created)
	b.update("Log__c", ids[4], simforce.Row{"Text__c": "asked for"})
	require.NoError(t, b.db.RequestResync(t.Context(), b.id, "Log__c", time.Time{}, time.Time{}, "by hand"))
	require.EqualValues(t, 1, b.settle().TextChanged)
	require.EqualValues(t, 34, b.units())

	// A record that leaves neither a row nor a trace in the log of deletes is missed by the pass.
	require.NoError(t, b.sim.DeleteRecord("", ids[6], true))
	b.passes()
	b.settle()
	require.Equal(t, "invisible", b.seed.Strings(`select state from records where record_id = $1`, ids[6])[0])

	// A changed mapping reads everything again and charges nothing.
	b.spec.Objects[0].Properties = []config.Property{{Name: "Text", Path: "Text__c"}}
	require.Equal(t, []string{"Log__c"}, b.apply().Reread)
	b.check()
	counts = b.settle()
	require.EqualValues(t, 31, counts.MetadataChanged)
	require.Zero(t, counts.Units)
}

func TestPassGoesOnWhereItStood(t *testing.T) {
	t.Parallel()
	o := dateless()
	o.Objects[0].Fields = append(o.Objects[0].Fields, &simforce.Field{Name: "Long__c", Type: simforce.TypeTextarea, Length: 32000},
		&simforce.Field{Name: "Longer__c", Type: simforce.TypeTextarea, Length: 32000})
	object := logObject
	object.Properties = []config.Property{{Name: "Long", Path: "Long__c"}, {Name: "Longer", Path: "Longer__c"}}
	b := connected(t, o, object)
	b.svc.BatchBytes = 1
	for i := range 450 {
		b.create("Log__c", simforce.Write{Fields: simforce.Row{"Text__c": fmt.Sprint(i), "At__c": longAgo}})
	}
	ref := b.next("Log__c")
	polled, err := b.svc.Poll(t.Context(), ref)
	require.NoError(t, err)
	require.True(t, polled.More)
	b.finish(ref)
	at := b.seed.Strings(`select at_id from passes`)[0]
	require.NotEmpty(t, at)
	// A crash before the pass was noted: the page is read again, and nothing on it is new.
	b.seed.Exec(`update passes set at_id = '', pages = 0`)
	require.EqualValues(t, int64(450)-polled.Rows, b.settle().Created)
	require.Len(t, b.comments(), 450)
	require.EqualValues(t, 450, b.units())
	require.Equal(t, []string{"true"}, b.seed.Strings(`select settled::text from passes`))

	// While a pass is under way: behind its position (next pass), in front of it (this one).
	rows := b.records("Log__c")
	b.passes()
	n := 0
	b.orgs.during(func(_ int, q string) {
		if n++; strings.Contains(q, "Text__c") && n == 1 {
			b.update("Log__c", text(rows[0], "Id"), simforce.Row{"Text__c": "behind"})
			b.update("Log__c", text(rows[449], "Id"), simforce.Row{"Text__c": "in front"})
		}
	})
	require.EqualValues(t, 1, b.settle().TextChanged)
	b.orgs.during(nil)
	b.passes()
	require.EqualValues(t, 1, b.settle().TextChanged)
	require.Equal(t, "behind", b.comment(text(rows[0], "Id")).Messages[0].Body.Text)
	require.EqualValues(t, 452, b.units())
}

func TestPassFindsWhatCreatedDateDoesNotShow(t *testing.T) {
	t.Parallel()
	b := connected(t, dateless(), jobObject)
	kind := b.create("Kind__c", simforce.Write{Fields: simforce.Row{"Name__c": "Import"}})
	id := b.create("Job__c", simforce.Write{Fields: simforce.Row{"Text__c": "queued", "Kind__c": kind}})
	require.EqualValues(t, 1, b.settle().Created)
	require.Equal(t, []string{"true true"}, b.seed.Strings(`select (next > now()) || ' ' || settled from passes`), "the first load was a pass")
	b.clock.add(time.Minute)
	b.update("Job__c", id, simforce.Row{"Text__c": "done"})
	b.update("Kind__c", kind, simforce.Row{"Name__c": "Nightly import"})
	b.create("Job__c", simforce.Write{Fields: simforce.Row{"Text__c": "another"}})
	require.EqualValues(t, 1, b.settle().Created, "new records come at once")
	b.passes()
	counts := b.settle()
	require.EqualValues(t, 1, counts.TextChanged)
	require.Equal(t, "done", b.comment(id).Messages[0].Body.Text)
	require.Equal(t, "Nightly import", b.comment(id).Properties["string:Kind"])
	require.EqualValues(t, 3, b.units())
}

// The contact of a case gets another address: no date of the case or of the mail moves, and the formula
// that shows the address says another one all the same.
func TestPassFindsWhatAFormulaSays(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailsWithAFormula)
	require.Contains(t, b.plan("EmailMessage").Notes,
		"Parent.ContactEmail is a formula, and no date moves when its value changes: that is found by reading all of EmailMessage again, now and then")
	contact := b.create("Contact", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"LastName": "Zoe", "Email": "zoe@c.example"}})
	about := b.create("Case", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"Status": "New", "ContactId": contact}})
	var ids []string
	for _, parent := range []any{about, nil} {
		id := b.create("EmailMessage", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"TextBody": "x", "Incoming": false, "ParentId": parent, "ToAddress": "bob@a.example"}})
		b.relate(id, "ToAddress", "ann@a.example")
		ids = append(ids, id)
	}
	require.EqualValues(t, 2, b.settle().Created)
	require.Equal(t, "zoe@c.example", b.comment(ids[0]).Properties["string:Contact"])
	b.clock.add(time.Minute)
	b.passes()
	require.Zero(t, b.settle().Rows, "nothing has changed")

	b.update("Contact", contact, simforce.Row{"Email": "zoe@d.example"})
	require.Zero(t, b.settle().Rows, "nothing shows it")
	b.passes()
	require.Equal(t, flow.Counts{Rows: 1, MetadataChanged: 1}, b.settle())
	require.Equal(t, "zoe@d.example", b.comment(ids[0]).Properties["string:Contact"])
	require.Equal(t, []string{"bob@a.example", "ann@a.example"}, b.message(ids[0]).To)
	require.EqualValues(t, 2, b.units())
}

// While the first load goes on through Bulk, a pass would only read the same a second time.
func TestNoPassBesideTheFirstLoad(t *testing.T) {
	t.Parallel()
	b := flooded(t, simforce.Options{Generate: 60}, mailsWithAFormula)
	b.begin("EmailMessage")
	b.passes()
	require.Empty(t, b.look().News)
}

// A row whose stamp is damaged is that record's trouble, not its batch's.
func TestRowWithoutAStampStopsNobody(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, noteObject)
	c := b.create("Case", simforce.Write{Fields: simforce.Row{"Status": "New"}})
	b.settle()
	for i := range 3 {
		b.create("CaseComment", simforce.Write{Fields: simforce.Row{"ParentId": c, "CommentBody": fmt.Sprint("note ", i)}})
	}
	rows := b.records("CaseComment")
	b.clock.add(time.Minute)
	var lines []string
	for i, r := range rows {
		stamp := `"` + r["SystemModstamp"].(time.Time).UTC().Format("2006-01-02T15:04:05.000+0000") + `"`
		lines = append(lines, fmt.Sprintf(`{"attributes":{"type":"CaseComment"},"Id":%q,"CommentBody":%q,"CreatedDate":%s,"IsDeleted":false,"SystemModstamp":%s}`,
			text(r, "Id"), text(r, "CommentBody"), stamp, []string{stamp, `"yesterday"`, stamp}[i]))
	}
	require.NoError(t, b.sim.FailNext(simforce.Fault{Contains: "CommentBody, CreatedDate", Status: 200,
		Body: `{"totalSize":3,"done":true,"records":[` + strings.Join(lines, ",") + `]}`}))
	ref := b.look().News[0].Batch
	_, err := b.svc.Poll(t.Context(), ref)
	require.NoError(t, err)
	done := b.finish(ref)
	require.Equal(t, flow.Counts{Rows: 3, Created: 2, SetAside: 1, Units: 2}, done.Counts)
	require.Contains(t, b.seed.Strings(`select reason from set_aside`)[0], "yesterday")
	require.EqualValues(t, 1, b.settle().Created, "it is read again by its Id")
	require.Empty(t, b.seed.Strings(`select reason from set_aside`))
	require.EqualValues(t, 3, b.units())
}
