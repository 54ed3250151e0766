package openapi

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed base.yaml paths/*.yaml
var files embed.FS

// Permission is the extension of an operation that names the permission it needs on the
// project, or on the whole installation. An operation without it needs none.
const Permission = "x-permission"

// Document is the whole description as a tree of maps, lists, texts and numbers, as
// encoding/json would make it. It is read once and must not be changed.
var Document = sync.OnceValue(func() map[string]any {
	document, err := read(files)
	if err != nil {
		panic("the description of the API: " + err.Error()) // it is in the program: a test finds it
	}
	return document
})

// JSON is the document as it is served.
var JSON = sync.OnceValue(func() []byte {
	out, err := json.Marshal(Document())
	if err != nil {
		panic("the description of the API: " + err.Error())
	}
	return out
})

// read puts base.yaml and the files of paths/ together. Each of those may have paths and schemas;
// what two files have is an error.
func read(from fs.FS) (map[string]any, error) {
	document := map[string]any{}
	if err := readFile(from, "base.yaml", &document); err != nil {
		return nil, err
	}
	names, err := fs.Glob(from, "paths/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		part := struct {
			Paths   map[string]any
			Schemas map[string]any
		}{}
		if err := readFile(from, name, &part); err != nil {
			return nil, err
		}
		if err := add(document, part.Paths, "paths"); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := add(document, part.Schemas, "components", "schemas"); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	// What YAML calls an integer JSON calls a number.
	raw, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	clear(document)
	return document, json.Unmarshal(raw, &document)
}

func readFile(from fs.FS, name string, into any) error {
	raw, err := fs.ReadFile(from, name)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(strings.NewReader(string(raw)))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// add puts the members of part into the object at a place of the document.
func add(document, part map[string]any, place ...string) error {
	for _, key := range place {
		inner, ok := document[key].(map[string]any)
		if !ok {
			inner = map[string]any{}
			document[key] = inner
		}
		document = inner
	}
	for key, value := range part {
		if _, twice := document[key]; twice {
			return fmt.Errorf("%s is described twice", key)
		}
		document[key] = value
	}
	return nil
}

// Operation is one request that the API answers.
type Operation struct {
	Method     string // GET
	Path       string // /api/v1/sources/{project}/{source}
	Permission string // that it needs; "" for none
	Tag        string // the part of the API that it belongs to
	Summary    string
	// Description is Markdown without markup but `code`; "" for none.
	Description string
	Parameters  []Parameter
	Body        []Field // that it takes
	Answers     []Answer
}

// Parameter is what a path or a query may carry.
type Parameter struct {
	Name, In, Description, Type string
	Required                    bool
}

// Answer is one status that an operation may answer with.
type Answer struct {
	Status, Description string
	Fields              []Field // of its JSON, without status
}

// Field is a member of a body: `comments[].messages[].body.text`.
type Field struct {
	Name, Type, Description string
}

// Operations lists all operations by tag, in the order in which the document has its tags, then by path and method.
func Operations() []Operation {
	var tags []string
	for _, tag := range list(Document()["tags"]) {
		tags = append(tags, text(tag, "name"))
	}
	var out []Operation
	paths, _ := Document()["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, _ := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(item)) {
			if method == "parameters" {
				continue
			}
			out = append(out, operation(method, path, item))
		}
	}
	slices.SortStableFunc(out, func(a, b Operation) int { return slices.Index(tags, a.Tag) - slices.Index(tags, b.Tag) })
	return out
}

func operation(method, path string, item map[string]any) Operation {
	o, _ := item[method].(map[string]any)
	op := Operation{
		Method: strings.ToUpper(method), Path: path, Permission: text(o, Permission),
		Summary: text(o, "summary"), Description: text(o, "description"),
	}
	if tags := list(o["tags"]); len(tags) > 0 {
		op.Tag, _ = tags[0].(string)
	}
	for _, p := range append(slices.Clone(list(item["parameters"])), list(o["parameters"])...) {
		p = Resolve(p)
		required, _ := p.(map[string]any)["required"].(bool)
		op.Parameters = append(op.Parameters, Parameter{
			Name: text(p, "name"), In: text(p, "in"), Description: text(p, "description"), Type: typeOf(p), Required: required,
		})
	}
	op.Body = fieldsOf(nil, "", contentOf(o["requestBody"]))
	answers, _ := o["responses"].(map[string]any)
	for _, status := range slices.Sorted(maps.Keys(answers)) {
		op.Answers = append(op.Answers, Answer{Status: status, Description: text(Resolve(answers[status]), "description"), Fields: fieldsOf(nil, "", contentOf(answers[status]))})
	}
	return op
}

// Resolve follows a reference within the document; what is none is itself.
func Resolve(v any) any {
	ref := text(v, "$ref")
	if ref == "" {
		return v
	}
	at := any(Document())
	for key := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		inner, _ := at.(map[string]any)
		at = inner[strings.NewReplacer("~1", "/", "~0", "~").Replace(key)]
	}
	return at
}

func typeOf(parameter any) string {
	p, _ := parameter.(map[string]any)
	return typeIn(Resolve(p["schema"]))
}

// typeIn is a schema's type in a word or two: "string", "date-time or null", "number".
func typeIn(schema any) string {
	s, _ := schema.(map[string]any)
	var types []string
	for _, t := range append(list(s["type"]), s["type"]) {
		if name, ok := t.(string); ok {
			types = append(types, name)
		}
	}
	if format := text(s, "format"); format != "" && len(types) > 0 {
		types[0] = format
	}
	values := slices.Clone(list(s["enum"]))
	if value, ok := s["const"]; ok {
		values = append(values, value)
	}
	if len(values) > 0 {
		types = nil
		for _, v := range values {
			types = append(types, fmt.Sprint(v))
		}
	}
	return strings.Join(types, " or ")
}

// contentOf is the schema of a JSON body; nil for none.
func contentOf(body any) any {
	at, _ := Resolve(body).(map[string]any)
	for _, key := range []string{"content", "application/json"} {
		at, _ = at[key].(map[string]any)
	}
	return at["schema"]
}

// deepest is how far into a body its fields are told: schemas may hold themselves.
const deepest = 8

// fieldsOf lists what an object of this schema has, and what its members have, by name.
func fieldsOf(fields []Field, name string, schema any) []Field {
	if strings.Count(name, ".") > deepest {
		return fields
	}
	s, _ := Resolve(schema).(map[string]any)
	for _, choice := range append(slices.Clone(list(s["oneOf"])), list(s["anyOf"])...) {
		fields = fieldsOf(fields, name, choice)
	}
	if items, ok := s["items"]; ok {
		return fieldsOf(fields, name+"[]", items)
	}
	members, _ := s["properties"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if name == "" && key == "status" {
			continue
		}
		at := strings.TrimPrefix(name+"."+key, ".")
		described := text(members[key], "description")
		if described == "" {
			described = text(Resolve(members[key]), "description")
		}
		fields = append(fields, Field{Name: at, Type: typeIn(Resolve(members[key])), Description: described})
		fields = fieldsOf(fields, at, members[key])
	}
	return fields
}

func text(v any, key string) string {
	object, _ := v.(map[string]any)
	s, _ := object[key].(string)
	return s
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
