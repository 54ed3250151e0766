package simforce

import (
	"bytes"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jhillyerd/enmime/v2"
	"golang.org/x/text/encoding/charmap"
)

// maxText is where the platform cuts bodies and headers, in characters.
const maxText = 131_072

// maxAddresses is where it cuts address lists.
const maxAddresses = 4000

// letter is an e-mail before it becomes rows.
type letter struct {
	file             string
	id, parent, root string // Message-IDs with angle brackets
	references       []string
	subject          string
	fromName, from   string
	to, cc           []string
	date             time.Time
	text, html       string
	headers          string
	attachment       bool
	incoming         bool
}

var messageID = regexp.MustCompile(`<[^<>\s]+>`)

// loadMail turns every .eml file of a directory into one EmailMessage, in the
// order of the file names. The caller holds the data lock.
func (s *Server) loadMail(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("there is no .eml file")
	}
	slices.Sort(files)
	var letters []*letter
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		letters = append(letters, readLetter(filepath.Base(file), raw))
	}
	s.deliver(letters)
	return nil
}

// readLetter parses one mail. A mail that no parser takes is still a mail: it
// keeps its header lines and its raw body.
func readLetter(file string, raw []byte) *letter {
	head, body := splitHead(raw)
	l := &letter{file: file, headers: cut(toUTF8(head), maxText)}
	parser := enmime.NewParser(enmime.DisableTextConversion(true), enmime.SkipMalformedParts(true))
	e, err := parser.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		l.text = toUTF8(body)
		if m, err := mail.ReadMessage(bytes.NewReader(raw)); err == nil {
			l.header(m.Header.Get, func(name string) []*mail.Address {
				list, _ := m.Header.AddressList(name) // an unreadable list stays empty
				return list
			})
		}
		return l
	}
	l.header(e.GetHeader, func(name string) []*mail.Address {
		list, _ := e.AddressList(name) // an unreadable list stays empty
		return list
	})
	l.text, l.html = e.Text, e.HTML
	l.attachment = len(e.Attachments) > 0
	return l
}

func splitHead(raw []byte) (head, body []byte) {
	for _, gap := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(raw, []byte(gap)); i >= 0 {
			return raw[:i], raw[i+len(gap):]
		}
	}
	return raw, nil
}

// toUTF8 keeps valid UTF-8 and reads everything else as Latin-1.
func toUTF8(b []byte) string {
	if s := string(b); cleanText(s) == s {
		return s
	}
	s, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return cleanText(string(b))
	}
	return cleanText(string(s))
}

func (l *letter) header(get func(string) string, addresses func(string) []*mail.Address) {
	l.id = messageID.FindString(get("Message-Id"))
	l.references = messageID.FindAllString(get("References")+" "+get("In-Reply-To"), -1)
	if in := messageID.FindString(get("In-Reply-To")); in != "" {
		l.parent = in
	} else if n := len(l.references); n > 0 {
		l.parent = l.references[n-1]
	}
	l.subject = strings.TrimSpace(strings.Join(strings.Fields(cleanText(get("Subject"))), " "))
	if from := addresses("From"); len(from) > 0 {
		l.from, l.fromName = cleanText(from[0].Address), strings.TrimSpace(cleanText(from[0].Name))
	} else {
		l.from = looseAddress.FindString(cleanText(get("From")))
		l.fromName = strings.Trim(strings.TrimSpace(strings.ReplaceAll(cleanText(get("From")), "<"+l.from+">", "")), `"`)
		if l.fromName == l.from {
			l.fromName = ""
		}
	}
	l.to, l.cc = recipients("To", get, addresses), recipients("Cc", get, addresses)
	if t, err := mail.ParseDate(get("Date")); err == nil {
		l.date = t.UTC().Truncate(time.Second)
	}
}

var looseAddress = regexp.MustCompile(`[^\s<>,;:"()]+@[^\s<>,;:"()]+`)

// recipients falls back to whatever looks like an address in a broken header.
func recipients(name string, get func(string) string, addresses func(string) []*mail.Address) []string {
	var out []string
	for _, a := range addresses(name) {
		out = append(out, cleanText(a.Address))
	}
	if out == nil {
		out = looseAddress.FindAllString(cleanText(get(name)), -1)
	}
	return out
}

// joinAddresses writes a list as the platform does, whole addresses only.
func joinAddresses(list []string) string {
	var b strings.Builder
	for _, a := range list {
		if b.Len()+len(a)+2 > maxAddresses {
			break
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(a)
	}
	return b.String()
}

// threads groups letters that name each other or a common ancestor. It returns
// the thread number of each letter, numbered in order of appearance.
func threads(letters []*letter) []int {
	up := map[string]string{}
	var find func(string) string
	find = func(x string) string {
		if up[x] == "" || up[x] == x {
			return x
		}
		up[x] = find(up[x])
		return up[x]
	}
	names := make([]string, len(letters))
	for i, l := range letters {
		names[i] = fmt.Sprintf("#%d", i)
		for _, id := range append([]string{l.id}, l.references...) {
			if id == "" {
				continue
			}
			if a, b := find(id), find(names[i]); a != b {
				up[b] = a
			}
		}
	}
	numbers := map[string]int{}
	out := make([]int, len(letters))
	for i := range letters {
		root := find(names[i])
		if _, ok := numbers[root]; !ok {
			numbers[root] = len(numbers)
		}
		out[i] = numbers[root]
	}
	return out
}
