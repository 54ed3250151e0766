package clean_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
)

// at is a turn whose time the transcript says.
func at(seconds int, from, text string) clean.Turn {
	return clean.Turn{From: from, Text: text, After: time.Duration(seconds) * time.Second, Dated: true}
}

func TestChat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want []clean.Turn
	}{
		"as Salesforce writes it": {
			`<p align="center">Chat Started: Monday, November 23, 2026, 10:00:00 (+0000)</p><p align="center">Chat Origin: Support</p>` +
				`<p align="center">Agent Lena B</p>( 4s ) Lena: Hello, how can I help?<br>( 1m 20s ) Visitor: My order 4711 &amp; the invoice<br>are both wrong.<br>` +
				`<p align="center">Chat Transferred From Lena To Tomás</p>( 1h 2m 3s ) Tomás: Let me look: one moment.<br>`,
			[]clean.Turn{at(4, "Lena", "Hello, how can I help?"), at(80, "Visitor", "My order 4711 & the invoice\nare both wrong."), at(3723, "Tomás", "Let me look: one moment.")},
		},
		"German":                   {"( 4 Sek. ) Besucher: Guten Tag<br>( 1 Min. 5 Sek. ) Lena: Womit kann ich helfen?<br>( 1 Std. 2 Min. ) Besucher: Danke<br>", []clean.Turn{at(4, "Besucher", "Guten Tag"), at(65, "Lena", "Womit kann ich helfen?"), at(3720, "Besucher", "Danke")}},
		"French":                   {"( 1m4s ) Léa : Bonjour<br>( 9 min ) Visiteur : Bonsoir", []clean.Turn{at(64, "Léa", "Bonjour"), at(540, "Visiteur", "Bonsoir")}},
		"Russian":                  {"( 1м 2с ) Гость: Здравствуйте<br>", []clean.Turn{at(62, "Гость", "Здравствуйте")}},
		"Japanese":                 {"( 1分20秒 ) 訪問者：こんにちは<br>( 2分 ) 担当：はい<br>", []clean.Turn{at(80, "訪問者", "こんにちは"), at(120, "担当", "はい")}},
		"Arabic":                   {"( 5s ) زائر: مرحبا<br>", []clean.Turn{at(5, "زائر", "مرحبا")}},
		"text":                     {"( 4s ) Ann: Hello\n( 9s ) Bob: Hi\nall\n", []clean.Turn{at(4, "Ann", "Hello"), at(9, "Bob", "Hi\nall")}},
		"nobody's":                 {"( 4s ) *** Ann left ***<br>( 5s ) Bob: Bye<br>", []clean.Turn{at(4, "", "*** Ann left ***"), at(5, "Bob", "Bye")}},
		"a turn that says nothing": {"( 4s ) Ann: <br>( 5s ) Bob: Hi<br>", []clean.Turn{at(5, "Bob", "Hi")}},
		"an address is no speaker": {"( 4s ) see https://acme.example/x: it is there<br>", []clean.Turn{at(4, "", "see https://acme.example/x: it is there")}},
		"what looks like a time later": {"( 4s ) Ann: I have<br>(3 servers) here: and<br>(10 am) there<br>( 8s ) Bob: ok<br>",
			[]clean.Turn{at(4, "Ann", "I have\n(3 servers) here: and\n(10 am) there"), at(8, "Bob", "ok")}},
		"text before the first turn": {"Question: where is it?<br>( 4s ) Ann: there<br>", []clean.Turn{{Text: "Question: where is it?"}, at(4, "Ann", "there")}},
		"a centred turn":             {`<p style="text-align: center">( 4s ) Ann: centred</p>( 6s ) Bob: ok`, []clean.Turn{at(4, "Ann", "centred"), at(6, "Bob", "ok")}},
		"clocks": {"[10:04:31] Ann: Hello<br>[10:05] Bob: Hi<br>more<br>[10:06] Ann: Bye<br>",
			[]clean.Turn{{From: "Ann", Text: "Hello"}, {From: "Bob", Text: "Hi\nmore"}, {From: "Ann", Text: "Bye"}}},
		"speakers": {"<b>Ann:</b> Hello<br><b>Bob:</b> Hi<br>there<br><b>Ann:</b> Bye<br>",
			[]clean.Turn{{From: "Ann", Text: "Hello"}, {From: "Bob", Text: "Hi\nthere"}, {From: "Ann", Text: "Bye"}}},
		"a form is no chat":   {"Name: Ann<br>Phone: 123<br>Problem: broken<br>", nil},
		"prose is no chat":    {"<p>We called the customer and solved it.</p>", nil},
		"nothing":             {"", nil},
		"only the program":    {`<p align="center">Chat Started: today</p>`, nil},
		"an open paragraph":   {`<p align="center">Chat Started ( 4s ) Ann: Hello<br>( 5s ) Bob: Hi`, []clean.Turn{{Text: "Chat Started ( 4s ) Ann: Hello"}, at(5, "Bob", "Hi")}},
		"letters that shrink": {`<P ALIGN="center">İ Started</P>( 4s ) İnci: Merhaba<br>`, []clean.Turn{at(4, "İnci", "Merhaba")}},
	} {
		require.Equal(t, c.want, clean.Chat(c.body), name)
	}
}

// Whatever a transcript holds, what is said is in its turns, in order.
func FuzzChat(f *testing.F) {
	f.Add("( 4s ) Ann: Hello<br>( 1m 2s ) Bob: Hi<br>")
	f.Add("[10:00] Ann: a\n[10:01] Ann: b")
	f.Add(`<p align="center">x</p>Ann: a<br>Bob: b<br>Ann: c`)
	f.Fuzz(func(t *testing.T, body string) {
		turns := clean.Chat(body)
		require.Equal(t, turns, clean.Chat(body))
		if strings.Contains(body, "<") {
			return
		}
		rest := clean.Text(body)
		for _, turn := range turns {
			require.NotEmpty(t, turn.Text)
			for line := range strings.Lines(turn.Text) {
				line = strings.TrimSpace(line)
				at := strings.Index(rest, line)
				require.GreaterOrEqual(t, at, 0, "%q", line)
				rest = rest[at+len(line):]
			}
		}
	})
}

// The worst that a transcript can be is read in time that grows with it.
func TestChatIsReadInLinearTime(t *testing.T) { //nolint:paralleltest // it measures
	for name, part := range map[string]string{
		"turns": "( 4s ) Ann: x<br>", "brackets": "(", "open paragraphs": "<p align=center>", "paragraphs": "<p align=center>x</p>",
		"speakers": "Ann: x\n", "marks": "( 4s )", "lines": "\n", "digits": "( 9",
	} {
		requireLinear(t, 192<<10, func(size int) func() {
			transcript := strings.Repeat(part, size/len(part))
			return func() { clean.Chat(transcript) }
		}, "%s", name)
	}
}
