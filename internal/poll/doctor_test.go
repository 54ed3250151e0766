package poll_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/simforce"
)

func objectIn(t *testing.T, r poll.Report, name string) poll.ObjectReport {
	t.Helper()
	for _, o := range r.Objects {
		if o.Object == name {
			return o
		}
	}
	require.FailNow(t, "no report on "+name)
	return poll.ObjectReport{}
}

func fieldIn(t *testing.T, o poll.ObjectReport, path string) poll.FieldReport {
	t.Helper()
	for _, f := range o.Fields {
		if f.Path == path {
			return f
		}
	}
	require.FailNow(t, "no report on "+o.Object+"."+path)
	return poll.FieldReport{}
}

func TestReportOfACheck(t *testing.T) {
	t.Parallel()
	mail := mailObject
	mail.Where = "Parent.Status != 'Closed'"
	bad := surveyObject
	bad.Properties = []config.Property{{Name: "Score", Path: "Score__c"}, {Name: "X", Path: "Bogus__c"}, {Name: "Y", Path: "Case__r.Nonsense__c"}}
	b := start(t, simforce.Options{Generate: 8}, mail, bad, noteObject)
	b.grant()
	b.hide("EmailMessage.BccAddress")
	b.checked()
	r := b.report()
	acme := b.sim.Orgs()[0]
	require.Equal(t, acme.ID, r.OrgID)
	require.Equal(t, acme.Users[simforce.SyncUser], r.UserID)
	require.Equal(t, simforce.SyncUser, r.Username)
	require.Equal(t, b.url, r.Instance)
	require.Equal(t, "66.0", r.APIVersion)
	require.True(t, r.APIEnabled)

	o := objectIn(t, r, "EmailMessage")
	require.True(t, o.OK && o.Visible && o.Queryable && o.Replicateable && o.Bulk, "%+v", o)
	require.Equal(t, "SystemModstamp", o.Cursor)
	require.Contains(t, o.Where, "Parent.Status != 'Closed'")
	require.NotNil(t, o.Rows)
	f := fieldIn(t, o, "HtmlBody")
	require.Equal(t, poll.FieldReport{Path: "HtmlBody", Object: "EmailMessage", Field: "HtmlBody", Type: "textarea", Feeds: []string{"body"},
		Visible: true, Bulk: true, State: poll.FieldOK}, f, "a long text is neither filterable nor sortable")
	f = fieldIn(t, o, "Parent.Status")
	require.Equal(t, []string{"property Case Status", "where"}, f.Feeds)
	require.Equal(t, "Case", f.Object)
	require.True(t, f.Filterable)
	f = fieldIn(t, o, "BccAddress")
	require.Equal(t, poll.FieldLeftOut, f.State)
	require.False(t, f.Visible)
	require.Contains(t, f.Hint, "Read Access to EmailMessage.BccAddress")

	o = objectIn(t, r, "Survey_Response__c")
	require.False(t, o.OK)
	require.Nil(t, o.Rows)
	require.Equal(t, poll.FieldMissing, fieldIn(t, o, "Bogus__c").State)
	require.Equal(t, poll.FieldMissing, fieldIn(t, o, "Case__r.Nonsense__c").State)
	require.Equal(t, "Case", fieldIn(t, o, "Case__r.Nonsense__c").Object)
	require.Equal(t, poll.FieldOK, fieldIn(t, o, "Score__c").State)
	require.Len(t, r.Must, 2, "every wrong name is told, not only the first: %v", r.Must)
	require.Contains(t, r.Must[0], "Survey_Response__c is not synced: field Bogus__c of Survey_Response__c")
	require.Contains(t, r.Must[1], "Field Nonsense__c of Case")
	require.NotEmpty(t, r.Should)

	// What was read and is hidden must be changed, and says since when.
	b.spec.Objects = []config.Object{mail}
	b.apply()
	b.check()
	b.settle()
	b.hide("EmailMessage.HtmlBody")
	b.noticed()
	r = b.report()
	f = fieldIn(t, objectIn(t, r, "EmailMessage"), "HtmlBody")
	require.Equal(t, poll.FieldFrozen, f.State)
	require.WithinDuration(t, time.Now(), *f.Since, time.Minute)
	require.Len(t, r.Must, 1)
	require.Contains(t, r.Must[0], "HtmlBody of EmailMessage was read until now and is hidden (body): give the integration user Read Access to EmailMessage.HtmlBody")
	b.show("EmailMessage.HtmlBody")
	b.noticed()
	require.Empty(t, b.report().Must)
}

// A request for a check is answered by the next one, once.
func TestRequestedCheck(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, noteObject)
	b.settle()
	n, err := b.db.RequestCheck(t.Context(), b.id)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.Equal(t, flow.OutcomeUnchecked, b.look().Outcome)
	b.check()
	stored, err := b.db.CheckReport(t.Context(), b.id)
	require.NoError(t, err)
	require.Equal(t, n, stored.Answered)
	require.NotEqual(t, flow.OutcomeUnchecked, b.look().Outcome)
}

// Whoever asks for news after a right was given back need not know that a check must come first. Where
// nothing is wrong, none is made.
func TestAskingForNewsChecksWhatWasRefused(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, surveyObject, noteObject)
	b.settle()
	ask := func() string {
		t.Helper()
		require.NoError(t, b.db.RequestSync(t.Context(), b.id))
		return b.look().Outcome
	}
	require.NotEqual(t, flow.OutcomeUnchecked, ask(), "nothing is wrong")

	b.hide(surveyObject.Object)
	b.checked()
	require.Equal(t, "config_invalid", b.object(surveyObject.Object).State)
	require.NotEqual(t, flow.OutcomeUnchecked, b.look().Outcome, "by itself it is checked a quarter of an hour later")
	b.show(surveyObject.Object)
	require.Equal(t, flow.OutcomeUnchecked, ask())
	b.check()
	require.Equal(t, "ok", b.object(surveyObject.Object).State)

	b.hide("Survey_Response__c.Feedback__c") // the object goes on without it, which is an alert
	b.check()
	require.Equal(t, "ok", b.object(surveyObject.Object).State)
	for _, signal := range []string{flow.SignalSyncNow, flow.SignalResume} {
		require.NoError(t, b.db.Steer(t.Context(), "support", "prod", signal))
		require.Equal(t, flow.OutcomeUnchecked, b.look().Outcome, "by hand, in Temporal: %s", signal)
		b.check()
	}
	b.show("Survey_Response__c.Feedback__c")
	require.Equal(t, flow.OutcomeUnchecked, ask())
	b.check()
	require.NotEqual(t, flow.OutcomeUnchecked, ask())
}
