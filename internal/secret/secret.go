package secret

import (
	"fmt"
	"io"
)

// Text is a string that never prints: fmt, zap, JSON and YAML all show
// "<secret>". Call Reveal only where the value leaves for its one use.
type Text string

const hidden = "<secret>"

// Reveal returns the value itself.
func (t Text) Reveal() string { return string(t) }

// String hides the value; an empty Text prints as "".
func (t Text) String() string {
	if t == "" {
		return ""
	}
	return hidden
}

// Format hides the value from every verb of fmt. Without it a verb that does not fit a
// string, such as %d, would show the value in its complaint.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// MarshalText hides the value from JSON, YAML and every other text encoder.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
