// Package crashpoint lets an end-to-end test kill a program at a named point, to
// prove that nothing is lost or done twice.
//
// A released binary cannot be made to crash: the folder to look in is a variable
// that only the linker can set (-ldflags "-X salesforcesync/internal/crashpoint.dir=…"),
// and the tests build a binary of their own. The package knows nothing else of
// the product; store and activities call it.
package crashpoint

import (
	"os"
	"path/filepath"
	"syscall"
)

// The points.
const (
	BatchStaged  = "batch-staged"  // Poll sealed its chunks, the activity has not answered
	BeforeCommit = "before-commit" // Upsert has written everything, nothing is committed
	AfterCommit  = "after-commit"  // Upsert has committed, the activity has not answered

	JobAsked = "job-asked" // the intent to make a bulk job is committed, Salesforce has not been asked
	JobMade  = "job-made"  // Salesforce has made the job, its Id is not committed

	TokenAnswered = "token-answered" // Salesforce has given a new token, it is not committed
)

// dir is set by the linker in the binaries that the tests build.
var dir string

// Hit kills this process with SIGKILL if a file of the point's name is in the
// folder; the file is renamed to <name>.hit first, so that it happens once and
// the test can see that it did.
func Hit(point string) {
	if dir == "" {
		return
	}
	armed := filepath.Join(dir, point)
	if os.Rename(armed, armed+".hit") != nil {
		return // not armed
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}
