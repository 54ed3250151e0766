// Package imports holds the tests that keep arrows pointing down: which package may
// import which, and which may touch what; and those of what we take in and give out: that
// downloads are pinned, that linters are on, and that a release can be made again to the byte, with
// a list of what is in it. It has no code of its own.
package imports
