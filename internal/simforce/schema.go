package simforce

import (
	"slices"
	"strings"
)

// FieldType is a field type as describe spells it.
type FieldType string

// The field types the simulator models. Anything else cannot be declared.
const (
	TypeID        FieldType = "id"
	TypeReference FieldType = "reference"
	TypeBoolean   FieldType = "boolean"
	TypeString    FieldType = "string"
	TypePicklist  FieldType = "picklist"
	TypeCombobox  FieldType = "combobox"
	TypePhone     FieldType = "phone"
	TypeURL       FieldType = "url"
	TypeEmail     FieldType = "email"
	TypeTextarea  FieldType = "textarea"
	TypeDatetime  FieldType = "datetime"
	TypeDate      FieldType = "date"
	TypeDouble    FieldType = "double"
	TypeCurrency  FieldType = "currency"
	TypePercent   FieldType = "percent"
	TypeInt       FieldType = "int"
	// TypeMultipicklist holds values joined by semicolons; INCLUDES is not modelled.
	TypeMultipicklist FieldType = "multipicklist"
	// TypeEncrypted is text that can be neither filtered nor sorted.
	TypeEncrypted FieldType = "encryptedstring"
	// TypeTime is a time of day as 10:15:00.000Z, which conditions cannot name here.
	TypeTime FieldType = "time"
	// TypeAny is what history objects hold their values in: text that can be
	// neither filtered nor sorted.
	TypeAny FieldType = "anyType"
	// TypeAddress is a compound of the fields that name it as their Compound.
	TypeAddress FieldType = "address"
	// TypeBase64 is a file: REST shows its address instead, Bulk refuses it. Its
	// value is base64 text.
	TypeBase64 FieldType = "base64"
)

// longText is the length above which a textarea can neither be filtered nor
// sorted and shrinks the page it is selected in.
const longText = 255

// Field declares one field of an object. The flags describe prints follow from
// the type; only what deviates is stated here.
type Field struct {
	Name   string    `json:"name"`
	Label  string    `json:"label"`
	Type   FieldType `json:"type"`
	Length int       `json:"length,omitempty"`
	// Precision and Scale are the digits of a double; Digits those of an int.
	Precision int `json:"precision,omitempty"`
	Scale     int `json:"scale,omitempty"`
	Digits    int `json:"digits,omitempty"`
	// Values are the active picklist values, Restricted whether others are refused.
	Values     []string `json:"values,omitempty"`
	Restricted bool     `json:"restricted,omitempty"`
	// ReferenceTo lists target objects; more than one makes the field polymorphic.
	ReferenceTo  []string `json:"referenceTo,omitempty"`
	Relationship string   `json:"relationship,omitempty"`
	// Children is the name of the relationship seen from the parent, Cascade
	// whether deleting the parent deletes the row.
	Children string `json:"children,omitempty"`
	Cascade  bool   `json:"cascade,omitempty"`

	Required   bool `json:"required,omitempty"`   // not nillable
	ReadOnly   bool `json:"readOnly,omitempty"`   // neither createable nor updateable
	CreateOnly bool `json:"createOnly,omitempty"` // createable, not updateable
	System     bool `json:"system,omitempty"`     // no field-level security: always visible
	// Absent fields are there for the simulator's own sake: no user sees them.
	Absent     bool `json:"absent,omitempty"`
	NameField  bool `json:"nameField,omitempty"`
	AutoNumber bool `json:"autoNumber,omitempty"`
	NoFilter   bool `json:"noFilter,omitempty"` // sortable yet not filterable, as Case.Comments
	HTML       bool `json:"html,omitempty"`
	IDLookup   bool `json:"idLookup,omitempty"`
	// Compound is the address a field is part of.
	Compound string `json:"compound,omitempty"`
	// Default is the value of a row created without one.
	Default any `json:"default,omitempty"`
	// Formula is a parent path whose value the field always shows. Like every
	// formula it changes without a new stamp.
	Formula string `json:"formula,omitempty"`
}

func (f *Field) custom() bool { return strings.HasSuffix(f.Name, "__c") }

func (f *Field) long() bool { return f.Type == TypeTextarea && f.Length > longText && !f.NoFilter }

func (f *Field) polymorphic() bool { return len(f.ReferenceTo) > 1 }

func (f *Field) filterable() bool {
	return !f.long() && !f.NoFilter && !f.opaque()
}

// opaque values can be neither filtered, sorted, grouped nor summed up.
func (f *Field) opaque() bool {
	return f.Type == TypeAny || f.Type == TypeBase64 || f.Type == TypeEncrypted
}

// number reports whether values are numbers with a fraction.
func (f *Field) number() bool {
	return f.Type == TypeDouble || f.Type == TypeCurrency || f.Type == TypePercent
}

func (f *Field) sortable() bool {
	return !f.long() && !f.opaque() && f.Type != TypeAddress && f.Type != TypeMultipicklist
}

func (f *Field) groupable() bool {
	switch f.Type {
	case TypeDatetime, TypeTime, TypeCombobox, TypeMultipicklist, TypeAddress:
		return false
	}
	return !f.long() && !f.opaque() && !f.number() && !f.AutoNumber && !f.NoFilter
}

func (f *Field) aggregatable() bool {
	return f.Type != TypeBoolean && f.Type != TypeAddress && !f.opaque() && !f.long() && !f.NoFilter
}

func (f *Field) createable() bool { return !f.ReadOnly && f.Formula == "" && f.Type != TypeAddress }

func (f *Field) updateable() bool { return f.createable() && !f.CreateOnly }

// text reports whether values are strings to the query language.
func (f *Field) text() bool {
	switch f.Type {
	case TypeString, TypePicklist, TypeCombobox, TypePhone, TypeURL, TypeEmail, TypeTextarea, TypeAny, TypeMultipicklist, TypeEncrypted:
		return true
	}
	return false
}

// Object declares one object with its fields. Field order is the order of
// describe; a field's place never changes, new ones are appended.
type Object struct {
	Name      string   `json:"name"`
	Label     string   `json:"label"`
	Plural    string   `json:"plural"`
	KeyPrefix string   `json:"keyPrefix"`
	Fields    []*Field `json:"fields"`
	// ReadOnly objects refuse writes through the API; NoReplication ones have no
	// updated and deleted lists; rows of NoUndelete ones vanish when they are
	// deleted, because the object has no recycle bin.
	ReadOnly      bool `json:"readOnly,omitempty"`
	NoReplication bool `json:"noReplication,omitempty"`
	NoUndelete    bool `json:"noUndelete,omitempty"`
	// NoStamp objects lack SystemModstamp, NoModified ones LastModifiedDate and
	// LastModifiedById, NoCreated ones CreatedDate and CreatedById.
	NoStamp    bool `json:"noStamp,omitempty"`
	NoModified bool `json:"noModified,omitempty"`
	NoCreated  bool `json:"noCreated,omitempty"`
	// NoBulk objects cannot be queried in bulk.
	NoBulk bool `json:"noBulk,omitempty"`
	// NoWhole objects answer a user without View All Data only if the query filters by Id.
	NoWhole bool `json:"noWhole,omitempty"`

	lower  string // the name
	byName map[string]int
	byRel  map[string]int
	// Places of the audit fields, -1 for those the object lacks.
	created, createdBy, modified, modifiedBy, stamp int
	// clock is the place of the date the stamp index follows: SystemModstamp,
	// else LastModifiedDate, else CreatedDate, else -1.
	clock int
	// archived is the place of IsArchived on activities, else -1.
	archived int
}

// Places of the two fields that stand first in every object.
const (
	placeID      = 0
	placeDeleted = 1
)

// prepare fills the lookup maps; it must be called after every change of Fields.
func (o *Object) prepare() {
	o.lower = strings.ToLower(o.Name)
	o.byName = make(map[string]int, len(o.Fields))
	o.byRel = make(map[string]int)
	for i, f := range o.Fields {
		o.byName[strings.ToLower(f.Name)] = i
		if f.Relationship != "" {
			o.byRel[strings.ToLower(f.Relationship)] = i
		}
	}
	o.created, o.createdBy = o.field("CreatedDate"), o.field("CreatedById")
	o.modified, o.modifiedBy = o.field("LastModifiedDate"), o.field("LastModifiedById")
	o.stamp = o.field("SystemModstamp")
	o.clock = o.created
	for _, place := range []int{o.modified, o.stamp} {
		if place >= 0 {
			o.clock = place
		}
	}
	o.archived = -1
	if o.Name == "Task" || o.Name == "Event" {
		o.archived = o.field("IsArchived")
	}
}

// withoutBin hides IsDeleted, which objects without a recycle bin of any kind
// do not have.
func (o *Object) withoutBin() *Object {
	o.Fields[placeDeleted].Absent = true
	return o
}

func (o *Object) custom() bool { return strings.HasSuffix(o.Name, "__c") }

// field finds a field by name in any case, or -1.
func (o *Object) field(name string) int {
	if i, ok := o.byName[strings.ToLower(name)]; ok {
		return i
	}
	return -1
}

// relation finds the reference field behind a relationship name, or -1.
func (o *Object) relation(name string) int {
	if i, ok := o.byRel[strings.ToLower(name)]; ok {
		return i
	}
	return -1
}

// nameField is the field that Name-object paths such as Owner.Name show.
func (o *Object) nameField() int {
	return slices.IndexFunc(o.Fields, func(f *Field) bool { return f.NameField })
}

// audited drops the audit fields the object says it lacks.
func (o *Object) audited() *Object {
	lacks := map[string]bool{
		"SystemModstamp": o.NoStamp, "LastModifiedDate": o.NoModified, "LastModifiedById": o.NoModified,
		"CreatedDate": o.NoCreated, "CreatedById": o.NoCreated,
	}
	o.Fields = slices.DeleteFunc(o.Fields, func(f *Field) bool { return lacks[f.Name] })
	o.prepare()
	return o
}

// follows tells that access to a row is access to the row f points to, as for
// the mails of a case. Activities and contacts have access of their own.
func (o *Object) follows(f *Field) bool {
	return f.Cascade && o.Name != "Task" && o.Name != "Event" && o.Name != "Contact"
}

func (o *Object) clone() *Object {
	c := *o
	c.Fields = make([]*Field, len(o.Fields))
	for i, f := range o.Fields {
		g := *f
		c.Fields[i] = &g
	}
	c.prepare()
	return &c
}
