package salesforce

import "strings"

// Object is what describe says of an object to the integration user: fields hidden
// from that user are absent. The JSON names are Salesforce's (REST API guide,
// "sObject Describe").
type Object struct {
	Name               string              `json:"name"`
	Label              string              `json:"label"`
	KeyPrefix          string              `json:"keyPrefix"` // first three characters of its ids; may be empty
	Custom             bool                `json:"custom"`
	Queryable          bool                `json:"queryable"`
	Replicateable      bool                `json:"replicateable"` // getUpdated and getDeleted work
	Retrieveable       bool                `json:"retrieveable"`
	Undeletable        bool                `json:"undeletable"` // deleted rows pass through the recycle bin
	Fields             []Field             `json:"fields"`
	ChildRelationships []ChildRelationship `json:"childRelationships"`

	LastModified string `json:"-"` // of the describe result, for DescribeIfModified
}

// Field is what describe says of a field.
type Field struct {
	Name                  string    `json:"name"`
	Label                 string    `json:"label"`
	Type                  FieldType `json:"type"`
	Length                int       `json:"length"` // characters, 0 for types that have none
	Custom                bool      `json:"custom"`
	Filterable            bool      `json:"filterable"`
	Sortable              bool      `json:"sortable"`
	Nillable              bool      `json:"nillable"`
	Calculated            bool      `json:"calculated"`     // a formula: its changes do not move SystemModstamp
	Permissionable        bool      `json:"permissionable"` // false: visible to everybody who reads the object
	NameField             bool      `json:"nameField"`
	HTMLFormatted         bool      `json:"htmlFormatted"`
	CompoundFieldName     string    `json:"compoundFieldName"`
	ReferenceTo           []string  `json:"referenceTo"`
	RelationshipName      string    `json:"relationshipName"` // "" when no path leads through it
	PolymorphicForeignKey bool      `json:"polymorphicForeignKey"`
	ExtraTypeInfo         string    `json:"extraTypeInfo"` // "plaintextarea", "richtextarea" …
}

// ChildRelationship is a lookup of another object to this one.
type ChildRelationship struct {
	ChildSObject     string `json:"childSObject"`
	Field            string `json:"field"`
	RelationshipName string `json:"relationshipName"`
	CascadeDelete    bool   `json:"cascadeDelete"`
}

// Field finds a field by name, in any case of letters.
func (o Object) Field(name string) (Field, bool) {
	for _, f := range o.Fields {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return Field{}, false
}

// Relation finds the lookup field that a path follows by relationship name, in any
// case of letters: "Parent" finds ParentId.
func (o Object) Relation(name string) (Field, bool) {
	for _, f := range o.Fields {
		if f.RelationshipName != "" && strings.EqualFold(f.RelationshipName, name) {
			return f, true
		}
	}
	return Field{}, false
}
