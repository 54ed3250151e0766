package simforce

import (
	"fmt"
	"strings"
)

// sharing says which rows users do not see. Everyone sees everything until a
// row or an owner is hidden. The first key is a user's id or "*" for everyone.
type sharing struct {
	rows    map[string]map[string]bool // row id
	owners  map[string]map[string]bool // object/owner id; object "" is every object
	viewAll map[string]map[string]bool // object; "" is every object, View All Data
	lacking map[string]map[string]bool // permission taken away
}

// shareLine is one entry of sharing in the state file.
type shareLine struct {
	Kind string `json:"kind"` // row, owner, view_all, lacking
	User string `json:"user"`
	What string `json:"what"`
	On   bool   `json:"on"`
}

func (s *sharing) kind(name string) *map[string]map[string]bool {
	switch name {
	case "row":
		return &s.rows
	case "owner":
		return &s.owners
	case "lacking":
		return &s.lacking
	}
	return &s.viewAll
}

func (s *sharing) set(l shareLine) {
	m := s.kind(l.Kind)
	if *m == nil {
		*m = map[string]map[string]bool{}
	}
	if (*m)[l.User] == nil {
		(*m)[l.User] = map[string]bool{}
	}
	if l.On {
		(*m)[l.User][l.What] = true
		return
	}
	if delete((*m)[l.User], l.What); len((*m)[l.User]) == 0 {
		delete(*m, l.User)
	}
}

// lines spreads the entries for the state file.
func (s *sharing) lines() []shareLine {
	var out []shareLine
	for _, kind := range []string{"row", "owner", "view_all", "lacking"} {
		for user, list := range *s.kind(kind) {
			for what := range list {
				out = append(out, shareLine{kind, user, what, true})
			}
		}
	}
	return out
}

// narrowed reports whether anything is hidden at all.
func (s *sharing) narrowed() bool { return len(s.rows) > 0 || len(s.owners) > 0 }

func (s *sharing) hides(user string, r *record) bool {
	owner := r.text("OwnerId")
	object := r.obj.lower
	for _, who := range []string{"*", user} {
		if s.rows[who][r.id()] || owner != "" && (s.owners[who][object+"/"+owner] || s.owners[who]["/"+owner]) {
			return true
		}
	}
	return false
}

// reads reports whether the user may see a row. Rows whose access is that of a
// parent, as the mails of a case, are hidden with it; View All on their object
// shows them all the same.
func (v view) reads(r *record) bool {
	if !v.sharing.narrowed() {
		return true
	}
	if v.viewsAll(r.obj.lower) {
		return true
	}
	if v.sharing.hides(v.user, r) {
		return false
	}
	for i, f := range r.obj.Fields {
		if !r.obj.follows(f) {
			continue
		}
		if id, _ := r.get(i).(string); id != "" && id != r.id() {
			if parent := v.find(id); parent != nil && !v.reads(parent) {
				return false
			}
		}
	}
	return true
}

// share changes one entry; user "" or "*" means everyone.
func (s *Server) share(orgName, user, kind string, on bool, what func(*org) (string, error)) error {
	return s.mutate(orgName, "", func(o *org) error {
		who := "*"
		if user != "" && user != "*" {
			id, err := o.userID(user)
			if err != nil {
				return err
			}
			who = id
		}
		name, err := what(o)
		if err != nil {
			return err
		}
		l := shareLine{kind, who, name, on}
		o.sharing.set(l)
		o.journal(stateLine{Org: o.id, Share: &l})
		if kind == "view_all" || kind == "lacking" {
			o.permit(s.now())
		}
		if kind == "lacking" {
			o.schemaMoved(s.now()) // objects come and go with it
			o.journal(o.hiddenLine())
		}
		return nil
	})
}

// SetRowVisible hides a row from a user or shows it again. No stamp moves. user
// "" or "*" means everyone. Rows whose access follows the row go with it: the
// mails, comments, feed items and history of a case.
func (s *Server) SetRowVisible(orgName, user, id string, visible bool) error {
	return s.share(orgName, user, "row", !visible, func(o *org) (string, error) {
		long, _ := ID18(id)
		if o.find(long) == nil {
			return "", fmt.Errorf("no row %q in org %s", id, o.name)
		}
		return long, nil
	})
}

// SetOwnerVisible hides the rows of an owner from a user or shows them again,
// now and as they change hands. object "" means every object; owner is a user's
// name or id, or the id of a queue. No stamp moves.
func (s *Server) SetOwnerVisible(orgName, user, object, owner string, visible bool) error {
	return s.share(orgName, user, "owner", !visible, func(o *org) (string, error) {
		if object != "" && o.table(object) == nil {
			return "", fmt.Errorf("no object %q in org %s", object, o.name)
		}
		id, ok := ID18(owner)
		if !ok || o.find(id) == nil {
			var err error
			if id, err = o.userID(owner); err != nil {
				return "", err
			}
		}
		return strings.ToLower(object) + "/" + id, nil
	})
}

// SetViewAll gives a user the View All permission on an object or takes it away:
// with it no row of the object is hidden. Field-level security stays. object ""
// is View All Data, the same for every object. user "" or "*" means everyone.
func (s *Server) SetViewAll(orgName, user, object string, on bool) error {
	return s.share(orgName, user, "view_all", on, func(o *org) (string, error) {
		if object != "" && o.table(object) == nil {
			return "", fmt.Errorf("no object %q in org %s", object, o.name)
		}
		return strings.ToLower(object), nil
	})
}
