package salesforce

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/soql"
)

// Updated is what changed in a window, by the platform's own account.
type Updated struct {
	IDs []string // 18 characters
	// Covered is how far the account is complete: a transaction that is still open
	// holds it back to its own start.
	Covered time.Time
}

// Deleted is what was deleted in a window, by the platform's own account.
type Deleted struct {
	Records  []DeletedRecord
	Covered  time.Time // see Updated.Covered
	Earliest time.Time // nothing is known before this
}

// DeletedRecord is one deleted row.
type DeletedRecord struct {
	ID string
	At time.Time
}

// Updated lists the ids created or changed in a window. Salesforce looks at whole
// minutes, at most 30 days back, and only at replicateable objects.
func (c *Client) Updated(ctx context.Context, object string, from, to time.Time) (Updated, error) {
	var got updatedBody
	r, err := c.replication("updated", object, from, to)
	if err != nil {
		return Updated{}, err
	}
	if err := c.getJSON(ctx, r, '{', &got); err != nil {
		return Updated{}, err
	}
	return got.updated(r.op)
}

type updatedBody struct {
	IDs     []string `json:"ids"`
	Covered stamp    `json:"latestDateCovered"`
}

func (got updatedBody) updated(op string) (Updated, error) {
	for i, id := range got.IDs {
		if got.IDs[i] = To18(id); got.IDs[i] == "" {
			return Updated{}, fault.New(fault.Transient, "%s: the answer holds the id %s, which is none", op, excerpt(id))
		}
	}
	return Updated{got.IDs, time.Time(got.Covered)}, nil
}

// Deleted lists the ids deleted in a window, with the bounds of [Client.Updated] and
// about 15 days of memory.
func (c *Client) Deleted(ctx context.Context, object string, from, to time.Time) (Deleted, error) {
	var got deletedBody
	r, err := c.replication("deleted", object, from, to)
	if err != nil {
		return Deleted{}, err
	}
	if err := c.getJSON(ctx, r, '{', &got); err != nil {
		return Deleted{}, err
	}
	return got.deleted(r.op)
}

type deletedBody struct {
	Records []struct {
		ID string `json:"id"`
		At stamp  `json:"deletedDate"`
	} `json:"deletedRecords"`
	Covered  stamp `json:"latestDateCovered"`
	Earliest stamp `json:"earliestDateAvailable"`
}

func (got deletedBody) deleted(op string) (Deleted, error) {
	d := Deleted{Covered: time.Time(got.Covered), Earliest: time.Time(got.Earliest)}
	for _, row := range got.Records {
		id := To18(row.ID)
		if id == "" {
			return Deleted{}, fault.New(fault.Transient, "%s: the answer holds the id %s, which is none", op, excerpt(row.ID))
		}
		d.Records = append(d.Records, DeletedRecord{id, time.Time(row.At)})
	}
	return d, nil
}

func (c *Client) replication(what, object string, from, to time.Time) (request, error) {
	if err := soql.CheckName(object); err != nil {
		return request{}, fault.Wrap(fault.Config, err, "list %s records", what)
	}
	const layout = "2006-01-02T15:04:05-07:00"
	window := url.Values{"start": {from.UTC().Format(layout)}, "end": {to.UTC().Format(layout)}}
	return request{op: "list " + what + " " + object, kind: what,
		path: c.dataPath("/sobjects/" + object + "/" + what + "/?" + window.Encode())}, nil
}

// stamp reads the datetimes of answers; null is the zero time.
type stamp time.Time

func (s *stamp) UnmarshalJSON(raw []byte) error {
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil || text == nil {
		return err
	}
	t, err := parseDateTime(*text)
	if err != nil {
		return fmt.Errorf("read the answer: %s is not a datetime", excerpt(*text))
	}
	*s = stamp(t)
	return nil
}
