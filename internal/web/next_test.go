package web

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSafeNext(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"/", "/x", "/integrations/support/salesforce-prod/oauth2/authenticate?link=abc", "/?a=b#c", "/a//b", "/x?u=https://example.com/", "/%2Fexample.com",
	} {
		want := good
		if good == "/%2Fexample.com" { // decodes to //example.com: nothing here is called that
			want = "/"
		}
		require.Equal(t, want, safeNext(good), good)
	}
	for _, bad := range []string{
		"", "x", "//example.com", "///example.com", "/\\example.com", "\\\\example.com", "/\\/example.com", "https://example.com", "http:/example.com",
		"javascript:alert(1)", "/\t/example.com", "/\n/example.com", " //example.com", "/ /example.com", "/a\\b", "/\x00", "/\u2028x", "/%zz", "/%5Cexample.com",
		"/sign-in?next=/", "/sign-out", "data:text/html,x", "/\xff",
	} {
		require.Equal(t, "/", safeNext(bad), bad)
	}
}

func FuzzSafeNext(f *testing.F) {
	f.Add("/x")
	f.Add("//example.com")
	f.Fuzz(func(t *testing.T, next string) {
		got := safeNext(next)
		require.True(t, got[0] == '/' && (len(got) == 1 || got[1] != '/' && got[1] != '\\'), got)
		require.NotContains(t, got, "\\")
	})
}
