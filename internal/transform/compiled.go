package transform

import (
	"encoding/json"
	"time"

	"salesforcesync/internal/csv"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
)

// Compiled is a recipe made ready for the rows of one CSV text. It is for one goroutine at a time.
type Compiled struct {
	reader     *Reader
	header     []string
	columns    *salesforce.Columns
	recipients int // the column of [PathRecipients]; -1 when there is none
}

// Compile makes the recipe ready for rows under the header. Columns that the recipe does not
// know are left alone; paths without a column are missing from the records, as in JSON. The Id
// must have one.
func (r Recipe) Compile(header []string) (*Compiled, error) { return r.Reader().Columns(header) }

// Columns is [Recipe.Compile] for a reader that is there already.
func (r *Reader) Columns(header []string) (*Compiled, error) {
	columns, err := salesforce.NewColumns(header, r.recipe.Types)
	if err != nil {
		return nil, err
	}
	c := &Compiled{reader: r, header: header, columns: columns, recipients: -1}
	if i, ok := columns.Extra(PathRecipients); ok {
		c.recipients = i
	}
	return c, nil
}

// Read is [Reader.Read] for a row: it gives the same for the same record.
func (c *Compiled) Read(row csv.Row) (Reading, error) {
	read := func(types Types) (salesforce.Record, error) {
		columns, err := salesforce.NewColumns(c.header, types)
		if err != nil {
			return salesforce.Record{}, err
		}
		return columns.Record(row)
	}
	rec, err := c.columns.Record(row)
	if err != nil {
		return c.reader.unreadable(row.Raw(), read, err)
	}
	var recipients Recipients
	if c.recipients >= 0 {
		if cell := row.Bytes(c.recipients); len(cell) > 0 {
			if err := json.Unmarshal(cell, &recipients); err != nil {
				return Reading{}, fault.Wrap(fault.Internal, err, "read the recipients of %s", rec.ID)
			}
		}
	}
	return c.reader.reading(row.Raw(), read, rec, recipients)
}

// Row is [Recipe.Row] for a row of CSV.
func (c *Compiled) Row(row csv.Row) (store.StagedRow, error) {
	x, err := c.Read(row)
	if err != nil {
		return x.row, err
	}
	return c.reader.Finish(x, nil), nil
}

// Identity is what tells a record's versions apart.
type Identity struct {
	ID                       string
	Stamp                    time.Time
	RecordDigest, TextDigest []byte
	Deleted                  bool
	Reason                   string // the row cannot be read, and becomes a record that is set aside
}

// Identity reads a row without making a comment of it: what [Compiled.Row] gives under
// the same names.
func (c *Compiled) Identity(row csv.Row) (Identity, error) {
	x, err := c.Read(row)
	return Identity{x.row.RecordID, x.row.Stamp, x.row.RecordDigest, x.row.TextDigest, x.row.Deleted, x.row.Reason}, err
}
