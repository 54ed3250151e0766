package clean_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

// endless are pieces that mails of megabytes are made of, one after another: each
// begins something that is looked for, and ends nothing.
var endless = map[string]string{
	"marks of quotation":        ">",
	"marked lines":              "> a\n",
	"one more mark each time":   "> > a\n>\n",
	"nested tags":               "<div><blockquote>",
	"tags side by side":         "<p>a</p>",
	"lines that begin with On":  "On 3 March 2025 10:12, Ann\n",
	"On in one line":            "On ",
	"introductions":             "On 3 March 2025 10:12, Ann <ann@acme.example> wrote:\n",
	"headers":                   "From: Ann <ann@acme.example>\n",
	"blocks of headers":         "From: Ann\nSent: 3 March 2025 10:12\nTo: Bob\nSubject: a\n\n",
	"delimiters":                "-- \n",
	"closings":                  "Kind regards,\nAnn Example\n\n",
	"devices":                   "Sent from my phone\n\n",
	"disclaimers":               "This message is confidential and intended for the addressee.\n\n",
	"spaces":                    " ",
	"blank lines":               " \n",
	"references":                "&gt;&#55357;&amp",
	"halves of a pair":          "&#xD83D;&#xD83D; ",
	"bytes that are no text":    "\xed\xa0\xbd\xf0\x9f",
	"accents":                   "e\u0301\u0327\u0301",
	"tokens that do not end":    "ref:_00D30thread::",
	"brackets that do not end":  "[<(",
	"commas and names":          "Ann, Example, ",
	"marks of direction":        "\u200f\u200e",
	"colons without words":      ":\n::",
	"underlines, then a header": "_____\nFrom: a\n",
}

// endlessMail is a mail of a piece over and over, as text or as HTML.
func endlessMail(piece string, size int, markup bool) clean.Mail {
	m := clean.Mail{FromName: "Ann Example", FromAddress: "ann@acme.example", Subject: "Re: a"}
	if body := strings.Repeat(piece, size/len(piece)); markup {
		m.HTML = body
	} else {
		m.Text = body
	}
	return m
}

// TestMailsAreTakenApartInLinearTime asks for a ratio rather than for a time: eight times
// as much to read takes about eight times as long, on a machine of whatever speed,
// and sixty-four times where each line looks at all others.
func TestMailsAreTakenApartInLinearTime(t *testing.T) { //nolint:paralleltest // it measures
	for _, name := range slices.Sorted(maps.Keys(endless)) {
		for _, markup := range []bool{false, true} {
			requireLinear(t, 192<<10, func(size int) func() {
				m := endlessMail(endless[name], size, markup)
				return func() { clean.Split(m) }
			}, "%s, HTML %t", name, markup)
		}
	}
}

// requireLinear asks that eight times the size takes less than twenty-four times the CPU
// time. prepare makes what is measured for a size.
func requireLinear(t *testing.T, small int, prepare func(size int) func(), message string, args ...any) {
	t.Helper()
	const times = 8
	best := func(do func(), runs int) time.Duration {
		least := time.Hour
		for range runs {
			before := cpu(t)
			do()
			least = min(least, cpu(t)-before)
		}
		return max(least, 500*time.Microsecond)
	}
	little, much := prepare(small), prepare(times*small)
	ratio := 0.0
	for range 3 { // others are at work on the machine
		if ratio = float64(best(much, 2)) / float64(best(little, 3)); ratio < 3*times {
			break
		}
	}
	require.Less(t, ratio, 3.0*times, append([]any{message}, args...)...)
}
