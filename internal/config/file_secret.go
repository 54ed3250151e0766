package config

import (
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"salesforcesync/internal/secret"
)

// secretKeys are the ways in which a file gives a secret.
func secretKeys(key string) []string { return []string{key, key + "_env", key + "_file"} }

// secret reads a secret from wherever the file says. No message shows it.
func (r *fileReader) secret(keys map[string]*yaml.Node, where, key string) secret.Text {
	given := slices.DeleteFunc(secretKeys(key), func(k string) bool { return keys[k] == nil })
	if len(given) == 0 {
		return ""
	}
	n := keys[given[0]]
	if r.checks.NoSecrets {
		r.problem(n, "%s: secrets have fields of their own here: take the line out of the file", given[0])
		return ""
	}
	if len(given) > 1 {
		r.problem(keys[given[1]], "%s: %s say the same thing twice: keep one", where, strings.Join(given, " and "))
		return ""
	}
	var value string
	switch given[0] {
	case key:
		// Older secrets are digits only, which YAML takes for a number; the digits as written are the secret.
		value = r.textOrNumber(n, key)
	case key + "_env":
		name := r.text(n, given[0])
		if name == "" {
			return ""
		}
		if value = r.checks.Lookup(name); value == "" {
			r.problem(n, "%s: the environment variable %s is not set", given[0], clip(name))
		}
	default:
		path := r.text(n, given[0])
		if path == "" {
			return ""
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(r.dir, path)
		}
		data, err := r.checks.ReadFile(path)
		if err != nil {
			r.problem(n, "%s: %v", given[0], err)
			return ""
		}
		if value = strings.TrimSpace(string(data)); value == "" {
			r.problem(n, "%s: %s is empty", given[0], clip(path))
		}
	}
	return secret.Text(value)
}
