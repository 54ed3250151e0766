package simforce

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// Transport answers requests by the simulator without a network, whatever their
// host: for tests that make very many. What goes wrong on a wire goes wrong here
// too: a fault that hangs up ends the call or its body with an error, a body is
// read as it is written. The one difference is that it never asks for gzip by
// itself.
func (s *Server) Transport() http.RoundTripper { return inside{s} }

type inside struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inside) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:1"
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &wire{header: http.Header{}, started: make(chan struct{}), body: newFlow(cancel)}
	go func() {
		defer func() {
			p := recover()
			_ = in.Body.Close()
			w.end(p, context.Cause(r.Context()))
		}()
		t.ServeHTTP(w, in)
	}()
	select {
	case <-w.started:
	case <-ctx.Done():
		w.body.fail(context.Cause(ctx))
		return nil, context.Cause(ctx)
	}
	if w.status == 0 { // hung up before a word was said
		cancel()
		if gone := context.Cause(r.Context()); gone != nil {
			return nil, gone
		}
		return nil, io.EOF
	}
	stop := context.AfterFunc(r.Context(), func() { w.body.fail(context.Cause(r.Context())) })
	w.body.closed = func() { stop(); cancel() }
	length := int64(-1)
	if n, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil {
		length = n
	}
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, Body: w.body, ContentLength: length, Request: r,
	}, nil
}

// wire is the server's end of one call.
type wire struct {
	header, sent http.Header
	status       int
	once         sync.Once
	started      chan struct{}
	body         *flow
}

func (w *wire) Header() http.Header { return w.header }

func (w *wire) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.started)
	})
}

func (w *wire) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush implements http.Flusher.
func (w *wire) Flush() { w.WriteHeader(http.StatusOK) }

// end finishes the answer; p is what the handler panicked with, gone why the
// client has given up, if it has.
func (w *wire) end(p any, gone error) {
	err, _ := p.(error)
	switch {
	case p != nil && !errors.Is(err, http.ErrAbortHandler):
		panic(p)
	case gone != nil:
		w.body.fail(gone)
		w.once.Do(func() { close(w.started) })
	case p != nil:
		w.body.fail(io.ErrUnexpectedEOF)
		w.once.Do(func() { close(w.started) })
	default:
		w.WriteHeader(http.StatusOK)
		w.body.fail(io.EOF)
	}
}

// flowAhead is how far a writer may be ahead of the reader of a body, in bytes.
const flowAhead = 1 << 20

// flow is a body on its way: a pipe with room for what most answers are.
type flow struct {
	mu     sync.Mutex
	moved  *sync.Cond
	buf    bytes.Buffer
	err    error // what the reader gets at the end
	closed func()
}

func newFlow(closed func()) *flow {
	f := &flow{closed: closed}
	f.moved = sync.NewCond(&f.mu)
	return f
}

// Write waits while the reader is too far behind.
func (f *flow) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.err == nil && f.buf.Len() >= flowAhead {
		f.moved.Wait()
	}
	if f.err != nil {
		return 0, io.ErrClosedPipe
	}
	f.moved.Broadcast()
	return f.buf.Write(b)
}

// Read implements io.Reader.
func (f *flow) Read(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.buf.Len() == 0 && f.err == nil {
		f.moved.Wait()
	}
	if f.buf.Len() > 0 { // what was written before the end is still read
		f.moved.Broadcast()
		return f.buf.Read(b)
	}
	return 0, f.err
}

// Close ends the body early; the writer learns of it.
func (f *flow) Close() error {
	f.mu.Lock()
	f.buf, f.err = bytes.Buffer{}, http.ErrBodyReadAfterClose
	f.moved.Broadcast()
	closed := f.closed
	f.mu.Unlock()
	closed()
	return nil
}

// fail ends the body; the first end counts.
func (f *flow) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
	f.moved.Broadcast()
}
