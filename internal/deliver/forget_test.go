package deliver

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/store"
)

// What somebody wanted forgotten is deleted at the tenant, too, and so is what it said of it.
func TestForgottenCommentsAreDeletedAtTheTenant(t *testing.T) {
	t.Parallel()
	s := newStub(t)
	b := setup(t, s.server)
	b.mails(3)
	b.run()
	b.delivered()
	require.Len(t, s.has(), 3)
	b.seed.Exec(`insert into undeliverable (integration_id, comment_id, message) values ($1, 'c000', 'the text of Ann'), ($1, 'c002', 'another')`, b.id)
	done, err := b.db.Forget(t.Context(), b.source, "id", []string{"c000", "c001"}, nil)
	require.NoError(t, err)
	require.Equal(t, store.Forgotten{Comments: 2}, done)
	b.delivered()
	require.Equal(t, []string{"c002"}, slices.Collect(maps.Keys(s.has())))
	require.Equal(t, []string{"c002"}, b.seed.Strings(`select comment_id from undeliverable`))
}
