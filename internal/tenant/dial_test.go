package tenant

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"salesforcesync/internal/fault"
)

// names answers every question with the addresses it is given, one after the other, the last one for good.
func names(t *testing.T, addresses ...[4]byte) *net.Resolver {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	var asked atomic.Int64
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) == 0 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				at := addresses[min(int(asked.Add(1)), len(addresses))-1]
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 0}, Body: &dnsmessage.AResource{A: at}}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name of the internet that leads into our own network, at once or a minute later, is not
// connected to, so nothing there hears of us; hosts that the operator lists are.
func TestANameThatLeadsInsideIsNotCalled(t *testing.T) {
	var called, accepted atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		called.Add(1)
		_, _ = w.Write([]byte(`{"status":"ok","statistics":{"num_comments":3}}`))
	}))
	server.Config.ConnState = func(net.Conn, http.ConnState) { accepted.Add(1) }
	server.Start()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)

	for name, at := range map[string][4]byte{"ourselves": {127, 0, 0, 1}, "a cloud's metadata": {169, 254, 169, 254}, "next door": {10, 0, 0, 7}, "a carrier's": {100, 64, 0, 1}} {
		c := newClient(&guard{resolver: names(t, at)})
		_, err = c.Count(t.Context(), Target{Endpoint: "https://evil.example:" + port, Project: "p", Source: "s", Token: "t0ken"})
		require.Equal(t, fault.Config, fault.KindOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, "inside of a network", name)
		require.Contains(t, fault.HintOf(err), "DELIVERY_EXTRA_HOSTS", name)
	}
	require.Zero(t, accepted.Load(), "not even a connection")

	listed := "internal.example:" + port
	c := newClient(&guard{hosts: Hosts{listed}, resolver: names(t, [4]byte{127, 0, 0, 1})})
	n, err := c.Count(t.Context(), Target{Endpoint: "http://" + listed, Project: "p", Source: "s", Token: "t0ken"})
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	require.EqualValues(t, 1, called.Load())
}

func TestOnTheInternet(t *testing.T) {
	t.Parallel()
	for _, inside := range []string{"127.0.0.1:443", "10.1.2.3:443", "172.16.0.1:443", "192.168.1.1:443", "169.254.169.254:80", "0.0.0.0:443", "100.100.100.200:443",
		"255.255.255.255:443", "224.0.0.1:443", "198.18.0.1:443", "[::1]:443", "[::]:443", "[fe80::1%eth0]:443", "[fd00::1]:443", "[fec0::1]:443", "[::ffff:127.0.0.1]:443",
		"[64:ff9b::7f00:1]:443", "[2002:7f00:1::1]:443", "[2001:db8::1]:443", "[ff02::1]:443"} {
		require.Equal(t, fault.Config, fault.KindOf(onTheInternet(inside)), inside)
	}
	for _, outside := range []string{"1.1.1.1:443", "[2606:4700:4700::1111]:443", "[64:ff9b::101:101]:443", "172.32.0.1:8443"} {
		require.NoError(t, onTheInternet(outside), outside)
	}
	require.Equal(t, fault.Internal, fault.KindOf(onTheInternet("somewhere")))
}

// Spellings of addresses that are no names.
func TestAddressesInDisguiseAreRefused(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{
		"https://127.0.0.1/x", "https://127.1/x", "https://2130706433/x", "https://0x7f.1/x", "https://0x7f.0.0.0x1/x", "https://017700000001/x", "https://127.0.0.1./x",
		"https://[::1]/x", "https://[::ffff:127.0.0.1]/x", "https://[fe80::1%25eth0]/x", "https://１２７.０.０.１/x", "https://①②⑦.0.0.1/x", "https://127。0。0。1/x",
		"https://localhost/x", "https://LOCALHOST./x", "https://a.localhost/x", "https://intranet/x", "https://clоud.uipath.com/x", "https://evil.example\\@good.example/x",
		"https://user@good.example/x", "https://good.example#@evil.example/x", "https://good.example?x", "http://good.example/x", "ftp://good.example/x", "https://-a.example/x",
	} {
		_, err := Hosts{}.Parse(endpoint)
		require.Equal(t, fault.Invalid, fault.KindOf(err), endpoint)
	}
	for _, endpoint := range []string{"https://cloud.uipath.com/acme/production/reinfer_", "https://xn--bcher-kva.example", "https://a_b.example:8443", "https://acme.xn--p1ai/x", "cloud.uipath.com"} {
		_, err := Hosts{}.Parse(endpoint)
		require.NoError(t, err, endpoint)
	}
}
