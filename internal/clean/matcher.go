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
func (m *matcher) in(text string) bool {
	for i := 0; i+2 < len(text); i++ {
		if !m.parts.keys.has(text[i], text[i+1], text[i+2]) {
			continue
		}
		for _, p := range m.parts.first[phraseKey(text[i], text[i+1], text[i+2])] {
			if len(text)-i >= len(p.text) && text[i:i+len(p.text)] == p.text {
				return true
			}
		}
	}
	return false
}

// inFold is in with the text's letters of ASCII in lower case.
func (m *matcher) inFold(text string) bool {
	if len(text) < 3 {
		return false
	}
	a, b := lower(text[0]), lower(text[1])
	for i := 0; i+2 < len(text); i++ {
		c := lower(text[i+2])
		if m.parts.keys.has(a, b, c) {
			for _, p := range m.parts.first[phraseKey(a, b, c)] {
				if len(text)-i >= len(p.text) && equalFold(text[i:i+len(p.text)], p.text) {
					return true
				}
			}
		}
		a, b = b, c
	}
	return false
}

var hintsAbove = matching(aboveHints)
