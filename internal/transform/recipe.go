package transform

import (
	"time"

	"salesforcesync/internal/store"
)

// Paths that every query selects besides those of the mapping.
const (
	PathID      = "Id"
	PathDeleted = "IsDeleted"
)

// PathVerdict is set in a staged line that is no record of Salesforce but what reading
// one by Id proved: "deleted", "filtered" or "invisible". No field of Salesforce can have
// this name.
const PathVerdict = "_verdict"

// NoStamp dates the records of objects that have no stamp, and those whose stamp is
// empty: of two such versions the one that was read later counts.
var NoStamp = time.Unix(0, 0).UTC()

// Recipe is what is needed to read the records of one object and to make comments
// of them. It is stored with the object (in its plan) as JSON.
type Recipe struct {
	Stamp   string  `json:"stamp"` // the path of the cursor, e.g. SystemModstamp; "" when the object has none
	Types   Types   `json:"types"` // of every selected path
	Mapping Mapping `json:"mapping"`
}

// Row makes the staged row of one record as Salesforce gave it in JSON. The record's Id must
// be there; anything else that is wrong becomes the row's reason. It is for a record of which
// nothing is stored. For many records: [Recipe.Reader].
func (r Recipe) Row(raw []byte) (store.StagedRow, error) { return r.Reader().Row(raw) }

// Identity is what tells a record's versions apart without making a comment of it: what
// [Recipe.Row] gives as RecordID, RecordDigest and Deleted.
func (r Recipe) Identity(raw []byte) (id string, digest []byte, deleted bool, err error) {
	x, err := r.Reader().Read(raw)
	return x.row.RecordID, x.row.RecordDigest, x.row.Deleted, err
}
