package main

import (
	"strings"

	"github.com/spf13/cobra"

	"salesforcesync/internal/catalogue"
	"salesforcesync/internal/fault"
)

func (a *app) faultCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fault CODE | MESSAGE",
		Short: "Say what an error means: its cause, the next step, and who must act",
		Long: `Looks an error up in the catalogue of docs/errors.md. Give it a code of the catalogue, an error code of Salesforce, or a
message as it stands in a log, on a page or in the status: words are enough. At most three answers, the likeliest first. Neither
PostgreSQL nor Temporal is asked.`,
		Example: `  starter fault share-used
  starter fault INVALID_SESSION_ID
  starter fault "the org's instance URL is not allowed"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fault.New(fault.Invalid, "a code or a message must be given").WithHint("put a message into quotes")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			found := catalogue.Find(text)
			if len(found) == 0 {
				return fault.New(fault.NotFound, "nothing in the catalogue fits %.200q", text).
					WithHint("give it more of the message's own words, or search docs/errors.md")
			}
			return a.printFaults(found)
		},
	}
}

// faultView is an answer in JSON: a contract with scripts.
type faultView struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	Who   string `json:"who_acts"`
	Cause string `json:"cause"`
	Next  string `json:"next_step"`
}

func (a *app) printFaults(found []catalogue.Entry) error {
	views := make([]faultView, len(found))
	for i, e := range found {
		views[i] = faultView{e.Code, e.Title, string(e.Who), e.Cause, e.NextStep()}
	}
	if a.json {
		return a.printJSON(views)
	}
	for _, e := range found {
		a.print("%s: %s", e.Code, e.Title)
		a.print("  cause  %s", e.Cause)
		a.print("  next   %s", e.NextStep())
		a.print("  who    %s", e.Who.Words())
	}
	return nil
}

// lookUp says where a problem of the status can be looked up; "" when the catalogue has nothing, or when
// there is no problem.
func lookUp(problem string) string {
	if found := catalogue.Find(problem); len(found) > 0 {
		return "starter fault " + found[0].Code
	}
	return ""
}
