// Package soql owns query text: it reads the condition an administrator writes
// in an integration file, checks it against field types, and renders the
// queries the product sends. It does no I/O.
//
// Text from a person never reaches Salesforce as it was written. [Parse] turns a
// condition into an [Expr], and only Expr.String, which quotes every literal and
// spells every keyword itself, makes text again. [Select] puts fields, conditions
// and order together and refuses names that are not names.
//
// The grammar is the part of SOQL that a WHERE clause over one object needs:
// comparisons, LIKE, IN, NOT IN, INCLUDES, EXCLUDES, AND, OR, NOT and parent
// paths. What is outside it (subqueries, functions, bind variables, clauses after
// WHERE) is refused by name, never ignored.
//
// The package must not know how a query is sent or what a describe call looks
// like: [Check] asks for field facts through a [Resolver]. Read package salesforce
// next: it sends what is built here and resolves paths over describes.
package soql
