package soql

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"salesforcesync/internal/fault"
)

const (
	maxCondition = 20000 // bytes; a whole query may have 100,000 characters
	maxNesting   = 50
	maxTerms     = 2000
)

// Parse reads the condition of a WHERE clause, without the word WHERE. Errors are
// fault.Invalid and name the position (in characters, from 1), the offending text
// and what to write instead.
func Parse(condition string) (Expr, error) {
	p := &parser{src: condition}
	switch {
	case !utf8.ValidString(condition):
		return nil, fault.New(fault.Invalid, "the condition is not UTF-8 text")
	case len(condition) > maxCondition:
		return nil, fault.New(fault.Invalid, "the condition has %d bytes, more than %d", len(condition), maxCondition)
	case strings.TrimSpace(condition) == "":
		return nil, fault.New(fault.Invalid, "the condition is empty").WithHint("leave it out to read every record, or write one such as: Incoming = true")
	}
	if err := p.lex(); err != nil {
		return nil, err
	}
	e, err := p.condition(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, p.unexpected(t)
	}
	return e, nil
}

type parser struct {
	src    string
	tokens []token
	next   int
	terms  int
}

func (p *parser) peek() token { return p.tokens[p.next] }

func (p *parser) take() token {
	t := p.tokens[p.next]
	if t.kind != tokenEnd {
		p.next++
	}
	return t
}

func (p *parser) failAt(at int, message, hint string) error {
	column := utf8.RuneCountInString(p.src[:at]) + 1
	e := fault.New(fault.Invalid, "condition, character %d: %s", column, message)
	e.Hint = hint
	return e
}

func (p *parser) fail(t token, hint, format string, args ...any) error {
	return p.failAt(t.at, fmt.Sprintf(format, args...), hint)
}

// clauses are words that begin what comes after or around a condition.
var clauses = map[string]string{
	"WHERE": "leave the word WHERE out", "SELECT": "write the condition only, without SELECT, FROM and WHERE",
	"FROM": "write the condition only", "ORDER": "the order is the product's own", "LIMIT": "page sizes are the product's own",
	"OFFSET": "pages are the product's own", "GROUP": "records are read one by one", "HAVING": "records are read one by one",
	"WITH": "data categories and security clauses are not supported", "USING": "list scopes are not supported",
	"FOR": "FOR VIEW and FOR UPDATE are not supported", "ALL": "deleted records are found by the product itself",
}

func (p *parser) unexpected(t token) error {
	if t.kind == tokenName {
		word := strings.ToUpper(t.text)
		if hint, ok := clauses[word]; ok {
			return p.fail(t, hint, "%s does not belong in a condition", word)
		}
	}
	if t.kind == tokenClose {
		return p.fail(t, "remove it, or open it with (", "unexpected %s", t.describe())
	}
	return p.fail(t, "conditions are joined by AND or OR", "unexpected %s", t.describe())
}

// condition = NOT simple | simple {AND simple} | simple {OR simple}
func (p *parser) condition(depth int) (Expr, error) {
	if depth > maxNesting {
		return nil, p.fail(p.peek(), "", "more than %d parentheses inside one another", maxNesting)
	}
	if not := p.peek(); not.is("NOT") {
		p.take()
		if second := p.peek(); second.is("NOT") {
			return nil, p.fail(second, "write NOT (NOT …)", "NOT after NOT needs parentheses")
		}
		term, err := p.simple(depth)
		if err != nil {
			return nil, err
		}
		if t := p.peek(); t.is("AND") || t.is("OR") {
			return nil, p.fail(t, "write (NOT …) "+strings.ToUpper(t.text)+" …", "%s after NOT needs parentheses", strings.ToUpper(t.text))
		}
		return Not{term}, nil
	}
	first, err := p.simple(depth)
	if err != nil {
		return nil, err
	}
	terms := []Expr{first}
	joined := ""
	for p.peek().is("AND") || p.peek().is("OR") {
		word := p.take()
		upper := strings.ToUpper(word.text)
		if joined != "" && joined != upper {
			return nil, p.fail(word, "SOQL does not choose between them: write (a AND b) OR c, or a AND (b OR c)", "%s after %s needs parentheses", upper, joined)
		}
		joined = upper
		if t := p.peek(); t.is("NOT") {
			return nil, p.fail(t, "write "+upper+" (NOT …)", "NOT after %s needs parentheses", upper)
		}
		term, err := p.simple(depth)
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
	if joined == "OR" {
		return AnyOf(terms...), nil
	}
	return AllOf(terms...), nil
}

// simple = ( condition ) | comparison
func (p *parser) simple(depth int) (Expr, error) {
	t := p.peek()
	switch t.kind {
	case tokenOpen:
		p.take()
		e, err := p.condition(depth + 1)
		if err != nil {
			return nil, err
		}
		if end := p.take(); end.kind != tokenClose {
			if end.kind == tokenEnd {
				return nil, p.fail(t, "close it with )", "the parenthesis that opens here is not closed")
			}
			return nil, p.unexpected(end)
		}
		return e, nil
	case tokenName:
		return p.comparison()
	case tokenEnd:
		return nil, p.fail(t, "write a comparison, such as Incoming = true", "the condition ends where a comparison should follow")
	}
	return nil, p.fail(t, "a comparison begins with a field, such as Incoming = true", "unexpected %s where a field should stand", t.describe())
}

var comparisonOps = map[string]Op{"=": Equal, "!=": NotEqual, "<>": NotEqual, "<": Less, "<=": LessOrEqual, ">": Greater, ">=": GreaterOrEqual}

func (p *parser) comparison() (Expr, error) {
	if p.terms++; p.terms > maxTerms {
		return nil, p.fail(p.peek(), "", "more than %d comparisons", maxTerms)
	}
	name := p.take()
	path := name.text
	word := strings.ToUpper(path)
	if _, clause := clauses[word]; clause {
		return nil, p.unexpected(name)
	}
	switch word {
	case "AND", "OR", "NOT", "IN", "LIKE", "INCLUDES", "EXCLUDES", "NULL", "TRUE", "FALSE", "TYPEOF":
		return nil, p.fail(name, "a comparison begins with a field, such as Incoming = true", "unexpected %s where a field should stand", word)
	}
	if p.peek().kind == tokenOpen {
		return nil, p.fail(name, "compare the field itself", "the function %s() is not supported", clip(path))
	}
	if err := CheckPath(path); err != nil {
		var f *fault.Error
		errors.As(err, &f) // CheckPath returns nothing else
		return nil, p.fail(name, f.Hint, "%s", err)
	}
	op := p.take()
	switch {
	case op.kind == tokenOp:
		canonical, ok := comparisonOps[op.text]
		if !ok {
			return nil, p.fail(op, "SOQL compares with = != < <= > >=", "unknown operator %s", op.describe())
		}
		value, err := p.literal(false)
		if err != nil {
			return nil, err
		}
		return Comparison{path, canonical, value}, nil
	case op.is("LIKE"):
		if t := p.peek(); t.kind != tokenString {
			return nil, p.fail(t, "write a pattern such as 'Acme%'", "LIKE needs a string, not %s", t.describe())
		}
		value, err := p.literal(true)
		if err != nil {
			return nil, err
		}
		return Comparison{path, Like, value}, nil
	case op.is("IN"):
		return p.list(path, IsIn)
	case op.is("INCLUDES"):
		return p.list(path, Includes)
	case op.is("EXCLUDES"):
		return p.list(path, Excludes)
	case op.is("NOT"):
		if in := p.take(); !in.is("IN") {
			return nil, p.fail(op, "write (NOT "+path+" …)", "NOT between a field and %s", in.describe())
		}
		return p.list(path, IsNotIn)
	case op.is("IS"):
		return nil, p.fail(op, "write "+path+" = null or "+path+" != null", "IS is not a SOQL operator")
	case op.is("BETWEEN"):
		return nil, p.fail(op, "write "+path+" >= a AND "+path+" <= b", "BETWEEN is not a SOQL operator")
	case op.kind == tokenEnd || op.kind == tokenClose || op.is("AND") || op.is("OR"):
		return nil, p.fail(op, "write "+path+" = true if it is a checkbox", "the field %s is compared with nothing", clip(path))
	}
	return nil, p.fail(op, "SOQL compares with = != < <= > >= LIKE IN NOT IN INCLUDES EXCLUDES", "unknown operator %s", op.describe())
}

func (p *parser) list(path string, op Op) (Expr, error) {
	open := p.take()
	if open.kind != tokenOpen {
		return nil, p.fail(open, "write "+path+" "+string(op)+" ('a', 'b')", "%s needs a list in parentheses, not %s", op, open.describe())
	}
	if t := p.peek(); t.is("SELECT") {
		return nil, p.fail(t, "list the values, or compare a parent path such as Parent.Status", "a subquery (semi-join) is not supported")
	}
	var values []Literal
	for {
		t := p.peek()
		value, err := p.literal(false)
		if err != nil {
			return nil, err
		}
		if (op == Includes || op == Excludes) && value.Kind != String {
			return nil, p.fail(t, "write "+path+" "+string(op)+" ('a;b', 'c')", "%s takes strings, not %s", op, value.Kind)
		}
		values = append(values, value)
		switch t := p.take(); t.kind {
		case tokenComma:
		case tokenClose:
			return In{path, op, values}, nil
		case tokenEnd:
			return nil, p.fail(open, "close it with )", "the list that opens here is not closed")
		default:
			return nil, p.fail(t, "values are separated by commas", "unexpected %s in a list", t.describe())
		}
	}
}

var currencyShape = regexp.MustCompile(`^[A-Za-z]{3}[0-9]+(\.[0-9]*)?$`)

func (p *parser) literal(pattern bool) (Literal, error) {
	t := p.take()
	switch t.kind {
	case tokenString:
		text, err := unquote(t.text, pattern)
		if err != nil {
			var f *fault.Error
			errors.As(err, &f) // unquote returns nothing else
			return Literal{}, p.fail(t, f.Hint, "%s in %s", f.Message, t.describe())
		}
		if n := utf8.RuneCountInString(text); n > maxLiteral {
			return Literal{}, p.fail(t, "", "the string has %d characters; Salesforce takes %d", n, maxLiteral)
		}
		if pattern {
			return Literal{Kind: Pattern, Text: text}, nil
		}
		return StringLiteral(text), nil
	case tokenName:
		switch {
		case t.is("SELECT"):
			return Literal{}, p.fail(t, "list the values", "a subquery is not supported")
		case p.peek().kind == tokenOpen:
			return Literal{}, p.fail(t, "write the value itself", "the function %s() is not supported", t.describe())
		case currencyShape.MatchString(t.text):
			return Literal{}, p.fail(t, "write the number alone; it is compared in the user's currency", "the currency literal %s is not supported", t.describe())
		}
	case tokenBare:
	case tokenOpen:
		return Literal{}, p.fail(t, "write one value", "unexpected %s where a value should stand", t.describe())
	default:
		return Literal{}, p.fail(t, "write a value, text in single quotes", "%s where a value should stand", t.describe())
	}
	value, err := scanBare(t.text)
	if err != nil {
		var f *fault.Error
		errors.As(err, &f) // scanBare returns nothing else
		return Literal{}, p.fail(t, f.Hint, "%s", f.Message)
	}
	return value, nil
}
