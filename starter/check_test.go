package main

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/store"
)

// goodReport is a report of an integration in which nothing must be changed.
func goodReport() poll.Report {
	rows := int64(1234)
	return poll.Report{SpecVersion: 1, At: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), OrgID: "00D000000000001EAA", Instance: "https://acme.my.salesforce.com",
		UserID: "005000000000001AAA", Username: "sync@acme.example", APIVersion: "66.0", APIEnabled: true, Must: []string{}, Should: []string{"View All would be better."},
		Objects: []poll.ObjectReport{{Object: "EmailMessage", Label: "Email Message", OK: true, Visible: true, Queryable: true, Replicateable: true, Bulk: true,
			ViewAll: store.ViewAllNo, ViewAllNote: "no permission set gives it", Cursor: "SystemModstamp", CursorNote: "EmailMessage is followed by SystemModstamp",
			Where: "Incoming = true", Rows: &rows, Fields: []poll.FieldReport{{Path: "HtmlBody", Object: "EmailMessage", Field: "HtmlBody", Type: "textarea",
				Feeds: []string{"body"}, Visible: true, Bulk: true, State: poll.FieldOK}}}}}
}

// checked stores a report as a worker's check does.
func (b *bench) checked(name string, answered int64, r poll.Report) {
	b.t.Helper()
	raw, err := json.Marshal(r)
	require.NoError(b.t, err)
	i := b.integration(name)
	require.NoError(b.t, b.db.SaveCheck(context.WithoutCancel(b.t.Context()), i.ID, store.Check{SpecVersion: i.SpecVersion, Begun: time.Now(),
		Schema: &store.Schema{Report: raw, Answered: answered}}))
}

// answers waits for a request for a check and answers it with r.
func (b *bench) answers(name string, r poll.Report) {
	b.t.Helper()
	project, integration, _ := flow.SplitName(name)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b.t.Context().Err() == nil {
			target, err := b.db.LoadTarget(b.t.Context(), project, integration)
			if err == nil && target.CheckRequests > target.ChecksAnswered {
				b.checked(name, target.CheckRequests, r)
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	b.t.Cleanup(func() { <-done })
}

func TestCheckShowsAFreshReport(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	b.work()
	b.checkWait = 2 * time.Minute // somebody answers, however slow
	name, file := b.apply()
	b.grant(name)
	b.answers(name, goodReport())
	r := b.run("check", name).good()
	for _, line := range []string{"sync@acme.example", "org 00D000000000001EAA", "API enabled: yes", "EmailMessage (Email Message)", "no: no permission set gives it",
		"EmailMessage is followed by SystemModstamp", "Incoming = true", "1234 in Salesforce", "HtmlBody", "should be changed:", "View All would be better.", "nothing must be changed"} {
		require.Contains(t, r.out, line)
	}
	require.Contains(t, r.talk, "asking Salesforce")

	bad := goodReport()
	bad.Must = []string{"Give the integration user Read Access to EmailMessage.HtmlBody."}
	b.answers(name, bad)
	r = b.run("check", name, "--json")
	require.Equal(t, exitRuntime, r.code, "something must be changed")
	require.Contains(t, r.talk, "1 thing must be changed")
	var got checkResult
	require.NoError(t, json.Unmarshal([]byte(r.out), &got))
	require.True(t, got.Fresh)
	require.Equal(t, bad.Must, got.Report.Must)
	require.Equal(t, []store.SchemaEvent{}, got.Alerts)

	// plan and status tell of it too.
	plan := b.run("plan", "-f", file).good()
	require.Contains(t, plan.out, "EmailMessage: EmailMessage is followed by SystemModstamp; 1234 records, of those that are shared with the user")
	require.Contains(t, plan.out, "must be changed: Give the integration user")
	var planned planResult
	b.run("plan", "-f", file, "--json").json(&planned)
	require.Equal(t, "SystemModstamp", planned.Report.Objects[0].Cursor)
}

func TestCheckWithoutAnAnswerShowsTheLastReport(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	name, _ := b.apply("--no-start")
	b.run("check", name).bad(exitInput, "is not connected to Salesforce", "starter connect "+name, "was never checked")
	b.grant(name)
	b.run("check", name).bad(exitInput, "no workflow runs", "starter start "+name)

	b.checked(name, 0, goodReport())
	b.run("start", name).good()
	r := b.run("check", name)
	require.Equal(t, exitRuntime, r.code, "no worker answers")
	require.Contains(t, r.talk, "no fresh report within 3s")
	require.Contains(t, r.talk, "is a worker running?")
	require.Contains(t, r.talk, "this is the report of ")
	require.Contains(t, r.out, "nothing must be changed")

	b.run("pause", name).good()
	r = b.run("check", name, "--json")
	require.Equal(t, exitInput, r.code)
	require.Contains(t, r.talk, "is paused")
	var got checkResult
	require.NoError(t, json.Unmarshal([]byte(r.out), &got))
	require.False(t, got.Fresh)
	require.NotNil(t, got.ReportedAt)
	require.True(t, got.Report.Objects[0].OK)
}

func TestStatusShowsAlerts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name, _ := b.apply("--no-start")
	b.grant(name)
	i := b.integration(name)
	require.NoError(t, b.db.SaveCheck(t.Context(), i.ID, store.Check{SpecVersion: i.SpecVersion, Begun: time.Now(), Schema: &store.Schema{
		Alerts: []store.SchemaEvent{{Object: "EmailMessage", Field: "HtmlBody", Kind: store.FieldHidden, Message: "field HtmlBody of EmailMessage cannot be read any more", Hint: "tick it"}},
		News:   []store.SchemaEvent{{Object: "Case", Field: "Tier__c", Kind: store.FieldsAdded, Message: "new on Case: Tier__c"}}}}))
	r := b.run("status", name).good()
	require.Contains(t, r.out, "field HtmlBody of EmailMessage cannot be read any more")
	require.Contains(t, r.out, "next: tick it")
	require.NotContains(t, r.out, "Tier__c", "it needs nobody")
	var got statusView
	b.run("status", name, "--json").json(&got)
	require.Len(t, got.Alerts, 1)
	require.Nil(t, got.Alerts[0].ResolvedAt)
	require.Len(t, got.Events, 1)
	require.Equal(t, store.FieldsAdded, got.Events[0].Kind)
}
