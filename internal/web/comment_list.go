package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/find"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
	"salesforcesync/internal/words"
)

// Bounds of the list of comments.
const (
	commentsPerPage = 25
	mostSources     = 12     // that one search goes over
	mostCounted     = 10_000 // comments; beyond, there are "10,000+"
	mostChips       = 4      // properties of a comment in the list
	lagWorthSaying  = 10 * time.Second
)

type commentsPage struct {
	page
	Form    *commentForm
	Sources []store.Source // that one may read
	MayRead bool           // on any project
	Kinds   []string       // names of properties that the comments at hand have
	List    *commentList
}

// commentList is the part of the page that moves.
type commentList struct {
	Form     *commentForm
	Items    []commentItem
	Size     string     // how many there are, in words; "" = not known, or not the first page
	Next     string     // path of the page that comes after this one; "" = none
	First    string     // path of the first page; "" = this is it
	To       *time.Time // nothing was looked at behind it, although the page is not full
	Behind   string     // how far the index of words is behind, in words
	Choose   bool       // there are too many sources to look in all of them
	Searched bool       // the form could be read
}

// commentItem is a comment in the list.
type commentItem struct {
	Key        string
	Path       string // its page; "" = it cannot have one
	Thread     string // its thread's page; "" = none
	Heading    []piece
	From       []piece
	Recipients string
	Snippet    []piece
	At         time.Time
	Place      string // project/source
	Messages   int
	Way        way
	Properties []property
}

// comments is the list of comments, and the search for them.
func (web *Web) comments(v *visit) error {
	values := v.r.URL.Query()
	frame, err := web.open(v, "Comments")
	if err != nil {
		return err
	}
	data := commentsPage{page: frame, Form: readCommentForm(values)}
	f := data.Form
	if data.Sources, data.MayRead, err = web.readableSources(v); err != nil {
		return err
	}
	list, kinds, err := web.commentList(v, f, values.Get("after"), data.Sources, time.Time{})
	if err != nil {
		return err
	}
	if f.Name != "" || f.Value != "" {
		f.add(kinds)
	}
	// One address for one search, without what was left empty.
	if want := f.values(); len(f.Problems) == 0 && values.Get("after") == "" && want.Encode() != values.Encode() {
		http.Redirect(v.w, v.r, f.path(), http.StatusSeeOther)
		return nil
	}
	for name := range kinds {
		data.Kinds = append(data.Kinds, name)
	}
	slices.Sort(data.Kinds)
	data.List = list
	data.Moves = f.moves() && list.First == ""
	if f.Text != "" {
		data.Title = "Comments: " + plain(oneLine(f.Text, 60))
	}
	status := http.StatusOK
	if len(f.Problems) > 0 {
		status = http.StatusBadRequest
	}
	return web.render(v, status, "comments", data)
}

// moves reports whether new comments appear in the list by themselves. A search is asked again by whoever
// wants to know.
func (f *commentForm) moves() bool { return !f.Narrow() && !f.Oldest && len(f.Problems) == 0 }

// commentsLive is what moves of the list.
func (web *Web) commentsLive(v *visit) (string, any, error) {
	f := readCommentForm(v.r.URL.Query())
	if !f.moves() || v.r.URL.Query().Get("after") != "" {
		return "", nil, fault.New(fault.NotFound, "this page does not move")
	}
	sources, _, err := web.readableSources(v)
	if err != nil {
		return "", nil, err
	}
	list, _, err := web.commentList(v, f, "", sources, time.Now().Add(-2*liveEvery))
	return "comment-list", list, err
}

// readableSources are those that the visitor may read, and whether that is possible on any project.
func (web *Web) readableSources(v *visit) (sources []store.Source, may bool, err error) {
	ctx := v.r.Context()
	projects, err := web.store.Projects(ctx)
	if err != nil {
		return nil, false, err
	}
	names := projectsWith(v.who, projects, access.SourcesRead)
	sources, err = web.store.Sources(ctx, names)
	return sources, len(names) > 0 || len(projects) == 0, err
}

// commentList searches. kinds are "string:" or "number:" by the names of properties that were seen. What came
// since then is read by the visitor; the zero time is all of it.
func (web *Web) commentList(v *visit, f *commentForm, after string, sources []store.Source, since time.Time) (list *commentList, kinds map[string]string, err error) {
	ctx := v.r.Context()
	list, kinds = &commentList{Form: f}, map[string]string{}
	if f.Source != "" {
		sources = slices.DeleteFunc(slices.Clone(sources), func(s store.Source) bool { return s.Project+"/"+s.Name != f.Source })
		if len(sources) == 0 {
			f.wrong("source", "There is no source of this name that you may read.")
		}
	}
	hidden := map[string]find.Hidden{}
	for _, s := range sources {
		hidden[s.ID] = find.HiddenFrom(*v.who, s)
		for i, p := range f.filter.Properties {
			if err := hidden[s.ID].Allow(p, s.Project); err != nil {
				field := "property"
				if i >= len(f.Properties) {
					field = "direction"
				}
				f.wrong(field, sentence(err))
			}
		}
	}
	at, err := find.ReadPlaces(after)
	if err != nil {
		return nil, nil, err
	}
	list.Choose = len(sources) > mostSources
	if len(f.Problems) > 0 || list.Choose {
		return list, kinds, nil
	}
	list.Searched = true
	leave, err := web.pages.Enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	found, err := find.Search(ctx, web.store, sources, at, f.query, f.filter)
	if err != nil {
		return nil, nil, err
	}
	rows := map[string]int{}
	for _, h := range found.Hits {
		if h.CreatedAt.After(since) {
			rows[h.Source.ID]++
		}
		list.Items = append(list.Items, commentItemOf(h, hidden[h.Source.ID], f))
		for key := range h.Properties {
			if kind, name, ok := strings.Cut(key, ":"); ok && !hidden[h.Source.ID].Has(key) && kinds[name] != "string:" {
				kinds[name] = kind + ":"
			}
		}
	}
	if found.Next != nil {
		list.Next = f.path("after", found.Next.String())
		if len(found.Hits) < commentsPerPage {
			list.To = found.To
		}
	}
	if after != "" {
		list.First = f.path()
	} else if list.Size, err = web.sizeOf(v, f, sources, found); err != nil {
		return nil, nil, err
	}
	if list.Behind, err = web.lag(v, f, sources); err != nil {
		return nil, nil, err
	}
	for i := range sources {
		if n := rows[sources[i].ID]; n > 0 || since.IsZero() {
			if err := web.reads(v, "comments.searched", &sources[i], n); err != nil {
				return nil, nil, err
			}
		}
	}
	return list, kinds, nil
}

// sizeOf is how many comments a search finds, in words.
func (web *Web) sizeOf(v *visit, f *commentForm, sources []store.Source, first find.Page) (string, error) {
	if first.Next == nil {
		return sizeInWords(store.Size{N: int64(len(first.Hits))}), nil
	}
	var all store.Size
	for i := range sources {
		q := f.query
		q.SourceID = sources[i].ID
		one, err := web.store.SizeOf(v.r.Context(), store.CommentSearch{CommentQuery: q, Number: sources[i].Number, Filter: f.filter}, mostCounted)
		if err != nil {
			return "", err
		}
		all.N += one.N
		all.More, all.Unknown = all.More || one.More, all.Unknown || one.Unknown
		if all.Unknown || all.More {
			break
		}
	}
	if f.Narrow() && all.N > mostCounted { // each was counted up to it
		all = store.Size{N: mostCounted, More: true}
	}
	return sizeInWords(all), nil
}

// lag is how far the index of words is behind, if that is worth a word.
func (web *Web) lag(v *visit, f *commentForm, sources []store.Source) (string, error) {
	if !f.filter.NeedsIndex() {
		return "", nil
	}
	var most time.Duration
	for i := range sources {
		one, err := web.store.WordsLag(v.r.Context(), sources[i].ID)
		if err != nil {
			return "", err
		}
		most = max(most, one)
	}
	if most < lagWorthSaying {
		return "", nil
	}
	return inWords(most), nil
}

func commentItemOf(h find.Hit, hidden find.Hidden, f *commentForm) commentItem {
	query := f.filter.Query
	c := &h.StoredComment
	item := commentItem{
		Key: h.Source.Project + "/" + h.Source.Name + "/" + c.ID, Path: commentPath(h.Source.Project, h.Source.Name, c.ID), Thread: threadPath(h.Source, c.ThreadID),
		At: c.Timestamp, Place: h.Source.Project + "/" + h.Source.Name, Messages: len(c.Messages), Way: wayOf(c.Properties, hidden),
	}
	item.Heading = lineWith(subjectOf(c), query)
	shown := false
	for i := range c.Messages {
		m := &c.Messages[i]
		if item.From == nil && m.From != "" {
			item.From = lineWith(m.From, query)
			item.Recipients = recipientsOf(m.To)
		}
		if strings.TrimSpace(m.Body.Text) == "" {
			continue
		}
		// The first message, or the first one that has what was looked for.
		if found := len(query.Found(m.Body.Text)) > 0; item.Snippet == nil || found && !shown {
			item.Snippet, shown = excerpt(m.Body.Text, query, snippetChars), found
		}
	}
	item.Properties = chipsOf(c.Properties, hidden, f)
	return item
}

// lineWith is a short text with what was found in it.
func lineWith(text string, query words.Query) []piece {
	line := oneLine(text, snippetChars)
	return pieces(line, query.Found(line))
}

// recipientsOf names the first recipient and counts the others.
func recipientsOf(to []string) string {
	if len(to) == 0 {
		return ""
	}
	first := plain(oneLine(to[0], 80))
	if len(to) > 1 {
		first += " and " + groupDigits(int64(len(to)-1)) + " more"
	}
	return first
}

// telling are properties that say most about a comment, in the order in which they are shown; others are
// shown behind them.
var telling = []string{"Case Number", "Case Priority", "Case Status", "Task Priority", "Task Status", "Post Type", "Account", "Case Origin", "Case Owner"}

// silent are properties that a list shows in other ways, or that say little there.
var silent = []string{transform.PropertyDirection, transform.PropertyRecordURL, transform.PropertyTruncated, transform.PropertySenderDomain, transform.PropertyRecipientDomain, "Has Attachments"}

// chipsOf are the properties that a list shows of a comment.
func chipsOf(properties map[string]any, hidden find.Hidden, f *commentForm) []property {
	var keys []string
	for key := range properties {
		_, name, _ := strings.Cut(key, ":")
		if !hidden.Has(key) && !slices.Contains(silent, name) {
			keys = append(keys, key)
		}
	}
	place := func(key string) int {
		_, name, _ := strings.Cut(key, ":")
		if at := slices.Index(telling, name); at >= 0 {
			return at
		}
		return len(telling)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if c := place(a) - place(b); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	var out []property
	for _, key := range keys {
		if len(out) == mostChips {
			break
		}
		if p := propertyOf(key, properties[key], 40, f); !p.Cut && p.Value != "" {
			out = append(out, p)
		}
	}
	return out
}

// propertyOf is a property with the address that finds others with the same.
func propertyOf(key string, value any, limit int, f *commentForm) property {
	_, name, _ := strings.Cut(key, ":")
	p := property{Name: plain(name)}
	p.Value, p.Cut = clip(valueText(value), limit)
	p.Value = plain(p.Value)
	if text, ok := words.PropertyText(key, value); ok && len(text) < 500 {
		p.Search = f.with(text)
	}
	return p
}

// searchIn is a form that looks in one source.
func searchIn(source *store.Source) *commentForm {
	return readCommentForm(url.Values{"source": {source.Project + "/" + source.Name}})
}
