package web

import (
	"context"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// handOf is the hand on integrations with a Temporal of the test's; without auth Salesforce cannot be asked.
func handOf(t *testing.T, db *store.Store, temporal *temporalFake, revoke, auth *oauth.Service) operate.Buttons {
	t.Helper()
	hand := &operate.Hand{Store: db, Dial: operate.Share(temporal, client.Options{HostPort: "temporal.test"}, ""), Access: revoke, Org: noOrg{}}
	if auth != nil {
		hand.Org = org{auth, &poll.Service{Store: db, Orgs: orgs{auth}, Listener: store.NewListener()}}
	}
	t.Cleanup(hand.Stop)
	return operate.Buttons{Hand: hand}
}

func checksOf(t *testing.T, hosts []string) config.Checks {
	t.Helper()
	checks, err := operate.Checks(hosts, nil)
	require.NoError(t, err)
	return checks
}

// org asks the simulated Salesforce, as the program does.
type org struct {
	auth *oauth.Service
	poll *poll.Service
}

func (o org) Objects(ctx context.Context, id string) ([]salesforce.ObjectSummary, error) {
	return o.auth.Org(id).DescribeGlobal(ctx)
}

func (o org) Describe(ctx context.Context, id, object string) (salesforce.Object, error) {
	return o.auth.Org(id).Describe(ctx, object)
}

func (o org) Examine(ctx context.Context, p flow.CheckParams) error {
	_, err := o.poll.Check(ctx, p)
	return err
}

type orgs struct{ auth *oauth.Service }

func (o orgs) Org(id string) poll.Salesforce { return o.auth.Org(id) }

// noOrg is a Salesforce that does not answer.
type noOrg struct{}

func (noOrg) err() error { return fault.New(fault.Transient, "Salesforce does not answer") }

func (o noOrg) Objects(context.Context, string) ([]salesforce.ObjectSummary, error) {
	return nil, o.err()
}
func (o noOrg) Describe(context.Context, string, string) (salesforce.Object, error) {
	return salesforce.Object{}, o.err()
}
func (o noOrg) Examine(context.Context, flow.CheckParams) error { return o.err() }

// temporalFake is a Temporal that remembers what it was asked for. No workflow runs but those that it started.
type temporalFake struct {
	client.Client

	mu      sync.Mutex
	down    bool
	started map[string]int
	signals []string // "workflow signal"
}

func (f *temporalFake) answer(id string) error {
	switch {
	case f.down:
		return serviceerror.NewUnavailable("made by the test")
	case f.started[id] == 0:
		return serviceerror.NewNotFound("no such workflow")
	}
	return nil
}

func (f *temporalFake) setDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

func (f *temporalFake) starts(id string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started[id]
}

func (f *temporalFake) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &workflowservice.DescribeWorkflowExecutionResponse{}, f.answer(id)
}

func (f *temporalFake) SignalWorkflow(_ context.Context, id, _, name string, _ any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.answer(id)
	if err == nil {
		f.signals = append(f.signals, id+" "+name)
	}
	return err
}

func (f *temporalFake) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, serviceerror.NewUnavailable("made by the test")
	}
	if f.started == nil {
		f.started = map[string]int{}
	}
	f.started[o.ID]++
	return nil, nil
}

func (f *temporalFake) GetWorkflow(context.Context, string, string) client.WorkflowRun {
	return ended{}
}

// ended is a workflow that has ended.
type ended struct{ client.WorkflowRun }

func (ended) Get(context.Context, any) error { return nil }

// hidden gives the value of a hidden field of a page.
func (v view) hidden(t *testing.T, name string) string {
	t.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(v.html)
	require.NotNil(t, found, "no field %s: %s", name, v.html)
	return found[1]
}

// settled waits until the check of a draft is over and gives the page.
func (br *browser) settled(path string) view {
	br.b.t.Helper()
	var got view
	require.Eventually(br.b.t, func() bool {
		got = br.get(path)
		return !regexp.MustCompile(`Asking Salesforce`).MatchString(got.html)
	}, 2*time.Minute, 20*time.Millisecond)
	return got
}

// with is a form with some fields changed; "" takes one out.
func with(form url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for name, values := range form {
		out[name] = values
	}
	for i := 0; i < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
	}
	return out
}
