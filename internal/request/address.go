package request

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// networkBits is how much of an IPv6 address names a visitor: a household or a
// server commonly has the other half to itself, and could be 2^64 strangers.
const networkBits = 64

// Address is who a request is counted against: the visitor's IPv4 address, or its
// IPv6 network, such as 2001:db8:1:2::/64. The visitor is the other side of the
// connection, or, when that is one of the proxies that Handler was given, the last
// address in X-Forwarded-For that is none of them: each proxy adds on the right whom
// it speaks to, and what stands further to the left a visitor may have made up.
func Address(r *http.Request) string {
	address := Of(r.Context()).address
	if !address.IsValid() { // outside Handler
		address = visitor(r, nil)
	}
	if !address.IsValid() {
		return r.RemoteAddr
	}
	if address.Is4() {
		return address.String()
	}
	return netip.PrefixFrom(address, networkBits).Masked().String()
}

func visitor(r *http.Request, proxies []netip.Prefix) netip.Addr {
	trusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	address := parseAddress(r.RemoteAddr)
	if !trusted(address) {
		return address
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(hops) {
		hop := parseAddress(text)
		if !hop.IsValid() { // such as "unknown": what is left of it is worth no more
			break
		}
		address = hop
		if !trusted(hop) {
			break
		}
	}
	return address
}

// parseAddress reads an address with or without a port; some proxies write one.
func parseAddress(text string) netip.Addr {
	text = strings.TrimSpace(text)
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		address = withPort.Addr()
	}
	return address.Unmap().WithZone("")
}
