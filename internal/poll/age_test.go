package poll_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// aged lets the objects' next look erase what is old, and does all that follows.
func (b *bench) aged() {
	b.Helper()
	b.seed.Exec(`update streams set verify_after = now() - interval '1 minute'`)
	b.settle()
	b.seed.Exec(`update erasures set not_before = now()`)
	b.look()
}

// old requires that nothing is left of a record but that it is there.
func (b *bench) old(id string) {
	b.Helper()
	require.Empty(b, b.holding())
	require.Equal(b, []string{"set_aside false"}, b.seed.Strings(`select state || ' ' || (raw_stream is not null) from records where record_id = $1`, id))
	require.Zero(b, b.count(`select count(*) from erasures`))
	require.Zero(b, b.count(`select count(*) from set_aside`), "nobody has to do anything about it")
	require.NotContains(b, b.comments(), hex.EncodeToString([]byte(id)))
}

// What is older than comment_retention goes, deleted comments too, and does not come back or cost anything whatever
// Salesforce still has of it and does with it; it is counted as a record that is there.
func TestCommentsAreKeptForATime(t *testing.T) {
	t.Parallel()
	object := erasedMail
	object.Deleted = config.DeletedTombstone
	b := connected(t, simforce.Options{}, object)
	mail := func(age time.Duration) string {
		return b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": canary, "TextBody": canary, "FromAddress": canary + "@example.com",
			"ToAddress": "b@example.com", "Incoming": true, "Status": "0", "MessageDate": time.Now().UTC().Add(-age).Truncate(time.Second)}})
	}
	const day = 24 * time.Hour
	ends, tombstone, gone := mail(31*day), mail(32*day), mail(33*day)
	stays := b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"TextBody": "young", "FromAddress": "a@example.com", "ToAddress": "b@example.com",
		"Incoming": true, "Status": "0", "MessageDate": time.Now().UTC().Add(-29 * day).Truncate(time.Second)}})
	b.settle()
	b.clock.add(time.Minute)
	require.NoError(t, b.sim.DeleteRecord("", tombstone, false))
	b.settle()
	units := b.units()
	require.EqualValues(t, 4, units)
	require.Len(t, b.comments(), 3)

	b.spec.CommentRetention = 30
	result := b.apply()
	require.EqualValues(t, 3, result.Age, "the plan says what will be erased")
	require.Empty(t, result.Reread)
	b.check()
	b.look()
	require.NotEmpty(t, b.holding(), "it is done when the tail is scanned, not at every look")
	b.aged()
	b.old(ends)
	b.old(gone)
	require.Equal(t, []string{"erased"}, b.seed.Strings(`select state from records where record_id = $1`, tombstone))
	require.Len(t, b.comments(), 1)
	require.Equal(t, "young", b.comment(stays).Messages[0].Body.Text)
	page, err := b.db.ChangesFrom(t.Context(), store.ChangeQuery{SourceID: b.source, Limit: 10})
	require.NoError(t, err)
	deleted := 0
	for _, c := range page.List {
		if c.DeletedAt != nil {
			deleted++
		}
	}
	require.Equal(t, 3, deleted, "who follows changes is told")

	for what, do := range map[string]func(){
		"its text changes":  func() { b.update("EmailMessage", ends, simforce.Row{"TextBody": "again " + canary}) },
		"an old mail comes": func() { mail(40 * day) },
		"it is read again": func() {
			require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "by hand"))
		},
		"the mapping changes": func() {
			b.spec.Objects[0].Properties = append(b.spec.Objects[0].Properties, config.Property{Name: "Copy", Path: "Subject"})
			b.apply()
			b.check()
		},
	} {
		b.clock.add(time.Minute)
		do()
		b.aged()
		b.old(ends)
		require.Equal(t, units, b.units(), what)
	}
	s, err := b.db.IntegrationStatus(t.Context(), b.spec.Project, b.spec.Integration)
	require.NoError(t, err)
	require.Zero(t, s.ObjectList[0].Missing())
	require.Zero(t, s.ObjectList[0].SetAside)
	b.nothingByBulk(units)

	// Kept longer: all is read again, and what comes back is a creation, as after every erasure.
	b.spec.CommentRetention = 45
	require.Equal(t, []string{"EmailMessage"}, b.apply().Reread)
	b.check()
	b.clock.add(time.Minute)
	b.settle()
	require.Len(t, b.comments(), 4)
	require.Equal(t, units+3, b.units())
	require.Equal(t, "again "+canary, b.comment(ends).Messages[0].Body.Text)
}

// A comment whose record changed after it became too old is erased like any other, and what was set aside for another
// reason does not become one that is too old.
func TestOldRecordsOnTheirWay(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, config.Object{Object: "Survey_Response__c", Deleted: config.DeletedTombstone,
		Fields: config.FieldMap{"timestamp": "Submitted__c", "body": "Feedback__c"}})
	old := time.Now().UTC().Add(-40 * 24 * time.Hour).Truncate(time.Second)
	id := b.create("Survey_Response__c", simforce.Write{Fields: simforce.Row{"Feedback__c": canary, "Submitted__c": old}})
	aside := b.create("Survey_Response__c", simforce.Write{Stamp: old, Fields: simforce.Row{"Feedback__c": canary}})
	b.settle()
	require.Equal(t, []string{aside}, b.seed.Strings(`select record_id from set_aside`))
	b.seed.Exec(`update integrations set spec = jsonb_set(spec, '{comment_retention}', '"30d"')`)
	b.clock.add(time.Minute)
	b.update("Survey_Response__c", id, simforce.Row{"Feedback__c": "changed " + canary})
	b.settle()
	require.Equal(t, canary, b.comment(id).Messages[0].Body.Text, "the text in force waits for its end")

	b.seed.Exec(`update objects set plan = jsonb_set(plan, '{recipe,mapping,timestamp}', '["Submitted__c", "SystemModstamp"]')`)
	b.aged()
	require.EqualValues(t, 1, b.units(), "only the first one was ever made")
	require.Empty(t, b.comments())
	require.Equal(t, []string{"set_aside", "set_aside"}, b.seed.Strings(`select state from records`))
}
