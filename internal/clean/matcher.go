package clean

// matcher tells whether one of many parts is in a text, in one pass over it: most
// places are dismissed by a bit for their first three bytes.
type matcher struct {
	parts phrases
}

// matching compiles parts of three bytes or more. Case matters.
func matching(parts []string) *matcher {
	m := &matcher{}
	m.parts.add(0, parts)
	return m
}

// in reports whether one of the parts is in a text: what [containsAny] says.
func (m *matcher) in(text string) bool { return contains(m, text) }

// contains reports whether one of the parts is in a text.
func contains[T string | []byte](m *matcher, text T) bool {
	for i := 0; i+2 < len(text); i++ {
		if !m.parts.keys.has(text[i], text[i+1], text[i+2]) {
			continue
		}
		for _, p := range m.parts.first[phraseKey(text[i], text[i+1], text[i+2])] {
			if len(text)-i >= len(p.text) && string(text[i:i+len(p.text)]) == p.text {
				return true
			}
		}
	}
	return false
}

// inFold is in with the text in lower case.
func (m *matcher) inFold(text string) bool {
	var room [256]byte
	return contains(m, appendLower(room[:0], text))
}

// hintsAbove and aboveLine find what is written over the place for an answer.
var hintsAbove, aboveLine = matching(aboveHints), matching(above)
