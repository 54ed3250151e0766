package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// looks is what was found out of the text of a row, once it was asked for.
type looks uint8

const (
	looksClosedAlone looks = 1 << iota
	looksClosedNamed
	hasClosingName
	knowsClosing
	looksSentence
	knowsSentence
	looksName
	knowsName
)

// closesAt is closes of row i.
func (m *mail) closesAt(i int) (closing, bool) {
	r := &m.rows[i]
	if r.has&beginsClosing == 0 && (r.has&hasHigh == 0 || !signedKorean(m.say(i))) {
		return closesNothing, false
	}
	if r.looks&knowsClosing == 0 {
		kind, named := m.closes(m.say(i))
		switch kind {
		case closesAlone:
			r.looks |= looksClosedAlone
		case closesNamed:
			r.looks |= looksClosedNamed
		case closesNothing:
		}
		if named {
			r.looks |= hasClosingName
		}
		r.looks |= knowsClosing
	}
	named := r.looks&hasClosingName != 0
	switch {
	case r.looks&looksClosedAlone != 0:
		return closesAlone, named
	case r.looks&looksClosedNamed != 0:
		return closesNamed, named
	}
	return closesNothing, named
}

// isSentenceAt is isSentence of row i.
func (m *mail) isSentenceAt(i int) bool {
	r := &m.rows[i]
	if r.looks&knowsSentence == 0 {
		if reads(m.say(i), int(r.words), func() bool { return (r.has&(hasAt|hasBar|hasHigh) == 0 || !inCards.in(m.say(i))) && m.figuresAt(i) < 3 }) {
			r.looks |= looksSentence
		}
		r.looks |= knowsSentence
	}
	return r.looks&looksSentence != 0
}

// isNameAt is isNameRow of row i.
func (m *mail) isNameAt(i int) bool {
	r := &m.rows[i]
	if r.looks&knowsName == 0 {
		words := int(r.names)
		if r.has&(hasHigh|hasApostrophe) != 0 {
			words = uncounted // which letters beyond ASCII, and apostrophes, hold together
		}
		if m.isNamed(m.say(i), words, separatorsOf(r)) {
			r.looks |= looksName
		}
		r.looks |= knowsName
	}
	return r.looks&looksName != 0
}

// isDelimiter reports whether a line is what mail programs put above a signature.
func isDelimiter(text string) bool {
	return text == "--" || text == "- --" || text == "—" || text == "–" || text == "- -" || text == "–-" || text == "-–"
}

// drawn is what drawn lines begin with, and what they go on with.
var drawn = struct{ first, rest *charset }{first: charsetOf("-–—―_=*~+#.:•·<ᐧ─━═"), rest: charsetOf("-–—―_=*~+#.:•·>< ─━═")}

// isDrawn reports whether a line is drawn with marks of one or two kinds.
func isDrawn(text string) bool {
	if len(text) < 2 || isLetter(text[0]) || isDigit(text[0]) {
		return false
	}
	first, size := utf8.DecodeRuneInString(text)
	if !drawn.first.has(first) || len(text) == size {
		return false
	}
	return drawn.rest.trimLeft(text) == ""
}

// isHeading reports whether a line is above something rather than in it.
func isHeading(text string) bool {
	return strings.HasSuffix(text, ":") && !isDrawn(text) || strings.HasPrefix(text, "#")
}

// sentenceEnds end sentences.
var sentenceEnds = charsetOf(".!?…。！？")

// endsSentence reports whether a line ends as sentences do.
func endsSentence(text string) bool {
	last := lastWritten(text)
	return hasAnySuffix(text, ":)", ";)", "-)", ":(", "-(", ":D", ";D", ":P") || sentenceEnds.has(last) || last > 0x2190 && unicode.Is(unicode.So, last)
}

// behindSentences stands behind what ends a sentence.
var behindSentences = charsetOf(" \"'”»)")

// lastWritten is the last character of a line that is neither a quotation mark nor a bracket.
func lastWritten(text string) rune {
	if n := len(text); n > 0 && text[n-1] < utf8.RuneSelf && !behindSentences.ascii[text[n-1]] {
		return rune(text[n-1])
	}
	last, _ := utf8.DecodeLastRuneInString(behindSentences.trimRight(text))
	return last
}

// isField reports whether a line is a value with a label that no contact has.
func isField(text string) bool {
	name, rest, ok := strings.Cut(text, ":")
	return ok && !isImage(text) && !contactLabels[strings.ToLower(strings.Trim(name, " .*|"))] && !isContact(name) && !strings.Contains(rest, "//") && len(name) < 30 && !strings.ContainsAny(name, "@+0123456789|(")
}

// firstRune is the first character of a text.
func firstRune(text string) rune {
	c, _ := utf8.DecodeRuneInString(text)
	return c
}

// isContact reports whether a row begins with what stands before what somebody is reached by.
func isContact(text string) bool {
	word, _, _ := strings.Cut(text, " ")
	var low [64]byte
	return contactLabels[string(appendLower(low[:0], aroundWords.trim(word)))]
}

// aroundWords stands around the first words of rows.
var aroundWords = charsetOf(".:*|()/")

// contactLabels stand before what somebody is reached by.
var contactLabels = words(`tel|telefon|telephone|phone|ph|p|t|m|f|e|w|a|o|d|c|h|mobile|mob|mobil|cell|cellular|handy|fax|email|e-mail|mail|web|website|site|internet|skype|office|direct|direct line|direct dial|dir|work|home|main|ext|twitter|linkedin|facebook|instagram|whatsapp|zoom|address|addr|adresse|url|http|https|mailto|fon|phone/fax|tel/fax|tel./fax|tel & fax|toll free|toll-free|fx|teléfono|telefono|tfno|tlf|tlfn|tél|téléphone|port|portable|móvil|movil|celular|cel|cell.|cellulare|correo|telefone|telemóvel|telefoon|mobiel|gsm|puh|puhelin|sähköposti|tel/mob|тел|телефон|моб|факс|почта|телефон/факс|τηλ|κιν|電話|携帯|メール|电话|手机|邮箱|传真|전화|휴대폰|이메일|aim|icq|msn|jabber|pgp|gpg|blog|bbm|icq uin|vat|vat no|reg|pager|geschäftsführer|sitz|ust-id|ustid|hrb|steuernummer|iban|bic|swift|nip|regon|krs|siret|p.iva|p. iva|cif|nif|cnpj|kvk|btw`)

// isItem reports whether a line is an item of a list.
func isItem(text string) bool {
	if text == "" || isLetter(text[0]) && text[0] != 'o' || isDigit(text[0]) {
		return false
	}
	return hasAnyPrefix(text, "- ", "* ", "• ", "· ", "o ", "+ ", "▪ ", "– ", "→ ", "-> ", "--> ")
}

// isNumbered reports whether a line is an item of a list with numbers.
func isNumbered(text string) bool {
	digits := 0
	for digits < len(text) && isDigit(text[digits]) {
		digits++
	}
	return digits > 0 && digits < 3 && digits+1 < len(text) && (text[digits] == '.' || text[digits] == ')') && text[digits+1] == ' '
}

// countWords counts what stands between blanks.
func countWords(text string) (n int) {
	in := false
	for i := range len(text) {
		blank := text[i] == ' ' || text[i] == '\t'
		if !blank && !in {
			n++
		}
		in = !blank
	}
	return n
}

// inCards is in lines of cards, and rarely in what is said.
var inCards = charsetOf("|•@")

// isSentence reports whether a line is written to be read, as no line of a signature is.
func isSentence(text string) bool {
	return len(text) > 500 || reads(text, countWords(text), func() bool { return !inCards.in(text) && figures(text) < 3 })
}

// reads is isSentence of a text whose words were counted. Many of them are no sentence where it
// is not plain, with what is in cards or with numbers.
func reads(text string, words int, plain func() bool) bool {
	if len(text) > 500 {
		return true
	}
	last := lastWritten(text)
	switch last {
	case '?', '？':
		return words >= 2 || utf8.RuneCountInString(text) > 6
	case '.', '!', '…', '。', '！':
		return words >= 5 || words == 1 && utf8.RuneCountInString(text) > 8 && last > 0x2000
	case ':':
		return words >= 3
	}
	return words >= 9 && plain()
}

// isPostscript reports whether a line begins as what is said below a signature does.
func isPostscript(text string) bool {
	if len(text) <= 3 || text[0] < utf8.RuneSelf && (text[0]|0x20 != 'p' && text[0]|0x20 != 'n' || strings.IndexByte(".:sSpPdDbB", text[1]) < 0) {
		return false
	}
	return (hasFold(text, "p.s") || hasFold(text, "ps:") || hasFold(text, "ps.") || hasFold(text, "ps ") || hasFold(text, "ps -") || hasFold(text, "pps") || hasFold(text, "pd:") || hasFold(text, "п.с") || hasFold(text, "p.d.") || hasFold(text, "n.b.") || hasFold(text, "nb:") || hasFold(text, "p. s.") ||
		hasAnyPrefix(text, "З.Ы", "П.С", "追伸", "追記", "추신", "附言", "又及", "ΥΓ", "Υ.Γ", "נ.ב", "PPS", "Ps,", "PS,"))
}

// phoneMarks stand between the digits of a telephone number.
var phoneMarks = charsetOf("+-/() .")

// isPhone reports whether a line is a telephone number, with a word or two around it.
func isPhone(text string) bool {
	digits, letters := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case isDigit(c):
			digits++
		case isLetter(c):
			letters++
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(text[i:])
			if unicode.IsDigit(r) {
				digits++
			} else if unicode.IsLetter(r) {
				letters++
			}
			i += size - 1
		}
	}
	return digits >= 7 && digits <= 40 && letters <= 2*digits && phoneMarks.in(text)
}

// isProse reports whether a line reads like the middle of a sentence: words that are
// written small, and nothing that a card has.
func isProse(text string) bool {
	if inCards.in(text) || hasDigit(text) {
		return false
	}
	small := 0
	for w := range strings.FieldsSeq(text) {
		if unicode.IsLower(firstRune(w)) && !particles[w] {
			small++
		}
	}
	return small > 3
}
