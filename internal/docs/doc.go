// Package docs holds the tests that keep the written pages true: every command in them
// exists, every link leads somewhere, and what must be told of is told. It has no code
// of its own.
package docs
