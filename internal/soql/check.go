package soql

import (
	"errors"
	"strings"

	"salesforcesync/internal/fault"
)

// FieldInfo is what [Check] must know of a field.
type FieldInfo struct {
	Type       string // describe type: "string", "datetime", "reference" …
	Filterable bool   // describe flag

	// ValidID says whether a text can be a record id; nil asks for its form only. An id with
	// a slip in it is no error to Salesforce: it finds nothing.
	ValidID func(text string) bool
}

// Resolver finds the field at the end of a path, such as "Parent.Status". Its
// error says that the field is not there (fault.Config) or could not be looked up.
type Resolver func(path string) (FieldInfo, error)

// fieldClass groups describe types by what they compare with.
type fieldClass int

const (
	classText fieldClass = iota
	classID
	classNumber
	classBoolean
	classDate
	classDateTime
	classMulti
	classOther
)

// classes sorts describe types (REST API guide, "Primitive data types" and "Field types").
var classes = map[string]fieldClass{
	"string": classText, "picklist": classText, "combobox": classText, "textarea": classText, "phone": classText,
	"url": classText, "email": classText, "encryptedstring": classText, "datacategorygroupreference": classText,
	"id": classID, "reference": classID,
	"int": classNumber, "long": classNumber, "double": classNumber, "currency": classNumber, "percent": classNumber,
	"boolean": classBoolean, "date": classDate, "datetime": classDateTime, "multipicklist": classMulti,
}

var classNames = map[fieldClass]string{
	classText: "text in single quotes", classID: "a record id in single quotes", classNumber: "a number without quotes",
	classBoolean: "true or false, without quotes", classDate: "a date such as 2026-05-01 or TODAY, without quotes",
	classDateTime: "an instant such as 2026-05-01T07:25:37Z or TODAY, without quotes", classMulti: "text in single quotes",
}

// Check tests a parsed condition against the object's fields: each path resolves,
// is filterable, and is compared with a literal and an operator that its type
// takes. All problems are reported together as one fault.Config error; a resolver
// error of another kind (the describe call did not get through) is returned at once.
func Check(e Expr, resolve Resolver) error {
	if e == nil {
		return nil
	}
	var problems []error
	note := func(err error) error {
		if err != nil && !fault.Is(err, fault.Config, fault.Invalid) {
			return err
		}
		if err != nil {
			problems = append(problems, err)
		}
		return nil
	}
	err := e.walk(func(e Expr) error {
		switch e := e.(type) {
		case Comparison:
			return note(checkOne(e.Path, e.Op, []Literal{e.Value}, resolve))
		case In:
			return note(checkOne(e.Path, e.Op, e.Values, resolve))
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(problems) == 0:
		return nil
	case len(problems) == 1:
		return problems[0]
	}
	var hints []string
	for _, p := range problems {
		if h := fault.HintOf(p); h != "" {
			hints = append(hints, h)
		}
	}
	return fault.Wrap(fault.Config, errors.Join(problems...), "the condition has %d problems", len(problems)).
		WithHint("%s", strings.Join(hints, "; "))
}

func checkOne(path string, op Op, values []Literal, resolve Resolver) error {
	field, err := resolve(path)
	if err != nil {
		return err
	}
	class, known := classes[strings.ToLower(field.Type)]
	if !known {
		class = classOther
	}
	if !field.Filterable {
		return fault.New(fault.Config, "%s cannot stand in a condition: Salesforce does not filter this field (type %s)", path, field.Type).
			WithHint("long text, rich text, encrypted and file fields cannot be filtered; use another field")
	}
	if class == classOther {
		return nil // Salesforce says it is filterable; its literal forms are not ours to know
	}
	if !operatorFits(class, op) {
		return fault.New(fault.Config, "operator %s does not fit %s, a %s field", op, path, field.Type).WithHint("%s", operatorHint(class, op))
	}
	for _, v := range values {
		if v.Kind == Null {
			if op == Less || op == LessOrEqual || op == Greater || op == GreaterOrEqual {
				return fault.New(fault.Config, "%s %s null compares nothing", path, op).WithHint("compare null with = or !=")
			}
			continue
		}
		if class == classID && v.Kind == String && idShaped(v.Text) && field.ValidID != nil && !field.ValidID(v.Text) {
			return fault.New(fault.Config, "%s is no record id: its last three characters do not fit the others", clip(v.String())).
				WithHint("copy the id from the record's address in Salesforce, with its capital and small letters")
		}
		if !literalFits(class, v) {
			return fault.New(fault.Config, "%s is a %s field and cannot be compared with %s (%s)", path, field.Type, v.Kind, clip(v.String())).
				WithHint("write %s", classNames[class])
		}
	}
	return nil
}

func operatorFits(class fieldClass, op Op) bool {
	switch op {
	case Includes, Excludes:
		return class == classMulti
	case Like:
		return class == classText
	case Less, LessOrEqual, Greater, GreaterOrEqual:
		return class != classBoolean && class != classMulti
	case IsIn, IsNotIn:
		return class != classBoolean && class != classMulti
	}
	return true
}

func operatorHint(class fieldClass, op Op) string {
	switch {
	case op == Includes || op == Excludes:
		return string(op) + " is for multi-select picklists; use IN"
	case op == Like:
		return "LIKE is for text fields"
	case class == classMulti:
		return "multi-select picklists take INCLUDES, EXCLUDES, = and !="
	}
	return "checkboxes take = and !="
}

func literalFits(class fieldClass, v Literal) bool {
	switch class {
	case classText, classMulti:
		return v.Kind == String || v.Kind == Pattern
	case classID:
		return v.Kind == String && idShaped(v.Text)
	case classNumber:
		return v.Kind == Number
	case classBoolean:
		return v.Kind == Boolean
	case classDate:
		return v.Kind == Date || v.Kind == DateName
	case classDateTime:
		return v.Kind == DateTime || v.Kind == DateName
	}
	return true
}

// idShaped accepts what Salesforce accepts in a filter: 15 or 18 letters and digits.
func idShaped(s string) bool {
	if len(s) != 15 && len(s) != 18 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isLetter(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return true
}
