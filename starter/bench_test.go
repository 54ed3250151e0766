package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/durationpb"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

func TestMain(m *testing.M) {
	code := storetest.Main(m)
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir)
	}
	os.Exit(code)
}

// bench is one installation with a database of its own.
type bench struct {
	t   *testing.T
	db  *store.Store
	dir string
	env map[string]string

	endWait, checkWait time.Duration // short where nobody is there to answer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	db, url := storetest.NewURL(t)
	b := &bench{t: t, db: db, dir: t.TempDir(), endWait: 2 * time.Second, checkWait: 3 * time.Second}
	b.env = map[string]string{
		"DATABASE_URL":         url,
		"ENCRYPTION_KEYS":      "test:" + base64.StdEncoding.EncodeToString(make([]byte, secret.KeySize)),
		"PUBLIC_URL":           "https://sync.acme.example",
		"TEMPORAL_ADDRESS":     "127.0.0.1:1", // nobody
		"TEMPORAL_CONFIG_FILE": b.write("temporal.toml", ""),
		"SF_CONSUMER_SECRET":   "hunter2",
	}
	return b
}

// withTemporal points the installation at the tests' namespace.
func (b *bench) withTemporal() *bench {
	b.t.Helper()
	b.env["TEMPORAL_ADDRESS"] = temporalAddress(b.t)
	b.env["TEMPORAL_NAMESPACE"] = testNamespace(b.t)
	return b
}

func (b *bench) write(name, content string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	require.NoError(b.t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

type ran struct {
	t         *testing.T
	code      int
	out, talk string
}

func (b *bench) run(args ...string) ran {
	b.t.Helper()
	return b.runWith("", args...)
}

func (b *bench) runWith(stdin string, args ...string) ran {
	b.t.Helper()
	var out, talk bytes.Buffer
	a := &app{in: strings.NewReader(stdin), out: &out, talk: &talk, endWait: b.endWait, checkWait: b.checkWait,
		lookup: func(name string) string { return b.env[name] }}
	code := a.run(b.t.Context(), args)
	for _, text := range []string{out.String(), talk.String()} {
		require.NotContains(b.t, text, "hunter2")
	}
	return ran{b.t, code, out.String(), talk.String()}
}

// good asserts success.
func (r ran) good() ran {
	r.t.Helper()
	require.Equal(r.t, exitOK, r.code, r.talk)
	return r
}

// bad asserts a failure that says all of words on stderr and nothing on stdout.
func (r ran) bad(code int, words ...string) ran {
	r.t.Helper()
	require.Equal(r.t, code, r.code, r.talk)
	for _, w := range words {
		require.Contains(r.t, r.talk, w)
	}
	require.Empty(r.t, r.out)
	return r
}

func (r ran) json(into any) {
	r.t.Helper()
	require.NoError(r.t, json.Unmarshal([]byte(r.good().out), into), r.out)
}

const mailYAML = `project: support
integration: salesforce-prod
source: salesforce-emails
connection:
  instance_url: acme.my.salesforce.com
  consumer_key: 3MVG9abc
  consumer_secret_env: SF_CONSUMER_SECRET
objects:
  - object: EmailMessage
    preset: email
    where: "Incoming = true"
    properties:
      Case Number: Parent.CaseNumber
`

// apply writes and applies the usual file under a project of its own and returns
// the integration's name.
func (b *bench) apply(extra ...string) (name, file string) {
	b.t.Helper()
	project := b.project()
	file = b.write("integration.yaml", strings.Replace(mailYAML, "project: support", "project: "+project, 1))
	b.run(append([]string{"apply", "-f", file}, extra...)...).good()
	return project + "/salesforce-prod", file
}

func (b *bench) grant(name string) {
	b.t.Helper()
	project, integration, _ := flow.SplitName(name)
	i, err := b.db.IntegrationByName(b.t.Context(), project, integration)
	require.NoError(b.t, err)
	require.NoError(b.t, b.db.SaveGrant(b.t.Context(), store.SalesforceGrant{
		IntegrationID: i.ID, OrgID: "00D000000000001EAA", UserID: "005000000000001AAA", Username: "sync@acme.example",
		InstanceURL: "https://acme.my.salesforce.com", Access: "00Dxx!access", Refresh: "5Aep.refresh",
	}))
}

func (b *bench) integration(name string) store.Integration {
	b.t.Helper()
	project, integration, _ := flow.SplitName(name)
	i, err := b.db.IntegrationByName(b.t.Context(), project, integration)
	require.NoError(b.t, err)
	return i
}

// ---------------------------------------------------------------- Temporal

func temporalAddress(t testing.TB) string {
	t.Helper()
	address := os.Getenv("TEST_TEMPORAL_ADDRESS")
	require.NotEmpty(t, address, "TEST_TEMPORAL_ADDRESS is not set: run the tests with `make test`, or name a Temporal server")
	return address
}

var namespace struct {
	once sync.Once
	name string
	err  error
}

// testNamespace is one namespace for this package's tests, set up by the program itself.
func testNamespace(t testing.TB) string {
	t.Helper()
	address := temporalAddress(t)
	namespace.once.Do(func() {
		namespace.name = "starter-" + store.NewID()
		namespace.err = makeNamespace(address, namespace.name)
	})
	require.NoError(t, namespace.err)
	return namespace.name
}

// makeNamespace registers a namespace, waits until it is known and creates the
// search attributes in it.
func makeNamespace(address, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := registerNamespace(ctx, address, name); err != nil {
		return err
	}
	a := &app{lookup: func(v string) string {
		return map[string]string{"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": name, "DATABASE_URL": "postgres://unused", "TEMPORAL_CONFIG_FILE": os.DevNull}[v]
	}}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	w, err := a.dial(ctx, cfg)
	if err != nil {
		return err
	}
	defer w.Close()
	for {
		if _, err = w.createAttributes(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		if err := operate.Rest(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func registerNamespace(ctx context.Context, address, name string) error {
	c, err := client.NewNamespaceClient(client.Options{HostPort: address})
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Register(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
}

func (b *bench) temporal() client.Client {
	b.t.Helper()
	c, err := client.Dial(client.Options{
		HostPort: b.env["TEMPORAL_ADDRESS"], Namespace: b.env["TEMPORAL_NAMESPACE"],
		Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(b.t, err)
	b.t.Cleanup(c.Close)
	return c
}

// databases of the projects that tests made: a namespace is shared, and so are the
// workers in it.
var databases sync.Map

// project makes a project's name for one test, so that workflow ids do not meet.
func (b *bench) project() string {
	name := "p" + store.NewID()
	databases.Store(name, b.db)
	return name
}

// work runs a stand-in for the Integration workflow that tells which signals it got and
// ends as the real one does: when it is told to look and finds its integration deleted.
func (b *bench) work() {
	b.t.Helper()
	w := worker.New(b.temporal(), flow.QueueIntegrations, worker.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, in flow.IntegrationParams) error {
		status := flow.Status{Project: in.Project, Integration: in.Integration, State: flow.StateIdle}
		if err := workflow.SetQueryHandler(ctx, flow.QueryStatus, func() (flow.Status, error) { return status, nil }); err != nil {
			return err
		}
		for {
			var name string
			selector := workflow.NewSelector(ctx)
			for _, s := range []string{flow.SignalPause, flow.SignalResume, flow.SignalSyncNow, flow.SignalConfigChanged} {
				selector.AddReceive(workflow.GetSignalChannel(ctx, s), func(c workflow.ReceiveChannel, _ bool) {
					c.Receive(ctx, nil)
					name = s
				})
			}
			selector.Select(ctx)
			status.Reason += name + " "
			if name != flow.SignalConfigChanged {
				continue
			}
			var desired string
			err := workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{ScheduleToCloseTimeout: 10 * time.Second}),
				func(ctx context.Context) (string, error) {
					db, ok := databases.Load(in.Project)
					if !ok {
						return "", nil
					}
					i, err := db.(*store.Store).IntegrationByName(ctx, in.Project, in.Integration)
					return i.Desired, err
				}).Get(ctx, &desired)
			if err != nil || desired == store.DesiredDeleted {
				return nil //nolint:nilerr // gone is as good as deleted
			}
		}
	}, workflow.RegisterOptions{Name: flow.WorkflowIntegration})
	require.NoError(b.t, w.Start())
	b.t.Cleanup(w.Stop)
}

// ownNamespace makes a namespace for one test.
func ownNamespace(t *testing.T, b *bench) string {
	t.Helper()
	name := "starter-" + store.NewID()
	require.NoError(t, makeNamespace(b.env["TEMPORAL_ADDRESS"], name))
	return name
}
