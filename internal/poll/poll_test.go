package poll_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
)

// mails writes n mails that share one stamp, long ago.
func (b *bench) mails(n int, at time.Time) []string {
	b.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = b.create("EmailMessage", simforce.Write{Stamp: at, Fields: simforce.Row{
			"Subject": fmt.Sprintf("mail %d", i), "TextBody": fmt.Sprintf("text %d", i), "FromAddress": "ann@example.com", "Incoming": true}})
	}
	return ids
}

var longAgo = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)

func TestPollReadsATieOfThousandsOnce(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailObject)
	b.mails(5000, longAgo)
	ref := b.next("EmailMessage")
	polled, err := b.svc.Poll(t.Context(), ref)
	require.NoError(t, err)
	require.EqualValues(t, 5000, polled.Rows)
	require.True(t, polled.Sealed)
	require.False(t, polled.More)
	require.GreaterOrEqual(t, polled.Calls, 25, "two long texts make pages of 200 rows")
	done := b.finish(ref)
	require.Equal(t, flow.Counts{Rows: 5000, Created: 5000, Units: 5000}, done.Counts)
	require.Zero(t, b.settle().Rows)
	b.same()
}

func TestPollEndsABatchThatIsFull(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailObject)
	b.svc.BatchBytes = 1
	b.mails(450, longAgo)
	ref := b.next("EmailMessage")
	var rows []int64
	for more := true; more; {
		polled, err := b.svc.Poll(t.Context(), ref)
		require.NoError(t, err)
		rows = append(rows, polled.Rows)
		done := b.finish(ref)
		require.Equal(t, polled.More, done.More)
		require.Equal(t, ref.Seq+1, done.Next.Seq)
		more, ref = done.More, done.Next
	}
	require.Equal(t, []int64{200, 200, 50}, rows)
	require.Zero(t, b.settle().Rows)
	b.same()
}

func TestPollOfASealedBatchAsksNobody(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 20}, mailObject)
	ref := b.next("EmailMessage")
	first, err := b.svc.Poll(t.Context(), ref)
	require.NoError(t, err)
	b.sim.ResetCounters()
	for range 2 {
		again, err := b.svc.Poll(t.Context(), ref)
		require.NoError(t, err)
		first.Calls = 0
		require.Equal(t, first, again)
		b.finish(ref)
	}
	require.Zero(t, b.sim.Counters().Total)
	require.EqualValues(t, 20, b.units())
}

func TestPollReadsAnUnsealedBatchAgain(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailObject)
	b.mails(300, longAgo)
	ref := b.next("EmailMessage")
	b.orgs.during(func(n int, _ string) {
		if n == 3 { // parents and relations, then the first page
			require.NoError(t, b.sim.FailNext(simforce.Fault{Status: http.StatusServiceUnavailable, Body: "down"}))
		}
	})
	_, err := b.svc.Poll(t.Context(), ref)
	require.Equal(t, fault.Transient, fault.KindOf(err), "%v", err)
	require.Equal(t, []string{"reading 1"}, b.seed.Strings(`select state || ' ' || attempt from batches`))
	b.orgs.during(nil)
	polled, err := b.svc.Poll(t.Context(), ref)
	require.NoError(t, err)
	require.EqualValues(t, 300, polled.Rows)
	require.Equal(t, []string{"sealed 2"}, b.seed.Strings(`select state || ' ' || attempt from batches`))
	require.Equal(t, []string{"2"}, b.seed.Strings(`select distinct attempt::text from raw_chunks`))
	require.EqualValues(t, 300, b.finish(ref).Counts.Created)
	b.same()
}

func TestPollStopsWithinOneCall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		act  func(*bench)
		kind fault.Kind
	}{
		"paused":       {func(b *bench) { require.NoError(b, b.db.Steer(b.Context(), "support", "prod", flow.SignalPause)) }, fault.Stopped},
		"disconnected": {func(b *bench) { require.NoError(b, b.db.Disconnect(b.Context(), b.id)) }, fault.Stopped},
		"deleted":      {func(b *bench) { require.NoError(b, b.db.SetDesired(b.Context(), b.id, "deleted")) }, fault.Stopped},
		"another condition": {func(b *bench) {
			b.spec.Objects = []config.Object{mailObject}
			b.spec.Objects[0].Where = "Incoming = true"
			require.Equal(b, []string{"EmailMessage"}, b.apply().Reread)
		}, fault.Fenced},
		"object taken out": {func(b *bench) { b.spec.Objects = nil; b.apply() }, fault.Fenced},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{}, mailObject)
			b.mails(500, longAgo)
			ref := b.next("EmailMessage")
			b.sim.ResetCounters()
			b.orgs.during(func(n int, _ string) {
				if n == 4 { // parents, their parents and relations, then the first page
					c.act(b)
				}
			})
			_, err := b.svc.Poll(t.Context(), ref)
			require.Equal(t, c.kind, fault.KindOf(err), "%v", err)
			require.Equal(t, 2, b.sim.Counters().Total)
			_, err = b.svc.Poll(t.Context(), ref)
			require.Equal(t, c.kind, fault.KindOf(err), "%v", err)
			require.Equal(t, 2, b.sim.Counters().Total)
		})
	}
}

func TestTransformOfAFencedBatch(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 5}, mailObject)
	ref := b.next("EmailMessage")
	_, err := b.svc.Poll(t.Context(), ref)
	require.NoError(t, err)
	b.spec.Objects[0].Where = "Incoming = true"
	b.apply()
	_, err = b.batches.Transform(t.Context(), ref)
	require.Equal(t, fault.Fenced, fault.KindOf(err), "%v", err)
	_, err = b.db.Upsert(t.Context(), ref)
	require.Equal(t, fault.Fenced, fault.KindOf(err), "%v", err)
	require.Zero(t, b.units())
}

func TestParentsAreFollowed(t *testing.T) {
	t.Parallel()
	mail := mailObject
	mail.Properties = []config.Property{{Name: "Customer", Path: "Parent.Account.Name"}, {Name: "Owner", Path: "Parent.Owner.Name"}}
	b := connected(t, simforce.Options{Generate: 40}, mail)
	b.settle()
	require.EqualValues(t, 40, b.units())
	m := b.records("EmailMessage")[7]
	id, caseID := text(m, "Id"), text(m, "ParentId")
	parent, err := b.sim.Record("", caseID)
	require.NoError(t, err)

	b.clock.add(time.Minute)
	b.update("Case", caseID, simforce.Row{"Priority": "Critical"})
	require.Equal(t, []flow.News{{Object: "EmailMessage", Batch: b.next("EmailMessage")}}, b.look().News)
	counts := b.settle()
	require.Positive(t, counts.MetadataChanged)
	require.Zero(t, counts.Units)
	require.Equal(t, "Critical", b.comment(id).Properties["string:Case Priority"])

	b.update("Account", text(parent, "AccountId"), simforce.Row{"Name": "Renamed Ltd"})
	counts = b.settle()
	require.Positive(t, counts.MetadataChanged)
	require.Zero(t, counts.Units)
	require.Equal(t, "Renamed Ltd", b.comment(id).Properties["string:Customer"])

	// Behind a polymorphic lookup stand users and queues.
	lena := b.sim.Orgs()[0].Users["lena@acme.example"]
	b.update("Case", caseID, simforce.Row{"OwnerId": lena})
	b.settle()
	require.Equal(t, "Lena Brandt", b.comment(id).Properties["string:Owner"])
	b.update("User", lena, simforce.Row{"LastName": "Berg"})
	counts = b.settle()
	require.Zero(t, counts.Units)
	require.Equal(t, "Lena Berg", b.comment(id).Properties["string:Owner"])
	require.EqualValues(t, 40, b.units())
}

func TestParentChangedTwiceInOneSecond(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 10}, mailObject)
	b.settle()
	caseID := text(b.records("EmailMessage")[0], "ParentId")
	for _, priority := range []string{"Low", "Critical", "High"} {
		b.update("Case", caseID, simforce.Row{"Priority": priority})
		b.sync()
	}
	require.Zero(t, b.settle().Units)
	b.same()
}

func TestParentLetsARowIntoTheCondition(t *testing.T) {
	t.Parallel()
	note := noteObject
	note.Where = "Parent.Account.Industry = 'Finance'"
	b := connected(t, simforce.Options{Generate: 30}, note)
	b.settle()
	require.Empty(t, b.comments())
	c := b.records("CaseComment")[0]
	parent, err := b.sim.Record("", text(c, "ParentId"))
	require.NoError(t, err)
	b.update("Account", text(parent, "AccountId"), simforce.Row{"Industry": "Finance"})
	b.settle()
	require.Equal(t, text(c, "CommentBody"), b.comment(text(c, "Id")).Messages[0].Body.Text)
}

func TestRechecksAreReadById(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.settle()
	var ids []string
	for _, m := range b.records("EmailMessage")[:3] {
		ids = append(ids, text(m, "Id"))
	}
	gone := b.create("EmailMessage", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"Subject": "late", "TextBody": "committed behind the cursor"}})
	require.NoError(t, b.db.AddRechecks(t.Context(), b.id, "EmailMessage", "late", append(ids, gone, "02sdM00000zzzzzAAA")))
	b.sim.ResetCounters()
	result := b.look()
	require.Len(t, result.News, 1)
	require.Zero(t, b.sim.Counters().Total, "nobody need be asked")
	counts := b.drain(result.News[0].Batch)
	require.Equal(t, flow.Counts{Rows: 4, Created: 1, Unchanged: 3, Units: 1}, counts)
	require.Empty(t, b.seed.Strings(`select record_id from rechecks`), "what does not come back is answered too")
	require.Zero(t, b.settle().Rows)
	b.same()
}

func TestDeletedRowsCome(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.settle()
	m := b.records("EmailMessage")[3]
	require.NoError(t, b.sim.DeleteRecord("", text(m, "Id"), false))
	counts := b.settle()
	require.EqualValues(t, 1, counts.Deleted)
	require.Zero(t, counts.Units)
	b.same()
	// A deleted case takes its mails along.
	other := b.records("EmailMessage")[9]
	require.NoError(t, b.sim.DeleteRecord("", text(other, "ParentId"), false))
	require.Positive(t, b.settle().Deleted)
	b.same()
	require.NoError(t, b.sim.UndeleteRecord("", text(m, "Id")))
	require.NoError(t, b.sim.UndeleteRecord("", text(other, "ParentId")))
	require.Zero(t, b.settle().Units)
	b.same()
	require.EqualValues(t, 30, b.units())
}

func TestRowThatLeavesTheConditionIsLeftAlone(t *testing.T) {
	t.Parallel()
	mail := mailObject
	mail.Where = "Incoming = true"
	b := connected(t, simforce.Options{}, mail)
	ids := b.mails(3, longAgo)
	b.settle()
	b.update("EmailMessage", ids[1], simforce.Row{"Incoming": false, "TextBody": "now outgoing"})
	require.Zero(t, b.settle().Rows)
	require.Equal(t, "text 1", b.comment(ids[1]).Messages[0].Body.Text)
	require.Equal(t, "inbound", b.comment(ids[1]).Properties["string:Direction"])
	b.update("EmailMessage", ids[1], simforce.Row{"Incoming": true})
	require.EqualValues(t, 1, b.settle().TextChanged)
}

// A row that is changed after its page was read comes again further back in the same reading.
func TestRowChangedWhileItsBatchIsRead(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailObject)
	ids := b.mails(450, longAgo)
	b.orgs.during(func(n int, _ string) {
		if n == 4 { // parents, their parents and relations, then the first page
			b.update("EmailMessage", ids[5], simforce.Row{"HtmlBody": nil, "TextBody": "changed meanwhile"})
		}
		b.clock.add(time.Minute) // the change is settled when it is read
	})
	b.drain(b.next("EmailMessage"))
	b.orgs.during(nil)
	b.settle()
	require.Equal(t, "changed meanwhile", b.comment(ids[5]).Messages[0].Body.Text)
	b.same()
	require.EqualValues(t, 451, b.units())
}

// Ids do not follow the order of creation: a second that is not over may get rows in
// front of the last one that was read.
func TestRowsInFrontOfTheLastOneInItsSecond(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailObject)
	var ids []string
	for i := range 12 {
		ids = append(ids, b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": fmt.Sprint(i), "TextBody": "one", "FromAddress": "a@b.example"}}))
		b.sync()
	}
	before := false
	for i := range ids[1:] {
		before = before || ids[i+1] < ids[i]
	}
	require.True(t, before, "some id is smaller than one before it")
	b.update("EmailMessage", ids[0], simforce.Row{"HtmlBody": nil, "TextBody": "two"})
	b.sync()
	b.update("EmailMessage", ids[0], simforce.Row{"HtmlBody": nil, "TextBody": "three"})
	b.settle()
	b.same()
	require.EqualValues(t, 14, b.units(), "twelve mails and two changes of a text")
}

func TestObjectWithoutRowsIsQuiet(t *testing.T) {
	t.Parallel()
	survey := surveyObject
	survey.Where = "Score__c > 99"
	b := connected(t, simforce.Options{Generate: 10}, survey)
	require.Zero(t, b.settle().Rows)
	b.sim.ResetCounters()
	require.Equal(t, flow.OutcomeQuiet, b.look().Outcome)
	require.Equal(t, 1, b.sim.Counters().Total)
	require.Equal(t, []string{flow.StateIdle}, b.seed.Strings(`select status from integrations`))
	b.create("Survey_Response__c", simforce.Write{Fields: simforce.Row{"Score__c": 100.5, "Submitted__c": longAgo, "Feedback__c": "fine"}})
	require.EqualValues(t, 1, b.settle().Created)
	for _, c := range b.comments() {
		require.InDelta(t, 100.5, c.Properties["number:Score"], 0)
	}
}

func TestRecordThatCannotBecomeAComment(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, surveyObject)
	id := b.create("Survey_Response__c", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"Feedback__c": "no time given"}})
	b.create("Survey_Response__c", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"Feedback__c": "good", "Submitted__c": longAgo}})
	require.Equal(t, flow.Counts{Rows: 2, Created: 1, SetAside: 1, Units: 1}, b.settle())
	reasons := b.seed.Strings(`select record_id || ' ' || reason from set_aside`)
	require.Len(t, reasons, 1)
	require.True(t, strings.HasPrefix(reasons[0], id), reasons[0])
	require.Contains(t, reasons[0], "Submitted__c")
	b.update("Survey_Response__c", id, simforce.Row{"Submitted__c": longAgo})
	require.EqualValues(t, 1, b.settle().Created)
	require.Empty(t, b.seed.Strings(`select record_id from set_aside`))
}
