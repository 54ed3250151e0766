package api

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/store"
)

const changesPath = "/api/v1/sources/support%2Femails/changes"

// changed reads a page behind after and gives the changes as "id" or "-id", and where to go on.
func (b *bench) changed(after, who, more string) (list []string, next string, body map[string]any) {
	b.t.Helper()
	body = b.get(changesPath+"?after="+url.QueryEscape(after)+more, who)
	for _, item := range body["changes"].([]any) {
		change := item.(map[string]any)
		id := change["id"].(string)
		if change["deleted"] == true {
			require.Len(b.t, change, 3, "of what is gone there is its id and its end")
			require.NotEmpty(b.t, change["deleted_at"])
			id = "-" + id
		}
		list = append(list, id)
	}
	return list, body["after"].(string), body
}

func TestChanges(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	list, start, body := b.changed("", "reader", "")
	require.Empty(t, list)
	require.NotEmpty(t, start, "an empty source can be followed, too")
	require.Equal(t, false, body["more"])

	b.seed.Exec(`update sources set sensitive_properties = '{Secret}' where id = $1`, b.source)
	b.seed.Comment(b.source, comment.Comment{ID: "a", Timestamp: noon, Messages: []comment.Message{{Body: comment.Text{Text: "hello"}}},
		Properties: comment.Properties{"string:Secret": "x", "number:Open": 1.0}})
	b.seed.Mail(b.source, "b", noon, "s", "b")
	b.seed.Mail(b.source, "c", noon, "s", "c")
	var next string
	require.Eventually(t, func() bool { list, next, body = b.changed(start, "reader", "&limit=2"); return len(list) == 2 }, time.Minute, time.Millisecond)
	require.Equal(t, []string{"a", "b"}, list)
	require.Equal(t, true, body["more"])
	first := body["changes"].([]any)[0].(map[string]any)
	require.Equal(t, map[string]any{"number:Open": 1.0}, first["user_properties"], "what is sensitive is hidden like in lists")
	require.Equal(t, b.get("/api/v1/sources/support/emails/comments/a", "reader")["comment"], first)
	require.Eventually(t, func() bool { list, _, body = b.changed("", "sensitive", ""); return len(list) == 3 }, time.Minute, time.Millisecond)
	require.Contains(t, body["changes"].([]any)[0].(map[string]any)["user_properties"], "string:Secret")

	list, next, _ = b.changed(next, "reader", "")
	require.Equal(t, []string{"c"}, list)
	b.seed.Exec(`update comments set deleted_at = now(), changed = pg_current_xact_id() where id = 'a'`)
	require.Eventually(t, func() bool { list, _, _ = b.changed(next, "reader", ""); return len(list) == 1 }, time.Minute, time.Millisecond)
	require.Equal(t, []string{"-a"}, list)
	list, _, _ = b.changed(start, "reader", "")
	require.Equal(t, []string{"b", "c", "-a"}, list, "each once, in its latest state and place")

	two := b.get("/api/v1/sources/support/emails/changes", "reader")
	require.Len(t, two["changes"], 3, "as two segments, too")
}

func TestChangesRefuseForeignPlaces(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	_, after, _ := b.changed("", "reader", "")
	sales := b.get("/api/v1/sources/sales/calls/changes", "elsewhere")["after"].(string)
	for query, says := range map[string]string{
		"?after=" + sales: "after is not a place",
		"?after=no":       "after is not a place",
		"?limit=257":      "limit is",
		"?wait=31":        "wait is",
		"?wait=soon":      "wait is",
	} {
		a := b.do(http.MethodGet, changesPath+query, "reader", "")
		require.Equal(t, http.StatusBadRequest, a.status, query)
		require.Contains(t, a.body["message"], says)
	}
	foreign := writePlace(b.source, store.Changes{Where: "1.00000001.5", Next: store.Place{Transaction: 800, ID: "a"}})
	a := b.do(http.MethodGet, changesPath+"?after="+foreign, "reader", "")
	require.Equal(t, http.StatusConflict, a.status)
	require.Contains(t, a.body["message"], "begin again without one")
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, changesPath+"?after="+after, "reader", "").status)
	require.Equal(t, http.StatusForbidden, b.do(http.MethodGet, changesPath, "editor", "").status)
}

func TestChangesCanBeWaitedFor(t *testing.T) {
	t.Parallel()
	listener := store.NewListener()
	b := setup(t, Options{Listener: listener})
	go listener.Run(t.Context(), b.db)
	_, after, _ := b.changed("", "reader", "")
	begun := time.Now()
	list, _, _ := b.changed(after, "reader", "&wait=1")
	require.Empty(t, list)
	require.GreaterOrEqual(t, time.Since(begun), time.Second, "nobody is told in vain")

	var writing sync.WaitGroup
	writing.Go(func() {
		b.seed.Mail(b.source, "a", noon, "s", "a")
		b.seed.Exec(`select pg_notify('comments_changed', $1)`, b.source)
	})
	begun = time.Now()
	list, _, _ = b.changed(after, "reader", "&wait=30")
	writing.Wait()
	require.Equal(t, []string{"a"}, list)
	require.Less(t, time.Since(begun), 25*time.Second)
}
