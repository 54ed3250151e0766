package poll

import (
	"context"
	"errors"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// Bounds of Salesforce's log of deletes (getDeleted).
const (
	deletesKept = 15*24*time.Hour - time.Hour // how far back it certainly knows
	deletesLap  = 2 * time.Minute             // windows overlap: it knows whole minutes only
)

// deleteLog is a window of Salesforce's log of deletes: from where it was read to up to now.
type deleteLog struct {
	service  *Service
	target   *store.Target
	object   *store.TargetObject
	name     string
	from, to time.Time
	answer   salesforce.Answer

	asked int64 // records that are to be read again because the log names them
}

func (s *Service) deleteLog(t *store.Target, o *store.TargetObject, plan *Plan, now time.Time) *deleteLog {
	l := &deleteLog{service: s, target: t, object: o, name: plan.Object, from: o.DeletesTo.Add(-deletesLap), to: now.Add(time.Minute)}
	if earliest := now.Add(-deletesKept); l.from.Before(earliest) {
		l.from = earliest // what is older leaves no trace there; the counts find it
	}
	return l
}

func (l *deleteLog) ask() salesforce.Ask {
	return salesforce.AskDeleted{Object: l.name, From: l.from, To: l.to}
}

// read asks for the window by itself.
func (l *deleteLog) read(ctx context.Context) error {
	if err := l.service.Store.Gate(ctx, l.object.Stream, l.object.Epoch); err != nil {
		return err
	}
	answers, err := l.service.Orgs.Org(l.target.IntegrationID).Together(ctx, []salesforce.Ask{l.ask()})
	if err != nil {
		return err
	}
	l.answer = answers[0]
	return l.save(ctx)
}

// save stores what the log said, and asks for the records it names to be read again. The
// object follows, so that what is decided next knows how far the log was read.
func (l *deleteLog) save(ctx context.Context) error {
	if tooMany(l.answer.Err) && l.to.Sub(l.from) > 2*deletesLap {
		l.to = l.from.Add(l.to.Sub(l.from) / 2) // the rest is read the next time
		return l.read(ctx)
	}
	// A log that may not be read, or is not there, names nothing: then counts find deletes,
	// and absence is judged without it.
	if l.answer.Err != nil && !fault.Is(l.answer.Err, fault.Permission, fault.NotFound, fault.Config, fault.Internal) {
		return l.answer.Err
	}
	log := make([]store.Deletion, 0, len(l.answer.Deleted.Records))
	for _, r := range l.answer.Deleted.Records {
		log = append(log, store.Deletion{ID: r.ID, At: r.At})
	}
	covered := l.answer.Deleted.Covered
	if covered.IsZero() || covered.After(l.to) {
		covered = l.to.Add(-deletesLap)
	}
	var err error
	l.asked, err = l.service.Store.SaveDeletions(ctx, l.target.IntegrationID, l.target.SourceID, l.object.Name, l.object.Stream, l.object.Epoch, log, covered)
	if err == nil && covered.After(l.object.DeletesTo) {
		l.object.DeletesTo = covered
	}
	return err
}

// tooMany reports whether a smaller window of the log may be answered.
func tooMany(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Code == "EXCEEDED_ID_LIMIT"
}
