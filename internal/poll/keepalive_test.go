package poll_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// unused pretends that the grant was last used days ago.
func (b *bench) unused(days int) {
	b.Helper()
	b.seed.Exec(`update connections set granted_at = granted_at - interval '90 days', refreshed_at = now() - make_interval(days => $1)`, days)
	b.seed.Exec(`update integrations set checked_at = now()`)
}

func (b *bench) renewals() int {
	b.Helper()
	defer b.sim.ResetCounters()
	return b.sim.Counters().Kinds["token_refresh"]
}

// again is another process, which has tried nothing yet.
func (b *bench) again() {
	b.svc = &poll.Service{Store: b.db, Orgs: b.orgs, Listener: store.NewListener(), Grants: b.orgs.auth}
}

func TestGrantIsUsedWeekly(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*bench){
		"running": func(*bench) {},
		"paused":  func(b *bench) { require.NoError(b, b.db.SetDesired(b.Context(), b.id, store.DesiredPaused)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{Generate: 3}, mailObject)
			require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.Rotation = "on" }))
			b.again()
			b.settle()
			set(b)
			b.unused(5)
			b.renewals()
			b.look()
			require.Zero(t, b.renewals(), "it was used this week")
			for range 3 {
				b.unused(7)
				b.again()
				before, err := b.db.LoadConnection(t.Context(), b.id)
				require.NoError(t, err)
				result := b.look()
				require.NotEqual(t, flow.OutcomeAwaiting, result.Outcome)
				require.Equal(t, 1, b.renewals())
				after, err := b.db.LoadConnection(t.Context(), b.id)
				require.NoError(t, err)
				require.Equal(t, before.Generation+1, after.Generation)
				require.NotEqual(t, before.Refresh, after.Refresh)
				b.look()
				require.Zero(t, b.renewals())
			}
		})
	}
}

// Salesforce's policy counts from the last use: an integration that is paused for
// half a year still has its grant afterwards.
func TestGrantOutlivesALongPause(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, mailObject)
	require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) {
		k.Rotation, k.RefreshIdleSeconds, k.SessionTTLSeconds = "on", 30*86400, 900
	}))
	b.settle()
	require.NoError(t, b.db.SetDesired(t.Context(), b.id, store.DesiredPaused))
	for range 26 {
		b.clock.add(7 * 24 * time.Hour)
		b.unused(7)
		b.again()
		require.Equal(t, flow.OutcomePaused, b.look().Outcome)
	}
	require.NoError(t, b.db.SetDesired(t.Context(), b.id, store.DesiredRunning))
	id := b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": "new", "TextBody": "after the pause", "FromAddress": "a@b.example"}})
	b.settle()
	require.Equal(t, "after the pause", b.comment(id).Messages[0].Body.Text)
	require.EqualValues(t, 4, b.units())
}

func TestGrantIsNotUsedWhereItMustNot(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*bench){
		"disconnected": func(b *bench) { require.NoError(b, b.db.Disconnect(b.Context(), b.id)) },
		"deleted":      func(b *bench) { require.NoError(b, b.db.SetDesired(b.Context(), b.id, store.DesiredDeleted)) },
		"lost":         func(b *bench) { b.seed.Exec(`update connections set state = 'lost'`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{}, mailObject)
			set(b)
			b.unused(20)
			b.again()
			b.renewals()
			b.look()
			require.Zero(t, b.renewals())
		})
	}
}

func TestWatchGoesOnWhenTheGrantCannotBeUsedNow(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, mailObject)
	b.settle()
	b.unused(10)
	b.again()
	require.NoError(t, b.sim.FailNext(simforce.Fault{Class: "token_html_503", Times: 100}))
	b.renewals()
	require.Equal(t, flow.OutcomeQuiet, b.look().Outcome)
	require.Equal(t, 1, b.renewals())
	b.look()
	require.Zero(t, b.renewals(), "not again and again")
	b.sim.ClearFaults()
	b.again()
	require.Equal(t, flow.OutcomeQuiet, b.look().Outcome)
	require.Equal(t, 1, b.renewals())
}

// That the grant is gone is known at once, not when the session ends.
func TestWatchSaysThatTheGrantIsGone(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, mailObject)
	b.settle()
	b.unused(10)
	b.again()
	b.sim.RevokeGrants(simforce.SyncUser)
	result := b.look()
	require.Equal(t, flow.OutcomeAwaiting, result.Outcome)
	require.Contains(t, result.Reason, "no longer accepts the grant")
	require.Contains(t, result.Hint, "starter connect support/prod")
}

// The answer to a refresh is lost on its way: with rotation the grant is lost with it.
// That is said, one click puts it right, and what was written meanwhile arrives once.
func TestReconnectAfterALostAnswer(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 30}, mailObject)
	require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.Rotation, k.ReuseRevokes = "on", true }))
	b.settle()
	b.sim.KillSessions("")
	require.NoError(t, b.sim.FailNext(simforce.Fault{PathPrefix: "/services/oauth2/token", Stage: "after", Drop: true}))
	b.mails(5, b.clock.now())
	_, err := b.svc.Watch(t.Context(), flow.WatchParams{Project: "support", Integration: "prod", Once: true})
	require.Equal(t, fault.Transient, fault.KindOf(err), "%v", err)
	_, err = b.svc.Watch(t.Context(), flow.WatchParams{Project: "support", Integration: "prod", Once: true})
	require.Equal(t, fault.Reauthorize, fault.KindOf(err), "%v", err)
	result := b.look()
	require.Equal(t, flow.OutcomeAwaiting, result.Outcome)
	require.Contains(t, result.Reason, "never arrived")
	require.Contains(t, result.Hint, "starter connect support/prod")
	b.update("EmailMessage", text(b.records("EmailMessage")[3], "Id"), simforce.Row{"HtmlBody": nil, "TextBody": "edited while nobody could look"})

	b.grant()
	b.check()
	b.settle()
	b.same()
	require.EqualValues(t, 36, b.units(), "30 mails, 5 more, and one text that changed")
}
