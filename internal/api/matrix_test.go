package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// caller is one column of the matrix.
type caller struct {
	name   string
	grants []store.Grant // nil = holds nothing
}

// callers are every role on support, every single permission that a route names, and who may do
// everything on another project, which must open nothing here.
func callers(b *bench) []caller {
	list := []caller{{name: "nothing"}, {name: "root"}}
	for _, role := range access.Roles() {
		list = append(list, caller{"role-" + role.Name, []store.Grant{{Project: role.Place("support"), Role: role.Name}}})
		if role.Name == access.ProjectAdmin { // who has the most that can be had on a project
			list = append(list, caller{"away-" + role.Name, []store.Grant{{Project: "sales", Role: role.Name}}})
		}
	}
	named := map[string]bool{}
	for _, r := range routes {
		if r.permission == "" || named[r.permission] {
			continue
		}
		named[r.permission] = true
		g, err := access.Grant("", r.permission)
		require.NoError(b.t, err, "%s %v names no permission there is", r.method, r.patterns)
		if !access.IsGlobal(r.permission) {
			g.Project = "support"
		}
		list = append(list, caller{"only-" + r.permission, []store.Grant{g}})
	}
	for i, c := range list {
		switch {
		case c.name == "root":
			list[i].grants = []store.Grant{{Role: access.Administrator}}
		case b.tokens[c.name] == "":
			b.user(c.name, c.grants...)
		}
	}
	return list
}

var unfilled = regexp.MustCompile(`[{}]`)

// Every route × every caller, through the handlers that serve. A route that is added to the table is
// tested here without anybody thinking of it; one whose path has a new kind of place fails until paths
// knows how to fill it.
func TestEveryRouteForEveryRole(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{RequestsPerSecond: 1e6, Burst: 1e6})
	b.seed.Mail(b.source, madeOfRecord, time.Now(), "subject", "body")
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), thread_id = '5f'`)
	b.record1("Thanks.", "live")
	all := callers(b)
	// What changes something is not done a hundred times over; that it would have been is enough.
	reached := fault.New(fault.Conflict, "reached")
	stubbed := make([]route, len(routes))
	for i, r := range routes {
		if stubbed[i] = r; writes(r) {
			stubbed[i].handle = func(*API, *call) (reply, error) { return nil, reached }
		}
	}
	stubs := b.beside(newAPI(b.db, b.access, Options{RequestsPerSecond: 1e6, Burst: 1e6}, stubbed))

	before := b.everything()
	tested := 0
	for i, r := range routes {
		require.NotEmpty(t, r.patterns)
		if r.on != onNobody && r.on != onListed {
			require.NotEmpty(t, r.permission, "%s %v must name a permission", r.method, r.patterns)
		}
		for j, path := range paths(b, r) {
			require.False(t, unfilled.MatchString(path), "paths does not know how to fill %s", path)
			rule := Rules()[ruleOf(i)]
			for _, who := range []string{"", "bad"} {
				a := b.do(r.method, path, who, "")
				require.Equal(t, http.StatusUnauthorized, a.status, "%s %s as %q: %s", r.method, path, who, a.raw)
				require.Contains(t, a.header.Get("WWW-Authenticate"), "Bearer")
				require.NotContains(t, a.raw, "emails")
			}
			for _, c := range all {
				if j > 0 && strings.HasPrefix(c.name, "away-") {
					continue // the other spellings lead through the same check
				}
				tested++
				on := b
				if writes(r) && rule.For(c.grants, "support") == access.Allowed {
					on = stubs
				}
				a := on.do(r.method, path, c.name, "")
				what := []any{"%s %s as %s: %s", r.method, path, c.name, a.raw}
				switch rule.For(c.grants, "support") {
				case access.Allowed:
					if writes(r) {
						require.Equal(t, "409 Conflict: reached", a.body["message"], what...)
						break
					}
					require.Equal(t, http.StatusOK, a.status, what...)
				case access.Empty:
					require.Equal(t, http.StatusOK, a.status, what...)
					require.NotContains(t, a.raw, "emails", what...)
					require.NotContains(t, a.raw, "support", what...)
				case access.Forbidden:
					require.Equal(t, http.StatusForbidden, a.status, what...)
					require.Contains(t, a.body["message"], r.permission, what...)
				case access.Hidden:
					require.Equal(t, http.StatusNotFound, a.status, what...)
					other := strings.NewReplacer("support", "nowhere", b.source, "0123456789abcdef", b.users["reader"], "0123456789abcdef")
					require.Equal(t, b.do(r.method, other.Replace(path), c.name, "").raw, other.Replace(a.raw), "told as one that does not exist")
				}
			}
		}
	}
	require.Greater(t, tested, 500)
	require.Equal(t, before, b.everything(), "nobody who was refused changed anything")
}

// ruleOf is the place among the rules of the first pattern of a route.
func ruleOf(i int) (at int) {
	for _, r := range routes[:i] {
		at += len(r.patterns)
	}
	return at
}

// beside is a bench of the same callers on another handler.
func (b *bench) beside(h http.Handler) *bench {
	other := *b
	other.serve(h)
	return &other
}

// everything is what a refused call might have changed.
func (b *bench) everything() []string {
	var all []string
	for _, table := range []string{"users", "user_permissions", "user_roles", "projects", "sources", "comments", "revisions", "ledger", "integrations"} {
		all = append(all, b.seed.Strings(`select t::text from `+table+` t order by 1`)...)
	}
	return all
}
