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

// Examine checks what a draft's file names and stores the report, as its workflow will before its first look.
func (h *Hand) Examine(ctx context.Context, project, integration string) error {
	return h.Org.Examine(ctx, flow.CheckParams{Project: project, Integration: integration})
}

// Forget drops what Salesforce said: another user may be connected now.
func (h *Hand) Forget() {
	h.kept.mu.Lock()
	defer h.kept.mu.Unlock()
	h.kept.said = nil
}
