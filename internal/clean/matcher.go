package clean

import "math"

// matcher tells whether one of many parts is in a text. It looks at the last three bytes of
// where the shortest part may be, and goes on by as much as no part has these earlier: most
// of a text is never looked at.
type matcher struct {
	parts phrases
	least int                    // bytes of the shortest part
	skip  [1 << phraseBits]uint8 // by three bytes
}

// matching compiles parts of three bytes or more. Case matters.
func matching(parts []string) *matcher {
	m := &matcher{least: math.MaxUint8}
	m.parts.add(0, parts)
	for _, p := range parts {
		m.least = min(m.least, len(p))
	}
	for key := range m.skip {
		m.skip[key] = uint8(m.least - 2)
	}
	for _, p := range parts {
		for i := range m.least - 2 {
			key := phraseKey(p[i], p[i+1], p[i+2])
			m.skip[key] = min(m.skip[key], uint8(m.least-3-i))
		}
	}
	return m
}

// in reports whether one of the parts is in a text: what [containsAny] says.
func (m *matcher) in(text string) bool { return contains(m, text) }

// contains reports whether one of the parts is in a text.
func contains[T string | []byte](m *matcher, text T) bool {
	for end := m.least; end <= len(text); {
		if skip := m.skip[phraseKey(text[end-3], text[end-2], text[end-1])]; skip > 0 {
			end += int(skip)
			continue
		}
		i := end - m.least
		for _, p := range m.parts.first[phraseKey(text[i], text[i+1], text[i+2])] {
			if len(text)-i >= len(p.text) && string(text[i:i+len(p.text)]) == p.text {
				return true
			}
		}
		end++
	}
	return false
}

// inFold is in with the text in lower case.
func (m *matcher) inFold(text string) bool {
	var room [256]byte
	return contains(m, appendLower(room[:0], text))
}

// aboveLine finds what is written over the place for an answer, in any case, and hintsAbove
// what is in it as it is written.
var aboveLine, hintsAbove = matching(above), matching(aboveHints)
