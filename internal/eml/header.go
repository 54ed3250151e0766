package eml

import (
	"net/mail"
	"strings"
	"time"
)

// Header is the head of a mail.
type Header struct{ fields header }

// ReadHeader reads a head, each field on a line of its own or folded over several. What is behind an empty
// line is not read: Outlook keeps the heads of a mail's parts there.
func ReadHeader(raw string) Header {
	head, _ := cut([]byte(raw))
	return Header{readHeader(head)}
}

// HeaderOf is the head that has these fields, whose names may be in any case of letters.
func HeaderOf(fields map[string]string) Header {
	h := Header{header{}}
	for name, value := range fields {
		lines := strings.FieldsFunc(value, func(r rune) bool { return r == '\r' || r == '\n' })
		for i := range lines {
			lines[i] = strings.TrimSpace(lines[i])
		}
		h.fields[strings.ToLower(strings.TrimSpace(name))] = strings.Join(lines, " ")
	}
	return h
}

// Field is a field as it was sent, unfolded; "" for one that is not there. name is in lower case.
func (h Header) Field(name string) string { return h.fields.get(name) }

// Subject is what the mail is about.
func (h Header) Subject() string { return words(h.Field("subject")) }

// Sender is who the mail is from.
func (h Header) Sender() Address {
	name, address := Sender(h.Field("from"))
	return Address{name, address}
}

// Address is somebody who wrote a mail, or to whom it was written. One of the two may be "".
type Address struct{ Name, Address string }

// Addresses are those of a field such as to: what is between commas or, where people wrote them by hand, semicolons.
func (h Header) Addresses(name string) (all []Address) {
	field := h.Field(name)
	if field == "" {
		return nil
	}
	parser := mail.AddressParser{WordDecoder: decoder}
	if list, err := parser.ParseList(field); err == nil {
		for _, a := range list {
			all = append(all, Address{a.Name, a.Address})
		}
		return all // none of a group without members: "undisclosed-recipients:;"
	}
	list := Split(field, ';')
	if len(list) == 1 {
		list = withAddress(Split(field, ','))
	}
	for _, item := range list {
		var a Address
		if a.Name, a.Address = Sender(strings.Trim(item, ",; ")); a != (Address{}) {
			all = append(all, a)
		}
	}
	return all
}

// withAddress puts what has no address before what follows it: the comma of "Doe, Jane <jane@example.com>"
// stands in a name.
func withAddress(list []string) (all []string) {
	begin := 0
	for i, item := range list {
		if strings.Contains(item, "@") || i == len(list)-1 {
			all = append(all, strings.Join(list[begin:i+1], ","))
			begin = i + 1
		}
	}
	return all
}

// Split cuts at sep outside double quotes and angle brackets. Blank parts at the
// end (a trailing separator) are left out.
func Split(s string, sep rune) []string {
	var parts []string
	quoted, angled, start := false, false, 0
	for i, r := range s {
		switch {
		case r == '"':
			quoted = !quoted
		case quoted:
		case r == '<':
			angled = true
		case r == '>':
			angled = false
		case r == sep && !angled:
			parts = append(parts, s[start:i])
			start = i + len(string(sep))
		}
	}
	if rest := s[start:]; strings.TrimSpace(rest) != "" || len(parts) == 0 {
		parts = append(parts, rest)
	}
	if quoted || angled { // a quotation mark or bracket that nothing closes holds nothing together
		return strings.Split(s, string(sep))
	}
	return parts
}

// Date is when the mail was sent; false when the field is missing or says no moment.
func (h Header) Date() (time.Time, bool) { return readDate(h.Field("date")) }

// MessageID names the mail, without the brackets around it; "" when nothing does.
func (h Header) MessageID() string {
	field := h.Field("message-id")
	if ids := bracketed(field); len(ids) > 0 {
		return ids[0]
	}
	return strings.Trim(strings.Join(strings.Fields(field), ""), "<>")
}

// Root names the mail that began the conversation, as far as this one knows: the first that it refers to, else the one
// it answers, else itself.
func (h Header) Root() string {
	for _, name := range []string{"references", "in-reply-to"} {
		field := h.Field(name)
		if ids := bracketed(field); len(ids) > 0 {
			return ids[0]
		}
		// Without brackets there are ids and no words, or nobody knows what is what.
		if list := strings.Fields(field); len(list) > 0 && strings.Contains(list[0], "@") {
			return list[0]
		}
	}
	return h.MessageID()
}

// bracketed are the texts in angle brackets, without the blanks that folding leaves in long ones.
func bracketed(field string) (all []string) {
	for {
		_, rest, found := strings.Cut(field, "<")
		id, rest, closed := strings.Cut(rest, ">")
		if !found || !closed {
			return all
		}
		if id = strings.Join(strings.Fields(id), ""); id != "" {
			all = append(all, id)
		}
		field = rest
	}
}

// Bodies are what a body says: text and HTML. One that is in parts or encoded, as the head says and as it can be seen of it, is
// read as such. Any other is text: whoever sends a head and a body apart has mostly decoded the body, and left the head as it was.
func (h Header) Bodies(content string) (text, html string) {
	media, parameters := contentType(h.Field("content-type"), "text/plain")
	boundary := parameters["boundary"]
	if strings.HasPrefix(media, "multipart/") && boundary != "" {
		for range parts([]byte(content), boundary) {
			b := readParts(media, boundary, []byte(content), 0)
			return b.text, b.html
		}
	} else if encoded(h.Field("content-transfer-encoding"), content) {
		if b := readPart(h.fields, []byte(content), 0); b != (body{}) {
			return b.text, b.html
		}
	}
	return content, ""
}
