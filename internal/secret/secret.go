package secret

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

// GoString hides the value from %#v.
func (t Text) GoString() string { return t.String() }

// MarshalText hides the value from JSON, YAML and every other text encoder.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
