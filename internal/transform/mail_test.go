package transform_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jhillyerd/enmime/v2"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/eml"
	"salesforcesync/internal/transform"
)

func TestMailComment(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)
	long := strings.Repeat("word ", 20_000)
	address := strings.Repeat("a", 600) + "@acme.example"
	m := transform.Mail{
		Head: eml.HeaderOf(map[string]string{
			"Subject": strings.Repeat("s", comment.MaxTextChars+1), "From": strings.Repeat("N", 600) + " <ann@acme.example>", "To": address + strings.Repeat(", b@acme.example", comment.MaxAddresses),
			"Message-ID": "<2@acme.example>", "References": "<" + strings.Repeat("r", comment.MaxThreadID/2+1) + ">",
		}),
		HTML: "<p>" + long,
	}
	c := m.Comment("0a", at, comment.Properties{"string:Folder": "Inbox"})
	require.NoError(t, c.Validate())
	require.Equal(t, comment.Properties{"string:Folder": "Inbox", "string:Truncated": "subject, body"}, c.Properties)
	require.Len(t, c.ThreadID, 64, "of one that would be longer than it may be the digest")
	msg := c.Messages[0]
	require.Len(t, msg.To, comment.MaxAddresses)
	require.Len(t, msg.To[0], comment.MaxAddressSize)
	require.Len(t, msg.From, comment.MaxAddressSize)
	require.True(t, strings.HasSuffix(msg.From, "N <ann@acme.example>"))
	require.Len(t, msg.Subject.Text, comment.MaxTextChars)
	require.True(t, strings.HasPrefix(long, msg.Body.Text))

	// What decides the texts decides the digest, and nothing else.
	other := m
	fields := map[string]string{"Subject": "s", "From": "a@acme.example", "To": "b@acme.example", "Date": "x"}
	other.Head = eml.HeaderOf(fields)
	same := other.Inputs()
	fields["To"], fields["Date"] = "c@acme.example", "y"
	other.Head = eml.HeaderOf(fields)
	require.Equal(t, same, other.Inputs())
	for _, field := range []string{"Subject", "From", "Content-Type", "Content-Transfer-Encoding"} {
		before := fields[field]
		fields[field] = "other"
		other.Head = eml.HeaderOf(fields)
		require.NotEqual(t, same, other.Inputs(), field)
		fields[field] = before
	}
	for _, bodies := range [][2]string{{long, ""}, {"", long}, {long, long}} {
		next := transform.Mail{Head: other.Head, Plain: bodies[0], HTML: bodies[1]}
		require.NotEqual(t, same, next.Inputs())
	}
}

// Real mails, sent as heads and bodies, become what trying their files out shows, and their heads say what
// another reader of mails finds in them. Where MAIL_DIR is not set there are none, which is as good.
func TestRealMailsSentInPieces(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(os.Getenv("MAIL_DIR"), "*.eml"))
	require.NoError(t, err)
	dated, compared, pieces := 0, 0, 0
	parser := enmime.NewParser(enmime.DisableTextConversion(true), enmime.SkipMalformedParts(true))
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		whole := eml.Read(raw)
		head, body, _ := strings.Cut(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n\n")
		m := transform.Mail{Head: eml.ReadHeader(head), Plain: whole.Text, HTML: whole.HTML}
		at, ok := m.Head.Date()
		if !ok {
			t.Logf("%s: Date %q", name, m.Head.Field("date"))
			continue
		}
		dated++
		if other, err := parser.ReadEnvelope(bytes.NewReader(raw)); err == nil {
			// It takes a zone that has a name for UTC.
			if date, err := other.Date(); err == nil && strings.ContainsAny(m.Head.Field("date"), "+-") {
				require.True(t, date.Equal(at), "%s: %s is not %s", name, at, date)
			}
			for _, field := range []string{"from", "to", "cc"} {
				list, err := other.AddressList(field)
				if err != nil {
					continue
				}
				var want []eml.Address
				for _, a := range list {
					want = append(want, eml.Address{Name: a.Name, Address: a.Address})
				}
				require.Equal(t, want, m.Head.Addresses(field), "%s: %s", name, m.Head.Field(field))
				compared++
			}
		}
		id := transform.MailID(m.Head)
		require.True(t, comment.ValidID(id), "%s: Message-ID %q", name, m.Head.Field("message-id"))
		message, err := hex.DecodeString(id)
		require.NoError(t, err)
		require.NotContains(t, string(message), "<")
		c := m.Comment(id, at, comment.Properties{})
		require.NoError(t, c.Validate(), name)
		require.Len(t, c.Messages, 1)
		require.NotEmpty(t, c.Messages[0].From, name)
		split := clean.Split(clean.Mail{Text: whole.Text, HTML: whole.HTML, FromName: whole.FromName, FromAddress: whole.FromAddress, Subject: whole.Subject})
		want, _ := clean.CutText(split.Reply, comment.MaxTextChars)
		require.Equal(t, want, c.Messages[0].Body.Text, name)

		// With what stood below the head in one piece, the same, where no bytes had to be guessed.
		media := m.Head.Field("content-type")
		if (strings.Contains(media, "multipart/") || m.Head.Field("content-transfer-encoding") != "" && !strings.Contains(media, "html")) && strings.ToValidUTF8(body, "") == body {
			asItStood := transform.Mail{Head: m.Head, Plain: body}
			require.Equal(t, c.Messages, asItStood.Comment(id, at, comment.Properties{}).Messages, name)
			pieces++
		}
	}
	require.GreaterOrEqual(t, dated, len(files)*99/100)
	t.Logf("%d of %d mails have a date, %d lists of addresses are the other reader's, %d were sent in one piece, too", dated, len(files), compared, pieces)
}
