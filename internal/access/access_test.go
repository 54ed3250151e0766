package access

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/gate"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

const (
	adminEmail = "admin@example.com"
	adminPass  = secret.Text("correct horse battery")
)

func setup(t *testing.T) (*Service, *storetest.Seed) {
	t.Helper()
	db, seed := storetest.NewSeed(t)
	return New(db), seed
}

func TestFirstAdministratorIsMadeOnce(t *testing.T) {
	t.Parallel()
	s, seed := setup(t)
	seed.Project("support")

	var wg sync.WaitGroup
	made := make([]bool, 3)
	errs := make([]error, 3)
	for i := range made {
		wg.Go(func() { made[i], errs[i] = s.EnsureAdministrator(t.Context(), "Admin@Example.com", adminPass) })
	}
	wg.Wait()
	n := 0
	for i := range made {
		require.NoError(t, errs[i])
		if made[i] {
			n++
		}
	}
	require.Equal(t, 1, n, "two programs that start at once make one administrator")

	token, err := s.CreateToken(t.Context(), adminEmail, "test", time.Time{})
	require.NoError(t, err)
	p, err := s.Authenticate(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, adminEmail, p.Email)
	require.True(t, p.Can("support", IntegrationsWrite))
	require.True(t, p.Can("a-project-made-later", SourcesRead))
	require.True(t, p.CanGlobally(TenantAdmin))
	require.False(t, p.Can("support", TenantAdmin), "a right on the installation is none on a project")
	require.NotContains(t, p.Permissions("support"), TenantAdmin)
	require.False(t, p.Can("", SourcesRead))
}

func TestAdministratorNeedsGoodCredentials(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	for email, password := range map[string]secret.Text{
		"not-an-address":     adminPass,
		"a@example.com":      "short",
		"Ann <a@example.co>": adminPass,
		"b@example.com":      secret.Text(strings.Repeat("x", maxPasswordBytes+1)),
	} {
		_, err := s.EnsureAdministrator(t.Context(), email, password)
		require.True(t, fault.Is(err, fault.Invalid), "%s: %v", email, err)
		require.NotContains(t, err.Error(), password.Reveal())
	}
}

func TestRightsAreOnTheirProjectOnly(t *testing.T) {
	t.Parallel()
	s, seed := setup(t)
	seed.Project("support")
	seed.Project("sales")
	_, err := s.CreateUser(t.Context(), "ann@example.com", "", []store.Grant{{Project: "support", Permission: SourcesReadSensitive}})
	require.NoError(t, err)
	_, err = s.CreateUser(t.Context(), "bob@example.com", "", []store.Grant{{Project: "nowhere", Permission: SourcesRead}})
	require.True(t, fault.Is(err, fault.NotFound), err)
	_, err = s.CreateUser(t.Context(), "ANN@example.com", "", nil)
	require.True(t, fault.Is(err, fault.Conflict), err)

	token, err := s.CreateToken(t.Context(), "ann@example.com", "t", time.Time{})
	require.NoError(t, err)
	p, err := s.Authenticate(t.Context(), token)
	require.NoError(t, err)
	require.True(t, p.Can("support", SourcesRead), "sensitive implies read")
	require.True(t, p.Knows("support"))
	require.False(t, p.Can("support", SourcesAdmin))
	require.False(t, p.Can("sales", SourcesRead))
	require.False(t, p.Knows("sales"))
	require.Equal(t, []string{SourcesRead, SourcesReadSensitive}, p.Permissions("support"))
}

func TestTokenLife(t *testing.T) {
	t.Parallel()
	s, seed := setup(t)
	_, err := s.EnsureAdministrator(t.Context(), adminEmail, adminPass)
	require.NoError(t, err)
	token, err := s.CreateToken(t.Context(), adminEmail, "nightly", s.now().Add(time.Hour))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(token.Reveal(), tokenPrefix))

	_, err = s.Authenticate(t.Context(), token)
	require.NoError(t, err)
	list, err := s.ListTokens(t.Context(), adminEmail)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "nightly", list[0].Name)
	require.NotNil(t, list[0].LastUsedAt)

	refused := func(token secret.Text) {
		t.Helper()
		_, err := s.Authenticate(t.Context(), token)
		require.True(t, fault.Is(err, fault.Unauthenticated), "%v", err)
	}
	good := token.Reveal()
	refused("")
	refused(secret.Text(strings.TrimPrefix(good, tokenPrefix)))
	refused(secret.Text(good + "="))
	refused(secret.Text(good[:len(good)-1]))
	refused(secret.Text(tokenPrefix + strings.Repeat("A", 43)))

	seed.Exec(`update api_tokens set expires_at = now() - interval '1 second'`)
	refused(token)
	seed.Exec(`update api_tokens set expires_at = null`)
	_, err = s.Authenticate(t.Context(), token)
	require.NoError(t, err)

	require.NoError(t, s.RevokeToken(t.Context(), list[0].ID))
	require.NoError(t, s.RevokeToken(t.Context(), list[0].ID), "may be repeated")
	refused(token)
	require.True(t, fault.Is(s.RevokeToken(t.Context(), "no-such-token"), fault.NotFound))

	_, err = s.CreateToken(t.Context(), adminEmail, " ", time.Time{})
	require.True(t, fault.Is(err, fault.Invalid))
	_, err = s.CreateToken(t.Context(), adminEmail, "late", s.now().Add(-time.Second))
	require.True(t, fault.Is(err, fault.Invalid))
	_, err = s.CreateToken(t.Context(), "nobody@example.com", "n", time.Time{})
	require.True(t, fault.Is(err, fault.NotFound))
}

func TestDisabledUserHasNoWayIn(t *testing.T) {
	t.Parallel()
	s, seed := setup(t)
	_, err := s.EnsureAdministrator(t.Context(), adminEmail, adminPass)
	require.NoError(t, err)
	token, err := s.CreateToken(t.Context(), adminEmail, "t", time.Time{})
	require.NoError(t, err)
	session, err := s.SignIn(t.Context(), adminEmail, adminPass, "192.0.2.1", "")
	require.NoError(t, err)

	seed.Exec(`update users set disabled_at = now()`)
	_, err = s.Authenticate(t.Context(), token)
	require.True(t, fault.Is(err, fault.Unauthenticated))
	_, err = s.Session(t.Context(), session)
	require.True(t, fault.Is(err, fault.Unauthenticated))
	_, err = s.SignIn(t.Context(), adminEmail, adminPass, "192.0.2.1", "")
	require.True(t, fault.Is(err, fault.Unauthenticated))
}

func TestCredentialsAreKeptHashed(t *testing.T) {
	t.Parallel()
	token, sum := newCredential(tokenPrefix)
	again, ok := hashCredential(tokenPrefix, token)
	require.True(t, ok)
	require.Equal(t, sum, again)
	require.Len(t, sum, 32)
	require.False(t, bytes.Contains([]byte(token.Reveal()), sum))
	other, _ := newCredential(tokenPrefix)
	require.NotEqual(t, token, other)
	// The last character of 32 bytes in base64 has two spare bits: only one spelling opens.
	text := token.Reveal()
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if sum, ok := hashCredential(tokenPrefix, secret.Text(text[:len(text)-1]+string(last))); ok {
			require.Equal(t, string(last) == text[len(text)-1:], bytes.Equal(sum, again))
		}
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s, seed := setup(t)
	_, err := s.EnsureAdministrator(t.Context(), adminEmail, adminPass)
	require.NoError(t, err)

	first, err := s.SignIn(t.Context(), " ADMIN@example.com ", adminPass, "192.0.2.1", "")
	require.NoError(t, err)
	p, err := s.Session(t.Context(), first)
	require.NoError(t, err)
	require.Equal(t, adminEmail, p.Email)
	require.True(t, p.Can("any", SourcesRead))

	second, err := s.SignIn(t.Context(), adminEmail, adminPass, "192.0.2.1", first)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	_, err = s.Session(t.Context(), first)
	require.True(t, fault.Is(err, fault.Unauthenticated), "the old id ends at sign-in")

	// Used after a while, a session is prolonged, but never past its longest life.
	seed.Exec(`update sessions set expires_at = now() + interval '1 minute'`)
	_, err = s.Session(t.Context(), second)
	require.NoError(t, err)
	seed.Exec(`do $$ begin assert (select expires_at > now() + interval '11 hours' from sessions); end $$`)
	seed.Exec(`update sessions set created_at = now() - interval '6 days 23 hours', expires_at = now() + interval '1 minute'`)
	_, err = s.Session(t.Context(), second)
	require.NoError(t, err)
	seed.Exec(`do $$ begin assert (select expires_at <= now() + interval '1 hour' from sessions); end $$`)

	seed.Exec(`update sessions set expires_at = now() - interval '1 second'`)
	_, err = s.Session(t.Context(), second)
	require.True(t, fault.Is(err, fault.Unauthenticated))

	third, err := s.SignIn(t.Context(), adminEmail, adminPass, "192.0.2.1", "")
	require.NoError(t, err)
	require.NoError(t, s.SignOut(t.Context(), third))
	require.NoError(t, s.SignOut(t.Context(), third))
	_, err = s.Session(t.Context(), third)
	require.True(t, fault.Is(err, fault.Unauthenticated))
}

func TestSignInGivesNothingAway(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	_, err := s.EnsureAdministrator(t.Context(), adminEmail, adminPass)
	require.NoError(t, err)
	_, err = s.CreateUser(t.Context(), "robot@example.com", "", nil)
	require.NoError(t, err)

	_, wrong := s.SignIn(t.Context(), adminEmail, "not the password", "192.0.2.1", "")
	_, unknown := s.SignIn(t.Context(), "nobody@example.com", "not the password", "192.0.2.1", "")
	_, without := s.SignIn(t.Context(), "robot@example.com", "", "192.0.2.1", "")
	require.True(t, fault.Is(wrong, fault.Unauthenticated))
	require.Equal(t, wrong, unknown)
	require.Equal(t, wrong, without)
}

func TestGuessingIsStopped(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	_, err := s.EnsureAdministrator(t.Context(), adminEmail, adminPass)
	require.NoError(t, err)
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return clock }
	for _, email := range []string{adminEmail, "nobody@example.com"} {
		for range guessesPerPair {
			_, err := s.SignIn(t.Context(), email, "wrong password", "192.0.2.1", "")
			require.True(t, fault.Is(err, fault.Unauthenticated), err)
		}
		_, err = s.SignIn(t.Context(), email, adminPass, "192.0.2.1", "")
		require.True(t, fault.Is(err, fault.RateLimited), "the right password waits too: %v", err)
		require.Equal(t, guessWindow, fault.RetryAfterOf(err))
		require.NotEmpty(t, fault.HintOf(err))
	}
	_, err = s.SignIn(t.Context(), adminEmail, adminPass, "192.0.2.2", "")
	require.NoError(t, err, "the owner at another address is not locked out")
	clock = clock.Add(guessWindow)
	_, err = s.SignIn(t.Context(), adminEmail, adminPass, "192.0.2.1", "")
	require.NoError(t, err)
}

// What PostgreSQL cannot keep as text is nobody's address, and no fault of ours.
func TestSignInWithAnyBytes(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	_, err := s.EnsureAdministrator(t.Context(), adminEmail, adminPass)
	require.NoError(t, err)
	for _, email := range []string{"\x00", adminEmail + "\x00", "a\x00@example.com", "\xff", "a\xc3@example.com", "\xed\xa0\x80@example.com", "", "'\u202e\ufffd"} {
		_, err := s.SignIn(t.Context(), email, adminPass, "192.0.2.1", "")
		require.Equal(t, wrongSignIn(), err, "%q", email)
	}
	for _, password := range []secret.Text{"\x00", "\xff", adminPass + "\x00"} {
		_, err := s.SignIn(t.Context(), adminEmail, password, "192.0.2.1", "\x00\xff")
		require.Equal(t, wrongSignIn(), err)
	}
}

// Strangers who keep the door busy neither pile up behind it nor lock out the owner.
func TestSignInWhenTooManyWait(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	_, err := s.EnsureAdministrator(t.Context(), adminEmail, adminPass)
	require.NoError(t, err)
	s.hashing = gate.New("hash a password", 1, time.Millisecond)
	leave, err := s.hashing.Enter(t.Context())
	require.NoError(t, err)
	for range guessesPerPair + 1 {
		_, err = s.SignIn(t.Context(), adminEmail, adminPass, "192.0.2.1", "")
		require.True(t, fault.Is(err, fault.Transient), err)
		require.Positive(t, fault.RetryAfterOf(err))
	}
	leave()
	_, err = s.SignIn(t.Context(), adminEmail, adminPass, "192.0.2.1", "")
	require.NoError(t, err)
}

func TestUnjudgedAttemptsCountForTheirAddress(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := newGuesses()
	for range guessesPerAddress {
		require.Zero(t, g.begin("a@example.com", "192.0.2.1", now))
		g.unjudged("a@example.com", "192.0.2.1")
	}
	require.Equal(t, guessWindow, g.begin("a@example.com", "192.0.2.1", now))
	require.Zero(t, g.begin("a@example.com", "192.0.2.2", now))
}

func TestGuessesCountManyAddressesAndManyAccounts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	address := func(i int) string { return "192.0.2." + string(rune('A'+i)) }

	g := newGuesses()
	for i := range guessesPerAccount {
		require.Zero(t, g.begin("a@example.com", address(i/9), now))
	}
	require.Equal(t, guessWindow, g.begin("A@example.com", "198.51.100.1", now), "one account from many addresses")

	g = newGuesses()
	for i := range guessesPerAddress {
		require.Zero(t, g.begin(address(i)+"@example.com", "192.0.2.1", now))
	}
	require.Equal(t, guessWindow, g.begin("z@example.com", "192.0.2.1", now), "many accounts from one address")

	g = newGuesses()
	for range 3 * guessesPerAccount {
		require.Zero(t, g.begin("a@example.com", "192.0.2.1", now))
		g.succeeded("a@example.com", "192.0.2.1")
	}

	g = newGuesses()
	for i := range guessesKept {
		g.counters[strconv.Itoa(i)] = &guessCounter{until: now.Add(time.Hour)}
	}
	g.begin("a@example.com", "192.0.2.1", now)
	require.LessOrEqual(t, len(g.counters), guessesKeptAtAPurge+3, "memory is bounded")
}

func TestPasswordHash(t *testing.T) {
	t.Parallel()
	s := New(nil)
	phc, err := s.hashPassword(t.Context(), adminPass)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(phc, "$argon2id$v=19$m=65536,t=3,p=4$"), phc)
	second, err := s.hashPassword(t.Context(), adminPass)
	require.NoError(t, err)
	require.NotEqual(t, phc, second, "salted")

	check := func(phc string, password secret.Text) bool {
		t.Helper()
		ok, err := s.verifyPassword(t.Context(), phc, password)
		require.NoError(t, err)
		return ok
	}
	require.True(t, check(phc, adminPass))
	require.False(t, check(phc, adminPass+"x"))
	// From the reference implementation: echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 24
	require.True(t, check("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"))

	for _, bad := range []string{
		"", "plain", strings.Replace(phc, "argon2id", "argon2i", 1), strings.Replace(phc, "v=19", "v=16", 1),
		strings.Replace(phc, "m=65536", "m=4294967295", 1), strings.Replace(phc, "t=3", "t=0", 1),
		strings.Replace(phc, "p=4", "p=4,x=1", 1), phc + "$",
	} {
		_, _, _, ok := parsePHC(bad)
		require.False(t, ok, bad)
	}
	require.False(t, check("$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$"+strings.Repeat("A", 43), ""))
}

func TestOneTime(t *testing.T) {
	t.Parallel()
	value, sum := NewOneTime()
	again, ok := HashOneTime(value)
	require.True(t, ok)
	require.Equal(t, sum, again)
	_, ok = HashOneTime("x")
	require.False(t, ok)
}
