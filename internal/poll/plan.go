package poll

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// Plan is how one object is read, made by Check from the integration file and
// describe, and stored with the object as JSON. Everything is in Salesforce's spelling.
type Plan struct {
	Object       string           `json:"object"`
	Fields       []string         `json:"fields"`          // what a query selects
	Where        string           `json:"where,omitempty"` // canonical: the preset's, start_from's and the file's condition
	Cursor       Cursor           `json:"cursor"`
	Recipe       transform.Recipe `json:"recipe"`
	Recipients   *Recipients      `json:"recipients,omitempty"` // mails are read with their relations
	Notes        []string         `json:"notes,omitempty"`      // what the plan cannot do, for people
	Dependencies []Dependency     `json:"dependencies,omitempty"`
	Left         []string         `json:"left,omitempty"`   // preset fields that are not visible and never were
	Frozen       []Frozen         `json:"frozen,omitempty"` // what was visible and is not now
	Lost         []Lost           `json:"lost,omitempty"`   // parents that cannot be followed now
	// Divisible objects have a CreatedDate that conditions may name: backfills read them in parts.
	Divisible bool `json:"divisible,omitempty"`
	// Replicateable objects have a log of deletes and a mark of what is settled (getDeleted, getUpdated).
	Replicateable bool `json:"replicateable,omitempty"`
}

// Frozen is a path of the mapping that can no longer be read. It is left out of queries;
// what it fed keeps its last value. See package transform.
type Frozen struct {
	Path  string    `json:"path"`
	Since time.Time `json:"since"` // when a check saw it first
	// Order is where the read order stood then: records read since may lack something.
	Order int64 `json:"order"`
}

// Lost is a dependency that cannot be followed now, and how far it had been: from there
// it goes on.
type Lost struct {
	Path   string         `json:"path"`
	Parent string         `json:"parent"`
	Hi     store.Position `json:"hi"`
}

func (p *Plan) frozen(path string) (Frozen, bool) {
	i := slices.IndexFunc(p.Frozen, func(f Frozen) bool { return f.Path == path })
	if i < 0 {
		return Frozen{}, false
	}
	return p.Frozen[i], true
}

// note says what the plan cannot do, once.
func (p *Plan) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(p.Notes, text) {
		p.Notes = append(p.Notes, text)
	}
}

// scanFields are what a scan selects: enough to tell whether the store has a row.
func (p *Plan) scanFields() []string {
	fields := []string{transform.PathID}
	if stamp := p.followed(); stamp != "" {
		fields = append(fields, stamp)
	}
	if _, ok := p.Recipe.Types[transform.PathDeleted]; ok {
		fields = append(fields, transform.PathDeleted)
	}
	return fields
}

// seen reads a row that has at least the fields of a scan.
func (p *Plan) seen(row json.RawMessage) (store.Seen, error) {
	at, err := positionOf(row, p.followed())
	if err != nil {
		return store.Seen{}, err
	}
	rec, err := salesforce.Decode(row, salesforce.Fields{transform.PathDeleted: salesforce.TypeBoolean})
	if err != nil {
		return store.Seen{}, fault.Wrap(fault.Transient, err, "read a row")
	}
	deleted, _ := rec.Bool(transform.PathDeleted)
	return store.Seen{Position: at, Deleted: deleted}, nil
}

// Dependency is a parent object on a property path: when it changes, children are read again.
type Dependency struct {
	Path   string `json:"path"`    // relation path, "Parent.Account"
	IDPath string `json:"id_path"` // the path of the parent's Id from the child, "Parent.AccountId"
	Parent string `json:"parent"`  // "Account"
	Stamp  string `json:"stamp"`   // the parent's date to follow
	// Rarely is for parents that scans of tails follow, once a minute, and not every look for news.
	Rarely bool `json:"rarely,omitempty"`
	// Back turns the dependency round: the "parent" has this lookup to the record.
	Back string `json:"back,omitempty"`
}

// dependency finds the plan's word on a stored dependency.
func (p *Plan) dependency(d store.Dependency) (Dependency, bool) {
	i := slices.IndexFunc(p.Dependencies, func(have Dependency) bool { return have.Path == d.Path && have.Parent == d.Parent })
	if i < 0 {
		return Dependency{}, false
	}
	return p.Dependencies[i], true
}

// query asks for parents.
func (d Dependency) query(where soql.Expr, order []soql.Order, limit int) (string, error) {
	return soql.Select{Fields: []string{transform.PathID, d.Stamp}, From: d.Parent, Where: where, OrderBy: order, Limit: limit}.Build()
}

// plans keeps what was decoded: the same few plans are wanted with each look. They are shared, and
// never changed.
type plans struct {
	mu sync.RWMutex
	by map[string]*Plan
}

// keptPlans bounds how many: one takes some ten kilobytes. Integrations whose objects are configured
// alike have the same.
const keptPlans = 1000

// plan is the plan of an object's last good check.
func (s *Service) plan(o *store.TargetObject) (*Plan, error) {
	s.plans.mu.RLock()
	p := s.plans.by[string(o.Plan)]
	s.plans.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	p, err := decodePlan(o)
	if err != nil {
		return nil, err
	}
	s.plans.mu.Lock()
	defer s.plans.mu.Unlock()
	if s.plans.by == nil || len(s.plans.by) >= keptPlans {
		s.plans.by = map[string]*Plan{}
	}
	s.plans.by[string(o.Plan)] = p
	return p, nil
}

func decodePlan(o *store.TargetObject) (*Plan, error) {
	var p Plan
	if err := json.Unmarshal(o.Plan, &p); err != nil || p.Object == "" {
		return nil, fault.Wrap(fault.Internal, err, "read the plan of %s", o.Name)
	}
	for i := range p.Dependencies {
		if p.Dependencies[i].Stamp == "" { // a plan of 0.1.0, which followed nothing else
			p.Dependencies[i].Stamp = parentFields[0]
		}
	}
	return &p, nil
}

// condition is the plan's own condition; nil for none.
func (p *Plan) condition() (soql.Expr, error) {
	if p.Where == "" {
		return nil, nil
	}
	e, err := soql.Parse(p.Where)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "read the stored condition of %s", p.Object)
	}
	return e, nil
}

// query builds a query over the plan's object with the plan's condition and more.
func (p *Plan) query(fields []string, more soql.Expr, order []soql.Order, limit int) (string, error) {
	own, err := p.condition()
	if err != nil {
		return "", err
	}
	return soql.Select{Fields: fields, From: p.Object, Where: soql.AllOf(own, more), OrderBy: order, Limit: limit}.Build()
}

// least narrows a query down to next to nothing: a second in which no record was changed, or an Id
// that none has. What such a query is refused for is not how much it is about.
func (p *Plan) least() soql.Expr {
	if stamp := p.followed(); stamp != "" {
		return soql.Compare(stamp, soql.Equal, soql.DateTimeLiteral(firstStamp))
	}
	return soql.OneOf(transform.PathID, salesforce.FirstID)
}

// byKeyset is the order of every live read: without the Id the order inside one
// second is arbitrary and a page could skip rows.
func byKeyset(stamp string) []soql.Order {
	return []soql.Order{{Field: stamp}, {Field: transform.PathID}}
}

// after is everything behind p; nil for everything there is.
func after(stamp string, p store.Position) soql.Expr {
	if p.IsZero() {
		return nil
	}
	return soql.Past(stamp, p.Stamp, p.ID)
}
