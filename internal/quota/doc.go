// Package quota keeps the product inside its share of an org's daily API requests, and
// out of the way when others need them.
//
// It owns two questions. May this call be made? (Governor.Admit, before every HTTP
// exchange with Salesforce.) How long until the next look for news? (Governor.Pace,
// after every look.) Both are answered from one Budget: our own calls of the last day,
// counted in PostgreSQL for all processes and all integrations of an org together, and
// what Salesforce says of the org's.
//
// Budget is arithmetic only: time and numbers go in, and nothing is asked. Governor is
// where they come from. The package makes no calls of its own but one, to /limits, when
// answers do not say how much of the day is used; who counts is package store, who calls
// is package salesforce.
package quota
