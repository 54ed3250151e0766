package web

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/find"
	"salesforcesync/internal/store"
	"salesforcesync/internal/words"
)

// Bounds of a page of a conversation.
const (
	threadComments   = 20
	threadTurns      = 30      // of one comment, which may be a chat of thousands
	turnChars        = 6000    // of one message
	threadChars      = 120_000 // of all of them; behind it each message has turnLeast
	turnLeast        = 300
	mostCountedTurns = 1000 // comments; beyond, there are "1,000+"
)

type threadPage struct {
	page
	Source  *store.Source
	Heading []piece
	Size    string
	Turns   []turn
	// Paths of other pages of the thread; "" = there is none.
	Begin, Earlier, Later, End string
}

// turn is one message of a conversation.
type turn struct {
	Anchor   string
	Path     string // the comment's page; "" = it cannot have one
	From     []piece
	To       string
	At       time.Time
	Way      way     // the side that it stands on
	Label    string  // the way in words; "" = nobody knows it
	Heading  []piece // the subject where it is another than before
	Blocks   []block
	Cut      bool  // there is more of it
	Rest     int64 // messages of the comment that are left out behind this one
	Attached []string
}

// thread shows a conversation, one page at a time.
func (web *Web) thread(v *visit) error {
	ctx, id, values := v.r.Context(), v.r.PathValue("thread"), v.r.URL.Query()
	source, err := web.source(v, access.SourcesRead)
	if err != nil {
		return err
	}
	missing := fault.New(fault.NotFound, "source %s/%s has no thread %.100q", source.Project, source.Name, id)
	if id == "" || !find.ValidThread(id) {
		return missing
	}
	q, first, err := readThreadQuery(values, source.ID)
	if err != nil {
		return err
	}
	leave, err := web.pages.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	list, more, err := web.store.ThreadComments(ctx, id, q)
	if err != nil {
		return err
	}
	if len(list) == 0 && first {
		return missing
	}
	data := threadPage{Source: source}
	if data.page, err = web.open(v, "Conversation"); err != nil {
		return err
	}
	if q.Descending {
		slices.Reverse(list)
	}
	hidden := find.HiddenFrom(*v.who, *source)
	data.fill(list, hidden)
	at := threadPath(source, id)
	to := func(name string, c store.StoredComment, descending bool) string {
		key := find.KeyOf(c)
		return at + "?" + url.Values{name: {find.Continuation(store.CommentQuery{SourceID: source.ID, After: &key, Descending: descending})}}.Encode()
	}
	if before := q.Descending && more || !q.Descending && !first; before && len(list) > 0 {
		data.Begin, data.Earlier = at, to("before", list[0], true)
	}
	if after := !q.Descending && more || q.Descending && q.After != nil; after && len(list) > 0 {
		data.Later, data.End = to("after", list[len(list)-1], false), at+"?end=true"
	}
	size, err := web.store.SizeOf(ctx, store.CommentSearch{CommentQuery: store.CommentQuery{SourceID: source.ID}, Filter: words.Filter{ThreadID: id}}, mostCountedTurns)
	if err != nil {
		return err
	}
	if data.Size = sizeInWords(size); size.N == 1 && len(list) == 1 && len(list[0].Messages) > 1 {
		data.Size = groupDigits(int64(len(list[0].Messages))) + " messages"
	}
	if err := web.reads(v, "comments.read", source, len(list)); err != nil {
		return err
	}
	return web.render(v, http.StatusOK, "thread", data)
}

// readThreadQuery reads which page of a thread is asked for: behind a comment, before one, the last, or
// else the first.
func readThreadQuery(values url.Values, sourceID string) (q store.CommentQuery, first bool, err error) {
	after, before := values.Get("after"), values.Get("before")
	token, descending := after, false
	if before != "" {
		token, descending = before, true
	}
	switch {
	case token != "":
		q, err = find.ReadContinuation(token, sourceID)
		if err == nil && (q.Descending != descending || q.From != nil || q.To != nil) {
			err = fault.New(fault.Invalid, "this is no place in the conversation")
		}
	case values.Get("end") != "":
		q = store.CommentQuery{SourceID: sourceID, Descending: true}
	default:
		q, first = store.CommentQuery{SourceID: sourceID}, true
	}
	q.Limit = threadComments
	return q, first, err
}

// budget is how many characters a page may still have.
type budget struct{ left int }

// take gives the part of a text that a page has room for.
func (b *budget) take(text string) (part string, cut bool) {
	part, cut = clip(text, max(turnLeast, min(turnChars, b.left)))
	b.left -= len(part)
	return part, cut
}

// fill makes the turns of comments.
func (p *threadPage) fill(list []store.StoredComment, hidden find.Hidden) {
	room := budget{threadChars}
	heading := ""
	for i := range list {
		c := &list[i]
		subject := oneLine(subjectOf(c), snippetChars)
		direction := wayOf(c.Properties, hidden)
		for n := range c.Messages[:min(len(c.Messages), threadTurns)] {
			m := &c.Messages[n]
			t := turnOf(m, &room)
			t.Anchor, t.Path, t.Way = "m"+strconv.Itoa(len(p.Turns)+1), commentPath(p.Source.Project, p.Source.Name, c.ID), direction
			if t.At.IsZero() {
				t.At = c.Timestamp
			}
			if t.Label = direction.Label(); len(c.Messages) > 1 && direction == "" && m.From != "" {
				// In a chat whoever begins is on one side, and whoever answers on the other; which is whose nobody knows.
				if t.Way = cameIn; m.From != c.Messages[0].From {
					t.Way = wentOut
				}
			}
			if bare := bareSubject(subject); n == 0 && bare != "" && bare != bareSubject(heading) {
				if heading == "" {
					p.Heading = pieces(subject, nil)
				} else {
					t.Heading = pieces(subject, nil)
				}
				heading = subject
			}
			if n == 0 {
				for _, a := range c.Attachments {
					t.Attached = append(t.Attached, plain(oneLine(a.Name, 80)))
				}
			}
			if n+1 == threadTurns {
				t.Rest = int64(len(c.Messages) - threadTurns)
			}
			p.Turns = append(p.Turns, t)
		}
	}
}

func turnOf(m *comment.Message, room *budget) turn {
	t := turn{From: pieces(oneLine(m.From, 160), nil), To: recipientsOf(m.To)}
	if m.SentAt != nil {
		t.At = *m.SentAt
	}
	text, cut := room.take(m.Body.Text)
	t.Cut = cut
	t.Blocks = fold(text, m.From)
	if m.Signature != nil && strings.TrimSpace(m.Signature.Text) != "" {
		signature, cut := room.take(strings.TrimSpace(m.Signature.Text))
		t.Cut = t.Cut || cut
		t.Blocks = append(t.Blocks, block{Kind: "signature", Pieces: pieces(signature, nil), Lines: strings.Count(signature, "\n") + 1})
	}
	return t
}

// answerMarks are what mail programs put before a subject.
var answerMarks = regexp.MustCompile(`(?i)^(?:(?:re|fw|fwd|aw|wg|sv|vs|rv|tr|antw|ref)(?:\[\d+\])?\s*[:：]\s*)+`)

// bareSubject is a subject without what answering adds to it.
func bareSubject(subject string) string {
	return strings.ToLower(strings.TrimSpace(answerMarks.ReplaceAllString(subject, "")))
}
