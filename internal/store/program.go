package store

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
)

// What a program is has its place in the name of its connections at the server: the schema it was built for, and which keys
// it has. So nobody is told to seal with a key that a running program cannot open with, and nothing is done beside a program
// that would undo it. Ids of keys are no secrets: each sealed value begins with one.
const (
	schemaMark = " schema="
	ringMark   = " keys="
	// nameMax is as long as PostgreSQL lets an application_name be.
	nameMax = 63
)

// connectionName is what a program's connections are called; ids of keys that find no room become one "…".
func connectionName(program string, schema int, ring *secret.KeyRing) string {
	name := program + schemaMark + strconv.Itoa(schema)
	if ring == nil {
		return name
	}
	const unsaid = "..." // an application_name is ASCII
	name += ringMark
	for i, id := range ring.KeyIDs() {
		if i > 0 {
			name += ","
		}
		if len(name)+len(id) > nameMax-len(unsaid)-1 {
			return name + unsaid
		}
		name += id
	}
	return name
}

// Program is programs that are connected to the database right now, as they say of themselves.
type Program struct {
	Name    string   `json:"program"`
	Address string   `json:"address"` // from where, "" = this machine's socket
	Schema  int      `json:"schema"`  // the schema version it was built for; 0 of an older release, which does not say
	Keys    []string `json:"keys"`    // ids in its ring's order; the last one is "..." when there are more; none of an older release
}

// Place names the program with where it runs.
func (p Program) Place() string {
	if p.Address == "" {
		return p.Name
	}
	return p.Name + " at " + p.Address
}

// Seals is the id of the key that the programs seal with, "" when that is not known.
func (p Program) Seals() string {
	if len(p.Keys) == 0 {
		return ""
	}
	return p.Keys[0]
}

// Opens tells whether the ring is known to hold a key.
func (p Program) Opens(id string) bool {
	for _, k := range p.Keys {
		if k == id || k == "..." {
			return true
		}
	}
	return false
}

// programOf reads what connectionName wrote, in this release or in one before.
func programOf(name string) Program {
	p := Program{Keys: []string{}}
	name, ids, _ := strings.Cut(name, ringMark)
	if ids != "" {
		p.Keys = strings.Split(ids, ",")
	}
	var schema string
	p.Name, schema, _ = strings.Cut(name, schemaMark)
	p.Schema, _ = strconv.Atoi(schema)
	return p
}

// Programs lists what is connected, each once for an address, and nobody who is no program of this product. Starters
// are left out, they are gone when they are done.
func (s *Store) Programs(ctx context.Context) ([]Program, error) {
	const op = "see which programs are connected"
	list, err := programs(ctx, s.pool)
	return list, translate(op, err)
}

func programs(ctx context.Context, in interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}) ([]Program, error) {
	rows, err := in.Query(ctx, `
		select distinct application_name, coalesce(host(client_addr), '')
		from pg_stat_activity
		where datname = current_database() and application_name not like 'starter%'
		  and (application_name like '%' || $1 || '%' or application_name like '%' || $2 || '%' or application_name in ('worker', 'authsvc'))
		order by 1, 2`, schemaMark, ringMark)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Program, error) {
		var name, address string
		err := row.Scan(&name, &address)
		p := programOf(name)
		p.Address = address
		return p, err
	})
}

// forgottenVersion is the schema version since which workers know what is forgotten.
const forgottenVersion = 21

// knowForgotten refuses while a worker is connected that would take again what is being forgotten. One that is started later
// is no danger: workers of that age start on no schema but their own.
func knowForgotten(ctx context.Context, tx pgx.Tx) error {
	all, err := programs(ctx, tx)
	if err != nil {
		return err
	}
	var ignorant []string
	for _, p := range all {
		if p.Name == "worker" && p.Schema < forgottenVersion {
			ignorant = append(ignorant, p.Place())
		}
	}
	if len(ignorant) == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "a program of an older release runs that would bring back what is erased: %s", strings.Join(ignorant, ", ")).
		WithHint("stop it, or replace it by this release's, and repeat the command")
}
