package clean_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jhillyerd/enmime/v2"
	"github.com/stretchr/testify/require"
)

// letter is a real mail, decoded.
type letter struct {
	name, text, html, fromName, from, subject string
}

// letters reads the mails of MAIL_DIR, or makes some up where there are none.
func letters(t testing.TB) []letter {
	t.Helper()
	dir := os.Getenv("MAIL_DIR")
	if dir == "" {
		var out []letter
		texts := generatedText(100)
		for i, html := range generatedHTML(100) {
			out = append(out, letter{name: fmt.Sprintf("generated-%d", i), text: texts[i], html: html, fromName: "Martha Quill", from: "martha@acme.example", subject: "Invoice"})
		}
		return out
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	require.NoError(t, err)
	slices.Sort(files)
	var out []letter
	parser := enmime.NewParser(enmime.DisableTextConversion(true), enmime.SkipMalformedParts(true))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		e, err := parser.ReadEnvelope(bytes.NewReader(raw))
		if err != nil {
			continue // not a matter of text
		}
		l := letter{name: filepath.Base(file), text: e.Text, html: e.HTML, subject: e.GetHeader("Subject")}
		if from, err := e.AddressList("From"); err == nil && len(from) > 0 {
			l.fromName, l.from = from[0].Name, from[0].Address
		}
		out = append(out, l)
	}
	require.NotEmpty(t, out)
	return out
}
