// Package poll decides what to ask Salesforce next, asks it, and stages what comes
// back. It owns three questions:
//
//	Check   can this be asked at all? (names, rights, conditions → a Plan per object)
//	Watch   is there anything new?    (ids and stamps only, several objects in one call)
//	Poll    what is it?               (records, staged raw as one batch)
//
// A live stream follows the keyset (SystemModstamp, Id). Stamps have whole seconds
// and are given out before a transaction commits, so rows of the current second are
// read again once it is over, and a parent's change, which stamps no child, is
// followed by watching the parents on the property paths.
//
// The package talks to Salesforce through two small interfaces and knows no tokens.
// Before each call it asks the store whether it still may. What becomes of the
// records is package transform's business, then package store's.
package poll
