package salesforce

import (
	"strings"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/soql"
)

// Relation is one step of a path: from a lookup field to the objects it points to.
type Relation struct {
	Name    string   // "Parent"
	IDField string   // "ParentId"
	Objects []string // "Case"; more than one for a polymorphic lookup
}

// Path is a field path found in describes, in Salesforce's spelling.
type Path struct {
	Text      string     // "Parent.Account.Name"
	Object    string     // that has the field: "Account"; "Name" behind a polymorphic lookup
	Field     Field      // the last field
	Relations []Relation // outermost first; empty for a field of the object itself
}

// DescribeFunc returns what describe says of an object, usually from a cache.
type DescribeFunc func(object string) (Object, error)

// nameFields are what every object behind a polymorphic lookup (Owner, Who, What)
// offers through the shared object Name. Source: object reference, "Name".
var nameFields = []Field{
	{Name: "Id", Type: TypeID, Filterable: true, Sortable: true},
	{Name: "Name", Type: TypeString, Filterable: true, Sortable: true},
	{Name: "FirstName", Type: TypeString, Filterable: true, Sortable: true},
	{Name: "LastName", Type: TypeString, Filterable: true, Sortable: true},
	{Name: "Email", Type: TypeEmail, Filterable: true, Sortable: true},
	{Name: "Phone", Type: TypePhone, Filterable: true, Sortable: true},
	{Name: "Title", Type: TypeString, Filterable: true, Sortable: true},
	{Name: "Alias", Type: TypeString, Filterable: true, Sortable: true},
	{Name: "Username", Type: TypeString, Filterable: true, Sortable: true},
	{Name: "Type", Type: TypePicklist, Filterable: true, Sortable: true},
	{Name: "IsActive", Type: TypeBoolean, Filterable: true, Sortable: true},
}

// ResolvePath follows a path such as "Parent.Account.Name" from object through its
// lookups. What is not there is a fault.Config error that names it and the
// permission to tick; errors of describe come back as they are.
func ResolvePath(object, path string, describe DescribeFunc) (Path, error) {
	if err := soql.CheckPath(path); err != nil {
		return Path{}, fault.Wrap(fault.Config, err, "path on %s", object).WithHint("%s", fault.HintOf(err))
	}
	names := strings.Split(path, ".")
	current, err := describe(object)
	if err != nil {
		return Path{}, err
	}
	var found Path
	var spelt []string
	for i, name := range names[:len(names)-1] {
		lookup, ok := current.Relation(name)
		if !ok {
			return Path{}, noRelation(current, name, path)
		}
		spelt = append(spelt, lookup.RelationshipName)
		found.Relations = append(found.Relations, Relation{lookup.RelationshipName, lookup.Name, lookup.ReferenceTo})
		if len(lookup.ReferenceTo) != 1 || lookup.PolymorphicForeignKey {
			if i != len(names)-2 {
				return Path{}, polymorphic(lookup, path)
			}
			current = Object{Name: "Name", Fields: nameFields}
			if _, ok := current.Field(names[i+1]); !ok {
				return Path{}, polymorphic(lookup, path)
			}
			continue
		}
		if current, err = describe(lookup.ReferenceTo[0]); err != nil {
			return Path{}, err
		}
	}
	last := names[len(names)-1]
	field, ok := current.Field(last)
	if !ok {
		return Path{}, noField(current, last, path)
	}
	found.Object, found.Field = current.Name, field
	found.Text = strings.Join(append(spelt, field.Name), ".")
	return found, nil
}

// ConditionResolver lets soql.Check ask for the fields of object.
func ConditionResolver(object string, describe DescribeFunc) soql.Resolver {
	return func(path string) (soql.FieldInfo, error) {
		p, err := ResolvePath(object, path, describe)
		if err != nil {
			return soql.FieldInfo{}, err
		}
		return soql.FieldInfo{Type: string(p.Field.Type), Filterable: p.Field.Filterable, ValidID: ValidID}, nil
	}
}

func noField(o Object, name, path string) error {
	err := fault.New(fault.Config, "field %s of %s does not exist or is not visible to the integration user", name, o.Name)
	if path != name {
		err.Message += " (path " + path + ")"
	}
	if f, ok := o.Field(name + "__c"); ok {
		return err.WithHint("did you mean %s? Custom fields end in __c", f.Name)
	}
	if f, ok := o.Relation(name); ok {
		return err.WithHint("%s leads to a record: name a field of it, such as %s.Name, or its id %s", name, f.RelationshipName, f.Name)
	}
	return err.WithHint("check the spelling of the API name; if it is right, give the integration user Read Access to %s in a permission set (Object Settings, %s, Field Permissions)", name, nonEmpty(o.Label, o.Name))
}

func noRelation(o Object, name, path string) error {
	err := fault.New(fault.Config, "relation %s of %s does not exist or is not visible to the integration user (path %s)", name, o.Name, path)
	for _, guess := range []string{name, name + "Id", name + "__c", strings.TrimSuffix(name, "__r") + "__c"} {
		if f, ok := o.Field(guess); ok && f.RelationshipName != "" {
			return err.WithHint("a path goes through the relation's name: write %s instead of %s", f.RelationshipName, name)
		}
	}
	if f, ok := o.Field(name); ok {
		return err.WithHint("%s is a %s field and leads to no other record", f.Name, f.Type)
	}
	return err.WithHint("check the spelling (relations of custom lookups end in __r); if it is right, give the integration user Read Access to the lookup field in a permission set (Object Settings, %s, Field Permissions)", nonEmpty(o.Label, o.Name))
}

func polymorphic(lookup Field, path string) error {
	offered := make([]string, len(nameFields))
	for i, f := range nameFields {
		offered[i] = f.Name
	}
	return fault.New(fault.Config, "path %s goes through %s, which points to several kinds of record (%s)", path, lookup.RelationshipName, strings.Join(lookup.ReferenceTo, ", ")).
		WithHint("behind %s Salesforce offers only %s", lookup.RelationshipName, strings.Join(offered, ", "))
}

func nonEmpty(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
