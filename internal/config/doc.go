// Package config reads what people configure: the environment of the three
// programs and the integration file.
//
// Both are read once, into typed values, and judged as a whole: every problem is
// reported at the same time, by the variable's name or by the file's line. It is the
// one package that reads environment variables.
//
// It judges form only. Which hosts Salesforce may be spoken to at and what a
// condition or a field path looks like are known above and beside it, so the caller
// hands those rules in (see [Checks]); whether an object or a field exists is asked
// of Salesforce after the grant. It must not know the database, Temporal's server or
// Salesforce.
//
// Read package store next: it keeps an [Integration] as it is read here, without its
// secret.
package config
