package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/secret"
)

// Program names one of the three programs.
type Program string

// The programs.
const (
	Worker  Program = "worker"
	Authsvc Program = "authsvc"
	Starter Program = "starter"
)

// Config is the environment of one program. A field whose variable the program does
// not use, or that is not set, has the zero value or the variable's default.
type Config struct {
	DatabaseURL   secret.Text
	PublicURL     string          // scheme and host, without a slash at the end
	TemporalUI    string          // address of Temporal's web page, without a slash at the end; "" = none
	ListenAddr    string          // host:port
	Keys          *secret.KeyRing // nil when not set
	ExtraHosts    []string        // host:port, lower case
	DeliveryHosts []string        // host:port, lower case
	Proxies       []netip.Prefix  // whose X-Forwarded-For is believed
	MetricsAddr   string          // host:port; "" = off
	AdminEmail    string
	AdminPassword secret.Text
	LogLevel      string   // debug, info, warn or error
	TaskQueues    []string // that a worker serves
	OIDC          OIDC
	Traces        Traces

	temporal temporalEnv
}

// OIDC names an identity provider; the zero OIDC is none.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret secret.Text
	Domains      []string // lower case
}

// Load reads the variables that program uses and checks them all. needs names
// variables that must be set although the program does without them elsewhere, for
// example PUBLIC_URL for one command of starter. The error is one fault.Invalid that
// lists every problem by variable; it holds no value of a secret.
func Load(program Program, needs ...string) (*Config, error) {
	c, err := LoadFrom(os.Getenv, program, needs...)
	if err == nil {
		c.temporal.environ = os.Environ
	}
	return c, err
}

// LoadFrom is Load with variables from lookup, which gives "" for what is not set.
func LoadFrom(lookup func(string) string, program Program, needs ...string) (*Config, error) {
	r := envReader{lookup: lookup, program: program, needs: needs}
	c := &Config{
		DatabaseURL:   secret.Text(r.read("DATABASE_URL")),
		PublicURL:     r.read("PUBLIC_URL"),
		TemporalUI:    r.read("TEMPORAL_UI_URL"),
		ListenAddr:    r.read("LISTEN_ADDR"),
		MetricsAddr:   r.read("METRICS_ADDR"),
		AdminEmail:    r.read("ADMIN_EMAIL"),
		AdminPassword: secret.Text(r.read("ADMIN_PASSWORD")),
		LogLevel:      r.read("LOG_LEVEL"),
		temporal:      temporalEnv{lookup: lookup},
	}
	r.checkDatabaseURL(c.DatabaseURL)
	c.PublicURL = r.checkPublicURL(c.PublicURL)
	c.TemporalUI = r.checkTemporalUI(c.TemporalUI)
	r.checkAddress("LISTEN_ADDR", c.ListenAddr)
	r.checkAddress("METRICS_ADDR", c.MetricsAddr)
	if keys := r.read("ENCRYPTION_KEYS"); keys != "" {
		ring, err := secret.ParseKeyRing(keys)
		if err != nil {
			r.problem("ENCRYPTION_KEYS", "%v", err)
		}
		c.Keys = ring
	}
	c.ExtraHosts = r.checkHosts("SALESFORCE_EXTRA_HOSTS")
	c.DeliveryHosts = r.checkHosts("DELIVERY_EXTRA_HOSTS")
	c.Proxies = r.checkProxies(r.read("TRUSTED_PROXIES"))
	if (c.AdminEmail == "") != (c.AdminPassword == "") {
		r.problem("ADMIN_EMAIL", "ADMIN_EMAIL and ADMIN_PASSWORD go together: set both or none")
	}
	if !slices.Contains([]string{"", "debug", "info", "warn", "error"}, c.LogLevel) {
		r.problem("LOG_LEVEL", "%q is not one of debug, info, warn, error", c.LogLevel)
	}
	c.TaskQueues = r.checkQueues(r.read("TASK_QUEUES"))
	c.OIDC = r.readOIDC()
	c.Traces = r.readTraces()
	c.temporal.apiKey = secret.Text(r.read("TEMPORAL_API_KEY"))
	if err := r.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// checkQueues splits a list of task queues. None is refused: such a worker would do nothing.
func (r *envReader) checkQueues(list string) []string {
	if r.program != Worker {
		return nil
	}
	var queues []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(flow.Queues, name) {
			r.problem("TASK_QUEUES", "%q is no task queue: there are %s", name, strings.Join(flow.Queues, ", "))
			continue
		}
		queues = append(queues, name)
	}
	return queues
}

// envReader reads variables and gathers problems.
type envReader struct {
	lookup   func(string) string
	program  Program
	needs    []string
	problems []string
}

// uses reports whether the program has any use for a variable.
func (r *envReader) uses(name string) bool {
	return slices.Contains(variable(name).Programs, r.program)
}

func (r *envReader) problem(name, format string, args ...any) {
	r.problems = append(r.problems, name+": "+fmt.Sprintf(format, args...))
}

// read gives the value of one variable: from the environment, from the file that its
// _FILE form names, or its default. A variable the program does not use reads as "".
func (r *envReader) read(name string) string {
	v := variable(name)
	if !r.uses(name) {
		return ""
	}
	value := r.lookup(name)
	if !v.Secret {
		value = strings.TrimSpace(value)
	} else {
		if path := r.lookup(name + "_FILE"); path != "" {
			if value != "" {
				r.problem(name, "both %s and %s_FILE are set: keep one", name, name)
				return ""
			}
			data, err := os.ReadFile(path)
			if err != nil {
				r.problem(name+"_FILE", "%v", err)
				return ""
			}
			if value = strings.TrimRight(string(data), "\r\n"); value == "" { // editors end files with a newline
				r.problem(name+"_FILE", "the file %s is empty", path)
				return ""
			}
		}
	}
	if value == "" {
		value = v.Default
	}
	if value == "" && (slices.Contains(v.Required, r.program) || slices.Contains(r.needs, name)) {
		form := ""
		if v.Secret {
			form = " (or " + name + "_FILE)"
		}
		r.problem(name, "is not set%s: %s", form, v.Meaning)
	}
	return value
}

func (r *envReader) readOIDC() OIDC {
	o := OIDC{Issuer: r.read("OIDC_ISSUER"), ClientID: r.read("OIDC_CLIENT_ID"), ClientSecret: secret.Text(r.read("OIDC_CLIENT_SECRET"))}
	for _, d := range strings.Split(r.read("OIDC_ALLOWED_DOMAINS"), ",") {
		d = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(d), "@"))
		if d == "" {
			continue
		}
		if strings.ContainsAny(d, "@/*: ") || !strings.Contains(d, ".") {
			r.problem("OIDC_ALLOWED_DOMAINS", "%q is not a domain, such as acme.example", d)
			continue
		}
		o.Domains = append(o.Domains, d)
	}
	switch {
	case (o.Issuer == "") != (o.ClientID == ""):
		r.problem("OIDC_ISSUER", "OIDC_ISSUER and OIDC_CLIENT_ID go together: set both or none")
	case o.Issuer == "" && (o.ClientSecret != "" || o.Domains != nil):
		r.problem("OIDC_ISSUER", "is not set, but other OIDC variables are")
	case o.Issuer != "":
		u, err := url.Parse(o.Issuer)
		// Plain http would let anybody on the way say who somebody is; on this machine there is nobody.
		local := err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
		if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !local) {
			r.problem("OIDC_ISSUER", "%q is not an https address, such as https://login.acme.example", o.Issuer)
		}
	}
	return o
}

func (r *envReader) checkDatabaseURL(value secret.Text) {
	// The rest is libpq's grammar and is read by the driver; the value may hold a password and is not shown.
	if v := value.Reveal(); v != "" && !strings.HasPrefix(v, "postgres://") && !strings.HasPrefix(v, "postgresql://") {
		r.problem("DATABASE_URL", "is not a PostgreSQL URL: write it as postgres://user:password@host:5432/database")
	}
}

func (r *envReader) checkPublicURL(value string) string {
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "":
		r.problem("PUBLIC_URL", "%q is not an address: write it as https://sync.acme.example", value)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/"):
		r.problem("PUBLIC_URL", "write scheme and host only, as in https://sync.acme.example")
	case u.Port() != "" && !validPort(u.Port()):
		r.problem("PUBLIC_URL", "port %s is not 1 to 65535", u.Port())
	default:
		return u.Scheme + "://" + strings.ToLower(u.Host)
	}
	return ""
}

// checkTemporalUI reads an address that may have a path, behind a proxy.
func (r *envReader) checkTemporalUI(value string) string {
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		r.problem("TEMPORAL_UI_URL", "%q is not an address: write it as https://temporal.acme.example", value)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		r.problem("TEMPORAL_UI_URL", "write scheme, host and path only, as in https://temporal.acme.example")
	default:
		return strings.TrimRight(u.String(), "/")
	}
	return ""
}

func (r *envReader) checkAddress(name, value string) {
	if value == "" {
		return
	}
	_, port, err := net.SplitHostPort(value)
	if err != nil || (port != "0" && !validPort(port)) {
		r.problem(name, "%q is not host:port, such as 127.0.0.1:8080", value)
	}
}

func (r *envReader) checkHosts(name string) []string {
	var hosts []string
	for _, h := range strings.Split(r.read(name), ",") {
		h = strings.ToLower(strings.TrimSpace(h))
		if h == "" {
			continue
		}
		host, port, err := net.SplitHostPort(h)
		if err != nil || host == "" || !validPort(port) || strings.ContainsAny(h, "/@?#* ") {
			r.problem(name, "%q is not host:port, such as localhost:8090", h)
			continue
		}
		hosts = append(hosts, h)
	}
	return hosts
}

func (r *envReader) checkProxies(value string) []netip.Prefix {
	var proxies []netip.Prefix
	for text := range strings.SplitSeq(value, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		proxy, err := netip.ParsePrefix(text)
		if address, errAddress := netip.ParseAddr(text); errAddress == nil {
			proxy, err = netip.PrefixFrom(address.WithZone(""), address.BitLen()), nil
		}
		switch {
		case err != nil || proxy.Addr().Is4In6(): // addresses are compared as plain IPv4
			r.problem("TRUSTED_PROXIES", "%q is not an address or a CIDR, such as 10.0.0.7 or 10.0.0.0/8", text)
		case proxy.Bits() == 0:
			r.problem("TRUSTED_PROXIES", "%s trusts everybody: anybody could make up an address", text)
		default:
			proxies = append(proxies, proxy.Masked())
		}
	}
	return proxies
}

func validPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0 && n < 65536
}

func (r *envReader) err() error {
	switch len(r.problems) {
	case 0:
		return nil
	case 1:
		return fault.New(fault.Invalid, "environment: %s", r.problems[0])
	}
	return fault.New(fault.Invalid, "environment: %d problems:\n  %s", len(r.problems), strings.Join(r.problems, "\n  "))
}
