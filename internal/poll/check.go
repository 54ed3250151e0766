package poll

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/soql"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// tail is how far back a new dependency starts: its rows may become visible that late.
const tail = store.Tail

// Check asks describe whether every object, field, path and condition of the
// integration exists and is visible to the integration user, tries each query once,
// and stores a plan per object and a report for people. What is wrong with one object
// stops only that object; a field that was good before and is hidden now stops nothing
// but what it feeds. Errors are those of the call to Salesforce or the store: ask again.
func (s *Service) Check(ctx context.Context, p flow.CheckParams) (flow.CheckResult, error) {
	t, err := s.Store.LoadTarget(ctx, p.Project, p.Integration)
	if err != nil {
		return flow.CheckResult{}, err
	}
	c := &checking{service: s, target: t, org: s.Orgs.Org(t.IntegrationID)}
	if err := json.Unmarshal(t.Spec, &c.spec); err != nil {
		return flow.CheckResult{}, fault.Wrap(fault.Internal, err, "read the stored file of %s", c.spec.Name())
	}
	if c.schema, err = s.openSchema(ctx, t, c.org); err != nil {
		return flow.CheckResult{}, err
	}
	for i := range t.Objects {
		j, err := c.judge(ctx, &t.Objects[i])
		if err != nil {
			return flow.CheckResult{}, err
		}
		c.judged = append(c.judged, j)
	}
	return c.save(ctx)
}

// checking is one run of Check.
type checking struct {
	service *Service
	target  *store.Target
	spec    config.Integration
	org     Salesforce
	schema  *schema
	judged  []*judgement
}

// judgement is what a check says of one object.
type judgement struct {
	object *store.TargetObject
	want   config.Object
	before *Plan // the last good plan of the same mapping; nil for none
	plan   *Plan // nil when there is a problem
	store.CheckedObject
}

// judge compiles the object's plan and tries its query.
func (c *checking) judge(ctx context.Context, o *store.TargetObject) (*judgement, error) {
	j := &judgement{object: o, CheckedObject: store.CheckedObject{Name: o.Name}}
	if err := json.Unmarshal(o.Spec, &j.want); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "read the stored spec of %s", o.Name)
	}
	if had, err := decodePlan(o); err == nil {
		j.before = had
	}
	plan, err := c.compile(ctx, j)
	if err == nil {
		if err = c.service.try(ctx, c.org, plan, &j.CheckedObject); movedMeanwhile(err) {
			// What the query names was visible a moment ago.
			c.schema.forget()
			if plan, err = c.compile(ctx, j); err == nil {
				err = c.service.try(ctx, c.org, plan, &j.CheckedObject)
			}
		}
	}
	switch {
	case err == nil:
		j.plan = plan
		j.remember()
		if j.Plan, err = json.Marshal(plan); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "write the plan of %s", o.Name)
		}
	case errors.Is(err, secret.ErrUnknownKey), errors.Is(err, secret.ErrCannotOpen):
		return nil, err // our own key ring's trouble, not the object's
	case fault.Is(err, fault.Config, fault.Invalid, fault.Permission):
		j.Problem, j.Hint = err.Error(), fault.HintOf(err)
	default:
		return nil, err // passing: nothing is known about this object
	}
	return j, nil
}

func (c *checking) compile(ctx context.Context, j *judgement) (*Plan, error) {
	return compile(j.want, c.spec, c.schema.describe(ctx), j.before, Frozen{Since: c.target.ReadAt.UTC(), Order: c.target.ReadOrder})
}

// movedMeanwhile reports whether a query was refused for a name that describe had shown.
func movedMeanwhile(err error) bool {
	var e *fault.Error
	return errors.As(err, &e) && e.Kind == fault.Config && (e.Code == "INVALID_FIELD" || e.Code == "INVALID_TYPE")
}

// remember carries over what the plan before knew: where parents that could not be
// followed go on, and what must be read again because it can be read now.
func (j *judgement) remember() {
	if j.before == nil {
		return
	}
	lost := slices.Clone(j.before.Lost)
	for _, d := range j.object.Dependencies {
		if !slices.ContainsFunc(lost, func(l Lost) bool { return l.Path == d.Path && l.Parent == d.Parent }) {
			l := Lost{Path: d.Path, Parent: d.Parent, Hi: d.Hi}
			if !d.VerifiedTo.IsZero() && d.VerifiedTo.Before(l.Hi.Stamp) { // a late one may be between
				l.Hi = store.Position{Stamp: d.VerifiedTo}
			}
			lost = append(lost, l)
		}
	}
	for _, l := range lost {
		i := slices.IndexFunc(j.Dependencies, func(d store.Dependency) bool { return d.Path == l.Path && d.Parent == l.Parent })
		if i < 0 {
			j.plan.Lost = append(j.plan.Lost, l)
		} else if l.Hi.Stamp.Before(j.Dependencies[i].Hi.Stamp) {
			j.Dependencies[i].Hi = l.Hi
		}
	}
	j.Reread = reread(j.before, j.plan)
}

// reread is what the plan can read and the one before could not; nil for nothing.
func reread(before, now *Plan) *store.Reread {
	var again *store.Reread
	add := func(since int64, reason string) {
		if again == nil {
			again = &store.Reread{Since: since, Reason: reason}
		}
		again.Since = min(again.Since, since)
	}
	for _, f := range before.Frozen {
		if _, still := now.frozen(f.Path); !still {
			add(f.Order, f.Path+" of "+now.Object+" can be read again")
		}
	}
	for _, path := range before.Left {
		_, hidden := now.frozen(path)
		if !hidden && !slices.Contains(now.Left, path) {
			add(0, path+" of "+now.Object+" can be read")
		}
	}
	if before.Recipients == nil && now.Recipients != nil && !slices.Contains(before.Left, relationObject) {
		add(0, "recipients of "+now.Object+" are read from "+relationObject)
	}
	for _, path := range now.Fields {
		if _, known := before.Recipe.Types[path]; !known && !slices.Contains(before.Left, path) && slices.Contains(now.Recipe.Mapping.Paths(), path) {
			add(0, path+" of "+now.Object+" is read since this release") // the mapping in the file is the same
		}
	}
	for _, path := range now.Recipe.Mapping.Paths() {
		had, known := before.Recipe.Types[path]
		if is := now.Recipe.Types[path]; known && is != had {
			add(0, path+" of "+now.Object+" is of type "+string(is)+" now")
		}
	}
	return again
}

// save stores the verdicts, what changed in the schema, and the report.
func (c *checking) save(ctx context.Context) (flow.CheckResult, error) {
	result := flow.CheckResult{SpecVersion: c.target.SpecVersion, Objects: []flow.CheckedObject{}}
	report, err := c.report(ctx)
	if err != nil {
		return result, err
	}
	check := store.Check{SpecVersion: c.target.SpecVersion, Begun: c.target.ReadAt}
	for _, j := range c.judged {
		check.Objects = append(check.Objects, j.CheckedObject)
		result.Objects = append(result.Objects, flow.CheckedObject{Object: j.Name, Problem: j.Problem, Hint: j.Hint})
	}
	if check.Schema, err = c.changes(ctx); err != nil {
		return result, err
	}
	check.Schema.Answered = c.target.CheckRequests
	if check.Schema.Report, err = json.Marshal(report); err != nil {
		return result, fault.Wrap(fault.Internal, err, "write the report of the check")
	}
	return result, c.service.Store.SaveCheck(ctx, c.target.IntegrationID, check)
}

// try runs the object's query for one row: some refusals no describe foretells. That all of
// the object is too much for one query is none of them, reading asks in parts: then the query is tried
// with the least there is. The answer's clock is where new dependencies start.
func (s *Service) try(ctx context.Context, org Salesforce, plan *Plan, verdict *store.CheckedObject) error {
	ask := func(more soql.Expr) (page salesforce.Page, err error) {
		q, err := plan.query(plan.Fields, more, plan.order(), 1)
		if err != nil {
			return page, err
		}
		return org.Query(ctx, q, salesforce.QueryOptions{All: true})
	}
	page, err := ask(nil)
	if salesforce.TooBroad(err) {
		page, err = ask(plan.least())
	}
	if fault.Is(err, fault.Internal) {
		// A refusal that describe did not foretell, such as a literal that is no id. It is this object's alone.
		return fault.Wrap(fault.Config, err, "Salesforce refuses the query of %s", plan.Object).
			WithHint("compare the where and the fields of %s in the integration file with what Salesforce says here", plan.Object)
	}
	if err != nil {
		return err
	}
	from := page.ServerTime
	if from.IsZero() {
		return fault.New(fault.Transient, "query %s: the answer has no Date", plan.Object)
	}
	for _, d := range plan.Dependencies {
		verdict.Dependencies = append(verdict.Dependencies, store.Dependency{
			Path: d.Path, Parent: d.Parent, Hi: store.Position{Stamp: from.Add(-tail)},
		})
	}
	return nil
}

// compile makes the plan of one object. Errors are fault.Config or fault.Invalid
// for what the administrator must change, else describe's. before is the last good plan
// of the same mapping, or nil: what it could read and is hidden now is frozen, as frozen says.
func compile(want config.Object, spec config.Integration, describe salesforce.DescribeFunc, before *Plan, frozen Frozen) (*Plan, error) {
	if _, err := findPreset(want); err != nil {
		return nil, err
	}
	object, err := describe(want.Object)
	if err != nil {
		return nil, err
	}
	if !object.Queryable {
		return nil, fault.New(fault.Config, "%s cannot be queried", object.Name).WithHint("sync another object")
	}
	among := cursorFields
	if before != nil { // a position is one in the order by which it was followed
		among = slices.DeleteFunc([]string{before.followed()}, func(name string) bool { return name == "" })
	}
	stamp, cursor := chooseCursor(object, among)
	if before != nil && before.followed() != stamp.Name {
		return nil, fault.New(fault.Config, "%s was followed by %s, which cannot be read in order any more", object.Name, before.followed()).
			WithHint("give the integration user Read Access to %s.%s; or change what the file says of %s, and it is read again from its start", object.Name, before.followed(), object.Name)
	}
	plan := &Plan{Object: object.Name, Replicateable: object.Replicateable, Divisible: divisible(object), Cursor: cursor,
		Recipe: transform.Recipe{Stamp: stamp.Name, Types: transform.Types{}}}
	if stamp.Name != "" {
		plan.Recipe.Types[stamp.Name] = stamp.Type
	}
	c := compiler{plan: plan, describe: describe, before: before, frozen: frozen, instance: strings.TrimSuffix(spec.Connection.InstanceURL, "/") + "/"}
	if err := c.mapping(want); err != nil {
		return nil, err
	}
	if err := c.conditions(want, spec.StartFrom); err != nil {
		return nil, err
	}
	if deleted, ok := object.Field(transform.PathDeleted); ok {
		plan.Recipe.Types[transform.PathDeleted] = deleted.Type
	}
	plan.Fields = append(plan.Fields, transform.PathID)
	for _, path := range sortedPaths(plan.Recipe.Types) {
		if _, hidden := plan.frozen(path); path != transform.PathID && !hidden {
			plan.Fields = append(plan.Fields, path)
		}
	}
	return plan, nil
}

// conditions joins the preset's condition, start_from and the file's where, each checked.
func (c *compiler) conditions(want config.Object, startFrom *time.Time) error {
	var all []soql.Expr
	p, err := findPreset(want)
	if err != nil {
		return err
	}
	if p != nil {
		if all, err = c.leaveOut(p); err != nil {
			return err
		}
	}
	if startFrom != nil {
		e, err := c.since(*startFrom)
		if err != nil {
			return err
		}
		all = append(all, e)
	}
	if want.Where != "" {
		e, err := soql.Parse(want.Where)
		if err != nil {
			return fault.Wrap(fault.Config, err, "where of %s", want.Object).WithHint("%s", fault.HintOf(err))
		}
		all = append(all, e)
	}
	e := soql.AllOf(all...)
	if e == nil {
		return nil
	}
	if err := soql.Check(e, salesforce.ConditionResolver(c.plan.Object, c.describe)); err != nil {
		return err
	}
	c.plan.Where = e.String()
	// A changed parent can let a row into the condition that was never read.
	for _, path := range e.Paths() {
		found, err := salesforce.ResolvePath(c.plan.Object, path, c.describe)
		if err != nil {
			return err
		}
		if err := c.follow(found.Relations, atOnce); err != nil {
			return err
		}
	}
	return nil
}

// since is "no comment with an older timestamp": the first timestamp path that has
// a value decides, as in the transformation.
func (c *compiler) since(t time.Time) (soql.Expr, error) {
	var any []soql.Expr
	var empty []soql.Expr
	for _, path := range c.plan.Recipe.Mapping.Timestamp {
		any = append(any, soql.AllOf(append(append([]soql.Expr{}, empty...), soql.AtOrAfter(path, t))...))
		empty = append(empty, soql.Compare(path, soql.Equal, soql.NullLiteral()))
	}
	if typ := c.plan.Recipe.Types[c.plan.Recipe.Mapping.Timestamp[0]]; typ != salesforce.TypeDateTime {
		return nil, fault.New(fault.Config, "start_from needs a timestamp of type datetime, %s is %s", c.plan.Recipe.Mapping.Timestamp[0], typ).
			WithHint("name a datetime field as timestamp, or take start_from out")
	}
	return soql.AnyOf(any...), nil
}
