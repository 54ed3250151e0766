package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/openapi"
)

// described holds an answer against the description of its operation. Every answer in this
// package's tests goes through it, so what is described is what is answered.
func described(t *testing.T, pattern string, status int, raw []byte) {
	t.Helper()
	path := pathOf(pattern)
	if path == "" {
		return // nothing is at that path
	}
	method, _, _ := strings.Cut(pattern, " ")
	place := []string{"paths", path, strings.ToLower(method), "responses", "200", "content", "application/json", "schema"}
	if status != http.StatusOK {
		place = []string{"components", "schemas", "Error"}
	}
	schema, err := compiled(place...)
	require.NoError(t, err, "the description of %s", pattern)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	require.NoError(t, err)
	require.NoError(t, schema.Validate(value), "%s answered other than internal/openapi describes it:\n%s", pattern, raw)
}

// pathOf is the path under which a route is described; "" when there is no such route.
func pathOf(pattern string) string {
	method, path, _ := strings.Cut(pattern, " ")
	for _, r := range routes {
		if r.method == method && slices.Contains(r.patterns, path) {
			if documented := documentedPaths(r); len(documented) > 0 {
				if slices.Contains(documented, path) {
					return path
				}
				return documented[0]
			}
		}
	}
	return ""
}

// documentedPaths are those of a route's patterns that the description has. The form of a name as one
// segment is described once, in words.
func documentedPaths(r route) (paths []string) {
	all, _ := openapi.Document()["paths"].(map[string]any)
	for _, p := range r.patterns {
		if item, ok := all[p].(map[string]any); ok && item[strings.ToLower(r.method)] != nil {
			paths = append(paths, p)
		}
	}
	return paths
}

var schemas struct {
	sync.Mutex
	compiler *jsonschema.Compiler
}

func compiled(place ...string) (*jsonschema.Schema, error) {
	schemas.Lock()
	defer schemas.Unlock()
	if schemas.compiler == nil {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(openapi.JSON())))
		if err != nil {
			return nil, err
		}
		schemas.compiler = jsonschema.NewCompiler()
		schemas.compiler.AssertFormat()
		if err := schemas.compiler.AddResource("openapi.json", document); err != nil {
			return nil, err
		}
	}
	at := "openapi.json#"
	for _, key := range place {
		at += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(key)
	}
	return schemas.compiler.Compile(at)
}

func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	operations := map[string]openapi.Operation{}
	for _, op := range openapi.Operations() {
		operations[op.Method+" "+op.Path] = op
		assert.NotEmpty(t, op.Tag, "%s %s", op.Method, op.Path)
		assert.NotEmpty(t, op.Summary, "%s %s", op.Method, op.Path)
		for _, p := range op.Parameters {
			assert.NotEmpty(t, p.Description, "%s %s: %s", op.Method, op.Path, p.Name)
			assert.Equal(t, p.In == "path", strings.Contains(op.Path, "{"+p.Name+"}"), "%s %s: %s", op.Method, op.Path, p.Name)
		}
	}
	for _, r := range routes {
		paths := documentedPaths(r)
		assert.NotEmpty(t, paths, "%s %s is not described in internal/openapi", r.method, r.patterns)
		for _, path := range paths {
			assert.Equal(t, r.permission, operations[r.method+" "+path].Permission, "%s %s", r.method, path)
			delete(operations, r.method+" "+path)
		}
	}
	for _, op := range operations {
		assert.Fail(t, "described, but there is no such route", "%s %s", op.Method, op.Path)
	}
}

// Every schema of every answer and body can be compiled, whether a test asks for it or not.
func TestTheDescriptionIsSound(t *testing.T) {
	t.Parallel()
	document := openapi.Document()
	require.Equal(t, "3.1.0", document["openapi"])
	all, _ := document["components"].(map[string]any)["schemas"].(map[string]any)
	require.NotEmpty(t, all)
	raw := string(openapi.JSON())
	for name := range all {
		_, err := compiled("components", "schemas", name)
		assert.NoError(t, err, name)
		assert.True(t, strings.Contains(raw, `"#/components/schemas/`+name+`"`), "schema %s is not used", name)
	}
	var walk func(v any, at string)
	walk = func(v any, at string) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				assert.NotNil(t, openapi.Resolve(v), "%s names %s", at, ref)
			}
			for key, inner := range v {
				assert.NotNil(t, inner, "%s/%s is nothing: is a comma in a text without quotes?", at, key)
				walk(inner, at+"/"+key)
			}
		case []any:
			for _, inner := range v {
				walk(inner, at)
			}
		}
	}
	walk(document, "")
}

func TestTheDescriptionIsServedToAnybody(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	res, err := http.Get(b.server.URL + documentPath)
	require.NoError(t, err)
	defer res.Body.Close()
	<-b.records
	require.Equal(t, http.StatusOK, res.StatusCode)
	var served map[string]any
	require.NoError(t, json.NewDecoder(res.Body).Decode(&served))
	require.Equal(t, openapi.Document(), served)
}
