package web

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"salesforcesync/internal/access"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

// newestComments is how many the first page lists.
const newestComments = 30

// snippetChars is how much of a body a list shows.
const snippetChars = 220

type homePage struct {
	page
	Overview *overview // nil without an account
}

// overview is the part of the page that moves.
type overview struct {
	MaySeeIntegrations bool
	MaySeeComments     bool
	MayAdd             bool // an integration
	Integrations       []integrationLine
	Comments           []commentLine
}

type integrationLine struct {
	store.Overview
	Label        string // the status in words
	Tone         string // ok, busy, warn, bad or off
	Path         string // of its page
	Hint         string
	Lately       *int64 // comments of the last day; nil = not counted yet
	MaySeeCounts bool
	Authorize    string // path of the authorize button; "" = none
	Setup        string // where setting it up goes on; "" = it is set up
	Problems     []store.OverviewObject
	Loads        []loadLine // large loads under way
	Anew         []anewLine // objects whose texts are being made anew
}

type commentLine struct {
	store.CommentSummary
	Heading string
}

// home shows the integrations and the newest comments to a signed-in user, and
// to any browser the notification that waits for it.
func (web *Web) home(v *visit) error {
	frame, err := web.open(v, "Overview")
	if err != nil {
		return err
	}
	if v.who == nil && frame.Notice == nil {
		web.sendToSignIn(v)
		return nil
	}
	data := homePage{page: frame}
	if v.who != nil {
		data.Moves = true
		if data.Overview, err = web.overview(v); err != nil {
			return err
		}
	} else {
		data.Title = "Notification"
	}
	return web.render(v, http.StatusOK, "home", data)
}

// homeLive is what moves of the first page.
func (web *Web) homeLive(v *visit) (string, any, error) {
	o, err := web.overview(v)
	return "overview", o, err
}

func (web *Web) overview(v *visit) (*overview, error) {
	ctx := v.r.Context()
	projects, err := web.store.Projects(ctx)
	if err != nil {
		return nil, err
	}
	integrations, sources := projectsWith(v.who, projects, access.IntegrationsRead), projectsWith(v.who, projects, access.SourcesRead)
	o := &overview{MaySeeIntegrations: len(integrations) > 0 || len(projects) == 0, MaySeeComments: len(sources) > 0 || len(projects) == 0,
		MayAdd: v.who.CanEverywhere(access.IntegrationsWrite) || len(projectsWith(v.who, projects, access.IntegrationsWrite)) > 0}

	list, err := web.store.Overviews(ctx, integrations)
	if err != nil {
		return nil, err
	}
	for _, item := range list {
		line := integrationLine{Overview: item, Path: integrationPath(item.Project, item.Name), Hint: pageHint(item.Hint),
			MaySeeCounts: v.who.Can(item.Project, access.SourcesRead)}
		line.Label, line.Tone = describeStatus(item.Status)
		if line.MaySeeCounts {
			hours, known, err := web.lastHours(ctx, item.SourceID, 0) // with many of them, nobody waits for each
			if err != nil {
				return nil, err
			}
			if sum := hours.sum(); known {
				line.Lately = &sum
			}
		}
		if item.Status == flow.StateAwaitingAuthorization && v.who.Can(item.Project, access.IntegrationsWrite) {
			line.Authorize = authenticatePath(item.Project, item.Name)
		}
		if item.WatchedAt == nil {
			if notStarted(&line.Label, &line.Tone, item.Status, item.Connected) {
				line.Authorize = ""
			}
			if v.who.Can(item.Project, access.IntegrationsWrite) {
				line.Setup = line.Path + "/setup"
			}
		}
		for _, object := range item.Objects {
			if object.Problem != "" {
				object.Hint = pageHint(object.Hint)
				line.Problems = append(line.Problems, object)
			}
		}
		if item.Loading {
			if line.Loads, err = web.loads(ctx, loadOf{ID: item.IntegrationID, Name: item.Project + "/" + item.Name, Desired: item.Desired,
				Connected: item.Status != flow.StateAwaitingAuthorization}); err != nil {
				return nil, err
			}
		}
		if item.Remaking {
			if line.Anew, err = web.anew(ctx, item.IntegrationID); err != nil {
				return nil, err
			}
		}
		o.Integrations = append(o.Integrations, line)
	}

	readable, err := web.store.Sources(ctx, sources)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(readable))
	for i, s := range readable {
		ids[i] = s.ID
	}
	comments, err := web.store.NewestComments(ctx, ids, newestComments)
	if err != nil {
		return nil, err
	}
	for _, c := range comments {
		line := commentLine{CommentSummary: c, Heading: oneLine(c.Subject, snippetChars)}
		line.From, line.Snippet = oneLine(c.From, snippetChars), oneLine(c.Snippet, snippetChars)
		o.Comments = append(o.Comments, line)
	}
	return o, nil
}

// notStarted corrects the words for an integration that waits for nothing but to be started.
func notStarted(label, tone *string, status string, connected bool) bool {
	if status != flow.StateAwaitingAuthorization || !connected {
		return false
	}
	*label, *tone = "Not started", "off"
	return true
}

// authenticatePath is where connecting an integration to Salesforce begins.
func authenticatePath(project, integration string) string {
	return "/integrations/" + url.PathEscape(project) + "/" + url.PathEscape(integration) + "/oauth2/authenticate"
}

func projectsWith(who *access.Principal, projects []store.Project, permission string) []string {
	return who.ProjectsWith(projects, permission)
}

// describeStatus gives a state's words and colour.
func describeStatus(state string) (label, tone string) {
	switch state {
	case flow.StateIdle:
		return "Up to date", "ok"
	case flow.StateSyncing:
		return "Syncing", "busy"
	case flow.StateAwaitingAuthorization:
		return "Awaiting authorization", "warn"
	case flow.StateBackingOff:
		return "Backing off", "warn"
	case flow.StateQuotaWait:
		return "Waiting for quota", "warn"
	case flow.StateConfigInvalid:
		return "Configuration invalid", "bad"
	case flow.StatePaused:
		return "Paused", "off"
	case flow.StateDisconnected:
		return "Disconnected", "off"
	}
	return strings.ReplaceAll(state, "_", " "), "off"
}

// oneLine makes white space one blank, drops control characters, and ends at most
// limit characters on, at a word where there is one.
func oneLine(text string, limit int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	cut := string([]rune(text)[:limit])
	if i := strings.LastIndexByte(cut, ' '); i > len(cut)/2 {
		cut = cut[:i]
	}
	return cut + "…"
}

// Pace is for templates: how often Salesforce is asked, when that is less often than the
// integration's file wants.
func (l integrationLine) Pace() string {
	if l.Paced == nil || l.Status != flow.StateIdle && l.Status != flow.StateSyncing {
		return ""
	}
	return "Asks every " + interval(*l.Paced) + " instead of " + interval(*l.Wanted) + ": quota, " + *l.PaceReason
}
