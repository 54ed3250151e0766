package poll_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// Not everybody may read permission sets: then View All is unknown and says why.
func TestViewAllIsUnknownWithoutPermissionSets(t *testing.T) {
	t.Parallel()
	b := start(t, simforce.Options{Generate: 3}, noteObject)
	b.grant()
	require.NoError(t, b.sim.SetPermission("", simforce.SyncUser, simforce.ViewSetup, false))
	b.check()
	o := objectIn(t, b.report(), "CaseComment")
	require.Equal(t, store.ViewAllUnknown, o.ViewAll)
	require.Contains(t, o.ViewAllNote, "View Setup and Configuration")
	require.Equal(t, store.ViewAllUnknown, b.object("CaseComment").ViewAll)
}

func TestViewAllOfTheUser(t *testing.T) {
	t.Parallel()
	caseObject := config.Object{Object: "Case", Deleted: config.DeletedTombstone, Fields: config.FieldMap{"timestamp": "CreatedDate", "body": "Description"}}
	b := start(t, simforce.Options{Generate: 3}, caseObject, noteObject, surveyObject, mailObject)
	b.grant()
	b.check()
	want := func(all map[string]store.ViewAll) {
		t.Helper()
		for name, v := range all {
			require.Equal(t, v, b.object(name).ViewAll, "%s: %s", name, objectIn(t, b.report(), name).ViewAllNote)
		}
	}
	want(map[string]store.ViewAll{"Case": "no", "CaseComment": "no", "Survey_Response__c": "no", "EmailMessage": "unknown"})
	require.Contains(t, b.report().Should[0], "View All Records on Case")

	require.NoError(t, b.sim.SetViewAll("", simforce.SyncUser, "Case", true))
	b.check()
	want(map[string]store.ViewAll{"Case": "yes", "CaseComment": "yes", "Survey_Response__c": "no", "EmailMessage": "unknown"})
	require.Contains(t, objectIn(t, b.report(), "EmailMessage").ViewAllNote, "mails of cases are all seen")

	require.NoError(t, b.sim.SetPermission("", simforce.SyncUser, simforce.ViewAllData, true))
	b.check()
	want(map[string]store.ViewAll{"Case": "yes", "CaseComment": "yes", "Survey_Response__c": "yes", "EmailMessage": "yes"})
}
