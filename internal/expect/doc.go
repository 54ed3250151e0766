// Package expect says what records of the Salesforce simulator must become: comments, worked out from its rows by
// the words of the contract and without a line of the product's mapping. Only how a mail or a text is cleaned is asked
// of package clean. Not shipped: tests and package chaos compare the product with it.
package expect
