package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/secret"
)

func TestHide(t *testing.T) {
	t.Parallel()
	const raw = "00D5e!AQ+x/y= z"
	token := secret.Text(raw)
	for name, form := range map[string]string{
		"as it is": raw, "in a query": url.QueryEscape(raw), "in a path": url.PathEscape(raw), "base64": base64.StdEncoding.EncodeToString([]byte(raw)),
		"base64 for URLs": base64.RawURLEncoding.EncodeToString([]byte(raw)), "hex": hex.EncodeToString([]byte(raw)),
	} {
		require.Equal(t, "bad token <secret>, <secret>!", secret.Hide("bad token "+form+", "+form+"!", token), name)
	}
	require.Equal(t, "nothing here", secret.Hide("nothing here", token))
	require.Equal(t, "at a", secret.Hide("at a", "", "a"), "what is found by chance is left alone")

	err := fmt.Errorf("malformed %q: %w", raw, io.ErrUnexpectedEOF)
	require.EqualError(t, secret.HideIn(err, token), `malformed "<secret>": unexpected EOF`)
	require.ErrorIs(t, secret.HideIn(err, token), io.ErrUnexpectedEOF)
	require.Same(t, io.EOF, secret.HideIn(io.EOF, token))
	require.NoError(t, secret.HideIn(nil, token))
}
