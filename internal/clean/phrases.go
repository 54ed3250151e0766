package clean

// phrases finds many phrases in a text in one pass over it.
type phrases struct {
	keys  keys                      // most places are dismissed by
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
		p.keys.add(s)
		p.first[key] = append(p.first[key], phrase{text: s, id: p.count, kind: kind})
		p.count++
	}
}

// keys are a set of the first three bytes of words, and of a few others: it is for quick looks.
type keys [1 << keyBits / 64]uint64

const keyBits = 14

// key puts three bytes in one of many places.
func key(three uint32) uint32 { return three * 0x9E3779B1 >> (32 - keyBits) }

// add adds the first three bytes of a word.
func (k *keys) add(word string) {
	at := key(uint32(word[0])<<16 | uint32(word[1])<<8 | uint32(word[2]))
	k[at/64] |= 1 << (at % 64)
}

// addShort is add of a word that may have two bytes only.
func (k *keys) addShort(word string) {
	if len(word) > 2 {
		k.add(word)
		return
	}
	for c := range 256 {
		k.add(word + string([]byte{byte(c)}))
	}
}

// has reports whether a word may begin with three bytes.
func (k *keys) has(a, b, c byte) bool { return k.hasThree(uint32(a)<<16 | uint32(b)<<8 | uint32(c)) }

// hasThree is has with the three bytes in one number.
func (k *keys) hasThree(three uint32) bool {
	at := key(three)
	return k[at/64]&(1<<(at%64)) != 0
}

// phrasesOf are phrases of one kind.
func phrasesOf(list []string) *phrases {
	p := &phrases{}
	p.add(0, list)
	return p
}

// begin reports whether a text in lower case begins with one of the phrases.
func (p *phrases) begin(text []byte) bool {
	if len(text) < 3 || !p.keys.has(text[0], text[1], text[2]) {
		return false
	}
	for _, f := range p.first[phraseKey(text[0], text[1], text[2])] {
		if len(text) >= len(f.text) && string(text[:len(f.text)]) == f.text {
			return true
		}
	}
	return false
}

// find calls found for each place in a text in lower case where a phrase begins.
func (p *phrases) find(text []byte, found func(f *phrase, at int)) {
	if len(text) < 3 {
		return
	}
	three := uint32(text[0])<<8 | uint32(text[1])
	for i, c := range text[2:] {
		three = three<<8&0xffffff | uint32(c)
		if !p.keys.hasThree(three) {
			continue
		}
		list := p.first[phraseKey(text[i], text[i+1], text[i+2])]
		for k := range list {
			if f := &list[k]; len(text)-i >= len(f.text) && string(text[i:i+len(f.text)]) == f.text {
				found(f, i)
			}
		}
	}
}
