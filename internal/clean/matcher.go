package clean

// matcher tells whether one of many parts is in a text, in one pass over it: most
// places are dismissed by a bit for their first three bytes.
type matcher struct {
	first [1 << phraseBits / 64]uint64
	parts phrases
}

// matching compiles parts of three bytes or more. Case matters.
func matching(parts []string) *matcher {
	m := &matcher{}
	m.parts.add(0, parts)
	for _, s := range parts {
		key := phraseKey(s[0], s[1], s[2])
		m.first[key/64] |= 1 << (key % 64)
	}
	return m
}

// in reports whether one of the parts is in a text: what [containsAny] says.
func (m *matcher) in(text string) bool {
	for i := 0; i+2 < len(text); i++ {
		key := phraseKey(text[i], text[i+1], text[i+2])
		if m.first[key/64]&(1<<(key%64)) == 0 {
			continue
		}
		for _, p := range m.parts.first[key] {
			if len(text)-i >= len(p.text) && text[i:i+len(p.text)] == p.text {
				return true
			}
		}
	}
	return false
}

var hintsAbove = matching(aboveHints)
