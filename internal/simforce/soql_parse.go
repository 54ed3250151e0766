package simforce

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// maxStatement is the longest statement the platform takes.
const maxStatement = 100_000

// maxLiteral is the longest string literal in WHERE.
const maxLiteral = 4_000

// ParseQuery parses one SOQL statement. It knows the grammar only: which
// objects and fields exist is checked when the query is bound to an org. The
// error is the one the REST API would answer with.
func ParseQuery(text string) (*Query, error) {
	q, err := parse(text)
	if err != nil {
		return nil, err.api(text)
	}
	return q, nil
}

func parse(text string) (*Query, *soqlError) {
	if len(text) > maxStatement {
		return nil, malformed(-1, "SOQL statements can not be longer than 100000 characters.")
	}
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	return p.query()
}

type parser struct {
	tokens []token
	i      int
	depth  int
}

func (p *parser) peek() token { return p.tokens[p.i] }

func (p *parser) peek2() token { return p.tokens[min(p.i+1, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.i]
	if t.kind != tokEOF {
		p.i++
	}
	return t
}

func (t token) is(word string) bool {
	return (t.kind == tokName || t.kind == tokSymbol) && strings.EqualFold(t.text, word)
}

func (p *parser) take(word string) bool {
	if p.peek().is(word) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(word string) *soqlError {
	if !p.take(word) {
		return unexpected(p.peek())
	}
	return nil
}

// clauses that exist in SOQL and that the simulator refuses by name.
var unmodelled = map[string]string{
	"GROUP": "GROUP BY", "HAVING": "HAVING", "WITH": "WITH", "FOR": "FOR VIEW, FOR REFERENCE and FOR UPDATE",
	"USING": "USING SCOPE", "UPDATE": "UPDATE TRACKING and UPDATE VIEWSTAT", "ALL": "ALL ROWS", "TYPEOF": "TYPEOF",
	"INCLUDES": "INCLUDES", "EXCLUDES": "EXCLUDES",
}

// stray refuses a token that does not belong here, naming the clause when it is
// one the simulator leaves out.
func stray(t token) *soqlError {
	e := unexpected(t)
	if name, ok := unmodelled[strings.ToUpper(t.text)]; ok && t.kind == tokName {
		e.reason += " (the simulator has no " + name + ")"
	}
	return e
}

func (p *parser) query() (*Query, *soqlError) {
	q, err := p.statement()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokEOF {
		return nil, stray(t)
	}
	return q, nil
}

// statement parses a SELECT up to where it ends, in parentheses or not.
func (p *parser) statement() (*Query, *soqlError) {
	q := &Query{Limit: -1}
	if err := p.expect("SELECT"); err != nil {
		return nil, err
	}
	if err := p.selectList(q); err != nil {
		return nil, err
	}
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	from := p.next()
	if from.kind != tokName || strings.ContainsAny(from.text, ".:") {
		return nil, unexpected(from)
	}
	q.From, q.fromPos = from.text, from.pos
	if t := p.peek(); t.is(",") {
		return nil, malformed(t.pos, "unexpected token: ',' (the simulator reads from one object)")
	}
	for _, clause := range []func(*Query) *soqlError{p.where, p.orderBy, p.limit, p.offset} {
		if err := clause(q); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func (p *parser) selectList(q *Query) *soqlError {
	if t := p.peek(); t.is("COUNT") && p.peek2().is("(") {
		p.next()
		p.next()
		if !p.take(")") {
			return malformed(t.pos, "unexpected token: 'COUNT' (the simulator has no aggregate but COUNT())")
		}
		q.Count = true
		return nil
	}
	for {
		t := p.next()
		switch {
		case t.is("("):
			return malformed(t.pos, "unexpected token: '(' (the simulator has no subqueries)")
		case t.kind != tokName, t.is("FROM"), t.is("TYPEOF"):
			return stray(t)
		case p.peek().is("("):
			return malformed(t.pos, "unexpected token: '%s' (the simulator has no functions in the field list)", t.text)
		}
		path, err := asPath(t)
		if err != nil {
			return err
		}
		q.Fields = append(q.Fields, path)
		if p.take(",") {
			continue
		}
		if a := p.peek(); a.kind == tokName && !a.is("FROM") {
			return malformed(a.pos, "unexpected token: '%s' (the simulator has no field aliases)", a.text)
		}
		return nil
	}
}

func asPath(t token) (Path, *soqlError) {
	parts := strings.Split(t.text, ".")
	for _, part := range parts {
		if part == "" || digit(part[0]) || strings.Contains(part, ":") {
			return Path{}, unexpected(t)
		}
	}
	return Path{Parts: parts, pos: t.pos}, nil
}

func (p *parser) where(q *Query) (err *soqlError) {
	if !p.take("WHERE") {
		if t := p.peek(); t.kind == tokName && unmodelled[strings.ToUpper(t.text)] == "" && !clauseWord(t) {
			return malformed(t.pos, "unexpected token: '%s' (the simulator has no object aliases)", t.text)
		}
		return nil
	}
	q.Where, err = p.logical()
	return err
}

func clauseWord(t token) bool { return t.is("ORDER") || t.is("LIMIT") || t.is("OFFSET") }

// maxDepth bounds the nesting of parentheses.
const maxDepth = 500

// logical parses what may stand in WHERE or in parentheses: one condition, one
// NOT, or a chain joined by AND or by OR. AND and OR do not mix, and NOT does
// not join a chain, without parentheses.
func (p *parser) logical() (Expr, *soqlError) {
	if p.depth++; p.depth > maxDepth {
		return nil, &soqlError{"QUERY_TOO_COMPLICATED", -1, "Query is too complicated: conditions are nested too deep."}
	}
	defer func() { p.depth-- }()
	if p.take("NOT") {
		term, err := p.condition()
		if err != nil {
			return nil, err
		}
		return &Not{term}, nil
	}
	first, err := p.condition()
	if err != nil {
		return nil, err
	}
	var word string
	switch {
	case p.peek().is("AND"):
		word = "AND"
	case p.peek().is("OR"):
		word = "OR"
	default:
		return first, nil
	}
	terms := []Expr{first}
	for p.take(word) {
		term, err := p.condition()
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
	if t := p.peek(); t.is("AND") || t.is("OR") {
		return nil, unexpected(t)
	}
	if word == "AND" {
		return &And{terms}, nil
	}
	return &Or{terms}, nil
}

func (p *parser) condition() (Expr, *soqlError) {
	if p.take("(") {
		e, err := p.logical()
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	}
	return p.comparison()
}

func (p *parser) comparison() (Expr, *soqlError) {
	t := p.next()
	if t.kind != tokName || t.is("NOT") || t.is("AND") || t.is("OR") {
		return nil, unexpected(t)
	}
	if p.peek().is("(") {
		return nil, malformed(t.pos, "unexpected token: '%s' (the simulator has no functions in WHERE)", t.text)
	}
	path, err := asPath(t)
	if err != nil {
		return nil, err
	}
	op := p.next()
	c := &Cond{Path: path, Op: strings.ToUpper(op.text), pos: t.pos}
	switch {
	case op.is("NOT"):
		if err := p.expect("IN"); err != nil {
			return nil, err
		}
		c.Op = "NOT IN"
		return c, p.list(c)
	case op.is("IN"):
		return c, p.list(c)
	case op.is("<>"):
		c.Op = "!="
	case op.is("="), op.is("!="), op.is("<"), op.is("<="), op.is(">"), op.is(">="), op.is("LIKE"):
	default:
		return nil, stray(op)
	}
	v, err := p.literal()
	if err != nil {
		return nil, err
	}
	c.Values = []Literal{v}
	return c, nil
}

func (p *parser) list(c *Cond) *soqlError {
	if err := p.expect("("); err != nil {
		return err
	}
	if t := p.peek(); t.is("SELECT") {
		if p.depth++; p.depth > maxDepth {
			return &soqlError{"QUERY_TOO_COMPLICATED", -1, "Query is too complicated: conditions are nested too deep."}
		}
		defer func() { p.depth-- }()
		var err *soqlError
		if c.Sub, err = p.statement(); err != nil {
			return err
		}
		return p.expect(")")
	}
	for {
		v, err := p.literal()
		if err != nil {
			return err
		}
		c.Values = append(c.Values, v)
		if p.take(",") {
			continue
		}
		return p.expect(")")
	}
}

func (p *parser) literal() (Literal, *soqlError) {
	t := p.next()
	l := Literal{Text: t.text, pos: t.pos, N: -1}
	switch t.kind {
	case tokString:
		if len([]rune(t.text)) > maxLiteral {
			return l, malformed(t.pos, "string literal too long (max length=%d)", maxLiteral)
		}
		l.Kind, l.Like = LitString, t.like
		return l, nil
	case tokNumber:
		x, err := strconv.ParseFloat(t.text, 64)
		if err != nil || math.IsInf(x, 0) || strings.ContainsAny(t.text, "_xXpP") {
			return l, unexpected(t)
		}
		l.Kind = LitNumber
		return l, nil
	case tokTime:
		return timeLiteral(t, l)
	case tokName:
		switch {
		case t.is("true"), t.is("false"):
			l.Kind, l.Bool = LitBool, t.is("true")
			return l, nil
		case t.is("null"):
			l.Kind = LitNull
			return l, nil
		}
		name, count, counted := strings.Cut(strings.ToUpper(t.text), ":")
		r, known := dateRanges[name]
		if !known || r.counted != counted {
			return l, unexpected(t)
		}
		l.Kind, l.Text = LitRange, name
		if counted {
			n, err := strconv.Atoi(count)
			if err != nil || n > 100_000 {
				return l, unexpected(t)
			}
			l.N = n
		}
		return l, nil
	}
	return l, unexpected(t)
}

func timeLiteral(t token, l Literal) (Literal, *soqlError) {
	if x, err := time.Parse(wireDate, t.text); err == nil {
		l.Kind, l.Time = LitDate, x
		return l, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700"} {
		// Fractions of a second parse with either layout.
		if x, err := time.Parse(layout, t.text); err == nil && x.Year() >= 1 {
			l.Kind, l.Time = LitDatetime, x.UTC().Truncate(time.Millisecond)
			if y := l.Time.Year(); y < 1 || y > 9999 {
				return l, unexpected(t)
			}
			return l, nil
		}
	}
	return l, unexpected(t)
}

func (p *parser) orderBy(q *Query) *soqlError {
	if !p.take("ORDER") {
		return nil
	}
	if err := p.expect("BY"); err != nil {
		return err
	}
	for {
		t := p.next()
		if t.kind != tokName {
			return unexpected(t)
		}
		if p.peek().is("(") {
			return malformed(t.pos, "unexpected token: '%s' (the simulator has no functions in ORDER BY)", t.text)
		}
		path, err := asPath(t)
		if err != nil {
			return err
		}
		o := Order{Path: path}
		if p.take("DESC") {
			o.Desc = true
		} else {
			p.take("ASC")
		}
		if p.take("NULLS") {
			if p.take("LAST") {
				o.NullsLast = true
			} else if err := p.expect("FIRST"); err != nil {
				return err
			}
		}
		q.OrderBy = append(q.OrderBy, o)
		if !p.take(",") {
			return nil
		}
	}
}

func (p *parser) limit(q *Query) (err *soqlError) {
	if p.take("LIMIT") {
		q.Limit, err = p.count()
	}
	return err
}

func (p *parser) offset(q *Query) (err *soqlError) {
	if p.peek().is("OFFSET") {
		q.offsetPos = p.next().pos
		q.Offset, err = p.count()
	}
	return err
}

func (p *parser) count() (int, *soqlError) {
	t := p.next()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokNumber || err != nil || n < 0 {
		return 0, unexpected(t)
	}
	return n, nil
}
