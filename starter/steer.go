package main

import (
	"context"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// steering is what the steering commands share: the integration as it is now and the
// database. Temporal is reached after PostgreSQL was written.
type steering struct {
	app *app
	cfg *config.Config
	db  *store.Store
	i   store.Integration
}

type steerResult struct {
	Project     string `json:"project"`
	Integration string `json:"integration"`
	Desired     string `json:"desired"`
	Workflow    string `json:"workflow"` // started, signalled or not_started
}

// steer opens what a steering command needs and runs it.
func (a *app) steer(ctx context.Context, name string, needs []string, do func(context.Context, *steering) error) error {
	cfg, err := a.config(needs...)
	if err != nil {
		return err
	}
	db, err := a.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	i, err := find(ctx, db, name)
	if err != nil {
		return err
	}
	return do(ctx, &steering{app: a, cfg: cfg, db: db, i: i})
}

func (s *steering) name() string { return s.i.Project + "/" + s.i.Name }

func (s *steering) connected() bool { return s.i.ConnectionState == store.ConnectionGranted }

// mustBeConnectable refuses to go on after a disconnect that no grant followed.
func (s *steering) mustBeConnectable() error {
	if s.i.Desired == store.DesiredDisconnected && !s.connected() {
		return fault.New(fault.Conflict, "%s is disconnected from Salesforce", s.name()).
			WithHint("connect it first: starter connect %s; it goes on by itself after the grant", s.name())
	}
	return nil
}

// signal tells the workflow. What the signal tells of is in PostgreSQL already, so a
// Temporal that is away delays what is shown, not what happens.
func (s *steering) signal(ctx context.Context, signal string) (running bool, err error) {
	temporal, err := s.app.dial(ctx, s.cfg)
	if err != nil {
		return false, err
	}
	defer temporal.close()
	return temporal.signal(ctx, flow.WorkflowID(s.i.Project, s.i.Name), signal)
}

func (s *steering) noWorkflow() error {
	return fault.New(fault.NotFound, "no workflow runs for %s", s.name()).WithHint("start it: starter start %s", s.name())
}

func (s *steering) show(desired, workflow, text string) error {
	if s.app.json {
		return s.app.printJSON(steerResult{s.i.Project, s.i.Name, desired, workflow})
	}
	s.app.say("%s", text)
	return nil
}
