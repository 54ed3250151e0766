package simforce

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// compiler turns conditions into functions over records and, on the way,
// gathers which part of an index can hold the matches.
type compiler struct {
	view view
	obj  *Object
	now  time.Time
	all  bool // deleted rows count, in semi-joins too
	// inner tells a condition in which no semi-join may stand: below OR or NOT, or
	// in a semi-join.
	inner bool
}

type matcher func(*record) bool

func (c compiler) expr(e Expr) (matcher, bounds, *soqlError) {
	switch e := e.(type) {
	case *And:
		terms, limits, err := c.terms(e.Terms)
		return func(r *record) bool {
			for _, t := range terms {
				if !t(r) {
					return false
				}
			}
			return true
		}, allOf(limits), err
	case *Or:
		c.inner = true
		terms, limits, err := c.terms(e.Terms)
		return func(r *record) bool {
			for _, t := range terms {
				if t(r) {
					return true
				}
			}
			return false
		}, anyOf(limits), err
	case *Not:
		c.inner = true
		term, _, err := c.expr(e.Term)
		return func(r *record) bool { return !term(r) }, bounds{}, err
	case *Cond:
		return c.cond(e)
	}
	return nil, bounds{}, malformed(-1, "unexpected condition")
}

func (c compiler) terms(in []Expr) ([]matcher, []bounds, *soqlError) {
	var out []matcher
	var limits []bounds
	for _, e := range in {
		m, b, err := c.expr(e)
		if err != nil {
			return nil, nil, err
		}
		out, limits = append(out, m), append(limits, b)
	}
	return out, limits, nil
}

func (c compiler) cond(e *Cond) (matcher, bounds, *soqlError) {
	p, err := c.view.bind(c.obj, e.Path)
	if err != nil {
		return nil, bounds{}, err
	}
	if !p.field.filterable() {
		return nil, bounds{}, &soqlError{"INVALID_FIELD", e.pos, "field '" + p.name + "' can not be filtered in a query call"}
	}
	var tests []func(any) bool
	var values []operand
	op := e.Op
	switch op {
	case "IN", "NOT IN":
		op = "="
	}
	if e.Sub != nil {
		if values, err = c.semiJoin(p.field, e); err != nil {
			return nil, bounds{}, err
		}
	}
	for _, l := range e.Values {
		o, err := c.operand(p.field, e, op, l)
		if err != nil {
			return nil, bounds{}, err
		}
		values = append(values, o)
		tests = append(tests, o.test(op))
	}
	if e.Sub != nil || len(tests) > 1 && !slices.ContainsFunc(values, func(o operand) bool { return !o.exact }) {
		// A list of ids is looked up, not gone through.
		ids := make(map[string]bool, len(values))
		for _, o := range values {
			ids[o.text] = true
		}
		tests = []func(any) bool{func(v any) bool {
			id, ok := v.(string)
			return ok && ids[id]
		}}
	}
	match := func(r *record) bool {
		v := p.value(r)
		for _, t := range tests {
			if t(v) {
				return true
			}
		}
		return false
	}
	if e.Op == "NOT IN" {
		in := match
		return func(r *record) bool { return !in(r) }, bounds{}, nil
	}
	if len(p.steps) > 0 {
		return match, bounds{}, nil
	}
	return match, boundsOf(p, op, values), nil
}

// semiJoin runs the query in a condition and gives the ids it selects.
func (c compiler) semiJoin(f *Field, e *Cond) ([]operand, *soqlError) {
	q := e.Sub
	isID := func(f *Field) bool { return f.Type == TypeID || f.Type == TypeReference }
	switch {
	case c.inner:
		return nil, malformed(e.pos, "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions.")
	case !isID(f):
		return nil, malformed(e.pos, "The left operand field in the where expression for outer query should be an id field, cannot use: '%s'", f.Name)
	case q.Count || len(q.Fields) != 1 || len(q.OrderBy) > 0 || q.Limit >= 0 || q.Offset > 0:
		return nil, malformed(e.pos, "A semi join sub-select selects one field, without ORDER BY, LIMIT and OFFSET.")
	}
	p, err := prepareInner(c, q)
	if err != nil {
		return nil, err
	}
	if !isID(p.columns[0].field) {
		return nil, malformed(e.pos, "The selected field '%s' in the semi join sub-select must be of type Id or Reference.", p.columns[0].name)
	}
	var out []operand
	p.scan(scanning{again: true}, func(r *record) bool {
		if p.where(r) {
			if id, ok := p.columns[0].value(r).(string); ok {
				out = append(out, operand{kind: f.Type, text: id, exact: true})
			}
		}
		return true
	})
	return out, nil
}

// operand is a literal in the type of the field it is compared with. Times are
// a span of seconds [from, to), one second long for plain datetimes.
type operand struct {
	null     bool
	text     string
	exact    bool // ids: compare bytes, no case folding
	flag     bool
	number   float64
	from, to int64
	kind     FieldType
	like     string
}

var typeNames = map[FieldType]string{
	TypeBoolean: "boolean", TypeDatetime: "dateTime", TypeDate: "date", TypeDouble: "double", TypeInt: "int",
	TypeCurrency: "currency", TypePercent: "percent",
	TypeID: "id", TypeReference: "reference",
}

// operand checks a literal against the field's type and the operator.
func (c compiler) operand(f *Field, e *Cond, op string, l Literal) (operand, *soqlError) {
	o := operand{kind: f.Type}
	badOp := func(kind string) *soqlError {
		return &soqlError{"INVALID_QUERY_FILTER_OPERATOR", e.pos, "invalid operator on " + kind + " field"}
	}
	wrong := func() *soqlError {
		name, quotes := typeNames[f.Type], "should not be enclosed in quotes"
		if name == "" {
			name = "string"
		}
		if f.text() || f.Type == TypeID || f.Type == TypeReference {
			quotes = "should be enclosed in quotes"
		}
		return &soqlError{"INVALID_FIELD", e.pos,
			"value of filter criterion for field '" + f.Name + "' must be of type " + name + " and " + quotes}
	}
	switch f.Type {
	case TypeAddress:
		return o, &soqlError{"INVALID_FIELD", e.pos, "field '" + f.Name + "' can only be filtered by distance, which the simulator has not"}
	case TypeTime:
		return o, &soqlError{"INVALID_FIELD", e.pos, "field '" + f.Name + "' is a time of day, which the simulator has no literals for"}
	}
	ordered := op != "=" && op != "!="
	if l.Kind == LitNull {
		if ordered {
			return o, badOp("null")
		}
		o.null = true
		return o, nil
	}
	if op == "LIKE" && !f.text() {
		return o, badOp(strings.ToLower(string(f.Type)))
	}
	switch f.Type {
	case TypeID, TypeReference:
		if l.Kind != LitString {
			return o, wrong()
		}
		if l.Text == "" && !ordered {
			o.null = true
			return o, nil
		}
		id, ok := ID18(l.Text)
		if !ok {
			return o, &soqlError{"INVALID_QUERY_FILTER_OPERATOR", e.pos, "invalid ID field: " + l.Text}
		}
		o.text, o.exact = id, true
	case TypeBoolean:
		if l.Kind != LitBool {
			return o, wrong()
		}
		if ordered {
			return o, badOp("boolean")
		}
		o.flag = l.Bool
	case TypeInt, TypeDouble, TypeCurrency, TypePercent:
		if l.Kind != LitNumber {
			return o, wrong()
		}
		x, err := strconv.ParseFloat(l.Text, 64)
		if err != nil {
			return o, wrong()
		}
		o.number = x
	case TypeDatetime, TypeDate:
		switch {
		case l.Kind == LitRange:
			o.from, o.to = dateRanges[l.Text].span(c.now, l.N)
		case l.Kind == LitDatetime && f.Type == TypeDatetime:
			// Milliseconds are ignored: a stamp has whole seconds.
			o.from = l.Time.Unix()
			o.to = o.from + 1
		case l.Kind == LitDate && f.Type == TypeDate:
			o.from = l.Time.Unix()
			o.to = o.from + 86400
		default:
			return o, wrong()
		}
	default:
		if l.Kind != LitString {
			return o, wrong()
		}
		o.text, o.like = l.Text, l.Like
		o.null = l.Text == "" && !ordered // the platform stores no empty strings
	}
	return o, nil
}

// test returns the comparison of a field value with the operand.
func (o operand) test(op string) func(any) bool {
	if op == "!=" {
		equal := o.test("=")
		return func(v any) bool { return !equal(v) }
	}
	if o.null {
		return func(v any) bool { return v == nil || o.kind == TypeBoolean && v == false }
	}
	if op == "LIKE" {
		pattern := newPattern(o.like)
		return func(v any) bool {
			s, ok := v.(string)
			return ok && pattern.match(s)
		}
	}
	if op == "=" {
		return o.equal
	}
	return func(v any) bool {
		c, ok := o.compare(v)
		if !ok {
			return false
		}
		switch op {
		case "<":
			return c < 0
		case "<=":
			return c <= 0
		case ">":
			return c > 0
		default:
			return c >= 0
		}
	}
}

func (o operand) equal(v any) bool {
	switch x := v.(type) {
	case string:
		if o.exact {
			return x == o.text
		}
		return strings.EqualFold(x, o.text)
	case bool:
		return x == o.flag
	case nil:
		// A boolean that is null acts as false.
		return o.kind == TypeBoolean && !o.flag
	}
	c, ok := o.compare(v)
	return ok && c == 0
}

// compare orders v against the operand; a time inside its span is equal. Null
// does not compare.
func (o operand) compare(v any) (int, bool) {
	switch x := v.(type) {
	case string:
		if o.exact {
			return strings.Compare(x, o.text), true
		}
		return strings.Compare(strings.ToLower(x), strings.ToLower(o.text)), true
	case int64:
		return order(float64(x), o.number), true
	case float64:
		return order(x, o.number), true
	case time.Time:
		switch n := x.Unix(); {
		case n < o.from:
			return -1, true
		case n >= o.to:
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func order(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// pattern is a compiled LIKE pattern: lower-case runes, with any and one for
// the wild cards % and _.
type pattern []rune

const (
	anyRun  rune = -1
	oneRune rune = -2
)

func newPattern(like string) pattern {
	var p pattern
	escaped := false
	for _, r := range strings.ToLower(like) {
		switch {
		case escaped:
			p = append(p, r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '%':
			p = append(p, anyRun)
		case r == '_':
			p = append(p, oneRune)
		default:
			p = append(p, r)
		}
	}
	return p
}

// match backtracks to the latest % only, which is enough for this grammar.
func (p pattern) match(s string) bool {
	text := []rune(strings.ToLower(s))
	i, j, star, mark := 0, 0, -1, 0
	for i < len(text) {
		switch {
		case j < len(p) && p[j] == anyRun:
			star, mark = j, i
			j++
		case j < len(p) && (p[j] == oneRune || p[j] == text[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == anyRun {
		j++
	}
	return j == len(p)
}
