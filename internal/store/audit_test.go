package store_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// events lists the log, oldest first, as "type actor details".
func (l *lane) events() []string {
	l.t.Helper()
	return l.strings(`select type || ' ' || actor || ' ' || actor_name || ' ' || details::text from audit_events order by id`)
}

func TestWhatOperatorsDoIsInTheLog(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := store.WithActor(t.Context(), store.Actor{Kind: store.ActorStarter, Name: "ann", Address: "host"})
	file := laneFile("salesforce-prod", config.DeletedTombstone)
	_, err := l.db.ApplyIntegration(ctx, file)
	require.NoError(t, err)
	file.MonthlyUnitCap, file.Objects[0].Where = 5, "Subject = 'secret'"
	file.Connection.ConsumerSecret = "another-secret"
	_, err = l.db.ApplyIntegration(ctx, file)
	require.NoError(t, err)
	_, err = l.db.PlanIntegration(ctx, laneFile("salesforce-prod", config.DeletedErase))
	require.NoError(t, err)
	for _, desired := range []string{store.DesiredPaused, store.DesiredPaused, store.DesiredRunning} {
		require.NoError(t, l.db.SetDesired(ctx, l.id, desired))
	}
	require.NoError(t, l.db.Steer(t.Context(), "support", "salesforce-prod", flow.SignalPause))
	require.NoError(t, l.db.RequestSync(ctx, l.id))
	require.NoError(t, l.db.RequestResync(ctx, l.id, "EmailMessage", noon, time.Time{}, "asked for"))
	require.NoError(t, l.db.RequestResync(t.Context(), l.id, "EmailMessage", noon, time.Time{}, "rows are missing"), "what repairs itself is no event")
	require.NoError(t, l.db.CreateConnectLink(ctx, l.id, make([]byte, 32), noon))
	require.NoError(t, l.db.RequestRetransform(ctx, l.id, "EmailMessage", 3))
	_, err = l.db.CancelRetransforms(ctx, l.id, "")
	require.NoError(t, err)
	l.seed.Exec(`insert into deliveries (integration_id, source_id, endpoint, project, source, token) values ($1, $2, 'https://cm.example', 'cm', 'mail', '')`, l.id, l.source)
	require.NoError(t, l.db.DeliverAgain(ctx, l.id))
	require.NoError(t, l.db.Disconnect(ctx, l.id))
	require.NoError(t, l.db.DeleteIntegration(ctx, l.id, true))

	page, more, err := l.db.AuditEvents(t.Context(), store.AuditQuery{Limit: 100})
	require.NoError(t, err)
	require.False(t, more)
	var got []string
	for i := len(page) - 1; i >= 0; i-- {
		e := page[i]
		got = append(got, e.Actor.Kind+" "+e.Type)
		var details map[string]any
		require.NoError(t, json.Unmarshal(e.Details, &details))
		require.Equal(t, "support/salesforce-prod", details["integration"], e.Type)
		require.Len(t, e.Projects, 1)
		require.Equal(t, []string{l.source}, e.Sources)
		require.Equal(t, map[string]string{e.Projects[0]: "support", l.source: "support/salesforce-prod"}, e.Names, "ids can be told when what they named is gone")
		if e.Actor.Kind == store.ActorStarter {
			require.Equal(t, []string{"ann", "host"}, []string{e.Actor.Name, e.Actor.Address})
		}
		require.NotContains(t, string(e.Details), "secret'", "keys are named, values are not")
		require.NotContains(t, string(e.Details), "another-secret")
		if e.Type == store.EventIntegrationApplied && details["created"] == false {
			require.Equal(t, []any{"monthly_unit_cap", "objects[EmailMessage].where", "connection.consumer_secret"}, details["changed"])
			require.Len(t, details["digest_before"], 64)
			require.NotEqual(t, details["digest_before"], details["digest_after"])
		}
	}
	require.Equal(t, []string{
		"system integration.applied", "starter integration.applied", "starter integration.desired", "starter integration.desired", "system integration.signalled",
		"starter integration.sync_requested", "starter integration.resync_requested", "starter integration.link_created",
		"starter integration.retransform_requested", "starter integration.retransform_cancelled", "starter integration.delivery_requested",
		"starter integration.disconnected", "starter integration.deleted",
	}, got, "what changes nothing is no event")

	for _, sql := range []string{`update audit_events set type = 'a.b'`, `delete from audit_events`, `truncate audit_events cascade`, `truncate audit_counts`,
		`delete from audit_counts`} {
		require.Contains(t, l.refused(t, sql), "the audit log is only added to", sql)
	}
}

// An event that is waiting goes with the first transaction that changes something, or by itself.
func TestAPendingEventGoesWithTheChange(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	count := len(l.events())
	fresh := func() []string {
		all := l.events()[count:]
		count += len(all)
		return all
	}
	ctx, p := store.WithPending(store.WithActor(t.Context(), store.Actor{Kind: store.ActorToken, UserID: "u", Token: "t", Name: "ann@example.com"}),
		store.AuditEvent{Type: "comments.written", Sources: []string{l.source}})
	p.Note("list", 2)
	_, err := l.db.ClaimSignals(ctx, 0) // reads, in a transaction
	require.NoError(t, err)
	require.Empty(t, fresh(), "nothing was changed")
	require.Error(t, l.db.RevokeToken(ctx, "x", ""))
	_, err = l.db.CreateUser(ctx, store.NewUser{Email: "bob@example.com", Grants: []store.Grant{{Project: "nowhere", Permission: "sources-read"}}})
	requireKind(t, fault.NotFound, err)
	require.Empty(t, fresh(), "a change that was rolled back took its event with it")
	_, err = l.db.CreateUser(ctx, store.NewUser{Email: "bob@example.com"})
	require.NoError(t, err)
	require.Equal(t, []string{`comments.written token ann@example.com {"list": 2}`}, fresh())
	_, err = l.db.CreateUser(ctx, store.NewUser{Email: "cid@example.com"})
	require.NoError(t, err)
	require.NoError(t, l.db.AuditPending(ctx))
	require.Empty(t, fresh(), "it is written once")

	// Whoever knows better writes another one in its place, with what was noted.
	ctx, p = store.WithPending(t.Context(), store.AuditEvent{Type: "comments.written"})
	p.Note("note", "x")
	require.NoError(t, l.db.SetDesired(ctx, l.id, store.DesiredPaused))
	require.NoError(t, l.db.AuditPending(ctx))
	require.Equal(t, []string{`integration.desired system  {"note": "x", "before": "running", "desired": "paused", "integration": "support/salesforce-prod"}`}, fresh())

	ctx, _ = store.WithPending(t.Context(), store.AuditEvent{Type: "usage.exported"})
	require.NoError(t, l.db.AuditPending(ctx))
	require.NoError(t, l.db.AuditPending(ctx))
	require.Equal(t, []string{"usage.exported system  {}"}, fresh())
}

func TestManyAlikeAreOneEvent(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	begun := time.Now().UTC().Truncate(time.Hour)
	one := store.WithActor(t.Context(), store.Actor{Kind: store.ActorToken, UserID: "u", Token: "one"})
	other := store.WithActor(t.Context(), store.Actor{Kind: store.ActorToken, UserID: "u", Token: "other"})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := l.db.AuditOften(one, store.AuditEvent{Type: "comments.read", Sources: []string{l.source}}, l.source, 64); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.NoError(t, l.db.AuditOften(other, store.AuditEvent{Type: "comments.read"}, l.source, 1))
	require.NoError(t, l.db.AuditOften(one, store.AuditEvent{Type: "comments.read"}, "", 1))
	page, _, err := l.db.AuditEvents(t.Context(), store.AuditQuery{Limit: 100, From: &begun})
	require.NoError(t, err)
	counts := map[string]int{}
	for _, e := range page {
		if e.Type == "comments.read" {
			counts[fmt.Sprint(e.Actor.Token, len(e.Sources), " ", *e.Requests, " ", *e.Rows)]++
		}
	}
	if time.Now().UTC().Truncate(time.Hour).Equal(begun) { // else the hour has turned, and there are more
		require.Equal(t, map[string]int{"one1 20 1280": 1, "other0 1 1": 1, "one0 1 1": 1}, counts)
	}
	require.Contains(t, l.refused(t, `update audit_counts set requests = requests - 1`), "only added to")
	require.Contains(t, l.refused(t, `update audit_counts set hour = hour - interval '1 hour'`), "only added to")
}

func TestPagesOfTheLog(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	l.seed.Exec(`insert into audit_events (type, actor, details) select 'test.event', 'system', jsonb_build_object('n', n) from generate_series(1, 50) n`)
	for size := range 4 {
		var got []int64
		q := store.AuditQuery{Limit: 7*size + 1}
		for more := true; more; {
			var page []store.AuditRecord
			var err error
			page, more, err = l.db.AuditEvents(t.Context(), q)
			require.NoError(t, err)
			for _, e := range page {
				got = append(got, e.ID)
			}
			last := page[len(page)-1]
			q.After = &store.AuditKey{At: last.At, ID: last.ID}
			require.NoError(t, l.db.Audit(t.Context(), store.AuditEvent{Type: "test.later"}), "what is added meanwhile stands before the first page")
		}
		require.IsDecreasing(t, got)
		require.EqualValues(t, 1, got[len(got)-1])
	}
	later := time.Now().Add(time.Hour)
	page, _, err := l.db.AuditEvents(t.Context(), store.AuditQuery{Limit: 10, From: &later})
	require.NoError(t, err)
	require.Empty(t, page)
}
