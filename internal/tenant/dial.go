package tenant

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"

	"salesforcesync/internal/fault"
)

// guard connects. A name says nothing about where it leads: whoever owns the name has it lead to another
// address a minute later. So what was resolved is looked at, at the moment when it is connected to.
type guard struct {
	hosts    Hosts
	resolver *net.Resolver // nil = the machine's own
	proxies  sync.Map      // host:port of those that the environment names: they may be next door
}

// proxy is the environment's proxy for a request. What it connects to, it must see to itself.
func (g *guard) proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if u != nil {
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		if port == "" {
			port = "1080" // SOCKS
		}
		g.proxies.Store(net.JoinHostPort(u.Hostname(), port), true)
	}
	return u, err
}

func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: connectLongest, KeepAlive: 30 * time.Second, Resolver: g.resolver}
	if _, proxy := g.proxies.Load(address); !proxy && !slices.Contains(g.hosts, address) {
		d.ControlContext = func(_ context.Context, _, resolved string, _ syscall.RawConn) error { return onTheInternet(resolved) }
	}
	return d.DialContext(ctx, network, address)
}

// within are networks that are nobody's own on the internet, besides those that package netip knows.
// Source: IANA's special-purpose address registries.
var within = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("fec0::/10"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"), // tunnels, whose other end is an IPv4 address inside of them
}

// nat64 is how a network that speaks IPv6 only reaches IPv4: the address is in the last four bytes.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// onTheInternet refuses an address that is inside of some network.
func onTheInternet(resolved string) error {
	at, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "read the address that is connected to")
	}
	a := at.Addr().Unmap().WithZone("")
	if nat64.Contains(a) {
		last := a.As16()
		a = netip.AddrFrom4([4]byte(last[12:]))
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || slices.ContainsFunc(within, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return fault.New(fault.Config, "the endpoint leads to %s, which is inside of a network", a).
			WithHint("hosts of your own network are listed in DELIVERY_EXTRA_HOSTS as host:port")
	}
	return nil
}
