// Package e2e holds the tests that run the shipped programs against a real Temporal,
// a real PostgreSQL and the Salesforce simulator, kill any of them, and compare what
// the API gives with what Salesforce holds, field by field and unit by unit.
//
// It has no code of its own. The stack is in stack_test.go, the comparison in
// compare_test.go, the story in journey_test.go.
package e2e
