package salesforce

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// errNotUTF8 ends the reading of an answer whose text is not what it says it is.
var errNotUTF8 = errors.New("the text is not UTF-8")

// charsets are those besides UTF-8 that an edge or a proxy may declare. Salesforce's
// API always answers in UTF-8.
var charsets = map[string]encoding.Encoding{
	"iso-8859-1": charmap.Windows1252, "latin1": charmap.Windows1252, "windows-1252": charmap.Windows1252, // as browsers read them
	"utf-16":   unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	"utf-16le": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
	"utf-16be": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
}

// jsonText reads the JSON text of an answer as UTF-8, out of the charset that the answer
// declares. ok is false for a charset that is not known.
//
// One record must not make a page unreadable: control characters inside of strings,
// which JSON wants escaped, are escaped here, and a NUL is dropped, as everywhere. A run
// of blanks between tokens becomes one: encoding/json looks at all of it again with every
// read. Bytes that are not UTF-8 end the reading with errNotUTF8, since they are most likely an accident of
// this one answer; when lenient they pass, and become U+FFFD where values are read.
func jsonText(body io.Reader, header http.Header, lenient bool) (text io.Reader, ok bool) {
	charset, known := charsetOf(header)
	switch {
	case !known:
		return nil, false
	case charset == nil:
		return &textReader{from: body, lenient: lenient}, true
	}
	return &textReader{from: transform.NewReader(body, charset.NewDecoder())}, true
}

// charsetOf is the charset that an answer declares: nil for UTF-8, false when nobody knows it.
func charsetOf(header http.Header) (charset encoding.Encoding, known bool) {
	_, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	name := strings.ToLower(params["charset"])
	if err != nil || name == "" || name == "utf-8" || name == "utf8" || name == "us-ascii" {
		return nil, true
	}
	charset, known = charsets[name]
	return charset, known
}

// utf8Reader passes text on as it is, and ends it with errNotUTF8 where it is not UTF-8.
type utf8Reader struct {
	from    io.Reader
	lenient bool

	held   [utf8.UTFMax]byte // the beginning of a character whose rest is to come
	n      int               // bytes held; they were given out already
	broken bool
}

// Read implements io.Reader.
func (u *utf8Reader) Read(p []byte) (int, error) {
	if u.broken {
		return 0, errNotUTF8
	}
	n, err := u.from.Read(p)
	if !u.lenient && !u.valid(p[:n]) {
		u.broken = true
		return 0, errNotUTF8
	}
	return n, err
}

func (u *utf8Reader) valid(b []byte) bool {
	if u.n > 0 {
		more := copy(u.held[u.n:], b)
		if whole := u.held[:u.n+more]; !utf8.FullRune(whole) {
			u.n += more
			return true
		}
		r, size := utf8.DecodeRune(u.held[:u.n+more])
		if r == utf8.RuneError && size == 1 {
			return false
		}
		b, u.n = b[size-u.n:], 0
	}
	whole := len(b) - incomplete(b)
	u.n = copy(u.held[:], b[whole:])
	return utf8.Valid(b[:whole])
}

// textReader is what jsonText returns.
type textReader struct {
	from    io.Reader
	lenient bool

	in       [16 << 10]byte
	held     int    // bytes at the front of in: the beginning of a character
	buffer   []byte // of out
	out      []byte // ready to be given
	err      error  // what from said last
	quoted   bool   // inside a string
	escaping bool   // behind a backslash in it
	blank    bool   // behind a blank outside of strings
}

// Read implements io.Reader.
func (t *textReader) Read(p []byte) (int, error) {
	for len(t.out) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		t.fill()
	}
	n := copy(p, t.out)
	t.out = t.out[n:]
	return n, nil
}

func (t *textReader) fill() {
	n, err := t.from.Read(t.in[t.held:])
	raw := t.in[:t.held+n]
	t.err, t.held = err, 0
	whole := len(raw) - incomplete(raw)
	if !t.lenient && !utf8.Valid(raw[:whole]) {
		t.err = errNotUTF8
		return
	}
	if err != nil { // cut short in a character: the rest is not to come
		whole = len(raw)
	}
	t.buffer = t.escape(t.buffer[:0], raw[:whole])
	t.out = t.buffer
	t.held = copy(t.in[:], raw[whole:])
}

// incomplete is how many bytes at the end of b are the beginning of a character.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if utf8.RuneStart(b[len(b)-n]) {
			if utf8.FullRune(b[len(b)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}

// escape appends raw to out with the control characters inside strings escaped, and the
// blanks between them made few.
func (t *textReader) escape(out, raw []byte) []byte {
	const hex = "0123456789abcdef"
	for _, c := range raw {
		switch {
		case !t.quoted:
			before := t.blank
			t.blank, t.quoted = c == ' ' || c == '\n' || c == '\r' || c == '\t', c == '"'
			if t.blank && before {
				continue
			}
		case c == 0:
			continue
		case t.escaping:
			t.escaping = false
		case c == '\\':
			t.escaping = true
		case c == '"':
			t.quoted = false
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			continue
		}
		out = append(out, c)
	}
	return out
}
