package salesforce

import (
	"bytes"
	"iter"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const jsonBlanks = " \t\r\n"

// members walks over the members of a JSON object that is known to be valid: name without
// its escapes, value as it is. encoding/json would copy every value before anybody says
// which are wanted, and check each of them once more.
func members(raw []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		at := blanks(raw, 1) // behind the brace
		for raw[at] != '}' {
			end := stringEnd(raw, at)
			name := raw[at+1 : end-1]
			if bytes.IndexByte(name, '\\') >= 0 {
				name = unescape(nil, name)
			}
			at = blanks(raw, blanks(raw, end)+1) // behind the colon
			end = valueEnd(raw, at)
			if !yield(name, raw[at:end]) {
				return
			}
			if at = blanks(raw, end); raw[at] == ',' {
				at = blanks(raw, at+1)
			}
		}
	}
}

func blanks(raw []byte, at int) int {
	for raw[at] == ' ' || raw[at] == '\n' || raw[at] == '\r' || raw[at] == '\t' {
		at++
	}
	return at
}

// stringEnd is behind the closing quote of the string that begins at at.
func stringEnd(raw []byte, at int) int {
	at++
	for quote := at - 1; ; {
		if quote < at {
			quote = at + bytes.IndexByte(raw[at:], '"')
		}
		escape := bytes.IndexByte(raw[at:quote], '\\')
		if escape < 0 {
			return quote + 1
		}
		at += escape + 2
	}
}

// valueEnd is behind the value that begins at at.
func valueEnd(raw []byte, at int) int {
	switch raw[at] {
	case '"':
		return stringEnd(raw, at)
	case '{', '[':
		for depth := 0; ; {
			switch raw[at] {
			case '"':
				at = stringEnd(raw, at)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return at + 1
				}
			}
			at++
		}
	}
	for at < len(raw) && raw[at] != ',' && raw[at] != '}' && raw[at] != ']' && raw[at] > ' ' {
		at++
	}
	return at
}

// unescape appends the inside of a valid JSON string with its escapes resolved as
// encoding/json resolves them: half of a surrogate pair is U+FFFD.
func unescape(out, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(out, s...)
		}
		out = append(out, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hex4(s)
			s = s[4:]
			if utf16.IsSurrogate(r) {
				second := rune(-1)
				if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
					second = hex4(s[2:])
				}
				if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
					s = s[6:]
				}
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		out = append(out, c)
	}
}

func hex4(s []byte) rune {
	n, _ := strconv.ParseUint(string(s[:4]), 16, 16) // valid JSON has four digits here
	return rune(n)
}
