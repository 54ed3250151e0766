package transform

import (
	"context"
	"time"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// remakePage is how many records are made anew in one transaction: few enough that live
// changes of the object wait for less than a second.
const remakePage = 500

// PlanRetransform says what making the texts of an object's comments anew would do. It reads
// page by page and writes nothing; each is called for every record that would change, and
// told with the numbers so far, now and then.
func (t Batches) PlanRetransform(ctx context.Context, sourceID, object string, plan []byte, each func(Change) error, told func(flow.RetransformCounts)) (flow.RetransformCounts, error) {
	var counts flow.RetransformCounts
	again, err := NewAgain(plan)
	if err != nil {
		return counts, err
	}
	raw := t.Store.RawReader(ctx, sourceID, object)
	for after := ""; ; {
		records, err := t.Store.StoredBehind(ctx, sourceID, object, after, remakePage)
		if err != nil || len(records) == 0 {
			return counts, err
		}
		made, err := again.Records(raw, records, each)
		if err != nil {
			return counts, err
		}
		counts.Add(made)
		told(counts)
		after = records[len(records)-1].ID
	}
}

// Retransform goes on with making an integration's texts anew, for about as long as it may, or
// cancels what is open. It may be repeated, and ended anywhere.
func (t Batches) Retransform(ctx context.Context, in flow.RetransformParams, may time.Duration) (flow.RetransformResult, error) {
	began := time.Now()
	jobs, err := t.Store.OpenRetransforms(ctx, in.Project, in.Integration)
	if err != nil {
		return flow.RetransformResult{}, err
	}
	var integration string
	for _, job := range jobs {
		integration = job.IntegrationID
		if in.Cancel {
			if _, err := t.Store.CancelRetransforms(ctx, integration, job.Object); err != nil {
				return flow.RetransformResult{}, err
			}
			continue
		}
		if job.Version != clean.Version { // what was planned is not what this program would do
			if err := t.Store.EndRetransform(ctx, job.ID, "it was planned with another cleaning version than the worker has: plan it again with the worker's release"); err != nil {
				return flow.RetransformResult{}, err
			}
			continue
		}
		for over := false; !over && time.Since(began) < may; {
			if err := ctx.Err(); err != nil {
				return flow.RetransformResult{}, fault.Wrap(fault.Transient, context.Cause(ctx), "make texts anew")
			}
			if over, err = t.Store.RemakePage(ctx, job, remakePage, remake); err != nil {
				return flow.RetransformResult{}, err
			}
		}
	}
	return t.progress(ctx, integration)
}

// remake makes a page anew.
func remake(p *store.Remaking) (flow.RetransformCounts, error) {
	again, err := NewAgain(p.Plan)
	if err != nil {
		return flow.RetransformCounts{}, err
	}
	again.oldest = p.Oldest
	return again.Records(p.RawReader, p.Records, func(c Change) error { return p.Add(c.Remade) })
}

func (t Batches) progress(ctx context.Context, integrationID string) (flow.RetransformResult, error) {
	var out flow.RetransformResult
	if integrationID == "" {
		return out, nil
	}
	list, err := t.Store.Retransforms(ctx, integrationID)
	for _, r := range list {
		out.Open = out.Open || r.State == store.RetransformOpen
		out.Objects = append(out.Objects, flow.RetransformProgress{Object: r.Object, State: r.State, Total: r.Total, Counts: r.Counts})
	}
	return out, err
}

// RetrySetAside tries records anew, at most limit, that could not become comments with another
// mapping or cleaning version than those of today. What has no raw copy is asked of
// Salesforce once more.
func (t Batches) RetrySetAside(ctx context.Context, integrationID, sourceID, object string, plan []byte, limit int) error {
	recipe, err := RecipeOf(plan)
	if err != nil {
		return err
	}
	fingerprint := recipe.Fingerprint()
	ids, err := t.Store.UntriedSetAside(ctx, sourceID, object, fingerprint, limit)
	if err != nil || len(ids) == 0 {
		return err
	}
	reasons := map[string]string{}
	var without []string
	if err := t.Store.RemakeRecords(ctx, integrationID, sourceID, object, clean.Version, ids, func(p *store.Remaking) (flow.RetransformCounts, error) {
		again := &Again{reader: recipe.Reader(), inputsOnly: true, oldest: p.Oldest, reasons: reasons}
		counts, err := again.Records(p.RawReader, p.Records, func(c Change) error { return p.Add(c.Remade) })
		without = again.withoutRaw
		return counts, err
	}); err != nil {
		return err
	}
	return t.Store.TriedSetAside(ctx, integrationID, sourceID, object, fingerprint, ids, reasons, without)
}
