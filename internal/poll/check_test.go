package poll_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/transform"
)

func TestCheckPlansTheEmailPreset(t *testing.T) {
	t.Parallel()
	mail := mailObject
	mail.Object, mail.Where = "emailmessage", "incoming = TRUE"
	mail.Properties = []config.Property{{Name: "Case Priority", Path: "parent.PRIORITY"}, {Name: "Customer", Path: "Parent.Account.Name"}}
	b := connected(t, simforce.Options{}, mail, surveyObject)
	p := b.plan("emailmessage")
	require.Equal(t, "EmailMessage", p.Object)
	require.Equal(t, []string{"Id", "BccAddress", "CcAddress", "CreatedDate", "FromAddress", "FromName", "HasAttachment", "HtmlBody", "Incoming", "IsDeleted", "MessageDate",
		"Parent.Account.Name", "Parent.CaseNumber", "Parent.Origin", "Parent.Owner.Name", "Parent.Priority", "Parent.Status", "ParentId", "Subject", "SystemModstamp",
		"TextBody", "ThreadIdentifier", "ToAddress"}, p.Fields)
	require.Equal(t, "Status != '5' AND IsPrivateDraft = false AND incoming = true", p.Where)
	require.Equal(t, []poll.Dependency{{Path: "Parent", IDPath: "ParentId", Parent: "Case", Stamp: "SystemModstamp"},
		{Path: "Parent.Account", IDPath: "Parent.AccountId", Parent: "Account", Stamp: "SystemModstamp"}, // at once, because the file asks for it
		{Path: "EmailMessageRelation", Parent: "EmailMessageRelation", Stamp: "SystemModstamp", Back: "EmailMessageId"}}, p.Dependencies, "users and queues are not followed")
	require.Empty(t, p.Left)
	m := p.Recipe.Mapping
	require.Equal(t, []transform.TextPath{{Path: "TextBody"}, {Path: "HtmlBody", HTML: true}}, m.Body)
	require.Equal(t, []string{"MessageDate", "CreatedDate"}, m.Timestamp)
	require.Equal(t, []string{"ParentId", "ThreadIdentifier"}, m.Thread)
	require.Equal(t, []transform.PropertyPath{{Name: "Case Number", Path: "Parent.CaseNumber"}, {Name: "Case Status", Path: "Parent.Status"},
		{Name: "Case Origin", Path: "Parent.Origin"}, {Name: "Case Owner", Path: "Parent.Owner.Name"}, {Name: "Account", Path: "Parent.Account.Name"},
		{Name: "Has Attachments", Path: "HasAttachment"}, {Name: "Case Priority", Path: "Parent.Priority"}, {Name: "Customer", Path: "Parent.Account.Name"}}, m.Properties)

	survey := b.plan("Survey_Response__c")
	require.Equal(t, []string{"Id", "Feedback__c", "IsDeleted", "Score__c", "Submitted__c", "SystemModstamp"}, survey.Fields)
	require.Empty(t, survey.Where)
	require.Empty(t, survey.Dependencies)
	o := b.object("emailmessage")
	require.Equal(t, "ok", o.State)
	require.Len(t, o.Dependencies, 3)
	for _, d := range o.Dependencies {
		require.Equal(t, b.clock.now().Add(-15*time.Minute), d.Hi.Stamp.UTC(), "a new dependency starts where transactions may still be open")
	}
	require.Empty(t, b.seed.Strings(`select checked_version::text from integrations where checked_version <> spec_version`))
}

func TestCheckNamesWhatIsWrongAndStopsThatObjectOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set        func(*bench)
		change     func(*config.Object)
		says, hint string
	}{
		"unknown object": {nil, func(o *config.Object) { o.Object = "Nonsense__c" }, "object Nonsense__c does not exist or is not visible", "View All"},
		"hidden object": {func(b *bench) { b.hide("Survey_Response__c") }, func(*config.Object) {},
			"object Survey_Response__c does not exist or is not visible", "View All"},
		"unknown field": {nil, func(o *config.Object) { o.Properties = []config.Property{{Name: "X", Path: "Bogus__c"}} },
			"field Bogus__c of Survey_Response__c does not exist or is not visible", "Read Access to Bogus__c"},
		"hidden field": {func(b *bench) { b.hide("Survey_Response__c.Feedback__c") }, func(*config.Object) {},
			"field Feedback__c of Survey_Response__c does not exist or is not visible", "Read Access to Feedback__c"},
		"hidden field of a parent": {func(b *bench) { b.hide("Case.Priority") },
			func(o *config.Object) { o.Properties = []config.Property{{Name: "X", Path: "Case__r.Priority"}} },
			"field Priority of Case does not exist or is not visible", "Read Access to Priority"},
		"hidden parent": {func(b *bench) { b.hide("Case") },
			func(o *config.Object) { o.Properties = []config.Property{{Name: "X", Path: "Case__r.Priority"}} }, "object Case does not exist or is not visible", "View All"},
		"id instead of relation": {nil, func(o *config.Object) { o.Properties = []config.Property{{Name: "X", Path: "Case__c.Priority"}} },
			"relation Case__c of Survey_Response__c", "write Case__r instead"},
		"through a polymorphic lookup": {nil, func(o *config.Object) { o.Properties = []config.Property{{Name: "X", Path: "Owner.TimeZoneSidKey"}} },
			"goes through Owner, which points to several kinds of record", "offers only"},
		"where: unknown field": {nil, func(o *config.Object) { o.Where = "Bogus__c = 1" }, "field Bogus__c of Survey_Response__c", "Read Access"},
		"where: other type":    {nil, func(o *config.Object) { o.Where = "Score__c = 'high'" }, "Score__c is a double field", "number"},
		"where: long text":     {nil, func(o *config.Object) { o.Where = "Feedback__c = 'x'" }, "Feedback__c cannot stand in a condition", "cannot be filtered"},
		"where: broken":        {nil, func(o *config.Object) { o.Where = "Score__c >" }, "where of Survey_Response__c", ""},
		"where: only Salesforce knows": {func(b *bench) {
			require.NoError(b, b.sim.FailNext(simforce.Fault{Contains: "FROM Survey_Response__c", Status: http.StatusBadRequest,
				Body: `[{"errorCode":"INVALID_QUERY_FILTER_OPERATOR","message":"invalid ID field: zzzzzzzzzzzzzzz"}]`}))
		}, func(o *config.Object) { o.Where = "Case__c = 'zzzzzzzzzzzzzzz'" }, "Salesforce refuses the query of Survey_Response__c: query", "where"},
		"no timestamp": {nil, func(o *config.Object) { o.Fields = config.FieldMap{"body": "Feedback__c"} }, "names no timestamp", "CreatedDate"},
		"timestamp is no time": {nil, func(o *config.Object) { o.Fields = config.FieldMap{"timestamp": "Score__c", "body": "Feedback__c"} },
			"timestamp Score__c of Survey_Response__c is of type double", "datetime"},
		"another id": {nil, func(o *config.Object) {
			o.Fields = config.FieldMap{"timestamp": "CreatedDate", "body": "Feedback__c", "id": "Name"}
		}, "Name cannot identify a comment", "property"},
		"preset of another object": {nil, func(o *config.Object) { o.Preset = config.PresetEmail }, "preset email is for EmailMessage, not for Survey_Response__c", "name the fields"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := surveyObject
			c.change(&bad)
			b := start(t, simforce.Options{Generate: 6}, noteObject, bad)
			b.grant()
			if c.set != nil {
				c.set(b)
			}
			got := b.checked()
			require.Empty(t, got["CaseComment"].Problem)
			require.Contains(t, got[bad.Object].Problem, c.says)
			require.Contains(t, got[bad.Object].Hint, c.hint)
			require.NotEmpty(t, got[bad.Object].Hint)
			require.Equal(t, "ok", b.object("CaseComment").State)
			o := b.object(bad.Object)
			require.Equal(t, "config_invalid", o.State)
			require.Equal(t, got[bad.Object].Problem, o.Problem)

			result := b.look()
			require.Len(t, result.Invalid, 1)
			require.Equal(t, got[bad.Object].Problem, result.Invalid[0].Message)
			b.settle()
			require.NotEmpty(t, b.comments(), "the good object goes on")
		})
	}
}

func (b *bench) hide(what string) {
	b.Helper()
	require.NoError(b, b.sim.SetVisible("", simforce.SyncUser, what, false))
}

func (b *bench) show(what string) {
	b.Helper()
	require.NoError(b, b.sim.SetVisible("", simforce.SyncUser, what, true))
}

func TestCheckOfPresetFields(t *testing.T) {
	t.Parallel()
	b := start(t, simforce.Options{Generate: 3}, mailObject)
	b.grant()
	b.hide("EmailMessage.BccAddress")
	b.hide("Case.Origin")
	for _, field := range []string{"HtmlBody", "Status"} { // half of the mails would seem empty; a draft could become a comment
		b.hide("EmailMessage." + field)
		require.Contains(t, b.checked()["EmailMessage"].Problem, field)
		b.show("EmailMessage." + field)
	}
	b.check()
	require.Equal(t, []string{"BccAddress", "Parent.Origin"}, b.plan("EmailMessage").Left)
	require.NotContains(t, b.plan("EmailMessage").Fields, "BccAddress")
	b.settle()
	require.Len(t, b.comments(), 3)
}

func TestPassingFaultLeavesTheCheckUndone(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]simforce.Fault{
		"page":          {Contains: "", PathPrefix: "/services/data/v66.0/composite", Status: 503, Headers: map[string]string{"Content-Type": "text/html"}, Body: "<html>"},
		"error":         {PathPrefix: "/services/data/v66.0/composite", Status: 500, Body: `[{"errorCode":"UNKNOWN_EXCEPTION","message":"oops"}]`},
		"dropped":       {PathPrefix: "/services/data/v66.0/composite", Drop: true, Times: 5},
		"query refused": {Contains: "FROM CaseComment", Status: http.StatusServiceUnavailable, Body: `[{"errorCode":"SERVER_UNAVAILABLE","message":"busy"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, simforce.Options{}, noteObject, surveyObject)
			b.grant()
			require.NoError(t, b.sim.FailNext(f))
			_, err := b.svc.Check(t.Context(), flow.CheckParams{Project: "support", Integration: "prod"})
			require.Equal(t, fault.Transient, fault.KindOf(err), "%v", err)
			require.Equal(t, "unchecked", b.object("CaseComment").State)
			require.Equal(t, "unchecked", b.object("Survey_Response__c").State)
			require.Equal(t, flow.OutcomeUnchecked, b.look().Outcome)
			b.sim.ClearFaults()
			b.check()
			require.Equal(t, flow.OutcomeNews, b.look().Outcome)
		})
	}
}

func TestCheckStops(t *testing.T) {
	t.Parallel()
	b := start(t, simforce.Options{}, noteObject)
	b.grant()
	require.NoError(t, b.db.Steer(t.Context(), "support", "prod", flow.SignalPause))
	_, err := b.svc.Check(t.Context(), flow.CheckParams{Project: "support", Integration: "prod"})
	require.Equal(t, fault.Stopped, fault.KindOf(err), "%v", err)
	require.Zero(t, b.sim.Counters().Total)
	_, err = b.svc.Check(t.Context(), flow.CheckParams{Project: "support", Integration: "nope"})
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}

func TestStartFrom(t *testing.T) {
	t.Parallel()
	from := longAgo.Add(time.Hour)
	b := start(t, simforce.Options{}, mailObject)
	b.spec.StartFrom = &from
	b.apply()
	b.grant()
	b.check()
	put := func(sent any, created time.Time) string {
		return b.create("EmailMessage", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"TextBody": "x", "MessageDate": sent, "CreatedDate": created}})
	}
	put(from.Add(-time.Second), from.Add(time.Hour))
	want := []string{put(from, longAgo), put(from.Add(time.Hour), longAgo)}
	b.settle()
	require.Len(t, b.comments(), 2)
	for _, id := range want {
		b.comment(id)
	}

	b.spec.StartFrom = nil
	require.Equal(t, []string{"EmailMessage"}, b.apply().Reread)
	b.check()
	require.EqualValues(t, 1, b.settle().Created)
	b.spec.StartFrom, b.spec.Objects[0].Fields = &from, config.FieldMap{"timestamp": "Subject"}
	b.apply()
	require.Contains(t, b.checked()["EmailMessage"].Problem, "timestamp Subject")
}
