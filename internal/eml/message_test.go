package eml_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"

	"salesforcesync/internal/eml"
)

func encoded(t *testing.T, e encoding.Encoding, s string) string {
	t.Helper()
	out, err := e.NewEncoder().String(s)
	require.NoError(t, err)
	return out
}

func TestRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		raw  string
		want eml.Message
	}{
		"nothing":    {"", eml.Message{}},
		"no head":    {"just a line", eml.Message{Text: "just a line"}},
		"a head":     {"Subject: x", eml.Message{Subject: "x"}},
		"plain text": {"From: Ann <ann@acme.example>\nSubject: Hi\n\nHello\n\nBye\n", eml.Message{FromName: "Ann", FromAddress: "ann@acme.example", Subject: "Hi", Text: "Hello\n\nBye\n"}},
		"encoded words": {
			"From: =?iso-8859-1?q?J=F6rg_M=FCller?= <j@acme.example>\r\nSubject: =?UTF-8?B?w4RyZ2Vy?=\r\n =?utf-8?q?_hier?=\r\n\r\nx",
			eml.Message{FromName: "Jörg Müller", FromAddress: "j@acme.example", Subject: "Ärger hier", Text: "x"},
		},
		"encoded words of a set nobody knows": {"Subject: =?x-none?q?a=20b?= =?utf-8?q?=ZZ?=\n\nx", eml.Message{Subject: "a b =?utf-8?q?=ZZ?=", Text: "x"}},
		"headers that are not ASCII":          {"From: \"Müller, Jörg\" <j@acme.example>\nSubject: \xc4rger\n\nx", eml.Message{FromName: "Müller, Jörg", FromAddress: "j@acme.example", Subject: "Ärger", Text: "x"}},
		"a mailbox's line, folded":            {"From ann Mon May 1\nnot a field\nSubject: a\n\tb\nSubject: second\n\nx", eml.Message{Subject: "a b", Text: "x"}},
		"alternatives": {
			"Content-Type: multipart/alternative; boundary=\"b\"\r\n\r\npreamble\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHé\r\n--b\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n<p>Hé</p>\r\n--b--\r\nepilogue",
			eml.Message{Text: "Hé\r\n", HTML: "<p>Hé</p>\r\n"},
		},
		"an attachment, and a mail in a mail": {
			"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nbody\n--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=x\n\nfile\n--b\nContent-Type: message/rfc822\n\nSubject: inner\n\ninner\n--b\nContent-Type: image/png\n\nPNG\n--b--\n",
			eml.Message{Text: "body\n"},
		},
		"a footer of text below HTML": {
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\ntext\n--c\nContent-Type: text/html\n\n<p>html\n--c--\n--b\nContent-Type: text/plain\n\nfooter <1>\n--b--\n",
			eml.Message{Text: "text\n\nfooter <1>\n", HTML: "<p>html\n\n<div style=\"white-space:pre-wrap\">footer &lt;1&gt;\n</div>"},
		},
		"a picture in HTML": {
			"Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: TEXT/HTML\n\n<p>x\n--b\nContent-Type: image/gif\nContent-Transfer-Encoding: base64\n\nR0lG\n--b--",
			eml.Message{HTML: "<p>x\n"},
		},
		"no end":                     {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>x", eml.Message{HTML: "<p>x"}},
		"a boundary within another":  {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--bb\ny\n--b--", eml.Message{Text: "x\n--bb\ny\n"}},
		"no boundary":                {"Content-Type: multipart/mixed\n\nx", eml.Message{Text: "x"}},
		"a type that is broken":      {"Content-Type: text/html; charset=\"iso-8859-2\"; x y; =\n\n<p>\xb1", eml.Message{HTML: "<p>ą"}},
		"a type that is none":        {"Content-Type: text\n\nx", eml.Message{Text: "x"}},
		"quoted-printable":           {"Content-Transfer-Encoding: Quoted-Printable\n\na=3Db=20\nc =\nd=\n=C3=A9 =ZZ =4 \ne=", eml.Message{Text: "a=b \nc dé =ZZ =4\ne"}},
		"base64":                     {"Content-Transfer-Encoding: base64\n\nSGVs\r\n bG8*h\nSQ==SGk=\nQ", eml.Message{Text: "Hello!IHi"}},
		"an encoding nobody knows":   {"Content-Transfer-Encoding: x-rot13\n\nx", eml.Message{Text: "x"}},
		"no character set":           {"X: y\n\nCaf\xe9, na\xefve", eml.Message{Text: "Café, naïve"}},
		"no character set, UTF-8":    {"X: y\n\nCafé", eml.Message{Text: "Café"}},
		"ASCII that is not":          {"Content-Type: text/plain; charset=us-ascii\n\n\x93Caf\xe9\x94", eml.Message{Text: "“Café”"}},
		"UTF-8 that is not":          {"Content-Type: text/plain; charset=utf-8\n\nCaf\xe9", eml.Message{Text: "Café"}},
		"UTF-8 cut":                  {"Content-Type: text/plain; charset=utf-8\n\nCafé, naïve\xc3", eml.Message{Text: "Café, naïve\xc3"}},
		"a set nobody knows":         {"Content-Type: text/plain; charset=x-martian\n\nCaf\xe9", eml.Message{Text: "Café"}},
		"Cyrillic":                   {"Content-Type: text/plain; charset=\"KOI8-R\"\n\n" + encoded(t, charmap.KOI8R, "Привет"), eml.Message{Text: "Привет"}},
		"Japanese":                   {"Content-Type: text/plain; charset=ISO-2022-JP\n\n" + encoded(t, japanese.ISO2022JP, "こんにちは"), eml.Message{Text: "こんにちは"}},
		"Chinese":                    {"Content-Type: text/plain; charset=gb2312\n\n" + encoded(t, simplifiedchinese.GBK, "你好"), eml.Message{Text: "你好"}},
		"DOS":                        {"Content-Type: text/plain; charset=IBM850\n\n" + encoded(t, charmap.CodePage850, "Grüße"), eml.Message{Text: "Grüße"}},
		"HTML says its set":          {"Content-Type: text/html\n\n<meta charset=windows-1251>" + encoded(t, charmap.Windows1251, "Привет"), eml.Message{HTML: "<meta charset=windows-1251>Привет"}},
		"HTML does not say its set":  {"Content-Type: text/html\n\n<p>Café", eml.Message{HTML: "<p>Café"}},
		"a disposition is no matter": {"Content-Disposition: inline\n\nx", eml.Message{Text: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, eml.Read([]byte(c.raw)))
		})
	}
}

func TestSender(t *testing.T) {
	t.Parallel()
	for from, want := range map[string][2]string{
		"":                                   {"", ""},
		"Ann Lee <ann@acme.example>":         {"Ann Lee", "ann@acme.example"},
		`"Lee, Ann" <ann@acme.example>`:      {"Lee, Ann", "ann@acme.example"},
		"Lee, Ann <ann@acme.example>":        {"Lee, Ann", "ann@acme.example"},
		"ann@acme.example":                   {"", "ann@acme.example"},
		"Ann Lee":                            {"Ann Lee", ""},
		"ann@acme.example, bob@acme.example": {"", "ann@acme.example"},
		"Ann [Sales] <ann@acme.example>":     {"Ann [Sales]", "ann@acme.example"},
		"Ann <not an address>":               {"Ann", "not an address"},
		"=?utf-8?q?Zo=C3=AB?= <z@x.example>": {"Zoë", "z@x.example"},
		"ann@acme":                           {"", "ann@acme"},
	} {
		name, address := eml.Sender(from)
		require.Equal(t, want, [2]string{name, address}, "%q", from)
	}
}

// Parts in parts without end must neither overflow a stack nor take forever.
func TestReadHostileMails(t *testing.T) {
	t.Parallel()
	nested := "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	require.NotPanics(t, func() { eml.Read([]byte(strings.Repeat(nested, 20_000))) })
	many := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 50_000)
	require.Equal(t, 50_000, strings.Count(eml.Read([]byte(many)).Text, "x"))
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("From: a <b@c>\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\nQQ==\n--b--"))
	f.Add([]byte("Content-Type: text/html; charset=gb2312\nContent-Transfer-Encoding: quoted-printable\n\n=C4=\n=\xff"))
	f.Add([]byte("Subject: =?utf-8?b?w?= =?x?q??=\n\n\xff\xfe"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		require.Equal(t, eml.Read(raw), eml.Read(raw))
	})
}
