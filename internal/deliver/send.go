package deliver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
	"salesforcesync/internal/tenant"
)

const (
	pageChanges  = tenant.MostComments
	batchBytes   = 4 << 20 // about; one comment may be more
	countAgain   = 2       // times a batch is sent once more because the counts of its answer do not add up
	mostRefusals = 16      // refused one by one, and none taken: then it is not about one comment
)

// page sends the next page of changes, those that are to be tried once more first, and notes
// that it is delivered. sent is false when there was nothing.
func (r *run) page(ctx context.Context, d *store.Delivery, to tenant.Target) (sent, more bool, err error) {
	s := r.service
	if s.Pages != nil {
		select {
		case s.Pages <- struct{}{}:
			defer func() { <-s.Pages }()
		case <-ctx.Done():
			return false, false, context.Cause(ctx)
		}
	}
	var list []store.Change
	var at store.Place
	if d.Again {
		if list, err = s.Store.UndeliverableAgain(ctx, d, pageChanges); err != nil {
			return false, false, err
		}
		more = true
	}
	if len(list) == 0 {
		page, err := s.Store.DeliveryChanges(ctx, d, pageChanges)
		if err != nil {
			return false, false, err
		}
		list, at, more = page.List, page.Next, page.More
	}
	if len(list) == 0 {
		return false, false, nil
	}
	p := sending{tenant: s.Tenant, to: to}
	if err := p.send(ctx, list); err != nil {
		if isCall(err) && p.step.Counts != (flow.DeliveryCounts{}) { // all of the page is sent again, and what the tenant says then is the less
			err = cmp.Or(s.Store.SaveDelivered(ctx, d, r.lease.holder, store.Delivered{Counts: p.step.Counts}), err)
		}
		return false, false, err
	}
	p.step.At = at
	return true, more, s.Store.SaveDelivered(ctx, d, r.lease.holder, p.step)
}

// sending is a page on its way.
type sending struct {
	tenant Tenant
	to     tenant.Target
	step   store.Delivered
}

// one is a comment as it is sent.
type one struct {
	id   string
	body json.RawMessage
}

func (p *sending) send(ctx context.Context, list []store.Change) error {
	var deletes []string
	var batch []one
	size := 0
	for _, c := range list {
		if c.DeletedAt != nil {
			deletes = append(deletes, c.ID)
			continue
		}
		body, err := tenant.Encode(c.Comment)
		if err != nil {
			return err
		}
		if len(batch) > 0 && (size+len(body) > batchBytes || len(batch) == tenant.MostComments) {
			if err := p.sync(ctx, batch); err != nil {
				return err
			}
			batch, size = nil, 0
		}
		batch, size = append(batch, one{c.ID, body}), size+len(body)
	}
	if len(batch) > 0 {
		if err := p.sync(ctx, batch); err != nil {
			return err
		}
	}
	for len(deletes) > 0 {
		n := tenant.FitDeletes(deletes)
		if err := p.delete(ctx, deletes[:n]); err != nil {
			return err
		}
		deletes = deletes[n:]
	}
	return nil
}

// sync sends a batch. One that the tenant refuses for what it is is halved until the comments are
// found that it refuses: they are set aside, and the others go on.
func (p *sending) sync(ctx context.Context, batch []one) error {
	bodies := make([]json.RawMessage, len(batch))
	for i, c := range batch {
		bodies[i] = c.body
	}
	counts, err := p.count(ctx, bodies)
	switch {
	case err == nil:
		p.step.Counts.Add(counts)
		for _, c := range batch {
			p.step.Settled = append(p.step.Settled, c.id)
		}
		return nil
	case !fault.Is(err, fault.Invalid):
		return call{err}
	case len(batch) > 1:
		half := len(batch) / 2
		if err := p.sync(ctx, batch[:half]); err != nil {
			return err
		}
		return p.sync(ctx, batch[half:])
	}
	p.step.Refused = append(p.step.Refused, store.Refusal{ID: batch[0].id, Message: messageOf(err)})
	if len(p.step.Refused) >= mostRefusals && p.step.Counts.Sent == 0 {
		return call{fault.Wrap(fault.Config, errors.New(messageOf(err)), "the tenant refuses one comment after the other").
			WithHint("see what it says, do something about it there or in the integration file, then run `starter sync-now`")}
	}
	return nil
}

// count sends a batch and reads what became of it. An answer whose counts do not add up may
// stand for comments that were lost: the batch is sent again, which changes nothing there if they were not.
func (p *sending) count(ctx context.Context, bodies []json.RawMessage) (flow.DeliveryCounts, error) {
	for try := 0; ; try++ {
		c, err := p.tenant.Sync(ctx, p.to, bodies)
		if err != nil {
			return flow.DeliveryCounts{}, err
		}
		n := int64(len(bodies))
		counts := flow.DeliveryCounts{Sent: n, New: c.New, Updated: c.Updated, Unchanged: c.Unchanged, TextChanged: c.TextChanged, PropertiesChanged: c.PropertiesChanged}
		switch {
		case c.Known && min(c.New, c.Updated, c.Unchanged) >= 0 && c.New+c.Updated+c.Unchanged == n:
			return counts, nil
		case !c.Known || try == countAgain:
			return flow.DeliveryCounts{Sent: n, Uncounted: n}, nil
		}
	}
}

// delete tells the tenant what is no more. Of ids that it does not know it is not sure which
// those are: they are told one by one.
func (p *sending) delete(ctx context.Context, ids []string) error {
	err := p.tenant.Delete(ctx, p.to, ids)
	unsure := fault.Is(err, fault.NotFound, fault.Invalid)
	switch {
	case unsure && len(ids) > 1:
		half := len(ids) / 2
		if err := p.delete(ctx, ids[:half]); err != nil {
			return err
		}
		return p.delete(ctx, ids[half:])
	case unsure: // it is not there, or could never have been
	case err != nil:
		return call{err}
	}
	p.step.Counts.Deleted += int64(len(ids))
	p.step.Settled = append(p.step.Settled, ids...)
	return nil
}

// messageOf is what the tenant said, or else our own words for it.
func messageOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Cause != nil {
		return f.Cause.Error()
	}
	return err.Error()
}
