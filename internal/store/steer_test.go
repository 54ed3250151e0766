package store_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

func TestSteer(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	for _, c := range []struct {
		before, signal, after string
		requests              int
	}{
		{"running", flow.SignalPause, "paused", 0},
		{"paused", flow.SignalPause, "paused", 0},
		{"paused", flow.SignalResume, "running", 1},
		{"running", flow.SignalResume, "running", 1},
		{"running", flow.SignalSyncNow, "running", 1},
		{"paused", flow.SignalSyncNow, "paused", 1},
		{"running", flow.SignalConfigChanged, "running", 0},
		{"running", flow.SignalTokenGranted, "running", 0},
		{"paused", flow.SignalTokenRefreshed, "paused", 0},
		{"disconnected", flow.SignalResume, "disconnected", 1},
		{"disconnected", flow.SignalPause, "disconnected", 0},
		{"deleted", flow.SignalResume, "deleted", 0},
		{"deleted", flow.SignalPause, "deleted", 0},
		{"deleted", flow.SignalSyncNow, "deleted", 0},
	} {
		l.seed.Exec(`update integrations set desired = $1, sync_requests = 0`, c.before)
		require.NoError(t, l.db.Steer(t.Context(), "support", "salesforce-prod", c.signal))
		require.Equal(t, fmt.Sprint(c.after, " ", c.requests), l.one(`select desired || ' ' || sync_requests from integrations`), "%s by %s", c.before, c.signal)
	}
	require.NoError(t, l.db.Steer(t.Context(), "support", "nobody", flow.SignalPause), "deleted meanwhile")
}

func TestLoadTarget(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	spec := laneFile("salesforce-prod", config.DeletedTombstone)
	spec.Objects = append(spec.Objects, config.Object{Object: "Case", Fields: config.FieldMap{"timestamp": "CreatedDate", "body": "Description"}, Deleted: "keep"})
	_, err := l.db.ApplyIntegration(ctx, spec)
	require.NoError(t, err)
	target, err := l.db.LoadTarget(ctx, "support", "salesforce-prod")
	require.NoError(t, err)
	require.Equal(t, l.id, target.IntegrationID)
	require.Equal(t, l.source, target.SourceID)
	require.Equal(t, []string{"support", "salesforce-prod", "running", "awaiting_authorization", "none"},
		[]string{target.Project, target.Integration, target.Desired, target.Status, target.ConnectionState})
	require.EqualValues(t, 2, target.SpecVersion)
	require.Zero(t, target.CheckedVersion)
	var stored config.Integration
	require.NoError(t, json.Unmarshal(target.Spec, &stored))
	require.Empty(t, config.Diff(spec, stored))
	require.Len(t, target.Objects, 2)
	for i, o := range target.Objects {
		require.Equal(t, spec.Objects[i].Object, o.Name, "in the file's order")
		require.Equal(t, "unchecked", o.State)
		require.True(t, o.Hi.IsZero())
		require.JSONEq(t, "null", string(o.Plan))
		found, ok := target.Object(o.Name)
		require.True(t, ok)
		require.Equal(t, o.Stream, found.Stream)
		again, object, err := l.db.LoadStreamTarget(ctx, o.Stream)
		require.NoError(t, err)
		require.Equal(t, target.IntegrationID, again.IntegrationID)
		require.Equal(t, o, *object)
	}
	_, ok := target.Object("Contact")
	require.False(t, ok)

	l.connect()
	target, err = l.db.LoadTarget(ctx, "support", "salesforce-prod")
	require.NoError(t, err)
	require.Equal(t, store.ConnectionGranted, target.ConnectionState)
	require.EqualValues(t, 1, target.Generation)
	require.True(t, target.CheckedAt.Before(target.GrantedAt), "a grant asks for a check")

	_, err = l.db.LoadTarget(ctx, "support", "nobody")
	requireKind(t, fault.NotFound, err)
	require.ErrorContains(t, err, "support/nobody")
	require.Contains(t, fault.HintOf(err), "starter apply")
}

func TestLoadStreamTargetOfAnObjectThatLeftTheFile(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	spec := laneFile("salesforce-prod", config.DeletedTombstone)
	spec.Objects = nil
	_, err := l.db.ApplyIntegration(t.Context(), spec)
	require.NoError(t, err)
	_, _, err = l.db.LoadStreamTarget(t.Context(), l.ref.Stream)
	requireKind(t, fault.Fenced, err)
	target, err := l.db.LoadTarget(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	require.Empty(t, target.Objects)
}

func TestSaveCheck(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	dependency := func(parent string, seconds int) store.Dependency {
		return store.Dependency{Path: "Parent", Parent: parent, Hi: store.Position{Stamp: at(seconds)}}
	}
	save := func(version int64, o store.CheckedObject) *store.Target {
		t.Helper()
		o.Name = l.ref.Object
		require.NoError(t, l.db.SaveCheck(ctx, l.id, store.Check{SpecVersion: version, Begun: time.Now(), Objects: []store.CheckedObject{o}}))
		target, err := l.db.LoadTarget(ctx, "support", "salesforce-prod")
		require.NoError(t, err)
		return target
	}
	positions := func(target *store.Target) map[string]time.Time {
		out := map[string]time.Time{}
		for _, d := range target.Objects[0].Dependencies {
			out[d.Path+" "+d.Parent] = d.Hi.Stamp.UTC()
		}
		return out
	}

	target := save(2, store.CheckedObject{Plan: []byte(`{"object":"of another version"}`)})
	require.Equal(t, "unchecked", target.Objects[0].State, "the file has moved on: nothing of this check is kept")
	require.Zero(t, target.CheckedVersion)

	target = save(1, store.CheckedObject{Problem: "there is no field Colour__c", Hint: "grant Read on it"})
	require.Equal(t, []string{"config_invalid", "there is no field Colour__c", "grant Read on it"},
		[]string{target.Objects[0].State, target.Objects[0].Problem, target.Objects[0].Hint})
	require.EqualValues(t, 1, target.CheckedVersion)

	target = save(1, store.CheckedObject{Plan: []byte(`{"object":"EmailMessage"}`), Dependencies: []store.Dependency{dependency("Case", 0), dependency("Account", 0)}})
	require.Equal(t, "ok", target.Objects[0].State)
	require.Empty(t, target.Objects[0].Problem)
	require.JSONEq(t, `{"object":"EmailMessage"}`, string(target.Objects[0].Plan))
	require.Equal(t, map[string]time.Time{"Parent Case": at(0), "Parent Account": at(0)}, positions(target))

	// What was followed stays followed, what is new starts where the check says, what is gone goes.
	require.NoError(t, l.db.FollowDependency(ctx, l.ref, l.id, dependency("Case", 0), store.Position{Stamp: at(50), ID: idA}, nil))
	target = save(1, store.CheckedObject{Plan: []byte(`{}`), Dependencies: []store.Dependency{dependency("Case", 900), dependency("Contact", 900)}})
	require.Equal(t, map[string]time.Time{"Parent Case": at(50), "Parent Contact": at(900)}, positions(target))

	// An object that is refused for now keeps its plan and its positions.
	target = save(1, store.CheckedObject{Problem: "hidden"})
	require.Equal(t, map[string]time.Time{"Parent Case": at(50), "Parent Contact": at(900)}, positions(target))
	require.Error(t, l.db.SaveCheck(ctx, l.id, store.Check{SpecVersion: 1, Begun: time.Now(), Objects: []store.CheckedObject{{Name: l.ref.Object}}}), "neither plan nor problem")
	target = save(1, store.CheckedObject{Plan: []byte(`{}`)})
	require.Empty(t, positions(target))
}

func TestSetStatus(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	read := func() (status, since, version string) {
		return l.one(`select concat_ws('|', status, status_reason, status_hint, to_char(status_until at time zone 'UTC', 'HH24:MI')) from integrations`),
			l.one(`select status_since::text from integrations`), l.one(`select xmin::text from integrations`)
	}
	set := func(status, reason string, until time.Time) {
		t.Helper()
		require.NoError(t, l.db.SetStatus(ctx, "support", "salesforce-prod", status, reason, "wait", until))
	}
	set(flow.StateBackingOff, "no answer", at(60))
	status, since, _ := read()
	require.Equal(t, "backing_off|no answer|wait|12:01", status)
	set(flow.StateBackingOff, "still no answer", at(120))
	status, again, version := read()
	require.Equal(t, "backing_off|still no answer|wait|12:02", status)
	require.Equal(t, since, again, "since moves with the state only")
	set(flow.StateBackingOff, "still no answer", at(120))
	_, _, same := read()
	require.Equal(t, version, same, "the same again writes nothing")
	set(flow.StateIdle, "", time.Time{})
	status, later, _ := read()
	require.Equal(t, "idle||wait", status)
	require.NotEqual(t, since, later)
	require.NoError(t, l.db.SetStatus(ctx, "support", "nobody", flow.StateIdle, "", "", time.Time{}))
	require.Error(t, l.db.SetStatus(ctx, "support", "salesforce-prod", "excellent", "", "", time.Time{}))
}

func TestSetObjectFault(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	set := func(kind, message string) string {
		t.Helper()
		require.NoError(t, l.db.SetObjectFault(ctx, "support", "salesforce-prod", l.ref.Object, kind, message, "", at(60)))
		return l.one(`select coalesce(fault_since::text, 'none') from objects`)
	}
	since := set("Permission", "no right")
	require.Equal(t, since, set("Permission", "still no right"))
	require.NotEqual(t, since, set("Quota", "used up"))
	require.Equal(t, "none", set("", ""))
	require.Equal(t, "", l.one(`select fault_message from objects`))
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	l := newLane(t, config.DeletedTombstone)
	ctx := t.Context()
	for range 5 {
		l.connect()
	}
	first, err := l.db.ClaimSignals(ctx, 3)
	require.NoError(t, err)
	require.Len(t, first, 3)
	second, err := l.db.ClaimSignals(ctx, 10)
	require.NoError(t, err)
	require.Empty(t, second, "what is claimed is not given out again at once, nor what comes after it")
	l.seed.Exec(`insert into outbox (workflow_id, signal) values ('integration/support/other', 'token-granted')`)
	other, err := l.db.ClaimSignals(ctx, 10)
	require.NoError(t, err)
	require.Len(t, other, 1, "another workflow's need not wait")
	require.NoError(t, l.db.SettleSignal(ctx, other[0].ID, store.SignalDelivered))
	l.seed.Exec(`delete from outbox where id = $1`, other[0].ID)
	l.seed.Exec(`update outbox set next_at = now() - interval '1 hour' where attempts = 0`)
	l.seed.Exec(`update outbox set delivered_at = now() where attempts = 1`)
	second, err = l.db.ClaimSignals(ctx, 10)
	require.NoError(t, err)
	require.Len(t, second, 2)
	l.seed.Exec(`update outbox set delivered_at = null`)
	var ids []int64
	for _, s := range append(first, second...) {
		require.Equal(t, "integration/support/salesforce-prod", s.WorkflowID)
		require.Equal(t, flow.SignalTokenGranted, s.Name)
		require.Equal(t, 1, s.Attempts)
		ids = append(ids, s.ID)
	}
	require.IsIncreasing(t, ids)

	require.NoError(t, l.db.SettleSignal(ctx, ids[0], store.SignalDelivered))
	require.NoError(t, l.db.SettleSignal(ctx, ids[1], store.SignalDropped))
	require.NoError(t, l.db.FailSignal(ctx, ids[2], "no answer"))
	l.seed.Exec(`update outbox set next_at = now()`)
	again, err := l.db.ClaimSignals(ctx, 10)
	require.NoError(t, err)
	require.Len(t, again, 3)
	require.Equal(t, 2, again[0].Attempts)
	l.seed.Exec(`update outbox set attempts = 50 where delivered_at is null`)
	require.NoError(t, l.db.FailSignal(ctx, ids[2], "no answer"))
	require.NoError(t, l.db.FailSignal(ctx, ids[0], "too late to fail"))
	require.Equal(t, "", l.one(`select last_error from outbox where id = (select min(id) from outbox)`), "what is settled stays so")
	require.Equal(t, "t", l.one(`select (max(next_at) <= now() + interval '1 minute')::text from outbox where delivered_at is null`)[:1])
	require.Error(t, l.db.SettleSignal(ctx, ids[2], "forgotten"))

	require.NoError(t, l.db.SweepSignals(ctx, time.Now().Add(time.Hour)))
	require.Len(t, l.strings(`select signal from outbox`), 3, "only what is settled is swept")
}
