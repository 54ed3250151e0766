package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// Exit codes.
const (
	exitOK          = 0
	exitRuntime     = 1
	exitInput       = 2
	exitUnreachable = 3
)

// databaseWait bounds how long a command waits for PostgreSQL to answer.
const databaseWait = 10 * time.Second

// app is one run of the program.
type app struct {
	in     io.Reader
	out    io.Writer           // what scripts read
	talk   io.Writer           // what people read besides
	lookup func(string) string // environment; nil = the process's own
	json   bool

	endWait time.Duration // how long delete waits for the workflow to end itself; 0 = 15 s
	began   bool          // the arguments were good and a command runs

	checkWait time.Duration // how long check waits for a fresh report; 0 = a minute

	terminal   bool          // out is one: what is watched is drawn in place
	watchEvery time.Duration // how often a watched status is read; 0 = a second, 5 s off a terminal
}

// run executes the command line and gives the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.command()
	root.SetArgs(doubleDash(args))
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.talk)
	err := root.ExecuteContext(store.WithActor(ctx, operator()))
	if err == nil {
		return exitOK
	}
	var f *fault.Error
	if !a.began && !errors.As(err, &f) {
		err = fault.Wrap(fault.Invalid, err, "command line").WithHint("`starter --help` shows the commands, `starter COMMAND --help` one of them")
	}
	a.complain(err)
	return exitCode(err)
}

// operator is who runs this, for the audit log: nobody has to prove who they are who can reach the database.
func operator() store.Actor {
	a := store.Actor{Kind: store.ActorStarter, Name: "unknown"}
	if u, err := user.Current(); err == nil {
		a.Name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		a.Address = host
	}
	return a
}

// doubleDash lets the flags that have a name and no letter be written with one dash.
func doubleDash(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		switch {
		case arg == "--":
			copy(out[i:], args[i:])
			return out
		case arg == "-json", strings.HasPrefix(arg, "-json="):
			arg = "-" + arg
		}
		out[i] = arg
	}
	return out
}

// exitCode translates a failure, once.
func exitCode(err error) int {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.Config, fault.Forbidden, fault.Unauthenticated:
		return exitInput
	case fault.Unreachable:
		return exitUnreachable
	}
	return exitRuntime
}

func (a *app) complain(err error) {
	hint := fault.HintOf(err)
	if a.json {
		line, _ := json.Marshal(map[string]any{"error": map[string]string{ // strings always marshal
			"kind": string(fault.KindOf(err)), "message": err.Error(), "hint": hint}})
		fmt.Fprintln(a.talk, string(line))
		return
	}
	fmt.Fprintln(a.talk, "starter: "+err.Error())
	if hint != "" {
		fmt.Fprintln(a.talk, "  next: "+hint)
	}
}

// say talks to the person at the keyboard.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.talk, format+"\n", args...) }

// print writes what scripts read.
func (a *app) print(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }

// printJSON writes v as indented JSON.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fault.Wrap(fault.Internal, err, "write JSON")
	}
	return nil
}

// config reads the environment; needs are variables that this command cannot do without.
func (a *app) config(needs ...string) (*config.Config, error) {
	if a.lookup != nil {
		return config.LoadFrom(a.lookup, config.Starter, needs...)
	}
	return config.Load(config.Starter, needs...)
}

// openAny connects to PostgreSQL, whatever the schema.
func (a *app) openAny(ctx context.Context, cfg *config.Config) (*store.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, databaseWait)
	defer cancel()
	return store.Open(ctx, cfg.DatabaseURL.Reveal(), store.Options{Keys: cfg.Keys, ApplicationName: "starter", MaxConns: 2})
}

// open connects to PostgreSQL and refuses another schema than this program's.
func (a *app) open(ctx context.Context, cfg *config.Config) (*store.Store, error) {
	db, err := a.openAny(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := db.CheckSchema(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// splitName reads the PROJECT/INTEGRATION argument.
func splitName(name string) (project, integration string, err error) {
	project, integration, ok := flow.SplitName(name)
	if !ok {
		return "", "", fault.New(fault.Invalid, "%q is not PROJECT/INTEGRATION", name).
			WithHint("write it as support/salesforce-prod; `starter list` shows what there is")
	}
	return project, integration, nil
}

// find reads the integration that the argument names.
func find(ctx context.Context, db *store.Store, name string) (store.Integration, error) {
	project, integration, err := splitName(name)
	if err != nil {
		return store.Integration{}, err
	}
	return db.IntegrationByName(ctx, project, integration)
}

// oneName makes cobra's own complaint about arguments say what is wanted.
func oneName(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fault.New(fault.Invalid, "starter %s takes one PROJECT/INTEGRATION", cmd.Name()).
			WithHint("for example: starter %s support/salesforce-prod", cmd.Name())
	}
	return nil
}
