package eml

import (
	"html"
	"mime"
	"net/mail"
	"slices"
	"strings"
)

// Message is what is read of a mail.
type Message struct {
	FromName, FromAddress string
	Subject               string
	Text                  string // the body as plain text, "" without one
	HTML                  string // the body as HTML, "" without one
}

// Read reads a mail, whatever it is: what cannot be read is left out or left as it is.
func Read(raw []byte) Message {
	h, body := split(raw)
	m := Message{Subject: words(h.get("subject"))}
	m.FromName, m.FromAddress = Sender(h.get("from"))
	b := readPart(h, body, 0)
	m.Text, m.HTML = b.text, b.html
	return m
}

// Sender reads `Name <address>`, an address, or a name. Encoded words (RFC 2047) are decoded.
func Sender(from string) (name, address string) {
	parser := mail.AddressParser{WordDecoder: decoder}
	if a, err := parser.Parse(from); err == nil {
		return a.Name, a.Address
	}
	if list, err := parser.ParseList(from); err == nil && len(list) > 0 {
		return list[0].Name, list[0].Address
	}
	from = strings.TrimSpace(words(from))
	if open := strings.LastIndexByte(from, '<'); open >= 0 {
		if inside, _, ok := strings.Cut(from[open+1:], ">"); ok {
			return strings.Trim(from[:open], " \t\"'"), strings.TrimSpace(inside)
		}
	}
	if strings.Contains(from, "@") && !strings.ContainsAny(from, " \t") {
		return "", from
	}
	return strings.Trim(from, `"'`), ""
}

var decoder = &mime.WordDecoder{CharsetReader: charsetReader}

// words decodes the encoded words of a header, which stays as it is where they are broken.
func words(s string) string {
	decoded, err := decoder.DecodeHeader(s)
	if err != nil {
		return s
	}
	return decoded
}

// body is what a part and the parts in it say.
type body struct{ text, html string }

// plain is a body of plain text.
func plain(text string) body { return body{text: text} }

// join puts bodies one below the other. A text that has no HTML of its own is written
// as HTML when another has some, so that either body alone says everything it can.
func join(bodies []body) body {
	var text, markup []string
	hasHTML := slices.ContainsFunc(bodies, func(b body) bool { return b.html != "" })
	for _, b := range bodies {
		if b.text != "" {
			text = append(text, b.text)
		}
		if hasHTML && b != (body{}) {
			markup = append(markup, b.asHTML())
		}
	}
	for i := range len(text) - 1 {
		text[i] = strings.TrimRight(text[i], "\r\n")
	}
	return body{text: strings.Join(text, "\n\n"), html: strings.Join(markup, "\n")}
}

func (b body) asHTML() string {
	if b.html != "" {
		return b.html
	}
	return `<div style="white-space:pre-wrap">` + html.EscapeString(b.text) + "</div>"
}
