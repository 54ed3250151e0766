package netfault

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewReader(c); ; {
					line, err := in.ReadString('\n')
					if _, failed := io.WriteString(c, line); err != nil || failed != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

type bench struct {
	t *testing.T
	p *Proxy
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	p, err := Listen("a way", "127.0.0.1:0", echo(t))
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return &bench{t, p}
}

func (b *bench) heal() { require.NoError(b.t, b.p.Heal(b.t.Context())) }

// peer is a client of the way.
type peer struct {
	net.Conn
	in *bufio.Reader
}

func (b *bench) dial() (*peer, error) {
	c, err := net.Dial("tcp", b.p.Address())
	if err != nil {
		return nil, err
	}
	b.t.Cleanup(func() { _ = c.Close() })
	return &peer{c, bufio.NewReader(c)}, nil
}

func (b *bench) peer() *peer {
	b.t.Helper()
	p, err := b.dial()
	require.NoError(b.t, err)
	require.NoError(b.t, p.ask("hello", time.Minute))
	return p
}

func (p *peer) ask(line string, within time.Duration) error {
	_ = p.SetDeadline(time.Now().Add(within))
	if _, err := io.WriteString(p, line+"\n"); err != nil {
		return err
	}
	got, err := p.in.ReadString('\n')
	if err == nil && got != line+"\n" {
		return errors.New("got " + got)
	}
	return err
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// brief is how long tests wait for what must not come.
const brief = 100 * time.Millisecond

func TestCarriesBothWaysAndEnds(t *testing.T) {
	b := newBench(t)
	p := b.peer()
	require.NoError(t, p.ask(strings.Repeat("x", 200_000), time.Minute), "more than a buffer")
	_, err := io.WriteString(p, "last words\n")
	require.NoError(t, err)
	require.NoError(t, p.Conn.(*net.TCPConn).CloseWrite())
	rest, err := io.ReadAll(p.in)
	require.NoError(t, err, "an end is an end, not a reset")
	require.Equal(t, "last words\n", string(rest))
	require.Equal(t, 1, b.p.Counts().Connections)
	require.Greater(t, b.p.Counts().Bytes, int64(400_000))
	require.Zero(t, b.p.Counts().Reset)
}

func TestRefuseIsNobodyListening(t *testing.T) {
	b := newBench(t)
	p := b.peer()
	b.p.Break(Fault{Kind: Refuse})
	require.ErrorIs(t, p.ask("?", time.Minute), syscall.ECONNRESET, "what is open is reset")
	_, err := b.dial()
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	b.heal()
	b.peer()
	require.Equal(t, 1, b.p.Counts().Reset)
}

func TestCutEndsOnlyWhatIsOpen(t *testing.T) {
	b := newBench(t)
	p := b.peer()
	b.p.Break(Fault{Kind: Cut})
	require.ErrorIs(t, p.ask("?", time.Minute), syscall.ECONNRESET)
	require.NoError(t, b.peer().ask("new", time.Minute))
}

func TestStallGetsThroughWhenItIsOver(t *testing.T) {
	for _, d := range []Direction{"", ToServer, ToClient} {
		t.Run("stall "+string(d), func(t *testing.T) {
			b := newBench(t)
			p := b.peer()
			b.p.Break(Fault{Kind: Stall, Direction: d})
			require.True(t, isTimeout(p.ask("one", brief)), "nothing comes, and the connection stays")
			fresh, err := b.dial()
			require.NoError(t, err)
			require.True(t, isTimeout(fresh.ask("new", brief)), "nor over a new one")
			b.heal()
			_ = p.SetDeadline(time.Now().Add(time.Minute))
			line, err := p.in.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "one\n", line, "nothing was lost")
			_ = fresh.SetDeadline(time.Now().Add(time.Minute))
			line, err = fresh.in.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "new\n", line)
		})
	}
}

func TestVanishLosesConnections(t *testing.T) {
	b := newBench(t)
	p, silent := b.peer(), b.peer()
	b.p.Break(Fault{Kind: Vanish, Direction: ToClient})
	require.True(t, isTimeout(p.ask("one", brief)))
	fresh, err := b.dial()
	require.NoError(t, err)
	require.True(t, isTimeout(fresh.ask("new", brief)))
	b.heal()
	require.True(t, isTimeout(p.ask("two", brief)), "it stays open and mute")
	b.peer()
	for _, lost := range []*peer{p, silent} { // also one that had nothing on its way
		_ = lost.SetDeadline(time.Now().Add(2 * clientForgets))
		_, err := lost.in.ReadString('\n')
		require.ErrorIs(t, err, syscall.ECONNRESET, "as when a keepalive probe is answered by a host that knows nothing of it")
	}
}

func TestVanishInOneDirection(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		for in := bufio.NewReader(c); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			got <- line
		}
	}()
	p, err := Listen("a way", "127.0.0.1:0", l.Addr().String())
	require.NoError(t, err)
	p.Mute = true
	defer p.Close()
	c, err := net.Dial("tcp", p.Address())
	require.NoError(t, err)
	defer c.Close()
	for _, line := range []string{"before\n", "during\n"} {
		_, err = io.WriteString(c, line)
		require.NoError(t, err)
		require.Equal(t, line, <-got)
		p.Break(Fault{Kind: Vanish, Direction: ToClient})
	}
	require.NoError(t, p.Heal(t.Context()))
	_, err = io.WriteString(c, "after\n")
	require.NoError(t, err)
	select {
	case line := <-got:
		t.Fatalf("%q came through a connection that nobody knows any more", line)
	case <-time.After(brief):
	}
}

func TestSlowWays(t *testing.T) {
	b := newBench(t)
	p := b.peer()
	b.p.Break(Fault{Kind: Delay, Delay: brief})
	began := time.Now()
	require.NoError(t, p.ask("there and back", time.Minute))
	require.GreaterOrEqual(t, time.Since(began), 2*brief)
	b.p.Break(Fault{Kind: Throttle, Rate: 10_000})
	began = time.Now()
	require.NoError(t, p.ask(strings.Repeat("x", 1000), time.Minute))
	require.GreaterOrEqual(t, time.Since(began), 200*time.Millisecond, "a tenth of a second each way")
	b.p.Break(Fault{Kind: Delay, Delay: time.Hour})
	require.True(t, isTimeout(p.ask("never", brief)))
	b.p.Break(Fault{Kind: Cut})
	_ = p.SetDeadline(time.Now().Add(time.Minute))
	_, err := p.in.ReadString('\n')
	require.ErrorIs(t, err, syscall.ECONNRESET, "what waits can be cut")
}

func TestCutInTheMiddleOfAnAnswer(t *testing.T) {
	b := newBench(t)
	p := b.peer()
	b.p.Break(Fault{Kind: CutAfter, Bytes: 5})
	require.NoError(t, p.ask("abc", time.Minute), "four bytes since it began")
	_, err := io.WriteString(p, "defg\n")
	require.NoError(t, err)
	rest, err := io.ReadAll(p.in)
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.Equal(t, "d", string(rest))
	fresh, err := b.dial()
	require.NoError(t, err)
	require.NoError(t, fresh.ask("abcd", time.Minute), "each connection has its own")
}

func TestServersInTurn(t *testing.T) {
	t.Parallel()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone := dead.Addr().String()
	require.NoError(t, dead.Close())
	p, err := Listen("two", "127.0.0.1:0", gone, echo(t))
	require.NoError(t, err)
	defer p.Close()
	b := &bench{t, p}
	for range 4 {
		b.peer()
	}
}

func TestFaultsReadWell(t *testing.T) {
	t.Parallel()
	require.Equal(t, "stall, to the client", Fault{Kind: Stall, Direction: ToClient}.String())
	require.Equal(t, "delay of 1s", Fault{Kind: Delay, Delay: time.Second}.String())
	require.Equal(t, "throttle to 9 B/s", Fault{Kind: Throttle, Rate: 9}.String())
	require.Equal(t, "cut after 7 bytes of the answer", Fault{Kind: CutAfter, Bytes: 7}.String())
	require.Equal(t, "refuse", Fault{Kind: Refuse}.String())
}
