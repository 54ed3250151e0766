package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
)

// A release is rolled out under load: the database is migrated while the programs of the release
// before run, old and new ones work side by side, the old ones are stopped. Nothing is missing,
// nothing is billed twice, no workflow trips over the other's code.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	var old, current string
	var older bool
	s := newStackWith(t, simforce.Options{Generate: 60, Seed: 11}, func(s *stack) {
		s.built = func(s *stack) {
			old, current = filepath.Join(s.dir, "old"), s.bin
			older = s.buildBefore(old)
			s.bin = old
		}
	})
	ledger := &ledger{s: s}
	s.apply("prod", file(s, ""))
	s.connect(name, simforce.SyncUser)
	s.equal(source)
	units := len(s.expected(nil))
	ledger.is(units)
	edited := s.rows("EmailMessage")

	// New mail all the while: one unit each.
	ctx, stop := context.WithCancel(t.Context())
	var written atomic.Int64
	writing := make(chan error, 1)
	go func() {
		for {
			_, err := s.sim.CreateRecord("EmailMessage", simforce.Write{Fields: simforce.Row{
				"Subject": "Meanwhile", "TextBody": fmt.Sprintf("Written while a release is rolled out, number %d.", written.Load()), "FromAddress": "a@example.com",
				"ToAddress": "support@acme.example", "Incoming": true, "Status": "0", "MessageDate": time.Now().UTC().Truncate(time.Second)}})
			if err != nil {
				writing <- err
				return
			}
			written.Add(1)
			select {
			case <-ctx.Done():
				writing <- nil
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	more := func(who string) { // is stored, of what is written from now on; and texts change meanwhile
		t.Helper()
		const n = 5
		for _, mail := range edited[:n] {
			s.update("EmailMessage", mail, simforce.Row{"HtmlBody": nil, "TextBody": "Changed while " + who + " ran: " + mail["Id"].(string)})
		}
		edited = edited[n:]
		units += n
		through := int(written.Load()) + 20
		s.eventually(who+" stores what is written", func() error {
			var have int
			s.sql(&have, `select count(*) from comments where source_id = (select id from sources where name = 'salesforce-emails')`)
			if have < 60+through {
				return fmt.Errorf("%d comments", have)
			}
			return nil
		})
	}
	more("the release before")
	before, door := s.worker, s.authsvc
	s.bin = current
	s.starter("setup")
	more("the release before, on the migrated database,")
	if older {
		_, talk, code := s.tryStarter("erase", source, "--id", edited[0]["Id"].(string), "--apply")
		require.NotZero(t, code, "the old worker would bring it back")
		require.Contains(t, talk, "would bring back what is erased: worker at ")
	}
	s.startWorker()
	more("old and new together")
	s.eventually("the new worker does its part", func() error {
		pid := strconv.Itoa(s.worker.PID()) + "@"
		for _, event := range s.history(flow.WorkflowID("support", "salesforce-prod")) {
			if strings.HasPrefix(event.GetActivityTaskStartedEventAttributes().GetIdentity(), pid) ||
				strings.HasPrefix(event.GetWorkflowTaskStartedEventAttributes().GetIdentity(), pid) {
				return nil
			}
		}
		return errors.New("it has not done anything")
	})
	require.NoError(t, door.Stop(), "the old authsvc ends by itself")
	s.startAuthsvc()
	require.NoError(t, before.Stop(), "the old worker ends by itself, with work in hand")
	more("the new release")
	stop()
	require.NoError(t, <-writing)

	s.equal(source)
	ledger.is(units + int(written.Load()))
	require.Greater(t, int(written.Load()), 80)
	t.Logf("measured: %d mails written and 20 texts changed while a release was rolled out: all there, %d AI units", written.Load(), units+int(written.Load()))
	for _, event := range s.history(flow.WorkflowID("support", "salesforce-prod")) {
		if failed := event.GetWorkflowTaskFailedEventAttributes(); failed != nil {
			require.NotEqual(t, enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR, failed.GetCause(), failed.GetFailure().GetMessage())
		}
	}
}

// history reads the events of a workflow's present run.
func (s *stack) history(id string) (events []*historypb.HistoryEvent) {
	s.t.Helper()
	for more := s.client.GetWorkflowHistory(s.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); more.HasNext(); {
		event, err := more.Next()
		require.NoError(s.t, err)
		events = append(events, event)
	}
	return events
}

// buildBefore builds the programs of the commit that testdata/before names: what runs where this is
// rolled out to. Where its sources cannot be had, as in a copy without history, they are those of today, and not older.
func (s *stack) buildBefore(into string) (older bool) {
	s.t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(s.t, err)
	text, err := os.ReadFile(filepath.Join("testdata", "before"))
	require.NoError(s.t, err)
	commit := strings.TrimSpace(string(text))
	archive := filepath.Join(s.dir, "before.tar")
	cmd := exec.CommandContext(s.t.Context(), "git", "-c", "safe.directory="+root, "archive", "-o", archive, commit)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Logf("measured: the release before is not in this copy (%s): today's programs stand for it", strings.TrimSpace(string(out)))
	} else {
		older, root = true, filepath.Join(s.dir, "before")
		require.NoError(s.t, os.MkdirAll(root, 0o755))
		out, err := exec.CommandContext(s.t.Context(), "tar", "-x", "-f", archive, "-C", root).CombinedOutput()
		require.NoError(s.t, err, "%s", out)
	}
	cmd = exec.CommandContext(s.t.Context(), "go", "build", "-buildvcs=false", "-o", into+"/", "./worker", "./starter", "./authsvc")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "%s", out)
	return older
}
