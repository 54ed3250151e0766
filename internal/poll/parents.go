package poll

import (
	"context"
	"encoding/json"
	"slices"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// dependencies follows changed parents: their children are noted to be read again, then
// the parent's cursor moves. A crash between the two notes them again.
func (r *reading) dependencies(ctx context.Context) error {
	for _, d := range r.object.Dependencies {
		i := slices.IndexFunc(r.plan.Dependencies, func(p Dependency) bool { return p.Path == d.Path && p.Parent == d.Parent })
		if i < 0 {
			continue // the plan changed; the next check removes it
		}
		if err := r.pending(ctx, d, r.plan.Dependencies[i]); err != nil {
			return err
		}
		p := r.pages(d.Parent, stampField, d.Hi, func(more soql.Expr, order []soql.Order, limit int) (string, error) {
			return parentQuery(d, more, order, limit)
		})
		p.rows = maxParents
		var rows []json.RawMessage
		for len(rows) == 0 && !p.done {
			var err error
			if rows, err = p.next(ctx); err != nil {
				return err
			}
		}
		if len(rows) == 0 {
			continue
		}
		var parents []store.Position
		hi := d.Hi
		for _, row := range rows {
			p, err := positionOf(row, stampField)
			if err != nil {
				return err
			}
			parents = append(parents, p)
			if r.settled(p.Stamp) {
				hi = p
			}
		}
		if err := r.children(ctx, r.plan.Dependencies[i].IDPath, parents); err != nil {
			return err
		}
		if err := r.service.Store.FollowDependency(ctx, r.ref, r.target.IntegrationID, d, hi, parents); err != nil {
			return err
		}
		// Without a step forward the next look does it: by then its second is over.
		r.seal.More = r.seal.More || hi != d.Hi && !p.done
	}
	return nil
}

// pending notes the children of parents whose change became visible late, behind the
// cursor: a scan of the tail found them.
func (r *reading) pending(ctx context.Context, d store.Dependency, planned Dependency) error {
	for {
		parents, err := r.service.Store.PendingParents(ctx, r.target.IntegrationID, r.object.Name, d, maxParents)
		if err != nil || len(parents) == 0 {
			return err
		}
		if err := r.children(ctx, planned.IDPath, parents); err != nil {
			return err
		}
		if err := r.service.Store.FollowPending(ctx, r.target.IntegrationID, r.object.Name, d, parents); err != nil {
			return err
		}
	}
}

// children notes the object's records below the parents to be read again, page by page.
func (r *reading) children(ctx context.Context, idPath string, parents []store.Position) error {
	ids := make([]string, len(parents))
	for i, p := range parents {
		ids[i] = p.ID
	}
	last := ""
	for {
		below := soql.OneOf(idPath, ids...)
		if last != "" {
			below = soql.AllOf(below, soql.Compare(transform.PathID, soql.Greater, soql.StringLiteral(last)))
		}
		q, err := r.plan.query([]string{transform.PathID}, below, []soql.Order{{Field: transform.PathID}}, pageRows)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "build the query of the children")
		}
		page, err := r.ask(ctx, q)
		if err != nil {
			return err
		}
		children := make([]string, 0, len(page.Rows))
		for _, row := range page.Rows {
			var rec struct {
				ID string `json:"Id"`
			}
			if err := json.Unmarshal(row, &rec); err != nil || !salesforce.ValidID(rec.ID) {
				return fault.Wrap(fault.Transient, err, "query %s: a row has no Id", r.plan.Object)
			}
			last = salesforce.To18(rec.ID)
			children = append(children, last)
		}
		if err := r.service.Store.AddRechecks(ctx, r.target.IntegrationID, r.object.Name, "parent", children); err != nil {
			return err
		}
		if len(page.Rows) == 0 || page.Done && page.TotalSize < pageRows {
			return nil
		}
	}
}
