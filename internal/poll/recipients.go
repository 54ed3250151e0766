package poll

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// Of a mail that was sent from Salesforce to contacts or users, the address fields keep
// only the other recipients; these are in EmailMessageRelation (object reference, "EmailMessage",
// "EmailMessageRelation"). Fields and values as they are spelled there.
const (
	relationObject  = "EmailMessageRelation"
	relationMail    = "EmailMessageId"
	relationType    = "RelationType"
	relationAddress = "RelationAddress"
	mailIncoming    = "Incoming"
)

// Recipients says that mails are read with their relations, of these types.
type Recipients struct {
	Types []string `json:"types"` // spelled like the address fields that they complete
	// Hidden says that the relations were visible before and are not now: what they gave stays.
	Hidden bool `json:"hidden,omitempty"`
}

// recipients lets the preset read the relations of mails, where the integration user sees
// them: for each address field that the preset itself reads. Relations have a stamp of their own
// and do not move their mail's, so that they are followed like a parent, the other way round.
func (c *compiler) recipients(m *transform.Mapping, own config.FieldMap) error {
	var types []string
	for _, part := range []struct{ name, path, typ string }{
		{"to", m.To, "ToAddress"}, {"cc", m.Cc, "CcAddress"}, {"bcc", m.Bcc, "BccAddress"},
	} {
		if _, set := own[part.name]; !set && part.path != "" && !c.hidden(part.path) {
			types = append(types, part.typ)
		}
	}
	if len(types) == 0 {
		return nil
	}
	relation, err := c.describe(relationObject)
	if err != nil && !fault.Is(err, fault.Config) {
		return err
	}
	mail, filterable := relation.Field(relationMail)
	stamp, stamped := chooseStamp(relation, parentFields)
	complete := err == nil && relation.Queryable && filterable && mail.Filterable && stamped
	for _, name := range []string{relationType, relationAddress} {
		_, ok := relation.Field(name)
		complete = complete && ok
	}
	incoming, err := c.path(mailIncoming)
	if err != nil && !fault.Is(err, fault.Config) {
		return err
	}
	if !complete || incoming == "" || c.hidden(incoming) {
		c.leave(relationObject)
		c.plan.note("recipients that Salesforce knows as contacts or users are missing from mails sent by it, because %s is not visible", relationObject)
		if c.before != nil && c.before.Recipients != nil {
			c.plan.Recipients = &Recipients{Types: c.before.Recipients.Types, Hidden: true}
		}
		return nil
	}
	c.plan.Recipients = &Recipients{Types: types}
	c.plan.Dependencies = append(c.plan.Dependencies, Dependency{Path: relationObject, Parent: relationObject, Stamp: stamp.Name, Back: relationMail})
	return nil
}

// hidden reports whether a path of the mapping is not selected.
func (c *compiler) hidden(path string) bool {
	_, frozen := c.plan.frozen(path)
	return frozen || slices.Contains(c.plan.Left, path)
}

// withRecipients attaches their relations to the rows of mails that can have some: those
// that were sent from Salesforce. The others come as they are. It is all that reading mails by another
// way, page by page, has to add.
func (r *reading) withRecipients(ctx context.Context, rows []json.RawMessage) ([]json.RawMessage, error) {
	if r.plan.Recipients == nil {
		return rows, nil
	}
	var ids []string
	sent := make(map[string]int, len(rows))
	for i, row := range rows {
		rec, err := salesforce.Decode(row, salesforce.Fields{mailIncoming: salesforce.TypeBoolean, transform.PathDeleted: salesforce.TypeBoolean})
		if err != nil {
			continue // Transform says what is wrong with it
		}
		incoming, ok := rec.Bool(mailIncoming)
		deleted, _ := rec.Bool(transform.PathDeleted)
		if ok && !incoming && !deleted {
			ids = append(ids, rec.ID)
			sent[rec.ID] = i
		}
	}
	if len(ids) == 0 {
		return rows, nil
	}
	rows = slices.Clone(rows)
	if r.plan.Recipients.Hidden {
		return rows, r.withoutRecipients(ctx, rows, sent)
	}
	found, err := r.relations(ctx, ids)
	if err != nil {
		return nil, err
	}
	for id, recipients := range found {
		if rows[sent[id]], err = recipients.Attach(rows[sent[id]]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// withoutRecipients takes the address fields out of the rows of mails that the store has,
// while the relations are hidden: what is missing keeps its last value. sent are the
// places of the rows that can have relations.
func (r *reading) withoutRecipients(ctx context.Context, rows []json.RawMessage, sent map[string]int) error {
	known, err := r.service.Store.StoredRecords(ctx, r.target.IntegrationID, r.target.SourceID, r.object.Name, slices.Collect(maps.Keys(sent)))
	if err != nil {
		return err
	}
	for id, stored := range known {
		if stored.State == store.RecordErased {
			continue // it comes back with nothing to keep
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(rows[sent[id]], &fields); err != nil {
			return fault.Wrap(fault.Transient, err, "query %s: read a row", r.plan.Object)
		}
		for _, field := range r.plan.Recipients.Types {
			delete(fields, field)
		}
		if rows[sent[id]], err = json.Marshal(fields); err != nil {
			return fault.Wrap(fault.Internal, err, "write a row")
		}
	}
	return nil
}

// relations reads the relations of mails, in the order in which they were made.
func (r *reading) relations(ctx context.Context, mails []string) (map[string]transform.Recipients, error) {
	out := map[string]transform.Recipients{}
	type part struct {
		mails []string
		last  string // the relation up to which it was read
	}
	var parts []part
	for p := range slices.Chunk(mails, recheckIDs) {
		parts = append(parts, part{mails: p})
	}
	for len(parts) > 0 { // as many in one call as fit in; a part with more pages asks again
		asks := make([]salesforce.Ask, len(parts))
		for i, p := range parts {
			q, err := soql.Select{Fields: []string{transform.PathID, relationMail, relationType, relationAddress}, From: relationObject,
				Where:   soql.AllOf(soql.OneOf(relationMail, p.mails...), soql.OneOf(relationType, r.plan.Recipients.Types...), afterID(p.last)),
				OrderBy: byID, Limit: pageRows}.Build()
			if err != nil {
				return nil, fault.Wrap(fault.Internal, err, "build the query of %s", relationObject)
			}
			asks[i] = salesforce.Subquery{SOQL: q}
		}
		answers, err := r.answers(ctx, asks)
		if err != nil {
			return nil, err
		}
		var rest []part
		for i, a := range answers {
			if half := len(parts[i].mails) / 2; half > 0 && salesforce.TooBroad(a.Err) {
				rest = append(rest, part{parts[i].mails[:half], parts[i].last}, part{parts[i].mails[half:], parts[i].last})
				continue
			}
			if a.Err != nil {
				return nil, a.Err
			}
			last, err := gather(out, a.Page.Rows)
			if err != nil {
				return nil, err
			}
			if last != "" && (!a.Page.Done || a.Page.TotalSize >= pageRows) {
				rest = append(rest, part{parts[i].mails, last})
			}
		}
		parts = rest
	}
	return out, nil
}

// gather adds relations to the recipients of their mails and returns the last one's Id.
func gather(out map[string]transform.Recipients, rows []json.RawMessage) (last string, err error) {
	fields := salesforce.Fields{relationMail: salesforce.TypeReference, relationType: salesforce.TypePicklist, relationAddress: salesforce.TypeString}
	for _, row := range rows {
		rec, err := salesforce.Decode(row, fields)
		if err != nil {
			return "", fault.Wrap(fault.Transient, err, "query %s: read a row", relationObject)
		}
		last = rec.ID
		id, _ := rec.Text(relationMail)
		address, ok := rec.Text(relationAddress)
		if id = salesforce.To18(id); id == "" || !ok {
			continue
		}
		typ, _ := rec.Text(relationType)
		have := out[id]
		switch typ {
		case "ToAddress":
			have.To = append(have.To, address)
		case "CcAddress":
			have.Cc = append(have.Cc, address)
		case "BccAddress":
			have.Bcc = append(have.Bcc, address)
		}
		out[id] = have
	}
	return last, nil
}

// behind notes the mails of changed relations to be read again.
func (r *reading) behind(ctx context.Context, d Dependency, relations []string) error {
	q, err := soql.Select{Fields: []string{transform.PathID, d.Back}, From: d.Parent,
		Where: soql.OneOf(transform.PathID, relations...), OrderBy: byID, Limit: pageRows}.Build()
	if err != nil {
		return fault.Wrap(fault.Internal, err, "build the query of %s", d.Parent)
	}
	page, err := r.ask(ctx, q)
	if err != nil {
		return err
	}
	var records []string
	for _, row := range page.Rows {
		rec, err := salesforce.Decode(row, salesforce.Fields{d.Back: salesforce.TypeReference})
		if err != nil {
			return fault.Wrap(fault.Transient, err, "query %s: read a row", d.Parent)
		}
		if id, ok := rec.Text(d.Back); ok && salesforce.ValidID(id) {
			records = append(records, salesforce.To18(id))
		}
	}
	return r.service.Store.AddRechecks(ctx, r.target.IntegrationID, r.object.Name, "parent", records)
}
