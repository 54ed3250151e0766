package poll_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/simforce"
)

// due makes the next Watch scan the tail.
func (b *bench) due() { b.seed.Exec(`update streams set verify_after = now()`) }

// verifiedTo is "complete up to", zero when nothing is known to be.
func (b *bench) verifiedTo() (t time.Time) {
	b.Helper()
	for _, text := range b.seed.Strings(`select to_char(verified_to at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') from streams where verified_to is not null`) {
		var err error
		t, err = time.Parse(time.RFC3339, text)
		require.NoError(b, err)
	}
	return t
}

func TestVerifyMovesCompleteUpTo(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	began := b.clock.now().Truncate(time.Second)
	b.settle()
	require.False(t, b.verifiedTo().IsZero(), "what is older than any open transaction is complete when the first load is")
	require.True(t, b.verifiedTo().Before(began.Add(-14*time.Minute)))

	b.clock.add(time.Hour)
	b.due()
	_, quiet := b.sync()
	require.True(t, quiet)
	require.False(t, b.verifiedTo().Before(b.clock.now().Add(-16*time.Minute)))
	require.Equal(t, []string{"30"}, b.seed.Strings(`select salesforce_rows::text from streams`), "asked of Salesforce by COUNT")
}

// Rows become visible behind the cursor, because Salesforce stamps a record before it
// commits: each is found, is read, and holds "complete up to" back until it is there.
func TestVerifyFindsRowsThatBecameVisibleLate(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.settle()
	b.clock.add(20 * time.Minute)
	// The cursor moves on with a newer row first.
	template := b.records("EmailMessage")[0]
	fields := func(text string) simforce.Row {
		return simforce.Row{"ParentId": template["ParentId"], "Subject": text, "TextBody": text, "Incoming": true, "Status": "0",
			"FromAddress": "a@example.com", "ToAddress": "b@example.com", "MessageDate": b.clock.now()}
	}
	b.create("EmailMessage", simforce.Write{Fields: fields("in time")})
	b.settle()
	for _, late := range []time.Duration{3 * time.Second, time.Minute, 10 * time.Minute} {
		before, units := len(b.comments()), b.units()
		tx, err := b.sim.Begin("")
		require.NoError(t, err)
		row, err := tx.CreateRecord("EmailMessage", simforce.Write{Fields: fields("late by " + late.String())})
		require.NoError(t, err)
		id := text(row, "Id")
		// While it is open others write, the cursor passes its stamp, and scans look for it.
		for range 3 {
			b.clock.add(late / 4)
			b.create("EmailMessage", simforce.Write{Fields: fields("meanwhile")})
			b.due()
			b.settle()
			before, units = before+1, units+1
			require.True(t, b.verifiedTo().Before(row["SystemModstamp"].(time.Time)), "complete up to %s is claimed while a row of %s is not visible", b.verifiedTo(), row["SystemModstamp"])
		}
		b.clock.add(late / 4)
		require.NoError(t, tx.Commit())
		for range 3 { // the keyset alone does not see it, or sees it only in its unsettled tail
			b.due()
			b.settle()
		}
		require.Len(t, b.comments(), before+1)
		require.Equal(t, units+1, b.units())
		require.Equal(t, "late by "+late.String(), b.comment(id).Messages[0].Body.Text)
	}
	b.same()
	b.clock.add(time.Hour)
	b.due()
	b.settle()
	require.False(t, b.verifiedTo().Before(b.clock.now().Add(-16*time.Minute)))
	require.Empty(t, b.seed.Strings(`select record_id from rechecks`))
}

// A late change of a known record, and a late delete, are differences too.
func TestVerifyFindsLateChanges(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.settle()
	b.clock.add(20 * time.Minute)
	mails := b.records("EmailMessage")
	b.update("EmailMessage", text(mails[1], "Id"), simforce.Row{"HtmlBody": nil, "TextBody": "in time"})
	b.settle()
	units := b.units()
	tx, err := b.sim.Begin("")
	require.NoError(t, err)
	_, err = tx.UpdateRecord("EmailMessage", text(mails[2], "Id"), simforce.Write{Fields: simforce.Row{"HtmlBody": nil, "TextBody": "late"}})
	require.NoError(t, err)
	b.clock.add(5 * time.Minute)
	b.update("EmailMessage", text(mails[3], "Id"), simforce.Row{"HtmlBody": nil, "TextBody": "in time"})
	b.settle()
	units++
	require.NoError(t, tx.Commit())
	for range 3 {
		b.due()
		b.settle()
	}
	require.Equal(t, "late", b.comment(text(mails[2], "Id")).Messages[0].Body.Text)
	require.Equal(t, units+1, b.units())
	b.same()
}

func TestVerifyLeavesAPausedIntegrationAlone(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 5}, mailObject)
	b.settle()
	before := b.verifiedTo()
	require.NoError(t, b.db.SetDesired(t.Context(), b.id, "paused"))
	b.clock.add(time.Hour)
	b.due()
	calls := b.sim.Counters().Total
	result := b.look()
	require.Equal(t, "paused", result.Outcome)
	require.Equal(t, calls, b.sim.Counters().Total)
	require.Equal(t, before, b.verifiedTo())
}

// A transaction gives a record the stamp that it has already, and commits long after the
// record was read again: the stamp does not move, and the text is another.
func TestVerifyFindsALateChangeWithTheSameStamp(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]time.Duration{"after half a minute": 30 * time.Second, "after minutes": 7 * time.Minute, "after longer than transactions last": 40 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{Generate: 30}, mailObject)
			b.settle()
			b.clock.add(20 * time.Minute)
			b.due()
			b.settle()
			mail := text(b.records("EmailMessage")[4], "Id")
			b.update("EmailMessage", mail, simforce.Row{"HtmlBody": nil, "TextBody": "at once"})
			tx, err := b.sim.Begin("")
			require.NoError(t, err)
			row, err := tx.UpdateRecord("EmailMessage", mail, simforce.Write{Fields: simforce.Row{"HtmlBody": nil, "TextBody": "late"}})
			require.NoError(t, err)
			stamp := row["SystemModstamp"].(time.Time)
			units := b.units()
			for range 4 {
				b.clock.add(open / 4)
				b.due()
				b.settle()
				require.Equal(t, "at once", b.comment(mail).Messages[0].Body.Text)
				require.True(t, b.verifiedTo().Before(stamp), "complete up to %s is claimed while a change of %s is not visible", b.verifiedTo(), stamp)
			}
			require.Equal(t, units+1, b.units())
			require.NoError(t, tx.Commit())
			for range 3 {
				b.clock.add(time.Minute)
				b.due()
				b.settle()
			}
			require.Equal(t, "late", b.comment(mail).Messages[0].Body.Text)
			require.Equal(t, units+2, b.units())
			require.False(t, b.verifiedTo().Before(stamp), "and then it is complete")
			b.same()
		})
	}
}
