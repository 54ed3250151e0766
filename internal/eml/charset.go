package eml

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// find gives the encoding of a name, nil for one that says nothing or that nobody knows.
func find(name string) encoding.Encoding {
	name = strings.ToLower(strings.Trim(name, " \t\"'"))
	if at := strings.IndexFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && r != ':' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}); at >= 0 {
		name = name[:at]
	}
	switch name {
	case "", "us-ascii", "ascii", "ansi_x3.4-1968", "utf-8", "utf8", "unknown-8bit", "8bit", "x-unknown":
		return nil // the bytes say more
	}
	if e, err := htmlindex.Get(name); err == nil {
		return e
	}
	if e, err := ianaindex.MIME.Encoding(name); err == nil {
		return e
	}
	return nil
}

// decode makes UTF-8 of a body. A character set that is declared holds. Where none is, or
// only ASCII or UTF-8, the bytes are taken for UTF-8 when they can be, else for Windows-1252.
func decode(content []byte, declared string, isHTML bool) string {
	e := find(declared)
	if e == nil && isHTML && declared == "" {
		if _, name, _ := charset.DetermineEncoding(content, "text/html"); name != "windows-1252" { // which is also its "I do not know"
			e = find(name)
		}
	}
	if e != nil {
		if text, err := e.NewDecoder().Bytes(content); err == nil {
			return string(text)
		}
	}
	return toUTF8(content)
}

// toUTF8 reads bytes of which nobody knows what they are. A single broken character, as
// where a mail was cut, does not make a text of many good ones another encoding.
func toUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	good, bad := 0, 0
	for rest := b; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		rest = rest[n:]
	}
	if good >= bad {
		return string(b)
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return string(b)
	}
	return string(text)
}

// charsetReader decodes the encoded words of headers.
func charsetReader(name string, in io.Reader) (io.Reader, error) {
	e := find(name)
	if e == nil {
		b, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("read an encoded word: %w", err)
		}
		return strings.NewReader(toUTF8(b)), nil
	}
	return e.NewDecoder().Reader(in), nil
}
