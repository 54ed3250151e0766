package api

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"

	"salesforcesync/internal/fault"
)

// stream reads a JSON text that is too large to be in memory at once, value by value. A decoder of
// encoding/json would do, but looks at blanks between values once more with every read: a body of
// nothing else keeps it busy for minutes.
type stream struct {
	r     *bufio.Reader
	value []byte // the last one
	at    int64  // bytes read
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func newStream(r io.Reader) *stream { return &stream{r: bufio.NewReaderSize(r, 64<<10)} }

func (s *stream) read() (byte, error) {
	c, err := s.r.ReadByte()
	if err == nil {
		s.at++
	}
	return c, err
}

func (s *stream) unread() {
	_ = s.r.UnreadByte() // follows a read
	s.at--
}

// next reads on to what is no blank, and gives it.
func (s *stream) next() (byte, error) {
	for {
		c, err := s.read()
		if err != nil {
			return 0, streamFault(err)
		}
		if !blank(c) {
			return c, nil
		}
	}
}

// streamFault is the fault of a body that ends where it must not, or cannot be read.
func streamFault(err error) error {
	if errors.Is(err, io.EOF) {
		return fault.Wrap(fault.Invalid, err, "the body is not JSON: it ends too early")
	}
	return bodyFault(err)
}

// expect reads what must come next.
func (s *stream) expect(want byte) error {
	c, err := s.next()
	if err == nil && c != want {
		err = s.unexpected(c)
	}
	return err
}

func (s *stream) unexpected(c byte) error {
	return fault.New(fault.Invalid, "the body is not JSON: there is %q at byte %d", c, s.at)
}

// one reads one value, whatever it is. It is valid until the next one is read.
func (s *stream) one() (raw []byte, err error) {
	c, err := s.next()
	if err != nil {
		return nil, err
	}
	s.value = s.value[:0]
	depth, text, escaped := 0, false, false
	for {
		if depth == 0 && !text && len(s.value) > 0 && (c == ',' || c == ']' || c == '}' || blank(c)) {
			s.unread() // it ended a number or a word
			break
		}
		s.value = append(s.value, c)
		switch {
		case escaped:
			escaped = false
		case text:
			escaped, text = c == '\\', c != '"'
		case c == '"':
			text = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth <= 0 && !text && (c == '"' || c == '}' || c == ']') {
			break
		}
		if c, err = s.read(); err != nil {
			return nil, streamFault(err)
		}
	}
	if err := checkJSON(s.value); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the body is not JSON before byte %d", s.at)
	}
	return s.value, nil
}

// list reads an array, item by item; name is what it is called.
func (s *stream) list(name string, item func(raw []byte) error) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	if c != '[' {
		return fault.New(fault.Invalid, "%s is not an array", name)
	}
	c, err = s.next()
	if err != nil || c == ']' {
		return err
	}
	s.unread()
	for {
		raw, err := s.one()
		if err != nil {
			return err
		}
		if err := item(raw); err != nil {
			return err
		}
		if c, err = s.next(); err != nil || c == ']' {
			return err
		}
		if c != ',' {
			return s.unexpected(c)
		}
	}
}

// object reads an object, which is all there is, and calls read at the value of each key.
func (s *stream) object(read func(key string) error) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	if c != '{' {
		return fault.New(fault.Invalid, "the body is not a JSON object")
	}
	if c, err = s.next(); err != nil {
		return err
	}
	for c != '}' {
		if c != '"' {
			return s.unexpected(c)
		}
		s.unread()
		raw, err := s.one()
		if err != nil {
			return err
		}
		var key string
		if err := json.Unmarshal(raw, &key); err != nil {
			return fault.Wrap(fault.Internal, err, "read a key")
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := read(key); err != nil {
			return err
		}
		if c, err = s.next(); err != nil {
			return err
		}
		if c == ',' {
			if c, err = s.next(); err != nil {
				return err
			}
			if c == '}' {
				return s.unexpected(c)
			}
		} else if c != '}' {
			return s.unexpected(c)
		}
	}
	for {
		c, err := s.read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return bodyFault(err)
		}
		if !blank(c) {
			return fault.New(fault.Invalid, "the body has something behind its object, at byte %d", s.at)
		}
	}
}
