// Package build says which build of the product runs: its version, the commit it was made
// of and the Go it was compiled with. All programs tell it alike: in the first line of their
// log, in the metric salesforcesync_build_info, and starter with --version. It knows nothing else.
package build
