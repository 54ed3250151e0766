package eml_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/eml"
)

func TestDate(t *testing.T) {
	t.Parallel()
	want := time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{
		"Wed, 31 Jan 2024 12:00:00 +0000", "31 Jan 2024 13:00 +0100", "Wed, 31 Jan 2024 12:00:00 +0000 (UTC)", "Wed, 31 Jan 2024 07:00:00 EST", "Wed, 31 Jan 2024 05:00:00 MST (Arizona)",
		"Wed,  31  Jan 24 12:00:00 GMT", "Wed, 31 Jan 2024 12:00:00", "Wed, 31 Jan 2024 12:00:00 XYZ", "Wed, 31 Jan 2024 14:00:00 GMT+02:00", "Wed 31 Jan 2024 12:00:00 -0000",
		"Wed Jan 31 12:00:00 2024", "2024-01-31T12:00:00Z", "2024-01-31T13:00:00.000+01:00", "2024-01-31 12:00:00", "2024-01-31T12:00:00", "2024-01-31 10:00:00 -0200",
	} {
		got, ok := eml.HeaderOf(map[string]string{"Date": text}).Date()
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", " ", "soon", "Wed, 31 Feb 2024 12:00:00 +0000", "Wed, 31 Jan 2024", "+0000", "(", "Wed,", "31", "Wed, 31 Jan 2024 25:00:00 +0000"} {
		_, ok := eml.ReadHeader("Date: " + text).Date()
		require.False(t, ok, text)
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	h := eml.ReadHeader("From ann Wed\r\nMessage-ID:\r\n <a\r\n b@acme.example>\r\nFROM: =?utf-8?q?Zo=C3=AB?= <z@acme.example>\r\nSubject: a\r\n\tb  c\r\nReferences: <1@x> <2@x>\r\n <3@x\r\nSubject: second\r\n\r\nTo: inner@x")
	require.Equal(t, "ab@acme.example", h.MessageID())
	require.Equal(t, "1@x", h.Root())
	require.Equal(t, eml.Address{Name: "Zoë", Address: "z@acme.example"}, h.Sender())
	require.Equal(t, "a b  c", h.Subject())
	require.Empty(t, h.Addresses("to"), "it is not in the head")
	require.Equal(t, h.Subject(), eml.HeaderOf(map[string]string{" Subject ": "a\r\n\tb  c"}).Subject())

	for fields, want := range map[[3]string][2]string{
		{"<m@x>", "", ""}: {"m@x", "m@x"},
		{"m@x", "", ""}:   {"m@x", "m@x"},
		{"<m@x> <other@x>", "", "Ann's mail of today"}: {"m@x", "m@x"},
		{"", "", ""}:                          {"", ""},
		{"<>", "<> <r@x>", ""}:                {"", "r@x"},
		{"<m@x>", "r@x s@x", "<i@x>"}:         {"m@x", "r@x"},
		{"<m@x>", "", "Message of Ann <i@x>"}: {"m@x", "i@x"},
		{"<m@x>", "none", "i@x"}:              {"m@x", "i@x"},
	} {
		h := eml.HeaderOf(map[string]string{"Message-Id": fields[0], "References": fields[1], "In-Reply-To": fields[2]})
		require.Equal(t, want, [2]string{h.MessageID(), h.Root()}, fields)
	}

	ann, bob := eml.Address{Name: "Ann Lee", Address: "ann@x.example"}, eml.Address{Address: "bob@x.example"}
	jane := eml.Address{Name: "Doe, Jane", Address: "jane@x.example"}
	for field, want := range map[string][]eml.Address{
		"":                                       nil,
		"Ann Lee <ann@x.example>":                {ann},
		"Ann Lee <ann@x.example>, bob@x.example": {ann, bob},
		"bob@x.example; Ann Lee <ann@x.example>;": {bob, ann},
		"bob@x.example,": {bob},
		`"Doe, Jane" <jane@x.example>, bob@x.example`:             {jane, bob},
		"Doe, Jane <jane@x.example>, bob@x.example":               {jane, bob},
		"=?utf-8?q?Doe=2C_Jane?= <jane@x.example>, bob@x.example": {jane, bob},
		"undisclosed-recipients:;":                                nil,
		"Team: Ann Lee <ann@x.example>, bob@x.example;":           {ann, bob},
		"Ann Lee":                                 {{Name: "Ann Lee"}},
		"Ann Lee <ann@x.example>, Bob":            {ann, {Name: "Bob"}},
		"Ann Lee <ann@x.example":                  {{Name: "Ann Lee <ann@x.example"}},
		`"Ann Lee <ann@x.example>, bob@x.example`: {{Name: `Ann Lee`, Address: "ann@x.example"}, bob},
	} {
		require.Equal(t, want, eml.HeaderOf(map[string]string{"To": field}).Addresses("to"), field)
	}
}

// A body is in parts where the head says so and the body has them; any other is text that somebody decoded.
func TestBodies(t *testing.T) {
	t.Parallel()
	const parts = "--b\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\nH=C3=A9\n--b\nContent-Type: text/html\n\n<p>Hé\n--b--\n"
	for name, c := range map[string]struct{ head, content, text, html string }{
		"text":                        {"Subject: x", "a=3D", "a=3D", ""},
		"text, decoded before":        {"Content-Type: text/plain; charset=latin1\nContent-Transfer-Encoding: quoted-printable", "é=4", "é=4", ""},
		"quoted-printable still":      {"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: Quoted-Printable", "Caf=E9, and a line =\r\nthat goes on", "Café, and a line that goes on", ""},
		"a soft line end is enough":   {"Content-Transfer-Encoding: quoted-printable", "a =\nb", "a b", ""},
		"an equals sign is enough":    {"Content-Transfer-Encoding: quoted-printable", "a=3D10", "a=10", ""},
		"what people write":           {"Content-Transfer-Encoding: quoted-printable", "x=10, y=20, z=a and a=3D, é", "x=10, y=20, z=a and a=3D, é", ""},
		"figures alone are no sign":   {"Content-Transfer-Encoding: quoted-printable", "x=10, y=20", "x=10, y=20", ""},
		"base64 still":                {"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64", "PHA+SGVsbG8gd29ybGQsIGhlcmUgaXMgYSB0ZXh0\r\nIHRoYXQgaXMgbG9uZyBlbm91Z2guPC9wPg==\r\n", "", "<p>Hello world, here is a text that is long enough.</p>"},
		"a word in place of base64":   {"Content-Transfer-Encoding: base64", "Okay", "Okay", ""},
		"words in place of base64":    {"Content-Transfer-Encoding: base64", "Thanks, all of it has arrived here in time now", "Thanks, all of it has arrived here in time now", ""},
		"nobody says that it is":      {"Subject: x", "a =\nb=3D", "a =\nb=3D", ""},
		"the text of HTML":            {"Content-Type: text/html", "a < b", "a < b", ""},
		"parts":                       {"Content-Type: multipart/alternative; boundary=b", parts, "Hé\n", "<p>Hé\n"},
		"the text of what had parts":  {"Content-Type: multipart/alternative; boundary=b", "Hé\n-- \nAnn", "Hé\n-- \nAnn", ""},
		"parts that nobody announced": {"Subject: x", parts, parts, ""},
	} {
		text, html := eml.ReadHeader(c.head).Bodies(c.content)
		require.Equal(t, []string{c.text, c.html}, []string{text, html}, name)
	}
}

// Heads that want to keep somebody busy: what is read of them takes a time that goes with their size.
func TestReadHostileHeads(t *testing.T) {
	t.Parallel()
	const size = 64 << 10
	for _, piece := range []string{",", ";", "(", "<", ">", "\"", "a@b,", "a,", "a:", "<a@b>", "=?utf-8?q?=41?= ", "=?utf-8?b?", "\n ", "\n a", "\nTo:", "\\", "@", "[", "a b <", "á", "31 Jan 2024 "} {
		text := strings.Repeat(piece, size/len(piece))
		const most = 5 * time.Second // a tenth of a second on a machine with nothing else to do
		took := time.Hour
		for try := 0; try < 3 && took >= most; try++ { // others are at work on it
			begun := time.Now()
			for _, h := range []eml.Header{
				eml.ReadHeader("To:" + text + "\nFrom:" + text + "\nDate:" + text + "\nReferences:" + text + "\nSubject:" + text),
				eml.HeaderOf(map[string]string{"To": text, "Date": text, "Message-ID": text}),
			} {
				h.Addresses("to")
				h.Sender()
				h.Subject()
				h.Date()
				h.MessageID()
				h.Root()
				h.Bodies(text)
			}
			took = time.Since(begun)
		}
		require.Less(t, took, most, "%q", piece)
	}
}
