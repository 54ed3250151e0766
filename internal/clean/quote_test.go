package clean_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

// hostileMails are mails that are slow for who looks back or ahead too far when it
// looks for quotations, a line of each repeated.
var hostileMails = map[string]string{
	"shared lines":         "x On Mon, 3 Mar 2025 10:12, Ann <a@b> wrote:\n",
	"shared, marked":       "x On Mon, 3 Mar 2025 10:12, Ann <a@b> wrote:\n> y\n",
	"glued":                "On Mon, 3 Mar 2025 10:12, Ann <a@b> wrote:x\n",
	"nearly wrote":         "On Mon, 3 Mar 2025 10:12, Ann\n<a@b>\n",
	"nearly wrote, marked": "On 3 March Ann\nno\n> y\n",
	"set apart":            "On Mon, 3 Mar 2025\n\n<\n",
	"labels":               "From: a\n",
	"labels in turn":       "From: a\nTo: b\n\n",
	"labels in a line":     "From: " + strings.Repeat("To: ", 50) + "\n",
	"bare labels":          "To\n",
	"bare labels in turn":  "To\ncc\n\n",
	"titles":               "Original Message:\n",
	"named":                ">>> Ann 3/3/2025 10:12 >>>\n",
	"own marks":            "Ann wrote:\n| x\n",
	"marks without a name": "| x\n",
	"links":                "> (http://a\nb)\n",
	"broken lines":         "> " + strings.Repeat("x ", 40) + "\ny\n",
	"rules":                "--------\n\n",
	"rules and marks":      "____________________\n> x\n",
	"forwards in marks":    "> Begin forwarded message:\nx\n",
	"answers":              "> x\ny\n",
	"blank":                "> x\n\n\n\n\n\n\n",
	"colons":               "On 3 March 2025 10:12 a:b:c:d:e:f:g:h:i:j:k:l:m:n:o:p:q:r:s:t\n",
}

func TestHostileQuotationsAreReadInLinearTime(t *testing.T) {
	for name, line := range hostileMails {
		t.Run(name, func(t *testing.T) {
			in := strings.Repeat(line, 1<<19/len(line))
			html := asHTML(in)
			before := cpu(t)
			clean.Split(clean.Mail{Text: in})
			clean.Split(clean.Mail{Text: "It works.\n" + in})
			clean.Split(clean.Mail{HTML: html})
			clean.Split(clean.Mail{HTML: "<blockquote>" + html + "</blockquote>"})
			require.Less(t, cpu(t)-before, 3*time.Second, "CPU time of half a megabyte, read four times")
		})
	}
}

// said are texts that have something of a quotation, of its headers or of the line above it.
var said = []string{
	"ok",
	"Hi Bob,\n\nthe list is:\n- one\n- two\n\nWhich one do you want?",
	"Hello,\n\nOn Monday we can meet at 10:30. On 3/3/2025 I was away.\n\nIs that fine?",
	"See the log:\n\n2025-03-12 14:20:33 started\n2025-03-12 14:20:34 stopped\n\nWhat is wrong?",
	"The form has:\n\nName: Ann\nDate: 3 March 2025\nTo: Berlin\n\nPlease fix the date.",
	"Please send it to ann@acme.example and to carl@acme.example: they need it.",
	"As I wrote on 3 March 2025:\n\nthe invoice is wrong.\n\nPlease send a new one.",
	"1. First\n2. Second\n\n* Third\n\nFrom my side it is done.\nTo be sure, ask Carl.",
	"Wir haben am 3. März 2025 um 10:12 Uhr geschrieben, dass alles in Ordnung ist.\n\nIst das richtig?",
	"----------\nTable\n----------\na | b\n1 | 2\n\nIs it right?",
	"He said:\n\n\"We pay.\"\n\nI said: no.",
	"The subject: nothing.\nThe date: today at 10:12 on 3/3/2025.\n\nIt does not work.",
}

// TestWhatIsSaidAboveAnyHistoryStays puts texts above the history of every golden mail
// that begins with its reply.
func TestWhatIsSaidAboveAnyHistoryStays(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/quotes/*.txt")
	require.NoError(t, err)
	tried := 0
	for _, file := range files {
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		want, err := os.ReadFile(file + ".want")
		require.NoError(t, err)
		reply, _, _ := strings.Cut(strings.TrimPrefix(string(want), "-- reply --\n"), "\n-- quoted --")
		history, ok := strings.CutPrefix(string(body), reply)
		if reply == "" || !ok || strings.HasPrefix(filepath.Base(file), "looks-like") || strings.TrimSpace(history) == "" {
			continue
		}
		for _, text := range said {
			require.Equal(t, strings.Fields(text), strings.Fields(clean.Split(clean.Mail{Text: text + history}).Reply), file)
		}
		tried++
	}
	require.Greater(t, tried, 150)
}

func TestWhatIsSaidAboveAnyHistoryInHTMLStays(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/quotes/*.html")
	require.NoError(t, err)
	tried := 0
	for _, file := range files {
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		want, err := os.ReadFile(file + ".want")
		require.NoError(t, err)
		if !strings.HasPrefix(string(want), "-- reply --\nReply\n-- quoted --") {
			continue
		}
		for _, text := range said {
			html := strings.ReplaceAll(strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text), "\n", "<br>")
			got := clean.Split(clean.Mail{HTML: strings.Replace(string(body), "Reply", html, 1)})
			require.Equal(t, strings.Fields(text), strings.Fields(got.Reply), file)
		}
		tried++
	}
	require.Greater(t, tried, 40)
}

func TestWhatIsSaidBelowAQuotationStays(t *testing.T) {
	t.Parallel()
	for _, text := range said {
		for what, above := range map[string]string{
			"marked":              "On Mon, 3 Mar 2025 at 10:12, Bob <bob@desk.example> wrote:\n> Did you pay?\n> It is late.\n\n",
			"marked and greeted":  "Hi Bob,\n\nOn Mon, 3 Mar 2025 at 10:12, Bob <bob@desk.example> wrote:\n> Did you pay?\n> It is late.\n\n",
			"without a line":      "> Did you pay?\n> It is late.\n\n",
			"headers":             "From: Bob <bob@desk.example>\nSent: Monday, March 3, 2025 10:12 AM\nTo: Ann\nSubject: Invoice\n\n> Did you pay?\n\n",
			"nested, with blanks": "Bob wrote:\n\n>> Did you pay?\n>\n> It is late.\n>\n\n\n",
		} {
			got := clean.Split(clean.Mail{Text: above + text})
			require.True(t, strings.HasSuffix(strings.Join(strings.Fields(got.Reply), " "), strings.Join(strings.Fields(text), " ")), "%s: %q of %q", what, got.Reply, text)
		}
		html := "<div class=moz-cite-prefix>On 03.03.25 10:12, Bob wrote:<br></div><blockquote type=cite>Did you pay?</blockquote><pre>" + text + "</pre>"
		require.Equal(t, strings.Fields(text), strings.Fields(clean.Split(clean.Mail{HTML: html}).Reply))
	}
}
