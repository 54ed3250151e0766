package clean

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// names is what is known of a sender's name.
type names struct {
	known    []string // its words, and those of their address, folded
	short    []string // short for these
	local    string   // the letters of their address before the "@", folded
	initials string   // of their name, in the order of its words
	role     bool     // it names an office rather than a person
	starts   starts   // what their words begin with
}

// roles are words of addresses and names that many people share.
var roles = words(`info|support|sales|service|services|office|contact|mail|admin|no|reply|noreply|help|helpdesk|desk|team|the|of|and|und|de|via|customer|billing|hello|kundenservice|vertrieb|webmaster|postmaster|newsletter`)

// honorifics stand around names.
var honorifics = foldedWords(`dr|prof|professor|mr|mrs|ms|miss|herr|frau|ing|dipl|mag|msc|bsc|mba|phd|ph|d|jr|sr|esq|ir|ia|ppa|iv|ii|iii|m|sir|rev|doz|dkfm|lic|avv|dott|ssa|sra|sig|arch|mgr|bc|inz|eng`)

// nicknames are what people with a name are called.
var nicknames = func() map[string][]string {
	out := map[string][]string{}
	for _, line := range strings.Fields(`
		robert:bob,rob,bobby,robbie,bert william:bill,will,billy,willy,liam richard:dick,rick,rich,ricky,richie james:jim,jimmy,jamie john:jack,johnny,jon jonathan:jon,jonny
		michael:mike,mick,mickey,mikey thomas:tom,tommy,thom edward:ed,eddie,ted,teddy,ned charles:charlie,chuck,chas christopher:chris,kit,topher christine:chris,tina,chrissy christina:tina,chris
		margaret:maggie,meg,peggy,greta elizabeth:liz,beth,betty,lizzie,eliza,lisa,betsy katherine:kate,kathy,katie,kat,kit catherine:cathy,kate,cat,katie kathleen:kathy,kate patricia:pat,patty,tricia,trish patrick:pat,paddy,rick
		anthony:tony,ant andrew:andy,drew andreas:andi,andy daniel:dan,danny david:dave,davy joseph:joe,joey,jo joshua:josh matthew:matt nicholas:nick,nicky nikolaus:niko,klaus peter:pete stephen:steve,steph steven:steve alexander:alex,sasha,sandy,xander
		benjamin:ben,benny samuel:sam,sammy timothy:tim gregory:greg jeffrey:jeff geoffrey:geoff lawrence:larry,laurie leonard:len,lenny,leo ronald:ron,ronnie donald:don,donnie kenneth:ken,kenny raymond:ray gerald:gerry,jerry jerome:jerry frederick:fred,freddy,rick
		rebecca:becky,becca deborah:deb,debbie susan:sue,susie suzanne:sue,susie jennifer:jen,jenny,jenn jessica:jess,jessie victoria:vicky,tori samantha:sam,sammy abigail:abby,gail barbara:barb,babs theresa:terri,tess,tessa virginia:ginny dorothy:dot,dottie,dora
		pamela:pam cynthia:cindy sandra:sandy melissa:missy,mel philip:phil phillip:phil walter:walt,wally henry:hank,harry harold:harry,hal francis:frank,fran franklin:frank eugene:gene albert:al,bert alfred:al,fred
		johannes:hannes,jan,hans joachim:jo,achim,jochen sebastian:basti maximilian:max wolfgang:wolf friedrich:fritz heinrich:heinz,heiner matthias:matze guillermo:memo francisco:paco,pancho jose:pepe ignacio:nacho enrique:kike
		giuseppe:beppe,peppe giovanni:gianni,nino aleksandr:sasha,саша alexandra:alex,sandra,sasha ekaterina:katya dmitri:dima dmitry:dima vladimir:vova,volodya nikolai:kolya mikhail:misha sergei:seryozha ivan:vanya maria:masha анна:аня александр:саша алексей:леша дмитрий:дима екатерина:катя михаил:миша наталья:наташа сергей:сережа`) {
		name, short, _ := strings.Cut(folded(line), ":")
		out[name] = strings.Split(short, ",")
	}
	return out
}()

// mostNameWords bounds how many words of a name are looked at.
const mostNameWords = 64

// namesOf tells what is known of the name of a sender.
func namesOf(name, address string) (n names) {
	local, _, _ := strings.Cut(folded(address), "@")
	name = folded(name)
	if strings.Contains(name, "@") {
		name = ""
	}
	named, words := false, 0
	var room [mostNameWords]byte
	initials := room[:0]
	for w := range nameWords(name) {
		if words++; words > mostNameWords {
			break
		}
		first, size := utf8.DecodeRuneInString(w)
		if size < len(w) {
			n.add(w)
			named = named || !roles[w]
			n.role = n.role || roles[w] && w != "de" && w != "of"
		}
		initials = utf8.AppendRune(initials, first)
	}
	n.initials = string(initials)
	words = 0
	for w := range nameWords(local) {
		if words++; words > mostNameWords {
			break
		}
		if utf8.RuneCountInString(w) > 1 && (!roles[w] || slices.Contains(n.known, w)) {
			n.add(w)
			named = true
		}
		n.local += w
	}
	if !named {
		n.role = true
	}
	for _, w := range n.known {
		n.short = append(n.short, nicknames[w]...)
	}
	n.starts = startsOf(n)
	return n
}

// add adds a word of a name that is known.
func (n *names) add(word string) {
	if n.known == nil {
		n.known = make([]string, 0, 8)
	}
	if !slices.Contains(n.known, word) {
		n.known = append(n.known, word)
	}
}

// nameWords are the words of a name, without what is between them.
func nameWords(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for start, i := -1, 0; i <= len(name); {
			in, size := false, 1
			if i < len(name) {
				if c := name[i]; c < utf8.RuneSelf {
					in = isLetter(c) || c == '\''
				} else {
					var r rune
					r, size = utf8.DecodeRuneInString(name[i:])
					in = unicode.IsLetter(r) || r == '’'
				}
			}
			switch {
			case in && start < 0:
				start = i
			case !in && start >= 0:
				if !yield(name[start:i]) {
					return
				}
				start = -1
			}
			i += size
		}
	}
}

// stranger reports whether nothing is known of the sender's name: a name may be any.
func (m *mail) stranger() bool { return len(m.names.known) == 0 || m.names.role }

// knows reports whether a folded word is one of the sender's name, or short for one.
func (m *mail) knows(word []byte) bool {
	for _, name := range m.names.known {
		if name == string(word) {
			return true
		}
	}
	if utf8.RuneCount(word) < 2 || !m.names.starts.has(word) {
		return false
	}
	for _, name := range m.names.known {
		if len(word) >= 3 && len(name) >= len(word) && name[:len(word)] == string(word) && !commonWords[string(word)] {
			return true
		}
	}
	for _, short := range m.names.short {
		if short == string(word) {
			return true
		}
	}
	return false
}

// commonWords begin names, and are no short forms of them.
var commonWords = words(`the|and|but|for|are|you|can|not|all|any|was|one|now|yes|man|mar|who|may|how|her|his|has|had|mon|die|der|das|und|les|des|est|que|con|per|wil|see|may|sun|sal`)

// mostWordsOfName is how many words a name may have.
const mostWordsOfName = 6

// isName reports whether a text is the sender's name or a part of it. One word that is
// not known, such as a second name, may be among two that are.
func (m *mail) isName(text string) bool {
	if len(m.names.known) == 0 || text == "" || len(text) > 60 || !mayName(text) {
		return false
	}
	known, unknown, count := 0, 0, 0
	var buffer [64]byte
	for word := range nameWords(text) {
		if count++; count > mostWordsOfName {
			return false
		}
		fold := foldedInto(buffer[:0], word)
		switch {
		case m.knows(fold):
			known++
		case honorifics[string(fold)] || utf8.RuneCount(fold) == 1:
		default:
			if unknown++; unknown > 1 && len(m.names.local) < 4 || unknown > 4 {
				return false
			}
		}
	}
	return known > 0 && (unknown == 0 || unknown == 1 && known >= 2) || count > 1 && m.joined(folded(text))
}

// mayName reports whether nothing is in a text that no name has.
func mayName(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= utf8.RuneSelf:
			return !strings.ContainsAny(text[i:], "?@:") && !strings.ContainsFunc(text[i:], unicode.IsDigit)
		case isDigit(c) || c == '?' || c == '@' || c == ':':
			return false
		}
	}
	return true
}

// foldedInto is folded into a buffer.
func foldedInto(b []byte, word string) []byte {
	for i := range len(word) {
		if word[i] >= utf8.RuneSelf {
			return append(b[:0], folded(word)...)
		}
		b = append(b, lower(word[i]))
	}
	return b
}

// joined reports whether words that are written without blanks make the sender's
// address: "Carla Vance" of carlavance@, cvance@ or vancec@.
func (m *mail) joined(fold string) bool {
	if len(m.names.local) < 4 || len(fold) > 40 {
		return false
	}
	var parts []string
	for w := range nameWords(fold) {
		if !honorifics[w] {
			parts = append(parts, w)
		}
	}
	if len(parts) < 2 || len(parts) > 4 {
		return false
	}
	first, last := parts[0], parts[len(parts)-1]
	initial := func(w string) string {
		c, _ := utf8.DecodeRuneInString(w)
		return string(c)
	}
	switch m.names.local {
	case strings.Join(parts, ""), last + first, first + last, initial(first) + last, last + initial(first), first + initial(last):
		return true
	}
	return false
}

// isNameRow reports whether a row is the sender's name, alone or before what they are:
// "Ann Example, Head of Sales", "Ann Example | Acme".
func (m *mail) isNameRow(text string) bool {
	return m.isNamed(text, uncounted, separatorsIn(text))
}

// uncounted stands for words that were not counted: there may be few.
const uncounted = 0

// isNamed is isNameRow of a row with so many words, and some separators in it. Most rows have
// too many words, or nothing that could set a name apart from what follows.
func (m *mail) isNamed(text string, words int, within uint32) bool {
	if len(text) > longestNameRow || len(m.names.known) == 0 || words > mostWordsOfName && within == 0 {
		return false
	}
	at := m.names.starts.at(text)
	return at < len(text) && (words <= mostWordsOfName && m.isName(trimName(text)) || m.isNamedBefore(text, at, within))
}

// longestNameRow bounds a row with a name, in bytes.
const longestNameRow = 120

// isNamedBefore reports whether a full name stands before one of some separators in a text, or
// any before a parenthesis. None begins before a place.
func (m *mail) isNamedBefore(text string, at int, within uint32) bool {
	if within&parenthesis != 0 {
		if head, _, _ := strings.Cut(text, "("); at < len(head) && m.isName(trimName(head)) {
			return true
		}
	}
	for i, separator := range separators {
		if within&(1<<i) == 0 {
			continue
		}
		if head, rest, ok := strings.Cut(text, separator); ok && at < len(head) && m.isFullName(trimName(head)) {
			return separator != "\t" && (separator != "  " || !strings.ContainsAny(rest, "0123456789")) || strings.ContainsAny(rest, "@") || strings.Contains(rest, "http") || strings.Contains(rest, "www.") || isPhone(rest)
		}
	}
	return false
}

// separators stand between a name and what somebody is.
var separators = [...]string{",", "|", " - ", " – ", " — ", "/", " · ", " • ", "<", "\t", "  "}

// parenthesis is the bit of [separatorsIn] for "(".
const parenthesis = 1 << len(separators)

// separatorsOf has a bit for each separator that may be in a row.
func separatorsOf(r *row) (bits uint32) {
	for _, of := range [...]struct {
		has  traits
		bits uint32
	}{{hasComma, 1 << 0}, {hasBar, 1 << 1}, {hasDash, 1 << 2}, {hasHigh, 1<<3 | 1<<4 | 1<<6 | 1<<7}, {hasSlash, 1 << 5}, {hasLess, 1 << 8}, {hasTab, 1 << 9}, {hasParenthesis, parenthesis}, {isGapped, 1 << 10}} {
		if r.has&of.has != 0 {
			bits |= of.bits
		}
	}
	return bits
}

// separatorsIn is a quick look: a bit for each separator that may be in a text.
func separatorsIn(text string) (bits uint32) {
	before := byte(0)
	for i := range len(text) {
		c := text[i]
		switch c {
		case ',':
			bits |= 1 << 0
		case '|':
			bits |= 1 << 1
		case '-':
			if before == ' ' {
				bits |= 1 << 2
			}
		case "–"[0]: // and of "—" and "•"
			bits |= 1<<3 | 1<<4 | 1<<7
		case '/':
			bits |= 1 << 5
		case "·"[0]:
			bits |= 1 << 6
		case '<':
			bits |= 1 << 8
		case '\t':
			bits |= 1 << 9
		case ' ':
			if before == ' ' {
				bits |= 1 << 10
			}
		case '(':
			bits |= parenthesis
		}
		before = c
	}
	return bits
}

// isFullName reports whether a text is a sender's name of two words or more.
func (m *mail) isFullName(text string) bool {
	return strings.Contains(text, " ") && m.isName(text)
}

// trimName takes off what stands around a name.
func trimName(text string) string {
	if text != "" && isLetter(text[0]) && isLetter(text[len(text)-1]) {
		return text
	}
	text = strings.TrimFunc(text, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.Is(unicode.M, c) && c != ')' && c != '(' && !unicode.IsDigit(c) && c != '?' && c != '@'
	})
	return text
}

// isInitials reports whether a text is the first letters of the sender's name.
func (m *mail) isInitials(text string) bool {
	text = folded(strings.ReplaceAll(strings.TrimRight(text, ". "), ".", ""))
	return text != "" && len(text) <= 4 && strings.HasPrefix(m.names.initials, text)
}

// isCapitalized reports whether a text is up to max words that begin with capitals, as names do.
func isCapitalized(text string, max int) bool {
	n := 0
	for w := range strings.FieldsSeq(text) {
		first, _ := utf8.DecodeRuneInString(w)
		if !unicode.IsUpper(first) && !unicode.In(first, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Hebrew, unicode.Arabic, unicode.Thai, unicode.Devanagari) && !particles[w] {
			return false
		}
		if n++; n > max || noName.in(w) {
			return false
		}
	}
	return n > 0 && len(text) <= 90 && !particles[strings.TrimSpace(text)]
}

// noName is in no name.
var noName = charsetOf("?!:;@0123456789")

// particles are written small in names.
var particles = words(`de|da|do|dos|das|di|del|della|van|von|der|den|zu|la|le|du|af|av|el|al|bin|ibn|y|e|und|en|and|og|och|ja|&|und`)
