package simforce

import (
	"net/http"
	"slices"
	"strings"
)

// junction is one person of ToIds, CcIds or BccIds of a new e-mail.
type junction struct {
	kind, field string // ToAddress as relation type and as field
	id, address string
}

// junctionLists are the write-only lists of a new EmailMessage and the address
// field that each of them relieves.
var junctionLists = map[string]string{"toids": "ToAddress", "ccids": "CcAddress", "bccids": "BccAddress"}

// junctions takes ToIds, CcIds and BccIds out of the fields of a new e-mail.
func (o *org) junctions(c *change) ([]junction, *apiError) {
	var out []junction
	rest := Row{}
	for name, value := range c.fields {
		field := junctionLists[strings.ToLower(name)]
		if field == "" {
			rest[name] = value
			continue
		}
		list, ok := value.([]any)
		if ids, typed := value.([]string); typed {
			ok = true
			for _, id := range ids {
				list = append(list, id)
			}
		}
		if !ok && value != nil {
			return nil, refuse(http.StatusBadRequest, "JSON_PARSER_ERROR", "Cannot deserialize instance of JunctionIdList from value: %v", value)
		}
		for _, v := range list {
			text, _ := v.(string)
			id, _ := ID18(text)
			r := o.current(id)
			if r == nil || r.deleted() || r.obj.Name != "Contact" && r.obj.Name != "User" {
				return nil, refuse(http.StatusBadRequest, "INVALID_CROSS_REFERENCE_KEY", "%s: no contact or user has the id %v", name, v)
			}
			out = append(out, junction{field, field, id, r.text("Email")})
		}
	}
	if len(out) > 0 {
		c.fields = rest
	}
	slices.SortStableFunc(out, func(a, b junction) int { return strings.Compare(b.kind, a.kind) }) // To, Cc, Bcc
	return out, nil
}

// splitAddresses reads an address list as the platform writes it.
func splitAddresses(s string) []string {
	var out []string
	for _, a := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == ',' }) {
		if a = strings.TrimSpace(a); a != "" {
			out = append(out, a)
		}
	}
	return out
}

// leaveOut takes the people of the lists out of the address fields: these keep
// only addresses that matched nobody.
func (o *org) leaveOut(r *record, people []junction) {
	for _, p := range people {
		i := r.obj.field(p.field)
		text, _ := r.v[i].(string)
		kept := slices.DeleteFunc(splitAddresses(text), func(a string) bool { return strings.EqualFold(a, p.address) })
		r.v[i] = nil
		if len(kept) > 0 {
			r.v[i] = strings.Join(kept, "; ")
		}
	}
}

// relatePeople writes one EmailMessageRelation for each of them.
func (o *org) relatePeople(r *record, people []junction, c change) {
	for _, p := range people {
		fields := Row{"EmailMessageId": r.id(), "RelationId": p.id, "RelationType": p.kind}
		if p.address != "" {
			fields["RelationAddress"] = p.address
		}
		o.must(change{object: "EmailMessageRelation", fields: fields, user: c.user, now: c.now, stamp: c.stamp, system: true})
	}
}

// matched splits recipients into contacts of the org and addresses of strangers.
func (d *delivery) matched(list []string) (ids, rest []string) {
	for _, a := range list {
		if id := d.contacts[strings.ToLower(a)]; d.there(id) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		} else {
			rest = append(rest, a)
		}
	}
	return ids, rest
}
