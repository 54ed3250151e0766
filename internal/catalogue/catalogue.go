package catalogue

import (
	"bytes"
	_ "embed" // the entries and the messages
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/oauth"
	"salesforcesync/internal/salesforce"
)

// Who must act.
type Who string

// Those who may have to.
const (
	Nobody        Who = "nobody"        // it goes on by itself
	Administrator Who = "administrator" // of Salesforce
	Operator      Who = "operator"      // who runs the programs
	Caller        Who = "caller"        // who asked for it: a person or a program
	Payer         Who = "payer"         // who answers for the bill
)

// Words names who acts, for people.
func (w Who) Words() string {
	switch w {
	case Nobody:
		return "nobody"
	case Administrator:
		return "the Salesforce administrator"
	case Operator:
		return "the operator"
	case Caller:
		return "the caller"
	case Payer:
		return "whoever pays"
	}
	return string(w)
}

// Entry is what one sort of fault means.
type Entry struct {
	Section string   `yaml:"section"` // heading of the page that begins here; "" = the one before goes on
	Code    string   `yaml:"code"`    // stable
	Title   string   `yaml:"title"`   // in a line
	Who     Who      `yaml:"who"`
	Cause   string   `yaml:"cause"`
	Fix     string   `yaml:"fix"` // the next step; see NextStep
	Of      []string `yaml:"of"`  // which faults these are, see catalogue.yaml

	Messages []Message `yaml:"-"` // as the code has them
}

// Message is a message of the code, its verbs and all.
type Message struct {
	Kind fault.Kind
	Text string
}

// Hints are the next steps that the table of Salesforce's answers has for the entry, each once.
func (e Entry) Hints() []string {
	var hints []string
	for _, a := range salesforce.Refusals() {
		if slices.Contains(e.Messages, Message{a.Kind, AnswerText(a)}) && !slices.Contains(hints, a.Hint) {
			hints = append(hints, a.Hint)
		}
	}
	return hints
}

// NextStep is the fix, or what the table of Salesforce's answers says.
func (e Entry) NextStep() string {
	if e.Fix != "" {
		return e.Fix
	}
	return sentence(strings.Join(e.Hints(), "; or ")) + "."
}

// Salesforce is where, in the lines of an entry, Salesforce's answers are.
const Salesforce = "salesforce"

var (
	//go:embed catalogue.yaml
	entriesFile []byte
	//go:embed messages.txt
	messagesFile string
)

// read is everything, read once. A file of ours that does not parse is a defect that every test sees.
var read = sync.OnceValue(func() []Entry {
	var all []Entry
	d := yaml.NewDecoder(bytes.NewReader(entriesFile))
	d.KnownFields(true)
	if err := d.Decode(&all); err != nil {
		panic("catalogue.yaml: " + err.Error())
	}
	for line := range strings.Lines(messagesFile) {
		code, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		kind, text, _ := strings.Cut(rest, "\t")
		if i := slices.IndexFunc(all, func(e Entry) bool { return e.Code == code }); i >= 0 {
			all[i].Messages = append(all[i].Messages, Message{fault.Kind(kind), text})
		}
	}
	return slices.Concat(all, ofTokenEndpoint(), ofConsent())
})

// All gives every entry, in the order of the page.
func All() []Entry { return slices.Clone(read()) }

// AnswerText is how a line of Salesforce's table is called: its codes and statuses, and the words it
// looks for.
func AnswerText(a salesforce.Refusal) string {
	text := strings.Join(a.Codes, ", ")
	for i, status := range a.Statuses {
		switch {
		case i > 0:
			text += ", " + status
		case text != "":
			text += ", HTTP " + status
		default:
			text = "HTTP " + status
		}
	}
	if a.Text != "" {
		text += " (" + a.Text + ")"
	}
	return text
}

// ofTokenEndpoint are the entries of what the token endpoint answers: the table has cause and fix.
func ofTokenEndpoint() []Entry {
	var out []Entry
	for _, a := range oauth.TokenAnswers() {
		e := Entry{Code: "token-" + slug(a.Code+" "+a.Text), Title: sentence(a.Message), Who: Nobody, Fix: "Nothing: it is tried again.",
			Cause: "Salesforce's token endpoint answers " + quoted(a.Code, a.Text) + "."}
		if a.Hint != "" {
			e.Who, e.Fix = Administrator, sentence(a.Hint)+"."
		}
		out = append(out, e)
	}
	out[0].Section = "The token endpoint"
	return out
}

// ofConsent are the entries of what Salesforce sends the browser back with instead of a code.
func ofConsent() []Entry {
	var out []Entry
	for _, a := range oauth.ConsentAnswers() {
		out = append(out, Entry{Code: "consent-" + slug(a.Code), Title: a.Title, Who: Administrator, Fix: a.Advice,
			Cause: "Salesforce's consent page sends back " + quoted(a.Code, "") + "."})
	}
	out[0].Section = "The consent page"
	return out
}

func quoted(code, text string) string {
	switch {
	case code == "":
		return "with \"" + text + "\""
	case text == "":
		return "`" + code + "`"
	}
	return "`" + code + "` with \"" + text + "\""
}

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

func slug(text string) string {
	return strings.Trim(notWord.ReplaceAllString(strings.ToLower(strings.ReplaceAll(text, "'", "")), "-"), "-")
}

func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
