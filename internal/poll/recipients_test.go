package poll_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/config"
	"salesforcesync/internal/simforce"
)

// relate adds a relation to a mail.
func (b *bench) relate(mail, typ, address string) string {
	b.Helper()
	return b.create("EmailMessageRelation", simforce.Write{Fields: simforce.Row{"EmailMessageId": mail, "RelationType": typ, "RelationAddress": address}})
}

func (b *bench) message(id string) comment.Message {
	b.Helper()
	return b.comment(id).Messages[0]
}

func TestRecipientsOfSentMail(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailObject)
	sent := b.create("EmailMessage", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"TextBody": "x", "Incoming": false, "FromAddress": "desk@acme.example",
		"ToAddress": "Who <who@b.example>; zoe@c.example", "CcAddress": "lena@acme.example"}})
	for _, r := range [][2]string{{"ToAddress", "ann@a.example"}, {"ToAddress", "WHO@b.example"}, {"ToAddress", "bob@a.example"}, {"ToAddress", "Ann@A.example"},
		{"CcAddress", "LENA@acme.example"}, {"CcAddress", "max@acme.example"}, {"BccAddress", "eve@acme.example"}, {"FromAddress", "desk@acme.example"}, {"OtherAddress", "other@b.example"}} {
		b.relate(sent, r[0], r[1])
	}
	received := b.create("EmailMessage", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"TextBody": "y", "Incoming": true, "ToAddress": "desk@acme.example"}})
	require.EqualValues(t, 2, b.settle().Created)
	m := b.message(sent)
	require.Equal(t, []string{"Who <who@b.example>", "zoe@c.example", "ann@a.example", "bob@a.example"}, m.To)
	require.Equal(t, []string{"lena@acme.example", "max@acme.example"}, m.Cc)
	require.Equal(t, []string{"eve@acme.example"}, m.Bcc)
	require.Equal(t, []string{"desk@acme.example"}, b.message(received).To)
	require.EqualValues(t, 2, b.units())
	require.Zero(t, b.settle().Rows)
}

// The same org, told once with all addresses in the mails and once with those of contacts
// in relations, gives the same comments.
func TestRecipientsAreTheSameWhereverTheyAre(t *testing.T) {
	t.Parallel()
	var comments [2]map[string]comment.Comment
	for i, matched := range []bool{false, true} {
		b := connected(t, simforce.Options{Generate: 300, Seed: 7, MatchRecipients: matched}, mailObject)
		b.sim.ResetCounters()
		require.EqualValues(t, 300, b.settle().Created)
		t.Logf("matched %v: %v", matched, b.sim.Counters().Kinds)
		comments[i] = b.comments()
		for _, c := range comments[i] {
			require.Contains(t, c.Properties["string:Record URL"], b.url)
			delete(c.Properties, "string:Record URL") // each org has an address of its own
		}
	}
	require.Equal(t, comments[0], comments[1])
}

// scan makes the next scan of the tails due, as a minute does.
func (b *bench) scan() {
	b.Helper()
	b.seed.Exec(`update streams set verify_after = now()`)
}

func TestChangedRelationsReachTheirMail(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailObject)
	id := b.create("EmailMessage", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"TextBody": "x", "Incoming": false, "ToAddress": "zoe@c.example"}})
	other := b.create("EmailMessage", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"TextBody": "x", "Incoming": false}})
	b.settle()
	b.clock.add(time.Minute)

	one := b.relate(id, "ToAddress", "ann@a.example")
	b.scan()
	counts := b.settle()
	require.EqualValues(t, 1, counts.MetadataChanged)
	require.Equal(t, []string{"zoe@c.example", "ann@a.example"}, b.message(id).To)
	require.Empty(t, b.message(other).To)

	b.clock.add(time.Minute)
	require.NoError(t, b.sim.DeleteRecord("", one, false))
	b.scan()
	b.settle()
	require.Equal(t, []string{"zoe@c.example"}, b.message(id).To)

	// It becomes visible behind the cursor over relations.
	tx, err := b.sim.Begin("")
	require.NoError(t, err)
	_, err = tx.CreateRecord("EmailMessageRelation", simforce.Write{Fields: simforce.Row{
		"EmailMessageId": id, "RelationType": "CcAddress", "RelationAddress": "late@a.example"}})
	require.NoError(t, err)
	b.clock.add(10 * time.Second)
	b.relate(other, "ToAddress", "ann@a.example")
	b.scan()
	b.settle()
	require.NoError(t, tx.Commit())
	b.clock.add(time.Minute)
	b.scan()
	b.settle()
	require.Equal(t, []string{"late@a.example"}, b.message(id).Cc)
	require.Equal(t, []string{"ann@a.example"}, b.message(other).To)
	require.EqualValues(t, 2, b.units(), "recipients are metadata")
}

// More mails than fit into one query, more relations than fit on one page.
func TestRecipientsOfManyMails(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailObject)
	require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.PageMax = 200 }))
	var ids []string
	for i := range 260 {
		id := b.create("EmailMessage", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"TextBody": "x", "Incoming": false}})
		b.relate(id, "ToAddress", fmt.Sprintf("to%d@a.example", i))
		b.relate(id, "BccAddress", fmt.Sprintf("bcc%d@a.example", i))
		ids = append(ids, id)
	}
	for i := range 400 {
		b.relate(ids[77], "CcAddress", fmt.Sprintf("cc%d@a.example", i))
	}
	require.NoError(t, b.sim.FailNext(simforce.Fault{Class: "operation_too_large", Contains: "FROM EmailMessageRelation WHERE EmailMessageId", Times: 3}))
	b.settle()
	require.Empty(t, b.sim.Faults(), "too many at once were asked for in halves")
	for i, id := range ids {
		m := b.message(id)
		require.Equal(t, []string{fmt.Sprintf("to%d@a.example", i)}, m.To)
		require.Equal(t, []string{fmt.Sprintf("bcc%d@a.example", i)}, m.Bcc)
	}
	require.Len(t, b.message(ids[77]).Cc, 400)
	require.EqualValues(t, 260, b.units())
}

func TestRelationsThatAreHidden(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"EmailMessageRelation", "EmailMessageRelation.RelationAddress"} {
		b := start(t, simforce.Options{Generate: 30, MatchRecipients: true}, mailObject)
		b.grant()
		b.hide(what)
		b.check()
		p := b.plan("EmailMessage")
		require.Equal(t, []string{"EmailMessageRelation"}, p.Left)
		require.Len(t, p.Notes, 1)
		require.Nil(t, p.Recipients)
		require.Len(t, p.Dependencies, 2, "the case and its account")
		b.settle()
		require.Len(t, b.comments(), 30)
	}
}

// Parts that the file reads from a field of its own are left to it, and what hidden
// fields would say is not told in another way.
func TestRelationsOfThePartsThatThePresetReads(t *testing.T) {
	t.Parallel()
	mail := mailObject
	mail.Fields = config.FieldMap{"to": "Subject"}
	b := start(t, simforce.Options{}, mail)
	b.grant()
	b.hide("EmailMessage.BccAddress")
	b.check()
	require.Equal(t, []string{"CcAddress"}, b.plan("EmailMessage").Recipients.Types)
	id := b.create("EmailMessage", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"TextBody": "x", "Incoming": false, "Subject": "zoe@c.example"}})
	for _, typ := range []string{"ToAddress", "CcAddress", "BccAddress"} {
		b.relate(id, typ, strings.ToLower(typ)+"@a.example")
	}
	b.settle()
	m := b.message(id)
	require.Equal(t, [][]string{{"zoe@c.example"}, {"ccaddress@a.example"}, nil}, [][]string{m.To, m.Cc, slices.Clip(m.Bcc)})
}

// What relations gave stays while they are hidden, whatever else changes about the mail, and
// is read again when they can be seen.
func TestRecipientsStayWhileRelationsAreHidden(t *testing.T) {
	t.Parallel()
	b := connected(t, simforce.Options{}, mailObject)
	caseID := b.create("Case", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"Priority": "Low"}})
	mail := func() string {
		return b.create("EmailMessage", simforce.Write{Stamp: longAgo, Fields: simforce.Row{"ParentId": caseID, "TextBody": "x", "Incoming": false, "ToAddress": "zoe@c.example"}})
	}
	id := mail()
	b.relate(id, "ToAddress", "ann@a.example")
	b.settle()
	require.Equal(t, []string{"zoe@c.example", "ann@a.example"}, b.message(id).To)

	b.hide("EmailMessageRelation")
	b.check()
	b.clock.add(time.Minute)
	b.update("Case", caseID, simforce.Row{"Priority": "High"})
	fresh := b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"TextBody": "y", "Incoming": false, "ToAddress": "new@c.example"}})
	b.relate(id, "ToAddress", "bob@a.example")
	b.relate(fresh, "CcAddress", "ann@a.example")
	b.scan()
	b.settle()
	require.Equal(t, "High", b.comment(id).Properties["string:Case Priority"])
	require.Equal(t, []string{"zoe@c.example", "ann@a.example"}, b.message(id).To)
	require.Equal(t, []string{"new@c.example"}, b.message(fresh).To)

	require.NoError(t, b.sim.SetVisible("", simforce.SyncUser, "EmailMessageRelation", true))
	b.clock.add(time.Hour)
	b.check()
	b.settle()
	require.Equal(t, []string{"zoe@c.example", "ann@a.example", "bob@a.example"}, b.message(id).To)
	require.Equal(t, []string{"ann@a.example"}, b.message(fresh).Cc)
	require.EqualValues(t, 2, b.units())
}
