package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
	"salesforcesync/internal/transform"
)

const quotingMail = "Thanks, that works.\n\nOn Mon, 2 Mar 2026 at 10:00, Bob <bob@example.com> wrote:\n> Please try again.\n"

// mailID is the n-th record of withMails.
func mailID(n int) string { return salesforce.To18(fmt.Sprintf("02s5e%010d", n)) }

// withMails applies an integration without Temporal whose mails, one of each text, were made
// comments of by a release that left them whole, and checks it anew. A mail without a text has no
// timestamp. It returns the integration's name.
func withMails(b *bench, seed *storetest.Seed, bodies ...string) string {
	b.t.Helper()
	name := b.applyTwo("--no-start")
	project, integration, _ := flow.SplitName(name)
	ctx := b.t.Context()
	recipe := transform.Recipe{Stamp: "SystemModstamp",
		Types: transform.Types{"TextBody": salesforce.TypeTextArea, "Subject": salesforce.TypeString, "FromName": salesforce.TypeString,
			"SystemModstamp": salesforce.TypeDateTime, "CreatedDate": salesforce.TypeDateTime},
		Mapping: transform.Mapping{Subject: "Subject", Body: []transform.TextPath{{Path: "TextBody"}}, FromName: "FromName", Timestamp: []string{"CreatedDate"}}}
	save := func() *store.Target {
		plan, err := json.Marshal(map[string]any{"object": "EmailMessage", "recipe": recipe})
		require.NoError(b.t, err)
		seed.Exec(`update objects set state = 'ok', plan = $1`, string(plan))
		target, err := b.db.LoadTarget(ctx, project, integration)
		require.NoError(b.t, err)
		return target
	}
	o := save().Objects[0]
	require.Equal(b.t, "EmailMessage", o.Name)
	ref := flow.BatchRef{Stream: o.Stream, Epoch: o.Epoch, Seq: 1, Object: o.Name}
	batch, err := b.db.BeginBatch(ctx, ref)
	require.NoError(b.t, err)
	chunk := store.Chunk{Format: store.FormatJSON}
	for n, body := range bodies {
		record := map[string]any{"Id": mailID(n), "SystemModstamp": "2026-03-01T12:00:05.000+0000", "TextBody": body, "Subject": "Hello", "FromName": "Ann Example", "CreatedDate": "2026-03-01T12:00:00.000+0000"}
		if body == "" {
			record["CreatedDate"] = nil
		}
		raw, err := json.Marshal(record)
		require.NoError(b.t, err)
		chunk.Data, chunk.IDs = append(append(chunk.Data, raw...), '\n'), append(chunk.IDs, mailID(n))
	}
	require.NoError(b.t, b.db.AddChunk(ctx, batch, chunk))
	sum := store.Checksum(chunk.Format)
	sum.Write(chunk.Data)
	require.NoError(b.t, b.db.SealBatch(ctx, batch, store.Seal{Chunks: 1, Rows: int64(len(bodies)), Bytes: int64(len(chunk.Data)), Checksum: sum.Sum(nil), ServerTime: time.Now()}))
	_, err = transform.Batches{Store: b.db}.Transform(ctx, ref)
	require.NoError(b.t, err)
	_, err = b.db.Upsert(ctx, ref)
	require.NoError(b.t, err)
	recipe.Mapping.Mail = true
	save()
	return name
}

func TestRetransformPlans(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	name := withMails(b, seed, quotingMail, "Good day", "", quotingMail)
	seed.Exec(`update records set raw_chunk = 9 where record_id = $1`, mailID(3))

	r := b.run("retransform", name, "--plan", "--object", "emailmessage").good()
	for _, line := range []string{
		fmt.Sprintf("%s: texts made anew by cleaning version %d\n", name, clean.Version), "\nEmailMessage: 4 records\n",
		"           1  texts change: one AI unit each\n", "           1    of these, bodies get shorter\n", "           2  stay as they are\n",
		"           1  have no raw copy: they stay as they are unless Salesforce is asked (starter resync)\n",
		"  for example " + mailID(0) + ", comment " + hex.EncodeToString([]byte(mailID(0))) + " (text_changed)\n",
		"\nin all: 1 AI units\nnext: starter retransform " + name + " --apply\n",
	} {
		require.Contains(t, r.out, line)
	}
	require.NotContains(t, r.out, "Please try again", "texts are shown only when they are asked for")

	r = b.run("retransform", name, "--plan", "--object", "EmailMessage", "--examples", "5").good()
	require.Contains(t, r.out, "before, body:\n    Thanks, that works.\n    \n    On Mon, 2 Mar 2026 at 10:00, Bob <bob@example.com> wrote:\n    > Please try again.\n")
	require.Contains(t, r.out, "after, body:\n    Thanks, that works.\n")

	var plan retransformPlan
	b.run("retransform", name, "--plan", "--json").json(&plan)
	require.EqualValues(t, 1, plan.Units)
	require.Equal(t, clean.Version, plan.CleaningVersion)
	require.Len(t, plan.Objects, 2)
	require.Equal(t, flow.RetransformCounts{Records: 4, WithoutRaw: 1, Unchanged: 2, TextChanged: 1, Units: 1, BodiesShorter: 1}, plan.Objects[0].RetransformCounts)
	require.Empty(t, plan.Objects[0].Examples[0].Before)
	require.Equal(t, flow.RetransformCounts{}, plan.Objects[1].RetransformCounts)
	require.Equal(t, []string{"3"}, seed.Strings(`select count(*)::text from ledger`), "a plan changes nothing")
	require.Empty(t, seed.Strings(`select object from retransforms`))

	seed.Exec(`update objects set state = 'unchecked', plan = null where name = 'Case'`)
	b.run("retransform", name, "--plan").bad(exitInput, "Case has no checked mapping yet", "starter check "+name)
	b.run("retransform", name, "--apply").bad(exitInput, "Case has no checked mapping yet")
	require.Empty(t, seed.Strings(`select object from retransforms`), "half of what was named is not what was meant")
	for _, args := range [][]string{{}, {"--plan", "--apply"}, {"--apply", "--examples", "1"}, {"--plan", "--examples", "-1"}} {
		b.run(append([]string{"retransform", name}, args...)...).bad(exitInput)
	}
	b.run("retransform", name, "--plan", "--object", "Lead").bad(exitInput, "no object Lead")
}

func TestRetransformIsAskedForAndSeen(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	b.withTemporal()
	name := withMails(b, seed, quotingMail)
	project, integration, _ := flow.SplitName(name)
	b.run("retransform", name, "--cancel").bad(exitInput, "no texts are being made anew in "+name)

	var result retransformResult
	b.run("retransform", name, "--apply", "--object", "EmailMessage", "--json").json(&result)
	require.Equal(t, "asked", result.Action)
	require.Equal(t, []string{"EmailMessage"}, result.Objects)
	require.Equal(t, operate.WorkflowStarted, result.Workflow)
	r := b.run("retransform", name, "--apply", "--object", "EmailMessage").good()
	require.Contains(t, r.talk, "makes texts anew by cleaning version")
	require.Equal(t, []string{"1"}, seed.Strings(`select count(*)::text from retransforms`), "one that is open goes on")
	t.Cleanup(func() {
		_ = b.temporal().TerminateWorkflow(t.Context(), flow.RetransformID(project, integration), "", "the test is over")
	})

	seed.Exec(`update retransforms set started_at = now() - interval '10 minutes', beat_at = now() - interval '9 minutes', total = 1000, counts = '{"records": 600, "text_changed": 70, "units": 70, "without_raw": 5}'`)
	status := b.run("status", name).good().out
	require.Contains(t, status, "EmailMessage: texts are made anew")
	require.Contains(t, status, "600 of 1,000 records")
	require.Contains(t, status, "70 AI units")
	require.Contains(t, status, "nobody works on it")
	require.Contains(t, status, "5 records have no raw copy any more")
	var view statusView
	b.run("status", name, "--json").json(&view)
	require.Equal(t, "open", view.Objects[0].Retransform.State)
	require.InDelta(t, 400, *view.Objects[0].Retransform.ETA, 10)

	b.run("retransform", name, "--cancel", "--json").json(&result)
	require.Equal(t, []string{"EmailMessage"}, result.Objects)
	require.Contains(t, b.run("status", name).good().out, "making texts anew ended at 600 of 1,000 records: cancelled by an operator")
}

func TestSkippedListsWhy(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	name := withMails(b, seed, "Good day", "", "")
	lines := strings.Split(strings.TrimSpace(b.run("skipped", name).good().out), "\n")
	require.Len(t, lines, 2)
	require.Equal(t, "EmailMessage\t"+mailID(1)+"\tno timestamp: CreatedDate is empty\thttps://acme.my.salesforce.com/"+mailID(1), lines[0])
	lines = strings.Split(strings.TrimSpace(b.run("skipped", name, "--json", "--object", "EmailMessage").good().out), "\n")
	require.Len(t, lines, 2)
	var v skippedView
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &v))
	require.Equal(t, mailID(2), v.RecordID)
	project, integration, _ := flow.SplitName(name)
	require.Equal(t, store.RawPath(project, integration, "EmailMessage", mailID(2)), v.RawPath)
	r := b.run("skipped", name, "--object", "Case").good()
	require.Empty(t, r.out)
	require.Contains(t, r.talk, "every record that was read is a comment")
	b.run("skipped", name, "--object", "Lead").bad(exitInput, "no object Lead")
}

func TestExplainShowsTheRules(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	name := withMails(b, seed, quotingMail, "Good day", "")
	out := b.run("explain", name, mailID(0)).good().out
	require.Contains(t, out, "cleaning version "+fmt.Sprint(clean.Version)+"; the stored text is another one")
	require.Contains(t, out, "| Thanks, that works.\n")
	require.Regexp(t, `quote, [a-z ]+ +\| On Mon, 2 Mar`, out)
	var v explanationView
	b.run("explain", name, hex.EncodeToString([]byte(mailID(1))), "--json").json(&v)
	require.Len(t, v.Units, 1)
	require.Equal(t, unitView{At: v.Units[0].At, Revision: 1, Reason: "created", Lane: "live"}, v.Units[0])
	require.Contains(t, out, ": created, revision 1, live\n")
	v.Units = nil
	require.Equal(t, explanationView{Object: "EmailMessage", RecordID: mailID(1), Version: clean.Version, InForce: clean.Version, Same: true, Mail: true,
		Text: "Good day", Reply: "Good day", Spans: []spanView{}}, v)
	require.Contains(t, b.run("explain", name, mailID(2)[:15]).good().out, "it is no comment\nset aside: ")
	require.Contains(t, b.run("status", name).good().out, "EmailMessage: 1 records are set aside, because they cannot become comments\n    next: starter skipped "+name+" says why, of each\n")
	b.run("explain", name, mailID(7)).bad(exitInput, "has no record "+mailID(7))
	b.run("explain", name, "x").bad(exitInput, `"x" is neither`)
	b.run("explain", name).bad(exitInput, "one Id must be given")
	seed.Exec(`delete from raw_chunks`)
	b.run("explain", name, mailID(0)).bad(exitInput, "there is no raw copy", "raw_retention")
	seed.Exec(`delete from set_aside`)
	b.run("explain", name, mailID(2)).bad(exitInput, "record "+mailID(2)+" is no comment", "it is older than comment_retention")
}
