package web

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/diff"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// Bounds of a page of revisions.
const (
	revisionsPerPage = 10
	comparedChars    = 128 << 10 // of each text; what is behind is not compared
	sameAround       = 160       // characters of what stayed the same around a change
	changedChars     = 8000      // of one change
	firstChars       = 1200      // of a text that there is none to compare with
)

// revisionList is a page of the texts that a comment has or had.
type revisionList struct {
	List []shownRevision
	// Without is when something else than the text changed last, which cost nothing; nil = not since the
	// newest text.
	Without *time.Time
	Older   string // path of the page of older ones; "" = none
	Newest  string // path of the first page; "" = this is it
}

type shownRevision struct {
	Number   int
	InForce  bool
	At       time.Time
	Cleaning int
	Units    int
	Why      string // it was billed, or not
	Before   string // hash of the text before, in hex; "" = none
	After    string // hash of this text
	Run      string // what wrote it; "" = not known
	Compared int    // the revision that it is compared with; 0 = none
	Text     []piece
	Short    bool // the texts go on behind what is compared
}

// revisions reads a page of a comment's texts, each compared with the one before, and what each cost.
func (web *Web) revisions(v *visit, source *store.Source, c *store.StoredComment) (*revisionList, error) {
	ctx, before := v.r.Context(), 0
	if text := v.r.URL.Query().Get("before"); text != "" {
		var err error
		if before, err = strconv.Atoi(text); err != nil || before < 1 || before > 1<<30 {
			return nil, fault.New(fault.Invalid, "there is no revision before %.20q", text)
		}
	}
	// One more, to compare the last one with.
	list, more, err := web.store.Revisions(ctx, source.ID, c.ID, before, revisionsPerPage+1)
	if err != nil {
		return nil, err
	}
	units, err := web.store.CommentUnits(ctx, source.ID, c.ID)
	if err != nil {
		return nil, err
	}
	billed := make(map[int]*store.Unit, len(units))
	for i := range units {
		billed[units[i].Revision] = &units[i]
	}
	out, at := &revisionList{}, commentPath(source.Project, source.Name, c.ID)+"?view="+viewRevisions
	if before > 0 {
		out.Newest = at
	} else if len(list) > 0 && c.LastModified.After(list[0].CreatedAt) {
		out.Without = &c.LastModified
	}
	for i := range list[:min(len(list), revisionsPerPage)] {
		var older *store.Revision
		if i+1 < len(list) {
			older = &list[i+1]
		}
		out.List = append(out.List, shownRevisionOf(&list[i], older, billed[list[i].Number]))
	}
	if more || len(list) > revisionsPerPage {
		out.Older = at + "&before=" + strconv.Itoa(list[revisionsPerPage-1].Number)
	}
	return out, web.reads(v, "comments.revisions_read", source, len(out.List))
}

func shownRevisionOf(r, older *store.Revision, unit *store.Unit) shownRevision {
	out := shownRevision{Number: r.Number, InForce: r.InForce, At: r.CreatedAt, Cleaning: r.CleaningVersion, Units: r.Units}
	hash := comment.HashTexts(r.Texts)
	out.After = hex.EncodeToString(hash)
	switch {
	case unit != nil:
		out.Run, out.After = runInWords(unit), hex.EncodeToString(unit.AfterHash)
		out.Before = hex.EncodeToString(unit.BeforeHash)
		if out.Why = "the text changed"; unit.Reason == store.ReasonCreated {
			out.Why = "the comment was created"
		}
	case older != nil && string(comment.HashTexts(older.Texts)) == string(hash):
		out.Why = "the text is the same as before"
	default:
		out.Why = "the ledger has no unit for this text"
	}
	text, short := clip(wholeText(r.Texts), comparedChars)
	if out.Short = short; older == nil {
		text, cut := clip(text, firstChars)
		out.Text, out.Short = pieces(text, nil), short || cut
		return out
	}
	from, cut := clip(wholeText(older.Texts), comparedChars)
	out.Compared, out.Short = older.Number, short || cut
	out.Text = changes(diff.Words(from, text))
	return out
}

// wholeText is all that counts as text of a comment, one below the other.
func wholeText(texts []comment.Texts) string {
	var parts []string
	for _, t := range texts {
		for _, part := range []string{t.Subject, t.Body, t.Signature} {
			if part != "" {
				parts = append(parts, part)
			}
		}
	}
	return strings.Join(parts, "\n\n")
}

// changes shows what changed, and of what stayed the same as much as one needs to find the place.
func changes(parts []diff.Part) []piece {
	var out []piece
	for i, p := range parts {
		if p.Kind != diff.Both {
			kind := "gone"
			if p.Kind == diff.Added {
				kind = "added"
			}
			text, cut := clip(p.Text, changedChars)
			if out = appendPieces(out, kind, text); cut {
				out = append(out, piece{Kind: kind, Text: " … "})
			}
			continue
		}
		head, tail := p.Text, ""
		if len(p.Text) > 3*sameAround {
			head, _ = clip(p.Text, sameAround)
			tail = lastChars(p.Text, sameAround)
			if i == 0 {
				head = ""
			}
			if i == len(parts)-1 {
				tail = ""
			}
			left := len([]rune(p.Text)) - len([]rune(head)) - len([]rune(tail))
			out = appendPieces(out, "", head)
			out = append(out, piece{Kind: "skipped", Text: groupDigits(int64(left)) + " characters that stayed the same"})
			head = ""
		}
		out = appendPieces(out, "", head+tail)
	}
	return out
}

// lastChars is the end of a text.
func lastChars(text string, n int) string {
	runes := []rune(text)
	return string(runes[max(0, len(runes)-n):])
}

// lanes are what may write a text, in words.
var lanes = map[string]string{
	"live": "the sync of", "backfill": "a large load of", "resync": "reading again of", "sweep": "the comparison of", "retransform": "texts made anew of",
}

// runInWords says what wrote a text.
func runInWords(u *store.Unit) string {
	if u.Lane == store.LaneAPI {
		return "Written through the API."
	}
	if u.Integration == "" {
		return "Written by a stream that is gone."
	}
	what := lanes[u.Lane]
	if what == "" {
		what = "lane " + u.Lane + " of"
	}
	run := fmt.Sprintf("Written by %s %s, integration %s", what, u.Object, u.Integration)
	if u.Part != "" {
		run += ", part " + u.Part
	}
	if u.Stream != nil && u.Epoch != nil && u.Seq != nil {
		run += fmt.Sprintf(" (stream %d, epoch %d, batch %d)", *u.Stream, *u.Epoch, *u.Seq)
	}
	return run + "."
}
