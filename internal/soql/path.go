package soql

import (
	"strings"

	"salesforcesync/internal/fault"
)

// MaxRelations is how many relations a field path may climb: "Parent.Account.Name"
// climbs two. Salesforce allows five (SOQL reference, relationship queries).
const MaxRelations = 5

// maxNameLength bounds one name: 15 of namespace, 40 of name, two separators and a suffix fit well.
const maxNameLength = 80

// CheckPath returns a fault.Invalid error when path is not a field path: names of
// letters, digits and underscores joined by dots, at most [MaxRelations] deep.
func CheckPath(path string) error {
	names := strings.Split(path, ".")
	for _, name := range names {
		if err := CheckName(name); err != nil {
			if len(names) == 1 {
				return err
			}
			return fault.Wrap(fault.Invalid, err, "field path %s", clip(path))
		}
	}
	if len(names)-1 > MaxRelations {
		return fault.New(fault.Invalid, "field path %s climbs %d relations", clip(path), len(names)-1).
			WithHint("Salesforce follows at most %d relations in one path", MaxRelations)
	}
	return nil
}

// CheckName returns a fault.Invalid error when name cannot be the name of an
// object, field or relation: a letter, then letters, digits and underscores.
func CheckName(name string) error {
	switch {
	case name == "":
		return fault.New(fault.Invalid, "a name is empty")
	case len(name) > maxNameLength:
		return fault.New(fault.Invalid, "name %s has %d characters, more than %d", clip(name), len(name), maxNameLength)
	case !isLetter(name[0]):
		return fault.New(fault.Invalid, "name %s does not begin with a letter", clip(name))
	}
	for i := 0; i < len(name); i++ {
		if !isNameByte(name[i]) {
			return fault.New(fault.Invalid, "name %s holds a character that is not a letter, a digit or an underscore", clip(name))
		}
	}
	return nil
}

func isLetter(c byte) bool   { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isNameByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }
