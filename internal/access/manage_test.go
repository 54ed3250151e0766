package access

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
)

func (s *Service) must(t *testing.T, email string, grants ...store.Grant) (id string, token secret.Text) {
	t.Helper()
	id, err := s.CreateUser(t.Context(), email, "", grants)
	require.NoError(t, err)
	token, err = s.CreateToken(t.Context(), email, "test", time.Time{})
	require.NoError(t, err)
	return id, token
}

func who(t *testing.T, s *Service, token secret.Text) Principal {
	t.Helper()
	p, err := s.Authenticate(t.Context(), token)
	require.NoError(t, err)
	return p
}

func TestRolesAreExpandedWhenTheyAreUsed(t *testing.T) {
	t.Parallel()
	s, seed := setup(t)
	seed.Project("support")
	seed.Project("sales")
	id, token := s.must(t, "ann@example.com", store.Grant{Project: "support", Role: Developer})
	p := who(t, s, token)
	require.True(t, p.Can("support", SourcesAddComments) && p.Can("support", IntegrationsWrite))
	require.False(t, p.Can("support", SourcesReadSensitive) || p.Can("sales", SourcesRead) || p.CanGlobally(TenantAdmin))

	require.NoError(t, s.Change(t.Context(), id, []store.Grant{{Role: Viewer}, {Role: Viewer}, {Project: "support", Permission: SourcesReadSensitive}}, []store.Grant{{Project: "support", Role: Developer}, {Project: "nowhere", Role: Viewer}}))
	p = who(t, s, token)
	require.True(t, p.Can("sales", SourcesRead) && p.Can("support", SourcesReadSensitive))
	require.False(t, p.Can("support", SourcesAddComments), "what is taken is gone with the next request")
	require.NoError(t, s.Change(t.Context(), id, nil, []store.Grant{{Project: "nowhere", Role: Viewer}, {Project: "support", Role: Viewer}}))
	require.True(t, who(t, s, token).Can("sales", SourcesRead), "a grant elsewhere is another one")

	seed.Exec(`insert into user_roles (user_id, role) values ($1, 'of-a-later-release')`, id)
	require.Equal(t, p.Permissions("sales"), who(t, s, token).Permissions("sales"), "a role that is not known here brings nothing")

	err := s.Change(t.Context(), id, []store.Grant{{Permission: AuditRead}, {Project: "nowhere", Role: Viewer}}, nil)
	require.True(t, fault.Is(err, fault.NotFound), err)
	require.False(t, who(t, s, token).CanGlobally(AuditRead), "all of a change or nothing")
	require.True(t, fault.Is(s.Change(t.Context(), "0123456789abcdef", nil, nil), fault.NotFound))

	for _, bad := range [][2]string{{"support", "emperor"}, {"support", ""}, {"support", Administrator}, {"support", ServiceAdmin}, {"support", AuditRead}} {
		_, err := Grant(bad[0], bad[1])
		require.True(t, fault.Is(err, fault.Invalid), bad)
	}
	for _, role := range Roles() {
		require.Equal(t, role.Installation, len(newRights([]store.Grant{{Role: role.Name}}).global()) > 0, role.Name)
	}
}

func (r rights) global() (list []string) { return Principal{rights: r}.GlobalPermissions() }

func TestTheLastAdministratorStays(t *testing.T) {
	t.Parallel()
	s, seed := setup(t)
	seed.Project("support")
	_, err := s.EnsureAdministrator(t.Context(), adminEmail, adminPass)
	require.NoError(t, err)
	admin, err := s.User(t.Context(), "ADMIN@example.com")
	require.NoError(t, err)
	s.must(t, "half@example.com", store.Grant{Role: ServiceAdmin}, store.Grant{Project: "support", Role: ProjectAdmin})
	last := func(err error) {
		t.Helper()
		require.True(t, fault.Is(err, fault.Conflict), "%v", err)
		require.Contains(t, err.Error(), "last administrator")
	}
	last(s.RemoveUser(t.Context(), admin.ID))
	last(s.SetDisabled(t.Context(), admin.ID, true))
	last(s.Change(t.Context(), admin.ID, nil, []store.Grant{{Role: Administrator}}))

	// Two who remove each other at the same moment.
	other, _ := s.must(t, "other@example.com", store.Grant{Role: ServiceAdmin}, store.Grant{Role: ProjectAdmin})
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, id := range []string{admin.ID, other} {
		wg.Go(func() { errs[i] = s.RemoveUser(t.Context(), id) })
	}
	wg.Wait()
	require.True(t, (errs[0] == nil) != (errs[1] == nil), "%v", errs)
	require.True(t, fault.Is(errs[0], fault.Conflict) || fault.Is(errs[1], fault.Conflict))
}

func TestPasswordAndDisablingEndSessions(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	_, err := s.EnsureAdministrator(t.Context(), adminEmail, adminPass)
	require.NoError(t, err)
	id, err := s.CreateUser(t.Context(), "ann@example.com", "the first password", nil)
	require.NoError(t, err)
	token, err := s.CreateToken(t.Context(), "ann@example.com", "t", time.Time{})
	require.NoError(t, err)
	in := func(password secret.Text) (secret.Text, error) {
		return s.SignIn(t.Context(), "ann@example.com", password, "192.0.2.1", "")
	}
	session, err := in("the first password")
	require.NoError(t, err)
	mine, err := s.SignIn(t.Context(), adminEmail, adminPass, "192.0.2.1", "")
	require.NoError(t, err)

	require.True(t, fault.Is(s.SetPassword(t.Context(), id, "short"), fault.Invalid))
	require.NoError(t, s.SetPassword(t.Context(), id, "the second password"))
	_, err = s.Session(t.Context(), session)
	require.True(t, fault.Is(err, fault.Unauthenticated))
	_, err = in("the first password")
	require.True(t, fault.Is(err, fault.Unauthenticated))
	session, err = in("the second password")
	require.NoError(t, err)
	who(t, s, token)

	require.NoError(t, s.SetDisabled(t.Context(), id, true))
	_, err = s.Authenticate(t.Context(), token)
	require.True(t, fault.Is(err, fault.Unauthenticated))
	require.NoError(t, s.SetDisabled(t.Context(), id, false))
	who(t, s, token)
	_, err = s.Session(t.Context(), session)
	require.True(t, fault.Is(err, fault.Unauthenticated), "a session does not come back")
	require.NoError(t, s.SetPassword(t.Context(), id, ""))
	_, err = in("the second password")
	require.True(t, fault.Is(err, fault.Unauthenticated))
	require.NoError(t, s.RemoveUser(t.Context(), id))
	_, err = s.Authenticate(t.Context(), token)
	require.True(t, fault.Is(err, fault.Unauthenticated))
	_, err = s.Session(t.Context(), mine)
	require.NoError(t, err, "nobody else is signed out")
}

func TestAScopedTokenMayWhatBothMay(t *testing.T) {
	t.Parallel()
	s, seed := setup(t)
	seed.Project("support")
	seed.Project("sales")
	id, wide := s.must(t, "ann@example.com", store.Grant{Project: "support", Role: Developer}, store.Grant{Project: "sales", Permission: SourcesReadSensitive})
	scoped, err := s.CreateScopedToken(t.Context(), "ann@example.com", NewToken{Name: "n", Scope: []store.Grant{{Permission: SourcesRead}, {Project: "support", Permission: SourcesAdmin}}})
	require.NoError(t, err)
	p := who(t, s, scoped)
	require.Equal(t, []string{SourcesRead}, p.Permissions("support"), "the user is no sources-admin")
	require.Equal(t, []string{SourcesRead}, p.Permissions("sales"))
	require.NoError(t, s.Change(t.Context(), id, []store.Grant{{Project: "support", Permission: SourcesAdmin}}, []store.Grant{{Project: "sales", Permission: SourcesReadSensitive}}))
	p = who(t, s, scoped)
	require.True(t, p.Can("support", SourcesAdmin))
	require.False(t, p.Knows("sales"))

	// It makes no token that may more, or lives longer, and revokes itself alone.
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	made, narrow, err := s.CreateOwnToken(t.Context(), who(t, s, wide), NewToken{Name: "narrow", Expires: soon, Scope: []store.Grant{{Project: "support", Permission: SourcesRead}}})
	require.NoError(t, err)
	require.Equal(t, []store.Grant{{Project: "support", Permission: SourcesRead}}, made.Scope)
	p = who(t, s, narrow)
	for _, wider := range []store.Grant{{Permission: SourcesRead}, {Project: "support", Role: Developer}, {Project: "support", Permission: SourcesAddComments}, {Project: "sales", Permission: SourcesRead}, {Project: "nowhere", Permission: SourcesRead}} {
		_, _, err := s.CreateOwnToken(t.Context(), p, NewToken{Name: "n", Scope: []store.Grant{wider}})
		require.True(t, fault.Is(err, fault.Forbidden), "%v: %v", wider, err)
	}
	child, again, err := s.CreateOwnToken(t.Context(), p, NewToken{Name: "child"})
	require.NoError(t, err)
	require.Equal(t, made.Scope, child.Scope)
	require.Equal(t, soon, child.ExpiresAt.UTC())
	require.True(t, fault.Is(s.RevokeOwnToken(t.Context(), p, child.ID), fault.Forbidden))
	require.NoError(t, s.RevokeOwnToken(t.Context(), who(t, s, again), child.ID))
	_, other := s.must(t, "bob@example.com")
	require.True(t, fault.Is(s.RevokeOwnToken(t.Context(), who(t, s, other), made.ID), fault.NotFound), "somebody else's")
	require.True(t, fault.Is(s.RevokeOwnToken(t.Context(), who(t, s, other), "\x00"), fault.NotFound))

	seed.Exec(`delete from integrations`)
	seed.Exec(`delete from projects where name = 'support'`)
	require.Empty(t, who(t, s, narrow).Scope)
	require.NotNil(t, who(t, s, narrow).Scope, "a scope whose project is gone is not everything")
	_, err = s.CreateScopedToken(t.Context(), "ann@example.com", NewToken{Name: "n", Scope: []store.Grant{}})
	require.True(t, fault.Is(err, fault.Invalid))
	_, err = s.CreateScopedToken(t.Context(), "ann@example.com", NewToken{Name: "n", Scope: []store.Grant{{Project: "gone", Permission: SourcesRead}}})
	require.True(t, fault.Is(err, fault.NotFound))

	seed.Exec(`insert into api_tokens (id, user_id, name, hash) select gen_random_uuid(), $1, 'x', sha256(n::text::bytea) from generate_series(1, 100) n`, id)
	_, _, err = s.CreateOwnToken(t.Context(), who(t, s, wide), NewToken{Name: "one too many"})
	require.True(t, fault.Is(err, fault.Conflict), err)
}

func TestNobodyGrantsWhatTheyDoNotHave(t *testing.T) {
	t.Parallel()
	project := newPrincipal("", &store.Identity{Grants: []store.Grant{{Project: "support", Permission: UsersWrite}, {Project: "support", Role: Viewer}, {Project: "sales", Role: Developer}}})
	require.NoError(t, MayGrant(project, store.Grant{Project: "support", Role: Viewer}))
	require.NoError(t, MayGrant(project, store.Grant{Project: "support", Permission: UsersWrite}))
	require.NoError(t, MayTake(project, store.Grant{Project: "support", Role: ProjectAdmin}))
	for _, g := range []store.Grant{
		{Project: "support", Role: Developer}, {Project: "support", Permission: SourcesReadSensitive}, {Role: Viewer},
		{Project: "sales", Permission: SourcesRead}, {Project: "support", Role: Administrator}, {Role: ServiceAdmin}, {Project: "support", Role: "unknown"},
	} {
		require.True(t, fault.Is(MayGrant(project, g), fault.Forbidden), "%v", g)
	}
	require.True(t, fault.Is(MayTake(project, store.Grant{Role: Viewer}), fault.Forbidden))
	service := newPrincipal("", &store.Identity{Grants: []store.Grant{{Role: ServiceAdmin}}})
	require.NoError(t, MayGrant(service, store.Grant{Role: ServiceAdmin}))
	require.True(t, fault.Is(MayGrant(service, store.Grant{Role: Administrator}), fault.Forbidden))
	scoped := newPrincipal("", &store.Identity{Grants: []store.Grant{{Role: Administrator}}, Scope: []store.Grant{{Permission: UsersWrite}}})
	require.True(t, fault.Is(MayGrant(scoped, store.Grant{Role: Viewer}), fault.Forbidden), "nor more than the token may")
}

func TestASessionGetsNewSecrets(t *testing.T) {
	t.Parallel()
	s, seed := setup(t)
	_, err := s.EnsureAdministrator(t.Context(), adminEmail, adminPass)
	require.NoError(t, err)
	first, err := s.SignIn(t.Context(), adminEmail, adminPass, "192.0.2.1", "")
	require.NoError(t, err)
	visit := func(session secret.Text) secret.Text {
		t.Helper()
		p, renewed, err := s.Visit(t.Context(), session)
		require.NoError(t, err)
		require.Equal(t, adminEmail, p.Email)
		return renewed
	}
	dead := func(session secret.Text) {
		t.Helper()
		_, _, err := s.Visit(t.Context(), session)
		require.True(t, fault.Is(err, fault.Unauthenticated), "%v", err)
	}
	require.Empty(t, visit(first), "it is new")
	later := func(d string) {
		seed.Exec(`update sessions set rotated_at = rotated_at - $1::interval, next_at = next_at - $1::interval, previous_until = previous_until - $1::interval`, d)
	}

	// Of many requests at the same moment one gets the new secret.
	later("16 minutes")
	var wg sync.WaitGroup
	renewed := make([]secret.Text, 8)
	for i := range renewed {
		wg.Go(func() { _, renewed[i], _ = s.Visit(t.Context(), first) })
	}
	wg.Wait()
	var lost secret.Text
	for _, r := range renewed {
		if r != "" {
			require.Empty(t, lost, "one")
			lost = r
		}
	}
	require.NotEmpty(t, lost)
	// That answer gets lost: the one before goes on, and is offered another one.
	require.Empty(t, visit(first))
	later("2 minutes")
	second := visit(first)
	require.NotEmpty(t, second)
	dead(lost)
	_, err = s.Session(t.Context(), second) // the API does not rotate, but a new secret takes over there, too
	require.NoError(t, err)
	require.Empty(t, visit(first), "good for what was under way")
	require.Empty(t, visit(second))
	later("2 minutes")
	dead(first)
	require.Empty(t, visit(second))

	later("16 minutes")
	third := visit(second)
	require.NotEmpty(t, third)
	require.NoError(t, s.SignOut(t.Context(), second), "by a secret that is about to go")
	dead(second)
	dead(third)
}

func TestSignInByIdentity(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	_, err := s.EnsureAdministrator(t.Context(), adminEmail, adminPass)
	require.NoError(t, err)
	const issuer = "https://id.example.com"
	email := func(session secret.Text) string {
		p, err := s.Session(t.Context(), session)
		require.NoError(t, err)
		return p.Email
	}
	refused := func(id Identity, create bool) {
		t.Helper()
		_, err := s.SignInAs(t.Context(), id, create, "")
		require.Equal(t, noSuchIdentity(), err)
	}
	session, err := s.SignInAs(t.Context(), Identity{issuer, "1", "Admin@Example.com"}, false, "")
	require.NoError(t, err)
	require.Equal(t, adminEmail, email(session))
	again, err := s.SignInAs(t.Context(), Identity{issuer, "1", "renamed@example.com"}, false, session)
	require.NoError(t, err, "the subject counts, not the address")
	require.Equal(t, adminEmail, email(again))
	_, err = s.Session(t.Context(), session)
	require.Error(t, err, "the session before ends")

	refused(Identity{issuer, "2", adminEmail}, true)
	refused(Identity{issuer, "3", "new@example.com"}, false)
	refused(Identity{issuer, "3", "nonsense"}, true)
	session, err = s.SignInAs(t.Context(), Identity{issuer, "3", "new@example.com"}, true, "")
	require.NoError(t, err)
	p, err := s.Session(t.Context(), session)
	require.NoError(t, err)
	require.Empty(t, p.Permissions("any"), "without rights")

	require.NoError(t, s.SetDisabled(t.Context(), p.UserID, true))
	refused(Identity{issuer, "3", "new@example.com"}, true)
	require.NoError(t, s.SetDisabled(t.Context(), p.UserID, false))
	_, err = s.SignInAs(t.Context(), Identity{issuer, "4", "new@example.com"}, false, "")
	require.NoError(t, err, "who comes back may be another subject")
}

func TestWrongLinksAreSlowedDown(t *testing.T) {
	t.Parallel()
	s := New(nil)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return now }
	for range guessesPerAddress {
		require.NoError(t, s.CheckGuess("192.0.2.1"))
		s.WrongGuess("192.0.2.1")
	}
	err := s.CheckGuess("192.0.2.1")
	require.True(t, fault.Is(err, fault.RateLimited))
	require.Equal(t, guessWindow, fault.RetryAfterOf(err))
	require.NoError(t, s.CheckGuess("192.0.2.2"))
	now = now.Add(guessWindow)
	require.NoError(t, s.CheckGuess("192.0.2.1"))
}
