// Package operate is the hand on an integration: what an operator may do to it, whoever asks, the starter
// program at a keyboard or a button of the web page.
//
// A [Hand] has one method for each: Apply and Plan for a file; Start, Pause, Resume, SyncNow, Backfill,
// SteerBackfills, Resync and Check for one that runs; Disconnect and Delete for its end. Each writes
// PostgreSQL first, which acts within seconds, and then tells the workflow: a Temporal that is away delays
// what is shown, not what happens. What a method did before it failed is in its [Done].
//
// It prints nothing and knows neither flags nor pages. Where something cannot be done as things are, the
// error is a [Refused] that says why; each edge has its own words for the next step. [Buttons] are the same
// hand for pages, by name, with words for people who have no terminal.
//
// Before an integration's workflow was ever started it is a draft: applied, perhaps connected, perhaps without
// objects. [Hand.Describe], [Hand.Objects] and [Hand.Examine] ask Salesforce about one.
//
// It holds no SQL and no rule of what is synced: those are in packages store and poll. Temporal is spoken to in
// temporal.go alone.
package operate
