package poll_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
)

// Whatever is hidden and shown while mails and cases change and batches are under way: at
// the end every comment is what Salesforce holds, and no text was billed that did not change.
func TestRandomFlipsOfRights(t *testing.T) {
	t.Parallel()
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 1))
			b := connected(t, simforce.Options{Generate: 15}, mailObject)
			b.settle()
			flips := []string{"EmailMessage.Subject", "EmailMessage.TextBody", "EmailMessage.HtmlBody", "EmailMessage.FromName", "EmailMessage.ToAddress",
				"EmailMessage.BccAddress", "EmailMessage.MessageDate", "EmailMessage.ParentId", "EmailMessage.Incoming", "EmailMessage.Status",
				"EmailMessage.ThreadIdentifier", "EmailMessageRelation", "EmailMessageRelation.RelationAddress", "Case.Priority", "Case.Origin", "Case", "EmailMessage"}
			hidden := map[string]bool{}
			texts := int64(15) // the most that may be billed
			mails := func() []simforce.Row { return b.records("EmailMessage") }
			var open *flow.BatchRef // a batch under way
			finish := func() {
				if open == nil {
					return
				}
				_, err := b.batches.Transform(t.Context(), *open)
				require.NoError(t, err)
				_, err = b.db.Upsert(t.Context(), *open)
				require.NoError(t, err)
				open = nil
			}
			for step := range 60 {
				switch n := r.IntN(10); {
				case n < 3:
					what := flips[r.IntN(len(flips))]
					hidden[what] = !hidden[what]
					require.NoError(t, b.sim.SetVisible("", simforce.SyncUser, what, !hidden[what]))
				case n < 5:
					m := mails()[r.IntN(len(mails()))]
					field := []string{"Subject", "TextBody", "FromName", "BccAddress", "ToAddress"}[r.IntN(5)]
					if m["Incoming"] != true && field == "ToAddress" {
						continue // the relation of the address that it had stays a recipient
					}
					value := fmt.Sprintf("%s-%d@acme.example", field, step)
					b.update("EmailMessage", m["Id"].(string), simforce.Row{field: value})
					if field == "Subject" || field == "TextBody" {
						texts++
					}
				case n < 6:
					c := b.records("Case")[0]
					b.update("Case", c["Id"].(string), simforce.Row{"Priority": fmt.Sprintf("P%d", step)})
				case n < 7:
					b.create("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": fmt.Sprint("new ", step), "TextBody": fmt.Sprint("body ", step),
						"FromAddress": "ann@acme.example", "MessageDate": longAgo.Add(time.Duration(step) * time.Minute), "ParentId": mails()[0]["ParentId"], "Incoming": true, "Status": "1"}})
					texts++
				case n < 8 && open == nil:
					// Begin a batch and leave it under way.
					ref := b.next("EmailMessage")
					if b.object("EmailMessage").State != "ok" {
						continue
					}
					polled, err := b.svc.Poll(t.Context(), ref)
					if fault.Is(err, fault.Config) {
						b.checked() // as the workflow does
					} else {
						require.NoError(t, err)
						if polled.Sealed {
							open = &ref
						}
					}
				default:
					b.clock.add(time.Duration(1+r.IntN(5)) * time.Second)
					if r.IntN(2) == 0 {
						b.schemaDue()
					}
					if r.IntN(3) > 0 {
						finish()
					}
					result := b.look()
					if result.Outcome == flow.OutcomeUnchecked || len(result.Faults) > 0 {
						b.checked()
						continue
					}
					if open != nil {
						continue
					}
					for _, news := range result.News {
						polled, err := b.svc.Poll(t.Context(), news.Batch)
						if fault.Is(err, fault.Config) {
							b.checked()
							break
						}
						require.NoError(t, err)
						if polled.Sealed {
							b.finish(news.Batch)
						}
					}
				}
			}
			for what, is := range hidden {
				if is {
					require.NoError(t, b.sim.SetVisible("", simforce.SyncUser, what, true))
				}
			}
			b.clock.add(3 * time.Second)
			finish()
			b.schemaDue()
			b.look()
			b.check()
			b.settle()
			b.same()
			require.LessOrEqual(t, b.units(), texts)
			require.Empty(t, b.alerts())
			require.Empty(t, b.plan("EmailMessage").Frozen)
			require.Empty(t, b.seed.Strings(`select record_id || ' ' || reason from set_aside`))
			t.Logf("%d units, at most %d", b.units(), texts)
		})
	}
}
