package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFault(t *testing.T) {
	t.Parallel()
	run := func(args ...string) (out, talk string, code int) {
		var o, e bytes.Buffer
		a := &app{out: &o, talk: &e, lookup: func(string) string { return "" }} // nothing is configured, and nothing needed
		code = a.run(t.Context(), append([]string{"fault"}, args...))
		return o.String(), e.String(), code
	}

	out, _, code := run("query EmailMessage: No such column 'Foo__c' on entity 'EmailMessage' (INVALID_FIELD, request id r1)")
	require.Zero(t, code)
	require.Contains(t, out, "field-not-there: ")
	require.Contains(t, out, "the Salesforce administrator")

	out, _, code = run("--json", "share-used")
	require.Zero(t, code)
	var got []faultView
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got, 1)
	require.Equal(t, "share-used", got[0].Code)
	require.Equal(t, "nobody", got[0].Who)
	require.Contains(t, got[0].Next, "starter apply")

	_, talk, code := run("the", "weather", "is", "fine")
	require.Equal(t, exitInput, code)
	require.Contains(t, talk, "docs/errors.md")
	_, _, code = run()
	require.Equal(t, exitInput, code)

	require.Equal(t, "starter fault org-requests-used-up", lookUp("TotalRequests Limit exceeded. (REQUEST_LIMIT_EXCEEDED)"))
	require.Empty(t, lookUp("paused by ann@acme.example"))
}
