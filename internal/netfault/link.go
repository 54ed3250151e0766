package netfault

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is one connection through the proxy: a client's and one to the server.
type link struct {
	client, server net.Conn
	lost           atomic.Bool // a Vanish had it: the network has forgotten it
	during         int         // the fault that answered is about
	answered       int         // bytes of the server since that began
	ended          chan struct{}
	once           sync.Once
}

// end resets both sides.
func (l *link) end() { l.finish(reset) }

func (l *link) finish(how func(net.Conn)) {
	l.once.Do(func() {
		close(l.ended)
		how(l.client)
		how(l.server)
	})
}

// arrive is how long the bytes before a cut have to get where they go: a reset overtakes what waits to be sent.
const arrive = 20 * time.Millisecond

// reset ends a connection with RST, as a host does that knows nothing of it.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// serve joins a client to the server until one of them is done.
func (p *Proxy) serve(client net.Conn) {
	// A connection that is made while nothing gets through is not answered before something does.
	if !p.passes() {
		reset(client)
		return
	}
	server, err := p.dial()
	if err != nil {
		reset(client)
		return
	}
	l := &link{client: client, server: server, ended: make(chan struct{})}
	p.mu.Lock()
	if p.closed || p.fault.Kind == Refuse {
		p.mu.Unlock()
		l.end()
		return
	}
	p.links[l] = struct{}{}
	p.counts.Connections++
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.carry(l, client, server, ToServer) })
	both.Go(func() { p.carry(l, server, client, ToClient) })
	both.Wait()
	l.finish(func(c net.Conn) { _ = c.Close() }) // where it is still open: what is on its way arrives
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// passes waits while no new connection can be made, as none can be when packets of either direction are lost; false
// when it is refused instead.
func (p *Proxy) passes() bool {
	for {
		f, changed := p.state()
		switch f.Kind {
		case Stall, Vanish:
		case Refuse:
			return false
		default:
			return true
		}
		<-changed
		p.mu.Lock()
		closed := p.closed
		p.mu.Unlock()
		if closed {
			return false
		}
	}
}

// carry brings bytes one way until the connection ends.
func (p *Proxy) carry(l *link, from, to net.Conn, d Direction) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !p.deliver(l, to, d, buf[:n]) {
			return
		}
		if err == nil {
			continue
		}
		if l.lost.Load() { // the other side hears nothing of its end
			<-l.ended
			return
		}
		// An end that the other side must see: a half that is closed, or all of it.
		if tcp, ok := to.(*net.TCPConn); ok && errors.Is(err, io.EOF) {
			_ = tcp.CloseWrite()
			return
		}
		l.end()
		return
	}
}

// deliver hands bytes on as the fault of the moment lets it; false ends the connection.
func (p *Proxy) deliver(l *link, to net.Conn, d Direction, b []byte) bool {
	for {
		f, generation, changed := p.now()
		switch {
		case l.lost.Load():
			if f.Kind != Vanish || f.hits(d) {
				return true
			}
		case f.Kind == Stall && f.hits(d):
			select {
			case <-changed:
			case <-l.ended:
				return false
			}
			continue
		case f.Kind == Delay && !l.wait(f.Delay):
			return false
		case f.Kind == Throttle && !l.wait(time.Duration(len(b))*time.Second/time.Duration(max(f.Rate, 1))):
			return false
		case f.Kind == CutAfter && d == ToClient:
			if l.during != generation {
				l.during, l.answered = generation, 0
			}
			if left := f.Bytes - l.answered; left < len(b) {
				if _, err := to.Write(b[:left]); err == nil && !l.wait(arrive) {
					return false
				}
				p.countReset()
				l.end()
				return false
			}
			l.answered += len(b)
		}
		break
	}
	n, err := to.Write(b)
	p.mu.Lock()
	p.counts.Bytes += int64(n)
	p.mu.Unlock()
	if err != nil {
		l.end()
		return false
	}
	return true
}

// wait lets time pass; false when the connection ended meanwhile.
func (l *link) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ended:
		return false
	}
}
