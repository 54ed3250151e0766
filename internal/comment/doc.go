// Package comment is the domain: a comment, its messages, texts and properties,
// their limits, and the two hashes that decide what a change costs.
//
// Shapes and limits follow the Comments API of Communications Mining
// (POST /api/v1/sources/{project}/{source}/sync). The package does no I/O and
// knows neither Salesforce nor PostgreSQL; internal/transform makes comments,
// internal/store keeps them, internal/api shows them.
package comment
