package soql

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenString // text holds the inside, still escaped
	tokenBare   // number, date or datetime
	tokenOp
	tokenOpen
	tokenClose
	tokenComma
)

type token struct {
	kind tokenKind
	text string
	at   int // byte offset
}

// is reports whether the token is the keyword, in any case of letters.
func (t token) is(keyword string) bool {
	return t.kind == tokenName && strings.EqualFold(t.text, keyword)
}

func (t token) describe() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenString:
		return clip("'" + t.text + "'")
	}
	return clip(t.text)
}

// lex cuts src into tokens; the last one is tokenEnd.
func (p *parser) lex() error {
	src := p.src
	for i := 0; i < len(src); {
		c := src[i]
		start := i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '(':
			i++
			p.add(tokenOpen, start, i)
		case c == ')':
			i++
			p.add(tokenClose, start, i)
		case c == ',':
			i++
			p.add(tokenComma, start, i)
		case c == '\'':
			end, ok := stringEnd(src, i+1)
			if !ok {
				return p.failAt(start, "the string that begins here has no closing quote", "close it with ', and write \\' for a quote inside")
			}
			p.tokens = append(p.tokens, token{tokenString, src[i+1 : end], start})
			i = end + 1
		case strings.IndexByte("=!<>", c) >= 0:
			i++
			if i < len(src) && strings.IndexByte("=>", src[i]) >= 0 {
				i++
			}
			p.add(tokenOp, start, i)
		case isLetter(c) || c == '_':
			for i < len(src) && (isNameByte(src[i]) || src[i] == '.') {
				i++
			}
			// a date literal carries its count: LAST_N_DAYS:7
			if i+1 < len(src) && src[i] == ':' && isDigit(src[i+1]) {
				for i++; i < len(src) && isDigit(src[i]); {
					i++
				}
			}
			p.add(tokenName, start, i)
		case isDigit(c) || ((c == '-' || c == '+' || c == '.') && i+1 < len(src) && (isDigit(src[i+1]) || src[i+1] == '.')):
			for i++; i < len(src) && (isNameByte(src[i]) || strings.IndexByte(".:+-", src[i]) >= 0); {
				i++
			}
			p.add(tokenBare, start, i)
		default:
			return p.unexpectedByte(start)
		}
	}
	p.tokens = append(p.tokens, token{kind: tokenEnd, at: len(src)})
	return nil
}

func (p *parser) add(kind tokenKind, start, end int) {
	p.tokens = append(p.tokens, token{kind, p.src[start:end], start})
}

// stringEnd finds the quote that closes a string whose inside begins at i.
func stringEnd(src string, i int) (int, bool) {
	for ; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '\'':
			return i, true
		}
	}
	return 0, false
}

func (p *parser) unexpectedByte(at int) error {
	r, _ := utf8.DecodeRuneInString(p.src[at:])
	switch {
	case r == '"' || unicode.In(r, unicode.Pi, unicode.Pf):
		return p.failAt(at, "unexpected "+clip(string(r)), "SOQL strings stand in straight single quotes: 'text'")
	case r == ':':
		return p.failAt(at, "bind variables (:name) are not supported", "write the value itself")
	case r == '&' || r == '|':
		return p.failAt(at, "unexpected "+clip(string(r)), "write AND or OR")
	case r == ';':
		return p.failAt(at, "unexpected "+clip(string(r)), "a condition does not end in a semicolon")
	}
	return p.failAt(at, "unexpected "+clip(string(r)), "")
}
