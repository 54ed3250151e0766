package soak

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/simtime"
)

// live is what scripts that run through Temporal share: a namespace, the shipped worker,
// which is killed again and again, and a clock that runs and can be moved on.
type live struct {
	mu    sync.RWMutex // who writes into an org reads it: time does not jump meanwhile
	ahead atomic.Int64

	temporal client.Client
	program  string
	env      []string
	worker   *devstack.Process
	kills    int
}

func (l *live) now() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }

// pass moves the clock on, that of every org and of the database.
func (l *live) pass(ctx context.Context, d *database, by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ahead := time.Duration(l.ahead.Add(int64(by)))
	d.exec(ctx, `update simtime.clock set ahead = $1`, ahead)
}

// start starts the worker.
func (l *live) start() error {
	var err error
	l.worker, err = devstack.StartProcess(devstack.ProcessOptions{Name: "worker", Path: l.program, Env: l.env})
	return err
}

// killing kills the worker with SIGKILL now and then, and starts another one, until stop
// is closed.
func (l *live) killing(g *rand.Rand, stop <-chan struct{}) error {
	wait := func(d time.Duration) bool {
		select {
		case <-stop:
			return false
		case <-time.After(d):
			return true
		}
	}
	for wait(time.Duration(1500+g.IntN(3000)) * time.Millisecond) {
		l.kills++
		if err := l.worker.Kill(); err != nil {
			return err
		}
		wait(time.Duration(g.IntN(700)) * time.Millisecond)
		if err := l.start(); err != nil {
			return err
		}
	}
	return nil
}

// signal tells the workflow, as the starter and authsvc do.
func (r *run) signal(name string) {
	if r.live == nil || r.live.temporal == nil {
		return
	}
	err := r.live.temporal.SignalWorkflow(r.ctx, flow.WorkflowID(r.spec.Project, r.spec.Integration), "", name, flow.SignalPayload{Written: true})
	var unknown *serviceerror.NotFound
	if !errors.As(err, &unknown) { // it has not been started yet
		must(err, "signal "+name)
	}
}

// liveTick lets the worker work for a moment, and looks at what it says.
func (r *run) liveTick(g *rand.Rand) {
	time.Sleep(time.Duration(200+g.IntN(600)) * time.Millisecond)
	r.look()
	r.published()
	if r.away {
		return
	}
	lost := rows[struct{ State string }](r.ctx, r.d, `select state from connections where integration_id = $1`, r.id)[0].State == "lost"
	if lost && (r.healing || g.IntN(2) == 0) {
		r.tally.reconnects++
		r.connect()
	}
}

// liveActs are the steps that need no hand of ours on the activities.
var liveActs = []string{"tick", "wait", "twice", "end-sessions", "end-cursors", "revoke", "rotation", "move", "pages", "fault", "chaos", "peace", "outage",
	"quota", "edit", "resync", "pause", "disconnect", "reconnect", "field", "limits"}

// liveScript is the script of a seed without what cannot be done through Temporal.
func liveScript(seed uint64) script {
	s := makeScript(seed)
	s.steps = slices.DeleteFunc(s.steps, func(st step) bool {
		return !actOf(st.name).data && !slices.Contains(liveActs, st.name)
	})
	return s
}

// caught runs f and returns what it found wrong.
func caught(f func()) (err error) {
	defer func() {
		switch x := recover().(type) {
		case nil:
		case failure:
			err = x
		default:
			err = fmt.Errorf("panic: %v\n%s", x, debug.Stack())
		}
	}()
	f()
	return nil
}

// becomes waits until f finds nothing wrong, and goes on finding nothing; time passes
// quickly meanwhile.
func (r *run) becomes(what string, longest time.Duration, f func()) {
	g := rand.New(rand.NewPCG(1, 2))
	var last error
	good := 0
	for end := time.Now().Add(longest); good < 3; {
		if time.Now().After(end) {
			fail("%s: %v", what, last)
		}
		r.pass(30 * time.Second)
		r.tick(g)
		if last = caught(f); last != nil {
			good = 0
		} else {
			good++
		}
	}
}

// Scripts through the real Temporal and the shipped worker, which is killed with SIGKILL
// while they play.
func TestScriptsThroughTemporal(t *testing.T) {
	t.Parallel()
	address := os.Getenv("TEST_TEMPORAL_ADDRESS")
	require.NotEmpty(t, address, "TEST_TEMPORAL_ADDRESS is not set: run the tests with `make test`, or name a Temporal server")
	first, n := firstSeed(t), envNumber(t, "SOAK_LIVE", 10)
	t.Logf("measured: SOAK_SEED=%d and the %d seeds after it", first, n-1)
	d := newDatabaseOn(t, simtime.Running)
	temporal, inNamespace := namespace(t, address)
	l := &live{temporal: temporal, program: filepath.Join(t.TempDir(), "worker")}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", l.program, "./worker")
	build.Dir = filepath.Join("..", "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	began := time.Now()
	var runs []*run
	var hosts []string
	require.NoError(t, caught(func() {
		for i := range n {
			r := newRun(t.Context(), d, makeSetup(first+i), nil, l)
			t.Cleanup(r.end)
			runs = append(runs, r)
			_, port, _ := strings.Cut(strings.TrimPrefix(r.url, "http://"), ":")
			hosts = append(hosts, "127.0.0.1:"+port, "localhost:"+port)
		}
	}))
	l.env = []string{"PATH=" + os.Getenv("PATH"), "DATABASE_URL=" + d.url, "TEMPORAL_ADDRESS=" + address, "TEMPORAL_NAMESPACE=" + inNamespace,
		"ENCRYPTION_KEYS=test:" + base64.StdEncoding.EncodeToString(make([]byte, secret.KeySize)), "SALESFORCE_EXTRA_HOSTS=" + strings.Join(hosts, ",")}
	require.NoError(t, l.start())
	t.Cleanup(func() {
		_ = l.worker.Stop()
		if t.Failed() {
			t.Logf("the worker's last words:\n%s", l.worker.Tail(30))
		}
	})
	for _, r := range runs {
		_, err := l.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: flow.WorkflowID(r.spec.Project, r.spec.Integration), TaskQueue: flow.QueueIntegrations},
			flow.WorkflowIntegration, flow.IntegrationParams{Project: r.spec.Project, Integration: r.spec.Integration})
		require.NoError(t, err)
	}

	wrong := func(r *run, err error) {
		if err != nil {
			for _, at := range rows[struct{ Says string }](r.ctx, r.d, `
				select format('desired %s, %s since %s: %s; connection %s %s', i.desired, i.status, i.status_since, i.status_reason, c.state, c.lost_reason) as says
				from integrations i join connections c on c.integration_id = i.id where i.id = $1
				union all select format('%s: %s %s; %s %s until %s', name, state, problem, fault_kind, fault_message, retry_at) from objects where integration_id = $1`, r.id) {
				t.Logf("seed %d: %s", r.set.seed, at.Says)
			}
			t.Errorf("seed %d: %v\n--- setup: %s\n--- script: %s\n--- the last of what happened:\n%s", r.set.seed, err, r.set, liveScript(r.set.seed),
				strings.Join(r.trail[max(0, len(r.trail)-30):], "\n"))
		}
	}
	stop, killer := make(chan struct{}), sync.WaitGroup{}
	killer.Go(func() {
		if err := l.killing(rand.New(rand.NewPCG(first, 0x9)), stop); err != nil {
			t.Error(err)
		}
	})
	each(runs, func(r *run) {
		wrong(r, caught(func() {
			for _, st := range liveScript(r.set.seed).steps {
				r.say("step %s:%x", st.name, st.seed)
				actOf(st.name).do(r, st.rng())
				r.liveTick(st.rng())
				r.tally.steps++
			}
		}))
	})
	close(stop)
	killer.Wait()
	each(runs, func(r *run) {
		wrong(r, caught(func() {
			r.heal()
			r.signal(flow.SignalSyncNow)
			healed := r.now()
			r.becomes("after everything healed", 6*time.Minute, func() {
				check(r.now().Sub(healed) > 40*time.Minute, "time has yet to pass")
				r.compare()
			})
			units := r.units()
			r.onceMore()
			r.signal(flow.SignalSyncNow)
			r.becomes("after everything was read again", 6*time.Minute, func() {
				for _, s := range rows[struct{ Object string }](r.ctx, r.d, `
					select object from streams s where integration_id = $1 and lane = 'live' and not exists (
						select 1 from batches b where (b.stream_id, b.epoch, b.state) = (s.id, s.epoch, 'applied')) and $2`, r.id, r.set.seed%2 == 0) {
					fail("%s has yet to be read again", s.Object)
				}
				r.same(units)
			})
			r.tally.units = int(units)
			about, err := l.temporal.DescribeWorkflowExecution(r.ctx, flow.WorkflowID(r.spec.Project, r.spec.Integration), "")
			must(err, "describe the workflow")
			status := about.GetWorkflowExecutionInfo().GetStatus()
			check(status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, "the workflow is %s", status)
		}))
	})
	var total tally
	for _, r := range runs {
		total.add(r.tally)
	}
	t.Logf("measured: %d scripts through Temporal in %s, the worker killed %d times: %s", len(runs), time.Since(began).Round(time.Second), l.kills, total)
}

func each(runs []*run, f func(*run)) {
	var all sync.WaitGroup
	for _, r := range runs {
		all.Go(func() { f(r) })
	}
	all.Wait()
}

// namespace makes a namespace of the test's own, as starter setup leaves one.
func namespace(t *testing.T, address string) (client.Client, string) {
	t.Helper()
	name := "soak-" + store.NewID()
	o := client.Options{HostPort: address, Namespace: name, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))}
	admin, err := client.NewNamespaceClient(o)
	require.NoError(t, err)
	defer admin.Close()
	require.NoError(t, admin.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour)}))
	c, err := client.NewLazyClient(o)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	attributes := map[string]enumspb.IndexedValueType{}
	for _, a := range flow.Attributes {
		attributes[a] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	known := func() bool {
		have, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: name})
		return err == nil && len(have.GetCustomAttributes()) >= len(attributes)
	}
	require.Eventually(t, func() bool {
		_, err := c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{Namespace: name, SearchAttributes: attributes})
		return err == nil
	}, time.Minute, 200*time.Millisecond, "add the search attributes")
	require.Eventually(t, known, time.Minute, 100*time.Millisecond, "the search attributes are known")
	return c, name
}
