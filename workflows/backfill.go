package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// Backfill carries out one large load: it asks for pages that can be read, and reads them.
func Backfill(ctx workflow.Context, p flow.BackfillParams) error {
	act := func(ctx workflow.Context, hb time.Duration) workflow.Context {
		return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{TaskQueue: flow.QueueBackfill, StartToCloseTimeout: 15 * time.Minute, HeartbeatTimeout: hb, RetryPolicy: retryBriefly})
	}
	busy := map[int64]bool{}
	for {
		full := workflow.GetInfo(ctx).GetContinueAsNewSuggested()
		if full {
			if err := workflow.Await(ctx, func() bool { return len(busy) == 0 }); err != nil {
				return err
			}
			return workflow.NewContinueAsNewError(ctx, flow.WorkflowBackfill, p)
		}
		in := flow.BackfillStepParams{Project: p.Project, Integration: p.Integration, Object: p.Object}
		in.Busy = workflow.DeterministicKeys(busy)
		r, err := flow.BackfillStep.Run(act(ctx, heartbeatBatch), in)
		if err != nil {
			if err := workflow.Sleep(ctx, 2*time.Second); err != nil {
				return err
			}
			continue
		}
		switch r.Outcome {
		case flow.OutcomeDone, flow.OutcomeCancelled, flow.OutcomeDeleted:
			return nil
		case flow.OutcomeOpen:
		default:
			if err := workflow.Sleep(ctx, 10*time.Second); err != nil {
				return err
			}
			continue
		}
		for _, ref := range r.Ready {
			if busy[ref.Stream] {
				continue
			}
			busy[ref.Stream] = true
			workflow.Go(ctx, func(ctx workflow.Context) {
				defer delete(busy, ref.Stream)
				for {
					polled, err := flow.Poll.Run(act(ctx, heartbeatBatch), ref)
					if err != nil || !polled.Sealed {
						if err != nil {
							_ = workflow.Sleep(ctx, 2*time.Second)
						}
						return
					}
					if _, err := flow.Transform.Run(act(ctx, heartbeatBatch), ref); err != nil {
						return
					}
					done, err := flow.Upsert.Run(act(ctx, heartbeatBatch), ref)
					if err != nil || !done.More {
						return
					}
					o := ref.Object
					ref = done.Next
					ref.Object = o
				}
			})
		}
	}
}
