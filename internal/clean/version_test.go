package clean_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

const versionFile = "testdata/version.golden"

// pinned is what testdata/version.golden says: which version made which output of each
// golden input, and whether a release has that version.
type pinned struct {
	version  int
	released bool
	outputs  map[string]string
}

func readPinned(t *testing.T) pinned {
	t.Helper()
	p := pinned{outputs: map[string]string{}}
	content, err := os.ReadFile(versionFile)
	require.NoError(t, err)
	lines := bufio.NewScanner(bytes.NewReader(content))
	require.True(t, lines.Scan())
	var state string
	_, err = fmt.Sscanf(lines.Text(), "version %d %s", &p.version, &state)
	require.NoError(t, err, "%s begins with the version and its state", versionFile)
	require.Contains(t, []string{"released", "unreleased"}, state)
	p.released = state == "released"
	for lines.Scan() {
		name, digest, ok := strings.Cut(lines.Text(), " ")
		require.True(t, ok, "%q", lines.Text())
		p.outputs[name] = digest
	}
	return p
}

func (p pinned) write(t *testing.T) {
	t.Helper()
	var b strings.Builder
	state := "unreleased"
	if p.released {
		state = "released"
	}
	fmt.Fprintf(&b, "version %d %s\n", p.version, state)
	for _, name := range slices.Sorted(maps.Keys(p.outputs)) {
		fmt.Fprintf(&b, "%s %s\n", name, p.outputs[name])
	}
	require.NoError(t, os.WriteFile(versionFile, []byte(b.String()), 0o600))
}

// outputs has a digest of all that is made of each golden input, whatever folder it is in.
func outputs(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"*.txt", "*.html"} {
		files, err := filepath.Glob(filepath.Join("testdata", "*", pattern))
		require.NoError(t, err)
		for _, file := range files {
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			s := string(body)
			text, markup := clean.Mail{Text: s}, clean.Mail{HTML: s}
			if about, err := os.ReadFile(strings.TrimSuffix(file, filepath.Ext(file)) + ".json"); err == nil {
				var sender struct {
					From    string `json:"from"`
					Name    string `json:"from_name"`
					Subject string `json:"subject"`
				}
				require.NoError(t, json.Unmarshal(about, &sender))
				text.FromAddress, text.FromName, text.Subject = sender.From, sender.Name, sender.Subject
				markup.FromAddress, markup.FromName, markup.Subject = sender.From, sender.Name, sender.Subject
			}
			made, err := json.Marshal([]any{clean.Text(s), clean.HTML(s), clean.Line(s), clean.Split(text), clean.Split(markup)})
			require.NoError(t, err)
			name, err := filepath.Rel("testdata", file)
			require.NoError(t, err)
			out[filepath.ToSlash(name)] = fmt.Sprintf("%x", sha256.Sum256(made))[:16]
		}
	}
	require.Greater(t, len(out), 500)
	return out
}

// refuse says why outputs may not land with a version, "" when they may.
func (p pinned) refuse(version int, got map[string]string) string {
	switch {
	case version < p.version:
		return fmt.Sprintf("clean.Version %d is below %d, which there was already", version, p.version)
	case version > p.version || !p.released:
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(p.outputs)) {
		if digest, is := got[name]; is && digest != p.outputs[name] {
			return fmt.Sprintf("%s reads otherwise than in the release that has cleaning version %d: raise clean.Version, then run with -update", name, version)
		}
	}
	return ""
}

// TestNoChangeWithoutAVersion holds that stored texts and the bill can trust the version:
// once a release has one, what it makes of the golden inputs never changes again.
//
// Until then -update writes down what is made now. After a change of what a release
// does, clean.Version is raised, and -update begins anew. New inputs are added by it
// at any time, and have to be when a release has the version.
func TestNoChangeWithoutAVersion(t *testing.T) {
	t.Parallel()
	p, got := readPinned(t), outputs(t)
	require.Empty(t, p.refuse(clean.Version, got))
	if *update {
		p = pinned{version: clean.Version, released: p.released && clean.Version == p.version, outputs: got}
		p.write(t)
	}
	require.Equal(t, clean.Version, p.version, "run with -update")
	for name, digest := range got {
		if known, is := p.outputs[name]; is || p.released {
			require.Equal(t, known, digest, "%s: run with -update, and review what changes", name)
		}
	}
}

func TestWhatMayLandWithAVersion(t *testing.T) {
	t.Parallel()
	old := map[string]string{"a": "1", "b": "2"}
	released, under := pinned{version: 3, released: true, outputs: old}, pinned{version: 3, outputs: old}
	require.Empty(t, released.refuse(3, old), "nothing changed")
	require.Empty(t, released.refuse(3, map[string]string{"a": "1", "b": "2", "c": "3"}), "an input more")
	require.Contains(t, released.refuse(3, map[string]string{"a": "1", "b": "9"}), "b reads otherwise")
	require.Empty(t, released.refuse(4, map[string]string{"a": "1", "b": "9"}), "with a version of its own")
	require.Empty(t, under.refuse(3, map[string]string{"a": "1", "b": "9"}), "before the release")
	require.Contains(t, under.refuse(2, old), "is below 3")
}
