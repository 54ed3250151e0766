package transform

import (
	"slices"
	"strings"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/salesforce"
)

// Properties that no field holds.
const (
	PropertySenderDomain    = "Sender Domain"
	PropertyRecipientDomain = "Recipient Domain" // several are separated by ", "
	PropertyRecordURL       = "Record URL"
)

// casePrefix begins the Id of every case, in every org.
const casePrefix = "500"

// leadsToCase reports whether the lookup at path leads to a case.
func leadsToCase(rec salesforce.Record, path string) bool {
	id, ok := rec.Text(path)
	return ok && strings.HasPrefix(id, casePrefix) && salesforce.ValidID(id)
}

// sender is who a record is from: the first with an address, else the first with a name.
func sender(rec salesforce.Record, m Mapping) string {
	name, address := line(rec, m.FromName), line(rec, m.From)
	for _, s := range m.Senders {
		if address != "" {
			break
		}
		if other := line(rec, s.Address); other != "" {
			name, address = line(rec, s.Name), other
		} else if name == "" {
			name = line(rec, s.Name)
		}
	}
	return from(name, address)
}

// derive adds what follows from the addresses, when all of them are there. A property that the
// mapping names itself is left alone.
func (m Mapping) derive(c *comment.Comment) {
	if !m.Domains {
		return
	}
	first := c.Messages[0]
	m.setOwn(c, PropertySenderDomain, domain(first.From))
	to := first.To
	if len(to) == 0 {
		to = first.Cc
	}
	var domains []string
	known := map[string]bool{}
	for _, a := range to {
		if d := domain(a); d != "" && !known[d] && len(domains) < mostDomains {
			known[d] = true
			domains = append(domains, d)
		}
	}
	m.setOwn(c, PropertyRecipientDomain, strings.Join(domains, ", "))
}

// setOwn sets a property that no field holds.
func (m Mapping) setOwn(c *comment.Comment, name, value string) {
	if !slices.ContainsFunc(m.Properties, func(p PropertyPath) bool { return p.Name == name }) {
		c.Properties.SetString(name, value)
	}
}

// mostDomains bounds a property that thousands of recipients would make.
const mostDomains = 20

// domain is that of an address, also of "Name <address>", in small letters; "" when it has none.
func domain(address string) string {
	a := bare(address)
	at := strings.LastIndexByte(a, '@')
	if at < 0 || strings.ContainsAny(a[at+1:], " \t,;<>()\"") {
		return ""
	}
	return strings.TrimSuffix(a[at+1:], ".")
}
