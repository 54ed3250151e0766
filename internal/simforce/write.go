package simforce

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// change is one write to an org. The caller holds the data lock.
type change struct {
	object string
	id     string // of the row to change; empty creates
	fields Row
	user   string
	now    time.Time
	// stamp, when set, becomes SystemModstamp instead of now: the row then shows
	// up behind readers' watermarks, as one whose transaction committed late.
	stamp time.Time
	// system writes may set read-only fields.
	system bool
	// quiet leaves LastModifiedDate alone, as the platform's own jobs do; still
	// leaves SystemModstamp alone too.
	quiet, still bool
}

// apply carries out a create or update.
func (o *org) apply(c change) (*record, *apiError) {
	t := o.table(c.object)
	if t == nil {
		return nil, errNotFound()
	}
	obj := t.obj
	creating := c.id == ""
	var r, old *record
	if creating {
		r = &record{obj: obj, v: make([]any, len(obj.Fields))}
		for i, f := range obj.Fields {
			r.v[i] = f.Default
		}
	} else {
		id, ok := ID18(c.id)
		if ok {
			old = o.current(id)
		}
		if old == nil || old.obj != obj {
			return nil, errNotFound()
		}
		if old.deleted() {
			return nil, refuse(http.StatusNotFound, "ENTITY_IS_DELETED", "entity is deleted")
		}
		if e := o.unlocked(id); e != nil {
			return nil, e
		}
		r = old.with()
	}
	var people []junction
	if creating && obj.Name == "EmailMessage" {
		var e *apiError
		if people, e = o.junctions(&c); e != nil {
			return nil, e
		}
	}
	if err := o.assign(r, c, creating); err != nil {
		return nil, err
	}
	now := c.now.UTC().Truncate(time.Second)
	stamp := now
	if !c.stamp.IsZero() {
		stamp = c.stamp.UTC().Truncate(time.Second)
	}
	if creating {
		o.fill(r, c, stamp)
		if err := missing(r); err != nil {
			return nil, err
		}
	}
	if _, given := c.fields["LastModifiedDate"]; obj.modified >= 0 && !given && (creating || !c.quiet && !c.still) {
		r.v[obj.modified] = stamp
		r.v[obj.modifiedBy] = c.user
	}
	if _, given := c.fields["SystemModstamp"]; obj.stamp >= 0 && !given && (creating || !c.still) {
		r.v[obj.stamp] = stamp
	}
	o.derive(r, stamp)
	o.leaveOut(r, people)
	o.put(r)
	o.relatePeople(r, people, c)
	if creating && obj.Name == "User" && o.into == nil && o.permitted {
		o.permit(c.now)
	}
	if !creating && obj.Name == "Case" && !c.quiet && !c.still {
		o.trackCase(old, r, c)
	}
	return r, nil
}

// trackCase writes one CaseHistory row for each tracked field that changed.
func (o *org) trackCase(old, r *record, c change) {
	for _, name := range historyFields {
		field, kind := name, "Text"
		if name == "Owner" {
			field, kind = "OwnerId", "EntityId"
		}
		if was, is := old.text(field), r.text(field); was != is {
			o.must(change{object: "CaseHistory", user: c.user, now: c.now, stamp: c.stamp, system: true, fields: Row{
				"CaseId": r.id(), "Field": name, "DataType": kind, "OldValue": was, "NewValue": is,
			}})
		}
	}
}

// assign checks the given values and sets them.
func (o *org) assign(r *record, c change, creating bool) *apiError {
	obj := r.obj
	for name, value := range c.fields {
		if strings.EqualFold(name, "attributes") {
			continue
		}
		i := obj.field(name)
		if i < 0 {
			return refuse(http.StatusBadRequest, "INVALID_FIELD", "No such column '%s' on sobject of type %s", name, obj.Name)
		}
		f := obj.Fields[i]
		if !c.system && (creating && !f.createable() || !creating && !f.updateable()) {
			e := refuse(http.StatusBadRequest, "INVALID_FIELD_FOR_INSERT_UPDATE",
				"Unable to create/update fields: %s. Please check the security settings of this field and verify that it is read/write for your profile or permission set.", f.Name)
			e.fields = []string{f.Name}
			return e
		}
		v, err := convert(f, value)
		if err != nil {
			return refuse(http.StatusBadRequest, "JSON_PARSER_ERROR", "Cannot deserialize instance of %s from value: %s", f.Type, err)
		}
		if s, ok := v.(string); ok {
			if e := o.checkText(obj, f, s); e != nil {
				return e
			}
		}
		r.v[i] = v
	}
	return nil
}

func (o *org) checkText(obj *Object, f *Field, s string) *apiError {
	fail := func(code, format string, args ...any) *apiError {
		e := refuse(http.StatusBadRequest, code, format, args...)
		e.fields = []string{f.Name}
		return e
	}
	switch {
	case f.Type == TypeReference:
		if target := o.byPrefix[s[:3]]; target == nil || !slices.Contains(f.ReferenceTo, target.obj.Name) {
			return fail("FIELD_INTEGRITY_EXCEPTION", "%s: id value of incorrect type: %s", f.Label, s)
		}
	case f.Type == TypeID, f.Type == TypeBase64, f.Type == TypeTime:
	case len(s) > f.Length && utf8.RuneCountInString(s) > f.Length:
		return fail("STRING_TOO_LONG", "%s: data value too large: %s (max length=%d)", f.Label, cut(s, 60), f.Length)
	case f.Restricted && !slices.Contains(f.Values, s):
		return fail("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "%s: bad value for restricted picklist field: %s", f.Label, s)
	}
	return nil
}

// fill sets what a new row gets by itself.
func (o *org) fill(r *record, c change, stamp time.Time) {
	obj := r.obj
	set := func(name string, v any) {
		if i := obj.field(name); i >= 0 && r.v[i] == nil {
			r.v[i] = v
		}
	}
	if r.v[placeID] == nil {
		r.v[placeID] = o.newID(obj)
	}
	r.v[placeDeleted] = false
	set("CreatedDate", stamp)
	set("CreatedById", c.user)
	set("OwnerId", c.user)
	set("InsertedById", c.user)
	for _, f := range obj.Fields {
		if !f.AutoNumber {
			continue
		}
		if obj.Name == "Case" {
			set(f.Name, fmt.Sprintf("%08d", 1000+o.next(obj.Name+"#")))
		} else {
			set(f.Name, fmt.Sprintf("%s-%05d", strings.ToUpper(obj.Name[:1]), o.next(obj.Name+"#")))
		}
	}
	if obj.Name == "EmailMessage" {
		set("MessageDate", stamp)
	}
}

// missing names the required fields a new row lacks.
func missing(r *record) *apiError {
	var names []string
	for i, f := range r.obj.Fields {
		if f.Required && f.createable() && r.v[i] == nil {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	e := refuse(http.StatusBadRequest, "REQUIRED_FIELD_MISSING", "Required fields are missing: [%s]", strings.Join(names, ", "))
	e.fields = names
	return e
}

// derive keeps the fields that follow from others of the same row.
func (o *org) derive(r *record, stamp time.Time) {
	obj := r.obj
	switch obj.Name {
	case "User", "Contact":
		name := strings.TrimSpace(r.text("FirstName") + " " + r.text("LastName"))
		r.v[obj.field("Name")] = name
	case "Case":
		closed, at := obj.field("IsClosed"), obj.field("ClosedDate")
		is := r.text("Status") == "Closed"
		if was, _ := r.v[closed].(bool); is && !was {
			r.v[at] = stamp
		}
		if !is {
			r.v[at] = nil
		}
		r.v[closed] = is
	case "Attachment":
		text, _ := r.get(obj.field("Body")).(string)
		r.v[obj.field("BodyLength")] = int64(base64.StdEncoding.DecodedLen(len(text)) - strings.Count(text, "="))
	case "EmailMessageRelation":
		if id := r.text("RelationId"); id != "" {
			if target := o.byPrefix[id[:3]]; target != nil {
				r.v[obj.field("RelationObjectType")] = target.obj.Name
			}
		}
	}
}
