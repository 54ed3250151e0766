package poll_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// alerts are the open ones, as "object.field".
func (b *bench) alerts() []string {
	b.Helper()
	list, err := b.db.Alerts(b.Context(), b.id)
	require.NoError(b, err)
	out := []string{}
	for _, e := range list {
		out = append(out, strings.TrimSuffix(e.Object+"."+e.Field, "."))
	}
	return out
}

// events are all of them, oldest first, as "kind object.field".
func (b *bench) events() []string {
	b.Helper()
	list, err := b.db.SchemaEvents(b.Context(), b.id, 100)
	require.NoError(b, err)
	out := []string{}
	for _, e := range list {
		out = append([]string{e.Kind + " " + strings.TrimSuffix(e.Object+"."+e.Field, ".")}, out...)
	}
	return out
}

func (b *bench) schemaDue() {
	b.Helper()
	b.seed.Exec(`update integrations set schema_looked_at = now() - interval '16 minutes'`)
}

func (b *bench) report() poll.Report {
	b.Helper()
	stored, err := b.db.CheckReport(b.Context(), b.id)
	require.NoError(b, err)
	var r poll.Report
	require.NoError(b, json.Unmarshal(stored.Report, &r))
	return r
}

// noticed lets Watch find that something was hidden or shown, and checks.
func (b *bench) noticed() {
	b.Helper()
	b.clock.add(2 * time.Second)
	b.schemaDue()
	require.Equal(b, flow.OutcomeUnchecked, b.look().Outcome)
	b.check()
}

// A field that is hidden keeps what it fed; nothing is billed when it goes or comes back,
// and what changed meanwhile is read then.
func TestHiddenFieldsFreezeWhatTheyFed(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"Subject", "TextBody", "HtmlBody", "FromAddress", "FromName", "ToAddress", "CcAddress", "BccAddress",
		"MessageDate", "CreatedDate", "ParentId", "ThreadIdentifier", "Incoming"} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{Generate: 12}, mailObject)
			b.settle()
			b.same()
			before := b.comments()
			if field == "CreatedDate" {
				require.Error(t, b.sim.SetVisible("", simforce.SyncUser, "EmailMessage."+field, false), "Salesforce does not hide it")
				return
			}
			b.hide("EmailMessage." + field)
			b.noticed()
			require.Equal(t, "ok", b.object("EmailMessage").State)
			require.NotContains(t, b.plan("EmailMessage").Fields, field)
			require.NotEmpty(t, b.plan("EmailMessage").Frozen)
			require.Equal(t, field, b.plan("EmailMessage").Frozen[0].Path)
			require.Contains(t, b.alerts(), "EmailMessage."+field)

			// Everything is touched, as a system job does, and read without the field.
			mails := b.records("EmailMessage")
			for _, m := range mails {
				b.update("EmailMessage", m["Id"].(string), simforce.Row{"IsClientManaged": true})
			}
			counts := b.settle()
			require.GreaterOrEqual(t, counts.Rows, int64(12))
			require.Zero(t, counts.Units+counts.MetadataChanged+counts.SetAside, "%+v", counts)
			require.Equal(t, before, b.comments())

			// Meanwhile it changes, another field of the same mail changes, and a mail comes.
			changed := map[string]any{"MessageDate": longAgo, "Incoming": mails[0]["Incoming"] != true, "ParentId": nil}
			value, ok := changed[field]
			if !ok {
				value = "other@acme.example"
			}
			row := simforce.Row{field: value}
			if field == "TextBody" {
				row["HtmlBody"] = nil // which is read rather
			}
			b.update("EmailMessage", mails[0]["Id"].(string), row)
			b.update("EmailMessage", mails[1]["Id"].(string), simforce.Row{"CcAddress": "new@acme.example"})
			b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": "while hidden", "TextBody": "text", "HtmlBody": "<p>html</p>",
				"FromAddress": "ann@acme.example", "FromName": "Ann", "ToAddress": "bob@acme.example", "CcAddress": "cy@acme.example", "BccAddress": "di@acme.example",
				"MessageDate": longAgo, "ParentId": mails[2]["ParentId"], "ThreadIdentifier": "<1@acme.example>", "Incoming": true, "Status": "1"}})
			units := b.units()
			counts = b.settle()
			waits := field == "Subject" || field == "TextBody" || field == "HtmlBody" || field == "MessageDate"
			if waits {
				require.Zero(t, counts.Units, "%+v", counts)
				require.NotEmpty(t, b.seed.Strings(`select reason from set_aside where reason like '`+field+` is hidden from the integration user%'`))
			} else {
				require.EqualValues(t, 1, counts.Units, "the new mail, and nothing else: %+v", counts)
			}

			b.show("EmailMessage." + field)
			b.noticed()
			require.Empty(t, b.plan("EmailMessage").Frozen)
			require.Empty(t, b.alerts())
			b.settle()
			b.same()
			want := units + 1
			if field == "Subject" || field == "TextBody" || field == "HtmlBody" && mails[0]["TextBody"] == nil {
				want++ // the text that changed
			}
			require.Equal(t, want, b.units())
			require.Empty(t, b.seed.Strings(`select reason from set_aside`))
		})
	}
}

// A property of a parent keeps its last value, whether its field or the whole parent is
// hidden, and what the parent changed meanwhile arrives afterwards.
func TestHiddenParentsFreezeProperties(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"Case.Priority", "Case", "EmailMessage.ParentId"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			mail := mailObject
			mail.Properties = []config.Property{{Name: "Case Priority", Path: "Parent.Priority"}, {Name: "Customer", Path: "Parent.Account.Name"}}
			b := connected(t, simforce.Options{Generate: 12}, mail)
			b.settle()
			before, units := b.comments(), b.units()
			b.hide(what)
			b.noticed()
			require.Contains(t, b.alerts(), what)
			for _, c := range b.records("Case") {
				b.update("Case", c["Id"].(string), simforce.Row{"Priority": "Low", "Status": "Closed"})
			}
			for _, m := range b.records("EmailMessage") {
				b.update("EmailMessage", m["Id"].(string), simforce.Row{"IsClientManaged": true})
			}
			b.settle()
			for id, c := range b.comments() {
				require.Equal(t, before[id].Properties["string:Case Priority"], c.Properties["string:Case Priority"])
				require.Equal(t, before[id].Properties["string:Customer"], c.Properties["string:Customer"])
				require.Equal(t, before[id].Properties["string:Case Number"], c.Properties["string:Case Number"])
			}
			b.show(what)
			b.noticed()
			b.settle()
			low := 0
			for _, c := range b.comments() {
				if p, ok := c.Properties["string:Case Priority"]; ok {
					require.Equal(t, "Low", p)
					low++
				}
			}
			require.Positive(t, low)
			require.Equal(t, units, b.units())
			require.Empty(t, b.alerts())
		})
	}
}

// What a preset would like and never saw is read for all records when it can be read.
func TestLeftFieldIsReadWhenItBecomesVisible(t *testing.T) {
	t.Parallel()
	b := start(t, simforce.Options{Generate: 12}, mailObject)
	b.grant()
	b.hide("EmailMessage.BccAddress")
	b.hide("Case.Origin")
	b.check()
	b.settle()
	units := b.units()
	require.Empty(t, b.alerts(), "what never was visible is no alert")
	b.show("EmailMessage.BccAddress")
	b.show("Case.Origin")
	b.noticed()
	require.Empty(t, b.plan("EmailMessage").Left)
	b.settle()
	b.same()
	require.Equal(t, units, b.units())
}

// An object stops when its condition or all of it is hidden; nothing is deleted or blanked,
// and it goes on where it stood.
func TestHiddenConditionStopsTheObject(t *testing.T) {
	t.Parallel()
	for what, hint := range map[string]string{
		"EmailMessage.Status":         "Read Access to EmailMessage.Status",
		"EmailMessage.IsPrivateDraft": "Read Access to EmailMessage.IsPrivateDraft",
		"Case.Origin":                 "Read Access to Case.Origin",
		"EmailMessage":                "View All Records on EmailMessage",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			mail := mailObject
			mail.Where = "Parent.Origin != 'Fax'"
			b := connected(t, simforce.Options{Generate: 12}, mail, noteObject)
			b.settle()
			before, units := b.comments(), b.units()
			b.hide(what)
			b.clock.add(2 * time.Second)
			b.schemaDue()
			require.Equal(t, flow.OutcomeUnchecked, b.look().Outcome)
			got := b.checked()
			require.NotEmpty(t, got["EmailMessage"].Problem)
			require.Empty(t, got["CaseComment"].Problem)
			require.Equal(t, "config_invalid", b.object("EmailMessage").State)
			list, err := b.db.Alerts(t.Context(), b.id)
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Contains(t, list[0].Hint, hint)
			for _, m := range b.records("EmailMessage") {
				b.update("EmailMessage", m["Id"].(string), simforce.Row{"Subject": fmt.Sprint("changed ", m["Id"])})
			}
			b.settle()
			require.Equal(t, before, b.comments())
			b.show(what)
			b.noticed()
			b.settle()
			require.Empty(t, b.alerts())
			require.Equal(t, units+12, b.units())
			for _, m := range b.records("EmailMessage") {
				require.Equal(t, fmt.Sprint("changed ", m["Id"]), b.comment(m["Id"].(string)).Messages[0].Subject.Text)
			}
		})
	}
}

// The cursor of a mapping stays: a position is of one order. One that is gone stops the object.
func TestCheckKeepsTheCursor(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, noteObject)
	had := func(stamp string) {
		t.Helper()
		b.seed.Exec(`update objects set plan = jsonb_set(plan, '{recipe,stamp}', to_jsonb($1::text))`, stamp)
	}
	had("LastModifiedDate")
	b.check()
	require.Equal(t, "LastModifiedDate", b.plan("CaseComment").Recipe.Stamp)
	require.Contains(t, b.plan("CaseComment").Fields, "LastModifiedDate")
	had("Moved__c")
	got := b.checked()["CaseComment"]
	require.Contains(t, got.Problem, "was followed by Moved__c")
	require.Contains(t, got.Hint, "Read Access to CaseComment.Moved__c")
	require.Contains(t, b.alerts(), "CaseComment.Moved__c")
}

// A batch that was read with the field and is transformed without it in the plan keeps what
// it read; one that was read without it is read again.
func TestBatchesUnderWayWhenAFieldGoesAndComes(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 12}, mailObject)
	b.settle()
	touch := func(body string) flow.BatchRef {
		t.Helper()
		for _, m := range b.records("EmailMessage") {
			b.update("EmailMessage", m["Id"].(string), simforce.Row{"HtmlBody": nil, "TextBody": body + m["Id"].(string), "BccAddress": body + "@acme.example"})
		}
		b.clock.add(5 * time.Second)
		ref := b.next("EmailMessage")
		polled, err := b.svc.Poll(t.Context(), ref)
		require.NoError(t, err)
		require.True(t, polled.Sealed)
		return ref
	}
	ref := touch("one")
	b.hide("EmailMessage.TextBody")
	b.hide("EmailMessage.BccAddress")
	b.noticed()
	require.EqualValues(t, 12, b.finish(ref).Counts.TextChanged, "it was read in time")

	b.settle()
	ref = touch("two")
	b.show("EmailMessage.TextBody")
	b.show("EmailMessage.BccAddress")
	b.noticed()
	require.Zero(t, b.finish(ref).Counts.Units)
	counts := b.settle()
	require.EqualValues(t, 12, counts.TextChanged)
	b.same()
	require.EqualValues(t, 36, b.units())
}

// What an idle integration asks of describe.
func TestDescribesOfAnIdleIntegration(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, mailObject, surveyObject, noteObject)
	b.settle()
	b.orgs.describes = describes{}
	const hours = 5
	for i := range hours * 60 { // one tick a minute
		b.seed.Exec(`update integrations set schema_looked_at = schema_looked_at - interval '1 minute'`)
		if i%10 == 0 {
			b.clock.add(10 * time.Minute)
		}
		require.NotEqual(t, flow.OutcomeUnchecked, b.look().Outcome)
	}
	before := b.orgs.describes
	require.Equal(t, hours*4, before.calls, "one call every 15 minutes, whatever the number of objects")
	require.Equal(t, before.parts, before.unchanged, "all of them conditional: no description travelled")
	t.Logf("measured: an idle integration of 3 objects and their parents asks describe %d times an hour, %d objects in one call", before.calls/hours, before.parts/before.calls)
}

// An alert is raised once, is resolved once, and new fields are told once.
func TestSchemaEventsAreToldOnce(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, mailObject)
	b.settle()
	require.Empty(t, b.events())
	b.hide("EmailMessage.HtmlBody")
	b.hide("EmailMessage.Headers")
	for range 3 {
		b.schemaDue()
		b.look()
		b.check()
	}
	require.ElementsMatch(t, []string{"field_hidden EmailMessage.HtmlBody", "fields_removed EmailMessage.Headers"}, b.events())
	list, err := b.db.Alerts(t.Context(), b.id)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "field HtmlBody of EmailMessage cannot be read any more: comments keep what it fed (body)", list[0].Message)
	require.Contains(t, list[0].Hint, "give the integration user Read Access to EmailMessage.HtmlBody in a permission set (Object Settings → ")
	counts, err := b.db.CountAlerts(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int64{store.FieldHidden: 1}, counts)

	b.show("EmailMessage.HtmlBody")
	b.show("EmailMessage.Headers")
	for range 3 {
		b.schemaDue()
		b.look()
		b.check()
	}
	require.ElementsMatch(t, []string{"field_hidden EmailMessage.HtmlBody", "fields_removed EmailMessage.Headers",
		"field_visible EmailMessage.HtmlBody", "fields_added EmailMessage.Headers"}, b.events())
	require.Empty(t, b.alerts())
}

// Describe's own faults do not stop records from being read.
func TestFaultsOfDescribeStopNothing(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, noteObject)
	b.settle()
	b.schemaDue()
	require.NoError(t, b.sim.FailNext(simforce.Fault{PathPrefix: "/services/data/v66.0/composite", Status: 500,
		Body: `[{"errorCode":"UNKNOWN_EXCEPTION","message":"oops"}]`}))
	require.Equal(t, flow.OutcomeQuiet, b.look().Outcome)
	require.Equal(t, []string{"true"}, b.seed.Strings(`select (schema_looked_at between now() - interval '15 minutes' and now() - interval '13 minutes')::text from integrations`), "soon again")
}
