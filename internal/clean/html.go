package clean

import (
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// flags is what holds inside of an element and is undone where it ends.
type flags uint8

const (
	hidden   flags = 1 << iota // nobody sees it
	tiny                       // letters have no size
	pre                        // white space counts
	grid                       // in a table of data: empty cells count
	bullet                     // in Word's own mark of a list item
	unmarked                   // list items have no marks
)

// state is what the elements around a place make of text there.
type state struct {
	flags   flags
	marks   marks
	quote   uint8
	list    uint8
	cells   uint8 // cells of the row so far
	rowLine int32 // how many lines are begun once the row's first is; -1 outside of rows
	rowAt   int32 // how much text there was when the row began
}

// frame is an open element.
type frame struct {
	before state // holds again behind its end
	id     id
	kind   kind
	margin uint8 // line feeds behind it
	apart  bool  // a box in a line: words in it do not run into those around it
}

// Bounds that keep the reader linear in its input whatever the input is. Elements
// nested deeper than maxDepth are read for their text only.
const (
	maxDepth = 512
	maxWalk  = 100 // frames looked at to find the element that a tag ends
	maxSeek  = 16  // tags without an end that are searched for one
)

// reader walks an HTML document once, tag by tag, and writes its text to a page.
// It builds no tree: what holds at a place is in state, what will hold again is on
// the stack.
type reader struct {
	page page
	src  string

	st    state
	stack []frame
	count [ids]int // open elements by id
	over  int      // open elements that are not on the stack, which is full

	items []int  // the next number in each open list, 0 without numbers
	mark  []byte // Word's own mark of a list item, as far as it was read

	href   string // of the open link, "" without one
	linkAt int    // where its text begins

	word      word // the last name of a tag that was read
	attr      attributes
	sought    int             // tags without an end
	noTag     bool            // no tag ends from here on
	noComment bool            // no comment ends from here on
	concealed map[string]bool // classes and ids that style sheets hide
	typed     bool            // a text that somebody only called HTML: what looks like tags is text
}

var readers = sync.Pool{New: func() any { return new(reader) }}

func (r *reader) release() {
	r.page.reset()
	page, stack, items, mark := r.page, r.stack[:0], r.items[:0], r.mark[:0]
	*r = reader{page: page, stack: stack, items: items, mark: mark}
	readers.Put(r)
}

// read fills the page with the text of document.
func (r *reader) read(document string) {
	if !utf8.ValidString(document) {
		document = strings.ToValidUTF8(document, "\uFFFD")
	}
	document = mend(document)
	r.src = document
	r.st.rowLine = -1
	if r.typed = typed(document); r.typed {
		r.st.flags |= pre
	}
	for i := 0; i < len(document); {
		if i = r.text(i); i < len(document) {
			i = r.markup(i)
		}
	}
	r.endLink()
	r.page.finish()
}

// markup reads what begins with the "<" at i.
func (r *reader) markup(i int) int {
	src := r.src
	if i+1 < len(src) && !r.noTag {
		switch c := src[i+1]; {
		case isLetter(c):
			if end := r.start(i); end > 0 {
				return end
			}
		case c == '/' && i+2 < len(src) && isLetter(src[i+2]):
			if end := r.endTag(i); end > 0 {
				return end
			}
		case c == '!' && strings.HasPrefix(src[i:], "<!--"):
			return r.comment(i)
		case c == '!' || c == '?' || c == '/':
			if end := strings.IndexByte(src[i:], '>'); end > 0 {
				return i + end + 1
			}
			r.noTag = true
		}
	}
	if r.st.flags&(hidden|tiny) == 0 {
		r.page.put("<", &r.st)
	}
	return i + 1
}

// comment reads over a comment. One without an end ends with its first ">".
func (r *reader) comment(i int) int {
	src := r.src
	at := i + len("<!--")
	if strings.HasPrefix(src[at:], ">") {
		return at + 1
	}
	if strings.HasPrefix(src[at:], "->") {
		return at + 2
	}
	for !r.noComment {
		dashes := strings.Index(src[at:], "--")
		if dashes < 0 {
			r.noComment = true
			break
		}
		at += dashes + 1
		switch rest := src[at+1:]; {
		case strings.HasPrefix(rest, ">"):
			return at + 2
		case strings.HasPrefix(rest, "!>"):
			return at + 3
		}
	}
	if end := strings.IndexByte(src[i:], '>'); end > 0 {
		return i + end + 1
	}
	r.noTag = true
	return i + len("<!--")
}

// word is a stretch of what no name of a tag ends in. Names that begin in it end where it does: without
// it, each "<" in one long word would be read to its end.
type word struct {
	end       int // behind its last byte
	at, colon int // its last "@" and its last ":"; -1 for none
}

// name reads the name of an element from i on, in lower case and cut to what any
// known one has. Names are read from the front of the document to its end.
func (r *reader) name(i int) (name [12]byte, n, end int) {
	src := r.src
	if i >= r.word.end {
		r.word = word{at: -1, colon: -1}
		for end = i; end < len(src); end++ {
			c := src[end]
			if c == '>' || c == '/' || classes[c] == space {
				break
			}
			switch c {
			case '@':
				r.word.at = end
			case ':':
				r.word.colon = end
			}
		}
		r.word.end = end
	}
	for n < len(name) && i+n < r.word.end {
		name[n] = lower(src[i+n])
		n++
	}
	return name, n, r.word.end
}

// start reads a start tag. It returns 0 when this is text: an address in angle
// brackets, or a tag that never ends.
func (r *reader) start(i int) int {
	name, n, end := r.name(i + 1)
	if written := r.src[i+1 : end]; len(written) > 4 && (r.word.at > i || strings.HasPrefix(written, "http") && r.word.colon > i) {
		return 0
	}
	id, kind := element(name[:n])
	if r.typed && kind != nothing && kind != raw && (kind != void || id != idOther) {
		return 0
	}
	end, ok := r.attributes(end)
	if !ok {
		return 0
	}
	if kind == raw {
		return r.raw(id, end)
	}
	r.open(id, kind, name[:n])
	if id == idPre { // its first line end is not part of it
		end += len(r.src[end:]) - len(strings.TrimPrefix(strings.TrimPrefix(r.src[end:], "\r"), "\n"))
	}
	return end
}

// raw reads over content that is no text. As in a browser, what is never closed
// swallows the rest.
func (r *reader) raw(id id, i int) int {
	src, closer, start := r.src, closers[id], i
	for {
		at := strings.IndexByte(src[i:], '<')
		if at < 0 {
			return len(src)
		}
		i += at
		if hasFold(src[i:], closer) {
			if id == idStyle {
				r.sheet(src[start:i])
			}
			if end := strings.IndexByte(src[i:], '>'); end > 0 {
				return i + end + 1
			}
			return len(src)
		}
		i++
	}
}

// open begins an element.
func (r *reader) open(id id, kind kind, name []byte) {
	p, a := &r.page, &r.attr
	switch {
	case kind == nothing:
		return
	case id == idXMP:
		return
	case kind == void:
		r.void(id)
		return
	case (kind == inline || kind == unseen) && a.closed:
		return
	}
	if id == idA {
		r.endLink()
	}
	var sty style
	if a.style != "" {
		sty = parseStyle(a.style)
	}
	standsAlone := kind == block || kind == article || kind == cell || sty&styleBlock != 0 && kind == inline
	if standsAlone && kind != inline {
		r.imply(id)
	}
	f := frame{id: id, kind: kind}
	above := uint8(0)
	if standsAlone {
		above, f.margin = 1, 1
		if kind == article {
			above, f.margin = 2, 2
			if sty&styleTight != 0 || id == idP && strings.HasPrefix(a.class, "Mso") {
				above = 1
			}
			if sty&styleClose != 0 || id == idP && strings.HasPrefix(a.class, "Mso") {
				f.margin = 1
			}
		}
		if sty&styleInline != 0 && (kind == block || kind == article) && id != idTr && id != idTable {
			above, f.margin, f.apart = 0, 0, true
		}
	}
	f.apart = f.apart || kind == inline && sty&styleApart != 0 || id == idButton
	next := r.st
	if id == idBlockquote && quotes(a, sty) {
		above, f.margin = 1, 1
		next.quote = min(next.quote+1, 250)
		next.marks |= markQuote * citation(a)
	}
	gone := a.hidden || sty&styleHidden != 0 || kind == unseen
	if len(r.concealed) > 0 && sty&(styleBlock|styleInline) == 0 {
		gone = gone || r.conceals(a)
	}
	seen := !gone && next.flags&(hidden|tiny) == 0
	if seen && above > 0 && kind != cell {
		p.boundary(int(above))
	}
	p.apart = p.apart || seen && f.apart
	if a.class != "" || a.id != "" {
		m := containers(a)
		if id == idBlockquote && hasWord(a.class, "gmail_quote") {
			m &^= markQuote // Gmail has no other for what somebody sets off by hand
		}
		next.marks |= m
	}
	if seen && sty&styleBorder != 0 && (id == idDiv || id == idP) {
		p.rule = true
	}
	switch id {
	case idTable:
		next.rowLine = -1
		next.flags &^= grid
		if a.border != "" && a.border != "0" || hasWord(a.class, "MsoTableGrid") {
			next.flags |= grid
		}
	case idTr:
		if seen {
			next.rowLine, next.rowAt, next.cells = int32(p.begun), int32(len(p.buf)), 0
			if !p.open {
				next.rowLine++
			}
		}
	case idTd:
		if len(name) == 2 && name[1] == 'h' {
			r.grid()
			next.flags |= grid
		}
		if seen {
			r.cell()
			next.cells = r.st.cells
		}
	case idList, idOl:
		next.list++
		next.list = min(next.list, 250)
		number := 0
		if id == idOl {
			number = 1
			if n, err := strconv.Atoi(trimBlank(a.start)); err == nil && n >= 0 && n < 1_000_000 {
				number = max(n, 1)
			}
		}
		r.items = append(r.items, number)
	case idLi:
		if seen && (next.flags|r.st.flags)&unmarked == 0 && sty&styleUnmarked == 0 {
			r.item()
		}
	case idPre:
		next.flags |= pre
	case idA:
		r.href, r.linkAt = a.href, len(p.buf)
	}
	switch {
	case gone:
		next.flags |= hidden
	case sty&styleTiny != 0:
		next.flags |= tiny
	case sty&styleSized != 0:
		next.flags &^= tiny
	}
	switch {
	case sty&stylePre != 0:
		next.flags |= pre
	case sty&styleNormal != 0:
		next.flags &^= pre
	}
	switch {
	case sty&styleUnmarked != 0:
		next.flags |= unmarked
	case id == idList || id == idOl:
		next.flags &^= unmarked
	}
	if sty&styleListMark != 0 && seen {
		r.mark = r.mark[:0]
		next.flags |= hidden | bullet
	}
	if len(r.stack) == maxDepth {
		r.over++
		return
	}
	f.before = r.st
	r.stack = append(r.stack, f)
	r.count[id]++
	r.st = next
}

// void writes what an element without content stands for.
func (r *reader) void(id id) {
	p := &r.page
	if r.st.flags&hidden != 0 {
		return
	}
	switch id {
	case idBr:
		p.newline()
	case idHr:
		r.imply(idHr)
		p.boundary(2)
		p.rule = true
	case idImg:
		// Mail programs send emoji as pictures.
		if alt := r.attr.alt; alt != "" && len(alt) <= 32 && r.st.flags&tiny == 0 {
			if alt = unescape(alt); isEmoji(alt) {
				p.accents = true
				p.put(alt, &r.st)
				return
			}
		}
		p.apart = true
	case idInput:
		p.apart = true
	}
}

func isEmoji(s string) bool {
	for _, c := range s {
		if c < 0x2100 && c != 0x200D && c != 0xA9 && c != 0xAE || c == utf8.RuneError || c == 0x3000 || c == 0xFEFF {
			return false
		}
	}
	return s != ""
}

// item gives the next line the mark of a list's item.
func (r *reader) item() {
	p := &r.page
	p.marker = append(p.marker[:0], "- "...)
	if n := len(r.items); n > 0 && r.items[n-1] > 0 {
		if value, err := strconv.Atoi(trimBlank(r.attr.value)); err == nil && value > 0 && value < 1_000_000 {
			r.items[n-1] = value
		}
		p.marker = append(strconv.AppendInt(p.marker[:0], int64(r.items[n-1]), 10), ". "...)
		r.items[n-1]++
	}
}

// cell begins a cell: on the row's line as long as the row has one line, else on
// a line of its own.
func (r *reader) cell() {
	p := &r.page
	if r.st.rowLine < 0 {
		p.boundary(1)
		return
	}
	first := r.st.cells == 0
	r.st.cells = min(r.st.cells+1, 250)
	switch {
	case len(p.buf) <= int(r.st.rowAt): // nothing in this row yet
		p.cell = true
		if !first && r.st.flags&grid != 0 {
			p.tabs++
		}
	case p.begun <= int(r.st.rowLine): // one line so far: go on with it
		tabs := 1
		if r.st.flags&grid != 0 && p.cell {
			tabs = p.tabs + 1
		}
		p.end()
		p.open, p.gap, p.cell, p.tabs = true, 0, true, tabs
	default:
		p.cell = false
		p.boundary(1)
		p.cell = true
	}
}

// quotes reports whether a blockquote quotes a mail. Some programs indent with it.
func quotes(a *attributes, sty style) bool {
	if equalFold(a.kind, "cite") {
		return true
	}
	bordered := indexFold(a.style, "border-left") >= 0
	return bordered || sty&styleOpen == 0 && indexFold(a.style, "margin-right") < 0
}

// citation is 1 for what only a mail program writes.
func citation(a *attributes) marks {
	if equalFold(a.kind, "cite") {
		return 1
	}
	return 0
}

// containers is what class and id say that an element holds. Outlook on the web
// puts "x_" before the names in a mail that it answers.
func containers(a *attributes) (m marks) {
	for class := a.class; class != ""; {
		var word string
		word, class = field(class)
		m |= container(word)
	}
	if a.id != "" {
		m |= container(a.id)
	}
	return m
}

func container(word string) marks {
	for strings.HasPrefix(word, "x_") {
		word = word[2:]
	}
	if len(word) < 8 {
		return 0
	}
	switch word {
	case "gmail_quote", "gmail_quote_container", "yahoo_quoted", "protonmail_quote", "tutanota_quote", "zmail_extra",
		"OLK_SRC_BODY_SECTION", "mail-editor-reference-message-container", "ms-outlook-mobile-reference-message", "elided-text",
		"moz-forward-container", "freshdesk_quote", "front-blockquote", "missive_quote", "outreach-quote", "hs_reply", "fernand_quote",
		"skiff_quote", "nh_extra", "alimail-quote", "notion-mail-quote", "quotedReply", "iosymail", "isReplyContent", "origbody",
		"reply139content", "oriMsgHtmlSeperator", "history_container", "spark_quote":
		return markQuote
	case "gmail_signature", "moz-signature", "protonmail_signature_block", "ms-outlook-mobile-signature", "Signature", "signature",
		"yahoo-signature", "gmail_signature_prefix", "moz-txt-sig", "AppleMailSignature", "tutanota_signature", "Zm-_Id_-Sgn", "composer_signature", "bloop_sign",
		"front-signature", "missive_signature", "ms-outlook-ios-signature":
		return markSignature
	case "gmail_attr", "moz-cite-prefix", "divRplyFwdMsg", "OutlookMessageHeader", "moz-email-headers-table", "airmail_on", "reply-intro",
		"yahoo-quoted-begin", "gmail_quote_attribution":
		return markAttribution
	}
	if strings.HasPrefix(word, "yahoo_quoted") {
		return markQuote
	}
	if strings.HasPrefix(word, "ydp") || strings.HasPrefix(word, "yiv") {
		// Yahoo puts a number before the names in what is written with it, and in what it answers.
		return container(strings.TrimLeft(word[3:], "0123456789abcdef_"))
	}
	return 0
}

func hasWord(list, word string) bool {
	for list != "" {
		var w string
		if w, list = field(list); w == word {
			return true
		}
	}
	return false
}

// listMark turns Word's mark of a list item, a letter of a symbol font or a
// number, into ours.
func (r *reader) listMark() {
	p := &r.page
	if p.open || len(r.mark) == 0 {
		return
	}
	p.marker = append(p.marker[:0], "- "...)
	if end := r.mark[len(r.mark)-1]; (end == '.' || end == ')') && utf8.Valid(r.mark) {
		p.marker = append(append(p.marker[:0], r.mark...), ' ')
	}
}

// endLink writes where the open link leads, if its text does not say so.
func (r *reader) endLink() {
	href := r.href
	if href == "" {
		return
	}
	r.href = ""
	p := &r.page
	if r.linkAt >= len(p.buf) || r.st.flags&(hidden|tiny) != 0 {
		return
	}
	text := strings.TrimSpace(string(p.buf[r.linkAt:]))
	if to := address(text, href); to != "" {
		p.buf = append(p.buf, " <"...)
		p.buf = append(p.buf, to...)
		p.buf = append(p.buf, '>')
	}
}
