package store

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/secret"
)

// Which keys a program has is in the name that its connections have at the server, so that nobody is told to seal
// with a key that a running program cannot open with. Ids are no secrets: each sealed value begins with one.
const (
	ringMark = " keys="
	// nameMax is as long as PostgreSQL lets an application_name be.
	nameMax = 63
)

// ringSuffix is what follows a program's name; ids that find no room become one "…".
func ringSuffix(ring *secret.KeyRing) string {
	if ring == nil {
		return ""
	}
	const unsaid = "..." // an application_name is ASCII
	suffix := ringMark
	for i, id := range ring.KeyIDs() {
		if i > 0 {
			suffix += ","
		}
		if len(suffix)+len(id) > nameMax-len("authsvc")-len(unsaid)-1 {
			return suffix + unsaid
		}
		suffix += id
	}
	return suffix
}

// Ring is the key ring of programs that are connected to the database right now.
type Ring struct {
	Program string   `json:"program"`
	Address string   `json:"address"` // from where, "" = this machine's socket
	Keys    []string `json:"keys"`    // ids in the ring's order; the last one is "..." when there are more; none of an older release, which says nothing
}

// Seals is the id of the key that the programs seal with, "" when that is not known.
func (r Ring) Seals() string {
	if len(r.Keys) == 0 {
		return ""
	}
	return r.Keys[0]
}

// Opens tells whether the ring is known to hold a key.
func (r Ring) Opens(id string) bool {
	for _, k := range r.Keys {
		if k == id || k == "..." {
			return true
		}
	}
	return false
}

// Rings lists the key rings of the programs that are connected, each once for an address; starters are left out,
// they are gone when they are done.
func (s *Store) Rings(ctx context.Context) ([]Ring, error) {
	const op = "see which keys the programs have"
	rows, err := s.pool.Query(ctx, `
		select distinct split_part(application_name, $1, 1), coalesce(host(client_addr), ''), split_part(application_name, $1, 2)
		from pg_stat_activity
		where datname = current_database() and application_name not like 'starter%'
		  and (application_name like '%' || $1 || '%' or application_name in ('worker', 'authsvc'))
		order by 1, 2, 3`, ringMark)
	if err != nil {
		return nil, translate(op, err)
	}
	rings, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Ring, err error) {
		var ids string
		err = row.Scan(&r.Program, &r.Address, &ids)
		if r.Keys = []string{}; ids != "" {
			r.Keys = strings.Split(ids, ",")
		}
		return r, err
	})
	return rings, translate(op, err)
}
