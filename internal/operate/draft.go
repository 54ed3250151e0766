package operate

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// Org asks Salesforce about an integration that is not polled yet, as its user and within its quota.
type Org interface {
	// Objects lists the objects that the user sees.
	Objects(ctx context.Context, integrationID string) ([]salesforce.ObjectSummary, error)
	// Describe gives the fields of an object that the user sees.
	Describe(ctx context.Context, integrationID, object string) (salesforce.Object, error)
	// Examine checks what the file names and stores the report, as the workflow does before its first look.
	Examine(ctx context.Context, p flow.CheckParams) error
}

// Lives of what Salesforce said of a draft: as long as somebody chooses, and no longer than rights take to change.
const (
	describedFor = 2 * time.Minute
	mostKept     = 500
)

// kept is what Salesforce said a moment ago. Each page of a wizard asks for the same.
type kept struct {
	mu   sync.Mutex
	said map[string]answer
}

type answer struct {
	what any
	at   time.Time
}

func (k *kept) get(key string) (any, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, ok := k.said[key]
	return a.what, ok && time.Since(a.at) < describedFor
}

func (k *kept) put(key string, what any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.said == nil || len(k.said) >= mostKept {
		k.said = map[string]answer{}
	}
	k.said[key] = answer{what, time.Now()}
}

// Objects lists the objects that a draft's user sees, as of some minutes ago at most.
func (h *Hand) Objects(ctx context.Context, integrationID string) ([]salesforce.ObjectSummary, error) {
	if said, ok := h.kept.get(integrationID); ok {
		return said.([]salesforce.ObjectSummary), nil
	}
	list, err := h.Org.Objects(ctx, integrationID)
	if err == nil {
		h.kept.put(integrationID, list)
	}
	return list, err
}

// Describe gives the fields of an object that a draft's user sees, as of some minutes ago at most.
func (h *Hand) Describe(ctx context.Context, integrationID, object string) (salesforce.Object, error) {
	key := integrationID + "/" + strings.ToLower(object)
	if said, ok := h.kept.get(key); ok {
		return said.(salesforce.Object), nil
	}
	o, err := h.Org.Describe(ctx, integrationID, object)
	if err == nil {
		h.kept.put(key, o)
	}
	return o, err
}

// examineFor bounds one examination: counting the records of a large object takes Salesforce minutes.
const examineFor = 3 * time.Minute

// endFor is how long the end of an examination may take to write.
const endFor = 5 * time.Second

// examining are the checks of drafts that this process makes. Which are under way anywhere is in PostgreSQL.
type examining struct {
	mu    sync.Mutex
	stops map[string]context.CancelFunc
	all   sync.WaitGroup
}

// Examine begins to check what a draft's file names, unless that is under way, here or in another process. It goes on when
// whoever asked has gone; what is found is stored as by any other check.
func (h *Hand) Examine(ctx context.Context, i store.Integration) error {
	run, ok, err := h.Store.BeginExamination(ctx, i.ID, examineFor)
	if err != nil || !ok {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), examineFor)
	e := &h.examining
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stops == nil {
		e.stops = map[string]context.CancelFunc{}
	}
	e.stops[i.ID] = cancel
	e.all.Go(func() {
		defer cancel()
		var problem, hint string
		if err := h.Org.Examine(ctx, flow.CheckParams{Project: i.Project, Integration: i.Name}); err != nil {
			problem, hint = whyUnexamined(ctx, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), endFor)
		defer cancel()
		_ = h.Store.EndExamination(ctx, i.ID, run, problem, hint) // not written, it lapses
	})
	return nil
}

// whyUnexamined says for people why an examination ended without a report.
func whyUnexamined(ctx context.Context, err error) (problem, hint string) {
	var f *fault.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return "the program that made the check was stopped", "check again"
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "the check took longer than " + examineFor.String(), "check again, with fewer objects or later"
	case errors.As(err, &f) && f.Message != "":
		return f.Message, f.Hint
	}
	return "the check failed for a reason that is not known", "check again"
}

// Examination is how far the last check of a draft is, whichever process makes it.
func (h *Hand) Examination(ctx context.Context, integrationID string) (store.Examination, error) {
	e, err := h.Store.Examination(ctx, integrationID)
	if e.Lapsed {
		e.Problem, e.Hint = "the check was not finished", "check again"
	}
	return e, err
}

// Stop ends the checks that are under way.
func (h *Hand) Stop() {
	h.examining.mu.Lock()
	for _, stop := range h.examining.stops {
		stop()
	}
	h.examining.mu.Unlock()
	h.examining.all.Wait()
}

// Forget drops what Salesforce said: another user may be connected now.
func (h *Hand) Forget() {
	h.kept.mu.Lock()
	defer h.kept.mu.Unlock()
	h.kept.said = nil
}
