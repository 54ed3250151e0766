package clean

// phrases finds many phrases in a text in one pass over it.
type phrases struct {
	first [1 << phraseBits][]phrase // by their first three bytes
	count int
}

// phrase is one of many, with the number and the kind it was added with.
type phrase struct {
	text string
	id   int
	kind int
}

const phraseBits = 12

// phraseKey puts the first three bytes of a phrase in one of few places.
func phraseKey(a, b, c byte) uint32 {
	return (uint32(a)<<16 | uint32(b)<<8 | uint32(c)) * 0x9E3779B1 >> (32 - phraseBits)
}

// add adds phrases of three bytes or more, in lower case.
func (p *phrases) add(kind int, list []string) {
	for _, s := range list {
		key := phraseKey(s[0], s[1], s[2])
		p.first[key] = append(p.first[key], phrase{text: s, id: p.count, kind: kind})
		p.count++
	}
}

// find calls found for each place in a text in lower case where a phrase begins.
func (p *phrases) find(text []byte, found func(f *phrase, at int)) {
	for i := 0; i+2 < len(text); i++ {
		list := p.first[phraseKey(text[i], text[i+1], text[i+2])]
		for k := range list {
			if f := &list[k]; len(text)-i >= len(f.text) && string(text[i:i+len(f.text)]) == f.text {
				found(f, i)
			}
		}
	}
}
