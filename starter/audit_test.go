package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/store"
)

func TestAuditShowsWhoDidWhat(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.Contains(t, b.run("audit").good().talk, "there are no events")
	name, _ := b.apply("--no-start")
	b.run("pause", name).bad(exitUnreachable, "is paused in the database")
	b.run("connect", name).good()
	b.run("status", name).good()
	b.run("list").good()

	lines := strings.Split(strings.TrimSpace(b.run("audit").good().out), "\n")
	require.Len(t, lines, 3, "what only reads is no event: %v", lines)
	me := operator()
	for i, want := range []string{store.EventLinkCreated, store.EventIntegrationDesired, store.EventIntegrationApplied} {
		fields := strings.Split(lines[i], "\t")
		require.Len(t, fields, 5)
		require.Equal(t, []string{want, "starter " + me.Name, me.Address}, fields[1:4])
		require.Contains(t, fields[4], `"integration": "`+name+`"`)
	}
	var v eventView
	first, _, _ := strings.Cut(b.run("audit", "--json", "--since", "1h").good().out, "\n")
	require.NoError(t, json.Unmarshal([]byte(first), &v))
	require.Equal(t, []string{store.EventLinkCreated, store.ActorStarter, me.Name}, []string{v.Type, v.Actor, v.Name})
	require.Len(t, v.Projects, 1)
	require.Equal(t, strings.Split(name, "/")[0], v.Names[v.Projects[0]])
	require.Empty(t, b.run("audit", "--since", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)).good().out)
	b.run("audit", "--since", "yesterday").bad(exitInput, `"yesterday" is neither a time nor how long ago`, "24h, 2026-11-01")
}

// A command that changes something is in the log, also when nobody thought of it.
func TestACommandNobodyThoughtOfIsInTheLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.env["ADMIN_EMAIL"], b.env["ADMIN_PASSWORD"] = "ann@acme.example", "a long password"
	b.env["TEMPORAL_ADDRESS"] = "127.0.0.1:1"
	b.run("setup") // Temporal is away; the administrator is made before it is asked
	require.Contains(t, b.run("audit").good().out, "\tstarter.setup\tstarter "+operator().Name+"\t")

	b.run("token", "create", "--email", "ann@acme.example", "--name", "export").good()
	_, listed, _ := strings.Cut(b.run("token", "list", "--email", "ann@acme.example").good().out, "\n")
	id, _, _ := strings.Cut(listed, " ")
	b.run("token", "revoke", id).good()
	require.Contains(t, b.run("audit").good().out, "revoke")
}
