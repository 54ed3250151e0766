package simforce

import (
	"fmt"
	"strings"
)

// Visible lists an object's rows as a user sees them, in Id order: those of
// queryAll, so rows in the recycle bin and archived activities are among them,
// with IsDeleted and IsArchived to tell. A row maps every path to its value: the
// fields the user sees, and those of parents one level up by a dotted name, as
// "Parent.CaseNumber" and "Owner.Name", nil where there is no parent. With paths
// given it is these alone, up to five levels up, under their names in canonical
// case. It costs no API request and meets no fault.
func (s *Server) Visible(orgName, user, object string, paths ...string) ([]Row, error) {
	var out []Row
	err := s.seeing(orgName, user, func(v view) error {
		return v.seen(object, paths, func(columns []*boundPath, r *record) { out = append(out, rowOf(columns, r)) })
	})
	return out, err
}

// seen visits the rows of an object that the user sees, in Id order.
func (v view) seen(object string, paths []string, visit func([]*boundPath, *record)) error {
	t := v.object(object)
	if t == nil {
		return fmt.Errorf("the user sees no object %q", object)
	}
	columns, err := v.columns(t.obj, paths)
	if err != nil {
		return err
	}
	t.each(func(r *record) bool {
		if v.reads(r) {
			visit(columns, r)
		}
		return true
	})
	return nil
}

// Select runs a SOQL statement as a user, by queryAll when all is set, and
// returns the whole result in its order, every selected path under its name in
// canonical case. Of COUNT() it returns no rows: see Count. It costs no API
// request and meets no fault.
func (s *Server) Select(orgName, user, soql string, all bool) ([]Row, error) {
	var out []Row
	err := s.planned(orgName, user, soql, all, func(p *plan) {
		if p.query.Count {
			return
		}
		for _, r := range p.run(s.opts.Seed, soql) {
			out = append(out, rowOf(p.columns, r))
		}
	})
	return out, err
}

// Count is how many rows a SOQL statement gives a user, COUNT() or not.
func (s *Server) Count(orgName, user, soql string, all bool) (int, error) {
	n := 0
	err := s.planned(orgName, user, soql, all, func(p *plan) { n = p.count() })
	return n, err
}

// planned calls run with the plan of a statement, under the data lock.
func (s *Server) planned(orgName, user, soql string, all bool, run func(*plan)) error {
	return s.seeing(orgName, user, func(v view) error {
		p, e := s.compileText(v, soql, all)
		if e != nil {
			return e
		}
		run(p)
		return nil
	})
}

// seeing calls look with what a user sees of an org, under the data lock.
func (s *Server) seeing(orgName, user string, look func(view) error) error {
	s.settle()
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, err := s.orgOf(orgName)
	if err != nil {
		return err
	}
	id, err := o.userID(user)
	if err != nil {
		return err
	}
	return look(s.view(o, id))
}

// columns binds the paths given, or all fields and those of parents one level up.
func (v view) columns(obj *Object, paths []string) ([]*boundPath, error) {
	var out []*boundPath
	if len(paths) > 0 {
		for _, path := range paths {
			b, err := v.bind(obj, Path{Parts: strings.Split(path, ".")})
			if err != nil {
				return nil, err
			}
			out = append(out, b)
		}
		return out, nil
	}
	add := func(parts ...string) {
		// What is hidden, or no common field of a polymorphic parent, is left out.
		if b, err := v.bind(obj, Path{Parts: parts}); err == nil {
			out = append(out, b)
		}
	}
	for _, f := range obj.Fields {
		add(f.Name)
		switch {
		case f.Relationship == "":
		case f.polymorphic():
			for _, name := range nameFields {
				add(f.Relationship, name)
			}
		default:
			if parent := v.object(f.ReferenceTo[0]); parent != nil {
				for _, g := range parent.obj.Fields {
					add(f.Relationship, g.Name)
				}
			}
		}
	}
	return out, nil
}

func rowOf(columns []*boundPath, r *record) Row {
	out := make(Row, len(columns))
	for _, c := range columns {
		out[c.full] = c.value(r)
	}
	return out
}
