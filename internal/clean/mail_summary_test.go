package clean_test

import (
	"bufio"
	"bytes"
	"cmp"
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
	"salesforcesync/internal/eml"
)

const summaryFile = "testdata/mail_summary.golden"

// summary is a line about what becomes of a mail. It holds nothing of the mail itself.
func summary(name string, raw []byte, r clean.Result) string {
	spans := map[string]int{}
	for _, s := range r.Spans {
		spans[strings.ReplaceAll(string(s.Kind)+"/"+s.Rule, " ", "_")]++
	}
	var rules []string
	for _, rule := range slices.Sorted(maps.Keys(spans)) {
		rules = append(rules, fmt.Sprintf("%s:%d", rule, spans[rule]))
	}
	all, _ := json.Marshal(r) // strings and numbers always marshal
	before, after := sha256.Sum256(raw), sha256.Sum256(all)
	return fmt.Sprintf("%s mail=%x text=%d reply=%d quoted=%d signature=%d result=%x spans=%s",
		name, before[:8], len(r.Text), len(r.Reply), len(r.Quoted), len(r.Signature), after[:8], cmp.Or(strings.Join(rules, ","), "none"))
}

// TestRealMails takes every mail of MAIL_DIR apart and compares with the reviewed
// summary the ones that it has. Others, and none at all where MAIL_DIR is not set, are
// as good: what holds for each mail is asserted of them.
func TestRealMails(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	if content, err := os.ReadFile(summaryFile); err == nil {
		for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			want[fields[0]+fields[1]] = lines.Text()
		}
	} else if !*update {
		require.NoError(t, err)
	}
	files, err := filepath.Glob(filepath.Join(os.Getenv("MAIL_DIR"), "*.eml"))
	require.NoError(t, err)
	slices.Sort(files)
	var got []string
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		m := eml.Read(raw)
		r := clean.Split(clean.Mail{Text: m.Text, HTML: m.HTML, FromName: m.FromName, FromAddress: m.FromAddress, Subject: m.Subject})
		whole(t, r)
		if m.Text+m.HTML != "" && strings.TrimSpace(r.Text) != "" {
			require.NotEmpty(t, r.Reply+r.Quoted, "%s says something", file)
		}
		line := summary(filepath.Base(file), raw, r)
		got = append(got, line)
		fields := strings.Fields(line)
		if known, ok := want[fields[0]+fields[1]]; ok && !*update {
			require.Equal(t, known, line, "run with -update, and review what changes")
		}
	}
	if *update && len(got) > 0 {
		require.NoError(t, os.WriteFile(summaryFile, []byte(strings.Join(got, "\n")+"\n"), 0o600))
	}
}
