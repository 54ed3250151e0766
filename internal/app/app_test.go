package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"salesforcesync/internal/fault"
)

// script notes what steps do, in order.
type script struct{ events []string }

func (s *script) step(name string, startErr, stopErr error) Step {
	return Step{
		Name:  name,
		Start: func(context.Context) error { s.events = append(s.events, "start "+name); return startErr },
		Stop:  func(context.Context) error { s.events = append(s.events, "stop "+name); return stopErr },
	}
}

func TestStepsStopInTheOppositeOrder(t *testing.T) {
	t.Parallel()
	var s script
	a := New(zap.NewNop())
	a.Add(s.step("a", nil, nil))
	a.Add(Step{Name: "nothing to do"})
	a.Add(s.step("b", nil, errors.New("stuck")))
	ctx, cancel := context.WithCancel(t.Context())
	a.Add(Step{Name: "signal", Start: func(context.Context) error { cancel(); return nil }})
	err := a.Run(ctx)
	require.EqualError(t, err, "stop b: stuck")
	require.Equal(t, []string{"start a", "start b", "stop b", "stop a"}, s.events)
}

func TestAStartThatFailsRollsBack(t *testing.T) {
	t.Parallel()
	var s script
	a := New(zap.NewNop())
	a.Add(s.step("a", nil, nil))
	a.Add(s.step("b", fault.New(fault.Unreachable, "no route"), nil))
	a.Add(s.step("c", nil, nil))
	err := a.Run(t.Context())
	require.EqualError(t, err, "start b: no route")
	require.Equal(t, ExitUnreachable, ExitCode(err))
	require.Equal(t, []string{"start a", "start b", "stop a"}, s.events)
}

func TestToldToStopWhileStarting(t *testing.T) {
	t.Parallel()
	var s script
	a := New(zap.NewNop())
	ctx, cancel := context.WithCancel(t.Context())
	a.Add(s.step("a", nil, nil))
	a.Add(Step{Name: "slow", Start: func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }})
	a.Add(s.step("c", nil, nil))
	require.NoError(t, a.Run(ctx))
	require.Equal(t, []string{"start a", "stop a"}, s.events)
}

func TestAFailureStopsTheProcess(t *testing.T) {
	t.Parallel()
	for _, result := range []error{nil, errors.New("lost")} {
		var s script
		a := New(zap.NewNop())
		a.Add(s.step("below", nil, nil))
		a.Go("loop", func(context.Context) error { return result })
		err := a.Run(t.Context())
		require.ErrorContains(t, err, "loop: ")
		require.Equal(t, ExitFailure, ExitCode(err))
		require.Equal(t, []string{"start below", "stop below"}, s.events)
	}
}

func TestGoEndsWithItsTurn(t *testing.T) {
	t.Parallel()
	var order []string
	a := New(zap.NewNop())
	a.Go("loop", func(ctx context.Context) error {
		<-ctx.Done()
		order = append(order, "loop ended")
		return ctx.Err()
	})
	a.Add(Step{Name: "above", Stop: func(context.Context) error { order = append(order, "above stopped"); return nil }})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a.Add(Step{Name: "last"})
	require.NoError(t, a.Run(ctx)) // told to stop before anything started
	require.Empty(t, order)

	ctx, cancel = context.WithCancel(t.Context())
	a.Add(Step{Name: "signal", Start: func(context.Context) error { cancel(); return nil }})
	require.NoError(t, a.Run(ctx))
	require.Equal(t, []string{"above stopped", "loop ended"}, order, "not when the signal comes, but when its turn does")
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	a := New(zap.NewNop())
	a.stopTimeout = 10 * time.Millisecond
	stuck := make(chan struct{})
	defer close(stuck)
	a.Go("stuck", func(context.Context) error { <-stuck; return nil })
	ctx, cancel := context.WithCancel(t.Context())
	a.Add(Step{Name: "signal", Start: func(context.Context) error { cancel(); return nil }})
	require.ErrorIs(t, a.Run(ctx), context.DeadlineExceeded)
}

func TestServeFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.InfoLevel)
	a := New(zap.New(core))
	entered, release := make(chan struct{}), make(chan struct{})
	a.Serve("door", "LISTEN_ADDR", "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		fmt.Fprint(w, "whole")
	}))
	a.Monitor("127.0.0.1:0")
	a.Monitor("") // off
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	require.Eventually(t, func() bool { return logs.FilterMessage("running").Len() == 1 }, time.Minute, time.Millisecond)
	addresses := map[string]string{}
	for _, entry := range logs.FilterMessage("listening").All() {
		addresses[entry.ContextMap()["server"].(string)] = entry.ContextMap()["address"].(string)
	}
	require.Len(t, addresses, 2)

	get := func(path string) (int, string) {
		res, err := http.Get("http://" + addresses["metrics"] + path)
		require.NoError(t, err)
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(raw)
	}
	status, body := get("/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "go_goroutines")
	require.Contains(t, body, `salesforcesync_build_info{commit="",go_version="`+runtime.Version()+`",version="devel"} 1`)
	status, body = get("/readyz")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"status":"ok","checks":{}}`, body)

	type result struct {
		body string
		err  error
	}
	got := make(chan result)
	go func() {
		res, err := http.Get("http://" + addresses["door"])
		if err != nil {
			got <- result{err: err}
			return
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		got <- result{string(raw), err}
	}()
	<-entered
	cancel()
	// The listener goes first, the request under way is waited for.
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addresses["door"])
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, 20*time.Second, time.Millisecond)
	close(release)
	r := <-got
	require.NoError(t, r.err)
	require.Equal(t, "whole", r.body)
	require.NoError(t, <-ended)
}

func TestATakenPortSaysWhatToDo(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for _, addr := range []string{taken.Addr().String(), "192.0.2.1:1"} {
		a := New(zap.NewNop())
		a.Serve("door", "LISTEN_ADDR", addr, http.NotFoundHandler())
		err = a.Run(t.Context())
		require.Equal(t, ExitInvalid, ExitCode(err))
		require.ErrorContains(t, err, "LISTEN_ADDR="+addr)
		require.Contains(t, fault.HintOf(err), "LISTEN_ADDR")
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.InfoLevel)
	h := newHealth(zap.New(core))
	var trouble error
	asked := 0
	h.Add("database", func(context.Context) error { asked++; return trouble })
	h.Add("schema", func(context.Context) error { return nil })
	ask := func() (int, map[string]any) {
		w := httptest.NewRecorder()
		h.Ready(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		var body map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
		return w.Code, body
	}
	forget := func() { h.asked = time.Time{} }

	h.setPhase("starting")
	status, body := ask()
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, map[string]any{"process": "starting"}, body["checks"])
	h.setPhase("")
	status, body = ask()
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, map[string]any{"database": "ok", "schema": "ok"}, body["checks"])
	ask()
	require.Equal(t, 1, asked, "an answer is kept for a moment")

	for _, tt := range []struct {
		err  error
		want string
	}{
		{fault.Wrap(fault.Unreachable, errors.New("dial 10.1.2.3"), "ping"), "unreachable"},
		{fault.New(fault.Invalid, "schema 1, want 2"), "not usable"},
		{context.DeadlineExceeded, "unreachable"},
	} {
		trouble = tt.err
		forget()
		status, body = ask()
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, map[string]any{"database": tt.want, "schema": "ok"}, body["checks"])
		require.NotContains(t, fmt.Sprint(body), "10.1.2.3")
	}
	require.Equal(t, 1, logs.FilterMessage("not ready").Len(), "said once, when it changes")
	trouble = nil
	forget()
	status, _ = ask()
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 1, logs.FilterMessage("ready again").Len())
	w := httptest.NewRecorder()
	h.Alive(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	require.JSONEq(t, `{"status":"ok"}`, w.Body.String())
}

func TestWaitFor(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.InfoLevel)
	away := fault.New(fault.Unreachable, "connection refused")
	n := 0
	require.NoError(t, WaitFor(t.Context(), zap.New(core), "PostgreSQL", time.Minute, func(context.Context) error {
		if n++; n < 3 {
			return away
		}
		return nil
	}))
	require.Equal(t, 3, n)
	require.Equal(t, 1, logs.FilterMessage("waiting").Len())
	require.Equal(t, "PostgreSQL", logs.FilterMessage("waiting").All()[0].ContextMap()["what"])

	n = 0
	wrong := fault.New(fault.Invalid, "no such database")
	require.Equal(t, error(wrong), WaitFor(t.Context(), zap.NewNop(), "PostgreSQL", time.Minute, func(context.Context) error { n++; return wrong }))
	require.Equal(t, 1, n, "what waiting does not mend ends at once")

	err := WaitFor(t.Context(), zap.NewNop(), "PostgreSQL", time.Millisecond, func(context.Context) error { return away })
	require.ErrorIs(t, err, away)
	require.ErrorContains(t, err, "PostgreSQL")
	require.Equal(t, ExitUnreachable, ExitCode(err))

	ctx, cancel := context.WithCancel(t.Context())
	err = WaitFor(ctx, zap.NewNop(), "PostgreSQL", time.Minute, func(context.Context) error { cancel(); return away })
	require.ErrorIs(t, err, context.Canceled)
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args           []string
		done           bool
		code           int
		stdout, stderr string
	}{
		{nil, false, 0, "", ""},
		{[]string{"-h"}, true, ExitOK, "all about it", ""},
		{[]string{"--help"}, true, ExitOK, "all about it", ""},
		{[]string{"serve"}, true, ExitInvalid, "", "authsvc takes no arguments"},
		{[]string{"-h", "x"}, true, ExitInvalid, "", "authsvc takes no arguments"},
	} {
		var stdout, stderr bytes.Buffer
		done, code := arguments("authsvc", "all about it", tt.args, &stdout, &stderr)
		require.Equal(t, tt.done, done)
		require.Equal(t, tt.code, code)
		require.Equal(t, tt.stdout, strings.TrimSpace(stdout.String()))
		require.Contains(t, stderr.String(), tt.stderr)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	Explain(&b, "authsvc", nil)
	require.Empty(t, b.String())
	Explain(&b, "authsvc", fmt.Errorf("start door: %w", fault.New(fault.Invalid, "port taken").WithHint("free it")))
	require.Equal(t, "authsvc: start door: port taken\nnext step: free it\n", b.String())
	require.Equal(t, ExitOK, ExitCode(nil))
	require.Equal(t, ExitInvalid, ExitCode(fault.New(fault.Config, "x")))
	require.Equal(t, ExitFailure, ExitCode(errors.New("x")))
}

func TestLoggers(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"", "debug", "error"} {
		log, err := NewLogger("authsvc", level)
		require.NoError(t, err)
		require.Equal(t, level == "debug", log.Core().Enabled(zapcore.DebugLevel))
	}
	for _, level := range []string{"loud", "fatal"} {
		_, err := NewLogger("authsvc", level)
		require.True(t, fault.Is(err, fault.Invalid))
		require.ErrorContains(t, err, "LOG_LEVEL")
	}
	core, logs := observer.New(zapcore.DebugLevel)
	sdk := TemporalLogger(zap.New(core))
	pairs := []any{"key", 1, 2, "value of a key that is a number", "alone"}
	sdk.Info("said", pairs...)
	require.Equal(t, 2, pairs[2], "the caller's pairs stay as they are")
	entry := logs.All()[0]
	require.Equal(t, map[string]any{"key": int64(1), "2": "value of a key that is a number", "alone": nil}, entry.ContextMap())
	require.Contains(t, entry.LoggerName, "temporal")
}

// A caller who sends no more than a part of a head is not waited for.
func TestASlowCallerIsCutOff(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.InfoLevel)
	a := New(zap.New(core))
	a.Serve("door", "LISTEN_ADDR", "127.0.0.1:0", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it is no request") }))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	require.Eventually(t, func() bool { return logs.FilterMessage("listening").Len() == 1 }, time.Minute, time.Millisecond)
	address := logs.FilterMessage("listening").All()[0].ContextMap()["address"].(string)

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(4*readHeaderTimeout)))
	said, err := io.ReadAll(conn) // until the other side has had enough
	require.NoError(t, err, "the server lets go, and not this test")
	require.NotContains(t, string(said), "200")
	cancel()
	require.NoError(t, <-ended)
}
