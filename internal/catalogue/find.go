package catalogue

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"salesforcesync/internal/oauth"
	"salesforcesync/internal/salesforce"
)

// leastLetters is how many letters of a message must be there for it to be recognised.
const leastLetters = 8

// Find gives the entries that a person may mean who has a code, a message, a line of a log, or an error
// of Salesforce in front of him: the likeliest first, at most three, none when nothing fits.
func Find(text string) []Entry {
	text = strings.TrimSpace(text)
	all := read()
	if i := slices.IndexFunc(all, func(e Entry) bool { return e.Code == strings.ToLower(text) }); i >= 0 {
		return all[i : i+1 : i+1]
	}
	score := map[string]int{}
	note := func(code string, n int) { score[code] = max(score[code], n) }
	for _, e := range all {
		for _, m := range e.Messages {
			if n := letters(m.Text, text); n >= leastLetters {
				note(e.Code, n)
			}
		}
	}
	// What another side said is nearer to the cause than what we were doing when it said so.
	const told = 1000
	if code := codeOfAnswer(text); code != "" {
		note(code, told)
	}
	for _, a := range oauth.TokenAnswers() {
		if a.Fits(text) {
			note("token-"+slug(a.Code+" "+a.Text), told)
			break
		}
	}
	for _, a := range oauth.ConsentAnswers() {
		if a.Fits(text) {
			note("consent-"+slug(a.Code), told-1)
		}
	}
	var found []Entry
	for _, e := range all {
		if score[e.Code] > 0 {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b Entry) int { return cmp.Compare(score[b.Code], score[a.Code]) })
	return found[:min(len(found), 3)]
}

// codeOfAnswer finds an errorCode of Salesforce, such as (INVALID_FIELD, request id …), and gives the
// entry of the first line of the table that has it, as the table is read.
func codeOfAnswer(text string) string {
	words := regexp.MustCompile(`[A-Z][A-Z_]{4,}`).FindAllString(text, -1)
	lower := strings.ToLower(text)
	for _, a := range salesforce.Refusals() {
		known := slices.ContainsFunc(a.Codes, func(code string) bool { return slices.Contains(words, code) })
		if len(a.Statuses) > 0 { // a code that means something else with another status
			known = known && slices.ContainsFunc(a.Statuses, func(status string) bool { return strings.Contains(text, status) })
		}
		if !known || !strings.Contains(lower, a.Text) {
			continue
		}
		name := AnswerText(a)
		for _, e := range read() {
			if slices.Contains(e.Messages, Message{a.Kind, name}) {
				return e.Code
			}
		}
	}
	return ""
}

var verb = regexp.MustCompile(`%[-+ #0]*[0-9]*(?:\.[0-9]+)?[a-zA-Z]`)

// letters says how many letters of a message, between its verbs, are in text, in their order; 0 if not all.
func letters(message, text string) int {
	n := 0
	for _, part := range verb.Split(message, -1) {
		part = strings.ReplaceAll(part, "%%", "%")
		_, rest, found := strings.Cut(text, part)
		if !found {
			return 0
		}
		text = rest
		n += len(strings.TrimSpace(part))
	}
	return n
}
