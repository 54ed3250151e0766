package poll_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/simforce"
)

// Between two looks old raw copies go, and what could not become a comment is tried again when
// its mapping is another one: of the raw copy, without asking Salesforce for it.
func TestTidyBetweenTwoLooks(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, config.Object{Object: "Survey_Response__c", Deleted: config.DeletedTombstone,
		Fields: config.FieldMap{"timestamp": "Submitted__c", "body": "Feedback__c"}})
	id := b.create("Survey_Response__c", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"Feedback__c": "x"}})
	b.settle()
	require.Equal(t, []string{id}, b.seed.Strings(`select record_id from set_aside`))
	require.Equal(t, "1", b.seed.Strings(`select count(*)::text from raw_chunks`)[0])
	require.Zero(t, b.units())

	// As a release does that knows a better date of it.
	b.seed.Exec(`update objects set plan = jsonb_set(plan, '{recipe,mapping,timestamp}', '["Submitted__c", "SystemModstamp"]')`)
	b.seed.Exec(`update streams set verify_after = now() - interval '1 minute'`)
	b.clock.add(2 * time.Minute)
	b.look()
	require.Empty(t, b.seed.Strings(`select record_id from set_aside`))
	require.EqualValues(t, 1, b.units())
	require.Equal(t, "x", b.comment(id).Messages[0].Body.Text)

	b.seed.Exec(`update integrations set spec = jsonb_set(spec, '{raw_retention}', '"30d"')`)
	b.look()
	require.Equal(t, "1", b.seed.Strings(`select count(*)::text from raw_chunks`)[0], "it is not old enough")
	b.seed.Exec(`update batches set applied_at = applied_at - interval '31 days' where state = 'applied'`)
	b.look()
	require.Equal(t, "0", b.seed.Strings(`select count(*)::text from raw_chunks`)[0])
	require.Equal(t, "x", b.comment(id).Messages[0].Body.Text)
}
