package csv

import (
	"errors"
	"fmt"
)

// What can be wrong with a row, beside io.ErrUnexpectedEOF for a stream that was cut.
var (
	ErrQuote    = errors.New("a quote stands where none may")
	ErrLineEnd  = errors.New("a carriage return stands outside of quotes without its line feed")
	ErrCells    = errors.New("the row has another number of cells than the header")
	ErrTooLarge = errors.New("a cell is larger than allowed")
)

// Error says where a stream stopped being readable. It holds nothing of what was read.
type Error struct {
	Row    int   // 1 is the first row behind the header, 0 the header
	Cell   int   // in the row, from 1; 0 when it is about the row
	Offset int64 // of the row's first byte in the stream
	Err    error
}

// Error implements error.
func (e *Error) Error() string {
	where := fmt.Sprintf("row %d", e.Row)
	if e.Row == 0 {
		where = "the header"
	}
	if e.Cell > 0 {
		where += fmt.Sprintf(", cell %d", e.Cell)
	}
	return fmt.Sprintf("CSV, %s, which begins at byte %d: %v", where, e.Offset, e.Err)
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }
