package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
)

// floodRows are enough for the product to take the Bulk API by itself.
const floodRows = 16_000

// TestFlood is a first load of many mails through the shipped programs: the worker is
// killed five times on the way, mail is written and changed meanwhile, and nothing is
// missing, billed twice, or fetched again that was finished.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := newStackWith(t, simforce.Options{Big: floodRows, Generate: 20, Seed: 11})
	ledger := &ledger{s: s}
	s.apply("prod", file(s, ""))
	s.connect(name, simforce.SyncUser)
	ids := s.rows("EmailMessage")

	finished := map[string]int{} // pages that were sealed when the worker died, and how often they had been asked for
	units := floodRows + 20
	r := rand.New(rand.NewPCG(5, 5))
	for i, point := range []string{crashpoint.JobAsked, crashpoint.JobMade, crashpoint.BatchStaged, crashpoint.BeforeCommit, crashpoint.AfterCommit} {
		require.NoError(t, os.WriteFile(filepath.Join(s.crash, point), nil, 0o644))
		select {
		case <-s.worker.Done():
		case <-time.After(patience):
			require.Fail(t, "the worker did not come to "+point, "%s", s.worker.Tail(30))
		}
		for _, page := range s.sealedPages() {
			if _, known := finished[page]; !known {
				finished[page] = s.sim.Counters().Pages[page].Asked
			}
		}
		t.Logf("killed at %s with %d pages done", point, len(finished))
		// The org goes on while nobody looks.
		row := ids[(i*4099+r.IntN(1000))%len(ids)]
		s.update("EmailMessage", row, simforce.Row{"TextBody": fmt.Sprintf("Changed when the worker was dead for the %d. time.", i+1), "HtmlBody": nil})
		_, err := s.sim.CreateRecord("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": "new", "TextBody": "Written during the load.", "Incoming": true,
			"FromAddress": "ann@example.com", "ToAddress": "support@acme.example", "MessageDate": time.Now().UTC().Truncate(time.Second)}})
		require.NoError(t, err)
		units++
		s.startWorker()
	}
	var load struct {
		Objects []struct {
			Object     string
			VerifiedTo *time.Time `json:"verified_to"`
			Backfill   *struct {
				State string
				First bool
			}
		}
	}
	s.eventually("the first load is done", func() error {
		if err := s.get("/api/v1/integrations/"+name, &load); err != nil {
			return err
		}
		if len(load.Objects) != 1 || load.Objects[0].Backfill == nil {
			return fmt.Errorf("there is no load: %+v", load)
		}
		if state := load.Objects[0].Backfill.State; state != "done" {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
	s.equal(source)
	// A change may have reached a mail before its page, or after: then its text was there already.
	var billed, comments, texts int
	s.sql(&billed, `select count(*) from ledger`)
	s.sql(&comments, `select count(*) from comments`)
	s.sql(&texts, `select count(*) from revisions`)
	require.Equal(t, texts, billed, "one unit for each text there ever was")
	require.Equal(t, units, comments)
	require.LessOrEqual(t, billed, units+5, "the five changes at the most")
	ledger.exact()

	require.NotEmpty(t, finished)
	for page, asked := range finished {
		require.Equal(t, asked, s.sim.Counters().Pages[page].Asked, "page %q was finished when the worker died, and is asked for again", page)
	}
	s.eventually("no job is left at Salesforce", func() error {
		var jobs int
		if s.sql(&jobs, `select count(*) from bulk_jobs`); jobs > 0 {
			return fmt.Errorf("%d jobs", jobs)
		}
		return nil
	})
	require.Equal(t, s.sim.Counters().Kinds["bulk_create"], s.sim.Counters().Kinds["bulk_delete"], "each job that was made is deleted, those with lost answers too")

	t.Run("read again it costs nothing", func(t *testing.T) {
		s.state(flow.StateIdle)
		s.starter("backfill", name, "--object", "EmailMessage")
		s.eventually("it is read again", func() error {
			var again int
			if s.sql(&again, `select count(*) from backfills where state = 'done' and not first`); again == 0 {
				return fmt.Errorf("not yet")
			}
			return nil
		})
		s.equal(source)
		ledger.is(billed)
	})
}

// sealedPages are the pages of bulk results that are staged or applied, named like the
// simulator counts them.
func (s *stack) sealedPages() (pages []string) {
	s.sql(&pages, `
		select coalesce(array_agg(p.job_id || ' ' || coalesce(before.next_locator, '') || ' ' || p.page_rows), '{}')
		from backfill_parts p
		join batches b on b.stream_id = p.stream_id and b.seq > p.chain_seq and b.state <> 'reading'
		left join batches before on before.stream_id = b.stream_id and before.seq = b.seq - 1 and before.seq > p.chain_seq
		where p.api = 'bulk' and p.job_id is not null`)
	return pages
}
