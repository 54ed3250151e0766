// Package store keeps everything in PostgreSQL: all SQL of the product, the
// embedded migrations, and the transactions that make it exact. Nothing else
// imports pgx.
//
// It owns the invariants: what must be true together is written in one
// transaction, and what must never be true is refused by the schema. Methods
// return [fault] errors; rows that do not exist are fault.NotFound.
//
// Files go by entity and verb: batch_begin.go, batch_seal.go, upsert.go … The tables and why
// they are so are told in migrations/0001_foundation.sql. Secrets go in and come
// out as secret.Text and are sealed here, bound to the row that holds them.
//
// Neighbours: poll, transform, oauth, access, api and web call it; it calls nobody.
//
// [fault]: salesforcesync/internal/fault
package store
