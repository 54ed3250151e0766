package build

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// Set by the linker (-X salesforcesync/internal/build.version=v1.2.3); the Dockerfile says how.
var version, commit string

// Info is what is known of a build.
type Info struct {
	Version string // as it was released, or "devel"
	Commit  string // "" when it was not said
	Go      string // go1.26.8
}

// Read gives the build of this program. What the linker was not told comes from the stamp
// that the go command leaves, where there is one.
func Read() Info {
	i := Info{Version: cmp.Or(version, "devel"), Commit: commit, Go: runtime.Version()}
	if stamp, ok := debug.ReadBuildInfo(); ok && i.Commit == "" {
		for _, s := range stamp.Settings {
			if s.Key == "vcs.revision" {
				i.Commit = s.Value
			}
		}
	}
	return i
}

// String is the build in a few words: "v1.2.3 (commit 0a1b2c3, go1.26.8)".
func (i Info) String() string {
	about := i.Go
	if i.Commit != "" {
		about = "commit " + i.Commit + ", " + about
	}
	return i.Version + " (" + about + ")"
}
