// Command starter is the operator's hand on integrations: it sets the installation up,
// applies integration files, steers what runs and says how it is.
//
// One command per file. A command reads its environment, opens what it needs, does one
// thing through the packages below and says what happened: what scripts read goes to
// stdout, talk to stderr. The exit code says who has to act: 0 nobody, 1 something went
// wrong while running, 2 the input, 3 PostgreSQL or Temporal cannot be reached.
//
// PostgreSQL holds the truth of what an operator wants; signals only make a workflow
// look. So a command writes first and signals after, and may be repeated. It must not
// speak to Salesforce, except to give access back through package oauth. Read
// app.go next, then any command.
package main
