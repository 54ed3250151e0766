package simforce

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Write says how a record is written through the control endpoint or the
// methods of the same name.
type Write struct {
	// Org is an org's id or name; "" is the first, Acme.
	Org string `json:"org,omitempty"`
	// Fields may hold read-only ones too, CreatedDate included.
	Fields Row `json:"fields"`
	// User writes; the org's administrator when empty. A username or an id.
	User string `json:"user,omitempty"`
	// Stamp becomes SystemModstamp and LastModifiedDate instead of now.
	Stamp time.Time `json:"stamp,omitzero"`
	// Quiet leaves LastModifiedDate as it is, like a job of the platform.
	Quiet bool `json:"quiet,omitempty"`
	// Still leaves SystemModstamp as it is too: the change goes unseen.
	Still bool `json:"still,omitempty"`
	// Tx is the open transaction the write belongs to. CommitAfter instead makes
	// it a transaction of its own that commits so many seconds later.
	Tx          string  `json:"tx,omitempty"`
	CommitAfter float64 `json:"commit_after,omitempty"`
}

func (s *Server) orgOf(name string) (*org, error) {
	if o := s.org(name); o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("no org %q: take an id or a name of GET /_sim/orgs", name)
}

func (o *org) userID(user string) (string, error) {
	if user == "" {
		return o.firstUser(), nil
	}
	t := o.table("User")
	if id, ok := ID18(user); ok && t.rows[id] != nil {
		return id, nil
	}
	for id, r := range t.rows {
		if strings.EqualFold(r.text("Username"), user) {
			return id, nil
		}
	}
	return "", fmt.Errorf("no user %q in org %s", user, o.name)
}

// all spreads a record with its formulas.
func (o *org) all(r *record) Row {
	out := r.row()
	for i, f := range r.obj.Fields {
		out[f.Name] = o.value(r, i)
	}
	return out
}

func (s *Server) changeOf(o *org, object, id string, w Write) (change, error) {
	user, err := o.userID(w.User)
	return change{
		object: object, id: id, fields: w.Fields, user: user, now: s.now(), stamp: w.Stamp, system: true, quiet: w.Quiet, still: w.Still,
	}, err
}

// writing runs f for a Write: in its transaction, in one of its own, or at once.
func (s *Server) writing(w *Write, f func(*org) error) error {
	if w.CommitAfter < 0 || w.CommitAfter > 0 && w.Tx != "" {
		return fmt.Errorf("commit_after must be positive seconds, and not be given together with tx")
	}
	if w.CommitAfter == 0 {
		return s.mutate(w.Org, w.Tx, f)
	}
	t, err := s.Begin(w.Org)
	if err != nil {
		return err
	}
	if err := s.mutate(w.Org, t.id, f); err != nil {
		return errors.Join(err, t.Rollback())
	}
	return t.CommitAfter(time.Duration(w.CommitAfter * float64(time.Second)))
}

func (s *Server) store(object, id string, w Write) (row Row, err error) {
	err = s.writing(&w, func(o *org) error {
		c, err := s.changeOf(o, object, id, w)
		if err != nil {
			return err
		}
		r, e := o.apply(c)
		if e != nil {
			return e
		}
		row = o.all(r)
		return nil
	})
	return row, err
}

// deletion says how rows are removed by the present knobs.
func (s *Server) deletion(hard bool) deletion {
	k := s.Knobs()
	return deletion{at: s.now(), hard: hard, logged: k.HardDeletesLogged, cascade: k.CascadeDelete}
}

// CreateRecord writes a new row and returns all of it. An EmailMessage may have
// ToIds, CcIds and BccIds, lists of contacts and users: they become
// EmailMessageRelation rows and leave the address fields.
func (s *Server) CreateRecord(object string, w Write) (Row, error) {
	return s.store(object, "", w)
}

// UpdateRecord changes a row and returns all of it. It stamps the row and
// nothing else: children and parents keep their stamps.
func (s *Server) UpdateRecord(object, id string, w Write) (Row, error) {
	if id == "" {
		return nil, fmt.Errorf("update %s: an id is needed", object)
	}
	return s.store(object, id, w)
}

// DeleteRecord deletes a row and what cascades from it. Softly, the rows stay
// in the recycle bin with IsDeleted and a new stamp; hard leaves nothing.
// What becomes of the children, and whether getDeleted knows a hard deletion,
// are knobs.
func (s *Server) DeleteRecord(orgName, id string, hard bool) error {
	return s.deleteRow(orgName, "", id, hard)
}

func (s *Server) deleteRow(orgName, tx, id string, hard bool) error {
	return s.mutate(orgName, tx, func(o *org) error { return refused(o.remove(id, s.deletion(hard))) })
}

// UndeleteRecord takes a row out of the recycle bin, with what was deleted
// along with it.
func (s *Server) UndeleteRecord(orgName, id string) error {
	return s.undeleteRow(orgName, "", id)
}

func (s *Server) undeleteRow(orgName, tx, id string) error {
	return s.mutate(orgName, tx, func(o *org) error { return refused(o.undelete(id, s.deletion(false))) })
}

// Records returns every committed row of an object in Id order, deleted ones
// included, with all fields whoever may see them. Values are string, bool, int64,
// float64, time.Time or nil.
func (s *Server) Records(orgName, object string) ([]Row, error) {
	s.settle()
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, err := s.orgOf(orgName)
	if err != nil {
		return nil, err
	}
	t := o.table(object)
	if t == nil {
		return nil, fmt.Errorf("no object %q in org %s", object, o.name)
	}
	out := make([]Row, 0, t.size())
	t.each(func(r *record) bool {
		out = append(out, o.all(r))
		return true
	})
	return out, nil
}

// Record returns one row as Records does.
func (s *Server) Record(orgName, id string) (Row, error) {
	s.settle()
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, err := s.orgOf(orgName)
	if err != nil {
		return nil, err
	}
	id, _ = ID18(id)
	r := o.find(id)
	if r == nil {
		return nil, errNotFound()
	}
	return o.all(r), nil
}

// OrgInfo names an org and its users.
type OrgInfo struct {
	ID    string            `json:"id"`
	Name  string            `json:"name"`
	Users map[string]string `json:"users"` // username → id
}

// Orgs lists the orgs.
func (s *Server) Orgs() []OrgInfo {
	var out []OrgInfo
	for _, o := range s.orgs {
		info := OrgInfo{ID: o.id, Name: o.name, Users: map[string]string{}}
		for _, u := range s.users() {
			if u.org == o.id {
				info.Users[u.name] = u.id
			}
		}
		out = append(out, info)
	}
	return out
}

// SetVisible hides an object ("Case") or a field ("Case.Subject") from a user,
// or shows it again. user "" or "*" means everyone.
func (s *Server) SetVisible(orgName, user, what string, visible bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.orgOf(orgName)
	if err != nil {
		return err
	}
	who := "*"
	if user != "" && user != "*" {
		if who, err = o.userID(user); err != nil {
			return err
		}
	}
	object, field, dotted := strings.Cut(what, ".")
	t := o.table(object)
	if t == nil {
		return fmt.Errorf("no object %q in org %s", object, o.name)
	}
	if dotted {
		i := t.obj.field(field)
		if i < 0 {
			return fmt.Errorf("no field %q on %s", field, t.obj.Name)
		}
		if t.obj.Fields[i].System {
			return fmt.Errorf("field %s has no field-level security", what)
		}
	}
	o.hide(who, what, !visible)
	o.schemaMoved(s.now())
	o.journal(o.hiddenLine())
	if !dotted {
		o.permit(s.now())
	}
	return nil
}

func (o *org) hide(user, what string, is bool) {
	if o.hidden[user] == nil {
		o.hidden[user] = map[string]bool{}
	}
	if is {
		o.hidden[user][strings.ToLower(what)] = true
	} else {
		delete(o.hidden[user], strings.ToLower(what))
	}
}

// schemaMoved sets the Last-Modified of describe; it always moves on, so that a
// change within one second is seen.
func (o *org) schemaMoved(now time.Time) {
	now = now.Truncate(time.Second)
	if !now.After(o.schemaChanged) {
		now = o.schemaChanged.Add(time.Second)
	}
	o.schemaChanged = now
}

// AddObject adds an object to an org, or fields to one that is there. With an
// empty org name it goes to all orgs. Id, IsDeleted and the audit fields come by
// themselves; rows that exist get null in new fields.
func (s *Server) AddObject(orgName string, def Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	orgs := s.orgs
	if orgName != "" {
		o, err := s.orgOf(orgName)
		if err != nil {
			return err
		}
		orgs = []*org{o}
	}
	if def.Name == "" {
		return fmt.Errorf("object needs a name")
	}
	for _, f := range def.Fields {
		if f == nil || f.Name == "" || !slices.Contains(knownTypes, f.Type) {
			return fmt.Errorf("object %s: a field needs a name and a type of %v", def.Name, knownTypes)
		}
	}
	for _, o := range orgs {
		if err := o.extend(def, s.now()); err != nil {
			return err
		}
	}
	return nil
}

var knownTypes = []FieldType{
	TypeReference, TypeBoolean, TypeString, TypePicklist, TypeCombobox, TypePhone, TypeURL, TypeEmail, TypeTextarea,
	TypeDatetime, TypeDate, TypeDouble, TypeInt, TypeAny, TypeBase64, TypeCurrency, TypePercent,
	TypeMultipicklist, TypeEncrypted, TypeTime,
}

func (o *org) extend(def Object, now time.Time) error {
	t := o.table(def.Name)
	var next *Object
	if t != nil {
		next = t.obj.clone()
		for _, f := range def.Fields {
			if next.field(f.Name) < 0 {
				g := *f
				next.Fields = append(next.Fields, &g)
			}
		}
		if len(next.Fields) == len(t.obj.Fields) {
			return nil // all of them are there
		}
	} else {
		if len(def.KeyPrefix) != 3 || o.byPrefix[def.KeyPrefix] != nil {
			return fmt.Errorf("object %s needs a free key prefix of three characters, not %q", def.Name, def.KeyPrefix)
		}
		own := def.clone()
		next = object(def.Name, def.Label, def.Plural, def.KeyPrefix, own.Fields...)
		next.ReadOnly, next.NoReplication, next.NoUndelete = def.ReadOnly, def.NoReplication, def.NoUndelete
		next.NoStamp, next.NoModified, next.NoCreated, next.NoBulk, next.NoWhole = def.NoStamp, def.NoModified, def.NoCreated, def.NoBulk, def.NoWhole
		next.audited()
	}
	for _, f := range next.Fields {
		if f.Label == "" {
			f.Label = f.Name
		}
		if f.Length == 0 && f.text() {
			f.Length = 255
		}
		if f.Type == TypeReference {
			f.Length = 18
		}
	}
	next.prepare()
	o.schemaMoved(now)
	o.setObject(next, o.schemaChanged)
	o.journal(stateLine{Org: o.id, Schema: next, Changed: o.schemaChanged})
	if t == nil && o.permitted {
		o.permit(now)
	}
	return nil
}

// setObject puts a schema in place, moving rows of an older one over.
func (o *org) setObject(obj *Object, changed time.Time) {
	for _, f := range obj.Fields {
		if v, err := convert(f, f.Default); err == nil {
			f.Default = v
		}
	}
	obj.prepare()
	o.schemaChanged = changed
	old := o.table(obj.Name)
	o.addObject(obj)
	if old == nil {
		return
	}
	t := o.table(obj.Name)
	t.graves, t.log, t.logFrom = old.graves, old.log, old.logFrom
	if old.stock != nil {
		t.stock = old.stock.fitted(obj)
	}
	for _, r := range old.rows {
		moved := &record{obj: obj, v: make([]any, len(obj.Fields)), deletedWith: r.deletedWith}
		for i, f := range old.obj.Fields {
			if at := obj.field(f.Name); at >= 0 && i < len(r.v) {
				moved.v[at] = r.v[i]
			}
		}
		t.put(moved)
	}
}

// KillSessions ends the access tokens of a user, or of everyone when username
// is empty. Refresh tokens stay good. It returns how many ended.
func (s *Server) KillSessions(username string) int {
	id := s.idOf(username)
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	n := 0
	for token, sess := range s.auth.sessions {
		if username == "" || sess.user == id {
			s.endSession(token)
			n++
		}
	}
	return n
}

// RevokeGrants revokes refresh tokens and sessions of a user, or of everyone
// when username is empty, as an administrator would. It returns how many.
func (s *Server) RevokeGrants(username string) int {
	id := s.idOf(username)
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	n := 0
	for _, g := range s.auth.grants {
		if !g.Revoked && (username == "" || g.User == id) {
			s.revokeGrant(g)
			n++
		}
	}
	return n
}

func (s *Server) idOf(username string) string {
	if u := s.userNamed(username); u != nil {
		return u.id
	}
	return "nobody"
}

// SetQuotaUsed makes the count of API calls of the rolling day what it says, as
// if they had all been made in the present hour.
func (s *Server) SetQuotaUsed(orgName string, used int) error {
	o, err := s.orgOf(orgName)
	if err != nil {
		return err
	}
	s.quota.set(o.id, used, s.now())
	return nil
}
