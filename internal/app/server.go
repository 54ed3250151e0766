package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
)

// Time limits of every HTTP server: a slow or silent caller holds a connection no
// longer than this.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 32 << 10
)

// Serve adds an HTTP server on addr (host:port, port 0 = any). It listens when its
// turn to start comes, so that a taken port is an error of the start; variable is the
// environment variable that sets addr, for that error. When it stops, requests
// under way are finished.
func (a *App) Serve(name, variable, addr string, handler http.Handler) {
	var server *http.Server
	done := make(chan struct{})
	a.Add(Step{
		Name: name,
		Start: func(ctx context.Context) error {
			listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
			if err != nil {
				return listenError(variable, addr, err)
			}
			server = &http.Server{
				Handler: handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
				IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: zap.NewStdLog(a.Log.Named(name)),
			}
			a.Log.Info("listening", zap.String(flow.LogServer, name), zap.String(flow.LogAddress, listener.Addr().String()))
			go func() {
				defer close(done)
				if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
					a.Fail(fmt.Errorf("serve %s on %s: %w", name, addr, err))
				}
			}()
			return nil
		},
		Stop: func(ctx context.Context) error {
			err := server.Shutdown(ctx)
			if err != nil { // out of time: cut what is left
				err = errors.Join(err, server.Close())
			}
			<-done
			return err
		},
	})
}

func listenError(variable, addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fault.Wrap(fault.Invalid, err, "%s=%s is taken by another program", variable, addr).
			WithHint("stop the other program, or set %s to a free address", variable)
	}
	return fault.Wrap(fault.Invalid, err, "%s=%s cannot be listened on", variable, addr).
		WithHint("set %s to an address of this machine, such as 127.0.0.1:8080", variable)
}

// Monitor adds the server for Prometheus and health on addr: /metrics, /healthz and
// /readyz. An empty addr is off.
func (a *App) Monitor(addr string) {
	if addr == "" {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", a.Health.Alive)
	mux.HandleFunc("GET /readyz", a.Health.Ready)
	a.Serve("metrics", "METRICS_ADDR", addr, mux)
}
