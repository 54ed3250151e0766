package simforce

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The people every simulator starts with. Passwords are not asked for.
const (
	// AdminUser administers the first org, Acme.
	AdminUser = "admin@acme.example"
	// SyncUser is Acme's integration user.
	SyncUser = "sync@acme.example"
	// OtherUser administers the second org, Globex.
	OtherUser = "admin@globex.example"
)

// seedOrgs makes the two orgs, empty, with ids that never change.
func (s *Server) seedOrgs() {
	changed := time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC)
	if now := s.now(); now.Before(changed) {
		changed = now.AddDate(0, 0, -1)
	}
	for i, name := range []string{"Acme", "Globex"} {
		pod := []string{"dM", "gB"}[i]
		o := newOrg(makeID("00D", pod, 4_100_000+uint64(i)), name, pod, changed)
		o.journal, o.sim = s.journalLine, s
		s.orgs = append(s.orgs, o)
	}
}

// seedOthers writes what is not mail: users, queues, the org row, and the tiny
// data of the second org.
func (s *Server) seedOthers() {
	born := s.now().AddDate(0, -6, 0)
	people := [][][3]string{
		{{AdminUser, "Avery", "Stone"}, {SyncUser, "Sync", "Integration"}, {"lena@acme.example", "Lena", "Brandt"}, {"tomas@acme.example", "Tomás", "Rey"}},
		{{OtherUser, "Gil", "Bex"}},
	}
	for i, o := range s.orgs {
		first := ""
		for _, p := range people[i] {
			id := o.newID(o.table("User").obj)
			if first == "" {
				first = id
			}
			o.must(change{object: "User", user: first, now: born, system: true, fields: Row{
				"Id": id, "Username": p[0], "FirstName": p[1], "LastName": p[2], "Email": p[0],
				"Alias": strings.ToLower(cut(p[1], 8)), "Title": "Support",
			}})
		}
		o.must(change{object: "Organization", user: first, now: born, system: true, fields: Row{"Id": o.id, "Name": o.name}})
		for n, name := range caseStatuses {
			o.must(change{object: "CaseStatus", user: first, now: born, system: true, fields: Row{
				"MasterLabel": name, "ApiName": name, "SortOrder": n + 1, "IsDefault": n == 0, "IsClosed": name == "Closed",
			}})
		}
		for _, queue := range []string{"Support", "Billing"} {
			o.must(change{object: "Group", user: first, now: born, system: true, fields: Row{"Name": queue, "DeveloperName": queue, "Type": "Queue"}})
		}
	}
	globex := s.orgs[1]
	user := globex.firstUser()
	account := globex.must(change{object: "Account", user: user, now: born, fields: Row{"Name": "Globex Test Account"}})
	contact := globex.must(change{object: "Contact", user: user, now: born, fields: Row{"LastName": "Doe", "FirstName": "Jo", "Email": "jo@globex.example", "AccountId": account.id()}})
	c := globex.must(change{object: "Case", user: user, now: born, fields: Row{"Subject": "Hello from Globex", "ContactId": contact.id(), "AccountId": account.id(), "Origin": "Email"}})
	globex.must(change{object: "EmailMessage", user: user, now: born, fields: Row{
		"ParentId": c.id(), "Subject": "Hello from Globex", "TextBody": "Only Globex may read this.", "FromAddress": "jo@globex.example",
		"FromName": "Jo Doe", "ToAddress": "help@globex.example", "Incoming": true, "MessageIdentifier": "<hello@globex.example>",
	}})
}

// must is apply for data of our own making; a refusal is a mistake in this package.
func (o *org) must(c change) *record {
	r, err := o.apply(c)
	if err != nil {
		panic(fmt.Sprintf("simforce seed %s: %v", c.object, err))
	}
	return r
}

// firstUser is the org's administrator.
func (o *org) firstUser() string {
	best, born := "", time.Time{}
	for id, r := range o.table("User").rows {
		at := r.v[r.obj.created].(time.Time)
		if best == "" || at.Before(born) || at.Equal(born) && id < best {
			best, born = id, at
		}
	}
	return best
}

// userInfo is a user as the OAuth endpoints need it.
type userInfo struct {
	id, org, orgName, name, email, first, last, full, alias, zone string
	active                                                        bool
	updated                                                       time.Time
}

// users lists all users of all orgs, org by org.
func (s *Server) users() []*userInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*userInfo
	for _, o := range s.orgs {
		o.table("User").each(func(r *record) bool {
			active, _ := r.get(r.obj.field("IsActive")).(bool)
			out = append(out, &userInfo{
				id: r.id(), org: o.id, orgName: o.name, name: r.text("Username"), email: r.text("Email"), first: r.text("FirstName"),
				last: r.text("LastName"), full: r.text("Name"), alias: r.text("Alias"), zone: r.text("TimeZoneSidKey"),
				active: active && !r.deleted(), updated: r.v[r.obj.modified].(time.Time),
			})
			return true
		})
	}
	return out
}

func (s *Server) userNamed(name string) *userInfo {
	return s.findUser(func(u *userInfo) bool { return strings.EqualFold(u.name, name) })
}

func (s *Server) userByID(id string) *userInfo {
	return s.findUser(func(u *userInfo) bool { return u.id == id })
}

func (s *Server) findUser(match func(*userInfo) bool) *userInfo {
	all := s.users()
	if i := slices.IndexFunc(all, match); i >= 0 {
		return all[i]
	}
	return nil
}

// serveIndex is the page for a person who opens the simulator in a browser.
func (s *Server) serveIndex(w http.ResponseWriter, _ *http.Request) {
	type entry struct {
		Name, ID string
		Counts   []string
	}
	var orgs []entry
	s.mu.RLock()
	for _, o := range s.orgs {
		e := entry{Name: o.name, ID: o.id}
		for _, obj := range o.objects() {
			if n := o.table(obj.Name).size(); n > 0 {
				e.Counts = append(e.Counts, fmt.Sprintf("%s %d", obj.Name, n))
			}
		}
		orgs = append(orgs, e)
	}
	s.mu.RUnlock()
	render(w, indexPage, map[string]any{"Title": "Simulated Salesforce", "Base": s.BaseURL(), "Orgs": orgs})
}
