package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"golang.org/x/sync/errgroup"

	"salesforcesync/internal/config"
	"salesforcesync/internal/devstack"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/meter"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
	"salesforcesync/internal/store"
)

// Who is measured.
const (
	ofWorker    = "worker"
	ofPostgres  = "PostgreSQL"
	ofSimulator = "simulator"
	ofTemporal  = "Temporal"
)

const (
	consumerKey    = "3MVG9bench"
	consumerSecret = "bench-consumer-secret"
	database       = "idle"
)

// objects that each integration has: what a support team has, each with its preset.
var objects = []config.Object{
	{Object: "EmailMessage", Preset: config.PresetEmail, Deleted: config.DeletedTombstone},
	{Object: "Case", Preset: config.PresetCase, Deleted: config.DeletedTombstone},
	{Object: "CaseComment", Preset: config.PresetCaseComment, Deleted: config.DeletedTombstone},
	{Object: "Task", Preset: config.PresetTask, Deleted: config.DeletedTombstone},
	{Object: "LiveChatTranscript", Preset: config.PresetChat, Deleted: config.DeletedTombstone},
}

// ground is what runs.
type ground struct {
	options
	tools *devstack.Tools
	out   io.Writer
	begun time.Time

	folder   string
	pg       *devstack.Postgres
	temporal *devstack.Temporal
	simURL   string
	worker   *devstack.Process
	running  []*devstack.Process
	meter    meter.Meter
	client   client.Client
	db       *store.Store
}

// bench does it all. temporal is that program; "" = what tools find.
func bench(ctx context.Context, tools *devstack.Tools, temporal string, o options, out io.Writer) (err error) {
	g := &ground{options: o, tools: tools, out: out, begun: time.Now(), meter: meter.Meter{PIDs: map[string]int{}}}
	tools.Say = g.say
	var clear func() error
	if g.folder, clear, err = tools.Scratch(o.dir, "bench-idle"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.remove(), clear()) }()
	if err := g.prepare(ctx, temporal); err != nil {
		return err
	}
	if err := g.connect(ctx); err != nil {
		return err
	}
	if err := g.settled(ctx); err != nil {
		return g.explain(err)
	}
	r, err := g.measure(ctx)
	if err != nil {
		return g.explain(err)
	}
	g.print(r)
	return nil
}

func (g *ground) say(format string, args ...any) {
	fmt.Fprintf(g.out, "%6.1fs  %s\n", time.Since(g.begun).Seconds(), fmt.Sprintf(format, args...))
}

// explain adds the worker's last words.
func (g *ground) explain(err error) error {
	return fmt.Errorf("%w\nthe worker's last words:\n%s", err, g.worker.Tail(10))
}

func (g *ground) remove() error {
	if g.client != nil {
		g.client.Close()
	}
	if g.db != nil {
		g.db.Close()
	}
	var errs []error
	for i := len(g.running) - 1; i >= 0; i-- {
		errs = append(errs, g.running[i].Stop())
	}
	if g.temporal != nil {
		errs = append(errs, g.temporal.Stop())
	}
	if g.pg != nil {
		errs = append(errs, g.pg.Remove())
	}
	return errors.Join(errs...)
}

// prepare starts everything with no integration yet.
func (g *ground) prepare(ctx context.Context, temporal string) error {
	g.say("building the programs")
	bin := filepath.Join(g.folder, "bin")
	if err := g.build(ctx, bin, "./worker", "./starter", "./internal/cmd/simforce"); err != nil {
		return err
	}
	if g.profile != "" {
		file, err := filepath.Abs(g.profile)
		if err != nil {
			return err
		}
		args, err := meter.Profiled(g.tools.Root, g.folder, file)
		if err != nil {
			return err
		}
		if err := g.build(ctx, bin, append(args, "./worker")...); err != nil {
			return err
		}
	}
	g.say("starting PostgreSQL, Temporal, the simulator and the worker")
	dir := filepath.Join(g.folder, "postgres")
	install, err := g.tools.PostgresFor(ctx, dir)
	if err != nil {
		return err
	}
	var settings []string
	if g.profile != "" {
		settings = []string{"shared_preload_libraries=pg_stat_statements"}
	}
	if g.pg, err = devstack.StartPostgres(ctx, devstack.PostgresOptions{Install: install, Dir: dir, Durable: true, Database: database, Settings: settings}); err != nil {
		return err
	}
	if g.temporal, err = devstack.StartTemporal(ctx, devstack.TemporalOptions{Bin: temporal, DBFile: filepath.Join(g.folder, "temporal.db")}); err != nil {
		return err
	}
	at, err := freeAddress()
	if err != nil {
		return err
	}
	g.simURL = "http://" + at
	sim, err := g.start(ctx, filepath.Join(bin, "simforce"), nil, g.simURL+"/services/data", "-addr", at, "-generate", "10",
		"-consumer-key", consumerKey, "-consumer-secret", consumerSecret, "-daily-requests", "1000000000")
	if err != nil {
		return err
	}
	key := make([]byte, secret.KeySize)
	_, _ = rand.Read(key) // never fails
	ring := "bench:" + base64.StdEncoding.EncodeToString(key)
	where, err := url.Parse(g.pg.URL())
	if err != nil {
		return err
	}
	where.Path = "/" + database
	env := []string{"DATABASE_URL=" + where.String(), "TEMPORAL_ADDRESS=" + g.temporal.Address(), "ENCRYPTION_KEYS=" + ring,
		"SALESFORCE_EXTRA_HOSTS=" + at}
	setup := exec.CommandContext(ctx, filepath.Join(bin, "starter"), "setup")
	setup.Env = append(devstack.BareEnvironment(), append(env, "ADMIN_EMAIL=bench@example.com", "ADMIN_PASSWORD="+rand.Text())...)
	if out, err := setup.CombinedOutput(); err != nil {
		return fmt.Errorf("starter setup: %w\n%s", err, bytes.TrimSpace(out))
	}
	metrics, err := freeAddress()
	if err != nil {
		return err
	}
	if g.worker, err = g.start(ctx, filepath.Join(bin, "worker"), append(env, "METRICS_ADDR="+metrics), "http://"+metrics+"/readyz"); err != nil {
		return err
	}
	g.meter.PIDs = map[string]int{ofWorker: g.worker.PID(), ofPostgres: g.pg.Process().PID(), ofTemporal: g.temporal.Process().PID(), ofSimulator: sim.PID()}
	keys, err := secret.ParseKeyRing(ring)
	if err != nil {
		return err
	}
	if g.db, err = store.Open(ctx, where.String(), store.Options{Keys: keys, ApplicationName: "bench-idle", MaxConns: 4}); err != nil {
		return err
	}
	g.client, err = client.DialContext(ctx, client.Options{HostPort: g.temporal.Address(), Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	return err
}

// build builds programs into a folder.
func (g *ground) build(ctx context.Context, into string, what ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-buildvcs=false", "-o", into + string(filepath.Separator)}, what...)...)
	cmd.Dir = g.tools.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

func freeAddress() (string, error) {
	port, err := devstack.FreePort()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), err
}

// start starts a program and waits until an address answers.
func (g *ground) start(ctx context.Context, path string, env []string, ready string, args ...string) (*devstack.Process, error) {
	p, err := devstack.StartProcess(devstack.ProcessOptions{Name: filepath.Base(path), Path: path, Args: args,
		Env: append(devstack.BareEnvironment(), env...), StopTimeout: 35 * time.Second})
	if err != nil {
		return nil, err
	}
	g.running = append(g.running, p)
	for limit := time.Now().Add(time.Minute); ; {
		err := call(ctx, http.MethodGet, ready, nil, nil)
		if err == nil {
			return p, nil
		}
		select {
		case <-p.Done():
			return nil, p.Ended()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(limit) {
			return nil, fault.Wrap(fault.Unreachable, err, "%s is not ready; its last words:\n%s", filepath.Base(path), p.Tail(15))
		}
	}
}

// call makes one HTTP call with JSON.
func call(ctx context.Context, method, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s says %s", method, req.URL.Path, resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// ids are those of integration n. Ten share a project.
func ids(n int) (project, integration string) {
	return fmt.Sprintf("team-%d", n/10), fmt.Sprintf("salesforce-%d", n)
}

// connect makes the integrations. Each has an org of its own as far as the product can see:
// the quota, and what is asked, is not shared.
func (g *ground) connect(ctx context.Context) error {
	g.say("making %d integrations", g.integrations)
	var tokens simforce.Tokens
	if err := call(ctx, http.MethodPost, g.simURL+"/_sim/login", map[string]string{"username": simforce.SyncUser}, &tokens); err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(4)
	for n := range g.integrations {
		all.Go(func() error {
			project, name := ids(n)
			r, err := g.db.ApplyIntegration(ctx, config.Integration{
				Project: project, Integration: name, Source: name, PollInterval: config.Duration(g.interval),
				Connection: config.Connection{InstanceURL: g.simURL, LoginURL: g.simURL, ConsumerKey: consumerKey, ConsumerSecret: consumerSecret},
				Objects:    objects,
			})
			if err != nil {
				return err
			}
			if err := g.db.SaveGrant(ctx, store.SalesforceGrant{IntegrationID: r.IntegrationID, OrgID: fmt.Sprintf("00D%012dAAA", n), UserID: "005000000000001AAA",
				Username: simforce.SyncUser, InstanceURL: g.simURL, Access: secret.Text(tokens.AccessToken), Refresh: secret.Text(tokens.RefreshToken)}); err != nil {
				return err
			}
			_, err = g.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: flow.WorkflowID(project, name), TaskQueue: flow.QueueIntegrations},
				flow.WorkflowIntegration, flow.IntegrationParams{Project: project, Integration: name})
			return err
		})
	}
	return all.Wait()
}

// settled waits until every integration is complete and idle, and then a while.
func (g *ground) settled(ctx context.Context) error {
	g.say("waiting until they are complete and idle")
	said := time.Now()
	for {
		idle, err := g.sql(ctx, "select count(*) from integrations where status = 'idle' and not exists "+
			"(select 1 from streams s where s.integration_id = integrations.id and s.lane = 'live' and s.verified_to is null)")
		if err != nil {
			return err
		}
		if idle >= int64(g.integrations) {
			break
		}
		if time.Since(said) > 20*time.Second {
			g.say("%d of %d are", idle, g.integrations)
			said = time.Now()
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	g.say("they are; leaving them alone for %s", g.settle)
	return pause(ctx, g.settle)
}

// pause waits, unless the worker ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// sql asks for one number.
func (g *ground) sql(ctx context.Context, query string) (int64, error) {
	out, err := g.pg.Psql(ctx, database, query)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(out), 64)
	return int64(n), err
}

// reading is everything that grows, at one moment.
type reading struct {
	at           time.Time
	cpu          meter.CPU
	runs         map[string]string // run ids by workflow id
	events       int64
	bytes        int64
	calls        int64
	transactions int64
	wal          int64
}

func (g *ground) read(ctx context.Context) (reading, error) {
	r := reading{runs: map[string]string{}}
	for n := range g.integrations {
		id := flow.WorkflowID(ids(n))
		d, err := g.client.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			return r, err
		}
		info := d.GetWorkflowExecutionInfo()
		if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return r, fmt.Errorf("%s is %s", id, info.GetStatus())
		}
		r.runs[id] = info.GetExecution().GetRunId()
		r.events += info.GetHistoryLength()
		r.bytes += info.GetHistorySizeBytes()
	}
	var counters struct {
		Total int64 `json:"total"`
	}
	if err := call(ctx, http.MethodGet, g.simURL+"/_sim/counters", nil, &counters); err != nil {
		return r, err
	}
	r.calls = counters.Total
	var err error
	if r.transactions, err = g.sql(ctx, "select xact_commit from pg_stat_database where datname = '"+database+"'"); err != nil {
		return r, err
	}
	r.wal, err = g.sql(ctx, "select pg_current_wal_lsn() - '0/0'")
	r.at, r.cpu = time.Now(), g.meter.Read()
	return r, err
}

// measured is what happened between two readings.
type measured struct {
	before, after reading
	memory        map[string]int64 // most at once, in bytes of resident memory
	connections   int64            // of the worker to PostgreSQL, at most
	statements    string           // of a profiled run: what the database did
	stopped       time.Duration    // from a pause to the last call; of one integration alone
}

func (g *ground) measure(ctx context.Context) (measured, error) {
	m := measured{memory: map[string]int64{}}
	var err error
	if m.before, err = g.read(ctx); err != nil {
		return m, err
	}
	if g.profile != "" {
		if _, err := g.pg.Psql(ctx, database, "create extension if not exists pg_stat_statements", "select pg_stat_statements_reset()"); err != nil {
			return m, err
		}
		if err := syscall.Kill(g.worker.PID(), syscall.SIGUSR1); err != nil {
			return m, err
		}
	}
	g.say("measuring for %s", g.over)
	for _, pid := range g.meter.PIDs {
		meter.ForgetPeak(pid)
	}
	for end := time.Now().Add(g.over); time.Now().Before(end); {
		if err := pause(ctx, min(5*time.Second, time.Until(end))); err != nil {
			return m, err
		}
		n, err := g.sql(ctx, "select count(*) from pg_stat_activity where application_name like 'worker%'")
		if err != nil {
			return m, err
		}
		m.connections = max(m.connections, n)
	}
	if g.profile != "" {
		if err := syscall.Kill(g.worker.PID(), syscall.SIGUSR1); err != nil {
			return m, err
		}
		if m.statements, err = g.pg.Psql(ctx, database, `
			select format('| %s | %s | %s |', calls, round(total_exec_time), left(regexp_replace(query, '\s+', ' ', 'g'), 110))
			from pg_stat_statements order by total_exec_time desc limit 20`); err != nil {
			return m, err
		}
	}
	for who, pid := range g.meter.PIDs {
		_, m.memory[who] = meter.Memory(pid)
	}
	if m.after, err = g.read(ctx); err != nil {
		return m, err
	}
	for id, run := range m.before.runs {
		if m.after.runs[id] != run {
			return m, fmt.Errorf("%s began a new run meanwhile, and the events of the last one are lost to the count: choose a shorter -for", id)
		}
	}
	if g.integrations == 1 {
		m.stopped, err = g.pauseOne(ctx)
	}
	return m, err
}

// pauseOne pauses the only integration as an engineer would, by a signal, and says how long
// after that its last call was made.
func (g *ground) pauseOne(ctx context.Context) (time.Duration, error) {
	if err := pause(ctx, g.interval/3); err != nil { // not just after a look
		return 0, err
	}
	before, asked := int64(0), time.Now()
	if err := g.client.SignalWorkflow(ctx, flow.WorkflowID(ids(0)), "", flow.SignalPause, nil); err != nil {
		return 0, err
	}
	last := asked
	for end := asked.Add(3*g.interval + 5*time.Second); time.Now().Before(end); {
		var counters struct {
			Total int64 `json:"total"`
		}
		if err := call(ctx, http.MethodGet, g.simURL+"/_sim/counters", nil, &counters); err != nil {
			return 0, err
		}
		if before != 0 && counters.Total != before {
			last = time.Now()
		}
		before = counters.Total
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return last.Sub(asked), nil
}
