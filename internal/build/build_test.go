package build

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABuildSaysWhatItIs(t *testing.T) {
	require.Equal(t, "devel", Read().Version, "nobody told the linker")
	require.Equal(t, runtime.Version(), Read().Go)
	version, commit = "v1.2.3", "0a1b2c3"
	t.Cleanup(func() { version, commit = "", "" })
	require.Equal(t, Info{Version: "v1.2.3", Commit: "0a1b2c3", Go: runtime.Version()}, Read())
	require.Equal(t, "v1.2.3 (commit 0a1b2c3, "+runtime.Version()+")", Read().String())
	require.Equal(t, "devel (go1.26)", Info{Version: "devel", Go: "go1.26"}.String())
}
