package config

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// mapping gives the values of a mapping by key. Unknown and repeated keys are
// problems; where names the mapping for people, "" for the file itself. It is nil for
// what is not a mapping.
func (r *fileReader) mapping(n *yaml.Node, where string, known []string) map[string]*yaml.Node {
	in := ""
	if where != "" {
		in = " in " + where
	}
	if n.Kind != yaml.MappingNode {
		if where == "" {
			where = "the file"
		}
		r.problem(n, "%s: must hold \"key: value\" lines, not %s", where, kind(n))
		return nil
	}
	keys := map[string]*yaml.Node{}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), resolve(n.Content[i+1])
		if key.Kind != yaml.ScalarNode {
			r.problem(key, "a key%s must be text, not %s", in, kind(key))
			continue
		}
		name := key.Value
		if !slices.Contains(known, name) {
			r.problem(key, "unknown key %q%s%s", clip(name), in, suggest(name, known))
			continue
		}
		if first, twice := lines[name]; twice {
			r.problem(key, "key %s%s is there twice, first in line %d", name, in, first)
			continue
		}
		lines[name] = key.Line
		keys[name] = value
	}
	return keys
}

// text gives a text value; anything else is a problem and reads as "". Text is
// without spaces around it.
func (r *fileReader) text(n *yaml.Node, key string) string {
	if n.Kind == yaml.ScalarNode {
		switch n.ShortTag() {
		case "!!str":
			return r.notEmpty(n, key)
		case "!!null":
			r.problem(n, "%s: has no value: give one or remove the line", key)
			return ""
		}
	}
	hint := ""
	if n.Kind == yaml.ScalarNode {
		hint = ": write it in quotes"
	}
	r.problem(n, "%s: must be text, not %s%s", key, kind(n), hint)
	return ""
}

// textOrNumber is text that YAML may take for a number; its digits are kept as written.
func (r *fileReader) textOrNumber(n *yaml.Node, key string) string {
	if n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float") {
		return n.Value
	}
	return r.text(n, key)
}

func (r *fileReader) notEmpty(n *yaml.Node, key string) string {
	value := strings.TrimSpace(n.Value)
	switch {
	case value == "":
		r.problem(n, "%s: is empty: give a value or remove the line", key)
	case strings.ContainsRune(value, 0):
		r.problem(n, "%s: holds a NUL character", key)
		return ""
	}
	return value
}

// kind names what a node is, for people.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "\"key: value\" lines"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "a time"
	case "!!merge":
		return "a merge"
	}
	return "a value of type " + n.ShortTag()
}

// clip shortens what a person wrote for a message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}

// suggest gives `: did you mean "x"?` for the nearest of known, or "".
func suggest(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return ": did you mean " + strconv.Quote(near) + "?"
	}
	return ""
}

// Nearest gives the candidate that word most likely misspells, or "" when none is near.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", 1+max(1, len(word)/3)
	if len(word) > 256 {
		return ""
	}
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours
// that turn a into b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
