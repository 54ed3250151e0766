package poll_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
)

// through syncs with Salesforce whatever it answers, like a workflow that tries again and
// again, for a number of rounds. It counts what failed.
func (b *bench) through(rounds int, failures map[fault.Kind]int) {
	b.Helper()
	for range rounds {
		result, err := b.svc.Watch(b.Context(), flow.WatchParams{Project: "support", Integration: "prod", Once: true})
		switch {
		case err != nil:
			failures[fault.KindOf(err)]++
		case result.Outcome == flow.OutcomeUnchecked:
			if _, err := b.svc.Check(b.Context(), flow.CheckParams{Project: "support", Integration: "prod"}); err != nil {
				failures[fault.KindOf(err)]++
			}
		}
		for _, f := range result.Faults {
			failures[fault.Kind(f.Kind)]++
		}
		for _, news := range result.News {
			polled, err := b.svc.Poll(b.Context(), news.Batch)
			if err != nil {
				failures[fault.KindOf(err)]++
				continue
			}
			if polled.Sealed {
				b.finish(news.Batch)
			}
		}
		b.clock.add(3 * time.Second)
		b.seed.Exec(`update rechecks set not_before = now() where not_before > now()`)
	}
}

// Every answer in five is damaged, refused or lost on its way, those of the token endpoint
// too. In the end everything is there as Salesforce has it, and was billed once.
func TestSyncWhateverSalesforceAnswers(t *testing.T) {
	t.Parallel()
	struck := map[string]bool{}
	for seed := range uint64(3) {
		b := connected(t, simforce.Options{Generate: 120}, mailObject)
		require.NoError(t, b.sim.SetKnobs(func(k *simforce.Knobs) { k.Rotation, k.SessionTTLSeconds = []string{"off", "on", "echo"}[seed], 2 }))
		b.load(700, longAgo)
		b.svc.BatchBytes = 64 << 10
		// An answer of the token endpoint that is lost with rotation on is the one thing that needs a person.
		var classes []string
		for _, c := range simforce.FaultClasses() {
			if !c.Lasting && !c.Heavy && c.Name != "token_no_answer" {
				classes = append(classes, c.Name)
			}
		}
		require.NoError(t, b.sim.SetChaos(simforce.Chaos{Rate: 0.2, Seed: seed, Classes: classes}))
		failures := map[fault.Kind]int{}
		b.through(60, failures)
		for i, m := range b.records("EmailMessage")[:20] {
			b.update("EmailMessage", text(m, "Id"), simforce.Row{"HtmlBody": nil, "TextBody": "grüßt zum zweiten Mal"})
			if i%5 == 0 {
				b.through(2, failures)
			}
		}
		b.through(40, failures)
		given := b.sim.Counters().Faults
		require.NoError(t, b.sim.SetChaos(simforce.Chaos{}))
		b.settle()
		b.same()
		require.EqualValues(t, 840, b.units(), "820 mails and 20 texts that changed")
		for kind := range failures { // Permission: OPERATION_TOO_LARGE of what cannot be asked in parts
			require.Contains(t, []fault.Kind{fault.Transient, fault.RateLimited, fault.Permission}, kind)
		}
		t.Logf("seed %d: given %v, failed %v", seed, given, failures)
		for class := range given {
			struck[class] = true
		}
	}
	require.GreaterOrEqual(t, len(struck), 20, "%v", slices.Sorted(maps.Keys(struck)))
}
