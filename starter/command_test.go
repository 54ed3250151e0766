package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store/storetest"
)

var commands = []string{"setup", "plan", "apply", "connect", "start", "pause", "resume", "sync-now", "resync", "backfill", "retransform", "disconnect", "status", "check", "list", "usage", "audit", "skipped", "explain", "clean", "health", "user", "role", "token", "keys", "erase", "delete"}

func TestHelpTeaches(t *testing.T) {
	t.Parallel()
	b := &bench{t: t}
	for _, flag := range [][]string{{"--help"}, {}} {
		help := b.run(flag...).good()
		for _, c := range commands {
			require.Contains(t, help.out, "\n  "+c+" ")
		}
		require.Contains(t, help.out, "Exit codes")
		require.Empty(t, help.talk)
	}
	for _, c := range append(commands, "token create", "token list", "token revoke", "role list", "user list", "user add", "user grant", "user revoke", "user disable", "user enable", "user password", "user remove", "keys list", "keys rotate", "keys abandon") {
		help := b.run(append(strings.Fields(c), "--help")...).good()
		require.Contains(t, help.out, "starter "+c, "%s --help", c)
		if c != "token" && c != "user" && c != "role" && c != "keys" {
			require.Contains(t, help.out, "Examples:\n  ", "%s --help", c)
		}
	}
}

func TestBadCommandLines(t *testing.T) {
	t.Parallel()
	b := &bench{t: t, env: map[string]string{"DATABASE_URL": "postgres://127.0.0.1:1/none"}}
	b.run("aply").bad(exitInput, `unknown command "aply"`, "apply")
	b.run("apply", "--fast").bad(exitInput, "unknown flag: --fast", "starter --help")
	b.run("apply").bad(exitInput, "no file is named", "-f integration.yaml")
	b.run("apply", "-f", "/nowhere/x.yaml").bad(exitInput, "read the integration file", "/nowhere/x.yaml")
	b.run("setup", "now").bad(exitInput)
	b.run("token", "make").bad(exitInput, "make")
	b.run("token", "create").bad(exitInput, "--email and --name")
	b.run("token", "revoke").bad(exitInput, "starter token list")
	for _, c := range []string{"connect", "disconnect", "start", "pause", "resume", "sync-now", "retransform", "skipped", "delete"} {
		b.run(c).bad(exitInput, "takes one PROJECT/INTEGRATION", "starter "+c+" support/salesforce-prod")
	}
	b.run("status", "salesforce-prod").bad(exitInput, `"salesforce-prod" is not PROJECT/INTEGRATION`)
}

func TestEnvironmentIsReportedByName(t *testing.T) {
	t.Parallel()
	b := &bench{t: t, env: map[string]string{"PUBLIC_URL": "x", "SALESFORCE_EXTRA_HOSTS": "y"}}
	b.run("list").bad(exitInput, "DATABASE_URL: is not set", "PUBLIC_URL: ", "SALESFORCE_EXTRA_HOSTS: ")
	b = &bench{t: t, env: map[string]string{"DATABASE_URL": "postgres://127.0.0.1:1/none"}}
	b.run("connect", "a/b").bad(exitInput, "PUBLIC_URL: is not set")
	b.run("disconnect", "a/b").bad(exitInput, "ENCRYPTION_KEYS: is not set")
	b.run("delete", "a/b").bad(exitInput, "ENCRYPTION_KEYS: is not set")
}

func TestPostgreSQLAway(t *testing.T) {
	t.Parallel()
	b := &bench{t: t, env: map[string]string{"DATABASE_URL": "postgres://me:hunter2@127.0.0.1:1/none"}}
	for _, c := range [][]string{{"list"}, {"status", "a/b"}, {"setup"}, {"pause", "a/b"}, {"token", "list", "--email", "a@b.example"}} {
		b.run(c...).bad(exitUnreachable, "PostgreSQL at 127.0.0.1:1 does not answer", "check DATABASE_URL")
	}
}

func TestJSONErrors(t *testing.T) {
	t.Parallel()
	b := &bench{t: t, env: map[string]string{}}
	var answer struct {
		Error struct{ Kind, Message, Hint string }
	}
	r := b.run("-json", "status", "x")
	require.Equal(t, exitInput, r.code)
	require.NoError(t, json.Unmarshal([]byte(r.talk), &answer))
	require.Equal(t, "Invalid", answer.Error.Kind)
	require.Contains(t, answer.Error.Hint, "support/salesforce-prod")
}

func TestOtherSchemaIsRefusedWithBothVersions(t *testing.T) {
	t.Parallel()
	b := &bench{t: t, env: map[string]string{"DATABASE_URL": storetest.Empty(t)}}
	b.run("list").bad(exitInput, "schema version 0, this program needs version", "starter setup")
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.run("status", "support/salesforce-prod").bad(exitInput, "there is no integration support/salesforce-prod", "starter apply")
	name, _ := b.apply("--no-start")
	for _, c := range [][]string{{"status"}, {"connect"}, {"pause"}, {"resume"}, {"sync-now"}, {"start"}, {"disconnect"}, {"delete", "--yes"}} {
		b.run(append(c, name+"x")...).bad(exitInput, "there is no integration", "did you mean "+name)
	}
	project, _, _ := strings.Cut(name, "/")
	b.run("list", project+"x").bad(exitInput, "there is no project", "did you mean "+project)
}

func TestConnectPrintsTheLinkAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name, _ := b.apply("--no-start")
	r := b.run("connect", name).good()
	require.Equal(t, 1, strings.Count(r.out, "\n"))
	u, err := url.Parse(strings.TrimSpace(r.out))
	require.NoError(t, err)
	require.Equal(t, "https://sync.acme.example/integrations/"+name+"/oauth2/authenticate", u.Scheme+"://"+u.Host+u.Path)
	link := u.Query().Get("link")
	require.Len(t, link, 43)
	require.NotContains(t, r.talk, link)
	require.NoError(t, b.db.CheckConnectLink(t.Context(), b.integration(name).ID, oauth.Hash(link)))
	again := b.run("connect", name).good()
	require.NotEqual(t, r.out, again.out)
	var answer map[string]string
	b.run("connect", name, "--json").json(&answer)
	require.Contains(t, answer["url"], "/oauth2/authenticate?link=")
	require.NotEmpty(t, answer["expires_at"])
}

func TestTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.run("token", "create", "--email", "ann@acme.example", "--name", "x").bad(exitInput, "ann@acme.example")
	b.env["ADMIN_EMAIL"], b.env["ADMIN_PASSWORD"] = "ann@acme.example", "correct horse battery"
	b.run("setup").bad(exitUnreachable) // Temporal is away, the administrator is there
	r := b.run("token", "create", "--email", "ann@acme.example", "--name", "export", "--expires", "720h").good()
	token := strings.TrimSpace(r.out)
	require.Equal(t, token+"\n", r.out)
	require.NotContains(t, r.talk, token)

	who, err := access.New(b.db).Authenticate(t.Context(), secret.Text(token))
	require.NoError(t, err)
	require.Equal(t, "ann@acme.example", who.Email)

	var list []tokenView
	b.run("token", "list", "--email", "ann@acme.example", "-json").json(&list)
	require.Len(t, list, 1)
	require.Equal(t, "export", list[0].Name)
	require.NotNil(t, list[0].ExpiresAt)
	require.NotContains(t, b.run("token", "list", "--email", "ann@acme.example").good().out, token)

	b.run("token", "revoke", list[0].ID).good()
	_, err = access.New(b.db).Authenticate(t.Context(), secret.Text(token))
	require.Error(t, err)
	b.run("token", "revoke", "0190f3c2-7d1e-7a55-9d4c-2f6d3d1c9a10").bad(exitInput)
	b.run("token", "create", "--email", "ann@acme.example", "--name", "x", "--expires", "-1h").bad(exitInput, "--expires -1h0m0s has passed")
}
