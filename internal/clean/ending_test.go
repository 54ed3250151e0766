package clean_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

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
			if *update {
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

// hostileEndings are lines that signatures, disclaimers and the like are made of.
var hostileEndings = map[string]string{
	"delimiters":       "-- \n",
	"drawn lines":      "_____\n",
	"cards":            "____\nAnn Example\n____\nx\n",
	"closings":         "Kind regards\n",
	"thanks":           "Thanks,\n",
	"closings, apart":  "Kind regards\n\n\n",
	"names":            "Ann Example\n",
	"names, apart":     "Ann Example\n\nShe said that it works for her.\n\n",
	"initials":         "A\n\n",
	"dashed names":     "-Ann\n",
	"devices":          "Sent from my iPhone\n",
	"devices, apart":   "Sent from my iPhone\n\nx\n",
	"links":            "https://acme.example\n",
	"disclaimers":      "Virus-free. www.avast.com\n\n",
	"asked about":      "...\n\n....\n\nVirus-free. Is it?\n\n",
	"legal words":      "confidential intended recipient privileged email ",
	"legal paragraphs": "This email is confidential. If you are not the intended recipient, delete it.\n",
	"footers":          "--\nunsubscribe\n",
	"banners":          "CAUTION: This email originated from outside.\n",
	"seals":            "-----BEGIN PGP SIGNATURE-----\n-----END PGP SIGNATURE-----\n",
	"postscripts":      "P.S. x\n\n",
	"points":           ".\n",
	"blank lines":      "\n",
	"tokens":           "ref:_00D5f0Abcd._5005f1WxYz:ref\n",
	"stretches":        "Kind regards,\nAnn\n> old\n",
}

func TestHostileEndingsAreReadInLinearTime(t *testing.T) {
	for name, line := range hostileEndings {
		t.Run(name, func(t *testing.T) {
			in := strings.Repeat(line, 1<<17/len(line))
			html := asHTML(in)
			before := cpu(t)
			for _, mail := range []clean.Mail{{Text: in}, {Text: "It works.\n" + in + "It does.\n"}, {HTML: html}, {HTML: "<div class=gmail_signature>" + html + "</div>It works."}} {
				clean.Split(mail)
				mail.FromName, mail.FromAddress = "Ann Example", "ann@acme.example"
				clean.Split(mail)
			}
			require.Less(t, cpu(t)-before, 3*time.Second, "CPU time of an eighth of a megabyte, read eight times")
		})
	}
}
