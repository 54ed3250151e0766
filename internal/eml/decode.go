package eml

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// transferred undoes a Content-Transfer-Encoding. What is broken in it stays as it is.
func transferred(encoding string, content []byte) []byte {
	encoding, _, _ = strings.Cut(encoding, ";")
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "quoted-printable":
		return quotedPrintable(content)
	case "base64":
		return unbase64(content)
	}
	return content
}

// shortestEncoded is how long a line without a blank must be before it is taken for base64 and not for a word.
const shortestEncoded = 40

// encoded reports whether a text still has the encoding that its head tells of: nothing in it speaks against that, and
// something that nobody writes speaks for it.
func encoded(encoding, text string) bool {
	encoding, _, _ = strings.Cut(encoding, ";")
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		n := 0
		for line := range strings.Lines(strings.TrimSpace(text)) {
			for _, c := range []byte(strings.TrimRight(line, "\r\n")) {
				if n++; !strings.ContainsRune(base64Letters, rune(c)) {
					return false
				}
			}
		}
		return n >= shortestEncoded && n%4 == 0
	case "quoted-printable":
		seen := false // a line that goes on, an equals sign, or a byte that is not ASCII
		for rest := text; ; {
			at := strings.IndexByte(rest, '=')
			if at < 0 {
				return seen
			}
			rest = rest[at+1:]
			if strings.HasPrefix(rest, "\n") || strings.HasPrefix(rest, "\r\n") {
				seen = true
				continue
			}
			if len(rest) < 2 || hex(rest[0]) < 0 || hex(rest[1]) < 0 {
				return false
			}
			seen = seen || hex(rest[0]) >= 8 || rest[:2] == "3D"
		}
	}
	return false
}

const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

func quotedPrintable(content []byte) []byte {
	out := make([]byte, 0, len(content))
	for line := range bytes.Lines(content) {
		text := bytes.TrimRight(line, " \t\r\n")
		ending := line[len(text):]
		if at := bytes.IndexByte(ending, '\n'); at < 0 {
			ending = nil
		} else {
			ending = []byte("\n")
		}
		if n := len(text); n > 0 && text[n-1] == '=' { // the line goes on
			text, ending = text[:n-1], nil
		}
		for i := 0; i < len(text); i++ {
			if text[i] == '=' && i+2 < len(text) {
				high, low := hex(text[i+1]), hex(text[i+2])
				if high >= 0 && low >= 0 {
					out = append(out, byte(high<<4|low))
					i += 2
					continue
				}
			}
			out = append(out, text[i])
		}
		out = append(out, ending...)
	}
	return out
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// unbase64 decodes what is of the alphabet and passes over the rest, as RFC 2045 has
// it. Some programs encode in pieces, each with padding of its own.
func unbase64(content []byte) []byte {
	out := make([]byte, 0, len(content)/4*3)
	var four [4]byte
	var three [3]byte
	n := 0
	flush := func() {
		if n > 1 {
			count, err := base64.RawStdEncoding.Decode(three[:], four[:n])
			if err == nil {
				out = append(out, three[:count]...)
			}
		}
		n = 0
	}
	for _, c := range content {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '+', c == '/':
			four[n] = c
			if n++; n == 4 {
				flush()
			}
		case c == '=':
			flush()
		}
	}
	flush()
	return out
}
