package clean_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

var updateEndings = flag.Bool("update-endings", false, "write what testdata/endings should be")

// TestSplitEndings takes every mail of testdata/endings apart and compares what
// stays, what is set apart and by which rule. A mail is a .txt or an .html file; who
// sent it, where it matters, is in the .json file beside it.
func TestSplitEndings(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/endings/*.*")
	require.NoError(t, err)
	mails := 0
	for _, file := range files {
		kind := filepath.Ext(file)
		if kind != ".txt" && kind != ".html" {
			continue
		}
		mails++
		name := strings.TrimSuffix(file, kind)
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			mail := clean.Mail{Text: string(body)}
			if kind == ".html" {
				mail = clean.Mail{HTML: string(body)}
			}
			if about, err := os.ReadFile(name + ".json"); err == nil {
				var sender struct {
					From     string `json:"from"`
					FromName string `json:"from_name"`
					Subject  string `json:"subject"`
				}
				require.NoError(t, json.Unmarshal(about, &sender))
				mail.FromAddress, mail.FromName, mail.Subject = sender.From, sender.FromName, sender.Subject
			}
			result := clean.Split(mail)
			whole(t, result)
			got := described(result)
			if *updateEndings {
				require.NoError(t, os.WriteFile(name+".want", []byte(got), 0o600))
				return
			}
			want, err := os.ReadFile(name + ".want")
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
	require.GreaterOrEqual(t, mails, 200)
}

// described writes down what became of a mail: the reply, then each part that was
// set apart under its kind and its rule.
func described(r clean.Result) string {
	var b strings.Builder
	b.WriteString(r.Reply + "\n")
	for _, s := range r.Spans {
		b.WriteString("--- " + string(s.Kind) + ", " + s.Rule + "\n" + r.Text[s.Start:s.End] + "\n")
	}
	return b.String()
}
