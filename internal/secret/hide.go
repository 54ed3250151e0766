package secret

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
)

// leastHidden is how long a secret must be to be looked for in a text: a shorter one would be found by chance.
const leastHidden = 6

// Hide takes secrets out of what another side said, before anybody is shown it: a server, or what
// stands in front of it, may repeat what it was sent, as it came or in another spelling.
func Hide(text string, secrets ...Text) string {
	for _, s := range secrets {
		raw := s.Reveal()
		if len(raw) < leastHidden {
			continue
		}
		for _, form := range []string{
			raw, url.QueryEscape(raw), url.PathEscape(raw),
			base64.StdEncoding.EncodeToString([]byte(raw)), base64.URLEncoding.EncodeToString([]byte(raw)),
			base64.RawStdEncoding.EncodeToString([]byte(raw)), base64.RawURLEncoding.EncodeToString([]byte(raw)),
			hex.EncodeToString([]byte(raw)), strings.ToUpper(hex.EncodeToString([]byte(raw))),
		} {
			text = strings.ReplaceAll(text, form, s.String())
		}
	}
	return text
}

// HideIn is Hide for an error: its text changes, what it wraps does not. An error without a secret is returned as it is.
func HideIn(err error, secrets ...Text) error {
	if err == nil {
		return nil
	}
	if text := Hide(err.Error(), secrets...); text != err.Error() {
		return hiddenError{text, err}
	}
	return err
}

// hiddenError is an error whose own words are not shown.
type hiddenError struct {
	text string
	err  error
}

func (h hiddenError) Error() string { return h.text }
func (h hiddenError) Unwrap() error { return h.err }
