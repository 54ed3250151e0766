package poll

import (
	"context"
	"slices"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// tick is one look at Salesforce for all objects together, in as few calls as the
// questions fit in.
type tick struct {
	service *Service
	target  *store.Target
	result  *flow.WatchResult
	began   time.Time
	again   map[string]bool // objects with records that became visible late

	marks     []question // what has settled; before the others, so that these are of later
	questions []question
	probes    []probe
}

// question is asked once, whoever wants to know: objects below the same parent share
// the look at it.
type question struct {
	ask   salesforce.Ask
	reads []func(context.Context, salesforce.Answer) error
}

// tick asks once, for all objects together, and fills the result's news and faults.
func (s *Service) tick(ctx context.Context, t *store.Target, skip []string, result *flow.WatchResult) error {
	k := &tick{service: s, target: t, result: result, again: map[string]bool{}}
	var watched []*store.TargetObject
	for i := range t.Objects {
		o := &t.Objects[i]
		if o.State != "ok" || slices.Contains(skip, o.Name) {
			continue
		}
		watched = append(watched, o)
		if o.Hi.IsZero() || o.DueRechecks {
			k.news(o) // nothing read yet, or something to read again: no need to ask
		}
		if o.Hi.IsZero() || o.DueRechecks && !o.VerifyDue {
			continue
		}
		if err := k.ask(o); err != nil {
			k.blame(o, err) //nolint:errcheck // a plan that cannot be read is the object's own trouble
		}
	}
	k.askProbes()
	if err := k.answer(ctx); err != nil {
		return err
	}
	for _, o := range watched {
		more, err := s.passNews(ctx, o)
		if err != nil {
			if err := k.blame(o, err); err != nil {
				return err
			}
			continue
		}
		if more && !o.Hi.IsZero() {
			k.news(o)
		}
	}
	for _, o := range watched {
		if !o.CompareDue || o.Behind || o.VerifiedTo.IsZero() || o.Backfill != nil && o.Backfill.First { // much is missing still, and known to be
			continue
		}
		differs, err := s.compare(ctx, t, o)
		if err != nil {
			if err := k.blame(o, err); err != nil {
				return err
			}
			continue
		}
		if differs {
			k.news(o)
		}
	}
	// Reading again is of use to nobody who waits: it comes when there is nothing else, and
	// while the quota has room for more than news. Where there is always news it takes turns.
	for _, o := range watched {
		if o.Resync == nil || o.Behind {
			continue
		}
		if !k.hasNews(o) || t.ReadAt.Sub(o.Resync.LastAt) >= 2*specOf(t).interval() {
			if room, err := s.room(ctx, t); err != nil {
				return err
			} else if !room {
				break
			}
			k.drop(o)
			result.News = append(result.News, flow.News{Object: o.Name, Batch: flow.BatchRef{
				Stream: o.Resync.Stream, Epoch: o.Resync.Epoch, Seq: o.Resync.Seq + 1, Object: o.Name}})
		}
	}
	if t.Leftovers {
		if err := s.Store.DropFenced(ctx, t.IntegrationID); err != nil {
			return err
		}
	}
	if t.Erasable {
		if _, err := s.Store.Erase(ctx, t.IntegrationID, eraseBatches); err != nil {
			return err
		}
	}
	if err := s.tidy(ctx, t, watched); err != nil {
		return err
	}
	if err := s.Store.SetWatched(ctx, t.IntegrationID); err != nil {
		return err
	}
	if t.Unclaimed {
		var err error
		if result.Backfills, err = s.Store.ClaimBackfills(ctx, t.IntegrationID); err != nil {
			return err
		}
	}
	if len(result.News)+len(result.Faults)+len(result.Backfills) > 0 {
		result.Outcome = flow.OutcomeNews
		return nil
	}
	if len(skip) == 0 && !refused(t, result) && t.Status != flow.StateIdle {
		return s.Store.SetStatus(ctx, t.Project, t.Integration, flow.StateIdle, "", "", time.Time{})
	}
	return nil
}

func (s *Service) room(ctx context.Context, t *store.Target) (bool, error) {
	if s.Quota == nil {
		return true, nil
	}
	return s.Quota.Room(ctx, t.IntegrationID)
}

func (k *tick) hasNews(o *store.TargetObject) bool {
	return slices.ContainsFunc(k.result.News, func(n flow.News) bool { return n.Object == o.Name })
}

// drop takes the object's news back: it will be there at the next look.
func (k *tick) drop(o *store.TargetObject) {
	k.result.News = slices.DeleteFunc(k.result.News, func(n flow.News) bool { return n.Object == o.Name })
}

func (k *tick) news(o *store.TargetObject) {
	if !k.hasNews(o) {
		k.result.News = append(k.result.News, flow.News{Object: o.Name, Batch: flow.BatchRef{
			Stream: o.Stream, Epoch: o.Epoch, Seq: o.Seq + 1, Object: o.Name}})
	}
}

// blame puts a failed question into the object's faults, or returns it when it is not
// this object's own trouble.
func (k *tick) blame(o *store.TargetObject, err error) error {
	if slices.ContainsFunc(k.result.Faults, func(f flow.ObjectFault) bool { return f.Object == o.Name }) {
		return nil
	}
	return blame(k.result, o, err)
}

// add puts a question on the list. A fault of its answer is the object's.
func (k *tick) add(o *store.TargetObject, ask salesforce.Ask, read func(context.Context, salesforce.Answer) error) {
	k.questions = put(k.questions, ask, func(ctx context.Context, a salesforce.Answer) error {
		err := a.Err
		if err == nil || salesforce.TooBroad(err) { // then there is a way to ask for less
			err = read(ctx, a)
		}
		if err != nil {
			return k.blame(o, err)
		}
		return nil
	})
}

func put(list []question, ask salesforce.Ask, read func(context.Context, salesforce.Answer) error) []question {
	i := slices.IndexFunc(list, func(q question) bool { return q.ask == ask })
	if i < 0 {
		list, i = append(list, question{ask: ask}), len(list)
	}
	list[i].reads = append(list[i].reads, read)
	return list
}

// probe asks whether there is a row of an object of Salesforce behind a cursor.
type probe struct {
	owner  *store.TargetObject // whose news it is
	object string
	stamp  string
	where  string // condition; "" for none
	hi     store.Position
}

// askProbes puts the probes on the list, those of the same rows as one: the newest row
// behind the lowest of their cursors is behind each cursor that has news.
func (k *tick) askProbes() {
	for len(k.probes) > 0 {
		first := k.probes[0]
		same := func(p probe) bool {
			return p.object == first.object && p.stamp == first.stamp && p.where == first.where
		}
		var group []probe
		for _, p := range k.probes {
			if same(p) {
				group = append(group, p)
			}
		}
		k.probes = slices.DeleteFunc(k.probes, same)
		q, err := probeQuery(group)
		for _, p := range group {
			if err != nil {
				k.blame(p.owner, err) //nolint:errcheck // a query that cannot be built is the object's own trouble
				continue
			}
			k.add(p.owner, salesforce.Subquery{SOQL: q, QueryOptions: salesforce.QueryOptions{All: true}}, func(_ context.Context, a salesforce.Answer) error {
				return k.probed(p, a)
			})
		}
	}
}

// probeQuery is the query of probes of the same rows.
func probeQuery(group []probe) (string, error) {
	lowest := group[0]
	for _, p := range group[1:] {
		if p.hi.Before(lowest.hi) {
			lowest = p
		}
	}
	own, err := (&Plan{Object: lowest.object, Where: lowest.where}).condition()
	if err != nil {
		return "", err
	}
	order := byKeyset(lowest.stamp)
	for i := range order {
		order[i].Descending = true
	}
	q, err := soql.Select{Fields: []string{transform.PathID, lowest.stamp}, From: lowest.object,
		Where: soql.AllOf(own, after(lowest.stamp, lowest.hi)), OrderBy: order, Limit: 1}.Build()
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "build the probe of %s", lowest.object)
	}
	return q, nil
}

// probed makes news of a row behind the cursor. A probe that is too much for Salesforce
// cannot tell; reading goes in smaller steps and finds out.
func (k *tick) probed(p probe, a salesforce.Answer) error {
	if a.Err != nil {
		k.news(p.owner)
	}
	for _, row := range a.Page.Rows { // none if it failed
		newest, err := positionOf(row, p.stamp)
		if err != nil {
			return err
		}
		if newest.IsZero() || p.hi.Before(newest) { // a row without a stamp is for reading to see
			k.news(p.owner)
		}
	}
	return nil
}

// ask puts the object's questions on the list: is there a row behind its cursor, and
// behind those of its parents? When a scan of the tail is due it takes their place: it
// gives the same rows, and those that became visible late. IsDeleted rows count: a delete
// is news.
func (k *tick) ask(o *store.TargetObject) error {
	plan, err := k.service.plan(o)
	if err != nil {
		return err
	}
	scan := o.VerifyDue && !o.Behind
	settled := k.settled(o, plan, scan)
	stamp := plan.followed()
	query := salesforce.QueryOptions{All: true}
	if stamp == "" { // there is no order to ask by: passes read it
		scan = scan && len(o.Dependencies) > 0
	} else if scan {
		tail := k.service.scanOf(k.target, o, plan, func(n int) { k.late(o, n) })
		q, err := tail.first()
		if err != nil {
			return fault.Wrap(fault.Internal, err, "build the scan of %s", plan.Object)
		}
		k.add(o, salesforce.Subquery{SOQL: q, QueryOptions: query}, func(ctx context.Context, a salesforce.Answer) error {
			return k.scanned(ctx, o, tail, a, *settled)
		})
	} else {
		k.probes = append(k.probes, probe{o, plan.Object, stamp, plan.Where, o.Hi})
	}
	for _, d := range o.Dependencies {
		planned, ok := plan.dependency(d)
		if !ok {
			continue // the plan changed; the next check removes it
		}
		if (planned.Back != "" || planned.Rarely) && !scan {
			continue // made together with their record, nearly always, or a preset's own wish: once a minute is soon enough
		}
		if !scan {
			k.probes = append(k.probes, probe{o, d.Parent, planned.Stamp, "", d.Hi})
		} else if err := k.askParents(o, d, planned, settled); err != nil {
			return err
		}
	}
	return nil
}

func (k *tick) askParents(o *store.TargetObject, d store.Dependency, planned Dependency, settled *mark) error {
	tail := k.service.parentScanOf(k.target, o, d, planned, func(n int) { k.late(o, n) })
	q, err := tail.first()
	if err != nil {
		return fault.Wrap(fault.Internal, err, "build the scan of %s", d.Parent)
	}
	ask := salesforce.Subquery{SOQL: q, QueryOptions: salesforce.QueryOptions{All: true}}
	k.add(o, ask, func(ctx context.Context, a salesforce.Answer) error {
		if err := k.service.finish(ctx, k.target, o, tail, a, k.began, *settled); err != nil {
			return err
		}
		if tail.beyond(d.Hi) {
			k.news(o)
		}
		again, err := k.service.Store.SaveDependencyVerified(ctx, k.target.IntegrationID, o.Name, d, tail.complete)
		if again > 0 {
			k.news(o)
		}
		return err
	})
	return nil
}

// late makes news of records that a scan found behind the cursor.
func (k *tick) late(o *store.TargetObject, n int) {
	if n > 0 {
		k.news(o)
		k.again[o.Name] = true
	}
}

// scanned ends the scan of the object's tail, and makes news of what it saw.
func (k *tick) scanned(ctx context.Context, o *store.TargetObject, tail *tailScan, a salesforce.Answer, settled mark) error {
	if err := k.service.finish(ctx, k.target, o, tail, a, k.began, settled); err != nil {
		return err
	}
	if tail.beyond(o.Hi) {
		k.news(o)
	}
	// A scan that took many calls, as one in small windows does, must not put the next one off
	// for longer than a difference may stay.
	v := store.Verified{After: min(max(verifyEvery, time.Duration(tail.calls)*verifyEvery), specOf(k.target).verifyInterval())}
	complete, asked, err := k.service.Store.Settle(ctx, k.target.IntegrationID, k.target.SourceID, o.Name, o.Stream, o.Epoch, o.VerifyFrom, tail.settled)
	if err != nil {
		return err
	}
	k.late(o, int(asked))
	if tail.complete.Before(complete) {
		complete = tail.complete
	}
	if !complete.Before(o.VerifyFrom) {
		v.To = complete
	}
	if k.again[o.Name] {
		v.After = 0 // see soon whether they are there
	}
	return k.service.Store.SaveVerified(ctx, o.Stream, o.Epoch, v)
}

// settled asks, before a scan, up to where everything has settled by the platform's own
// account. The mark stays empty when the object has no such account, or nobody knows yet
// what time it is in Salesforce.
func (k *tick) settled(o *store.TargetObject, plan *Plan, scan bool) *mark {
	var m mark
	now, known := k.service.clock(k.target.IntegrationID)
	if !scan || !plan.Replicateable || !known {
		return &m
	}
	// The rows of the window are of no interest, and minutes are all it knows.
	ask := salesforce.AskUpdated{Object: plan.Object, From: now.Add(-2 * time.Minute), To: now}
	k.marks = put(k.marks, ask, func(_ context.Context, a salesforce.Answer) error {
		if covered := a.Updated.Covered; a.Err == nil { // else the scan is of use all the same
			m = mark{at: covered, open: covered.Before(now.Truncate(time.Minute))}
		}
		return nil
	})
	return &m
}

// answer asks what is on the list and reads the answers, in order.
func (k *tick) answer(ctx context.Context) error {
	questions := append(k.marks, k.questions...)
	if len(questions) == 0 {
		return nil
	}
	asks := make([]salesforce.Ask, len(questions))
	for i, q := range questions {
		asks[i] = q.ask
	}
	k.began = time.Now()
	answers, err := k.service.Orgs.Org(k.target.IntegrationID).Together(ctx, asks)
	if err != nil {
		return err
	}
	for i, a := range answers {
		if a.ServerTime.IsZero() {
			return fault.New(fault.Transient, "look for news: the answer has no Date")
		}
		k.service.clocks.Store(k.target.IntegrationID, time.Until(a.ServerTime))
		for _, read := range questions[i].reads {
			if err := read(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}
