package tenant

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"salesforcesync/internal/fault"
)

// Hosts says where comments and a token may be sent: over https to any host that is named, and
// to what the operator lists in DELIVERY_EXTRA_HOSTS as host:port. Bare addresses and
// localhost are inside of somebody's network more often than not.
type Hosts []string

// Parse reads an endpoint as people write it and returns what stands before /api. Errors
// are fault.Invalid and say what is wrong with it.
func (h Hosts) Parse(text string) (string, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		// The error would repeat the text, which may hold a password.
		return "", fault.New(fault.Invalid, "it is not a web address").WithHint("write it like https://cloud.uipath.com/acme/production/reinfer_")
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case u.Hostname() == "":
		return "", fault.New(fault.Invalid, "the address has no host")
	case u.User != nil:
		return "", fault.New(fault.Invalid, "the address of %s carries a user name", u.Hostname()).WithHint("remove what stands before the @")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fault.New(fault.Invalid, "the address goes on behind its path").WithHint("write only what stands before /api")
	}
	if err := h.allowed(u); err != nil {
		return "", err
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if path == "/api" || strings.HasSuffix(path, "/api") || strings.Contains(path, "/api/") {
		return "", fault.New(fault.Invalid, "the address holds /api").WithHint("write only what stands before /api")
	}
	return u.Scheme + "://" + u.Host + path, nil
}

// publicName is the name of a host below a top-level domain, which has letters only or is xn--…. So no
// spelling of an address is one: 127.1, 0x7f.1 and ones in wide digits, which would be taken for plain ones on the
// way to the network.
var publicName = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)+([a-z]{2,}|xn--[a-z0-9-]*[a-z0-9])$`)

func (h Hosts) allowed(u *url.URL) error {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return fault.New(fault.Invalid, "the address of %s does not begin with https://", u.Hostname()).WithHint("write https://")
	case slices.Contains(h, net.JoinHostPort(u.Hostname(), port)):
		return nil
	case u.Scheme != "https":
		return fault.New(fault.Invalid, "%s would be called over plain http", u.Host).
			WithHint("write https://%s; hosts that may be called so are listed in DELIVERY_EXTRA_HOSTS as host:port", u.Hostname())
	}
	if name := strings.TrimRight(u.Hostname(), "."); !publicName.MatchString(name) || strings.HasSuffix(name, ".localhost") {
		return fault.New(fault.Invalid, "%s is not the name of a host on the internet", u.Hostname()).
			WithHint("hosts of your own network are listed in DELIVERY_EXTRA_HOSTS as host:port")
	}
	return nil
}
