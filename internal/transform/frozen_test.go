package transform_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// without takes paths out of a record, as a query that does not select them would.
func without(t *testing.T, raw []byte, paths []string) []byte {
	t.Helper()
	var all map[string]any
	require.NoError(t, json.Unmarshal(raw, &all))
	for _, path := range paths {
		level, names := all, strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			next, ok := level[name].(map[string]any)
			if !ok {
				level = nil
				break
			}
			level = next
		}
		delete(level, names[len(names)-1])
	}
	out, err := json.Marshal(all)
	require.NoError(t, err)
	return out
}

func finish(t *testing.T, raw []byte, before *comment.Comment) store.StagedRow {
	t.Helper()
	x, err := recipe.Reader().Read(raw)
	require.NoError(t, err)
	if before == nil {
		return recipe.Reader().Finish(x, nil)
	}
	return recipe.Reader().Finish(x, &store.Kept{Comment: *before})
}

// Whatever is hidden, a part of the comment is either what the record says or what it was,
// and what it was exactly when something that decides it could not be read.
func TestHiddenPathsKeepWhatTheyFed(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	version := func(n int) []byte {
		text := func(what string) any {
			if r.IntN(5) == 0 {
				return nil
			}
			return fmt.Sprintf("%s %d", what, n)
		}
		address := func(what string) any {
			if r.IntN(5) == 0 {
				return nil
			}
			return fmt.Sprintf("%s%d@acme.example", what, n)
		}
		fields := map[string]any{"Subject": text("subject"), "TextBody": text("text"), "HtmlBody": text("html"), "FromName": text("name"),
			"FromAddress": address("from"), "ToAddress": address("to"), "CcAddress": address("cc"), "BccAddress": address("bcc"), "ThreadIdentifier": text("thread"),
			"MessageDate": fmt.Sprintf("2026-02-0%dT12:00:00.000+0000", n), "CreatedDate": fmt.Sprintf("2026-01-0%dT12:00:00.000+0000", n), "Incoming": n == 1,
			"Parent": map[string]any{"CaseNumber": text("number"), "Priority": text("priority"), "Age__c": n, "Account": map[string]any{"Name": text("account")},
				"IsClosed": n == 1, "ClosedDate": nil, "Due__c": fmt.Sprintf("2026-03-0%d", n)}}
		if r.IntN(4) == 0 {
			fields["MessageDate"] = nil
		}
		if r.IntN(4) == 0 {
			fields["ParentId"] = nil
		}
		return record(fields)
	}
	paths := mailMapping.Paths()
	kept, waited := 0, 0
	for range 2000 {
		old, now := version(1), version(2)
		before, after := row(t, recipe, old).Comment, row(t, recipe, now).Comment
		var hidden []string
		for range 1 + r.IntN(4) {
			hidden = append(hidden, paths[r.IntN(len(paths))])
		}
		gone := func(paths ...string) bool {
			return slices.ContainsFunc(paths, func(p string) bool { return slices.Contains(hidden, p) })
		}
		has := func(path string) bool {
			var all map[string]any
			require.NoError(t, json.Unmarshal(now, &all))
			return all[path] != nil
		}
		raw := without(t, now, hidden)
		got := finish(t, raw, before)
		require.Empty(t, got.Reason)
		frozenText := gone("Subject", "TextBody", "HtmlBody")
		frozenTime := gone("MessageDate") || !has("MessageDate") && gone("CreatedDate")
		require.Equal(t, frozenText, got.TextKept)
		want := *after
		want.Properties = comment.Properties{}
		pick := func(frozen bool) comment.Comment {
			if frozen {
				return *before
			}
			return *after
		}
		want.Timestamp = pick(frozenTime).Timestamp
		want.ThreadID = pick(gone("ParentId") || !has("ParentId") && gone("ThreadIdentifier")).ThreadID
		m := pick(frozenText).Messages[0]
		m.From = pick(gone("FromName", "FromAddress")).Messages[0].From
		m.To, m.Cc, m.Bcc = pick(gone("ToAddress")).Messages[0].To, pick(gone("CcAddress")).Messages[0].Cc, pick(gone("BccAddress")).Messages[0].Bcc
		m.SentAt = pick(gone("MessageDate")).Messages[0].SentAt
		want.Messages = []comment.Message{m}
		for _, p := range append([]transform.PropertyPath{{Name: transform.PropertyDirection, Path: "Incoming"}}, mailMapping.Properties...) {
			for _, key := range []string{"string:" + p.Name, "number:" + p.Name} {
				if v, ok := pick(gone(p.Path)).Properties[key]; ok {
					want.Properties[key] = v
				}
			}
		}
		require.Equal(t, want, *got.Comment, "hidden %v", hidden)
		kept++

		// A record that is no comment yet waits for its text and its time, and for nothing else.
		fresh := finish(t, raw, nil)
		require.False(t, fresh.TextKept)
		if frozenText || frozenTime {
			waited++
			require.Nil(t, fresh.Comment)
			require.Regexp(t, `^(Subject|TextBody|HtmlBody|MessageDate|CreatedDate) is hidden from the integration user, or gone`, fresh.Reason)
			require.True(t, gone(strings.Fields(fresh.Reason)[0]), fresh.Reason)
			continue
		}
		require.Equal(t, after.Texts(), fresh.Comment.Texts())
		require.Equal(t, after.Timestamp, fresh.Comment.Timestamp)
		if gone("ToAddress") {
			require.Empty(t, fresh.Comment.Messages[0].To)
		}
	}
	require.Greater(t, waited, 200)
	t.Logf("%d records, %d of them wait when they are new", kept, waited)
}

func TestHiddenIsNotNull(t *testing.T) {
	t.Parallel()
	before := row(t, recipe, record(map[string]any{"CcAddress": "cy@acme.example"})).Comment
	raw := record(map[string]any{"CcAddress": nil})
	require.Empty(t, finish(t, raw, before).Comment.Messages[0].Cc, "null is an answer")
	hidden := finish(t, without(t, raw, []string{"CcAddress"}), before)
	require.Equal(t, []string{"cy@acme.example"}, hidden.Comment.Messages[0].Cc)
	require.NotEqual(t, row(t, recipe, raw).RecordDigest, hidden.RecordDigest)
	require.Equal(t, row(t, recipe, raw).TextDigest, hidden.TextDigest)
	// Behind a parent that is null everything is null.
	x, err := recipe.Reader().Read(record(map[string]any{"Parent": nil}))
	require.NoError(t, err)
	require.Empty(t, x.Missing)
	// A delete needs nothing.
	deleted := finish(t, without(t, record(map[string]any{"IsDeleted": true}), []string{"Subject", "MessageDate"}), nil)
	require.True(t, deleted.Deleted)
	require.Empty(t, deleted.Reason)
}

func TestFeeds(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"timestamp", "sent_at"}, mailMapping.Feeds("MessageDate"))
	require.Equal(t, []string{"body"}, mailMapping.Feeds("HtmlBody"))
	require.Equal(t, []string{"property Case Number"}, mailMapping.Feeds("Parent.CaseNumber"))
	require.Empty(t, mailMapping.Feeds("Nonsense__c"))
	require.Empty(t, mailMapping.Feeds(""))
}
