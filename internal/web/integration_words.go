package web

import (
	"regexp"
	"strings"
	"time"

	"salesforcesync/internal/config"
	"salesforcesync/internal/store"
)

// commands are what hints tell operators at a terminal to run, and what does the same on a page.
var commands = []struct {
	form  *regexp.Regexp
	words string
}{
	{regexp.MustCompile("connect again once with `starter connect [^`]+`"), "connect again once with the button on its page"},
	{regexp.MustCompile("(?:run )?`starter connect [^`]+`(?: and open the link to connect again| and send the link to the Salesforce administrator)?"),
		"authorize it in Salesforce with the button on its page"},
	{regexp.MustCompile("(?:run |resume it with )?`starter resume [^`]+`"), "resume it with the button on its page"},
	{regexp.MustCompile("(?:run )?`starter backfill [^`]+ --resume`"), "let it go on with the button on its page"},
	{regexp.MustCompile("(?:run )?`starter sync-now`"), "press Sync now"},
	{regexp.MustCompile("(?:run )?`starter start [^`]+`"), "go on setting it up, and start it"},
}

// pageHint is a next step for who sits at the page: what a button does needs no command.
func pageHint(hint string) string {
	for _, c := range commands {
		hint = c.form.ReplaceAllLiteralString(hint, c.words)
	}
	return hint
}

// interval writes how long something takes as people do: 29s, 1m34s.
func interval(d time.Duration) string {
	if d >= 10*time.Second {
		d = d.Round(time.Second)
	} else {
		d = d.Round(100 * time.Millisecond)
	}
	return config.Duration(d).String()
}

// laneWords says why records were read.
func laneWords(lane string) string {
	switch lane {
	case "live":
		return "news"
	case "resync":
		return "read again"
	case "retransform":
		return "texts made anew"
	case "sweep":
		return "compared"
	}
	return lane
}

// deedWords says what was done to an integration.
func deedWords(d store.Deed) string {
	on := ""
	if d.Details.Object != "" {
		on = " of " + d.Details.Object
	}
	switch d.Type {
	case store.EventIntegrationApplied:
		if d.Details.Created {
			return "created it"
		}
		return "changed the configuration"
	case store.EventIntegrationDesired:
		switch d.Details.Desired {
		case store.DesiredPaused:
			return "paused it"
		case store.DesiredRunning:
			return "let it go on"
		case store.DesiredDisconnected:
			return "disconnected it"
		case store.DesiredDeleted:
			return "asked for its deletion"
		}
	case store.EventIntegrationDeleted:
		if d.Details.Erased {
			return "deleted one of this name, and erased its comments"
		}
		return "deleted one of this name"
	case store.EventIntegrationConnected:
		return "connected it to Salesforce"
	case store.EventIntegrationDisconnected:
		return "gave the access to Salesforce back"
	case store.EventIntegrationSignalled:
		return "sent its workflow the signal " + d.Details.Signal
	case store.EventLinkCreated:
		return "made a link for a Salesforce administrator"
	case store.EventResyncRequested:
		return "asked for records" + on + " to be read again and compared"
	case store.EventBackfillRequested:
		return "asked for all records" + on + " to be read again"
	case store.EventBackfillSteered:
		switch d.Details.Signal {
		case "pause":
			return "paused the load" + on
		case "resume":
			return "let the load" + on + " go on"
		case "cancel":
			return "cancelled the load" + on
		}
	case store.EventRetransformRequested:
		return "asked for the texts" + on + " to be made anew"
	case store.EventDeliveryRequested:
		return "asked for all comments to be delivered again"
	case store.EventRetransformCancelled:
		return "stopped making the texts of " + strings.Join(d.Details.Objects, ", ") + " anew"
	}
	return strings.NewReplacer("integration.", "", "_", " ").Replace(d.Type)
}

// actorWords says who did something; names are for who may see them.
func actorWords(d store.Deed, named bool) string {
	words := map[string]struct{ before, name, behind string }{
		store.ActorUser:       {"", "A user", ""},
		store.ActorToken:      {"A token of ", "a user", ""},
		store.ActorStarter:    {"", "An operator", " at the command line"},
		store.ActorSalesforce: {"", "An administrator", " in Salesforce"},
		store.ActorSystem:     {"", "The program itself", ""},
	}[d.Actor]
	if named && d.Name != "" && d.Actor != store.ActorSystem {
		words.name = d.Name
	}
	return words.before + words.name + words.behind
}
