package request

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, tt := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                   {"192.0.2.1:1234", nil, "192.0.2.1"},
		"a stranger's claim":         {"192.0.2.1:1234", []string{"198.51.100.1"}, "192.0.2.1"},
		"behind a proxy":             {"10.0.0.1:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		"behind two proxies":         {"10.0.0.1:1234", []string{"198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		"each with a header":         {"10.0.0.1:1234", []string{"198.51.100.1", "10.9.9.9"}, "198.51.100.1"},
		"a made-up beginning":        {"10.0.0.1:1234", []string{"203.0.113.5, 198.51.100.1"}, "198.51.100.1"},
		"a made-up proxy":            {"10.0.0.1:1234", []string{"203.0.113.5,10.2.2.2,198.51.100.1"}, "198.51.100.1"},
		"an inside visitor":          {"10.0.0.1:1234", []string{"10.7.7.7, 10.9.9.9"}, "10.7.7.7"},
		"nothing said":               {"10.0.0.1:1234", nil, "10.0.0.1"},
		"an empty header":            {"10.0.0.1:1234", []string{""}, "10.0.0.1"},
		"not an address":             {"10.0.0.1:1234", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		"not an address further out": {"10.0.0.1:1234", []string{"unknown, 10.9.9.9"}, "10.9.9.9"},
		"with a port":                {"10.0.0.1:1234", []string{"198.51.100.1:5555"}, "198.51.100.1"},
		"IPv6":                       {"[2001:db8:1:2:3::4]:1234", nil, "2001:db8:1:2::/64"},
		"its neighbour":              {"[2001:db8:1:2:ffff::9]:1234", nil, "2001:db8:1:2::/64"},
		"IPv6 behind a proxy":        {"[fd00::1]:1234", []string{"2001:db8:1:2:3::4"}, "2001:db8:1:2::/64"},
		"IPv6 with a port":           {"[fd00::1]:1234", []string{"[2001:db8:1:2:3::4]:5555"}, "2001:db8:1:2::/64"},
		"IPv6 in brackets":           {"[fd00::1]:1234", []string{"[2001:db8:1:2:3::4]"}, "2001:db8:1:2::/64"},
		"IPv4 as IPv6":               {"[::ffff:192.0.2.1]:1234", nil, "192.0.2.1"},
		"a proxy as IPv6":            {"[::ffff:10.0.0.1]:1234", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"with a zone":                {"[fe80::1%eth0]:1234", nil, "fe80::/64"},
		"no address at all":          {"@", []string{"198.51.100.1"}, "@"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.forwarded
			got := ""
			Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = Address(r) }), func(Record) {}, proxies...).
				ServeHTTP(httptest.NewRecorder(), r)
			require.Equal(t, tt.want, got)
		})
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	require.Equal(t, "192.0.2.1", Address(r), "outside Handler nobody is believed")
}
