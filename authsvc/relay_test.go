package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.uber.org/zap"

	"salesforcesync/internal/app"
	"salesforcesync/internal/config"
	"salesforcesync/internal/devstack"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// never is for relays that must be notified, or told to deliver by the test.
const never = 24 * time.Hour

// relayBench is an outbox and a real Temporal.
type relayBench struct {
	t        *testing.T
	db       *store.Store
	seed     *storetest.Seed
	temporal client.Client
	project  string // of this test alone: the server is shared
}

func relaying(t *testing.T) *relayBench {
	t.Helper()
	db, seed := storetest.NewSeed(t)
	return &relayBench{t: t, db: db, seed: seed, temporal: dial(t, temporalAddress(t)), project: "p" + store.NewID()}
}

func temporalAddress(t *testing.T) string {
	t.Helper()
	address := os.Getenv("TEST_TEMPORAL_ADDRESS")
	require.NotEmpty(t, address, "TEST_TEMPORAL_ADDRESS is not set: run the tests with `make test`, or name a Temporal server")
	return address
}

func dial(t *testing.T, address string) client.Client {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{HostPort: address, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func (b *relayBench) id(integration string) string { return flow.WorkflowID(b.project, integration) }

// workflow starts a workflow that nobody works on: the server takes its signals all the same.
func (b *relayBench) workflow(integration string) {
	b.t.Helper()
	_, err := b.temporal.ExecuteWorkflow(b.t.Context(), client.StartWorkflowOptions{ID: b.id(integration), TaskQueue: "nobody-" + b.project}, "Stranger")
	require.NoError(b.t, err)
	b.t.Cleanup(func() {
		_ = b.temporal.TerminateWorkflow(context.WithoutCancel(b.t.Context()), b.id(integration), "", "the test is over")
	})
}

// got reads from the workflow's history which signals it has, in order.
func (b *relayBench) got(integration string) []string {
	b.t.Helper()
	var names []string
	events := b.temporal.GetWorkflowHistory(b.t.Context(), b.id(integration), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(b.t, err)
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			names = append(names, e.GetWorkflowExecutionSignaledEventAttributes().GetSignalName())
		}
	}
	return names
}

// put writes a signal as a transaction of the store does, without notifying.
func (b *relayBench) put(integration, signal string) {
	b.t.Helper()
	b.seed.Exec(`insert into outbox (workflow_id, signal) values ($1, $2)`, b.id(integration), signal)
}

// outbox gives one column for each signal, in the order in which they were written.
func (b *relayBench) outbox(column string) []string {
	b.t.Helper()
	return b.seed.Strings(`select coalesce((` + column + `)::text, '') from outbox order by id`)
}

func (b *relayBench) relay(temporal client.Client) *relay {
	return &relay{store: b.db, temporal: temporal, listener: store.NewListener(), log: zap.NewNop(), every: never}
}

// run runs a relay with its listener until the test ends.
func (b *relayBench) run(r *relay) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	var all sync.WaitGroup
	all.Go(func() { r.listener.Run(ctx, b.db) })
	all.Go(func() {
		if err := r.run(ctx); err != nil {
			b.t.Errorf("a relay ends with its context only: %v", err)
		}
	})
	b.t.Cleanup(func() { cancel(); all.Wait() })
}

func (b *relayBench) eventually(what string, yes func() bool) {
	b.t.Helper()
	require.Eventually(b.t, yes, time.Minute, 20*time.Millisecond, what)
}

func TestRelayIsNotifiedOfAGrant(t *testing.T) {
	t.Parallel()
	b := relaying(t)
	b.workflow("salesforce-prod")
	r, err := b.db.ApplyIntegration(t.Context(), config.Integration{
		Project: b.project, Integration: "salesforce-prod", Source: "emails", PollInterval: config.DefaultPollInterval,
		Connection: config.Connection{InstanceURL: "https://acme.my.salesforce.com", LoginURL: "https://acme.my.salesforce.com", ConsumerKey: "3MVG9"},
	})
	require.NoError(t, err)
	b.run(b.relay(b.temporal)) // looks once, and then only when it is told
	b.eventually("it listens", func() bool {
		return len(b.seed.Strings(`select 'x' from pg_stat_activity where datname = current_database() and query like 'listen %'`)) == 1
	})
	for i := range 2 {
		require.NoError(t, b.db.SaveGrant(t.Context(), store.SalesforceGrant{
			IntegrationID: r.IntegrationID, OrgID: "00D000000000001EAA", UserID: "005000000000001AAA", Username: "sync@acme.example",
			InstanceURL: "https://acme.my.salesforce.com", Access: "00Dxx!access", Refresh: "5Aep.refresh",
		}))
		b.eventually("the signal arrives", func() bool { return len(b.got("salesforce-prod")) == i+1 })
	}
	require.Equal(t, []string{flow.SignalTokenGranted, flow.SignalTokenGranted}, b.got("salesforce-prod"))
	b.eventually("it is settled", func() bool { return fmt.Sprint(b.outbox("outcome")) == "[delivered delivered]" })
	require.Equal(t, []string{"1", "1"}, b.outbox("attempts"))
}

func TestRelayNeverStartsAWorkflow(t *testing.T) {
	t.Parallel()
	b := relaying(t)
	b.workflow("ended")
	require.NoError(t, b.temporal.TerminateWorkflow(t.Context(), b.id("ended"), "", "by hand"))
	b.put("never-started", flow.SignalTokenGranted)
	b.put("ended", flow.SignalTokenRefreshed)
	require.NoError(t, b.relay(b.temporal).deliver(t.Context()))
	require.Equal(t, []string{store.SignalDropped, store.SignalDropped}, b.outbox("outcome"))
	_, err := b.temporal.DescribeWorkflowExecution(t.Context(), b.id("never-started"), "")
	var missing *serviceerror.NotFound
	require.ErrorAs(t, err, &missing)
	d, err := b.temporal.DescribeWorkflowExecution(t.Context(), b.id("ended"), "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, d.GetWorkflowExecutionInfo().GetStatus())
	require.NoError(t, b.relay(b.temporal).deliver(t.Context()), "nothing is left")
	require.Equal(t, []string{"1", "1"}, b.outbox("attempts"))
}

func TestTwoRelaysKeepOrderAndDeliverOnce(t *testing.T) {
	t.Parallel()
	b := relaying(t)
	want := map[string][]string{}
	for _, name := range []string{"a", "b", "c"} {
		b.workflow(name)
	}
	for i := range 40 {
		for _, name := range []string{"a", "b", "c"} {
			signal := "signal-" + strconv.Itoa(i)
			b.put(name, signal)
			want[name] = append(want[name], signal)
		}
	}
	var all sync.WaitGroup
	for range 2 {
		r := b.relay(dial(t, temporalAddress(t)))
		all.Go(func() {
			for ctx := t.Context(); ctx.Err() == nil; {
				if err := r.deliver(ctx); err != nil {
					t.Errorf("deliver: %v", err)
					return
				}
				if len(b.seed.Strings(`select 'x' from outbox where delivered_at is null`)) == 0 {
					return
				}
			}
		})
	}
	all.Wait()
	for name, signals := range want {
		require.Equal(t, signals, b.got(name), "workflow %s", name)
	}
	require.Equal(t, []string{"120"}, b.seed.Strings(`select count(*)::text from outbox where outcome = 'delivered' and attempts = 1`))
}

func TestSignalsWaitWhileTemporalIsAway(t *testing.T) {
	t.Parallel()
	b := relaying(t)
	g := newGate(t, temporalAddress(t))
	b.workflow("salesforce-prod")
	b.workflow("other")
	r := b.relay(dial(t, g.address))
	b.put("salesforce-prod", "first")
	b.put("salesforce-prod", "second")
	b.put("other", "third")

	// When a row was written, beside what was written: how long it waits is no matter of how long the test takes.
	for _, sql := range []string{`alter table outbox add column noted timestamptz`,
		`create function note_when() returns trigger language plpgsql as 'begin new.noted = now(); return new; end'`,
		`create trigger note_when before update on outbox for each row execute function note_when()`} {
		b.seed.Exec(sql)
	}
	var waits []string
	for attempt := 1; attempt <= 3; attempt++ {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		require.Error(t, r.deliver(ctx))
		cancel()
		require.Equal(t, strconv.Itoa(attempt), b.outbox("attempts")[0])
		require.NotContains(t, b.outbox("last_error"), "", "each says what went wrong")
		require.Equal(t, []string{"", "", ""}, b.outbox("outcome"))
		waits = append(waits, b.outbox("next_at - noted")[0])
		b.seed.Exec(`update outbox set next_at = now() + interval '1 hour'`)
		require.NoError(t, r.deliver(t.Context()), "nothing is due before its time")
		b.seed.Exec(`update outbox set next_at = now()`)
	}
	require.Equal(t, []string{"00:00:01", "00:00:02", "00:00:04"}, waits, "it asks less and less often")

	g.open(t)
	b.eventually("delivered", func() bool {
		b.seed.Exec(`update outbox set next_at = now() where delivered_at is null`)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return r.deliver(ctx) == nil
	})
	require.Equal(t, []string{"first", "second"}, b.got("salesforce-prod"))
	require.Equal(t, []string{"third"}, b.got("other"))
	require.Equal(t, []string{"", "", ""}, b.outbox("last_error"))
}

// One workflow's trouble must not turn its signals round, nor hold up the others'.
func TestWhatFollowsAFailedSignalWaits(t *testing.T) {
	t.Parallel()
	b := relaying(t)
	b.workflow("troubled")
	b.workflow("well")
	r := b.relay(failing{Client: b.temporal, times: map[string]int{"first": 1}})
	for _, s := range []string{"first", "second", "third"} {
		b.put("troubled", s)
		b.put("well", "for-"+s)
	}
	require.ErrorContains(t, r.deliver(t.Context()), "made by the test")
	require.Empty(t, b.got("troubled"))
	require.Equal(t, []string{"for-first", "for-second", "for-third"}, b.got("well"))
	b.put("troubled", "fourth")
	require.NoError(t, r.deliver(t.Context()))
	require.Empty(t, b.got("troubled"), "the fourth waits behind the first")
	b.seed.Exec(`update outbox set next_at = now() where delivered_at is null`)
	require.NoError(t, r.deliver(t.Context()))
	require.Equal(t, []string{"first", "second", "third", "fourth"}, b.got("troubled"))
}

// failing is a Temporal that fails a signal so many times.
type failing struct {
	client.Client
	times map[string]int
}

func (f failing) SignalWorkflow(ctx context.Context, workflowID, runID, name string, arg any) error {
	if f.times[name] > 0 {
		f.times[name]--
		return serviceerror.NewUnavailable("made by the test")
	}
	return f.Client.SignalWorkflow(ctx, workflowID, runID, name, arg)
}

func TestRelayStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	b := relaying(t)
	b.workflow("salesforce-prod")
	b.put("salesforce-prod", "first")
	ctx, cancel := context.WithCancel(t.Context())
	r := b.relay(stopping{b.temporal, cancel})
	_ = r.deliver(ctx) // it has been told to stop: whatever it says
	require.Equal(t, []string{store.SignalDelivered}, b.outbox("outcome"), "what was sent is not sent again")
	require.Equal(t, []string{"first"}, b.got("salesforce-prod"))
}

// stopping is a Temporal that takes a signal at the moment in which the process is told to stop.
type stopping struct {
	client.Client
	stop func()
}

func (s stopping) SignalWorkflow(ctx context.Context, workflowID, runID, name string, arg any) error {
	defer s.stop()
	return s.Client.SignalWorkflow(ctx, workflowID, runID, name, arg)
}

func TestRelaySweepsAfterAWeek(t *testing.T) {
	t.Parallel()
	b := relaying(t)
	for _, row := range []string{"'old', now() - interval '8 days', 'delivered'", "'dropped', now() - interval '8 days', 'dropped'",
		"'young', now() - interval '6 days', 'delivered'"} {
		b.seed.Exec(`insert into outbox (workflow_id, signal, delivered_at, outcome) values ('w', ` + row + `)`)
	}
	b.seed.Exec(`insert into outbox (workflow_id, signal, created_at, next_at) values ('w', 'waiting', now() - interval '30 days', now() + interval '1 day')`)
	b.run(b.relay(b.temporal))
	b.eventually("swept", func() bool { return fmt.Sprint(b.outbox("signal")) == "[young waiting]" })
}

// gate is an address at which nobody is until it is opened onto a server.
type gate struct{ address, to string }

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	port, err := devstack.FreePort()
	require.NoError(t, err)
	return &gate{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), to: to}
}

func (g *gate) open(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", g.address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := net.Dial("tcp", g.to)
				if err != nil {
					return
				}
				defer out.Close()
				go func() { _, _ = io.Copy(out, in) }()
				_, _ = io.Copy(in, out)
			}()
		}
	}()
}

// A Temporal that came back with an empty database answers, and nothing is delivered to it.
func TestReadinessWantsTheNamespace(t *testing.T) {
	t.Parallel()
	c := dial(t, temporalAddress(t))
	require.NoError(t, app.TemporalReady(c, client.DefaultNamespace)(t.Context()))
	err := app.TemporalReady(c, "nobody-"+store.NewID())(t.Context())
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
}
