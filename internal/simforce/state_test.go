package simforce

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func all(t *testing.T, s *Server) map[string][]Row {
	t.Helper()
	out := map[string][]Row{}
	for _, o := range s.Orgs() {
		for _, object := range []string{"User", "Account", "Contact", "Case", "EmailMessage", "Survey_Response__c", "Task", "Organization"} {
			rows, err := s.Records(o.ID, object)
			require.NoError(t, err)
			out[o.Name+object] = rows
		}
	}
	return out
}

func TestStateIsKept(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "deep", "sim.state")
	o := Options{Generate: 30, StateFile: file}
	b := start(t, o)
	require.NoError(t, b.SetKnobs(func(k *Knobs) { k.Rotation = "on" }))
	tok, err := b.Grant(SyncUser)
	require.NoError(t, err)
	next := b.refreshWith(tok.RefreshToken).tokens(t)
	b.clock.add(time.Minute)
	b.WriteNow(25)
	gone := b.ids("SELECT Id FROM Case LIMIT 2")
	require.NoError(t, b.DeleteRecord("", gone[0], false))
	require.NoError(t, b.DeleteRecord("", gone[1], true))
	require.NoError(t, b.SetVisible("", SyncUser, "Case.Type", false))
	require.NoError(t, b.AddObject("", Object{Name: "Note__c", KeyPrefix: "a09", Fields: []*Field{{Name: "Text__c", Type: TypeString}, {Name: "On__c", Type: TypeDate}}}))
	note := b.create("Note__c", Row{"Text__c": "kept <b>\u2028", "On__c": "2026-02-03"})
	want := all(t, b.Server)
	notes, err := b.Records("", "Note__c")
	require.NoError(t, err)
	require.NoError(t, b.Close())

	c := start(t, o)
	require.Equal(t, want, all(t, c.Server))
	kept, err := c.Records("", "Note__c")
	require.NoError(t, err)
	require.Equal(t, notes, kept)
	require.Equal(t, note, kept[0]["Id"])
	c.token = next["access_token"]
	require.Equal(t, http.StatusOK, c.query("SELECT Id FROM Case").status, "sessions outlive a restart")
	require.Equal(t, http.StatusBadRequest, c.query("SELECT Type FROM Case").status, "so does visibility")
	require.NoError(t, c.SetKnobs(func(k *Knobs) { k.Rotation = "on" }))
	third := c.refreshWith(next["refresh_token"]).tokens(t)
	require.Contains(t, c.refreshWith(tok.RefreshToken).oauthError(t), "invalid_grant", "and the memory of used tokens")
	require.Contains(t, c.refreshWith(third["refresh_token"]).oauthError(t), "invalid_grant")
	id := c.create("Case", Row{"Subject": "new"})
	require.NotContains(t, want["AcmeCase"], id)
	for _, r := range want["AcmeCase"] {
		require.NotEqual(t, id, r["Id"])
	}
}

// What a kill leaves is the file as it is on disk: whole lines, perhaps a cut
// one, within a quarter of a second of the truth.
func TestStateAfterKill(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sim.state")
	b := start(t, Options{StateFile: file})
	tok, err := b.Grant(SyncUser)
	require.NoError(t, err)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(raw), tok.RefreshToken, "tokens are written through")
	id := b.create("Case", Row{"Subject": "flushed soon"})
	require.Eventually(t, func() bool {
		raw, err = os.ReadFile(file)
		return err == nil && bytes.Contains(raw, []byte(id))
	}, time.Minute, 20*time.Millisecond)

	killed := filepath.Join(t.TempDir(), "sim.state")
	require.NoError(t, os.WriteFile(killed, append(raw, `{"org":"00D","object":"Ca`...), 0o600))
	c := start(t, Options{StateFile: killed})
	require.Equal(t, []string{id}, c.ids("SELECT Id FROM Case WHERE Subject = 'flushed soon'"))
	c.token = tok.AccessToken
	require.Equal(t, http.StatusOK, c.query("SELECT Id FROM Case").status)

	for want, content := range map[string]string{
		"line 2": `{"version":1}` + "\nnonsense\n", "has version 9": `{"version":9}` + "\n",
		"unknown org": `{"version":1}` + "\n" + `{"org":"x","object":"Case"}` + "\n",
	} {
		bad := filepath.Join(t.TempDir(), "bad.state")
		require.NoError(t, os.WriteFile(bad, []byte(content), 0o600))
		_, err := New(Options{StateFile: bad})
		require.ErrorContains(t, err, want)
	}
}

func TestStateIsRewrittenWhenItHasGrown(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sim.state")
	b := start(t, Options{StateFile: file})
	id := b.create("Case", Row{"Subject": "x"})
	for range 300 {
		_, err := b.UpdateRecord("Case", id, Write{Fields: Row{"Description": strings.Repeat("y", 3000)}})
		require.NoError(t, err)
	}
	b.state.mu.Lock()
	require.NoError(t, b.state.out.Flush())
	b.state.written = compactAt + 1
	b.state.mu.Unlock()
	require.Eventually(t, func() bool {
		info, err := os.Stat(file)
		return err == nil && info.Size() < 200_000
	}, time.Minute, 20*time.Millisecond)
	_, err := b.UpdateRecord("Case", id, Write{Fields: Row{"Subject": "after"}})
	require.NoError(t, err)
	require.NoError(t, b.Close())
	c := start(t, Options{StateFile: file})
	require.Equal(t, "after", c.rows("SELECT Subject FROM Case")[0]["Subject"])
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Generate: 40, Rate: 200, Clock: time.Now, StateFile: filepath.Join(t.TempDir(), "s")})
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { b.Run(ctx) })
	for range 4 {
		group.Go(func() {
			for range 40 {
				if a := b.query("SELECT Id, TextBody, Parent.Subject FROM EmailMessage ORDER BY SystemModstamp DESC LIMIT 20"); a.status != http.StatusOK {
					t.Errorf("query gave %d %s", a.status, a.body)
				}
				_, _ = b.Grant(SyncUser)
				_ = b.SetKnobs(func(k *Knobs) { k.WriterRate++ })
			}
		})
	}
	require.Eventually(t, func() bool { return b.Counters().Kinds["query"] >= 160 }, time.Minute, 10*time.Millisecond)
	cancel()
	group.Wait()
	require.NoError(t, b.Close())
}
