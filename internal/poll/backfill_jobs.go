package poll

import (
	"context"
	"errors"
	"slices"
	"time"

	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// lostFor is how long after it was asked for a job whose answer was lost may still have
// been made: longer than a call takes.
const lostFor = 2 * time.Minute

// jobs looks at the jobs that are due, has lost ones asked for anew, and asks for more.
func (l *laying) jobs(ctx context.Context, parts []store.Part) error {
	var lost []store.Part
	atWork, ready := 0, 0
	now := l.target.ReadAt
	for _, p := range parts {
		switch {
		case p.Finished:
		case p.State == store.PartAsked:
			lost = append(lost, p) // whoever asked did not live to see the answer
		case p.State == store.PartRunning:
			atWork++
			if p.LookAt.After(now) {
				continue
			}
			done, err := l.look(ctx, p)
			if err != nil {
				return err
			}
			if done {
				atWork--
			}
		case p.State == store.PartReady && p.API == store.PartBulk:
			ready++
		}
	}
	if len(lost) > 0 {
		return l.askAgain(ctx, lost)
	}
	for _, p := range parts {
		if p.State != store.PartWaiting || p.LookAt.After(now) {
			continue
		}
		if atWork >= jobsAtOnce || atWork+ready >= l.service.pagesAtOnce()+readyAhead {
			break
		}
		made, err := l.ask(ctx, p)
		if err != nil {
			return err
		}
		if made {
			atWork++
		}
	}
	return nil
}

// askAgain has parts asked for anew for which nobody knows whether there is a job.
func (l *laying) askAgain(ctx context.Context, lost []store.Part) error {
	asked := make([]time.Time, len(lost))
	for i, p := range lost {
		asked[i] = p.ServerTime
	}
	if err := l.service.find(ctx, l.target, l.object.Name, asked); err != nil {
		return err
	}
	for _, p := range lost {
		if err := l.service.Store.JobLost(ctx, p, 0); err != nil {
			return err
		}
	}
	return l.service.endJobs(ctx, l.target, l.object.Name)
}

// ask asks for a part's job. made is false when REST reads the part: Bulk refuses it, or
// it failed too often.
func (l *laying) ask(ctx context.Context, p store.Part) (made bool, err error) {
	switch {
	case p.Attempt > mostAttempts:
		return false, l.service.Store.ReadREST(ctx, p, "jobs for it failed again and again")
	case l.plan.Recipients != nil && l.plan.Recipients.Hidden: // rows of some records leave fields out
		return false, l.service.Store.ReadREST(ctx, p, relationObject+" is not visible any more")
	}
	q, err := l.plan.rangeQuery(l.load, p, l.plan.Fields, nil, nil, 0)
	if err != nil {
		return false, err
	}
	now, err := l.now(ctx)
	if err != nil {
		return false, err
	}
	if err := l.service.Store.AskJob(ctx, p, now); err != nil {
		return false, err
	}
	crashpoint.Hit(crashpoint.JobAsked)
	job, err := l.org.CreateQueryJob(ctx, q, true)
	switch {
	case err == nil:
	case salesforce.BulkRefuses(err):
		if err := l.service.Store.JobLost(ctx, p, 0); err != nil {
			return false, err
		}
		p.Attempt++
		return false, l.service.Store.ReadREST(ctx, p, err.Error())
	case fault.KindOf(err) == fault.Transient:
		return false, err // it may have been made: the next step looks for it
	default: // it was not made
		return false, errors.Join(err, l.service.Store.JobLost(ctx, p, 0))
	}
	crashpoint.Hit(crashpoint.JobMade)
	return true, l.service.Store.JobMade(ctx, p, job.ID)
}

// look looks at a job. done says that it is no longer at work.
func (l *laying) look(ctx context.Context, p store.Part) (done bool, err error) {
	job, err := l.org.QueryJob(ctx, p.JobID)
	if salesforce.JobGone(err) {
		return true, l.service.Store.JobLost(ctx, p, 0)
	}
	if err != nil {
		return false, err
	}
	switch job.State {
	case salesforce.JobComplete:
		return true, l.service.Store.JobReady(ctx, p, int64(job.Processed))
	case salesforce.JobFailed, salesforce.JobAborted:
		return true, l.failed(ctx, p, job)
	case salesforce.JobRunning: // one that is queued is not to blame
		if p.Looks >= mostLooks {
			return true, l.endless(ctx, p, job)
		}
	}
	return false, l.service.Store.LookAgain(ctx, p, min(firstLook<<min(p.Looks, 10), longestLook))
}

// endless gives up a job that Salesforce has worked on for hours and will not end: it is aborted with the next step. Its part
// is asked for again, and if that does not help, REST reads it.
func (l *laying) endless(ctx context.Context, p store.Part, job salesforce.Job) error {
	if err := l.service.Store.JobLost(ctx, p, 0); err != nil {
		return err
	}
	return fault.New(fault.Transient, "bulk job %s of %s has been in progress for hours, with %d rows done", job.ID, l.plan.Object, job.Processed).
		WithHint("it is aborted, and its part is asked for again; after %d such jobs REST reads it", mostAttempts)
}

// failed sees to a job that failed or that somebody aborted. Salesforce often does not say
// why: then the same query over REST, for one row, tells what is wrong with it. If nothing
// is, it is asked for again, and after a few times REST reads it.
func (l *laying) failed(ctx context.Context, p store.Part, job salesforce.Job) error {
	q, err := l.plan.rangeQuery(l.load, p, l.plan.Fields, nil, nil, 1)
	if err != nil {
		return err
	}
	wait := time.Duration(p.Attempt*p.Attempt) * time.Second
	if err := l.service.Store.JobLost(ctx, p, wait); err != nil {
		return err
	}
	if _, err := l.org.Query(ctx, q, salesforce.QueryOptions{All: true}); err != nil && !salesforce.TooBroad(err) {
		return err // its kind says what to do
	}
	why := "and Salesforce does not say why"
	if job.Message != "" {
		why = job.Message
	}
	return fault.New(fault.Transient, "bulk job %s of %s ended as %s: %s", job.ID, l.plan.Object, job.State, why).
		WithHint("its part is asked for again; after %d such jobs REST reads it", mostAttempts)
}

// find looks for jobs that may have been made although no answer came, so that nobody
// pays for two: those of our user over the object, made when ours was asked for, that we
// do not know. From then on they are unwanted.
func (s *Service) find(ctx context.Context, t *store.Target, object string, asked []time.Time) error {
	known, err := s.Store.KnownJobs(ctx, t.IntegrationID)
	if err != nil {
		return err
	}
	jobs, err := s.Orgs.Org(t.IntegrationID).QueryJobs(ctx)
	if err != nil {
		return err
	}
	var found []string
	for _, j := range jobs {
		ours := j.Object == object && j.CreatedBy == t.UserID && !known[j.ID] &&
			slices.ContainsFunc(asked, func(at time.Time) bool {
				return !j.Created.Before(at.Add(-2*time.Second)) && j.Created.Before(at.Add(lostFor))
			})
		if ours {
			found = append(found, j.ID)
		}
	}
	return s.Store.JobsFound(ctx, t.IntegrationID, object, found, asked[0])
}

// endJobs aborts and deletes the jobs of an object that nobody waits for any more. One
// that cannot be ended now is tried again later; it costs nothing but a place in a list.
func (s *Service) endJobs(ctx context.Context, t *store.Target, object string) error {
	jobs, err := s.Store.UnwantedJobs(ctx, t.IntegrationID, object)
	if err != nil {
		return err
	}
	var unknown []time.Time
	for _, j := range jobs {
		if j.JobID == "" {
			unknown = append(unknown, j.AskedAt)
		}
	}
	if len(unknown) > 0 { // of a backfill that has ended meanwhile
		if err := s.find(ctx, t, object, unknown); err != nil {
			return err
		}
		if jobs, err = s.Store.UnwantedJobs(ctx, t.IntegrationID, object); err != nil {
			return err
		}
	}
	org := s.Orgs.Org(t.IntegrationID)
	for _, j := range jobs {
		if j.JobID != "" {
			if org.DeleteJob(ctx, j.JobID) != nil { // aborts it first if it must be
				if err := s.Store.EndLater(ctx, j.ID, time.Minute); err != nil {
					return err
				}
				continue
			}
		}
		if err := s.Store.JobEnded(ctx, j.ID); err != nil {
			return err
		}
	}
	return nil
}

// flood reports whether an object has too many rows for the live lane, which is about to
// read all of them, by Salesforce's own count. Then it has opened a first load for what is
// there already, and the live lane begins where all had settled before that.
func (r *reading) flood(ctx context.Context) (bool, error) {
	if r.service.BulkFrom < 0 {
		return false, nil
	}
	n, err := r.countRows(ctx, nil)
	open := r.object.Backfill != nil && r.object.Backfill.First // by a reading that was given up
	if err != nil || !open && n >= 0 && n < r.service.bulkFrom() {
		return false, err
	}
	if r.seal.ServerTime.IsZero() { // the count was too much; to tell the time is not
		q, err := r.plan.query([]string{transform.PathID}, r.plan.least(), nil, 1)
		if err != nil {
			return false, fault.Wrap(fault.Internal, err, "build the query of %s", r.plan.Object)
		}
		if _, err := r.ask(ctx, q); err != nil {
			return false, err
		}
	}
	begun, err := r.service.Store.BeginFirstLoad(ctx, r.ref, r.target.IntegrationID, r.seal.ServerTime, max(n, 0))
	r.seal.To = store.Position{Stamp: begun.Add(-tail).Truncate(time.Second)} // stamps have whole seconds
	return true, err
}

// countRows asks Salesforce how many rows fulfil the plan's condition and more; -1 when
// that is too much to count.
func (r *reading) countRows(ctx context.Context, more soql.Expr) (int64, error) {
	q, err := r.plan.query([]string{soql.CountAll}, more, nil, 0)
	if err != nil {
		return 0, fault.Wrap(fault.Internal, err, "build the count of %s", r.plan.Object)
	}
	page, err := r.ask(ctx, q)
	if salesforce.TooBroad(errors.Unwrap(err)) || salesforce.TooBroad(err) {
		return -1, nil
	}
	return int64(page.TotalSize), err
}

// reload reports whether a resync has too many rows for pages over REST; then it has
// opened a backfill in its place.
func (r *reading) reload(ctx context.Context) (bool, error) {
	if r.object.Backfill != nil || r.service.BulkFrom < 0 {
		return false, nil
	}
	stamp := r.plan.followed()
	var more []soql.Expr
	if !r.lane.From.IsZero() {
		more = append(more, soql.AtOrAfter(stamp, r.lane.From))
	}
	if !r.lane.Until.IsZero() {
		more = append(more, soql.AtOrBefore(stamp, r.lane.Until))
	}
	n, err := r.countRows(ctx, soql.AllOf(more...))
	if err != nil || n >= 0 && n < r.service.bulkFrom() {
		return false, err
	}
	return r.service.Store.BeginReload(ctx, r.ref, r.target.IntegrationID, r.lane.From, r.lane.Until, r.lane.Reason)
}
