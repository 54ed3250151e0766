package web

import "context"

// Operator is the hand on integrations that run: what the buttons do. Who may is asked before it is called.
// It writes PostgreSQL first, which acts within seconds, and then tells the workflow.
//
// Its errors are faults for people: fault.Conflict names a state in which that cannot be done (paused,
// disconnected, not connected, a load under way), fault.NotFound an integration or object that is not
// there, and fault.Unreachable says that it is written down, but that Temporal does not answer: what was
// asked for happens, and is shown late. Their hints name pages, never commands.
type Operator interface {
	// Pause stops all calls to Salesforce within seconds. Pausing twice is pausing once.
	Pause(ctx context.Context, project, integration string) error
	// Resume lets a paused integration go on, and starts its workflow where none runs.
	Resume(ctx context.Context, project, integration string) error
	// SyncNow looks for news at once.
	SyncNow(ctx context.Context, project, integration string) error
	// Backfill reads all records of an object again in bulk, beside live sync; object "" = of all objects.
	Backfill(ctx context.Context, project, integration, object string) error
	// ResumeBackfill lets the paused backfill of an object go on.
	ResumeBackfill(ctx context.Context, project, integration, object string) error
	// DeliverAgain has all comments sent to the tenant once more.
	DeliverAgain(ctx context.Context, project, integration string) error
	// Disconnect gives the access to Salesforce back; comments stay.
	Disconnect(ctx context.Context, project, integration string) error
	// Delete disconnects, ends the workflows and removes the integration. Comments stay, unless erase.
	Delete(ctx context.Context, project, integration string, erase bool) error
}
