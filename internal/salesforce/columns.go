package salesforce

import (
	"salesforcesync/internal/csv"
	"salesforcesync/internal/fault"
)

// Columns reads records out of the rows of one CSV text. It is for one goroutine at a time.
type Columns struct {
	shape  *Shape
	id     int // the column of the Id
	at     []int
	header map[string]int
	b      builder
}

// NewColumns makes ready to read rows under the header. Columns that f does not name are left
// alone, and so are names of f without a column: they are missing from the records. The Id is
// read in any case, so a text without it is refused.
func NewColumns(header []string, f Fields) (*Columns, error) {
	c := &Columns{shape: f.Shape(), header: make(map[string]int, len(header))}
	for i, name := range header {
		if _, twice := c.header[name]; twice {
			return nil, fault.New(fault.Transient, "the header has the column %s twice", excerpt(name))
		}
		c.header[name] = i
	}
	var there bool
	if c.id, there = c.header["Id"]; !there {
		return nil, fault.New(fault.Transient, "the header has no column Id")
	}
	c.at = make([]int, len(c.shape.paths))
	for i, path := range c.shape.paths {
		if c.at[i], there = c.header[path]; !there {
			c.at[i] = -1
		}
	}
	return c, nil
}

// Extra finds a column by its name, whether or not it is one of the fields: for what is no
// field of the record and was put into its row.
func (c *Columns) Extra(name string) (index int, ok bool) {
	index, ok = c.header[name]
	return index, ok
}

// Record reads a row, with the same results as [Decode] for the same record.
func (c *Columns) Record(row csv.Row) (Record, error) {
	c.b.begin(c.shape)
	for i, at := range c.at {
		if at >= 0 {
			c.b.put(i, row.Bytes(at))
		}
	}
	return c.b.record(string(row.Bytes(c.id)))
}
