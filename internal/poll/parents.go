package poll

import (
	"context"
	"encoding/json"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// dependencies follows changed parents: their children are noted to be read again, then
// the parent's cursor moves. A crash between the two notes them again. All parents are
// asked in one call.
func (r *reading) dependencies(ctx context.Context) error {
	type followed struct {
		store.Dependency
		planned Dependency
		pages   *pages
	}
	var all []followed
	for _, d := range r.object.Dependencies {
		planned, ok := r.plan.dependency(d)
		if !ok {
			continue // the plan changed; the next check removes it
		}
		if err := r.pending(ctx, d, planned); err != nil {
			return err
		}
		p := r.pages(d.Parent, planned.Stamp, d.Hi, planned.query)
		p.rows = maxParents
		all = append(all, followed{d, planned, p})
	}
	first := make([]*pages, len(all))
	for i, f := range all {
		first[i] = f.pages
	}
	rows, err := r.firstPages(ctx, first)
	if err != nil {
		return err
	}
	for i, f := range all {
		if err := r.follow(ctx, f.Dependency, f.planned, f.pages, rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// firstPages reads the first page of each in one call. What is too much for Salesforce
// together is read alone, in smaller steps.
func (r *reading) firstPages(ctx context.Context, all []*pages) ([][]json.RawMessage, error) {
	rows := make([][]json.RawMessage, len(all))
	var asks []salesforce.Ask
	var asked []int
	for i, p := range all {
		if p.size.width > 0 || p.size.apart {
			continue // it was too much not long ago
		}
		q, err := p.query(after(p.stamp, p.at), byKeyset(p.stamp), p.limit())
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "build the query of %s", p.object)
		}
		asks = append(asks, salesforce.Subquery{SOQL: q, QueryOptions: salesforce.QueryOptions{All: true}})
		asked = append(asked, i)
	}
	if len(asks) > 0 {
		answers, err := r.answers(ctx, asks)
		if err != nil {
			return nil, err
		}
		for k, a := range answers {
			p := all[asked[k]]
			switch {
			case a.Err == nil:
				rows[asked[k]] = a.Page.Rows
				if err := p.take(window{shape: shapeKeyset, final: true}, p.limit(), a.Page); err != nil {
					return nil, err
				}
			case !salesforce.TooBroad(a.Err):
				return nil, a.Err
			}
		}
	}
	for i, p := range all {
		for len(rows[i]) == 0 && !p.done {
			var err error
			if rows[i], err = p.next(ctx); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

// follow notes the children of the parents on a page, and moves the cursor over parents.
func (r *reading) follow(ctx context.Context, d store.Dependency, planned Dependency, p *pages, rows []json.RawMessage) error {
	var parents []store.Position
	hi := d.Hi
	for _, row := range rows {
		at, err := positionOf(row, planned.Stamp)
		if err != nil {
			return err
		}
		if at.IsZero() {
			continue // a scan of the tail comes to it
		}
		parents = append(parents, at)
		if r.settled(at.Stamp) {
			hi = at
		}
	}
	if len(parents) == 0 {
		return nil
	}
	if err := r.children(ctx, planned, parents); err != nil {
		return err
	}
	if err := r.service.Store.FollowDependency(ctx, r.ref, r.target.IntegrationID, d, hi, parents); err != nil {
		return err
	}
	// Without a step forward the next look does it: by then its second is over.
	r.seal.More = r.seal.More || hi != d.Hi && !p.done
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
		if err := r.children(ctx, planned, parents); err != nil {
			return err
		}
		if err := r.service.Store.FollowPending(ctx, r.target.IntegrationID, r.object.Name, d, parents); err != nil {
			return err
		}
	}
}

// children notes the object's records below the parents to be read again.
func (r *reading) children(ctx context.Context, d Dependency, parents []store.Position) error {
	return inFewer(parents, func(some []store.Position) error { return r.childrenOf(ctx, d, some) })
}

// childrenOf is children of as many parents as one query may have, page by page.
func (r *reading) childrenOf(ctx context.Context, d Dependency, parents []store.Position) error {
	ids := make([]string, len(parents))
	for i, p := range parents {
		ids[i] = p.ID
	}
	if d.Back != "" {
		return r.behind(ctx, d, ids)
	}
	last := ""
	for {
		below := soql.OneOf(d.IDPath, ids...)
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
