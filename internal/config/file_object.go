package config

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// ReservedProperties are names the comments API or the web page gives a meaning of their own.
var ReservedProperties = []string{"conversation", "title", "Source"}

// maxPropertyName bounds a property's name, in characters.
const maxPropertyName = 256

func (r *fileReader) objects(n *yaml.Node) []Object {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.problem(n, "objects: must be a list, each entry beginning with \"- object:\", not %s", kind(n))
		return nil
	}
	if len(n.Content) > maxObjects {
		r.problem(n, "objects: %d entries, more than %d", len(n.Content), maxObjects)
		return nil
	}
	var objects []Object
	lines := map[string]int{}
	for _, entry := range n.Content {
		entry = resolve(entry)
		o := r.object(entry)
		if o.Object == "" {
			continue
		}
		key := strings.ToLower(o.Object)
		if first, twice := lines[key]; twice {
			r.problem(entry, "objects: %s is listed twice, first in line %d", clip(o.Object), first)
			continue
		}
		lines[key] = entry.Line
		objects = append(objects, o)
	}
	return objects
}

func (r *fileReader) object(n *yaml.Node) Object {
	o := Object{Deleted: DeletedTombstone}
	keys := r.mapping(n, "objects", append([]string{"object", "preset", "where", "properties", "deleted"}, Parts...))
	if keys == nil {
		return o
	}
	if v, ok := keys["object"]; ok {
		if o.Object = r.text(v, "object"); o.Object != "" {
			r.reject(v, "object", r.checks.Name(o.Object))
		}
	} else {
		r.problem(n, "objects: an entry has no object: name the Salesforce object, such as EmailMessage")
	}
	if v, ok := keys["preset"]; ok {
		o.Preset = r.preset(v, o.Object)
	}
	if v, ok := keys["where"]; ok {
		if o.Where = r.text(v, "where"); o.Where != "" {
			r.reject(v, "where", r.checks.Where(o.Where))
		}
	}
	for _, part := range Parts {
		v, ok := keys[part]
		if !ok {
			continue
		}
		if path := r.text(v, part); path != "" {
			r.reject(v, part, r.checks.Path(path))
			if o.Fields == nil {
				o.Fields = FieldMap{}
			}
			o.Fields[part] = path
		}
	}
	if v, ok := keys["properties"]; ok {
		o.Properties = r.properties(v)
	}
	if v, ok := keys["deleted"]; ok {
		o.Deleted = r.deleted(v)
	}
	if _, named := keys["preset"]; !named {
		r.checkParts(n, o, keys)
	}
	return o
}

// checkParts says what an object without a preset still lacks.
func (r *fileReader) checkParts(n *yaml.Node, o Object, keys map[string]*yaml.Node) {
	who := "objects: " + clip(o.Object)
	if o.Object == "" {
		who = "objects: an entry"
	}
	if _, ok := keys["timestamp"]; !ok {
		r.problem(n, "%s has no preset and no timestamp: name the field that says when it was written, such as timestamp: CreatedDate", who)
	}
	_, body := keys["body"]
	_, subject := keys["subject"]
	if !body && !subject {
		r.problem(n, "%s has no preset, no body and no subject: name the field that holds the text", who)
	}
}

// preset reads the preset of an object.
func (r *fileReader) preset(n *yaml.Node, object string) string {
	preset := r.text(n, "preset")
	if preset == "" {
		return ""
	}
	fits, known := PresetObjects[preset]
	switch {
	case !known:
		r.problem(n, "preset: %q is unknown%s (available: %s)", clip(preset), suggest(preset, Presets), strings.Join(Presets, ", "))
		return ""
	case object != "" && !slices.ContainsFunc(fits, func(name string) bool { return strings.EqualFold(name, object) }):
		r.problem(n, "preset: %s is for %s, not for %s: leave it out and name the fields instead", preset, strings.Join(fits, " and "), clip(object))
	}
	return preset
}

func (r *fileReader) deleted(n *yaml.Node) string {
	policies := []string{DeletedKeep, DeletedTombstone, DeletedErase}
	value := r.text(n, "deleted")
	if value != "" && !slices.Contains(policies, value) {
		r.problem(n, "deleted: %q is not one of %s%s", clip(value), strings.Join(policies, ", "), suggest(value, policies))
	}
	return value
}

func (r *fileReader) properties(n *yaml.Node) []Property {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.problem(n, "properties: must be lines of \"Name: Salesforce.Path\", not %s", kind(n))
		return nil
	}
	if len(n.Content)/2 > maxProperties {
		r.problem(n, "properties: %d names, more than %d", len(n.Content)/2, maxProperties)
		return nil
	}
	var properties []Property
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), resolve(n.Content[i+1])
		name, ok := r.propertyName(key)
		if !ok {
			continue
		}
		if first, twice := lines[name]; twice {
			r.problem(key, "properties: %q is there twice, first in line %d", clip(name), first)
			continue
		}
		lines[name] = key.Line
		path := r.text(value, "properties: "+clip(name))
		if path == "" {
			continue
		}
		r.reject(value, "properties: "+clip(name), r.checks.Path(path))
		properties = append(properties, Property{Name: name, Path: path})
	}
	return properties
}

func (r *fileReader) propertyName(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || n.ShortTag() == "!!merge" {
		r.problem(n, "properties: a name must be text, not %s", kind(n))
		return "", false
	}
	name := n.Value
	switch {
	case strings.TrimSpace(name) != name || name == "":
		r.problem(n, "properties: the name %q is empty or has spaces around it", clip(name))
	case utf8.RuneCountInString(name) > maxPropertyName:
		r.problem(n, "properties: the name %q has %d characters, more than %d", clip(name), utf8.RuneCountInString(name), maxPropertyName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		r.problem(n, "properties: the name %q holds a control character", clip(name))
	case slices.Contains(ReservedProperties, name):
		r.problem(n, "properties: the name %s is reserved: choose another", name)
	default:
		return name, true
	}
	return "", false
}
