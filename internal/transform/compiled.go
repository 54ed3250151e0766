package transform

import (
	"encoding/json"
	"time"

	"salesforcesync/internal/csv"
	"salesforcesync/internal/salesforce"
)

type Compiled struct {
	r       Recipe
	columns *salesforce.Columns
}
type Identity struct {
	ID                       string
	Stamp                    time.Time
	RecordDigest, TextDigest []byte
	Deleted                  bool
}

func (r Recipe) Compile(header []string) (*Compiled, error) {
	columns, err := salesforce.NewColumns(header, r.Types)
	return &Compiled{r, columns}, err
}

func (c *Compiled) read(row csv.Row) (Reading, error) {
	rec, err := c.columns.Record(row)
	if err != nil {
		return Reading{}, err
	}
	x := Reading{rec: rec}
	x.row.RecordID, x.row.Stamp = rec.ID, c.r.stampOf(rec)
	if i, ok := c.columns.Extra(PathRecipients); ok && len(row.Bytes(i)) > 0 {
		if err := json.Unmarshal(row.Bytes(i), &x.recipients); err != nil {
			return x, err
		}
	}
	paths := c.r.Mapping.Paths()
	x.row.RecordDigest, x.row.TextDigest = c.r.digest(rec, paths, x.recipients), c.r.textDigest(rec)
	if d, _ := rec.Bool(PathDeleted); d {
		x.row.Deleted, x.done = true, true
		return x, nil
	}
	for _, p := range paths {
		if !rec.Has(p) {
			x.Missing = append(x.Missing, p)
		}
	}
	return x, nil
}
func (c *Compiled) Identity(row csv.Row) (Identity, error) {
	x, err := c.read(row)
	return Identity{x.row.RecordID, x.row.Stamp, x.row.RecordDigest, x.row.TextDigest, x.row.Deleted}, err
}
