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

const here = "192.0.2.1"

func TestPasswordLinks(t *testing.T) {
	t.Parallel()
	s, seed := setup(t)
	seed.Project("support")
	_, rootToken := s.must(t, "root@example.com", store.Grant{Role: Administrator})
	serviceID, serviceToken := s.must(t, "service@example.com", store.Grant{Role: ServiceAdmin})
	viewerID, viewerToken := s.must(t, "viewer@example.com", store.Grant{Project: "support", Role: Viewer})
	emptyID, _ := s.must(t, "empty@example.com")
	root, service := who(t, s, rootToken), who(t, s, serviceToken)

	for name, try := range map[string]struct {
		who  Principal
		id   string
		want fault.Kind
	}{
		"who may not manage users":     {who(t, s, viewerToken), emptyID, fault.Forbidden},
		"a user who may more":          {service, viewerID, fault.Forbidden},
		"oneself":                      {service, serviceID, fault.Forbidden},
		"nobody":                       {root, "0123456789abcdef", fault.NotFound},
		"a token that is for less":     {Principal{UserID: root.UserID, rights: root.rights, Scope: []store.Grant{}}, emptyID, fault.Forbidden},
		"a user with a role not known": {root, serviceID, fault.Forbidden},
	} {
		if name == "a user with a role not known" {
			seed.Exec(`insert into user_roles (user_id, role) values ($1, 'of-a-later-release')`, serviceID)
		}
		_, err := s.PasswordLink(t.Context(), try.who, try.id)
		require.True(t, fault.Is(err, try.want), "%s: %v", name, err)
	}
	require.Empty(t, seed.Strings(`select user_id from password_links`))

	link, err := s.PasswordLink(t.Context(), service, emptyID)
	require.NoError(t, err)
	require.NotContains(t, seed.Strings(`select encode(hash, 'escape') || user_id from password_links`)[0], link.Reveal())
	email, err := s.LinkedUser(t.Context(), link, here)
	require.NoError(t, err)
	require.Equal(t, "empty@example.com", email)
	_, err = s.ChoosePassword(t.Context(), link, "short", here, "")
	require.True(t, fault.Is(err, fault.Invalid), err)
	session, err := s.ChoosePassword(t.Context(), link, "a password of length", here, "")
	require.NoError(t, err)
	p, err := s.Session(t.Context(), session)
	require.NoError(t, err)
	require.Equal(t, emptyID, p.UserID)
	_, err = s.ChoosePassword(t.Context(), link, "a password of length", here, "")
	require.True(t, fault.Is(err, fault.Unauthenticated), err)
	_, err = s.SignIn(t.Context(), "empty@example.com", "a password of length", here, "")
	require.NoError(t, err)
	require.NotNil(t, seed.Strings(`select 1 from users where signed_in_at > now() - interval '1 minute' and email = 'empty@example.com'`))

	// It runs out, and rights that come take it away: also those that come at the same moment.
	link, err = s.PasswordLink(t.Context(), root, viewerID)
	require.NoError(t, err)
	seed.Exec(`update password_links set expires_at = now()`)
	_, err = s.LinkedUser(t.Context(), link, here)
	require.True(t, fault.Is(err, fault.Unauthenticated), err)
	for range 5 {
		require.NoError(t, s.Change(t.Context(), emptyID, nil, []store.Grant{{Role: Administrator}}))
		var wg sync.WaitGroup
		var made secret.Text
		wg.Go(func() { made, _ = s.PasswordLink(t.Context(), service, emptyID) })
		wg.Go(func() { _ = s.Change(t.Context(), emptyID, []store.Grant{{Role: Administrator}}, nil) })
		wg.Wait()
		_, err = s.LinkedUser(t.Context(), made, here)
		require.True(t, fault.Is(err, fault.Unauthenticated), "whoever was first, there is no link to an administrator: %v", err)
	}

	// Trying links is slowed down as any guessing is; none at all is no guess.
	for range 2 * guessesPerAddress {
		_, err = s.LinkedUser(t.Context(), "", "192.0.2.9")
		require.True(t, fault.Is(err, fault.Unauthenticated), err)
	}
	for range guessesPerAddress {
		_, _ = s.LinkedUser(t.Context(), "wrong", "192.0.2.9")
	}
	_, err = s.LinkedUser(t.Context(), "wrong", "192.0.2.9")
	require.True(t, fault.Is(err, fault.RateLimited), err)
}

func TestOwnPasswordAndSessions(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	id, err := s.CreateUser(t.Context(), "ann@example.com", "the first password", nil)
	require.NoError(t, err)
	in := func(password secret.Text) (secret.Text, Principal) {
		t.Helper()
		session, err := s.SignIn(t.Context(), "ann@example.com", password, here, "")
		require.NoError(t, err)
		p, err := s.Session(t.Context(), session)
		require.NoError(t, err)
		return session, p
	}
	first, ann := in("the first password")
	second, _ := in("the first password")
	list, err := s.OwnSessions(t.Context(), ann, first)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []bool{false, true}, []bool{list[0].Here, list[1].Here}, "the newest first")
	ended, err := s.EndOwnSessions(t.Context(), ann, first)
	require.NoError(t, err)
	require.EqualValues(t, 1, ended)
	_, err = s.Session(t.Context(), second)
	require.True(t, fault.Is(err, fault.Unauthenticated), err)
	_, err = s.Session(t.Context(), first)
	require.NoError(t, err)
	_, err = s.EndOwnSessions(t.Context(), ann, "no session")
	require.True(t, fault.Is(err, fault.Unauthenticated), "and not all of them: %v", err)

	_, err = s.ChangePassword(t.Context(), ann, secret.Text(make([]byte, 1<<20)), "the second password", here)
	require.True(t, fault.Is(err, fault.Unauthenticated), err)
	session, err := s.ChangePassword(t.Context(), ann, "the first password", "the second password", here)
	require.NoError(t, err)
	_, err = s.Session(t.Context(), first)
	require.True(t, fault.Is(err, fault.Unauthenticated), err)
	_, err = s.Session(t.Context(), session)
	require.NoError(t, err)
	in("the second password")

	// Somebody without a password cannot be guessed into one.
	require.NoError(t, s.SetPassword(t.Context(), id, ""))
	_, err = s.ChangePassword(t.Context(), ann, "", "the third password", here)
	require.True(t, fault.Is(err, fault.Unauthenticated), err)
	a, err := s.UserByID(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, a.PasswordHash)
	require.WithinDuration(t, time.Now(), *a.SignedInAt, time.Minute)
}
