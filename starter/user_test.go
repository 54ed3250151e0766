package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/secret"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name, _ := b.apply("--no-start")
	project, _, _ := strings.Cut(name, "/")
	const ann, password = "ann@acme.example", "a password of ann's"
	b.run("user", "list").good()
	b.runWith("", "user", "add", ann, "--password").bad(exitInput, "no password on standard input")
	b.runWith("short\n", "user", "add", ann, "--password").bad(exitInput, "8 characters")
	b.run("user", "add", ann, "--grant", "emperor").bad(exitInput, `no role or permission "emperor"`, "starter role list")
	b.run("user", "add", ann, "--grant", "viewer", "--project", "nowhere").bad(exitInput, "there is no project nowhere")
	b.run("user", "add").bad(exitInput, "starter user add ann@acme.example")
	r := b.runWith(password+"\n", "user", "add", ann, "--grant", "viewer,integrations-read", "--project", project, "--password").good()
	require.Regexp(t, `^[0-9a-f]{16}\n$`, r.out)
	b.run("user", "add", ann).bad(exitInput, ann)
	b.run("user", "grant", ann).bad(exitInput, "starter user grant ann@acme.example viewer")
	b.run("user", "grant", ann, "administrator", "--project", project).bad(exitInput, "whole installation")
	b.run("user", "grant", "bob@acme.example", "viewer").bad(exitInput, "no user bob@acme.example", "starter user list")
	b.run("user", "grant", strings.ToUpper(ann), "administrator").good()
	b.run("user", "revoke", ann, "integrations-read", "--project", project).good()

	var users []userView
	b.run("user", "list", "--json").json(&users)
	require.Len(t, users, 1)
	require.True(t, users[0].Password)
	require.ElementsMatch(t, []grantView{{Role: "administrator"}, {Project: project, Role: "viewer"}}, users[0].Grants)
	require.Contains(t, b.run("user", "list").good().out, "viewer on "+project+", administrator")

	for _, c := range [][]string{{"revoke", ann, "administrator"}, {"disable", ann}, {"remove", ann, "--yes"}} {
		b.run(append([]string{"user"}, c...)...).bad(exitInput, "last administrator", "somebody else")
	}
	b.run("user", "remove", ann).bad(exitInput, "--yes", "starter user disable")

	b.run("user", "add", "root@acme.example", "--grant", "administrator").good()
	token := strings.TrimSpace(b.run("token", "create", "--email", ann, "--name", "x", "--scope", "sources-read", "--project", project).good().out)
	who := func() (access.Principal, error) {
		return access.New(b.db).Authenticate(t.Context(), secret.Text(token))
	}
	p, err := who()
	require.NoError(t, err)
	require.Equal(t, []string{access.SourcesRead}, p.Permissions(project))
	require.Contains(t, b.run("token", "list", "--email", ann).good().out, "sources-read on "+project)
	b.run("token", "create", "--email", ann, "--name", "x", "--scope", "nonsense").bad(exitInput, "nonsense")
	b.run("token", "create", "--email", ann, "--name", "x", "--project", project).bad(exitInput, "--project needs --scope")

	b.run("user", "disable", ann).good()
	_, err = who()
	require.Error(t, err)
	b.run("user", "enable", ann).good()
	_, err = who()
	require.NoError(t, err)
	changed := b.runWith("another password\n", "user", "password", ann).good()
	require.NotContains(t, changed.out+changed.talk, "another password")
	_, err = access.New(b.db).SignIn(t.Context(), ann, "another password", "192.0.2.1", "")
	require.NoError(t, err)
	b.run("user", "password", ann, "--none").good()
	b.run("user", "remove", ann, "--yes").good()
	_, err = who()
	require.Error(t, err)

	var roles []struct{ Name string }
	b.run("role", "list", "--json").json(&roles)
	require.Len(t, roles, len(access.Roles()))
	require.Contains(t, b.run("role", "list").good().out, "everywhere only")
}
