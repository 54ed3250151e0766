package salesforce

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
)

func testPolicy(t *testing.T) HostPolicy {
	t.Helper()
	p, err := NewHostPolicy([]string{"127.0.0.1:8090", " Localhost:8090", "[::1]:99", "sf.corp.example:443", ""})
	require.NoError(t, err)
	return p
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	p := testPolicy(t)
	for _, c := range []struct{ in, instance, login string }{
		{"https://acme.my.salesforce.com", "https://acme.my.salesforce.com", "https://acme.my.salesforce.com"},
		{" ACME.my.salesforce.com/ ", "https://acme.my.salesforce.com", "https://acme.my.salesforce.com"},
		{"https://acme.my.salesforce.com:443/", "https://acme.my.salesforce.com", "https://acme.my.salesforce.com"},
		{"acme--uat.sandbox.my.salesforce.com", "https://acme--uat.sandbox.my.salesforce.com", "https://acme--uat.sandbox.my.salesforce.com"},
		{"x-dev-ed.develop.my.salesforce.com", "https://x-dev-ed.develop.my.salesforce.com", "https://x-dev-ed.develop.my.salesforce.com"},
		{"acme.my.salesforce.mil", "https://acme.my.salesforce.mil", "https://acme.my.salesforce.mil"},
		{"um6.salesforce.com", "https://um6.salesforce.com", "https://login.salesforce.com"},
		{"cs12.salesforce.com", "https://cs12.salesforce.com", "https://test.salesforce.com"},
		{"acme.cloudforce.com", "https://acme.cloudforce.com", "https://login.salesforce.com"},
		{"test.salesforce.com", "https://test.salesforce.com", "https://test.salesforce.com"},
		{"http://127.0.0.1:8090", "http://127.0.0.1:8090", "http://127.0.0.1:8090"},
		{"127.0.0.1:8090", "http://127.0.0.1:8090", "http://127.0.0.1:8090"},
		{"localhost:8090/", "http://localhost:8090", "http://localhost:8090"},
		{"http://[::1]:99", "http://[::1]:99", "http://[::1]:99"},
		{"sf.corp.example", "https://sf.corp.example", "https://sf.corp.example"},
	} {
		u, err := p.Parse(c.in)
		require.NoError(t, err, c.in)
		require.Equal(t, c.instance, u.String(), c.in)
		require.NoError(t, p.Allowed(u))
		require.Equal(t, c.login, p.DefaultLogin(u).String(), c.in)
	}
}

func TestParseAddressRefuses(t *testing.T) {
	t.Parallel()
	p := testPolicy(t)
	for _, c := range []struct{ in, message, hint string }{
		{"", "is empty", "acme.my.salesforce.com"},
		{"http://acme.my.salesforce.com", "plain http", "https://acme.my.salesforce.com"},
		{"https://acme.my.salesforce.com:8443", "port 8443", ""},
		{"https://acme.example.com", "not a host of Salesforce", "SALESFORCE_EXTRA_HOSTS"},
		{"https://acme.my.salesforce.com.evil.example", "not a host of Salesforce", ""},
		{"https://evilsalesforce.com", "not a host of Salesforce", ""},
		{"https://salesforce.com", "not a host of Salesforce", ""},
		{"http://127.0.0.1:8091", "not a host of Salesforce", ""},
		{"127.0.0.1", "not a host of Salesforce", ""},
		{"https://user:pw@acme.my.salesforce.com", "carries a user name", "before the @"},
		{"user:pw@acme.my.salesforce.com", "", ""},
		{"ftp://acme.my.salesforce.com", "begins with", "https://"},
		{"https://acme.my.salesforce.com/services/data?x=1", "goes on after the host", "only https://acme.my.salesforce.com"},
		{"https://acme.lightning.force.com/lightning/page/home", "serves pages for people", "https://acme.my.salesforce.com"},
		{"https://acme.my.salesforce-setup.com", "not a host of Salesforce", ""},
		{"https://a..my.salesforce.com", "not a host of Salesforce", ""},
		{"https://äcme.my.salesforce.com", "not a host of Salesforce", ""},
		{"https://acme.my.salesforce.com%2f@x", "", ""},
		{"https://%zz", "not a web address", ""},
	} {
		u, err := p.Parse(c.in)
		require.Error(t, err, c.in)
		require.Nil(t, u)
		require.Equal(t, fault.Invalid, fault.KindOf(err), c.in)
		require.ErrorContains(t, err, c.message, c.in)
		require.Contains(t, fault.HintOf(err), c.hint, c.in)
		require.NotContains(t, err.Error(), "pw")
	}
}

func TestHostPolicyList(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"127.0.0.1", "http://127.0.0.1:80", "a:b", ":80", "*.acme.com:443", "a/b:80"} {
		_, err := NewHostPolicy([]string{"ok.example:1", bad})
		require.ErrorContains(t, err, "SALESFORCE_EXTRA_HOSTS", bad)
		require.Equal(t, fault.Invalid, fault.KindOf(err))
	}
	var zero HostPolicy
	u := &url.URL{Scheme: "https", Host: "acme.my.salesforce.com"}
	require.NoError(t, zero.Allowed(u))
	require.Error(t, zero.Allowed(&url.URL{Scheme: "http", Host: "127.0.0.1:8090"}))
	require.Error(t, zero.Allowed(nil))
}
