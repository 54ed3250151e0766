// Package simforce is a Salesforce that runs on one machine: OAuth with login
// and consent pages, the REST API, SOQL, and an org full of mail. Server is an
// http.Handler; cmd/simforce serves it as a program.
//
// It is faithful where clients can tell: wire spelling, error bodies, ids and
// their checksum, page sizes, cursors, stamps of whole seconds, arbitrary order
// inside a tie. What it does not model it refuses with an error; it never
// ignores a clause, a parameter or a header that would change the answer. It
// knows none of the other packages of this module and none of them may lean on
// more than its exported names.
//
// # Orgs and users
//
// Acme has admin@acme.example, sync@acme.example and two agents, and all the
// mail. Globex has admin@globex.example and one mail of its own. Both are served
// from the same base URL; the token decides. No password is asked for.
//
// # OAuth
//
//	GET  /services/oauth2/authorize  → login page        form: attempt, username
//	POST /services/oauth2/authorize  → consent page      form: attempt, username, decision=allow|deny
//	POST /services/oauth2/authorize  → 302 callback?code=…&state=…
//	POST /services/oauth2/token      → tokens
//
// A script reads the hidden field attempt from the login page and may send
// username and decision in one post; Consent does the whole walk. A wrong
// client_id, redirect_uri, response_type or scope shows a page and calls nobody
// back. Codes work once and for fifteen minutes. PKCE is S256 only and enforced
// when a challenge was sent. Also there: revoke, introspect, userinfo, the
// identity URL and /.well-known/openid-configuration. Sessions slide; rotation,
// reuse, idle expiry and forced errors are knobs (Knobs).
//
// # Data API
//
// Versions 31.0 to 68.0: limits, describe (global and per object, conditional),
// query, queryAll and their cursors, retrieve, create, update, delete, updated,
// deleted, composite (no references between parts), composite/batch and the query
// jobs of Bulk API 2.0. Bulk ingest, Bulk API 1.0 and collections answer 404.
//
// SOQL: a field list with parent paths of up to five levels, or COUNT(); FROM one
// object; WHERE with AND, OR, NOT and parentheses (which may not be mixed without
// them), = != < <= > >= LIKE, IN, NOT IN, also of a semi-join, strings, numbers,
// booleans, null, dates, datetimes and named dates; ORDER BY with ASC, DESC,
// NULLS; LIMIT; OFFSET. Every other clause is a MALFORMED_QUERY that names it.
// Null compares two-valued: != and NOT IN take rows that are null, an order
// comparison never does.
//
// # Bulk API 2.0
//
//	POST   /jobs/query                 {operation, query, contentType, columnDelimiter, lineEnding}
//	GET    /jobs/query                 the user's jobs, newest first
//	GET    /jobs/query/{id}            PATCH {"state":"Aborted"}, DELETE when it has ended
//	GET    /jobs/query/{id}/results    ?maxRecords=&locator=, CSV
//	GET    /jobs/query/{id}/resultPages
//
// A job moves from UploadComplete to InProgress to its end by the org's clock, at
// once unless Knobs.Bulk says otherwise. Its rows and the parents they show are
// those of the second it became InProgress, whoever asks when. It belongs to its
// user, not to a session, for seven days; a restart or a move of the instance
// forgets it. Without ORDER BY the rows come in Id order. A result is written while
// it is sent and takes no memory worth the name; what it adds to the day's allowance
// is an estimate. Counters.Pages says how often each page was asked for, and how often
// it was answered whole. COUNT(), OFFSET, addresses, files and objects such as
// CaseStatus are refused when the job is made, FLS lost later fails it.
//
// # Data
//
// With MailDir every .eml file, in the order of the names, becomes exactly one
// EmailMessage; threads become Cases, senders Contacts, domains Accounts. The
// mail's own Date is MessageDate; CreatedDate and SystemModstamp are spread over
// the thirty days before the start, with a dozen rows in one second now and
// then. Without MailDir conversations are made up in ten languages. Rows of the
// other objects stand beside the cases. Every fifth id comes from another pod,
// so Id order is not creation order. A write stamps its own row only; changes of
// a Case's status, priority and owner also write CaseHistory.
//
// FeedItem and FeedComment answer a user without View All Data only for given ids, as
// the platform does. A mail leaves no Task behind: tests make the copies they need.
//
// CaseHistory has CreatedDate and no other stamp, CaseShare LastModifiedDate and
// no other; Object says the same of objects that tests declare. Outgoing mail
// made with ToIds, CcIds and BccIds keeps only strangers in its address fields;
// the rest stands in EmailMessageRelation. A file (Attachment.Body) shows its
// address in a query and is read there.
//
// AddStock adds e-mails by the million (Stock): rows of some 8 KB with their cases,
// spread over years, whose values are made when they are looked at. They cost some
// thirty bytes each until they are written, and a result of Bulk API 2.0 is sent at a
// gigabyte a second or so.
//
// # Time
//
// All of the org's time is Options.Clock plus what Advance added: stamps,
// sessions, codes, refresh tokens, cursors, the quota's rolling day (in whole
// hours), delayed commits, outages, and the fifteen days of the recycle bin. Its
// effects are there at the next request or method. Only latency, delays of
// faults, stalled bodies and the pace of Run take the wall clock's time.
//
// # Late commits
//
// Begin opens a transaction (Tx). Its writes are stamped when made and seen when
// it commits: by Commit, or by the clock after CommitAfter. latestDateCovered of
// updated and deleted is the start of the org's oldest open transaction, else the
// end asked for or the present minute. Rows it has written, and parents of rows
// it has written when they are to be deleted, refuse others with
// UNABLE_TO_LOCK_ROW. A Write with a Stamp in the past looks like a late commit
// too, but latestDateCovered knows nothing of it.
//
// # Deletes
//
// Softly deleted rows lie in the recycle bin: IsDeleted, a new stamp, queryAll
// only. They leave it by undelete, by purge, or after fifteen days. Children go
// along as Knobs.CascadeDelete says. Rows of objects without a bin (NoUndelete)
// vanish. getDeleted reads a log of its own that keeps purged rows for fifteen
// days and can be trimmed; a hard deletion enters it only with
// Knobs.HardDeletesLogged. Merges re-point children. An archived Task or Event is
// in queryAll alone.
//
// # Visibility
//
// SetVisible hides objects and fields from a user, SetRowVisible and
// SetOwnerVisible rows; no stamp moves. Mails, comments, feed items and history
// are hidden with their case. SetViewAll lifts all of it for an object, and for
// every object as View All Data. Whether a visible row shows the fields of a
// parent the user may not see is Knobs.HiddenParents. The org has no
// UserRecordAccess. Visible, Select and Count tell what a user sees without a
// request.
//
// Every user has the permission set of a profile, with Read on the objects that are
// not hidden, and one of their own, with what SetViewAll gave. PermissionSet,
// PermissionSetAssignment and ObjectPermissions follow every change. As on the
// platform ObjectPermissions has rows only for objects with permissions of their
// own: none for EmailMessage, CaseComment and whatever else goes with its parent,
// none for activities and users (View All on such an object, which the platform
// does not have, makes one). SetPermission takes ViewSetup, without which these
// three and limits cannot be read, and ApiEnabled.
//
// # Failures
//
// FailNext makes the next matching requests fail, with an answer of the test's
// own or a class of FaultClasses; SetChaos does so at random, by a seed.
// QueryLimits fail queries by the rows they match and the window they leave open.
// Further knobs: URI length, requests in flight, outages, hosts (MoveInstance,
// WrongHost), how the quota is told and by how much it may be exceeded, the
// policies of the connected app. Counters.Faults says what was really given.
//
// Transport answers without a network, faults of the wire included.
//
// Run goes on writing: replies into existing threads, new conversations, edits
// of bodies, status and priority changes. StateFile is a log of JSON lines:
// grants and tokens are written through at once, data within a quarter of a
// second; it is rewritten, atomically, at start and when it has grown.
//
// # Control endpoint
//
// /_sim/ is for tests. It answers loopback only, refuses requests of web pages
// (Origin) and of proxies, and speaks JSON; GET /_sim/ lists its routes:
//
//	GET    /_sim/orgs
//	GET    /_sim/records/{object}[?org=]          all rows, deleted ones too, in Id order
//	GET    /_sim/records/{object}/{id}
//	POST   /_sim/records/{object}                 Write; returns the row; with count many, returns ids
//	PATCH  /_sim/records/{object}/{id}            Write; returns the row
//	DELETE /_sim/records/{object}/{id}[?hard=true&tx=]
//	POST   /_sim/records/{object}/{id}/undelete   also …/purge, …/archive, …/merge {losers}
//	GET    /_sim/transactions, POST {org,commit_after} begins one
//	POST   /_sim/transactions/{id}/commit         {after}; also …/rollback
//	POST   /_sim/sharing {org,user,id|owner,object,visible}
//	POST   /_sim/view_all {org,user,object,on}
//	POST   /_sim/permission {org,user,permission,on}
//	GET    /_sim/visible/{object}[?org=&user=&path=]   what a user sees of it
//	POST   /_sim/bump {org,object,ids,stamp}      SystemModstamp moves, content stays
//	POST   /_sim/picklists/rename {org,object,field,from,to,stamp}
//	POST   /_sim/bin/empty {org,object}
//	POST   /_sim/delete_log/trim {org,object,before}
//	POST   /_sim/stock {org,mails,from,to}        Stock
//	GET    /_sim/counters, DELETE resets          Counters
//	GET    /_sim/requests                         the latest Requests
//	GET    /_sim/knobs, PATCH changes             Knobs
//	GET    /_sim/faults, POST adds, DELETE clears Fault
//	GET    /_sim/faults/classes                   names of FaultClasses
//	GET    /_sim/chaos, POST sets, DELETE ends    Chaos
//	POST   /_sim/instance/move {url}
//	POST   /_sim/cursors/kill
//	GET    /_sim/clock, POST clock/advance {seconds}
//	POST   /_sim/login {username}                 Tokens without the pages
//	POST   /_sim/sessions/kill {username}         ends access tokens
//	POST   /_sim/grants/revoke {username}         revokes refresh tokens too
//	POST   /_sim/quota {org,used}
//	POST   /_sim/visibility {org,user,what,visible}   what: "Case" or "Case.Subject"
//	POST   /_sim/objects {org,object}             adds an object, or fields to one
//	POST   /_sim/write {count}                    the writer writes now
//
// Each has a Server method of the same meaning. A restart with a StateFile keeps
// rows, recycle bin, delete log, visibility, grants and sessions; it forgets
// knobs, faults, cursors, jobs, open transactions and how far a log was trimmed.
//
// Read next: server.go (routing), query.go and soql_plan.go (how a query runs),
// bulk.go, stock.go, oauth_token.go, write.go, transaction.go and recycle.go (what a write does),
// fault_class.go, control.go.
package simforce
