package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"salesforcesync/internal/app"
	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

// asProgram makes the test's own binary the program: real environment, signals and
// exit codes without building a second time.
const asProgram = "WORKER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(storetest.Main(m))
}

// bench is a database and a namespace of one test.
type bench struct {
	t         *testing.T
	db        *store.Store
	seed      *storetest.Seed
	namespace string
	env       map[string]string
	temporal  client.Client
	tokens    simforce.Tokens // of the grant

	destination *config.Destination // of the integration
}

func newBench(t *testing.T) *bench {
	t.Helper()
	address := os.Getenv("TEST_TEMPORAL_ADDRESS")
	require.NotEmpty(t, address, "TEST_TEMPORAL_ADDRESS is not set: run the tests with `make test`, or name a Temporal server")
	return newBenchAt(t, address)
}

// newBenchAt is newBench on a Temporal server of the test's own.
func newBenchAt(t *testing.T, address string) *bench {
	t.Helper()
	db, seed := storetest.NewSeed(t)
	b := &bench{t: t, db: db, seed: seed, namespace: "worker-" + store.NewID()}
	b.env = map[string]string{
		"DATABASE_URL":       seed.URL(),
		"ENCRYPTION_KEYS":    "test:" + base64.StdEncoding.EncodeToString(make([]byte, secret.KeySize)),
		"TEMPORAL_ADDRESS":   address,
		"TEMPORAL_NAMESPACE": b.namespace,
		"METRICS_ADDR":       "127.0.0.1:0",
		"LOG_LEVEL":          "debug",
	}
	quiet := client.Options{HostPort: address, Namespace: b.namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))}
	namespaces, err := client.NewNamespaceClient(quiet)
	require.NoError(t, err)
	defer namespaces.Close()
	require.NoError(t, namespaces.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: b.namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour)}))
	b.temporal, err = client.NewLazyClient(quiet)
	require.NoError(t, err)
	t.Cleanup(b.temporal.Close)
	b.eventually("the namespace is known", func() bool {
		_, err := b.temporal.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: b.namespace})
		return err == nil
	})
	return b
}

func (b *bench) eventually(what string, yes func() bool) {
	b.t.Helper()
	require.Eventually(b.t, yes, 3*time.Minute, 50*time.Millisecond, what)
}

// attributes creates search attributes in the test's namespace and waits for them.
func (b *bench) attributes(types map[string]enumspb.IndexedValueType) {
	b.t.Helper()
	_, err := b.temporal.OperatorService().AddSearchAttributes(b.t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: b.namespace, SearchAttributes: types})
	require.NoError(b.t, err)
	b.eventually("search attributes are known", func() bool {
		have, err := b.temporal.OperatorService().ListSearchAttributes(b.t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: b.namespace})
		for name := range types {
			if err != nil || have.GetCustomAttributes()[name] == enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED {
				return false
			}
		}
		return true
	})
}

func (b *bench) setUp() {
	all := map[string]enumspb.IndexedValueType{}
	for _, name := range flow.Attributes {
		all[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	b.attributes(all)
}

func (b *bench) program(args ...string) *exec.Cmd {
	b.t.Helper()
	self, err := os.Executable()
	require.NoError(b.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // it lives as long as the test
	b.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = []string{asProgram + "=1", "PATH=" + os.Getenv("PATH")}
	for k, v := range b.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}

func TestRefusesMissingSearchAttributes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	refused := func(says ...string) {
		t.Helper()
		cmd := b.program()
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		require.Equal(t, app.ExitInvalid, cmd.ProcessState.ExitCode(), stderr.String())
		for _, s := range append(says, b.namespace, "next step: run `starter setup`") {
			require.Contains(t, stderr.String(), s)
		}
		require.Empty(t, stdout.String())
	}
	refused("no search attribute " + flow.Attributes[0])
	b.attributes(map[string]enumspb.IndexedValueType{flow.Attributes[0]: enumspb.INDEXED_VALUE_TYPE_KEYWORD, flow.Attributes[1]: enumspb.INDEXED_VALUE_TYPE_TEXT})
	refused("no search attribute "+flow.Attributes[1], "of type Keyword")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	b := &bench{t: t}
	for _, flag := range []string{"--help", "-h"} {
		cmd := b.program(flag)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		require.NoError(t, cmd.Run())
		require.Empty(t, stderr.String())
		for _, v := range config.Variables() {
			for _, p := range v.Programs {
				if p == config.Worker && !strings.HasPrefix(v.Name, "TEMPORAL_") {
					require.Contains(t, stdout.String(), "  "+v.Name+" ", "the help names what the program reads")
				}
			}
		}
		require.Contains(t, stdout.String(), "TEMPORAL_ADDRESS")
		require.Contains(t, stdout.String(), "starter setup")
	}
}

// running is a worker that has said it runs.
type running struct {
	t       *testing.T
	cmd     *exec.Cmd
	metrics string // address
	done    chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

func (r *running) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func (b *bench) start() *running {
	b.t.Helper()
	r := &running{t: b.t, cmd: b.program(), done: make(chan struct{})}
	stderr, err := r.cmd.StderrPipe()
	require.NoError(b.t, err)
	require.NoError(b.t, r.cmd.Start())
	b.t.Cleanup(func() { _ = r.cmd.Process.Kill(); <-r.done })
	up := make(chan string, 1)
	go func() {
		defer close(r.done)
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20)
		address := ""
		for lines.Scan() {
			r.mu.Lock()
			r.log.Write(append(lines.Bytes(), '\n'))
			r.mu.Unlock()
			var line struct{ Msg, Server, Address string }
			_ = json.Unmarshal(lines.Bytes(), &line) // a last word before the end is plain text
			if line.Msg == "listening" && line.Server == "metrics" {
				address = line.Address
			}
			if line.Msg == "running" {
				up <- address
			}
		}
		_, _ = io.Copy(io.Discard, stderr)
	}()
	select {
	case r.metrics = <-up:
	case <-r.done:
		require.Fail(b.t, "the worker did not start", r.said())
	}
	return r
}

func (r *running) get(path string) (int, string) {
	r.t.Helper()
	res, err := http.Get("http://" + r.metrics + path)
	require.NoError(r.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	return res.StatusCode, string(body)
}

func (r *running) stop() int {
	r.t.Helper()
	require.NoError(r.t, r.cmd.Process.Signal(syscall.SIGTERM))
	<-r.done
	_ = r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

// integration applies one, connects it and starts its workflow.
func (b *bench) integration(sim *simforce.Server, address string, properties ...config.Property) (workflowID string) {
	b.t.Helper()
	return b.integrationOf(sim, address, "support", "salesforce-prod", properties...)
}

// integrationOf is integration by another name.
func (b *bench) integrationOf(sim *simforce.Server, address, project, name string, properties ...config.Property) (workflowID string) {
	b.t.Helper()
	at := config.Connection{InstanceURL: address, LoginURL: address, ConsumerKey: "3MVG9simforce", ConsumerSecret: "hunter2hunter2"}
	r, err := b.db.ApplyIntegration(b.t.Context(), config.Integration{
		Project: project, Integration: name, Source: "emails-" + name, PollInterval: config.MinPollInterval, Connection: at, Destination: b.destination,
		Objects: []config.Object{{Object: "EmailMessage", Preset: config.PresetEmail, Properties: properties, Deleted: config.DeletedTombstone}},
	})
	require.NoError(b.t, err)
	b.tokens, err = sim.Grant(simforce.SyncUser)
	require.NoError(b.t, err)
	acme := sim.Orgs()[0]
	require.NoError(b.t, b.db.SaveGrant(b.t.Context(), store.SalesforceGrant{
		IntegrationID: r.IntegrationID, OrgID: acme.ID, UserID: acme.Users[simforce.SyncUser], Username: simforce.SyncUser, InstanceURL: address,
		Access: secret.Text(b.tokens.AccessToken), Refresh: secret.Text(b.tokens.RefreshToken),
	}))
	id := flow.WorkflowID(project, name)
	_, err = b.temporal.ExecuteWorkflow(b.t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: flow.QueueIntegrations},
		flow.WorkflowIntegration, flow.IntegrationParams{Project: project, Integration: name})
	require.NoError(b.t, err)
	return id
}

func (b *bench) watching(workflowID string) bool {
	b.t.Helper()
	d, err := b.temporal.DescribeWorkflowExecution(b.t.Context(), workflowID, "")
	require.NoError(b.t, err)
	for _, a := range d.GetPendingActivities() {
		if a.GetActivityType().GetName() == flow.Watch.Name && a.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED {
			return true
		}
	}
	return false
}

func TestServesHealthAndStopsDuringAWatch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	sim, address := b.salesforce(5)

	w := b.start()
	require.NotEmpty(t, w.metrics, "port 0 is any, and the log says which")
	status, body := w.get("/healthz")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"status":"ok"}`, body)
	status, body = w.get("/readyz")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"status":"ok","checks":{"database":"ok","schema":"ok","temporal":"ok"}}`, body)

	id := b.integration(sim, address)
	comments := func() int { return len(b.seed.Strings(`select id from comments`)) }
	b.eventually("everything is there and it watches", func() bool { return comments() == 5 && b.watching(id) })
	status, body = w.get("/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `salesforcesync_salesforce_calls_total{fault="",kind=`)
	for _, metric := range []string{"backfills_open", "backfills_waiting", "backfill_rows_loaded", "backfill_rows_expected", "bulk_jobs"} {
		require.Contains(t, body, "\nsalesforcesync_"+metric+" 0\n")
	}
	status, _ = w.get("/anything")
	require.Equal(t, http.StatusNotFound, status)

	b.eventually("it watches", func() bool { return b.watching(id) })
	require.Equal(t, app.ExitOK, w.stop(), w.said())
	require.Regexp(t, `^\{"level":"info".*"msg":"starting","version":"devel","commit":"","go":"go`, w.said(), "the first line says which build it is")
	require.NotContains(t, w.said(), "stop was not clean")
	for _, known := range []string{"hunter2", b.tokens.AccessToken, b.tokens.RefreshToken, b.env["ENCRYPTION_KEYS"]} {
		require.NotContains(t, w.said(), known)
	}

	// The next worker takes the watch over and what was written meanwhile.
	_, err := sim.CreateRecord("EmailMessage", simforce.Write{Fields: simforce.Row{
		"Subject": "meanwhile", "TextBody": "written while no worker ran", "FromAddress": "ann@example.com", "ToAddress": "support@acme.example",
		"Incoming": true, "Status": "0", "MessageDate": time.Now().UTC().Truncate(time.Second)}})
	require.NoError(t, err)
	next := b.start()
	b.eventually("the sixth arrives", func() bool { return comments() == 6 })
	require.Equal(t, app.ExitOK, next.stop(), next.said())
}

// salesforce runs a simulator with a few mails and lets the worker call it.
func (b *bench) salesforce(mails int) (*simforce.Server, string) {
	b.t.Helper()
	return b.salesforceWith(simforce.Options{Generate: mails})
}

// salesforceWith is salesforce with whatever the options say.
func (b *bench) salesforceWith(o simforce.Options) (*simforce.Server, string) {
	b.t.Helper()
	o.ConsumerSecret = "hunter2hunter2"
	sim, err := simforce.New(o)
	require.NoError(b.t, err)
	server := httptest.NewServer(sim)
	b.t.Cleanup(server.Close)
	sim.SetBaseURL(server.URL)
	b.env["SALESFORCE_EXTRA_HOSTS"] = strings.TrimPrefix(server.URL, "http://")
	return sim, server.URL
}

// status is what the operator sees.
func (b *bench) status() string {
	return b.seed.Strings(`select status || ' | ' || status_reason || ' | ' || status_hint from integrations`)[0]
}

// An object or a field that does not exist is found after the grant and named, with the next step.
func TestUnknownFieldIsSaidByTheStatus(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	sim, address := b.salesforce(1)
	b.integration(sim, address, config.Property{Name: "Colour", Path: "Colour__c"})
	w := b.start()
	var said string
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(said)
		}
	})
	b.eventually("the status names the field", func() bool {
		said = b.status()
		return strings.HasPrefix(said, "config_invalid | ") && strings.Contains(said, "Colour__c") && !strings.HasSuffix(said, " | ")
	})
	require.Empty(t, b.seed.Strings(`select id from comments`))
	require.Equal(t, app.ExitOK, w.stop(), w.said())
}

// A ring that does not open what is kept is said where the operator looks, and nothing is lost by it.
func TestWrongKeyRingIsSaidByTheStatus(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.setUp()
	sim, address := b.salesforce(2)
	right := b.env["ENCRYPTION_KEYS"]
	b.env["ENCRYPTION_KEYS"] = "next:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, secret.KeySize))
	b.integration(sim, address)
	w := b.start()
	var said string
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(said)
		}
	})
	b.eventually("the status names the key ring", func() bool {
		said = b.status()
		return strings.Contains(said, "ENCRYPTION_KEYS does not hold the key") && strings.Contains(said, "add the missing key to the ring")
	})
	require.Equal(t, []string{"granted"}, b.seed.Strings(`select state from connections`))
	require.Empty(t, b.seed.Strings(`select id from comments`))
	require.Equal(t, app.ExitOK, w.stop(), w.said())

	b.env["ENCRYPTION_KEYS"] += "," + right
	w = b.start()
	require.NoError(t, b.temporal.SignalWorkflow(t.Context(), flow.WorkflowID("support", "salesforce-prod"), "", flow.SignalSyncNow, nil))
	b.eventually("it goes on", func() bool { return len(b.seed.Strings(`select id from comments`)) == 2 })
	require.Equal(t, app.ExitOK, w.stop(), w.said())
}
