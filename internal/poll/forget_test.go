package poll_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// forget erases comments and lets their raw copies be removed.
func (b *bench) forget(comments []string, records ...string) store.Forgotten {
	b.Helper()
	done, err := b.db.Forget(b.Context(), b.source, "id", comments, records)
	require.NoError(b, err)
	for more := true; more; {
		more, err = b.db.Erase(b.Context(), b.id, 100)
		require.NoError(b, err)
	}
	return done
}

// aside requires that a record is there for the counts, and that nothing else is.
func (b *bench) aside(id string) {
	b.Helper()
	require.Empty(b, b.holding())
	require.Equal(b, []string{"set_aside false"}, b.seed.Strings(`select state || ' ' || (raw_stream is not null) from records where record_id = $1`, id))
	require.Equal(b, []string{store.ForgottenReason}, b.seed.Strings(`select reason from set_aside where record_id = $1`, id))
	require.Zero(b, b.count(`select count(*) from erasures`))
	_, err := b.db.Comment(b.Context(), b.source, hex.EncodeToString([]byte(id)))
	require.Equal(b, fault.NotFound, fault.KindOf(err))
}

// nothingByBulk reads all mails again as CSV, which must bring nothing back and cost nothing.
func (b *bench) nothingByBulk(units int64) {
	b.Helper()
	require.NoError(b, b.db.RequestBackfill(b.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "by hand"))
	b.flood("EmailMessage", nil)
	traces, err := b.db.Traces(b.Context(), canary)
	require.NoError(b, err)
	require.Empty(b, traces.Found)
	require.Equal(b, units, b.units())
}

// What was forgotten stays so whatever Salesforce still has of it and does with it, at no cost, and is
// counted as a record that is there.
func TestForgottenStaysForgotten(t *testing.T) {
	t.Parallel()
	object := erasedMail
	object.Deleted = config.DeletedTombstone
	b := connected(t, simforce.Options{Generate: 5}, object)
	id := b.marked()
	units := b.units()
	require.Equal(t, store.Forgotten{Comments: 1, Records: 1}, b.forget([]string{hex.EncodeToString([]byte(id))}))
	b.aside(id)
	require.Equal(t, store.Forgotten{}, b.forget([]string{hex.EncodeToString([]byte(id))}), "it may be repeated")
	require.Equal(t, []string{`{"by": "id", "records": 1, "comments": 1}`}, b.seed.Strings(`select details::text from audit_events where type = 'comments.forgotten'`))

	steps := []struct {
		what string
		do   func()
	}{
		{"it is read again", func() {
			require.NoError(t, b.db.RequestResync(t.Context(), b.id, "EmailMessage", time.Time{}, time.Time{}, "by hand"))
		}},
		{"its text changes", func() { b.update("EmailMessage", id, simforce.Row{"TextBody": "third " + canary}) }},
		{"the mapping changes, and what is set aside is tried again", func() {
			b.spec.Objects[0].Properties = append(b.spec.Objects[0].Properties, config.Property{Name: "Copy", Path: "Subject"})
			b.apply()
			b.check()
		}},
		{"the policy changes", func() {
			b.spec.Objects[0].Deleted = config.DeletedKeep
			b.apply()
			b.check()
		}},
	}
	for _, step := range steps {
		b.clock.add(time.Minute)
		step.do()
		b.settle()
		b.aside(id)
		require.Equal(t, units, b.units(), step.what)
	}
	b.clock.add(time.Hour)
	b.settle()
	require.Zero(t, b.count(`select count(*) from rechecks`), "nobody asks for it again and again")
	s, err := b.db.IntegrationStatus(t.Context(), b.spec.Project, b.spec.Integration)
	require.NoError(t, err)
	require.Zero(t, s.ObjectList[0].Missing())
	require.EqualValues(t, 1, s.ObjectList[0].SetAside)

	b.clock.add(time.Minute)
	require.NoError(t, b.sim.DeleteRecord("", id, false))
	b.settle()
	require.Empty(t, b.holding(), "the recycle bin brings it once more")
	require.Equal(t, []string{"erased"}, b.seed.Strings(`select state from records where record_id = $1`, id))
	require.Zero(t, b.count(`select count(*) from set_aside`))
	b.clock.add(time.Minute)
	require.NoError(t, b.sim.UndeleteRecord("", id))
	b.settle()
	b.aside(id)
	require.Equal(t, units, b.units())

	// The integration goes and comes: the source has not forgotten what it is to forget.
	require.NoError(t, b.db.DeleteIntegration(t.Context(), b.id, false))
	b.id = b.apply().IntegrationID
	b.grant()
	b.check()
	b.settle()
	b.aside(id)
	require.Equal(t, units, b.units())
}

// A batch that holds it already when somebody asks to be forgotten brings nothing back, whichever way it was read.
func TestForgettingWaitsForABatchUnderWay(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, config.Object{Object: "EmailMessage", Preset: config.PresetEmail, Deleted: config.DeletedTombstone})
	id := b.marked()
	b.update("EmailMessage", id, simforce.Row{"TextBody": "under way " + canary})
	ref := b.next("EmailMessage")
	_, err := b.svc.Poll(t.Context(), ref)
	require.NoError(t, err)
	_, err = b.batches.Transform(t.Context(), ref)
	require.NoError(t, err)
	units := b.units()
	b.forget([]string{hex.EncodeToString([]byte(id))})
	require.ElementsMatch(t, []string{"raw_chunks", "staged"}, b.holding())
	left, err := b.db.ErasuresLeft(t.Context(), b.source)
	require.NoError(t, err)
	require.EqualValues(t, 1, left)
	_, err = b.db.Upsert(t.Context(), ref)
	require.NoError(t, err)
	b.settle()
	b.aside(id)
	require.Equal(t, units, b.units())

	b.nothingByBulk(units)
}

// An address is found where it stands: as sender or recipient, in texts of others, and in raw copies alone.
func TestFindAnAddress(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{Generate: 3}, erasedMail)
	id := b.marked()
	const address = canary + "@example.com"
	mail := func(text string, more simforce.Row) string {
		row := simforce.Row{"Subject": "Re", "TextBody": text, "FromAddress": "bob@example.net", "ToAddress": "support@acme.example", "Incoming": true}
		for k, v := range more {
			row[k] = v
		}
		return b.create("EmailMessage", simforce.Write{Fields: row})
	}
	cc := mail("Both of you.", simforce.Row{"CcAddress": "ann@example.net; CANARY-7F3A@Example.com"})
	near := mail("Not the same.", simforce.Row{"CcAddress": "x" + address})
	mention := mail("Ask "+address+", please.", nil)
	quoted := mail("Yes.\n\nOn Tue, 1 Sep 2026 at 10:00, Bob <bob@example.net> wrote:\n> ask "+address+"\n", nil)
	b.settle()
	require.NotContains(t, b.comment(quoted).Messages[0].Body.Text, canary)

	hexes := func(ids ...string) (out []string) {
		for _, id := range ids {
			out = append(out, hex.EncodeToString([]byte(id)))
		}
		return out
	}
	found, err := b.db.FindToForget(t.Context(), store.ForgetQuery{SourceID: b.source, Address: address})
	require.NoError(t, err)
	require.ElementsMatch(t, hexes(id, cc), found.Comments)
	require.ElementsMatch(t, hexes(near, mention), found.Mentions, "xcanary… has it, too, as far as letters go")
	require.Equal(t, []store.RecordRef{{Object: "EmailMessage", ID: quoted}}, found.Copies)

	byID, err := b.db.FindToForget(t.Context(), store.ForgetQuery{SourceID: b.source, IDs: append(hexes(id), mention, "nobody", "02sNOBODY000000AAA")})
	require.NoError(t, err)
	require.ElementsMatch(t, hexes(id, mention), byID.Comments)
	require.ElementsMatch(t, []string{"nobody", "02sNOBODY000000AAA"}, byID.Unknown)
	thread, err := b.db.FindToForget(t.Context(), store.ForgetQuery{SourceID: b.source, Thread: b.comment(id).ThreadID})
	require.NoError(t, err)
	require.Equal(t, hexes(id), thread.Comments)

	// A copy that is dropped leaves its comment.
	require.NoError(t, b.db.DropCopies(t.Context(), b.source, "address", found.Copies))
	b.forget(append(found.Comments, found.Mentions...))
	require.Equal(t, "Yes.", b.comment(quoted).Messages[0].Body.Text)
	r, err := b.db.Traces(t.Context(), address)
	require.NoError(t, err)
	require.Empty(t, r.Found)
	require.Greater(t, r.Tables, int64(50))
	require.Positive(t, r.Chunks)
	require.Empty(t, b.holding())
	again, err := b.db.FindToForget(t.Context(), store.ForgetQuery{SourceID: b.source, Address: address})
	require.NoError(t, err)
	require.Empty(t, append(append(again.Comments, again.Mentions...), again.Records...))
	require.Empty(t, again.Copies)
}
