package main

import (
	"context"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// knownProject refuses a project that does not exist, with the nearest name.
func knownProject(ctx context.Context, db *store.Store, name string) error {
	all, err := db.Projects(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(all))
	for i, p := range all {
		if p.Name == name {
			return nil
		}
		names[i] = p.Name
	}
	e := fault.New(fault.NotFound, "there is no project %q", name)
	if near := config.Nearest(name, names); near != "" {
		return e.WithHint("did you mean %s?", near)
	}
	return e.WithHint("`starter list` shows every integration with its project")
}
