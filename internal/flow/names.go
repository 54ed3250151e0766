package flow

import "strings"

// WorkflowIntegration is the type of the one workflow of an integration.
const WorkflowIntegration = "Integration"

// WorkflowBackfill is the type of the workflow of one object's large load. It runs beside
// the integration's, for as long as the load takes.
const WorkflowBackfill = "Backfill"

// WorkflowRetransform is the type of the workflow that makes an integration's texts anew of
// stored raw copies.
const WorkflowRetransform = "Retransform"

// WorkflowDelivery is the type of the workflow that delivers an integration's comments to a
// Communications Mining tenant. It runs for as long as the integration has a destination.
const WorkflowDelivery = "Delivery"

// Task queues, so that each stage scales apart.
const (
	QueueIntegrations = "integrations"      // workflows
	QueuePoll         = "integrations-poll" // Watch, Check, Poll and Deliver: few CPU, long waits
	QueueLoad         = "integrations-load" // Transform and Upsert: CPU and database
	// QueueBackfill has the stages of backfills, which would else stand before live work.
	QueueBackfill = "integrations-backfill"
)

// Queues lists the task queues. Each needs a worker somewhere.
var Queues = []string{QueueIntegrations, QueuePoll, QueueLoad, QueueBackfill}

// Signals. Their payload is optional (see SignalPayload): what changed is in
// PostgreSQL, the signal says "look now".
const (
	SignalTokenGranted   = "token-granted"
	SignalTokenRefreshed = "token-refreshed"
	SignalPause          = "pause"
	SignalResume         = "resume"
	SignalSyncNow        = "sync-now"
	SignalConfigChanged  = "config-changed"
)

// SignalCancel ends a backfill; what it has loaded stays. Backfills hear [SignalPause] and
// [SignalResume], too. A retransform hears this one only.
const SignalCancel = "cancel"

// QueryStatus answers with a [Status].
const QueryStatus = "status"

// Search attributes, all of type Keyword. `starter setup` creates them.
const (
	AttributeProject     = "SyncProject"
	AttributeIntegration = "SyncIntegration"
	AttributeStatus      = "SyncStatus"
)

// Attributes lists the search attributes to create.
var Attributes = []string{AttributeProject, AttributeIntegration, AttributeStatus}

// States of an integration, in SyncStatus, in the status query and in PostgreSQL.
const (
	StateAwaitingAuthorization = "awaiting_authorization"
	StateSyncing               = "syncing"
	StateIdle                  = "idle"
	StateBackingOff            = "backing_off"
	StateQuotaWait             = "quota_wait"
	StatePaused                = "paused"
	StateConfigInvalid         = "config_invalid"
	StateDisconnected          = "disconnected"
)

// States of a backfill that has ended, beside those it shares with integrations.
const (
	StateDone      = "done"
	StateCancelled = "cancelled"
)

// WorkflowID is the id of an integration's workflow: integration/<project>/<integration>.
func WorkflowID(project, integration string) string {
	return "integration/" + project + "/" + integration
}

// BackfillID is the id of the workflow of an object's backfill: backfill/<project>/<integration>/<object>.
func BackfillID(project, integration, object string) string {
	return "backfill/" + project + "/" + integration + "/" + object
}

// RetransformID is the id of the workflow that makes texts anew: retransform/<project>/<integration>.
func RetransformID(project, integration string) string {
	return "retransform/" + project + "/" + integration
}

// DeliveryID is the id of the workflow that delivers an integration's comments: delivery/<project>/<integration>.
func DeliveryID(project, integration string) string {
	return "delivery/" + project + "/" + integration
}

// FairnessKey is under which name Temporal shares its workers out among projects: the
// project, as far as Temporal takes it (64 bytes).
func FairnessKey(project string) string { return project[:min(len(project), 64)] }

// SplitName splits "<project>/<integration>" as people write it; ok is false for
// anything else.
func SplitName(name string) (project, integration string, ok bool) {
	project, integration, ok = strings.Cut(name, "/")
	return project, integration, ok && project != "" && integration != "" && !strings.Contains(integration, "/")
}

// OfWorkflow is the integration that a workflow is of, by its id; "" for ids of another form.
func OfWorkflow(id string) (project, integration string) {
	parts := strings.Split(id, "/")
	if len(parts) < 3 {
		return "", ""
	}
	return parts[1], parts[2]
}
