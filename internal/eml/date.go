package eml

import (
	"net/mail"
	"strings"
	"time"
)

// zones are those that RFC 5322 knows by name. The standard library takes such names from where the program runs.
var zones = map[string]string{
	"UT": "+0000", "GMT": "+0000", "UTC": "+0000", "Z": "+0000",
	"EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500", "MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700",
}

// dateLayouts are of dates that net/mail does not read, with the name of the day taken off and a zone put on.
var dateLayouts = []string{
	"2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04 -0700", "2 Jan 06 15:04:05 -0700", "2 Jan 06 15:04 -0700",
	"Jan 2 15:04:05 2006 -0700", "2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05 -0700",
}

// readDate reads a date as mails have it, RFC 3339 too. One without a zone, or with one that nobody knows, is in UTC.
func readDate(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t.UTC(), true
	}
	text, _, _ = strings.Cut(text, "(") // the name of the zone, once more
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return time.Time{}, false
	}
	last := fields[len(fields)-1]
	switch {
	case zones[strings.ToUpper(last)] != "":
		fields[len(fields)-1] = zones[strings.ToUpper(last)]
	case isWord(last):
		fields[len(fields)-1] = "+0000"
	case strings.HasPrefix(last, "GMT+") || strings.HasPrefix(last, "GMT-"):
		fields[len(fields)-1] = strings.ReplaceAll(last[len("GMT"):], ":", "")
	case last[0] != '+' && last[0] != '-':
		fields = append(fields, "+0000")
	}
	text = strings.Join(fields, " ")
	if t, err := mail.ParseDate(text); err == nil {
		return t.UTC(), true
	}
	if day := strings.TrimRight(fields[0], ",."); isWord(day) && len(fields) > 1 && !isMonth(day) {
		text = strings.Join(fields[1:], " ")
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func isMonth(word string) bool {
	_, err := time.Parse("Jan", word)
	return err == nil
}

func isWord(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) < 0
}
