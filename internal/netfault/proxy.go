package netfault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Kind is a way in which a connection goes wrong.
type Kind string

// What a proxy can do to its connections.
const (
	Refuse   Kind = "refuse"    // nobody listens, and what is open is reset: the host is gone
	Cut      Kind = "cut"       // every open connection is reset, once; new ones are fine
	Stall    Kind = "stall"     // packets do not get through and come when the fault is over, as by TCP's retransmissions
	Vanish   Kind = "vanish"    // packets are lost, and so is every open connection, for good: a firewall has forgotten them
	Delay    Kind = "delay"     // each packet takes longer
	Throttle Kind = "throttle"  // so many bytes per second
	CutAfter Kind = "cut after" // each connection is reset in the middle of what the server sends
)

// Direction says which way packets are hit.
type Direction string

// Directions of a fault. The empty one is both.
const (
	ToServer Direction = "to the server"
	ToClient Direction = "to the client"
)

// Fault is what is wrong with a way.
type Fault struct {
	Kind      Kind
	Direction Direction     // of Stall and Vanish; "" = both
	Delay     time.Duration // of Delay
	Rate      int           // of Throttle: bytes per second
	Bytes     int           // of CutAfter: how many of the server's bytes arrive
}

// String is the fault for a log.
func (f Fault) String() string {
	switch {
	case f.Kind == Delay:
		return fmt.Sprintf("delay of %s", f.Delay)
	case f.Kind == Throttle:
		return fmt.Sprintf("throttle to %d B/s", f.Rate)
	case f.Kind == CutAfter:
		return fmt.Sprintf("cut after %d bytes of the answer", f.Bytes)
	case f.Direction != "":
		return string(f.Kind) + ", " + string(f.Direction)
	}
	return string(f.Kind)
}

// hits reports whether the fault is about packets of a direction.
func (f Fault) hits(d Direction) bool { return f.Direction == "" || f.Direction == d }

// How long after a Vanish the lost connections end, at most: a client's kernel finds out at its next keepalive probe, a
// server's when its own are unanswered.
const (
	clientForgets = 10 * time.Second
	serverForgets = 25 * time.Second
)

// Proxy is a way from clients to a server: an address that stands for the server's.
type Proxy struct {
	// Mute keeps the connections that a Vanish has taken open for ever: no kernel looks after them, as behind another
	// proxy. It is set before the first fault.
	Mute bool

	name    string
	address string
	to      []string

	mu       sync.Mutex
	listener net.Listener
	fault    Fault
	faults   int           // how many there were
	changed  chan struct{} // closed when fault is another one
	links    map[*link]struct{}
	next     int
	counts   Counts
	closed   bool
	running  sync.WaitGroup
}

// Counts are what a proxy has seen.
type Counts struct {
	Connections int   // that were made
	Reset       int   // that the proxy ended
	Bytes       int64 // that got through
}

// Listen opens a way at address, 127.0.0.1:0 for any port, to the first of servers that answers, in turn.
func Listen(name, address string, servers ...string) (*Proxy, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open the way %s: %w", name, err)
	}
	p := &Proxy{name: name, address: l.Addr().String(), to: servers, listener: l, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.running.Go(func() { p.accept(l) })
	return p, nil
}

// Name is what people call the way.
func (p *Proxy) Name() string { return p.name }

// Address is where it begins, host:port.
func (p *Proxy) Address() string { return p.address }

// Counts returns what it has seen so far.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// Break has the fault from now on, in place of the one before.
func (p *Proxy) Break(f Fault) {
	p.mu.Lock()
	p.set(f)
	for l := range p.links {
		if f.Kind == Vanish {
			l.lost.Store(true)
		}
	}
	refuse := f.Kind == Refuse && p.listener != nil
	if refuse {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	if f.Kind == Refuse || f.Kind == Cut {
		p.resetAll()
	}
}

// Heal ends the fault. It returns when connections are taken again.
func (p *Proxy) Heal(ctx context.Context) error {
	p.mu.Lock()
	was := p.fault
	p.set(Fault{})
	p.mu.Unlock()
	if was.Kind == Vanish && !p.Mute {
		p.forget()
	}
	for {
		err := p.listenAgain()
		if err == nil {
			return nil
		}
		select { // somebody's outgoing connection has the port for a moment
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *Proxy) listenAgain() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return nil
	}
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		return fmt.Errorf("open the way %s again: %w", p.name, err)
	}
	p.listener = l
	p.running.Go(func() { p.accept(l) })
	return nil
}

// forget ends the connections that were lost, as the two kernels would find it out.
func (p *Proxy) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if !l.lost.Load() {
			continue
		}
		after := time.Duration(rand.Int64N(int64(clientForgets)))
		time.AfterFunc(after, func() { reset(l.client) })
		time.AfterFunc(serverForgets, func() { l.end() })
	}
}

// Close ends the way and every connection on it.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.set(Fault{}) // who waits for it to be over looks
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.mu.Unlock()
	p.resetAll()
	p.running.Wait()
}

func (p *Proxy) resetAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		p.counts.Reset++
		l.end()
	}
}

func (p *Proxy) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(conn) })
	}
}

// state is the fault of now, and what tells of another one.
func (p *Proxy) state() (Fault, <-chan struct{}) {
	f, _, changed := p.now()
	return f, changed
}

// now is state with the number of the fault.
func (p *Proxy) now() (Fault, int, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault, p.faults, p.changed
}

// set has another fault; mu is held.
func (p *Proxy) set(f Fault) {
	p.fault = f
	p.faults++
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) countReset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Reset++
}

// dial connects to a server, each in turn.
func (p *Proxy) dial() (net.Conn, error) {
	p.mu.Lock()
	first := p.next
	p.next++
	p.mu.Unlock()
	var errs []error
	for i := range p.to {
		conn, err := net.DialTimeout("tcp", p.to[(first+i)%len(p.to)], 5*time.Second)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
