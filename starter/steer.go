package main

import (
	"context"
	"errors"

	"salesforcesync/internal/config"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
)

// steering is what the steering commands share: the integration as it is now, the database, and the
// hand that does what they ask for.
type steering struct {
	app  *app
	cfg  *config.Config
	db   *store.Store
	hand *operate.Hand
	i    store.Integration
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
	hand, err := a.hand(cfg, db)
	if err != nil {
		return err
	}
	return nextStep(do(ctx, &steering{app: a, cfg: cfg, db: db, hand: hand, i: i}))
}

func (s *steering) name() string { return s.i.Project + "/" + s.i.Name }

func (s *steering) connected() bool { return operate.Connected(s.i) }

// nextStep says which command helps against the state that an integration is in.
func nextStep(err error) error {
	var r *operate.Refused
	if !errors.As(err, &r) || r.Fault.Hint != "" {
		return err
	}
	switch r.Why {
	case operate.Disconnected:
		return r.WithHint("connect it first: starter connect %s; it goes on by itself after the grant", r.Name)
	case operate.NotConnected:
		return r.WithHint("connect it first: starter connect %s; it is checked, and begins, right after the grant", r.Name)
	case operate.Paused:
		return r.WithHint("resume looks for news at once: starter resume %s", r.Name)
	case operate.Stopped:
		return r.WithHint("starter resume %s, then check again", r.Name)
	case operate.NoWorkflow:
		return r.WithHint("start it: starter start %s", r.Name)
	case operate.NoObjects:
		return r.WithHint("add some to the file, then: starter apply -f integration.yaml")
	case operate.UnderWay:
		return r.WithHint("watch it: starter status %s --watch; or end it: starter backfill %s --object %s --cancel", r.Name, r.Name, r.Objects[0])
	case operate.NoneUnderWay:
		return r.WithHint("`starter status %s` shows what is, and was", r.Name)
	case operate.NoReport:
		return r.WithHint("is a worker running? `starter status %s` says what it waits for; the report comes by itself when it can", r.Name)
	}
	return err
}

func (s *steering) show(done operate.Done, text string) error {
	if s.app.json {
		return s.app.printJSON(steerResult{s.i.Project, s.i.Name, done.Desired, done.Workflow})
	}
	s.app.say("%s", text)
	return nil
}
