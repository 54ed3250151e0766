package poll

import (
	"context"
	"encoding/json"
	"errors"
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

// stampField is never settable by users and moves with every change of the record
// itself (object reference, "System Fields").
const stampField = "SystemModstamp"

// Check asks describe whether every object, field, path and condition of the
// integration exists and is visible to the integration user, tries each query once,
// and stores a plan per object. What is wrong with one object stops only that
// object. Errors are those of the call to Salesforce or the store: ask again.
func (s *Service) Check(ctx context.Context, p flow.CheckParams) (flow.CheckResult, error) {
	t, err := s.Store.LoadTarget(ctx, p.Project, p.Integration)
	if err != nil {
		return flow.CheckResult{}, err
	}
	var spec config.Integration
	if err := json.Unmarshal(t.Spec, &spec); err != nil {
		return flow.CheckResult{}, fault.Wrap(fault.Internal, err, "read the stored file of %s", spec.Name())
	}
	org := s.Orgs.Org(t.IntegrationID)
	described := map[string]salesforce.Object{}
	describe := func(name string) (salesforce.Object, error) {
		if o, ok := described[name]; ok {
			return o, nil
		}
		if t, err := s.Store.LoadTarget(ctx, p.Project, p.Integration); err != nil || t.Desired != "running" {
			if err != nil {
				return salesforce.Object{}, err
			}
			return salesforce.Object{}, fault.New(fault.Stopped, "the integration is %s", t.Desired)
		}
		o, err := org.Describe(ctx, name)
		if err == nil {
			described[name] = o
		}
		return o, err
	}
	result := flow.CheckResult{SpecVersion: t.SpecVersion, Objects: []flow.CheckedObject{}}
	var verdicts []store.CheckedObject
	for _, o := range t.Objects {
		var want config.Object
		if err := json.Unmarshal(o.Spec, &want); err != nil {
			return result, fault.Wrap(fault.Internal, err, "read the stored spec of %s", o.Name)
		}
		verdict := store.CheckedObject{Name: o.Name}
		plan, err := compile(want, spec.StartFrom, describe)
		if err == nil {
			err = s.try(ctx, org, plan, &verdict)
		}
		switch {
		case err == nil:
			if verdict.Plan, err = json.Marshal(plan); err != nil {
				return result, fault.Wrap(fault.Internal, err, "write the plan of %s", o.Name)
			}
		case errors.Is(err, secret.ErrUnknownKey), errors.Is(err, secret.ErrCannotOpen):
			return result, err // our own key ring's trouble, not the object's
		case fault.Is(err, fault.Config, fault.Invalid, fault.Permission):
			verdict.Problem, verdict.Hint = err.Error(), fault.HintOf(err)
		default:
			return result, err // passing: nothing is known about this object
		}
		verdicts = append(verdicts, verdict)
		result.Objects = append(result.Objects, flow.CheckedObject{Object: o.Name, Problem: verdict.Problem, Hint: verdict.Hint})
	}
	return result, s.Store.SaveCheck(ctx, t.IntegrationID, t.SpecVersion, t.ReadAt, verdicts)
}

// try runs the object's query for one row: some refusals no describe foretells. The
// answer's clock is where new dependencies start.
func (s *Service) try(ctx context.Context, org Salesforce, plan *Plan, verdict *store.CheckedObject) error {
	q, err := plan.query(plan.Fields, nil, byKeyset(plan.Recipe.Stamp), 1)
	if err != nil {
		return err
	}
	page, err := org.Query(ctx, q, salesforce.QueryOptions{All: true})
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
// for what the administrator must change, else describe's.
func compile(want config.Object, startFrom *time.Time, describe salesforce.DescribeFunc) (*Plan, error) {
	object, err := describe(want.Object)
	if err != nil {
		return nil, err
	}
	if !object.Queryable {
		return nil, fault.New(fault.Config, "%s cannot be queried", object.Name).WithHint("sync another object")
	}
	stamp, ok := object.Field(stampField)
	if !ok || !stamp.Filterable || !stamp.Sortable {
		return nil, fault.New(fault.Config, "%s has no SystemModstamp to follow its changes by", object.Name).
			WithHint("this release syncs objects that have SystemModstamp")
	}
	plan := &Plan{Object: object.Name, Replicateable: object.Replicateable, Recipe: transform.Recipe{Stamp: stamp.Name, Types: transform.Types{stamp.Name: stamp.Type}}}
	c := compiler{plan: plan, describe: describe}
	if err := c.mapping(want); err != nil {
		return nil, err
	}
	if err := c.conditions(want, startFrom); err != nil {
		return nil, err
	}
	if deleted, ok := object.Field(transform.PathDeleted); ok {
		plan.Recipe.Types[transform.PathDeleted] = deleted.Type
	}
	plan.Fields = append(plan.Fields, transform.PathID)
	for _, path := range sortedPaths(plan.Recipe.Types) {
		if path != transform.PathID {
			plan.Fields = append(plan.Fields, path)
		}
	}
	return plan, nil
}

// conditions joins the preset's condition, start_from and the file's where, each checked.
func (c *compiler) conditions(want config.Object, startFrom *time.Time) error {
	var all []soql.Expr
	if want.Preset == config.PresetEmail {
		all = append(all, c.withoutDrafts()...)
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
		if err := c.follow(found.Relations); err != nil {
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
