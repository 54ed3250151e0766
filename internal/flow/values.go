package flow

import "time"

// IntegrationParams is the input of the Integration workflow. People give project
// and integration; State is set by continue-as-new only.
type IntegrationParams struct {
	Project     string            `json:"project"`
	Integration string            `json:"integration"`
	State       *IntegrationState `json:"state,omitempty"`
}

// Failure is the detail of an activity's error: what a workflow needs to decide and
// a person needs to act. Its kind is the error's type.
type Failure struct {
	Message    string        `json:"message"`
	Hint       string        `json:"hint,omitempty"`
	RetryAfter time.Duration `json:"retry_after,omitempty"`
}

// IntegrationState is what one run hands to the next. It is small on purpose: the
// truth is in PostgreSQL.
type IntegrationState struct {
	Totals    Counts                  `json:"totals"`
	Objects   map[string]*ObjectState `json:"objects,omitempty"`
	Status    string                  `json:"status,omitempty"`
	Since     time.Time               `json:"since,omitzero"`
	Runs      int                     `json:"runs,omitempty"`
	LastWatch time.Time               `json:"last_watch,omitzero"`
	Interval  time.Duration           `json:"interval,omitempty"`
	CheckAt   time.Time               `json:"check_at,omitzero"` // when refused objects are checked again
}

// ObjectState is one object's part of the loop.
type ObjectState struct {
	Batches  int64     `json:"batches,omitempty"`
	Totals   Counts    `json:"totals"`
	Failures int       `json:"failures,omitempty"` // in a row
	Refused  int       `json:"refused,omitempty"`  // for want of a right or a name, since it last went well
	RetryAt  time.Time `json:"retry_at,omitzero"`  // leaves the watch until then
	Fault    string    `json:"fault,omitempty"`
	Hint     string    `json:"hint,omitempty"`
	Kind     string    `json:"kind,omitempty"`
	LastSeq  int64     `json:"last_seq,omitempty"`
}

// Counts says what became of the rows of a batch. Rows is the sum of the other
// counts except Units.
type Counts struct {
	Rows            int64 `json:"rows"`
	Created         int64 `json:"created"`
	TextChanged     int64 `json:"text_changed"`
	MetadataChanged int64 `json:"metadata_changed"`
	Unchanged       int64 `json:"unchanged"`
	Stale           int64 `json:"stale"`
	SetAside        int64 `json:"set_aside"`
	Deleted         int64 `json:"deleted"`
	Filtered        int64 `json:"filtered,omitempty"`  // there, but outside the object's condition
	Invisible       int64 `json:"invisible,omitempty"` // no longer visible, and not known to be deleted
	Units           int64 `json:"units"`
}

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	c.Rows += o.Rows
	c.Created += o.Created
	c.TextChanged += o.TextChanged
	c.MetadataChanged += o.MetadataChanged
	c.Unchanged += o.Unchanged
	c.Stale += o.Stale
	c.SetAside += o.SetAside
	c.Deleted += o.Deleted
	c.Filtered += o.Filtered
	c.Invisible += o.Invisible
	c.Units += o.Units
}

// Sum is the number of rows that have an outcome.
func (c Counts) Sum() int64 {
	return c.Created + c.TextChanged + c.MetadataChanged + c.Unchanged + c.Stale + c.SetAside + c.Deleted +
		c.Filtered + c.Invisible
}

// Status is the answer of the status query.
type Status struct {
	Project     string         `json:"project"`
	Integration string         `json:"integration"`
	State       string         `json:"state"`
	Since       time.Time      `json:"since"`
	Reason      string         `json:"reason,omitempty"` // why it is in this state, for people
	Hint        string         `json:"hint,omitempty"`   // what to do about it
	Until       time.Time      `json:"until,omitzero"`   // when it goes on by itself
	LastWatch   time.Time      `json:"last_watch,omitzero"`
	Totals      Counts         `json:"totals"` // since the workflow first started
	Objects     []ObjectStatus `json:"objects"`
}

// ObjectStatus is one object's line in a Status.
type ObjectStatus struct {
	Object  string    `json:"object"`
	State   string    `json:"state"`
	Batches int64     `json:"batches"`
	Totals  Counts    `json:"totals"`
	Fault   string    `json:"fault,omitempty"`
	Hint    string    `json:"hint,omitempty"`
	RetryAt time.Time `json:"retry_at,omitzero"`
}

// CheckParams asks for the integration's objects to be checked against describe.
type CheckParams struct {
	Project     string `json:"project"`
	Integration string `json:"integration"`
}

// CheckResult says which objects can be synced.
type CheckResult struct {
	SpecVersion int64           `json:"spec_version"`
	Objects     []CheckedObject `json:"objects"`
}

// CheckedObject is the check's verdict on one object; Problem is empty when it is good.
type CheckedObject struct {
	Object  string `json:"object"`
	Problem string `json:"problem,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// WatchParams asks whether anything is new. One tick if Once, else ticks at the
// integration's interval for a bounded time.
type WatchParams struct {
	Project     string   `json:"project"`
	Integration string   `json:"integration"`
	Skip        []string `json:"skip,omitempty"` // objects that are busy or wait
	Once        bool     `json:"once,omitempty"`
}

// Outcomes of Watch.
const (
	OutcomeNews         = "news"                     // Objects have something to poll
	OutcomeQuiet        = "quiet"                    // nothing new in the time given
	OutcomeUnchecked    = "unchecked"                // the configuration changed: run Check
	OutcomeAwaiting     = StateAwaitingAuthorization // no grant, or it was lost
	OutcomePaused       = StatePaused
	OutcomeDisconnected = StateDisconnected
	OutcomeDeleted      = "deleted" // the integration is gone: end
)

// WatchResult says what Watch saw.
type WatchResult struct {
	Outcome  string        `json:"outcome"`
	Reason   string        `json:"reason,omitempty"`
	Hint     string        `json:"hint,omitempty"`
	News     []News        `json:"news,omitempty"`
	Interval time.Duration `json:"interval,omitempty"` // poll_interval
	Ticks    int           `json:"ticks,omitempty"`    // how often Salesforce was asked
	Objects  int           `json:"objects,omitempty"`  // objects configured
	Invalid  []ObjectFault `json:"invalid,omitempty"`  // objects that the last check refused
	Faults   []ObjectFault `json:"faults,omitempty"`   // objects that could not be asked this time
	// Backfills names objects with a backfill that no workflow looks after: start one for each.
	Backfills []string `json:"backfills,omitempty"`
	// Delivery says that comments are to be delivered and no workflow does: start it.
	Delivery bool `json:"delivery,omitempty"`
}

// News names an object with something new and the batch that will hold it.
type News struct {
	Object string   `json:"object"`
	Batch  BatchRef `json:"batch"`
}

// ObjectFault is one object's failure while others went on.
type ObjectFault struct {
	Object     string        `json:"object"`
	Kind       string        `json:"kind"`
	Message    string        `json:"message"`
	Hint       string        `json:"hint,omitempty"`
	RetryAfter time.Duration `json:"retry_after,omitempty"`
}

// BatchRef names a batch before anything is read: a retry finds its own work.
type BatchRef struct {
	Stream int64  `json:"stream"`
	Epoch  int64  `json:"epoch"`
	Seq    int64  `json:"seq"`
	Object string `json:"object,omitempty"` // for people
	Part   int    `json:"part,omitempty"`   // of a backfill, for people
}

// PollResult refers to what Poll staged. Rows is 0 when there was nothing after all.
type PollResult struct {
	Rows   int64 `json:"rows"`
	Bytes  int64 `json:"bytes"`            // of JSON, before compression
	Calls  int   `json:"calls"`            // Salesforce API requests made
	Sealed bool  `json:"sealed,omitempty"` // there is a batch to transform and apply
	More   bool  `json:"more,omitempty"`   // there is more to poll right now
}

// TransformResult says what Transform staged.
type TransformResult struct {
	Comments        int64 `json:"comments"`
	SetAside        int64 `json:"set_aside,omitempty"`
	Truncated       int64 `json:"truncated,omitempty"` // comments with a text that was too long
	CleaningVersion int   `json:"cleaning_version"`
}

// UpsertResult is a batch's receipt.
type UpsertResult struct {
	Counts Counts   `json:"counts"`
	More   bool     `json:"more,omitempty"` // there is more to poll right now
	Next   BatchRef `json:"next"`
	Again  bool     `json:"again,omitempty"` // it was applied before; these are the stored counts
}

// ReportParams puts a state that the workflow decided into PostgreSQL.
type ReportParams struct {
	Project     string    `json:"project"`
	Integration string    `json:"integration"`
	State       string    `json:"state"`
	Reason      string    `json:"reason,omitempty"`
	Hint        string    `json:"hint,omitempty"`
	Until       time.Time `json:"until,omitzero"`
	// Object, when set, reports one object's fault (Kind "" clears it) and not the integration's state.
	Object string `json:"object,omitempty"`
	Kind   string `json:"kind,omitempty"`
}

// ReportResult is empty.
type ReportResult struct{}

// SignalPayload may come with a signal. Any other payload, or none, is as good.
type SignalPayload struct {
	// Written says that whoever signals has written to PostgreSQL what the signal means;
	// the workflow only looks. Signals sent by hand have not.
	Written bool `json:"written"`
}

// SteerParams makes a signal that arrived at the workflow true in PostgreSQL.
type SteerParams struct {
	Project     string `json:"project"`
	Integration string `json:"integration"`
	Signal      string `json:"signal"`
	Object      string `json:"object,omitempty"` // the signal is for this object's backfill
}

// SteerResult is empty.
type SteerResult struct{}

// BackfillParams is the input of the Backfill workflow. State is set by continue-as-new only.
type BackfillParams struct {
	Project     string         `json:"project"`
	Integration string         `json:"integration"`
	Object      string         `json:"object"`
	State       *BackfillState `json:"state,omitempty"`
}

// BackfillState is what one run of a Backfill hands to the next.
type BackfillState struct {
	Totals Counts    `json:"totals"`
	Pages  int64     `json:"pages,omitempty"`
	Began  time.Time `json:"began,omitzero"`
	Runs   int       `json:"runs,omitempty"`
	Status string    `json:"status,omitempty"`
	Since  time.Time `json:"since,omitzero"`
}

// BackfillStatus is a backfill's answer to the status query.
type BackfillStatus struct {
	Project     string    `json:"project"`
	Integration string    `json:"integration"`
	Object      string    `json:"object"`
	State       string    `json:"state"`
	Since       time.Time `json:"since"`
	Reason      string    `json:"reason,omitempty"` // why it is in this state, for people
	Hint        string    `json:"hint,omitempty"`   // what to do about it
	Until       time.Time `json:"until,omitzero"`   // when it goes on by itself
	Began       time.Time `json:"began"`
	Parts       int       `json:"parts"`   // known so far
	Done        int       `json:"done"`    // of these, loaded
	Planned     bool      `json:"planned"` // every part is known
	Expected    int64     `json:"expected"`
	Rows        int64     `json:"rows"`               // loaded
	Reading     int       `json:"reading"`            // parts with a page under way
	Failures    int       `json:"failures,omitempty"` // parts that wait after a failure
	Pages       int64     `json:"pages"`              // loaded since the workflow first started
	Totals      Counts    `json:"totals"`             // of these
}

// BackfillStepParams asks for the next pages of an object's backfill. The activity waits a
// while for one to be ready.
type BackfillStepParams struct {
	Project     string `json:"project"`
	Integration string `json:"integration"`
	Object      string `json:"object"`
	// Busy are the streams of parts that must not be given out: a page of theirs is under way, or they wait
	// after a failure.
	Busy []int64 `json:"busy,omitempty"`
	// Fault is what parts wait for, to be shown; nil when nothing is wrong.
	Fault *ObjectFault `json:"fault,omitempty"`
	Until time.Time    `json:"until,omitzero"` // when they are tried again
	// Wait is how long the activity may wait for something to be ready; 0 = as long as it likes. It is short
	// while pages are under way: what becomes of them is not known to an activity that is.
	Wait time.Duration `json:"wait,omitempty"`
}

// Outcomes of BackfillStep, beside those of Watch that it shares (paused, awaiting
// authorization, disconnected, deleted).
const (
	OutcomeOpen      = "open"      // Ready pages can be read; none may be ready yet
	OutcomeDone      = "done"      // everything is loaded: end
	OutcomeCancelled = "cancelled" // somebody ended it, or its object changed: end
)

// BackfillStepResult says how a backfill stands.
type BackfillStepResult struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Ready are the next pages that can be read, one of each part, as many as should be under
	// way beside the busy ones.
	Ready    []BatchRef `json:"ready,omitempty"`
	Parts    int        `json:"parts"` // known so far
	Done     int        `json:"done"`  // of these, loaded
	Planned  bool       `json:"planned"`
	Expected int64      `json:"expected"` // rows
	Rows     int64      `json:"rows"`     // loaded
}

// RetransformParams is the input of the Retransform workflow.
type RetransformParams struct {
	Project     string `json:"project"`
	Integration string `json:"integration"`
	Cancel      bool   `json:"cancel,omitempty"` // end what is open
}

// RetransformCounts says what making texts anew of stored raw copies does, or did.
type RetransformCounts struct {
	Records         int64 `json:"records"`     // looked at
	WithoutRaw      int64 `json:"without_raw"` // of these, those without a raw copy: they stay as they are
	Unchanged       int64 `json:"unchanged"`
	Created         int64 `json:"created"` // were set aside, and become comments
	TextChanged     int64 `json:"text_changed"`
	MetadataChanged int64 `json:"metadata_changed"`
	SetAside        int64 `json:"set_aside"` // cannot become comments any more; their comments stay
	Units           int64 `json:"units"`     // AI units: Created + TextChanged
	// Of the texts that change.
	BodiesShorter     int64 `json:"bodies_shorter"`
	BodiesLonger      int64 `json:"bodies_longer"`
	SignaturesShorter int64 `json:"signatures_shorter"`
	SignaturesLonger  int64 `json:"signatures_longer"`
}

// Add adds d to c.
func (c *RetransformCounts) Add(d RetransformCounts) {
	c.Records += d.Records
	c.WithoutRaw += d.WithoutRaw
	c.Unchanged += d.Unchanged
	c.Created += d.Created
	c.TextChanged += d.TextChanged
	c.MetadataChanged += d.MetadataChanged
	c.SetAside += d.SetAside
	c.Units += d.Units
	c.BodiesShorter += d.BodiesShorter
	c.BodiesLonger += d.BodiesLonger
	c.SignaturesShorter += d.SignaturesShorter
	c.SignaturesLonger += d.SignaturesLonger
}

// RetransformProgress is how far the texts of one object are made anew.
type RetransformProgress struct {
	Object string            `json:"object"`
	State  string            `json:"state"` // open, done or cancelled
	Total  int64             `json:"total"` // records when it was asked for
	Counts RetransformCounts `json:"counts"`
}

// RetransformResult says how far RetransformStep came.
type RetransformResult struct {
	Open    bool                  `json:"open"` // there is more to do
	Objects []RetransformProgress `json:"objects"`
}

// RetransformStatus is the answer of a Retransform workflow to the status query.
type RetransformStatus struct {
	Project     string                `json:"project"`
	Integration string                `json:"integration"`
	State       string                `json:"state"`
	Reason      string                `json:"reason,omitempty"` // what it waits for
	Hint        string                `json:"hint,omitempty"`
	Until       time.Time             `json:"until,omitzero"` // when it is tried again
	Objects     []RetransformProgress `json:"objects"`
}

// DeliveryParams is the input of the Delivery workflow. State is set by continue-as-new only.
type DeliveryParams struct {
	Project     string         `json:"project"`
	Integration string         `json:"integration"`
	State       *DeliveryState `json:"state,omitempty"`
}

// DeliveryState is what one run of a Delivery hands to the next.
type DeliveryState struct {
	Status string    `json:"status,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Runs   int       `json:"runs,omitempty"`
}

// DeliveryCounts says what became of comments that were delivered, by the tenant's own word.
type DeliveryCounts struct {
	Sent              int64 `json:"sent"` // that the tenant took
	New               int64 `json:"new"`
	TextChanged       int64 `json:"text_changed"`
	PropertiesChanged int64 `json:"properties_changed"`
	Updated           int64 `json:"updated"` // TextChanged + PropertiesChanged, where it tells them apart
	Unchanged         int64 `json:"unchanged"`
	Uncounted         int64 `json:"uncounted"` // taken in answers whose counts are missing, or do not add up
	Deleted           int64 `json:"deleted"`   // that it was told to delete
}

// Add adds o to c.
func (c *DeliveryCounts) Add(o DeliveryCounts) {
	c.Sent += o.Sent
	c.New += o.New
	c.TextChanged += o.TextChanged
	c.PropertiesChanged += o.PropertiesChanged
	c.Updated += o.Updated
	c.Unchanged += o.Unchanged
	c.Uncounted += o.Uncounted
	c.Deleted += o.Deleted
}

// DeliverParams asks for comments to be delivered. The activity goes on for minutes, and
// comes back before that when the state of the delivery is no longer the one that is shown.
type DeliverParams struct {
	Project     string `json:"project"`
	Integration string `json:"integration"`
	Shown       string `json:"shown,omitempty"`
}

// DeliverResult says how a delivery stands. State is one of an integration's, or StateCancelled when
// there is nothing to deliver to any more: end.
type DeliverResult struct {
	State         string         `json:"state"`
	Reason        string         `json:"reason,omitempty"`
	Hint          string         `json:"hint,omitempty"`
	Until         time.Time      `json:"until,omitzero"`
	Counts        DeliveryCounts `json:"counts"` // since it has this destination
	Undeliverable int64          `json:"undeliverable,omitempty"`
}

// DeliveryStatus is the answer of a Delivery workflow to the status query.
type DeliveryStatus struct {
	Project       string         `json:"project"`
	Integration   string         `json:"integration"`
	State         string         `json:"state"`
	Since         time.Time      `json:"since"`
	Reason        string         `json:"reason,omitempty"` // why it is in this state, for people
	Hint          string         `json:"hint,omitempty"`   // what to do about it
	Until         time.Time      `json:"until,omitzero"`   // when it goes on by itself
	Counts        DeliveryCounts `json:"counts"`
	Undeliverable int64          `json:"undeliverable,omitempty"`
}
