package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/devstack"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// planted is an address that must be nowhere in the end.
const planted = "ann.planted@example.com"

// plantedMail is a comment from and to somebody.
func plantedMail(id, from, to, body string) store.CommentWrite {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return store.CommentWrite{Comment: comment.Comment{ID: id, Timestamp: at, ThreadID: "aa",
		Messages:   []comment.Message{{Body: comment.Text{Text: body}, Subject: &comment.Text{Text: "S"}, From: from, To: []string{to}, SentAt: &at}},
		Properties: comment.Properties{"string:Kind": "mail"}}}
}

func TestErase(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	var sources []store.Source
	_, _, err := b.db.EnsureProject(ctx, "support")
	require.NoError(t, err)
	for _, name := range []string{"one", "two"} {
		source, err := b.db.CreateSource(ctx, "support", name, store.SourceFields{})
		require.NoError(t, err)
		sources = append(sources, *source)
	}
	write := func(source int, comments ...store.CommentWrite) {
		_, err := b.db.SyncComments(ctx, store.CommentBatch{SourceID: sources[source].ID, Comments: comments})
		require.NoError(t, err)
	}
	write(0, plantedMail("a1", "Ann <Ann.Planted@example.com>", "support@acme.example", "Hello"), plantedMail("a2", "bob@example.net", "carl@example.net", "Ask "+planted+"."),
		plantedMail("a3", "bob@example.net", "carl@example.net", "Nothing of anybody."))
	write(0, plantedMail("a1", "Ann <Ann.Planted@example.com>", "support@acme.example", "Hello again, "+planted))
	write(1, plantedMail("b1", "bob@example.net", planted, "Hello"))
	require.True(t, dumped(t, b, planted))

	before := b.audited(t)
	plan := b.run("erase", "--email", "ANN.planted@example.com").good()
	require.Equal(t, "support/one\n       1  comments to erase\n       1  more comments name the address; --mentions erases them, too\nsupport/two\n       1  comments to erase\n", plan.out)
	require.Contains(t, plan.talk, "nothing is changed yet")
	require.Equal(t, before, b.audited(t), "a plan changes nothing")
	require.True(t, dumped(t, b, planted))

	// A worker of the release before would bring it back; psql would not, whatever it is called.
	end := storetest.Connect(t, b.env["DATABASE_URL"], "worker")
	storetest.Connect(t, b.env["DATABASE_URL"], "psql of a worker")
	b.run("erase", "--email", planted, "--mentions", "--apply").bad(exitInput, "would bring back what is erased: worker at 127.0.0.1\n", "stop it, or replace it by this release's")
	require.Equal(t, before, b.audited(t))
	require.True(t, dumped(t, b, planted))
	end()

	// What only names the address is kept unless it is asked for, and said.
	r := b.run("erase", "support/one", "--email", planted, "--apply")
	require.Equal(t, exitInput, r.code, "the other source has it still")
	require.Contains(t, r.talk, "still there: 1 rows of revisions: further comments, see --mentions")
	require.Contains(t, r.talk, "next: repeat it with --mentions, if comments that only name the address are to go, too, and without a source for all of them")
	require.Contains(t, b.run("erase", "support/one", "--email", planted).good().out, "support/one\n       1  more comments name")

	done := b.run("erase", "--email", planted, "--mentions", "--apply").good()
	require.Contains(t, done.out, "1  more comments that named the address are erased")
	require.Regexp(t, `looked through \d+ tables and 0 raw copies: the address is nowhere`, done.talk)
	require.False(t, dumped(t, b, planted))
	require.True(t, dumped(t, b, "Nothing of anybody."), "the others stay")
	left, err := b.db.CountComments(ctx, sources[0].ID, nil, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, left)

	// The bill stays, and the log names nobody.
	require.Contains(t, b.run("usage").good().out, "5")
	events := b.run("audit").good().out
	require.Contains(t, events, store.EventCommentsForgotten)
	require.Contains(t, events, `"by": "address"`)

	var again erasure
	b.run("erase", "--email", planted, "--json").json(&again)
	require.Equal(t, erasure{Sources: []erasureSource{}}, again)

	b.run("erase", "support/one", "--id", "a3", "--apply").good()
	require.False(t, dumped(t, b, "Nothing of anybody."))
	b.run("erase", "support/one", "--id", "nothing").bad(exitInput, "support/one has no comment or record nothing")
	b.run("erase", "support/three", "--id", "a3").bad(exitInput, "there is no source support/three")
	b.run("erase", "--id", "a3").bad(exitInput, "are of one PROJECT/SOURCE")
	b.run("erase", "--email", "ann").bad(exitInput, `"ann" is no address`)
	b.run("erase", "support/one").bad(exitInput, "one of --id, --email and --thread must be given")
	b.run("erase", "support/one", "--thread", "aa", "--mentions").bad(exitInput, "--mentions goes with --email")
	require.Contains(t, b.run("erase", "support/one", "--thread", "aa").good().talk, "no source has anything of it")
}

// dumped tells whether the database, as pg_dump writes it, has a text in any case of letters.
func dumped(t *testing.T, b *bench, text string) bool {
	t.Helper()
	tools, err := devstack.Here()
	require.NoError(t, err)
	installs := tools.FindPostgres(t.Context())
	require.NotEmpty(t, installs)
	out, err := installs[0].Dump(t.Context(), b.env["DATABASE_URL"])
	require.NoError(t, err)
	require.True(t, strings.Contains(out, "PostgreSQL database dump complete"), "it is whole")
	return strings.Contains(strings.ToLower(out), strings.ToLower(text))
}

func (b *bench) audited(t *testing.T) string {
	t.Helper()
	return b.run("audit").good().out
}
