package eml

import (
	"bytes"
	"iter"
	"mime"
	"strings"
)

// maxDepth bounds how deep parts are looked for in parts: each level reads its content once.
const maxDepth = 10

// header has the fields of a head by their names in lower case, unfolded. The first of a name counts.
type header map[string]string

func (h header) get(name string) string { return h[name] }

// readHeader reads a head line by line. Lines that are no fields, such as the "From "
// line of a mailbox, are passed over.
func readHeader(head []byte) header {
	h := header{}
	last := "" // the field that may go on, and what it says so far
	var value strings.Builder
	end := func() {
		if last != "" {
			h[last] = value.String()
		}
		last = ""
		value.Reset()
	}
	for line := range bytes.Lines(head) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			if last != "" {
				value.WriteString(" " + strings.TrimSpace(toUTF8(line)))
			}
			continue
		}
		end()
		name, text, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
			continue
		}
		key := strings.ToLower(string(name))
		if _, known := h[key]; !known {
			last = key
			value.WriteString(strings.TrimSpace(toUTF8(text)))
		}
	}
	end()
	return h
}

// split takes a mail or a part apart: fields, and what is behind the first empty line.
// What has neither fields nor an empty line is a body.
func split(raw []byte) (h header, body []byte) {
	head, body := cut(raw)
	if h = readHeader(head); len(h) == 0 && body == nil {
		body = raw
	}
	return h, body
}

func cut(raw []byte) (head, body []byte) {
	for at := 0; at < len(raw); {
		end := bytes.IndexByte(raw[at:], '\n')
		if end < 0 {
			break
		}
		if len(bytes.TrimRight(raw[at:at+end], "\r")) == 0 {
			return raw[:at], raw[at+end+1:]
		}
		at += end + 1
	}
	return raw, nil
}

// contentType reads a Content-Type, as much of it as can be read.
func contentType(value, missing string) (media string, parameters map[string]string) {
	if value == "" {
		return missing, nil
	}
	media, parameters, err := mime.ParseMediaType(value)
	if err == nil && strings.Contains(media, "/") {
		return media, parameters
	}
	// Broken ones have the type first and the parameters in some form behind it.
	fields := strings.Split(value, ";")
	media, parameters = strings.ToLower(strings.TrimSpace(fields[0])), map[string]string{}
	for _, f := range fields[1:] {
		if name, v, ok := strings.Cut(f, "="); ok {
			parameters[strings.ToLower(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	if !strings.Contains(media, "/") {
		media = missing
	}
	return media, parameters
}

// readPart reads a part with all that is in it.
func readPart(h header, content []byte, depth int) body {
	media, parameters := contentType(h.get("content-type"), "text/plain")
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(h.get("content-disposition"))), "attachment") {
		return body{}
	}
	switch {
	case strings.HasPrefix(media, "multipart/"):
		if parameters["boundary"] == "" || depth == maxDepth {
			return plain(toUTF8(content))
		}
		return readParts(media, parameters["boundary"], content, depth)
	case media == "text/plain" || media == "text/html":
		content = transferred(h.get("content-transfer-encoding"), content)
		text := decode(content, parameters["charset"], media == "text/html")
		if media == "text/html" {
			return body{html: text}
		}
		return plain(text)
	}
	return body{}
}

// readParts reads the parts of a multipart. Of alternatives the first text and the
// first HTML count, of anything else all that is no attachment, one below the other.
func readParts(media, boundary string, content []byte, depth int) body {
	var all []body
	var first body
	for part := range parts(content, boundary) {
		h, inside := split(part)
		b := readPart(h, inside, depth+1)
		all = append(all, b)
		if first.text == "" {
			first.text = b.text
		}
		if first.html == "" {
			first.html = b.html
		}
	}
	if media == "multipart/alternative" {
		return first
	}
	return join(all)
}

// parts yields what is between the lines of a boundary. A last part without an end goes to the end.
func parts(content []byte, boundary string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		line := []byte("--" + boundary)
		start := -1
		for at := 0; at < len(content); {
			end := bytes.IndexByte(content[at:], '\n')
			if end < 0 {
				end = len(content) - at
			} else {
				end++
			}
			rest, found := bytes.CutPrefix(content[at:at+end], line)
			rest = bytes.TrimRight(rest, " \t\r\n")
			last := string(rest) == "--"
			if found && (last || len(rest) == 0) {
				if start >= 0 && !yield(content[start:at]) {
					return
				}
				start = at + end
				if last {
					return
				}
			}
			at += end
		}
		if start >= 0 && start < len(content) {
			yield(content[start:])
		}
	}
}
