package poll

import (
	"fmt"
	"strings"

	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// Cursor is how an object's changes are followed, chosen from describe. The field
// itself is Recipe.Stamp.
type Cursor struct {
	// Passes says that the whole object is read by Id now and then, because no field shows
	// every change: of the records, or of a formula among what is read of them.
	Passes bool `json:"passes,omitempty"`
	// Says tells people which field it is and what it does not see.
	Says string `json:"says,omitempty"`
}

// cursorFields are what changes can be followed by, best first (object reference, "System
// Fields"; LoginHistory has a date of its own).
var cursorFields = []string{"SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime"}

// parentFields are those that move when a record changes: a parent's creation alone
// is no news for the children that were read with it.
var parentFields = cursorFields[:2]

// chooseStamp finds the best date of an object to follow. One that cannot be sorted by
// gives no order.
func chooseStamp(object salesforce.Object, among []string) (salesforce.Field, bool) {
	for _, name := range among {
		f, ok := object.Field(name)
		if ok && f.Type == salesforce.TypeDateTime && f.Filterable && f.Sortable {
			return f, true
		}
	}
	return salesforce.Field{}, false
}

// chooseCursor decides how the object is followed, by the first of the fields that can be;
// the field is "" when only reading all of it again shows what changed.
func chooseCursor(object salesforce.Object, among []string) (stamp salesforce.Field, c Cursor) {
	stamp, ok := chooseStamp(object, among)
	switch {
	case !ok:
		return stamp, Cursor{Passes: true, Says: fmt.Sprintf(
			"%s has no date to follow: all of it is read again and again, and a change is found by the next pass", object.Name)}
	case stamp.Name == "SystemModstamp":
		return stamp, Cursor{Says: object.Name + " is followed by SystemModstamp"}
	case stamp.Name == "LastModifiedDate":
		// One that may be empty hides the records that have none; passes find them.
		return stamp, Cursor{Passes: stamp.Nillable, Says: object.Name +
			" is followed by LastModifiedDate: a record that an import dates back is not found at once, but by the comparison with Salesforce"}
	case isLog(object.Name):
		return stamp, Cursor{Passes: stamp.Nillable, Says: fmt.Sprintf("%s is followed by %s: rows are never changed", object.Name, stamp.Name)}
	}
	return stamp, Cursor{Passes: true, Says: fmt.Sprintf(
		"%s is followed by %s, which does not move when a record changes: changes are found by reading all of it again, now and then", object.Name, stamp.Name)}
}

// isLog recognizes the objects whose rows are written once: histories of fields
// (CaseHistory, Thing__History) and of logins.
func isLog(object string) bool { return strings.HasSuffix(object, "History") }

// followed is the plan's stamp; "" for an object without one.
func (p *Plan) followed() string { return p.Recipe.Stamp }

// order is the order of every live read: by keyset, or by Id where there is no stamp.
func (p *Plan) order() []soql.Order {
	if p.followed() == "" {
		return byID
	}
	return byKeyset(p.followed())
}

var byID = []soql.Order{{Field: transform.PathID}}

// afterID is everything behind an Id; nil for everything there is.
func afterID(id string) soql.Expr {
	if id == "" {
		return nil
	}
	return soql.Compare(transform.PathID, soql.Greater, soql.StringLiteral(id))
}

// start is where the cursor of an object without a stamp stands for ever: its records
// are all dated so, and only passes read them.
var start = store.Position{Stamp: transform.NoStamp}
