package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/simforce"
)

// TestTextsAreMadeAnew has texts as an older release left them, and makes them anew in the
// worker without asking Salesforce: what is done, and paid for, is what was planned.
func TestTextsAreMadeAnew(t *testing.T) {
	t.Parallel()
	s := newStackWith(t, simforce.Options{Generate: 1200, Seed: 11})
	ledger := &ledger{s: s}
	s.apply("prod", file(s, ""))
	s.connect(name, simforce.SyncUser)
	s.equal(source)
	mails := len(s.expected(nil))
	ledger.is(mails)
	plan := func() (units, changed int) {
		t.Helper()
		var got struct {
			Units   int
			Objects []struct {
				Changed int `json:"text_changed"`
				Raw     int `json:"without_raw"`
				Records int `json:"records"`
			}
		}
		require.NoError(t, json.Unmarshal([]byte(s.starter("retransform", name, "--plan", "--json")), &got))
		require.Len(t, got.Objects, 1)
		require.Zero(t, got.Objects[0].Raw)
		require.Equal(t, mails, got.Objects[0].Records)
		return got.Units, got.Objects[0].Changed
	}
	units, changed := plan()
	require.Zero(t, units+changed, "the same cleaning and the same inputs")

	// Three of four texts are as an older release cleaned them.
	conn, err := pgx.Connect(t.Context(), s.pg.URL())
	require.NoError(t, err)
	defer conn.Close(t.Context())
	// Neither a text nor a bill can be changed like this but by somebody who turns the triggers off.
	_, err = conn.Exec(t.Context(), `set session_replication_role = replica`)
	require.NoError(t, err)
	older, err := conn.Exec(t.Context(), `
		with older as (
			update revisions set cleaning_version = 1, text_hash = sha256(convert_to(comment_id, 'UTF8')), texts = jsonb_set(texts, '{0,body}', '"what an older release left"')
			where comment_id not like '%0' and comment_id not like '%8' returning source_id, comment_id, text_hash
		), billed as (update ledger l set after_hash = o.text_hash from older o where (l.source_id, l.comment_id) = (o.source_id, o.comment_id))
		update comments c set text_hash = o.text_hash from older o where (c.source_id, c.id) = (o.source_id, o.comment_id)`)
	require.NoError(t, err)
	n := int(older.RowsAffected())
	require.Greater(t, n, 600)
	units, changed = plan()
	require.Equal(t, n, units)
	require.Equal(t, n, changed)
	ledger.is(mails)

	s.cli("workflow", "signal", "--workflow-id", "integration/"+name, "--name", "pause")
	s.state("paused")
	s.still()
	asked := s.sim.Counters().Total
	armed := filepath.Join(s.crash, crashpoint.BeforeCommit)
	require.NoError(t, os.WriteFile(armed, nil, 0o644))
	s.starter("retransform", name, "--apply")
	select {
	case <-s.worker.Done():
	case <-time.After(patience):
		require.Fail(t, "the worker did not come to a page")
	}
	s.startWorker()
	s.eventually("the texts are made anew", func() error {
		var got struct {
			Objects []struct {
				Retransform struct {
					State string
					Units int
				}
			}
		}
		if err := json.Unmarshal([]byte(s.starter("status", name, "--json")), &got); err != nil {
			return err
		}
		if r := got.Objects[0].Retransform; r.State != "done" || r.Units != n {
			return fmt.Errorf("%+v", r)
		}
		return nil
	})
	ledger.is(mails + n)
	require.Equal(t, asked, s.sim.Counters().Total, "Salesforce was asked for nothing")
	s.equal(source)
	s.eventually("the workflow has ended", func() error {
		if out := s.cli("workflow", "describe", "--workflow-id", "retransform/"+name, "--output", "json"); !json.Valid([]byte(out)) {
			return errors.New(out)
		}
		return nil
	})

	s.starter("retransform", name, "--apply")
	s.eventually("it is done once more", func() error {
		var done int
		if s.sql(&done, `select count(*) from retransforms where state = 'done'`); done != 2 {
			return fmt.Errorf("%d are done", done)
		}
		return nil
	})
	ledger.is(mails + n)
	units, changed = plan()
	require.Zero(t, units+changed)
	s.cli("workflow", "signal", "--workflow-id", "integration/"+name, "--name", "resume")
	mail := s.rows("EmailMessage")[3]
	s.update("EmailMessage", mail, simforce.Row{"TextBody": "A new text.", "HtmlBody": nil})
	s.equal(source)
	ledger.is(mails + n + 1)
	require.Contains(t, s.starter("explain", name, mail["Id"].(string)), "which gives the stored text")
	require.Empty(t, s.starter("skipped", name))
}
