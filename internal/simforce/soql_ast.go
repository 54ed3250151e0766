package simforce

import (
	"strconv"
	"strings"
	"time"
)

// Query is a parsed SELECT statement of the modelled subset.
type Query struct {
	Fields  []Path
	Count   bool // SELECT COUNT()
	From    string
	Where   Expr // nil when absent
	OrderBy []Order
	Limit   int // -1 when absent
	Offset  int

	fromPos   int
	offsetPos int
}

// Path is a field with the relationships that lead to it: Parent.CaseNumber.
type Path struct {
	Parts []string
	pos   int
}

func (p Path) String() string { return strings.Join(p.Parts, ".") }

// Order is one ORDER BY term. Nulls stand first unless NullsLast.
type Order struct {
	Path      Path
	Desc      bool
	NullsLast bool
}

// Expr is a condition: *And, *Or, *Not or *Cond.
type Expr interface{ render(b *strings.Builder) }

// And holds when all of its terms do.
type And struct{ Terms []Expr }

// Or holds when one of its terms does.
type Or struct{ Terms []Expr }

// Not holds when its term does not.
type Not struct{ Term Expr }

// Cond compares a field with one literal, or with a list for IN and NOT IN, or
// with the ids another query selects.
type Cond struct {
	Path   Path
	Op     string // = != < <= > >= LIKE, IN, NOT IN
	Values []Literal
	Sub    *Query // instead of Values
	pos    int
}

// LiteralKind tells how a value was written.
type LiteralKind int

// The kinds of literals; LitRange is a named date such as LAST_N_DAYS:7.
const (
	LitString LiteralKind = iota
	LitNumber
	LitBool
	LitNull
	LitDatetime
	LitDate
	LitRange
)

// Literal is a value in a condition.
type Literal struct {
	Kind LiteralKind
	Text string // string value, number as written, or name of the range
	Like string // string value with \_ and \% kept, for LIKE
	Bool bool
	Time time.Time
	N    int // count of a LAST_N_…:n range
	pos  int
}

// String renders the query in one canonical spelling; it parses to itself.
func (q *Query) String() string {
	var b strings.Builder
	b.WriteString("SELECT ")
	if q.Count {
		b.WriteString("COUNT()")
	}
	for i, f := range q.Fields {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(f.String())
	}
	b.WriteString(" FROM " + q.From)
	if q.Where != nil {
		b.WriteString(" WHERE ")
		q.Where.render(&b)
	}
	for i, o := range q.OrderBy {
		b.WriteString([]string{" ORDER BY ", ", "}[min(i, 1)])
		b.WriteString(o.Path.String())
		b.WriteString(map[bool]string{false: " ASC", true: " DESC"}[o.Desc])
		b.WriteString(map[bool]string{false: " NULLS FIRST", true: " NULLS LAST"}[o.NullsLast])
	}
	if q.Limit >= 0 {
		b.WriteString(" LIMIT " + strconv.Itoa(q.Limit))
	}
	if q.Offset > 0 {
		b.WriteString(" OFFSET " + strconv.Itoa(q.Offset))
	}
	return b.String()
}

func renderTerms(b *strings.Builder, terms []Expr, word string) {
	for i, t := range terms {
		if i > 0 {
			b.WriteString(word)
		}
		renderInner(b, t)
	}
}

// renderInner puts parentheses around everything but a plain comparison.
func renderInner(b *strings.Builder, e Expr) {
	if _, plain := e.(*Cond); plain {
		e.render(b)
		return
	}
	b.WriteByte('(')
	e.render(b)
	b.WriteByte(')')
}

func (e *And) render(b *strings.Builder) { renderTerms(b, e.Terms, " AND ") }
func (e *Or) render(b *strings.Builder)  { renderTerms(b, e.Terms, " OR ") }

func (e *Not) render(b *strings.Builder) {
	b.WriteString("NOT ")
	renderInner(b, e.Term)
}

func (e *Cond) render(b *strings.Builder) {
	b.WriteString(e.Path.String() + " " + e.Op + " ")
	if e.Op != "IN" && e.Op != "NOT IN" {
		e.Values[0].render(b)
		return
	}
	b.WriteByte('(')
	if e.Sub != nil {
		b.WriteString(e.Sub.String())
	}
	for i, v := range e.Values {
		if i > 0 {
			b.WriteString(", ")
		}
		v.render(b)
	}
	b.WriteByte(')')
}

var soqlEscapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`)

func (l Literal) render(b *strings.Builder) {
	switch l.Kind {
	case LitString:
		b.WriteByte('\'')
		renderLike(b, l.Like)
		b.WriteByte('\'')
	case LitNumber:
		b.WriteString(l.Text)
	case LitBool:
		b.WriteString(strconv.FormatBool(l.Bool))
	case LitNull:
		b.WriteString("null")
	case LitDatetime:
		b.WriteString(l.Time.UTC().Format("2006-01-02T15:04:05.000Z"))
	case LitDate:
		b.WriteString(l.Time.Format(wireDate))
	case LitRange:
		b.WriteString(l.Text)
		if l.N >= 0 {
			b.WriteString(":" + strconv.Itoa(l.N))
		}
	}
}

// renderLike escapes the LIKE form of a string: \\ \_ \% are escapes already.
func renderLike(b *strings.Builder, like string) {
	for i := 0; i < len(like); i++ {
		if like[i] == '\\' && i+1 < len(like) {
			b.WriteString(like[i : i+2])
			i++
			continue
		}
		b.WriteString(soqlEscapes.Replace(like[i : i+1]))
	}
}
