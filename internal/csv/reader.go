package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// DefaultMaxCell is the largest cell that is read unless [Options] say otherwise: far above
// the 131,072 characters that Salesforce's longest text field holds.
const DefaultMaxCell = 32 << 20

// Options of a reader.
type Options struct {
	MaxCell int // the most bytes of a cell as it is written; 0: DefaultMaxCell
}

const (
	firstBuffer = 256 << 10
	// leastRead is for how little room it is worth to ask the stream for more.
	leastRead = 16 << 10
)

// Reader reads rows one after the other. It is not for concurrent use.
type Reader struct {
	from    io.Reader
	maxCell int

	buf    []byte
	start  int   // of the row in buf
	next   int   // of the row behind it
	end    int   // of what was read into buf
	offset int64 // of buf in the stream
	ended  error // what the stream said last

	header  []string
	begun   bool
	number  int
	length  int // of the row, without its line end
	cells   []cell
	scratch []byte
	err     error // what Next goes on to say
}

// NewReader reads a stream. It reads ahead, and holds no more of it than the longest row
// asks for.
func NewReader(from io.Reader, o Options) *Reader {
	if o.MaxCell <= 0 {
		o.MaxCell = DefaultMaxCell
	}
	return &Reader{from: from, maxCell: o.MaxCell}
}

// NewBytesReader reads what is in memory already, without a copy. data must not change
// while it is read, and is not changed.
func NewBytesReader(data []byte) *Reader {
	return &Reader{maxCell: DefaultMaxCell, buf: data, end: len(data), ended: io.EOF}
}

// Header returns the names in the first line; io.EOF when there is nothing at all.
func (r *Reader) Header() ([]string, error) {
	if r.begun {
		if r.header == nil {
			return nil, r.err
		}
		return r.header, nil
	}
	r.begun = true
	if r.err = r.skipMark(); r.err == nil {
		r.err = r.read()
	}
	if r.err != nil {
		return nil, r.err
	}
	row := Row{r}
	r.header = make([]string, row.Len())
	for i := range r.header {
		r.header[i] = row.Text(i)
	}
	return r.header, nil
}

// Next returns the next row behind the header, and io.EOF behind the last one. Any other
// error is an [*Error], or wraps the stream's own in one; it comes again with each call.
// Empty lines are passed over.
func (r *Reader) Next() (Row, error) {
	if !r.begun {
		_, _ = r.Header() // its error is r.err
	}
	if r.err != nil {
		return Row{}, r.err
	}
	r.number++
	if r.err = r.read(); r.err != nil {
		return Row{}, r.err
	}
	if len(r.cells) != len(r.header) {
		r.err = r.wrong(0, ErrCells)
		return Row{}, r.err
	}
	return Row{r}, nil
}

// skipMark passes over a byte order mark in front of everything.
func (r *Reader) skipMark() error {
	const mark = "\xef\xbb\xbf"
	for r.end < len(mark) {
		if _, err := r.more(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return r.wrong(0, err)
		}
	}
	if string(r.buf[:len(mark)]) == mark {
		r.next = len(mark)
	}
	return nil
}

// read finds the next row; io.EOF when there is none.
func (r *Reader) read() error {
	for {
		r.start, r.length = r.next, 0
		r.scratch, r.cells = r.scratch[:0], r.cells[:0]
		for r.start == r.end {
			if _, err := r.more(); errors.Is(err, io.EOF) {
				return io.EOF
			} else if err != nil {
				return r.wrong(0, err)
			}
		}
		if err := r.scan(); err != nil {
			return err
		}
		if r.length > 0 {
			return nil
		}
	}
}

// scan finds the cells and the end of the row at r.start, and checks every quote on the way.
// Positions are relative to the row: the buffer may move under it.
func (r *Reader) scan() error {
	b := r.buf[r.start:r.end]
	var err error
	for at := 0; ; {
		for at == len(b) {
			if b, err = r.more(); err != nil {
				return r.cut(err)
			}
		}
		c := cell{from: at}
		if b[at] == '"' {
			c.from++
			at++
			for {
				i := bytes.IndexByte(b[at:], '"')
				if i < 0 {
					if at = len(b); at-c.from > r.maxCell {
						return r.wrong(len(r.cells)+1, ErrTooLarge)
					}
					if b, err = r.more(); err != nil {
						return r.cut(err)
					}
					continue
				}
				at += i
				if at+1 == len(b) { // is it one of two?
					if b, err = r.more(); err != nil {
						return r.cut(err)
					}
					continue
				}
				if b[at+1] != '"' {
					break
				}
				c.escaped = true
				at += 2
			}
			c.to = at
			at++
		} else {
			for {
				for at < len(b) && b[at] != ',' && b[at] != '\n' && b[at] != '"' && b[at] != '\r' {
					at++
				}
				if at < len(b) {
					break
				}
				if at-c.from > r.maxCell {
					return r.wrong(len(r.cells)+1, ErrTooLarge)
				}
				if b, err = r.more(); err != nil {
					return r.cut(err)
				}
			}
			if b[at] == '"' {
				return r.wrong(len(r.cells)+1, ErrQuote)
			}
			c.to = at
		}
		if c.to-c.from > r.maxCell {
			return r.wrong(len(r.cells)+1, ErrTooLarge)
		}
		r.cells = append(r.cells, c)
		switch b[at] {
		case ',':
			if r.header != nil && len(r.cells) == len(r.header) {
				return r.wrong(0, ErrCells) // at once: there may be no end to them
			}
			at++
			continue
		case '\n':
			r.length, r.next = at, r.start+at+1
			return nil
		case '\r':
			for at+1 == len(b) {
				if b, err = r.more(); err != nil {
					return r.cut(err)
				}
			}
			if b[at+1] != '\n' {
				return r.wrong(len(r.cells), ErrLineEnd)
			}
			r.length, r.next = at, r.start+at+2
			return nil
		}
		return r.wrong(len(r.cells), ErrQuote)
	}
}

// more reads on and returns what is there of the row. What stood before the row goes.
func (r *Reader) more() ([]byte, error) {
	if r.ended != nil {
		return nil, r.ended
	}
	if len(r.buf)-r.end < leastRead {
		if r.start > 0 {
			r.offset += int64(r.start)
			r.end = copy(r.buf, r.buf[r.start:r.end])
			r.start, r.next = 0, 0 // next is set when the row's end is found
		}
		if len(r.buf)-r.end < leastRead {
			larger := make([]byte, max(2*len(r.buf), firstBuffer))
			copy(larger, r.buf[:r.end])
			r.buf = larger
		}
	}
	for range 100 {
		n, err := r.from.Read(r.buf[r.end:])
		r.end += n
		if err != io.EOF && errors.Is(err, io.EOF) { //nolint:errorlint // the end is io.EOF itself; an error about an end is none
			err = fmt.Errorf("%w: %v", io.ErrUnexpectedEOF, err) //nolint:errorlint // who looks for io.EOF must not find it
		}
		r.ended = err
		if n > 0 {
			return r.buf[r.start:r.end], nil
		}
		if err != nil {
			return nil, err
		}
	}
	r.ended = io.ErrNoProgress
	return nil, r.ended
}

// cut makes an error of the end of the stream inside a row.
func (r *Reader) cut(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return r.wrong(len(r.cells)+1, err)
}

func (r *Reader) wrong(cell int, err error) error {
	return &Error{Row: r.number, Cell: cell, Offset: r.offset + int64(r.start), Err: err}
}
