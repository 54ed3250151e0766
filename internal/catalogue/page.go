package catalogue

import (
	"fmt"
	"strings"
)

// Page is docs/errors.md.
func Page() string {
	var b strings.Builder
	b.WriteString(`# Errors

<!-- made by: go test ./internal/catalogue -update -->

Every fault a person can meet: what causes it, the next step, and who must act. With a message, a line of a log or an error of
Salesforce in front of you, ask the program, which knows all of this page:

` + "```sh\nstarter fault \"the org's instance URL is not allowed\"\nstarter fault INVALID_SESSION_ID\nstarter fault share-used\n```" + `

or search this page for words of the message; what differs each time is … here. "Nobody" means: it goes on by itself, and
` + "`starter status support/salesforce-prod`" + ` says when. What to look at when there is a symptom and no message: [the runbook](operations.md#runbook).
How this page is made and kept true: [a decision](decisions/20261126-faults-by-next-step.md).
`)
	for _, e := range All() {
		if e.Section != "" {
			fmt.Fprintf(&b, "\n## %s\n", e.Section)
		}
		fmt.Fprintf(&b, "\n### %s\n\n**%s.** %s\n\n", e.Code, e.Title, e.Cause)
		fmt.Fprintf(&b, "*Who acts:* %s. *Next:* %s\n", e.Who.Words(), e.NextStep())
		if len(e.Messages) == 0 {
			continue
		}
		b.WriteString("\n")
		for _, m := range e.Messages {
			kind := ""
			if m.Kind != "" {
				kind = " (" + string(m.Kind) + ")"
			}
			fmt.Fprintf(&b, "- %s%s\n", prose(m.Text), kind)
		}
	}
	return b.String()
}

var escapes = strings.NewReplacer("*", `\*`, "<", "&lt;", "[", `\[`, "]", `\]`, "`", "'", "|", `\|`)

// prose is a message as a line of text: … for what differs each time.
func prose(message string) string {
	text := verb.ReplaceAllString(strings.ReplaceAll(message, "%%", "\x00"), "…")
	return escapes.Replace(strings.ReplaceAll(text, "\x00", "%"))
}
