package catalogue_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/catalogue"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
)

var update = flag.Bool("update", false, "write messages.txt and docs/errors.md anew")

const updateLine = "go test ./internal/catalogue -update (twice)"

// selector is one line of an entry: which faults it is of.
type selector struct{ entry, line, where, kind, words string }

func selectors(t *testing.T) []selector {
	t.Helper()
	var all []selector
	for _, e := range catalogue.All() {
		for _, line := range e.Of {
			head, words, _ := strings.Cut(line, ": ")
			where, kind, ok := strings.Cut(head, " ")
			require.True(t, ok, "%s: %q is not WHERE KIND: WORDS", e.Code, line)
			all = append(all, selector{e.Code, line, where, kind, words})
		}
	}
	return all
}

// weight says how well a line fits a fault, 0 = not at all: words before places, files before packages.
func (s selector) weight(at site) int {
	place := 0
	switch {
	case s.where == at.file():
		place = 3
	case s.where == at.pkg:
		place = 2
	case strings.HasSuffix(s.where, "/*") && strings.HasPrefix(at.pkg, strings.TrimSuffix(s.where, "*")):
		place = 1
	}
	if place == 0 || s.kind != "*" && s.kind != at.kind || s.kind == "*" && s.words == "" && at.kind != "" || !strings.Contains(at.message, s.words) {
		return 0
	}
	return place + 10*len(s.words)
}

// entryOf gives the one entry of a fault.
func entryOf(all []selector, at site) (entry string, used selector, err error) {
	best := 0
	for _, s := range all {
		switch w := s.weight(at); {
		case w == 0 || w < best:
		case w == best && s.entry != entry:
			err = fmt.Errorf("both %q of %s and %q of %s fit", s.line, s.entry, used.line, entry)
		case w > best:
			best, entry, used, err = w, s.entry, s, nil
		}
	}
	if best == 0 {
		err = fmt.Errorf("no entry of internal/catalogue/catalogue.yaml is of it")
	}
	return entry, used, err
}

// everything is every fault: those that the code makes, and those that Salesforce answers.
func everything(t *testing.T) []site {
	t.Helper()
	all := sites(t)
	for _, a := range salesforce.Refusals() {
		all = append(all, site{pkg: catalogue.Salesforce, at: "internal/salesforce/errors.go, rules", kind: string(a.Kind), message: catalogue.AnswerText(a)})
	}
	return all
}

func TestEveryFaultIsTold(t *testing.T) {
	all := selectors(t)
	used := map[string]bool{}
	messages := map[string][]catalogue.Message{} // by entry
	for _, at := range everything(t) {
		entry, line, err := entryOf(all, at)
		if err != nil {
			t.Errorf("%s: a fault of kind %q, %q: %v", at.at, at.kind, at.message, err)
			continue
		}
		used[line.entry+line.line] = true
		m := catalogue.Message{Kind: fault.Kind(at.kind), Text: strings.ReplaceAll(at.message, "\n", " ")}
		if !slices.Contains(messages[entry], m) && strings.Trim(m.Text, "%sv: ") != "" {
			messages[entry] = append(messages[entry], m)
		}
	}
	for _, s := range all {
		if !used[s.entry+s.line] {
			t.Errorf("%s: no fault is of %q: take the line out, or mend it", s.entry, s.line)
		}
	}
	if t.Failed() {
		return
	}

	var file strings.Builder
	for _, entry := range slices.Sorted(maps.Keys(messages)) {
		for _, m := range messages[entry] {
			fmt.Fprintf(&file, "%s\t%s\t%s\n", entry, m.Kind, m.Text)
		}
	}
	same(t, filepath.Join(root, "internal", "catalogue", "messages.txt"), file.String())
}

// same asserts that a generated file is what it should be, or makes it so.
func same(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
		return
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(have), "%s is not what the code says: run %s", path, updateLine)
}

func TestTheTestSeesFaults(t *testing.T) {
	t.Parallel()
	all := selectors(t)
	_, _, err := entryOf(all, site{pkg: "internal/store", at: "internal/store/new.go:1", kind: "Permission", message: "a new one"})
	require.ErrorContains(t, err, "no entry", "a fault that nobody told of")
	_, _, err = entryOf(all, site{pkg: "internal/api", at: "internal/api/x.go:1", kind: "Invalid", message: "a new one"})
	require.NoError(t, err, "a family takes new members")

	seen := sites(t)
	require.Greater(t, len(seen), 600)
	for name := range makers {
		pkg, function := filepath.Split(strings.Replace(name, ".", "/", 1))
		files, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(files, func(path string) bool {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			return strings.Contains(string(text), ") "+function+"(") || strings.Contains(string(text), "func "+function+"(") || strings.Contains(string(text), function+" := func(")
		}), "%s makes faults no more", name)
	}
}

func TestEntriesAreWhole(t *testing.T) {
	t.Parallel()
	codes := map[string]bool{}
	for _, e := range catalogue.All() {
		require.False(t, codes[e.Code], "%s is there twice", e.Code)
		codes[e.Code] = true
		require.Regexp(t, `^[a-z0-9-]+$`, e.Code)
		require.NotEmpty(t, e.Title, e.Code)
		require.NotEmpty(t, e.Cause, e.Code)
		require.Contains(t, []catalogue.Who{catalogue.Nobody, catalogue.Administrator, catalogue.Operator, catalogue.Caller, catalogue.Payer}, e.Who, e.Code)
		require.True(t, *update || e.Fix != "" || len(e.Hints()) > 0, "%s says no next step", e.Code)
	}
}

func TestThePageIsTheCatalogue(t *testing.T) {
	same(t, filepath.Join(root, "docs", "errors.md"), catalogue.Page())
}

// What people paste, and the entry they need.
func TestFind(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"share-used": "share-used",
		"query EmailMessage: No such column 'Foo__c' on entity 'EmailMessage' (INVALID_FIELD, request id abc)": "field-not-there",
		"INVALID_SESSION_ID: This session is not valid for use with the REST API":                              "session-may-not-use-api",
		"REQUEST_LIMIT_EXCEEDED": "org-requests-used-up",
		"ConcurrentRequests (Concurrent API) Limit exceeded. (REQUEST_LIMIT_EXCEEDED)":                                                                                            "too-many-long-calls",
		`call Salesforce's token endpoint: Salesforce no longer accepts the grant: it was revoked, has expired, or was replaced ("expired access/refresh token") (invalid_grant)`: "token-invalid-grant",
		"invalid_grant: ip restricted":                                                                                                          "token-invalid-grant-ip-restricted",
		"Salesforce refused the authorization: OAUTH_APP_BLOCKED":                                                                               "consent-oauth-app-blocked",
		"the database has schema version 18, this program needs version 19":                                                                     "schema-version",
		"PostgreSQL at db.example:5432 does not answer: dial tcp: connection refused":                                                           "postgresql-away",
		"cap of 100 AI units for 2026-11 is reached: 98 used, this batch needs 5":                                                               "unit-cap",
		`environment: DATABASE_URL: is not set (or DATABASE_URL_FILE): where it is`:                                                             "environment",
		"ENCRYPTION_KEYS does not hold the key that sealed refresh_token: open x: key id \"k1\": sealed with a key that is not in the key ring": "key-missing",
		"evil.example is not a host of Salesforce":                                                                                              "salesforce-host",
	} {
		found := catalogue.Find(text)
		require.NotEmpty(t, found, text)
		require.Equal(t, want, found[0].Code, text)
		require.LessOrEqual(t, len(found), 3)
	}
	require.Empty(t, catalogue.Find("the weather is fine"))
	require.Empty(t, catalogue.Find(""))
}
