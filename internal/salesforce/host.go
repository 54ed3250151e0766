package salesforce

import (
	"net"
	"net/url"
	"regexp"
	"strings"

	"salesforcesync/internal/fault"
)

// salesforceDomains are the domains under which Salesforce serves orgs and logins.
// Source: Salesforce help, "Allow the Required Domains" and "My Domain URL formats".
var salesforceDomains = []string{
	".salesforce.com", ".force.com", ".cloudforce.com", ".salesforce.mil", ".sfcrmproducts.cn", ".sfcrmapps.cn",
}

const (
	productionLogin = "https://login.salesforce.com"
	sandboxLogin    = "https://test.salesforce.com"
)

// HostPolicy says which hosts may see a token or a secret: the domains of
// Salesforce over https, and what the operator lists in SALESFORCE_EXTRA_HOSTS.
// The zero value lists nothing extra.
type HostPolicy struct {
	extra map[string]bool // "host:port", lower case
}

// NewHostPolicy reads the operator's list of "host:port". Only these may use plain
// http, and only these may be loopback or bare addresses. Errors are fault.Invalid
// and name the entry.
func NewHostPolicy(hosts []string) (HostPolicy, error) {
	p := HostPolicy{extra: map[string]bool{}}
	for _, entry := range hosts {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if entry == "" {
			continue
		}
		host, port, err := net.SplitHostPort(entry)
		if err != nil || host == "" || !portShape.MatchString(port) || strings.ContainsAny(host, "/@*") {
			return HostPolicy{}, fault.New(fault.Invalid, "%s in SALESFORCE_EXTRA_HOSTS is not host:port", excerpt(entry)).
				WithHint("write for example 127.0.0.1:8090, without http:// and without a path")
		}
		p.extra[net.JoinHostPort(host, port)] = true
	}
	return p, nil
}

var (
	portShape = regexp.MustCompile(`^[0-9]{1,5}$`)
	hostShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
)

// Allowed returns nil when a request with a token may go to u, and a fault.Invalid
// error that names the host and the reason when it may not.
func (p HostPolicy) Allowed(u *url.URL) error {
	if u == nil || u.Host == "" {
		return fault.New(fault.Invalid, "the address has no host")
	}
	if u.User != nil {
		return fault.New(fault.Invalid, "the address of %s carries a user name", u.Hostname()).WithHint("remove what stands before the @")
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return fault.New(fault.Invalid, "the address of %s begins with %s", u.Hostname(), excerpt(u.Scheme+"://")).WithHint("write https://")
	}
	host := strings.ToLower(u.Hostname())
	if p.extra[net.JoinHostPort(host, portOf(u))] {
		return nil
	}
	if !isSalesforce(host) {
		return fault.New(fault.Invalid, "%s is not a host of Salesforce", u.Host).
			WithHint("use the address of your org, such as https://acme.my.salesforce.com; other hosts must be listed in SALESFORCE_EXTRA_HOSTS as host:port")
	}
	if u.Scheme != "https" {
		return fault.New(fault.Invalid, "%s would be called over plain http", u.Host).WithHint("write https://%s", host)
	}
	if portOf(u) != "443" {
		return fault.New(fault.Invalid, "%s has the port %s; Salesforce answers on 443", host, u.Port()).WithHint("write https://%s", host)
	}
	return nil
}

// isExtra reports whether u is one of the operator's own hosts.
func (p HostPolicy) isExtra(u *url.URL) bool {
	return p.extra[net.JoinHostPort(strings.ToLower(u.Hostname()), portOf(u))]
}

func isSalesforce(host string) bool {
	if !hostShape.MatchString(host) || strings.Contains(host, "..") {
		return false
	}
	for _, domain := range salesforceDomains {
		if strings.HasSuffix(host, domain) {
			return true
		}
	}
	return false
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// Parse reads an instance or login address as people write it, with or without
// https://, and returns scheme and host only. Errors are fault.Invalid and say
// what is wrong with it.
func (p HostPolicy) Parse(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, fault.New(fault.Invalid, "the Salesforce address is empty").WithHint("write the address of your org, such as https://acme.my.salesforce.com")
	}
	withScheme := text
	if !strings.Contains(text, "://") {
		withScheme = "https://" + text
		if host, _, err := net.SplitHostPort(strings.TrimSuffix(text, "/")); err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback()) {
			withScheme = "http://" + text
		}
	}
	u, err := url.Parse(withScheme)
	if err != nil {
		// the parse error would repeat the text, which may hold a password
		return nil, fault.New(fault.Invalid, "the Salesforce address is not a web address").WithHint("write it like https://acme.my.salesforce.com")
	}
	u.Host = strings.ToLower(u.Host)
	u.Scheme = strings.ToLower(u.Scheme)
	if err := p.Allowed(u); err != nil {
		return nil, err
	}
	if other, ok := apiHost(u.Hostname()); ok && !p.isExtra(u) {
		return nil, fault.New(fault.Invalid, "%s serves pages for people, not the API", u.Hostname()).WithHint("write https://%s", other)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return nil, fault.New(fault.Invalid, "the Salesforce address goes on after the host").WithHint("write only %s://%s", u.Scheme, u.Host)
	}
	host := u.Host
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	return &url.URL{Scheme: u.Scheme, Host: host}, nil
}

// apiHost names the My Domain host behind a Lightning or Setup host, which is what
// people copy from the browser.
func apiHost(host string) (string, bool) {
	for _, pages := range []string{".lightning.force.com", ".my.salesforce-setup.com", ".file.force.com"} {
		if org, ok := strings.CutSuffix(host, pages); ok && org != "" {
			return org + ".my.salesforce.com", true
		}
	}
	return "", false
}

var sandboxInstance = regexp.MustCompile(`^cs[0-9]+\.salesforce\.com$`)

// DefaultLogin returns where people sign in for an instance that Parse made: the
// instance itself when it is a My Domain or one of the operator's own hosts, else
// test.salesforce.com for sandboxes and login.salesforce.com for the others.
func (p HostPolicy) DefaultLogin(instance *url.URL) *url.URL {
	host := instance.Hostname()
	login := instance.Scheme + "://" + instance.Host
	switch {
	case p.isExtra(instance), strings.Contains(host, ".my."), host == "login.salesforce.com", host == "test.salesforce.com":
	case sandboxInstance.MatchString(host), strings.Contains(host, "--"):
		login = sandboxLogin
	default:
		login = productionLogin
	}
	u, err := url.Parse(login)
	if err != nil { // Parse made it from checked parts
		return &url.URL{Scheme: "https", Host: "login.salesforce.com"}
	}
	return u
}
