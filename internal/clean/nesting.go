package clean

import "strings"

// grid says that the innermost table holds data.
func (r *reader) grid() {
	r.st.flags |= grid
	for n, walked := len(r.stack)-1, 0; n >= 0 && walked < maxWalk && r.stack[n].id != idTable; n, walked = n-1, walked+1 {
		r.stack[n].before.flags |= grid
	}
}

// imply closes what a start tag closes without an end tag: a paragraph, an item, a cell, a row.
func (r *reader) imply(id id) {
	if r.count[idP] > 0 {
		for n := len(r.stack) - 1; n >= max(0, len(r.stack)-maxWalk); n-- {
			if f := &r.stack[n]; f.id == idP {
				r.closeTo(n)
				break
			} else if f.kind != inline {
				break
			}
		}
	}
	switch id {
	case idLi:
		r.closeNearest(func(f *frame) bool { return f.id == idLi }, func(f *frame) bool {
			return f.id == idList || f.id == idOl || f.id == idTd || f.id == idTable
		})
	case idTd:
		r.closeNearest(func(f *frame) bool { return f.id == idTd }, func(f *frame) bool { return f.id == idTr || f.id == idTable })
	case idTr:
		r.closeNearest(func(f *frame) bool { return f.id == idTr }, func(f *frame) bool { return f.id == idTable })
	}
}

// closeNearest closes the innermost open element that is wanted, unless a bound is nearer.
func (r *reader) closeNearest(wanted, bound func(*frame) bool) {
	for n := len(r.stack) - 1; n >= max(0, len(r.stack)-maxWalk); n-- {
		switch f := &r.stack[n]; {
		case wanted(f):
			r.closeTo(n)
			return
		case bound(f):
			return
		}
	}
}

// endTag reads an end tag.
func (r *reader) endTag(i int) int {
	name, n, end := r.name(i + 2)
	at := strings.IndexByte(r.src[end:], '>')
	if at < 0 {
		r.noTag = true
		return 0
	}
	end += at + 1
	id, kind := element(name[:n])
	switch {
	case kind == nothing || kind == raw || id == idXMP:
		return end
	case id == idBr:
		r.attr = attributes{}
		r.void(idBr) // as browsers read it
		return end
	case kind == void:
		return end
	}
	if id == idA {
		r.endLink()
	}
	if r.over > 0 {
		r.over--
		return end
	}
	if r.count[id] == 0 {
		if id == idP && r.st.flags&(hidden|tiny) == 0 {
			r.page.boundary(2) // an empty paragraph, as browsers read it
		}
		return end
	}
	for n := len(r.stack) - 1; n >= max(0, len(r.stack)-maxWalk); n-- {
		f := &r.stack[n]
		if f.id == id {
			r.closeTo(n)
			break
		}
		// An end tag of an inline element ends no block, that of a block no cell around it.
		if kind == inline && f.kind != inline || id != idTable && (f.id == idTable || f.id == idTd && id != idTr) {
			break
		}
	}
	return end
}

// closeTo closes the element at n of the stack and all in it.
func (r *reader) closeTo(n int) {
	for len(r.stack) > n {
		r.close()
	}
}

// close closes the innermost element.
func (r *reader) close() {
	last := len(r.stack) - 1
	f, inside, p := r.stack[last], r.st, &r.page
	r.stack = r.stack[:last]
	r.count[f.id]--
	r.st = f.before
	switch f.id {
	case idList, idOl:
		r.items = r.items[:len(r.items)-1]
	case idLi:
		p.marker = p.marker[:0]
	}
	if inside.flags&bullet != 0 && r.st.flags&bullet == 0 {
		r.listMark()
	}
	p.apart = p.apart || f.apart || f.kind == unseen && r.st.flags&(hidden|tiny) == 0
	if inside.flags&hidden != 0 {
		return
	}
	switch f.id {
	case idTable, idTr:
		p.cell = false
	case idTd:
		p.apart = true // from what stands in a wrong place, between cells
		return
	}
	if f.margin > 0 {
		p.boundary(int(f.margin))
	}
}
