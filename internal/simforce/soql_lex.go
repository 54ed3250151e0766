package simforce

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

type tokenKind int

const (
	tokEOF    tokenKind = iota
	tokName             // SELECT, Case, Parent.CaseNumber, LAST_N_DAYS:3
	tokString           // '…', text holds the decoded value
	tokNumber           // 12, -1.5, 1e3
	tokTime             // 2026-05-01, 2026-05-01T07:25:37Z
	tokSymbol           // ( ) , = != < <= > >=
)

type token struct {
	kind tokenKind
	text string
	// like is the text of a string with its LIKE escapes kept as \_ and \%.
	like string
	pos  int // byte offset in the statement
	end  int
}

// soqlError is a refusal at a place in the statement.
type soqlError struct {
	code   string
	pos    int // byte offset, or -1 when the message has no place
	reason string
}

func (e *soqlError) Error() string { return e.code + ": " + e.reason }

func malformed(pos int, format string, args ...any) *soqlError {
	return &soqlError{"MALFORMED_QUERY", pos, fmt.Sprintf(format, args...)}
}

func unexpected(t token) *soqlError {
	if t.kind == tokEOF {
		return malformed(t.pos, "unexpected token: '<EOF>'")
	}
	return malformed(t.pos, "unexpected token: '%s'", t.text)
}

// excerptLead is how many characters of the statement the platform shows
// before the offending token.
const excerptLead = 30

// api lays the error out as the platform does: an excerpt that is cut at token
// boundaries, a caret under the token, its place, the reason.
func (e *soqlError) api(text string) *apiError {
	if e.pos < 0 {
		return refuse(http.StatusBadRequest, e.code, "%s", e.reason)
	}
	pos := min(e.pos, len(text))
	row := 1 + strings.Count(text[:pos], "\n")
	line := strings.LastIndexByte(text[:pos], '\n') + 1
	column := 1 + utf8.RuneCountInString(text[line:pos])

	start, end := line, len(text)
	if column > excerptLead+1 {
		start = boundaryBefore(text, pos)
	}
	if limit := pos + excerptLead; limit < len(text) {
		for limit < len(text) && text[limit] != ' ' && text[limit] != ',' && text[limit] != '\n' {
			limit++
		}
		end = limit
	}
	if nl := strings.IndexByte(text[pos:end], '\n'); nl >= 0 {
		end = pos + nl
	}
	pad := strings.Repeat(" ", utf8.RuneCountInString(text[start:pos]))
	return refuse(http.StatusBadRequest, e.code, "\n%s\n%s^\nERROR at Row:%d:Column:%d\n%s",
		text[start:end], pad, row, column, e.reason)
}

// boundaryBefore finds a token start about thirty characters before pos.
func boundaryBefore(text string, pos int) int {
	start := pos
	for n := 0; n < excerptLead+2 && start > 0; n++ {
		_, size := utf8.DecodeLastRuneInString(text[:start])
		start -= size
	}
	for i := start; i < pos; i++ {
		if i == 0 || !nameByte(text[i-1]) && utf8.RuneStart(text[i]) && text[i] != ' ' {
			return i
		}
	}
	return start
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.'
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// lex splits a statement into tokens.
func lex(text string) ([]token, *soqlError) {
	var out []token
	for i := 0; ; {
		for i < len(text) && strings.IndexByte(" \t\r\n", text[i]) >= 0 {
			i++
		}
		if i == len(text) {
			return append(out, token{kind: tokEOF, pos: i, end: i}), nil
		}
		t, err := lexOne(text, i)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		i = t.end
	}
}

func lexOne(text string, i int) (token, *soqlError) {
	c := text[i]
	switch {
	case c == '\'':
		return lexString(text, i)
	case digit(c), (c == '-' || c == '+') && i+1 < len(text) && digit(text[i+1]):
		return lexNumber(text, i), nil
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		j := i
		for j < len(text) && nameByte(text[j]) {
			j++
		}
		// A date literal carries its count: LAST_N_DAYS:7.
		if j+1 < len(text) && text[j] == ':' && digit(text[j+1]) {
			for j++; j < len(text) && digit(text[j]); j++ {
			}
		}
		return token{kind: tokName, text: text[i:j], pos: i, end: j}, nil
	}
	for _, symbol := range []string{"!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ","} {
		if strings.HasPrefix(text[i:], symbol) {
			return token{kind: tokSymbol, text: symbol, pos: i, end: i + len(symbol)}, nil
		}
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	if r < utf8.RuneSelf {
		return token{}, malformed(i, "unexpected token: '%s'", text[i:i+size])
	}
	return token{}, malformed(-1, "line 1:%d no viable alternative at character '%c'", utf8.RuneCountInString(text[:i]), r)
}

// lexNumber takes numbers, dates and datetimes; which it is the parser decides
// by shape.
func lexNumber(text string, i int) token {
	j := i + 1
	for j < len(text) && (nameByte(text[j]) || strings.IndexByte(":-+", text[j]) >= 0) {
		j++
	}
	kind := tokNumber
	if strings.IndexByte(text[i+1:j], '-') >= 0 && !strings.ContainsAny(text[i:j], "eE") {
		kind = tokTime
	}
	return token{kind: kind, text: text[i:j], pos: i, end: j}
}

func lexString(text string, i int) (token, *soqlError) {
	var value, like strings.Builder
	both := func(s string) { value.WriteString(s); like.WriteString(s) }
	for j := i + 1; j < len(text); j++ {
		c := text[j]
		if c == '\'' {
			return token{kind: tokString, text: value.String(), like: like.String(), pos: i, end: j + 1}, nil
		}
		if c != '\\' {
			value.WriteByte(c)
			like.WriteByte(c)
			continue
		}
		j++
		if j == len(text) {
			break
		}
		switch text[j] {
		case 'n', 'N':
			both("\n")
		case 'r', 'R':
			both("\r")
		case 't', 'T':
			both("\t")
		case 'b', 'B':
			both("\b")
		case 'f', 'F':
			both("\f")
		case '"', '\'':
			both(text[j : j+1])
		case '\\':
			value.WriteByte('\\')
			like.WriteString(`\\`)
		case '_', '%':
			value.WriteString(text[j : j+1])
			like.WriteString(text[j-1 : j+1])
		case 'u', 'U':
			r, ok := hexRune(text, j+1)
			if !ok {
				return token{}, malformed(j-1, "Illegal unicode sequence in string literal")
			}
			both(string(r))
			j += 4
		default:
			return token{}, malformed(j-1, "Illegal character escape sequence: '\\%c'", text[j])
		}
	}
	return token{}, malformed(i, "unterminated string literal")
}

func hexRune(text string, i int) (rune, bool) {
	if i+4 > len(text) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(text[i : i+4]) {
		d := strings.IndexByte(hexDigits, c|0x20)
		if d < 0 || !digit(c) && (c|0x20 < 'a') {
			return 0, false
		}
		if digit(c) {
			d = int(c - '0')
		}
		r = r<<4 | rune(d)
	}
	return r, true
}
