package operate

import (
	"context"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// Store is what is read and written of integrations; *store.Store is one.
type Store interface {
	IntegrationByName(ctx context.Context, project, name string) (store.Integration, error)
	ApplyIntegration(ctx context.Context, spec config.Integration) (store.ApplyResult, error)
	ApplyIntegrationOver(ctx context.Context, spec config.Integration, version int64) (store.ApplyResult, error)
	PlanIntegration(ctx context.Context, spec config.Integration) (store.ApplyResult, error)
	SetDesired(ctx context.Context, integrationID, desired string) error
	RequestSync(ctx context.Context, integrationID string) error
	RequestResync(ctx context.Context, integrationID, object string, from, until time.Time, reason string) error
	RequestBackfill(ctx context.Context, integrationID, object string, from, until time.Time, reason string) error
	SteerBackfill(ctx context.Context, project, integration, object, signal string) error
	Backfills(ctx context.Context, integrationID string) ([]store.Backfill, error)
	ObjectNames(ctx context.Context, integrationID string, wanted []string) ([]string, error)
	LoadSize(ctx context.Context, integrationID, object string) (store.LoadSize, error)
	LoadConnection(ctx context.Context, integrationID string) (*store.Connection, error)
	DeleteIntegration(ctx context.Context, integrationID string, erase bool) error
	Delivery(ctx context.Context, project, integration string) (*store.Delivery, error)
	DeliverAgain(ctx context.Context, integrationID string) error
	OpenRetransforms(ctx context.Context, project, integration string) ([]store.RetransformJob, error)
	RequestCheck(ctx context.Context, integrationID string) (int64, error)
	CheckReport(ctx context.Context, integrationID string) (store.StoredReport, error)
	BeginExamination(ctx context.Context, integrationID string, within time.Duration) (run int64, ok bool, err error)
	EndExamination(ctx context.Context, integrationID string, run int64, problem, hint string) error
	Examination(ctx context.Context, integrationID string) (store.Examination, error)
	UnitCap(ctx context.Context, integrationID string) (store.Cap, error)
	Sensitive(ctx context.Context, project string) (store.Sensitive, error)
	QuotaStore
}

// Access gives the access to Salesforce back; *oauth.Service does.
type Access interface {
	Disconnect(ctx context.Context, integrationID string) error
}

// Hand does what an operator asks for. Store and Dial are required; Access for Disconnect and Delete.
type Hand struct {
	Store  Store
	Dial   func(context.Context) (*Temporal, error) // what it gives is closed after each use
	Access Access
	Org    Org // asked about drafts; nil = none are made here

	EndWait   time.Duration // how long Delete waits for a workflow to end itself; 0 = 15 s
	CheckWait time.Duration // how long Check waits for a fresh report; 0 = a minute

	kept      kept
	examining examining
}

// What became of the workflow.
const (
	WorkflowStarted    = "started"
	WorkflowSignalled  = "signalled"
	WorkflowNotStarted = "not_started"
	WorkflowRunning    = "running"
)

// Done is what a steering method did. With an error too, it is what was done before.
type Done struct {
	Written  bool   // what was asked for is in PostgreSQL
	Desired  string // running, paused or disconnected
	Workflow string // started, signalled, running (it looks by itself) or not_started
}

// Why says why something cannot be done as things are.
type Why string

// The reasons.
const (
	Disconnected Why = "disconnected"  // from Salesforce, by an operator
	NotConnected Why = "not_connected" // to Salesforce
	Paused       Why = "paused"
	Stopped      Why = "stopped" // paused, disconnected or being deleted
	NoWorkflow   Why = "no_workflow"
	NoObjects    Why = "no_objects"
	UnderWay     Why = "under_way"      // a backfill of the same object
	NoneUnderWay Why = "none_under_way" // no such backfill
	NoReport     Why = "no_report"      // none came in time
)

// Refused is an error about the state of an integration. Its hint is for the edge to give.
type Refused struct {
	Why     Why
	Name    string   // project/integration
	Objects []string // that it is about
	Fault   *fault.Error
}

// Error is the fault's message.
func (r *Refused) Error() string { return r.Fault.Error() }

// Unwrap gives the fault.
func (r *Refused) Unwrap() error { return r.Fault }

// WithHint returns r with the next step for people.
func (r *Refused) WithHint(format string, args ...any) *Refused {
	r.Fault = r.Fault.WithHint(format, args...)
	return r
}

func refuse(kind fault.Kind, why Why, i store.Integration, format string, args ...any) *Refused {
	return &Refused{Why: why, Name: nameOf(i), Fault: fault.New(kind, format, args...)}
}

func nameOf(i store.Integration) string { return i.Project + "/" + i.Name }

// Connected reports whether there is a grant that can be used.
func Connected(i store.Integration) bool { return i.ConnectionState == store.ConnectionGranted }

// connectable refuses to go on after a disconnect that no grant followed.
func connectable(i store.Integration) error {
	if i.Desired == store.DesiredDisconnected && !Connected(i) {
		return refuse(fault.Conflict, Disconnected, i, "%s is disconnected from Salesforce", nameOf(i))
	}
	return nil
}

func noWorkflow(i store.Integration) error {
	return refuse(fault.NotFound, NoWorkflow, i, "no workflow runs for %s", nameOf(i))
}

// tell signals the integration's workflow.
func (h *Hand) tell(ctx context.Context, i store.Integration, signal string) (running bool, err error) {
	temporal, err := h.Dial(ctx)
	if err != nil {
		return false, err
	}
	defer temporal.Close()
	return temporal.Signal(ctx, flow.WorkflowID(i.Project, i.Name), signal)
}

// told is tell for what needs a workflow to be of use.
func (h *Hand) told(ctx context.Context, i store.Integration, signal string, d Done) (Done, error) {
	running, err := h.tell(ctx, i, signal)
	switch {
	case err != nil:
		return d, err
	case !running:
		return d, noWorkflow(i)
	}
	d.Workflow = WorkflowSignalled
	return d, nil
}
