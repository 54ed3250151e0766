package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var root = filepath.Join("..", "..")

// page is one Markdown file; path is relative to the root.
type page struct {
	path, text string
}

// pages reads every page of the repository: those at the root and all below docs/.
func pages(t *testing.T) []page {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "*.md"))
	require.NoError(t, err)
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			paths = append(paths, path)
		}
		return err
	})
	require.NoError(t, err)
	var all []page
	for _, path := range paths {
		rel, err := filepath.Rel(root, path)
		require.NoError(t, err)
		all = append(all, page{filepath.ToSlash(rel), read(t, rel)})
	}
	require.Greater(t, len(all), 15, "the pages are there")
	return all
}

// read gives a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	require.NoError(t, err)
	return string(data)
}

var span = regexp.MustCompile("`([^`\n]+)`")

// prose and code part a page: code is every line of a block and every `span`.
func (p page) parts() (prose string, code []string) {
	var text strings.Builder
	fenced := false
	for line := range strings.Lines(p.text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			fenced = !fenced
		case fenced || strings.HasPrefix(line, "    "):
			code = append(code, line)
		default:
			text.WriteString(line + "\n")
			for _, m := range span.FindAllStringSubmatch(line, -1) {
				code = append(code, m[1])
			}
		}
	}
	return text.String(), code
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	outside = regexp.MustCompile(`^(https?|mailto):`)
	slugCut = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors are the names by which a page's headings are linked to.
func (p page) anchors() []string {
	var names []string
	prose, _ := p.parts()
	for _, m := range heading.FindAllStringSubmatch(prose, -1) {
		names = append(names, strings.ReplaceAll(slugCut.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return names
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	all := pages(t)
	byPath := map[string]page{}
	for _, p := range all {
		byPath[p.path] = p
	}
	followed := 0
	for _, p := range all {
		prose, _ := p.parts()
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			if outside.MatchString(m[1]) {
				continue
			}
			followed++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := p.path
			if file != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(p.path), file))
			}
			_, err := os.Stat(filepath.Join(root, filepath.FromSlash(target)))
			require.NoError(t, err, "%s links to %s", p.path, m[1])
			if anchor != "" {
				require.Contains(t, byPath[target].anchors(), anchor, "%s links to %s", p.path, m[1])
			}
		}
	}
	require.Greater(t, followed, 30)
}

// A page that no page links to is read by nobody.
func TestEveryPageIsLinkedTo(t *testing.T) {
	t.Parallel()
	linked := map[string]bool{"README.md": true}
	all := pages(t)
	for _, p := range all {
		prose, _ := p.parts()
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			file, _, _ := strings.Cut(m[1], "#")
			linked[filepath.ToSlash(filepath.Join(filepath.Dir(p.path), file))] = true
		}
	}
	for _, p := range all {
		require.True(t, linked[p.path], "no page links to %s", p.path)
	}
}

func TestDecisionsAreDated(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^docs/decisions/(\d{4})(\d{2})(\d{2})-[a-z0-9-]+\.md$`)
	found := 0
	for _, p := range pages(t) {
		if !strings.HasPrefix(p.path, "docs/decisions/") || strings.HasSuffix(p.path, "/README.md") {
			continue
		}
		found++
		m := name.FindStringSubmatch(p.path)
		require.NotNil(t, m, "%s is not YYYYMMDD-slug.md", p.path)
		require.Contains(t, p.text, "\n"+m[1]+"-"+m[2]+"-"+m[3]+"\n", p.path)
		for _, part := range []string{"**Context.**", "**Decision.**", "**Consequences.**"} {
			require.Contains(t, p.text, part, p.path)
		}
	}
	require.Positive(t, found)
}
