// Package gate lets a bounded number of callers do something costly at a time. The
// others wait for a moment and are then told that the server is busy.
//
// A queue without an end costs memory and serves only those who have given up
// already. It must not know what is done behind it: access puts one around password
// hashing, api and web around counts and large pages. Read [fault] next: it has the
// error that a busy gate gives.
//
// [Turns] is for programs that have to wait, and must not wait for one tenant's flood.
//
// [fault]: salesforcesync/internal/fault
package gate
