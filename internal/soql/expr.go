package soql

import (
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/fault"
)

// Expr is a condition: one of [And], [Or], [Not], [Comparison] and [In]. A nil
// Expr is no condition.
type Expr interface {
	// String renders canonical SOQL. Parsing it gives an equal Expr.
	String() string
	// Paths lists the field paths used, sorted, each once, as they were written.
	Paths() []string

	walk(func(Expr) error) error
}

// And holds when every term holds. Make it with [AllOf], which keeps it flat.
type And struct{ Terms []Expr }

// Or holds when some term holds. Make it with [AnyOf], which keeps it flat.
type Or struct{ Terms []Expr }

// Not holds when its term does not.
type Not struct{ Term Expr }

// Op is an operator in its canonical spelling.
type Op string

// The operators. "<>" is read as "!=".
const (
	Equal          Op = "="
	NotEqual       Op = "!="
	Less           Op = "<"
	LessOrEqual    Op = "<="
	Greater        Op = ">"
	GreaterOrEqual Op = ">="
	Like           Op = "LIKE"
	IsIn           Op = "IN"
	IsNotIn        Op = "NOT IN"
	Includes       Op = "INCLUDES"
	Excludes       Op = "EXCLUDES"
)

// Comparison compares a field with one literal.
type Comparison struct {
	Path  string
	Op    Op // Equal … Like
	Value Literal
}

// In compares a field with a list.
type In struct {
	Path   string
	Op     Op // IsIn, IsNotIn, Includes, Excludes
	Values []Literal
}

// AllOf joins conditions with AND. Nil terms are left out, nested ANDs flattened;
// no term at all is nil, one term is itself.
func AllOf(terms ...Expr) Expr {
	var flat []Expr
	for _, term := range terms {
		switch t := term.(type) {
		case nil:
		case And:
			flat = append(flat, t.Terms...)
		default:
			flat = append(flat, t)
		}
	}
	switch len(flat) {
	case 0:
		return nil
	case 1:
		return flat[0]
	}
	return And{flat}
}

// AnyOf joins conditions with OR, with the same care as [AllOf].
func AnyOf(terms ...Expr) Expr {
	var flat []Expr
	for _, term := range terms {
		switch t := term.(type) {
		case nil:
		case Or:
			flat = append(flat, t.Terms...)
		default:
			flat = append(flat, t)
		}
	}
	switch len(flat) {
	case 0:
		return nil
	case 1:
		return flat[0]
	}
	return Or{flat}
}

// Negate turns a condition round; nil stays nil.
func Negate(e Expr) Expr {
	if e == nil {
		return nil
	}
	return Not{e}
}

// Compare makes a comparison; op is one of Equal … GreaterOrEqual.
func Compare(path string, op Op, value Literal) Expr { return Comparison{path, op, value} }

// OneOf makes "path IN (values)". An empty list makes a condition that
// [Select.Build] refuses, because SOQL has no empty list.
func OneOf(path string, values ...string) Expr {
	list := make([]Literal, len(values))
	for i, v := range values {
		list[i] = StringLiteral(v)
	}
	return In{path, IsIn, list}
}

// AtOrAfter makes "path >= t", in whole seconds.
func AtOrAfter(path string, t time.Time) Expr {
	return Comparison{path, GreaterOrEqual, DateTimeLiteral(t)}
}

// AtOrBefore makes "path <= t", in whole seconds.
func AtOrBefore(path string, t time.Time) Expr {
	return Comparison{path, LessOrEqual, DateTimeLiteral(t)}
}

// Past makes the keyset condition: every row behind (stamp, id) in the order
// stamp, Id. Thousands of rows may share one second, so the stamp alone would
// either skip rows or never move on. An empty id means that no row of that second
// was read, and makes "stamp >= t".
func Past(stampPath string, t time.Time, id string) Expr {
	if id == "" {
		return AtOrAfter(stampPath, t)
	}
	return AnyOf(
		AllOf(Comparison{stampPath, Equal, DateTimeLiteral(t)}, Comparison{"Id", Greater, StringLiteral(id)}),
		Comparison{stampPath, Greater, DateTimeLiteral(t)},
	)
}

// String renders the terms joined by AND.
func (e And) String() string { return join(e.Terms, " AND ") }

// String renders the terms joined by OR.
func (e Or) String() string { return join(e.Terms, " OR ") }

// String renders NOT before its term; anything but a comparison gets parentheses.
func (e Not) String() string {
	switch e.Term.(type) {
	case Comparison, In:
		return "NOT " + e.Term.String()
	}
	return "NOT (" + e.Term.String() + ")"
}

// String renders path, operator and literal.
func (e Comparison) String() string { return e.Path + " " + string(e.Op) + " " + e.Value.String() }

// String renders path, operator and the list in parentheses.
func (e In) String() string {
	texts := make([]string, len(e.Values))
	for i, v := range e.Values {
		texts[i] = v.String()
	}
	return e.Path + " " + string(e.Op) + " (" + strings.Join(texts, ", ") + ")"
}

// join puts every term that is not a bare comparison in parentheses: SOQL does not
// mix AND and OR without them, and takes NOT beside either only inside them.
func join(terms []Expr, word string) string {
	texts := make([]string, len(terms))
	for i, term := range terms {
		switch term.(type) {
		case Comparison, In:
			texts[i] = term.String()
		default:
			texts[i] = "(" + term.String() + ")"
		}
	}
	return strings.Join(texts, word)
}

// Paths lists the field paths below e.
func (e And) Paths() []string { return pathsOf(e) }

// Paths lists the field paths below e.
func (e Or) Paths() []string { return pathsOf(e) }

// Paths lists the field paths below e.
func (e Not) Paths() []string { return pathsOf(e) }

// Paths returns the one field path.
func (e Comparison) Paths() []string { return pathsOf(e) }

// Paths returns the one field path.
func (e In) Paths() []string { return pathsOf(e) }

func pathsOf(e Expr) []string {
	var paths []string
	_ = e.walk(func(e Expr) error { // the function below returns no error
		switch e := e.(type) {
		case Comparison:
			paths = append(paths, e.Path)
		case In:
			paths = append(paths, e.Path)
		}
		return nil
	})
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (e And) walk(visit func(Expr) error) error { return walkAll(e, e.Terms, visit) }
func (e Or) walk(visit func(Expr) error) error  { return walkAll(e, e.Terms, visit) }
func (e Not) walk(visit func(Expr) error) error { return walkAll(e, []Expr{e.Term}, visit) }

func (e Comparison) walk(visit func(Expr) error) error { return visit(e) }
func (e In) walk(visit func(Expr) error) error         { return visit(e) }

func walkAll(e Expr, terms []Expr, visit func(Expr) error) error {
	if err := visit(e); err != nil {
		return err
	}
	for _, term := range terms {
		if term == nil {
			return fault.New(fault.Invalid, "a condition has an empty term")
		}
		if err := term.walk(visit); err != nil {
			return err
		}
	}
	return nil
}

// validate refuses a hand-made condition that does not render to SOQL.
func validate(e Expr) error {
	return e.walk(func(e Expr) error {
		switch e := e.(type) {
		case And:
			if len(e.Terms) < 2 {
				return fault.New(fault.Invalid, "an AND needs two terms")
			}
		case Or:
			if len(e.Terms) < 2 {
				return fault.New(fault.Invalid, "an OR needs two terms")
			}
		case Comparison:
			switch e.Op {
			case Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual, Like:
			default:
				return fault.New(fault.Invalid, "operator %s of %s takes no single value", clip(string(e.Op)), e.Path)
			}
			return validateValues(e.Path, e.Value)
		case In:
			switch e.Op {
			case IsIn, IsNotIn, Includes, Excludes:
			default:
				return fault.New(fault.Invalid, "operator %s of %s takes no list", clip(string(e.Op)), e.Path)
			}
			if len(e.Values) == 0 {
				return fault.New(fault.Invalid, "the list of %s %s is empty", e.Path, e.Op)
			}
			return validateValues(e.Path, e.Values...)
		}
		return nil
	})
}

func validateValues(path string, values ...Literal) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	for _, v := range values {
		if !v.valid() {
			return fault.New(fault.Invalid, "the value compared with %s is not %s", path, v.Kind)
		}
	}
	return nil
}
