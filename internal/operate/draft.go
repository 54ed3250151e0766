package operate

import (
	"context"
	"strings"
	"sync"
	"time"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
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

// Examination is how far the check of a draft is.
type Examination struct {
	Running bool
	Err     error // why the last one ended without a report
}

// examining are the checks of drafts that this process makes.
type examining struct {
	mu   sync.Mutex
	runs map[string]*run
	all  sync.WaitGroup
}

type run struct {
	Examination
	cancel context.CancelFunc
}

// Examine begins to check what a draft's file names, unless that is under way. It goes on when whoever asked
// has gone; what is found is stored as by any other check.
func (h *Hand) Examine(project, integration string) {
	e, name := &h.examining, project+"/"+integration
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := e.runs[name]; now != nil && now.Running {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), examineFor)
	this := &run{Examination{Running: true}, cancel}
	if e.runs == nil {
		e.runs = map[string]*run{}
	}
	e.runs[name] = this
	e.all.Go(func() {
		defer cancel()
		err := h.Org.Examine(ctx, flow.CheckParams{Project: project, Integration: integration})
		e.mu.Lock()
		defer e.mu.Unlock()
		this.Examination = Examination{Err: err}
	})
}

// Examination is how the last check of a draft by this process went.
func (h *Hand) Examination(project, integration string) Examination {
	h.examining.mu.Lock()
	defer h.examining.mu.Unlock()
	if r := h.examining.runs[project+"/"+integration]; r != nil {
		return r.Examination
	}
	return Examination{}
}

// Stop ends the checks that are under way.
func (h *Hand) Stop() {
	h.examining.mu.Lock()
	for _, r := range h.examining.runs {
		r.cancel()
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
