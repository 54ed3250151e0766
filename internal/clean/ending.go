package clean

// endings sets apart what stands below, and above, what the sender says: footers and
// disclaimers, the lines that programs add, then signatures. Each stretch of the
// sender's own is looked at by itself, for one may answer below a quotation too.
func (m *mail) endings() {
	for from := 0; from < len(m.rows); {
		if m.rows[from].class != own || m.rows[from].fixed {
			from++
			continue
		}
		to := from
		for to < len(m.rows) && (m.rows[to].class == own || m.rows[to].class == token) && !m.rows[to].fixed {
			to++
		}
		m.ending(from, to)
		m.before = m.before || m.words(from, to)
		from = to
	}
	m.banner()
	m.nothingLeft()
}

// ending looks at one stretch.
func (m *mail) ending(from, to int) {
	m.says = from
	end := m.footer(from, to)
	end = m.disclaimer(from, end)
	m.devices(from, end)
	m.signature(from, end)
}

// saysAbove reports whether anything is said above row i: in the stretch that is looked
// at, or above it. Rows only ever cease to be the sender's own while it is asked.
func (m *mail) saysAbove(i int) bool {
	if m.before {
		return true
	}
	for m.says < i && !m.words(m.says, m.says+1) {
		m.says++
	}
	return m.says < i
}

// lastText is behind the last row before to that is not blank.
func (m *mail) lastText(from, to int) int {
	for to > from && (m.blank(to-1) || m.rows[to-1].class != own) {
		to--
	}
	return to
}

// nothingLeft gives back what was set apart by its look where nothing else is left.
func (m *mail) nothingLeft() {
	if m.words(0, len(m.rows)) {
		return
	}
	for i := range m.rows {
		if r := &m.rows[i]; r.class == signed && !m.by(i, "device") || r.class == disclaimed {
			r.class, r.rule = own, 0
		}
	}
}
