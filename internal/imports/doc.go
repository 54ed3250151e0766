// Package imports holds the test that keeps arrows pointing down: which package may
// import which, and which may touch what. It has no code of its own.
package imports
