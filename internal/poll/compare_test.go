package poll_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// compared lets everything that is due by time come to pass: scans, comparisons, and
// records whose absence is to be judged.
func (b *bench) compared() flow.Counts {
	b.Helper()
	var total flow.Counts
	for range 3 {
		b.clock.add(2 * time.Minute)
		b.seed.Exec(`update streams set verify_after = now(), compare_after = now()`)
		total.Add(b.settle())
	}
	return total
}

// viewAll lets the user see every record, or not, and the store know it.
func (b *bench) viewAll(all store.ViewAll) {
	b.Helper()
	if all == store.ViewAllYes {
		require.NoError(b, b.sim.SetViewAll("", simforce.SyncUser, "", true))
	}
	b.seed.Exec(`update objects set view_all = $1`, string(all))
}

// size is how many comments can be read.
func (b *bench) size() int64 {
	b.Helper()
	n, err := b.db.CountComments(b.Context(), b.source, nil, nil)
	require.NoError(b, err)
	return n
}

// state is what the store knows of a record.
func (b *bench) state(id string) string {
	b.Helper()
	states := b.seed.Strings(`select state from records where record_id = $1`, id)
	require.Len(b, states, 1, id)
	return states[0]
}

func (b *bench) readable(id string) bool {
	_, ok := b.comments()[hex.EncodeToString([]byte(id))]
	return ok
}

// counted is the last count: Salesforce's and ours.
func (b *bench) counted() (theirs, ours string) {
	b.Helper()
	both := b.seed.Strings(`select unnest(array[salesforce_rows, stored_rows])::text from streams where lane = 'live'`)
	require.Len(b, both, 2)
	return both[0], both[1]
}

func TestDeletesThatLeaveNoRow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		logged bool
		all    store.ViewAll
		state  string
		gone   bool
	}{
		"named by the log":                           {true, store.ViewAllNo, store.RecordDeleted, true},
		"without a trace, by one who sees all":       {false, store.ViewAllYes, store.RecordDeleted, true},
		"without a trace, by one who may not see it": {false, store.ViewAllNo, store.RecordInvisible, false},
		"without a trace, by nobody knows":           {false, store.ViewAllUnknown, store.RecordInvisible, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{Generate: 30}, mailObject)
			b.settle()
			require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.HardDeletesLogged = c.logged }))
			b.viewAll(c.all)
			b.clock.add(time.Hour)
			mail := text(b.records("EmailMessage")[7], "Id")
			units := b.units()
			require.NoError(t, b.sim.DeleteRecord("", mail, true))
			b.compared()
			require.Equal(t, c.state, b.state(mail))
			require.Equal(t, c.gone, !b.readable(mail), "no longer visible is not deleted")
			require.Equal(t, units, b.units())
			theirs, ours := b.counted()
			require.Equal(t, "29", theirs)
			require.Equal(t, "29", ours)
			require.Empty(t, b.seed.Strings(`select record_id from rechecks`))
		})
	}
}

// A check said that the user sees everything, and that has changed since: what is out of
// sight now may be there.
func TestViewAllTakenAway(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.settle()
	b.seed.Exec(`update objects set view_all = 'yes'`) // as the last check saw it
	b.clock.add(time.Hour)
	mail := text(b.records("EmailMessage")[7], "Id")
	require.NoError(t, b.sim.SetRowVisible("", "*", mail, false))
	b.compared()
	require.Equal(t, store.RecordInvisible, b.state(mail))
	require.True(t, b.readable(mail))
}

// A user who loses sight of a record and gets it back costs nothing, and neither
// direction moves a stamp.
func TestSharingTakenAndGiven(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.settle()
	b.clock.add(time.Hour)
	var mine []string
	for _, m := range b.records("EmailMessage")[3:6] {
		mine = append(mine, text(m, "Id"))
	}
	units := b.units()
	for _, id := range mine {
		require.NoError(t, b.sim.SetRowVisible("", "*", id, false))
	}
	require.EqualValues(t, 3, b.compared().Invisible)
	for _, id := range mine {
		require.Equal(t, store.RecordInvisible, b.state(id))
		require.True(t, b.readable(id))
	}
	for _, id := range mine {
		require.NoError(t, b.sim.SetRowVisible("", "*", id, true))
	}
	b.compared()
	for _, id := range mine {
		require.Equal(t, store.RecordLive, b.state(id))
	}
	require.Equal(t, units, b.units())
	b.same()
}

// Rows that were hidden from the first load on appear when they are shared.
func TestRowsRevealedLater(t *testing.T) {
	t.Parallel()
	b := start(t, simforce.Options{Generate: 30}, mailObject)
	hidden := text(b.records("EmailMessage")[4], "Id")
	require.NoError(t, b.sim.SetRowVisible("", "*", hidden, false))
	b.grant()
	b.check()
	b.settle()
	require.Len(t, b.comments(), 29)
	b.clock.add(time.Hour)
	b.compared()
	require.NoError(t, b.sim.SetRowVisible("", "*", hidden, true))
	require.EqualValues(t, 1, b.compared().Created)
	b.same()
	require.EqualValues(t, 30, b.units())
}

// A record that leaves the condition without being changed, by its parent, is filtered:
// not deleted, not counted, and back for nothing.
func TestLeavingTheCondition(t *testing.T) {
	t.Parallel()
	mail := mailObject
	mail.Where = "Parent.Status = 'New'"
	b := connected(t, simforce.Options{Generate: 40}, mail)
	b.settle()
	b.clock.add(time.Hour)
	b.compared()
	var in, parent string
	for _, m := range b.records("EmailMessage") {
		if b.readable(text(m, "Id")) {
			in, parent = text(m, "Id"), text(m, "ParentId")
		}
	}
	require.NotEmpty(t, in)
	units := b.units()
	b.update("Case", parent, simforce.Row{"Status": "Closed"})
	require.Positive(t, b.compared().Filtered)
	require.Equal(t, store.RecordFiltered, b.state(in))
	require.True(t, b.readable(in))
	theirs, ours := b.counted()
	require.Equal(t, theirs, ours)
	b.update("Case", parent, simforce.Row{"Status": "New"})
	b.compared()
	require.Equal(t, store.RecordLive, b.state(in))
	require.Equal(t, units, b.units())
}

func TestCascades(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"stamp", "keep", "drop"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{Generate: 30}, mailObject)
			b.settle()
			require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.CascadeDelete = mode }))
			b.clock.add(time.Hour)
			parent := text(b.records("EmailMessage")[0], "ParentId")
			var children []string
			for _, m := range b.records("EmailMessage") {
				if text(m, "ParentId") == parent {
					children = append(children, text(m, "Id"))
				}
			}
			require.NotEmpty(t, children)
			require.NoError(t, b.sim.DeleteRecord("", parent, false))
			b.compared()
			for _, id := range children {
				require.Equal(t, store.RecordDeleted, b.state(id))
				require.False(t, b.readable(id))
			}
			require.Len(t, b.comments(), 30-len(children))
		})
	}
}

// A parent's change that becomes visible behind the cursor over parents reaches its
// children all the same.
func TestParentsThatCommitLate(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.settle()
	b.clock.add(time.Hour)
	b.compared()
	late, other := text(b.records("Case")[0], "Id"), text(b.records("Case")[1], "Id")
	tx, err := b.sim.Begin("")
	require.NoError(t, err)
	_, err = tx.UpdateRecord("Case", late, simforce.Write{Fields: simforce.Row{"Priority": "Critical"}})
	require.NoError(t, err)
	b.clock.add(3 * time.Minute)
	b.update("Case", other, simforce.Row{"Priority": "Critical"})
	b.settle() // the cursor over cases has passed the stamp
	b.clock.add(5 * time.Minute)
	require.NoError(t, tx.Commit())
	units := b.units()
	b.due()
	b.settle()
	b.same()
	require.Equal(t, units, b.units())
}

func TestResyncCostsNothingWhereNothingChanged(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 60}, mailObject)
	b.settle()
	b.clock.add(time.Hour)
	b.compared()
	require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "by an operator"))
	counts := b.settle()
	require.EqualValues(t, 60, counts.Rows)
	require.EqualValues(t, 60, counts.Unchanged)
	require.EqualValues(t, 60, b.units())
	require.Equal(t, []string{"by an operator"}, b.seed.Strings(`select reason from streams where lane = 'resync' and finished_at is not null`))

	// A window holds what has a stamp in it. A record that is gone is found on the way.
	mails := b.records("EmailMessage")
	gone := text(mails[11], "Id")
	require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.HardDeletesLogged = true }))
	require.NoError(t, b.sim.DeleteRecord("", gone, true))
	stamp := mails[11]["SystemModstamp"].(time.Time)
	require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", stamp.Add(-time.Hour), stamp.Add(time.Hour), "by an operator"))
	b.clock.add(2 * time.Minute)
	counts = b.settle()
	require.Less(t, counts.Rows, int64(30))
	b.compared()
	require.Equal(t, store.RecordDeleted, b.state(gone))
	require.EqualValues(t, 60, b.units())
}

// A request that comes while another one is under way widens it, and what was being read
// for the narrower one is not taken for it.
func TestResyncIsWidened(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 20}, mailObject)
	b.settle()
	from := b.clock.now().Add(-24 * time.Hour)
	require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", from, time.Time{}, "first"))
	b.clock.add(time.Hour)
	news := b.look().News
	require.Len(t, news, 1)
	_, err := b.svc.Poll(t.Context(), news[0].Batch)
	require.NoError(t, err)
	require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "second"))
	_, err = b.batches.Transform(t.Context(), news[0].Batch)
	require.NoError(t, err)
	_, err = b.db.Upsert(t.Context(), news[0].Batch)
	require.ErrorContains(t, err, "is not the next one")
	require.EqualValues(t, 20, b.settle().Unchanged)
}

// Ten thousand rows of one second, and one of them gone: the counts say that something
// is wrong, and a bounded number of calls says what.
func TestOneOfManyIsFound(t *testing.T) {
	t.Parallel()
	b := start(t, simforce.Options{Generate: 10}, surveyObject)
	at := b.clock.now().Add(-48 * time.Hour)
	ids, err := b.sim.CreateRecords("Survey_Response__c", 10_000, simforce.Write{Stamp: at,
		Fields: simforce.Row{"Submitted__c": at, "Feedback__c": "all at once", "Score__c": 5.0}})
	require.NoError(t, err)
	b.grant()
	b.check()
	b.settle()
	b.clock.add(time.Hour)
	b.compared()
	before := b.size()
	require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.HardDeletesLogged = false }))
	b.viewAll(store.ViewAllYes)
	require.NoError(t, b.sim.DeleteRecord("", ids[7_777], true))
	b.sim.ResetCounters()
	b.compared()
	require.Equal(t, store.RecordDeleted, b.state(ids[7_777]))
	require.Equal(t, before-1, b.size())
	require.Less(t, b.sim.Counters().Total, 60)
	theirs, ours := b.counted()
	require.Equal(t, theirs, ours)
}

// Thousands of rows revealed at once are read as a stretch, not one by one.
func TestManyRowsRevealed(t *testing.T) {
	t.Parallel()
	b := start(t, simforce.Options{Generate: 10}, surveyObject)
	at := b.clock.now().Add(-48 * time.Hour)
	_, err := b.sim.CreateRecords("Survey_Response__c", 3_000, simforce.Write{Stamp: at,
		Fields: simforce.Row{"Submitted__c": at, "Feedback__c": "hidden at first", "Score__c": 5.0}})
	require.NoError(t, err)
	require.NoError(t, b.sim.SetOwnerVisible("", "*", "Survey_Response__c", text(b.records("Survey_Response__c")[0], "OwnerId"), false))
	b.grant()
	b.check()
	b.settle()
	few := b.size()
	b.clock.add(time.Hour)
	b.compared()
	require.NoError(t, b.sim.SetOwnerVisible("", "*", "Survey_Response__c", text(b.records("Survey_Response__c")[0], "OwnerId"), true))
	b.compared()
	require.GreaterOrEqual(t, b.size(), few+3_000)
	require.Equal(t, b.size(), b.units())
	theirs, ours := b.counted()
	require.Equal(t, theirs, ours)
}

func TestLedgerOfCompleteness(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 60}, mailObject)
	b.settle()
	b.clock.add(time.Hour)
	b.compared()
	months, err := b.db.Completeness(t.Context(), b.object("EmailMessage").Stream)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(months), 2, "the mails are spread over thirty days")
	var theirs int64
	for _, m := range months {
		require.Equal(t, m.Salesforce, m.Stored)
		theirs += m.Salesforce
	}
	require.EqualValues(t, 60, theirs)
	require.EqualValues(t, config.DefaultVerifyInterval, config.Duration(10*time.Minute))
}

// An object that has news at every look is read again all the same, in turns.
func TestResyncIsNotStarvedByNews(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 20}, mailObject)
	b.settle()
	b.clock.add(time.Hour)
	b.compared()
	require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "by an operator"))
	lanes := map[int64]int{}
	live := b.object("EmailMessage").Stream
	for range 4 {
		b.mails(1, b.clock.now())
		b.clock.add(10 * time.Second)
		b.seed.Exec(`update streams set requested_at = requested_at - interval '10 seconds', applied_at = applied_at - interval '10 seconds' where lane = 'resync'`)
		for _, n := range b.look().News {
			lanes[n.Batch.Stream]++
			b.drain(n.Batch)
		}
	}
	require.Positive(t, lanes[live], "live goes on")
	require.Greater(t, len(lanes), 1, "and the resync has its turn")
	require.NotEmpty(t, b.seed.Strings(`select reason from streams where lane = 'resync' and finished_at is not null`))
	b.settle()
	b.same()
}

// An org whose log of deletes may not be read: deletes are found by the counts, and no
// record waits for the log for ever.
func TestLogOfDeletesThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	b.settle()
	b.clock.add(time.Hour)
	mail := text(b.records("EmailMessage")[7], "Id")
	require.NoError(t, b.sim.DeleteRecord("", mail, true))
	b.orgs.refuse = func(ask salesforce.Ask) error {
		if _, ok := ask.(salesforce.AskDeleted); ok {
			return fault.New(fault.Permission, "the log of deletes may not be read")
		}
		return nil
	}
	b.compared()
	require.Equal(t, store.RecordInvisible, b.state(mail))
	theirs, ours := b.counted()
	require.Equal(t, theirs, ours)
	require.Empty(t, b.seed.Strings(`select record_id from rechecks`))
}
