package soak

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"salesforcesync/activities"
	"salesforcesync/internal/access"
	"salesforcesync/internal/api"
	"salesforcesync/internal/crashpoint"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/gate"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/request"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// What makes this test binary a process that does what a script asks for, and can be killed at the points of package
// crashpoint: the activities as the worker registers them, and the API.
const (
	performerDatabase   = "SOAK_PERFORMER_DATABASE"
	performerSalesforce = "SOAK_PERFORMER_SALESFORCE"
)

// performerMain is that process: it prints its address, and serves until it is killed or its standard input ends.
func performerMain() int {
	if err := servePerformer(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func servePerformer(ctx context.Context) error {
	keys, err := secret.ParseKeyRing("test:" + base64.StdEncoding.EncodeToString(make([]byte, secret.KeySize)))
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, os.Getenv(performerDatabase), store.Options{Keys: keys, ApplicationName: "performer", MaxConns: 4})
	if err != nil {
		return err
	}
	defer db.Close()
	hosts, err := salesforce.NewHostPolicy([]string{os.Getenv(performerSalesforce)})
	if err != nil {
		return err
	}
	governor := &quota.Governor{Store: db}
	auth := &oauth.Service{Store: db, Hosts: hosts, Quota: governor}
	governor.Limits = func(ctx context.Context, id string) (map[string]salesforce.Limit, error) {
		return auth.Org(id).Limits(ctx)
	}
	acts := &activities.Activities{
		Store:   db,
		Poll:    &poll.Service{Store: db, Orgs: orgs{auth}, Listener: store.NewListener(), Quota: governor, StepFor: time.Nanosecond},
		Batches: transform.Batches{Store: db},
		Polls:   gate.NewTurns(1),
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", request.Handler(api.New(db, access.New(db), api.Options{RequestsPerSecond: 1e6, Burst: 1e6}), func(request.Record) {}))
	mux.HandleFunc("POST /activity/{name}", func(w http.ResponseWriter, r *http.Request) {
		in, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		out, err := handle(acts, r.PathValue("name"), in)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			out = []byte(jsonOf(told(err)))
		}
		_, _ = w.Write(out)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whoever started it is gone
		_ = listener.Close()
	}()
	fmt.Println("http://" + listener.Addr().String())
	if err := (&http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}).Serve(listener); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// handle runs one activity with its adapter, as a worker does.
func handle(acts *activities.Activities, name string, raw []byte) ([]byte, error) {
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerStopChannel(make(chan struct{}))
	if name == flow.RetransformStep.Name {
		acts.RegisterBackfill(env)
	} else {
		acts.RegisterPoll(env)
		acts.RegisterLoad(env)
	}
	var in any
	switch name {
	case flow.Check.Name:
		in = &flow.CheckParams{}
	case flow.Watch.Name:
		in = &flow.WatchParams{}
	case flow.BackfillStep.Name:
		in = &flow.BackfillStepParams{}
	case flow.RetransformStep.Name:
		in = &flow.RetransformParams{}
	default:
		in = &flow.BatchRef{}
	}
	if err := json.Unmarshal(raw, in); err != nil {
		return nil, err
	}
	result, err := env.ExecuteActivity(name, in)
	if err != nil {
		return nil, err
	}
	var out json.RawMessage
	err = result.Get(&out)
	return out, err
}

// telling is an activity's failure on its way to the script.
type telling struct {
	Kind    string
	Message string
}

func told(err error) telling {
	t := telling{Kind: string(fault.Internal), Message: err.Error()}
	var app *temporal.ApplicationError
	var failure flow.Failure
	if errors.As(err, &app) && app.HasDetails() && app.Details(&failure) == nil {
		t = telling{app.Type(), failure.Message}
	}
	return t
}

// buildPerformer builds this package's tests once more, with crash points: they are looked for in the folder "crash" where the process
// runs.
func buildPerformer(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "performer")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-buildvcs=false", "-o", binary, "-ldflags", "-s -w -X salesforcesync/internal/crashpoint.dir=crash", ".")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// performer is the process as its script sees it.
type performer struct {
	binary, dir string
	env         []string
	cmd         *exec.Cmd
	stdin       io.Closer
	url         string
	words       bytes.Buffer // what it said to standard error
	client      *http.Client
	deaths      map[string]int // by crash point
}

// errDied says that the process died while it was asked.
var errDied = errors.New("the process died")

func newPerformer(binary, dir, database, org string) *performer {
	must(os.MkdirAll(filepath.Join(dir, "crash"), 0o700), "make room for the crash points")
	h := &performer{binary: binary, dir: dir, deaths: map[string]int{}, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 3 * time.Minute},
		env: append(os.Environ(), performerDatabase+"="+database, performerSalesforce+"="+org)}
	h.start()
	return h
}

func (h *performer) start() {
	h.cmd = exec.Command(h.binary)
	h.cmd.Env, h.cmd.Dir, h.cmd.Stderr = h.env, h.dir, &h.words
	stdin, err := h.cmd.StdinPipe()
	must(err, "hold the process")
	h.stdin = stdin
	stdout, err := h.cmd.StdoutPipe()
	must(err, "read the process")
	must(h.cmd.Start(), "start the process")
	line := make([]byte, 100)
	n, err := stdout.Read(line)
	if err != nil {
		_ = h.cmd.Wait()
		fail("the process does not start: %v: %s", err, h.words.String())
	}
	h.url = strings.TrimSpace(string(line[:n]))
}

// kill kills the process wherever it is.
func (h *performer) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
	_ = h.stdin.Close()
}

func (h *performer) armed(point string) string { return filepath.Join(h.dir, "crash", point) }

// arm has the process die at a point.
func (h *performer) arm(point string) {
	must(os.WriteFile(h.armed(point), nil, 0o600), "arm "+point)
}

// ask sends one request. If the process dies at the point that is armed, "" for none, a new one is started and the
// error is errDied.
func (h *performer) ask(point, method, path, body, token string) (int, []byte, error) {
	if point != "" {
		h.arm(point)
	}
	status, raw, err := h.send(method, path, body, token)
	if point == "" {
		must(err, method+" "+path+": "+h.words.String())
		return status, raw, nil
	}
	if err == nil {
		must(os.Remove(h.armed(point)), "disarm "+point)
		return status, raw, nil
	}
	wait := h.cmd.Wait()
	_ = h.stdin.Close()
	var exit *exec.ExitError
	check(errors.As(wait, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL, "the process ended by itself: %v: %s", wait, h.words.String())
	must(os.Remove(h.armed(point)+".hit"), "see that it died at "+point)
	h.deaths[point]++
	h.start()
	return 0, nil, fmt.Errorf("%w at %s", errDied, point)
}

func (h *performer) send(method, path, body, token string) (int, []byte, error) {
	req, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

// run runs an activity; out is its result. The error is errDied, or the fault that the activity ended with.
func (h *performer) run(point, activity string, in, out any) error {
	status, raw, err := h.ask(point, http.MethodPost, "/activity/"+activity, jsonOf(in), "")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		var t telling
		must(json.Unmarshal(raw, &t), "read a failure of "+activity)
		return fault.New(fault.Kind(t.Kind), "%s", t.Message)
	}
	must(json.Unmarshal(raw, out), "read what "+activity+" says")
	return nil
}

// Crash points of each activity, and of a request that writes.
var (
	pollPoints   = []string{crashpoint.BatchStaged, crashpoint.TokenAnswered}
	upsertPoints = []string{crashpoint.BeforeCommit, crashpoint.AfterCommit}
	stepPoints   = []string{crashpoint.JobAsked, crashpoint.JobMade, crashpoint.TokenAnswered}
)
