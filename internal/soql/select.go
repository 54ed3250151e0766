package soql

import (
	"strconv"
	"strings"

	"salesforcesync/internal/fault"
)

// MaxQueryLength is the longest query Salesforce reads, in characters.
const MaxQueryLength = 100000

// CountAll as the only field makes "SELECT COUNT() FROM …", answered by totalSize.
const CountAll = "COUNT()"

// Order is one sort key. Nulls come first when ascending, Salesforce's default.
type Order struct {
	Field      string
	Descending bool
}

// Select is a query over one object.
type Select struct {
	Fields  []string // field paths, or only [CountAll]
	From    string
	Where   Expr // nil: every record
	OrderBy []Order
	Limit   int // 0: no limit
}

// Build renders the query. It returns a fault.Invalid error for a name that is
// not a name, a field selected twice (Salesforce refuses that), an empty list, and
// a query longer than Salesforce reads.
func (s Select) Build() (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("SELECT " + strings.Join(s.Fields, ", ") + " FROM " + s.From)
	if s.Where != nil {
		b.WriteString(" WHERE " + s.Where.String())
	}
	for i, o := range s.OrderBy {
		if i == 0 {
			b.WriteString(" ORDER BY ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(o.Field)
		if o.Descending {
			b.WriteString(" DESC")
		} else {
			b.WriteString(" ASC")
		}
	}
	if s.Limit > 0 {
		b.WriteString(" LIMIT " + strconv.Itoa(s.Limit))
	}
	if b.Len() > MaxQueryLength {
		return "", fault.New(fault.Invalid, "the query on %s has %d characters, more than the %d that Salesforce reads", s.From, b.Len(), MaxQueryLength).
			WithHint("select fewer fields or shorten the condition")
	}
	return b.String(), nil
}

// String renders the query. One that [Select.Build] refuses renders as a text that
// begins with "!" and is not SOQL, so it can be printed but never answered.
func (s Select) String() string {
	text, err := s.Build()
	if err != nil {
		return "!" + err.Error()
	}
	return text
}

func (s Select) check() error {
	if err := CheckName(s.From); err != nil {
		return fault.Wrap(fault.Invalid, err, "object to select from")
	}
	if len(s.Fields) == 0 {
		return fault.New(fault.Invalid, "the query on %s selects no field", s.From)
	}
	seen := make(map[string]bool, len(s.Fields))
	for _, f := range s.Fields {
		if f == CountAll && len(s.Fields) == 1 {
			break
		}
		if err := CheckPath(f); err != nil {
			return fault.Wrap(fault.Invalid, err, "field selected from %s", s.From)
		}
		if key := strings.ToLower(f); seen[key] {
			return fault.New(fault.Invalid, "the query on %s selects %s twice", s.From, f)
		} else {
			seen[key] = true
		}
	}
	if s.Where != nil {
		if err := validate(s.Where); err != nil {
			return fault.Wrap(fault.Invalid, err, "condition on %s", s.From)
		}
	}
	for _, o := range s.OrderBy {
		if err := CheckPath(o.Field); err != nil {
			return fault.Wrap(fault.Invalid, err, "order of %s", s.From)
		}
	}
	if s.Limit < 0 {
		return fault.New(fault.Invalid, "the query on %s has the limit %d", s.From, s.Limit)
	}
	return nil
}
