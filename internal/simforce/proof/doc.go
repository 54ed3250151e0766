// Package proof shows, by clients this project did not write, that the
// simulator speaks Salesforce: jsforce under Node and go-salesforce. It holds
// tests only.
//
// The jsforce test installs its exact version with npm once, into .dev/npm of
// the repository, and needs nodejs and npm on the machine.
package proof
