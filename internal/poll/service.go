package poll

import (
	"cmp"
	"context"
	"sync"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// Salesforce is what this package asks of an org.
type Salesforce interface {
	Query(ctx context.Context, q string, o salesforce.QueryOptions) (salesforce.Page, error)
	Together(ctx context.Context, asks []salesforce.Ask) ([]salesforce.Answer, error)

	CreateQueryJob(ctx context.Context, q string, all bool) (salesforce.Job, error)
	QueryJob(ctx context.Context, id string) (salesforce.Job, error)
	QueryJobs(ctx context.Context) ([]salesforce.Job, error)
	DeleteJob(ctx context.Context, id string) error
	JobResults(ctx context.Context, id, locator string, maxRecords int, read func(salesforce.Results) error) error
}

// Orgs gives the org that an integration is connected to.
type Orgs interface {
	Org(integrationID string) Salesforce
}

// Quota shares out the org's requests, which are not ours alone.
type Quota interface {
	// Pace says how long an integration waits for its next look when it wants to wait
	// wanted and the last look cost so many calls.
	Pace(ctx context.Context, integrationID string, wanted time.Duration, calls int) (time.Duration, error)
	// Room reports whether something that can wait may be read.
	Room(ctx context.Context, integrationID string) (bool, error)
}

// Service answers the three questions. Store, Orgs and Listener are required.
type Service struct {
	Store    *store.Store
	Orgs     Orgs
	Listener *store.Listener
	Grants   Grants // nil: no grant is kept from expiring
	Quota    Quota  // nil: looks are as often as the file wants

	// WatchFor bounds one Watch; default 10 minutes.
	WatchFor time.Duration
	// StepFor bounds one BackfillStep; default 50 seconds.
	StepFor time.Duration
	// BatchBytes is about how much JSON one batch holds; default 16 MiB, where the
	// cost of a batch's three activities no longer counts.
	BatchBytes int64
	// BulkFrom is from how many rows on a first load or a resync goes through Bulk; default
	// 10,000, and a negative one is never. PartRows is how many rows a part of a backfill has, default a sixteenth of all within bounds;
	// PagesAtOnce how many pages of one backfill are under way, default one more than there are processors.
	BulkFrom    int64
	PartRows    int64
	PagesAtOnce int

	clocks     sync.Map // integration id → time.Duration: how far Salesforce's clock is ahead of ours
	plans      plans
	narrowings narrowings
	renewals   renewals
}

const (
	defaultWatchFor   = 10 * time.Minute
	defaultBatchBytes = 16 << 20
	chunkBytes        = 1 << 20
	pageRows          = 2000 // the most Salesforce gives in one page
	maxBatchRows      = 20000
	maxAsks           = 400  // queries in one batch; more only while one page is looked for
	maxParents        = 200  // changed parents followed in one query of children
	maxRechecks       = 2000 // Ids read again in one batch
	eraseBatches      = 50   // batches whose raw copies are rewritten between two looks
	removeBatches     = 200  // batches whose raw copies are removed between two looks
	agePages          = 5    // times some comments that are older than they are kept are erased between two looks
	retryRecords      = 200  // records of an object that are tried again between two looks
	recheckIDs        = 200  // Ids in one query: 18 characters each keep the URI short
)

// spec is the part of the integration file that the loop goes by.
type spec config.Integration

func specOf(t *store.Target) spec { return spec(t.File()) }

func (i spec) interval() time.Duration {
	return time.Duration(cmp.Or(i.PollInterval, config.DefaultPollInterval))
}

func (i spec) verifyInterval() time.Duration {
	return time.Duration(cmp.Or(i.VerifyInterval, config.DefaultVerifyInterval))
}

func (s *Service) watchFor() time.Duration {
	if s.WatchFor > 0 {
		return s.WatchFor
	}
	return defaultWatchFor
}

func (s *Service) batchBytes() int64 {
	if s.BatchBytes > 0 {
		return s.BatchBytes
	}
	return defaultBatchBytes
}
