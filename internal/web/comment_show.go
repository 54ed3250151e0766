package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/find"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

// Bounds of the page of a comment.
const (
	commentChars     = 256 << 10 // of texts; one message is shown whatever it takes
	mostAddresses    = 20        // of a list of recipients
	propertyChars    = 1000      // of a value
	mostAttachments  = 128
	messagesPerPage  = 50
	neighbourPreview = 120
)

// The views of a comment.
const (
	viewComment   = ""
	viewRevisions = "revisions"
	viewRecord    = "record"
)

type commentPage struct {
	page
	Source  *store.Source
	ID      string
	Heading []piece
	At      time.Time
	Way     way
	Thread  string // path; "" = none
	Record  string // address in Salesforce; "" = not known
	Tabs    []tab

	Shown     *shownComment
	Revisions *revisionList
	Cleaning  *cleaningView
}

// tab is one of the views of the same comment.
type tab struct {
	Label, Path string
	Here        bool
}

// shownComment is a comment with all that is known of it.
type shownComment struct {
	ID             string
	Messages       []shownMessage
	From, To, Of   int64  // the numbers of the first and the last message on the page, and how many there are
	Before, After  string // paths of other pages of messages; "" = none
	Properties     []property
	Hidden         bool // there are properties that the visitor may not see
	Attachments    []attachment
	ThreadID       string
	CreatedAt      time.Time
	LastModified   time.Time
	Previous, Next *neighbour
	RecordID       string
}

type shownMessage struct {
	Number      int64
	From        []piece
	To, Cc, Bcc addresses
	At          *time.Time
	Subject     []piece // where a comment has several messages
	Text        []piece
	Signature   []piece
	Original    []piece // what the text was translated from
	Language    string
}

// addresses are some of a list.
type addresses struct {
	Shown []string
	More  int64
}

type attachment struct {
	Name, Type string
	Size       int64
	Inline     bool
}

// neighbour is the comment before or after in the conversation.
type neighbour struct {
	Path    string
	Heading []piece
	From    []piece
	At      time.Time
}

// comment shows one comment: itself, its revisions, or the record it was made of.
func (web *Web) comment(v *visit) error {
	ctx, id, view := v.r.Context(), v.r.PathValue("id"), v.r.URL.Query().Get("view")
	source, err := web.source(v, access.SourcesRead)
	if err != nil {
		return err
	}
	missing := fault.New(fault.NotFound, "source %s/%s has no comment %.100q", source.Project, source.Name, id)
	if !comment.ValidID(id) {
		return missing
	}
	if view == viewRevisions {
		if err := v.who.Permit(source.Project, access.SourcesReadSensitive, missing); err != nil {
			return err
		}
	}
	leave, err := web.pages.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	c, err := web.store.Comment(ctx, source.ID, id)
	if fault.Is(err, fault.NotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	hidden := find.HiddenFrom(*v.who, *source)
	subject := oneLine(subjectOf(c), 4*snippetChars)
	data := commentPage{
		Source: source, ID: id, Heading: pieces(subject, nil), At: c.Timestamp, Way: wayOf(c.Properties, hidden),
		Thread: threadPath(source, c.ThreadID), Record: recordPath(c, hidden),
	}
	title := plain(oneLine(subject, 60))
	if title == "" {
		title = "Comment"
	}
	if data.page, err = web.open(v, title); err != nil {
		return err
	}
	data.tabs(v, view)
	switch view {
	case viewComment:
		data.Shown, err = web.shown(v, source, c, hidden)
	case viewRevisions:
		data.Revisions, err = web.revisions(v, source, c)
	case viewRecord:
		data.Cleaning, err = web.cleaning(v, source, c)
	default:
		return fault.New(fault.NotFound, "a comment has no view %.40q", view)
	}
	if err != nil {
		return err
	}
	return web.render(v, http.StatusOK, "comment", data)
}

// tabs are the views that the visitor may have.
func (p *commentPage) tabs(v *visit, view string) {
	at := commentPath(p.Source.Project, p.Source.Name, p.ID)
	add := func(name, label string) {
		path := at
		if name != "" {
			path += "?view=" + name
		}
		p.Tabs = append(p.Tabs, tab{Label: label, Path: path, Here: name == view})
	}
	add(viewComment, "Comment")
	if v.who.Can(p.Source.Project, access.SourcesReadSensitive) {
		add(viewRevisions, "Revisions")
	}
	if transform.RecordOf(p.ID) != "" {
		add(viewRecord, "Raw and cleaned")
	}
}

// shown is the comment itself.
func (web *Web) shown(v *visit, source *store.Source, c *store.StoredComment, hidden find.Hidden) (*shownComment, error) {
	out := &shownComment{
		ID: c.ID, Of: int64(len(c.Messages)), ThreadID: plain(c.ThreadID), CreatedAt: c.CreatedAt, LastModified: c.LastModified,
		RecordID: transform.RecordOf(c.ID),
	}
	out.messages(c, v.r.URL.Query().Get("message"), commentPath(source.Project, source.Name, c.ID))
	here := searchIn(source)
	for _, key := range sortedKeys(c.Properties) {
		if hidden.Has(key) {
			out.Hidden = true
			continue
		}
		out.Properties = append(out.Properties, propertyOf(key, c.Properties[key], propertyChars, here))
	}
	for _, a := range c.Attachments[:min(len(c.Attachments), mostAttachments)] {
		out.Attachments = append(out.Attachments, attachment{plain(oneLine(a.Name, 120)), plain(oneLine(a.ContentType, 60)), a.Size, a.Inline})
	}
	if c.ThreadID == "" {
		return out, nil
	}
	for _, way := range []struct {
		descending bool
		into       **neighbour
	}{{true, &out.Previous}, {false, &out.Next}} {
		key := find.KeyOf(*c)
		list, _, err := web.store.ThreadComments(v.r.Context(), c.ThreadID, store.CommentQuery{SourceID: source.ID, After: &key, Descending: way.descending, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(list) == 1 {
			other := &list[0]
			*way.into = &neighbour{
				Path: commentPath(source.Project, source.Name, other.ID), At: other.Timestamp,
				Heading: pieces(oneLine(subjectOf(other), neighbourPreview), nil), From: pieces(oneLine(other.Messages[0].From, neighbourPreview), nil),
			}
		}
	}
	return out, nil
}

func sortedKeys(properties comment.Properties) []string {
	keys := make([]string, 0, len(properties))
	for key := range properties {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { // by name, whatever the kind
		_, nameA, _ := strings.Cut(a, ":")
		_, nameB, _ := strings.Cut(b, ":")
		if c := strings.Compare(nameA, nameB); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return keys
}

// messages makes a page of messages, from the one with this number on. Most comments have one.
func (s *shownComment) messages(c *store.StoredComment, from, path string) {
	begin, err := strconv.Atoi(from)
	if err != nil || begin < 1 || begin > len(c.Messages) {
		begin = 1
	}
	s.From = int64(begin)
	left, at := commentChars, begin-1
	for ; at < len(c.Messages) && at < begin-1+messagesPerPage; at++ {
		m := &c.Messages[at]
		size := len(m.Body.Text) + len(m.Body.TranslatedFrom)
		if m.Signature != nil {
			size += len(m.Signature.Text)
		}
		if size > left && at >= begin {
			break
		}
		left -= size
		s.Messages = append(s.Messages, shownMessageOf(m, int64(at+1), len(c.Messages) > 1))
	}
	s.To = int64(at)
	page := func(number int) string { return path + "?message=" + strconv.Itoa(number) }
	if at < len(c.Messages) {
		s.After = page(at + 1)
	}
	if begin > 1 {
		s.Before = page(max(1, begin-messagesPerPage))
	}
}

func shownMessageOf(m *comment.Message, number int64, oneOfMany bool) shownMessage {
	out := shownMessage{
		Number: number, From: pieces(oneLine(m.From, comment.MaxAddressSize), nil), To: addressesOf(m.To), Cc: addressesOf(m.Cc), Bcc: addressesOf(m.Bcc),
		At: m.SentAt, Text: pieces(m.Body.Text, nil), Original: pieces(m.Body.TranslatedFrom, nil), Language: plain(oneLine(m.Language, comment.MaxLanguage)),
	}
	if oneOfMany && m.Subject != nil {
		out.Subject = pieces(oneLine(m.Subject.Text, snippetChars), nil)
	}
	if m.Signature != nil {
		out.Signature = pieces(m.Signature.Text, nil)
	}
	return out
}

func addressesOf(list []string) addresses {
	var out addresses
	for _, a := range list[:min(len(list), mostAddresses)] {
		out.Shown = append(out.Shown, plain(oneLine(a, 160)))
	}
	out.More = int64(len(list) - len(out.Shown))
	return out
}
