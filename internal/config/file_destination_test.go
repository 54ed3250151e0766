package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
)

func TestDestination(t *testing.T) {
	t.Parallel()
	got, err := read(full + `
destination:
  endpoint: https://cloud.uipath.com/acme/prod/reinfer_
  project: cm.support
  source: mail
  token_file: secret.txt
`)
	require.NoError(t, err)
	want := config.Destination{Endpoint: "https://cloud.uipath.com/acme/prod/reinfer_", Project: "cm.support", Source: "mail", Token: "from-file"}
	require.Equal(t, &want, got.Destination)
	spec, err := got.MarshalSpec()
	require.NoError(t, err)
	require.NotContains(t, string(spec), "from-file", "what the store keeps has no token")

	before, err := read(full)
	require.NoError(t, err)
	require.Equal(t, []config.Change{
		{Path: "destination.endpoint", New: want.Endpoint}, {Path: "destination.project", New: "cm.support"}, {Path: "destination.source", New: "mail"},
	}, config.Diff(before, got))
	require.Len(t, config.Diff(got, before), 3)

	_, err = read(full + `
destination:
  endpoint: https://evil.example
  project: a b
  token: x
  token_env: SF_CONSUMER_SECRET
  tokn: y
`)
	for _, says := range []string{
		"endpoint: may not be called (do better)", `project: "a b" may hold only`, "source is missing",
		"destination: token and token_env say the same thing twice: keep one", `unknown key "tokn" in destination: did you mean "token"?`,
	} {
		require.ErrorContains(t, err, says)
	}
	_, err = read(full + "\ndestination: {endpoint: https://a.example, project: a, source: b, token_env: NOT_SET}\n")
	require.ErrorContains(t, err, "token_env: the environment variable NOT_SET is not set")
	_, err = read(full + "\ndestination: {project: a, source: b, token: 'a b'}\n")
	require.ErrorContains(t, err, "endpoint is missing")
	require.ErrorContains(t, err, "token: holds a space")
}
