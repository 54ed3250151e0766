package main

import (
	"maps"
	"slices"
	"strings"
)

// environ is a set of environment variables. The program reads its own once, at
// the start, and builds its children's from them.
type environ map[string]string

func readEnviron(list []string) environ {
	env := environ{}
	for _, kv := range list {
		if name, value, ok := strings.Cut(kv, "="); ok {
			env[name] = value
		}
	}
	return env
}

// list returns KEY=value lines, sorted.
func (e environ) list() []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(e)) {
		list = append(list, name+"="+e[name])
	}
	return list
}

// with returns a copy with more variables.
func (e environ) with(more environ) environ {
	all := maps.Clone(e)
	maps.Copy(all, more)
	return all
}

// productVariables are those our programs and the database driver read, by name or by prefix.
var productVariables = []string{
	"DATABASE_URL", "TEMPORAL_", "PUBLIC_URL", "LISTEN_ADDR", "ENCRYPTION_KEYS", "SALESFORCE_",
	"METRICS_ADDR", "ADMIN_", "PGHOST", "PGPORT", "PGUSER", "PGPASS", "PGDATABASE", "PGSERVICE", "PGSSL", "PGOPTIONS",
}

// withoutProduct returns a copy without the product's variables, so that what is
// started here can never reach a database or a server that the caller's shell names.
func (e environ) withoutProduct() environ {
	rest := environ{}
	for name, value := range e {
		if !slices.ContainsFunc(productVariables, func(p string) bool { return strings.HasPrefix(name, p) }) {
			rest[name] = value
		}
	}
	return rest
}
