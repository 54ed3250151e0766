package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"salesforcesync/internal/clean"
	"salesforcesync/internal/eml"
)

const (
	maxLine  = 64 << 20 // bytes of a line of input
	keptLine = 1 << 20  // of the buffer for lines that is kept for the next
)

// errLong is of a line with more than there may be; it was passed over.
var errLong = errors.New("line too long")

// lineReader reads lines that may be long, with memory for one.
type lineReader struct {
	in     *bufio.Reader
	max    int
	number int
	buf    []byte
}

func newLines(in io.Reader, max int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, 64<<10), max: max}
}

// next gives the next line that is not empty and its number; it is valid until the next call.
func (l *lineReader) next() (line []byte, number int, err error) {
	for {
		if cap(l.buf) > keptLine {
			l.buf = nil
		}
		l.buf = l.buf[:0]
		l.number++
		long := false
		for {
			piece, err := l.in.ReadSlice('\n')
			if long = long || len(l.buf)+len(piece) > l.max+1; !long { // its line feed does not count
				l.buf = append(l.buf, piece...)
			}
			if err == nil {
				break
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if errors.Is(err, io.EOF) && (long || len(bytes.TrimSpace(l.buf)) > 0) {
				break // the last line has no end
			}
			return nil, l.number, err
		}
		if long {
			return nil, l.number, errLong
		}
		line = l.buf
		if l.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, l.number, nil
		}
	}
}

// readLine reads a mail from a line of JSON, and its id as far as it can be read.
func readLine(line []byte) (id json.RawMessage, m clean.Mail, err error) {
	id = null
	if line[0] != '{' {
		return id, m, errors.New("is no JSON object")
	}
	var keys map[string]json.RawMessage // names have to match to the letter, which a struct does not ask for
	if err := json.Unmarshal(line, &keys); err != nil {
		return id, m, fmt.Errorf("is no JSON: %w", err)
	}
	if given := keys["id"]; len(given) > 0 {
		if c := given[0]; c != '"' && c != '-' && (c < '0' || c > '9') && c != 'n' {
			return id, m, errors.New(`"id" is neither a string nor a number`)
		}
		if id = given; !utf8.Valid(id) {
			id = bytes.ToValidUTF8(id, []byte("\uFFFD")) // so is all that is written
		}
	}
	var from string
	for _, field := range []struct {
		name string
		into *string
	}{
		{"text", &m.Text}, {"html", &m.HTML}, {"from", &from}, {"from_name", &m.FromName}, {"from_address", &m.FromAddress}, {"subject", &m.Subject},
	} {
		given, ok := keys[field.name]
		if !ok {
			continue
		}
		if err := json.Unmarshal(given, field.into); err != nil { // null leaves it empty
			return id, m, fmt.Errorf("%q is neither a string nor null", field.name)
		}
		delete(keys, field.name) // it may be large
	}
	name, address := eml.Sender(from)
	if m.FromName == "" {
		m.FromName = name
	}
	if m.FromAddress == "" {
		m.FromAddress = address
	}
	return id, m, nil
}
