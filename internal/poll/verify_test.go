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

// Most tails are short. Then the next look sees what became visible behind the cursor, in the question that it asks
// anyway: a row, a change and a delete. No scan is due, and where nothing was written nothing more is asked.
func TestALookFindsWhatBecameVisibleLate(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.settle()
	b.clock.add(20 * time.Minute)
	b.due()
	b.settle()
	mails := b.records("EmailMessage")
	tx, err := b.sim.Begin("")
	require.NoError(t, err)
	row, err := tx.CreateRecord("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": "late", "TextBody": "late", "FromAddress": "a@example.com", "Incoming": true}})
	require.NoError(t, err)
	_, err = tx.UpdateRecord("EmailMessage", text(mails[2], "Id"), simforce.Write{Fields: simforce.Row{"HtmlBody": nil, "TextBody": "changed late"}})
	require.NoError(t, err)
	require.NoError(t, tx.DeleteRecord(text(mails[4], "Id"), false))
	b.clock.add(30 * time.Second)
	b.update("EmailMessage", text(mails[3], "Id"), simforce.Row{"HtmlBody": nil, "TextBody": "in time"})
	b.settle()
	b.clock.add(5 * time.Second)
	require.True(t, row["SystemModstamp"].(time.Time).Before(b.object("EmailMessage").Hi.Stamp), "the cursor has passed it")
	b.seed.Exec(`update streams set verify_after = now() + interval '1 hour', compare_after = now() + interval '1 hour'`)

	calls := b.sim.Counters().Total
	counts, quiet := b.sync()
	require.True(t, quiet, "%+v", counts)
	require.Equal(t, calls+1, b.sim.Counters().Total)

	require.NoError(t, tx.Commit())
	counts, _ = b.sync()
	require.EqualValues(t, 1, counts.Created)
	require.EqualValues(t, 1, counts.TextChanged)
	require.EqualValues(t, 1, counts.Deleted)
	b.same()
	_, quiet = b.sync()
	require.True(t, quiet, "what was found is not found again")

	b.due() // behind what has settled nothing comes late
	b.clock.add(20 * time.Minute)
	b.settle()
	b.orgs.during(nil)
	b.sync()
	require.Contains(t, b.orgs.asked()[0], "FROM EmailMessage ")
	require.Contains(t, b.orgs.asked()[0], " LIMIT 1")
	require.NotContains(t, b.orgs.asked()[0], " LIMIT 200")
}

// What a look finds late in a tail that is longer than its answer may not be alone: the next scan, which may be minutes away, is due.
func TestALookThatSeesPartOfATailAsksForAScan(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.settle()
	b.clock.add(20 * time.Minute)
	b.due()
	b.settle()
	tx, err := b.sim.Begin("")
	require.NoError(t, err)
	_, err = tx.CreateRecord("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": "late", "TextBody": "late", "FromAddress": "a@example.com", "Incoming": true}})
	require.NoError(t, err)
	b.clock.add(30 * time.Second)
	b.update("EmailMessage", text(b.records("EmailMessage")[3], "Id"), simforce.Row{"HtmlBody": nil, "TextBody": "in time"})
	b.settle()
	b.clock.add(5 * time.Second)
	b.seed.Exec(`update streams set verify_after = now() + interval '1 hour', compare_after = now() + interval '1 hour'`)
	require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.PageMax = 2 }))
	require.Equal(t, "quiet", b.look().Outcome)
	require.NoError(t, tx.Commit())
	b.create("EmailMessage", simforce.Write{Stamp: b.object("EmailMessage").VerifyFrom.Add(time.Second), Fields: simforce.Row{"Subject": "further back", "TextBody": "x", "FromAddress": "a@example.com", "Incoming": true}})
	require.False(t, b.object("EmailMessage").VerifyDue)
	result := b.look()
	require.Len(t, result.News, 1)
	require.True(t, b.object("EmailMessage").VerifyDue)
	b.drain(result.News[0].Batch)
	b.settle()
	b.same()
}

// A look back that is too much for Salesforce is not tried again and again: a look then asks what is behind the cursor,
// and scans find what is late.
func TestALookBackThatIsTooMuchIsLeftToScans(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.settle()
	b.clock.add(20 * time.Minute)
	b.due()
	b.settle()
	b.clock.add(20 * time.Minute)
	b.update("EmailMessage", text(b.records("EmailMessage")[3], "Id"), simforce.Row{"HtmlBody": nil, "TextBody": "in time"})
	b.settle()
	b.clock.add(5 * time.Second)
	b.seed.Exec(`update streams set verify_after = now() + interval '1 hour', compare_after = now() + interval '1 hour'`)
	require.NoError(t, b.sim.FailNext(simforce.Fault{Class: "operation_too_large", Contains: "FROM EmailMessage ", Times: 1}))
	result := b.look()
	require.Empty(t, result.Faults)
	require.Len(t, result.News, 1, "reading goes in smaller steps and finds out")
	require.Empty(t, b.sim.Faults())
	b.drain(result.News[0].Batch)
	b.orgs.during(nil)
	require.Equal(t, "quiet", b.look().Outcome)
	require.Contains(t, b.orgs.asked()[0], " LIMIT 1")
	require.NotContains(t, b.orgs.asked()[0], " LIMIT 200")
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
