package poll_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
)

func TestWatchJudgesTheRowAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set     func(*bench)
		outcome string
		hint    string
	}{
		"never connected": {func(b *bench) { b.seed.Exec(`update connections set state = 'none'`) }, flow.OutcomeAwaiting, "starter connect support/prod"},
		"lost": {func(b *bench) {
			b.seed.Exec(`update connections set state = 'lost', lost_reason = 'because', lost_hint = 'do this'`)
		}, flow.OutcomeAwaiting, "do this"},
		"disconnected": {func(b *bench) { require.NoError(b, b.db.Disconnect(b.Context(), b.id)) }, flow.OutcomeDisconnected, "starter connect support/prod"},
		"paused":       {func(b *bench) { require.NoError(b, b.db.Steer(b.Context(), "support", "prod", flow.SignalPause)) }, flow.OutcomePaused, "starter resume support/prod"},
		"paused and lost": {func(b *bench) {
			b.seed.Exec(`update connections set state = 'lost'`)
			require.NoError(b, b.db.SetDesired(b.Context(), b.id, "paused"))
		}, flow.OutcomePaused, "starter resume"},
		"deleted":       {func(b *bench) { require.NoError(b, b.db.SetDesired(b.Context(), b.id, "deleted")) }, flow.OutcomeDeleted, ""},
		"applied again": {func(b *bench) { b.apply() }, flow.OutcomeUnchecked, ""},
		"granted again": {func(b *bench) { b.grant() }, flow.OutcomeUnchecked, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{Generate: 3}, mailObject)
			c.set(b)
			b.sim.ResetCounters()
			result := b.look()
			require.Equal(t, c.outcome, result.Outcome)
			require.Contains(t, result.Hint, c.hint)
			require.Equal(t, c.hint != "", result.Reason != "")
			require.Empty(t, result.News)
			require.Zero(t, result.Ticks)
			require.Zero(t, b.sim.Counters().Total)
		})
	}
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		b := connected(t, simforce.Options{}, mailObject)
		result, err := b.svc.Watch(t.Context(), flow.WatchParams{Project: "support", Integration: "other"})
		require.NoError(t, err)
		require.Equal(t, flow.OutcomeDeleted, result.Outcome)
		require.Contains(t, result.Reason, "support/other")
		require.Contains(t, result.Hint, "starter apply")
	})
}

func TestWatchAsksForAllObjectsInOneCall(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 24}, mailObject, surveyObject, noteObject)
	b.sim.ResetCounters()
	result := b.look()
	require.Equal(t, flow.OutcomeNews, result.Outcome)
	require.Len(t, result.News, 3)
	require.Zero(t, b.sim.Counters().Total, "what was never read is news")
	require.Equal(t, flow.BatchRef{Stream: b.object("CaseComment").Stream, Epoch: 1, Seq: 1, Object: "CaseComment"}, result.News[2].Batch)
	b.settle()

	b.sim.ResetCounters()
	result = b.look()
	require.Equal(t, flow.OutcomeQuiet, result.Outcome)
	require.Equal(t, 10*time.Second, result.Interval)
	require.Equal(t, 1, result.Ticks)
	require.Equal(t, 3, result.Objects)
	require.Equal(t, map[string]int{"composite": 1}, b.sim.Counters().Kinds)
	require.Equal(t, []string{flow.StateIdle}, b.seed.Strings(`select status from integrations`))
	require.Equal(t, []string{"true"}, b.seed.Strings(`select (watched_at is not null)::text from integrations`))

	b.create("Survey_Response__c", simforce.Write{Fields: simforce.Row{"Submitted__c": longAgo, "Feedback__c": "new"}})
	result = b.look()
	require.Len(t, result.News, 1)
	require.Equal(t, "Survey_Response__c", result.News[0].Object)
	require.Equal(t, b.next("Survey_Response__c"), result.News[0].Batch)

	b.orgs.during(nil)
	result = b.look("Survey_Response__c", "CaseComment")
	require.Equal(t, flow.OutcomeQuiet, result.Outcome)
	for _, q := range b.orgs.asked() {
		require.NotContains(t, q, "Survey_Response__c")
		require.NotContains(t, q, "CaseComment")
		require.True(t, strings.HasPrefix(q, "SELECT Id, SystemModstamp FROM "), "ids and stamps only: %s", q)
	}
	require.Len(t, b.orgs.asked(), 2, "the mails and their cases")
}

func TestWatchTellsOneObjectsTrouble(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 12}, mailObject, noteObject)
	b.settle()
	b.hide("CaseComment")
	b.update("EmailMessage", text(b.records("EmailMessage")[0], "Id"), simforce.Row{"HtmlBody": nil, "TextBody": "new"})
	result := b.look()
	require.Equal(t, flow.OutcomeNews, result.Outcome)
	require.Len(t, result.News, 1)
	require.Equal(t, "EmailMessage", result.News[0].Object)
	require.Len(t, result.Faults, 1)
	require.Equal(t, "CaseComment", result.Faults[0].Object)
	require.Equal(t, string(fault.Config), result.Faults[0].Kind)
	require.Contains(t, result.Faults[0].Message, "CaseComment")
	require.NotEmpty(t, result.Faults[0].Hint)
}

func TestWatchFailsAsAWhole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(*bench)
		kind fault.Kind
	}{
		"quota":   {func(b *bench) { require.NoError(b, b.sim.SetQuotaUsed("", 1_000_000)) }, fault.Quota},
		"away":    {func(b *bench) { require.NoError(b, b.sim.FailNext(simforce.Fault{Status: 503, Body: "x"})) }, fault.Transient},
		"revoked": {func(b *bench) { b.sim.RevokeGrants("") }, fault.Reauthorize},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{Generate: 3}, mailObject)
			b.settle()
			c.set(b)
			_, err := b.svc.Watch(t.Context(), flow.WatchParams{Project: "support", Integration: "prod", Once: true})
			require.Equal(t, c.kind, fault.KindOf(err), "%v", err)
			if c.kind == fault.Reauthorize {
				result := b.look()
				require.Equal(t, flow.OutcomeAwaiting, result.Outcome)
				require.Contains(t, result.Reason, "no longer accepts")
				require.Contains(t, result.Hint, "connect again")
			}
		})
	}
}

func TestWatchOutlivesADeadSession(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, mailObject)
	b.settle()
	require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.Rotation = "on" }))
	require.Equal(t, 1, b.sim.KillSessions(""))
	b.sim.ResetCounters()
	require.Equal(t, flow.OutcomeQuiet, b.look().Outcome)
	require.Equal(t, map[string]int{"composite": 2, "token_refresh": 1}, b.sim.Counters().Kinds)
}

// watching runs a Watch that would go on for long.
func (b *bench) watching() <-chan flow.WatchResult {
	b.Helper()
	b.spec.PollInterval = config.Duration(50 * time.Second)
	b.apply()
	b.check()
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.svc.Listener.Run(ctx, b.db) }()
	b.Cleanup(func() { stop(); <-done })
	b.sim.ResetCounters()
	out := make(chan flow.WatchResult, 1)
	go func() {
		result, err := b.svc.Watch(ctx, flow.WatchParams{Project: "support", Integration: "prod"})
		if err != nil {
			result.Reason = err.Error()
		}
		out <- result
	}()
	b.asks(1)
	return out
}

// asks waits until Salesforce was asked n times.
func (b *bench) asks(n int) {
	b.Helper()
	require.Eventually(b, func() bool { return b.sim.Counters().Total == n }, 40*time.Second, 5*time.Millisecond)
}

func result(t *testing.T, from <-chan flow.WatchResult) flow.WatchResult {
	t.Helper()
	select {
	case r := <-from:
		return r
	case <-time.After(40 * time.Second):
		require.FailNow(t, "Watch does not come back")
		return flow.WatchResult{}
	}
}

func TestWatchWakes(t *testing.T) {
	t.Parallel()
	steer := func(b *bench, signal string) {
		require.NoError(b, b.db.Steer(b.Context(), "support", "prod", signal))
	}
	for name, c := range map[string]struct {
		act     func(*bench)
		outcome string
		ticks   int
	}{
		"for a pause":         {func(b *bench) { steer(b, flow.SignalPause) }, flow.OutcomePaused, 1},
		"for another file":    {func(b *bench) { b.apply() }, flow.OutcomeUnchecked, 1},
		"for a disconnection": {func(b *bench) { require.NoError(b, b.db.Disconnect(b.Context(), b.id)) }, flow.OutcomeDisconnected, 1},
		"for its end":         {func(b *bench) { require.NoError(b, b.db.SetDesired(b.Context(), b.id, "deleted")) }, flow.OutcomeDeleted, 1},
		"to sync now": {func(b *bench) {
			b.mails(1, b.clock.now())
			steer(b, flow.SignalSyncNow)
		}, flow.OutcomeNews, 2},
		"to look, and goes on": {func(b *bench) {
			steer(b, flow.SignalSyncNow)
			b.asks(2)
			steer(b, flow.SignalTokenRefreshed) // nothing to do with the row
			steer(b, flow.SignalPause)
		}, flow.OutcomePaused, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connected(t, simforce.Options{Generate: 3}, mailObject)
			b.settle()
			watching := b.watching()
			c.act(b)
			got := result(t, watching)
			require.Equal(t, c.outcome, got.Outcome, got.Reason)
			require.Equal(t, c.ticks, got.Ticks)
			require.Equal(t, c.ticks, b.sim.Counters().Total)
		})
	}
}

func TestWatchIsBounded(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, mailObject)
	b.settle()
	b.svc.WatchFor = time.Nanosecond
	got, err := b.svc.Watch(t.Context(), flow.WatchParams{Project: "support", Integration: "prod"})
	require.NoError(t, err)
	require.Equal(t, flow.OutcomeQuiet, got.Outcome)
	require.Equal(t, 1, got.Ticks)
	// A long interval belongs to the workflow's timer.
	b.svc.WatchFor = 0
	b.spec.PollInterval = config.Duration(time.Hour)
	b.apply()
	b.check()
	got, err = b.svc.Watch(t.Context(), flow.WatchParams{Project: "support", Integration: "prod"})
	require.NoError(t, err)
	require.Equal(t, flow.OutcomeQuiet, got.Outcome)
	require.Equal(t, time.Hour, got.Interval)
}

func TestWatchEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, mailObject)
	b.settle()
	ctx, cancel := context.WithCancelCause(t.Context())
	b.orgs.during(func(int, string) { cancel(context.Canceled) })
	_, err := b.svc.Watch(ctx, flow.WatchParams{Project: "support", Integration: "prod"})
	require.ErrorIs(t, err, context.Canceled)
}
