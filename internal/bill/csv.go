package bill

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"salesforcesync/internal/store"
)

// Header is the first line of a bill as CSV.
var Header = []string{"at", "project", "source", "source_id", "comment_id", "revision", "reason", "units", "before_hash", "after_hash",
	"integration", "object", "lane", "part", "stream", "epoch", "seq"}

// unitsAtATime is how many lines are in memory at a time.
const unitsAtATime = 2000

// WriteCSV writes the units that a filter chooses, one a line, whatever their number. What was added
// since it began is left out. told, if given, is called after each piece that was written,
// with the lines so far.
func WriteCSV(ctx context.Context, w io.Writer, s Ledger, f store.LedgerFilter, told func(lines int64) error) error {
	before, err := s.SettledUnits(ctx)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(Header); err != nil {
		return err
	}
	var after *store.UnitKey
	var lines int64
	for more := true; more; {
		var units []store.Unit
		if units, more, err = s.ListUnits(ctx, f, before, after, unitsAtATime); err != nil {
			return err
		}
		for _, u := range units {
			if err := out.Write(line(u)); err != nil {
				return err
			}
		}
		if len(units) > 0 {
			key := units[len(units)-1].Key()
			after = &key
		}
		if out.Flush(); out.Error() != nil {
			return out.Error()
		}
		lines += int64(len(units))
		if told != nil {
			if err := told(lines); err != nil {
				return err
			}
		}
	}
	return nil
}

func line(u store.Unit) []string {
	number := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	return []string{u.At.UTC().Format(time.RFC3339Nano), Cell(u.Project), Cell(u.Source), u.SourceID, Cell(u.CommentID), strconv.Itoa(u.Revision),
		u.Reason, strconv.Itoa(u.Units), hex.EncodeToString(u.BeforeHash), hex.EncodeToString(u.AfterHash),
		Cell(u.Integration), Cell(u.Object), u.Lane, Cell(u.Part), number(u.Stream), number(u.Epoch), number(u.Seq)}
}

// Cell makes a text safe in a spreadsheet, which would take one that begins like a formula for one: an
// apostrophe goes before it. Names and ids of comments are other people's choice.
func Cell(text string) string {
	// Spreadsheets take wide signs for the plain ones.
	if first, _ := utf8.DecodeRuneInString(text); strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + text
	}
	return text
}
