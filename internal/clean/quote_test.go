package clean_test

import (
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
			html := strings.ReplaceAll(strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(in), "\n", "<br>")
			before := cpu(t)
			clean.Split(clean.Mail{Text: in})
			clean.Split(clean.Mail{Text: "It works.\n" + in})
			clean.Split(clean.Mail{HTML: html})
			clean.Split(clean.Mail{HTML: "<blockquote>" + html + "</blockquote>"})
			require.Less(t, cpu(t)-before, 3*time.Second, "CPU time of half a megabyte, read four times")
		})
	}
}
