package simforce

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// stateVersion is the format of the state file; another one is refused.
const stateVersion = 1

// flushEvery bounds what a kill -9 loses of the data. Grants and sessions are
// written through at once.
const flushEvery = 250 * time.Millisecond

// compactAt is how many bytes may be appended before the file is written anew.
const compactAt = 256 << 20

// stateLine is one line of the state file: a header, or the newest version of
// one thing. Later lines win.
type stateLine struct {
	Version int                 `json:"version,omitempty"`
	Org     string              `json:"org,omitempty"`
	Object  string              `json:"object,omitempty"`
	Row     Row                 `json:"row,omitempty"`
	With    string              `json:"with,omitempty"`
	Seq     [2]uint64           `json:"seq,omitzero"` // running numbers of ids and auto-numbers
	Drop    string              `json:"drop,omitempty"`
	Schema  *Object             `json:"schema,omitempty"`
	Changed time.Time           `json:"changed,omitzero"`
	Hidden  map[string][]string `json:"hidden,omitempty"`
	Stock   *stockLine          `json:"stock,omitempty"`
	Grave   *graveLine          `json:"grave,omitempty"`
	Share   *shareLine          `json:"share,omitempty"`
	Grant   *grant              `json:"grant,omitempty"`
	Session *sessionLine        `json:"session,omitempty"`
}

// graveLine is an entry of the delete log.
type graveLine struct {
	ID string `json:"id"`
	At int64  `json:"at"`
}

type sessionLine struct {
	ID    string    `json:"id"`
	Org   string    `json:"org"`
	User  string    `json:"user"`
	Grant string    `json:"grant"`
	Scope []string  `json:"scope"`
	Born  time.Time `json:"born"`
	Ended bool      `json:"ended,omitempty"`
}

// journal appends lines to the state file.
type journal struct {
	mu      sync.Mutex
	path    string
	file    *os.File
	out     *bufio.Writer
	written int64
	err     error
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once
}

func (j *journal) line(v any, through bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return
	}
	b, err := json.Marshal(v)
	if err == nil {
		b = append(b, '\n')
		j.written += int64(len(b))
		_, err = j.out.Write(b)
	}
	if err == nil && through {
		err = j.out.Flush()
	}
	j.err = err
}

// close flushes and closes; it may be called again.
func (j *journal) close() error {
	j.once.Do(func() {
		close(j.stop)
		<-j.done
		j.mu.Lock()
		defer j.mu.Unlock()
		j.err = errors.Join(j.err, j.out.Flush(), j.file.Close())
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return fmt.Errorf("write state file %s: %w", j.path, j.err)
	}
	return nil
}

// journalLine is what orgs call with each change.
func (s *Server) journalLine(v any) {
	if s.state != nil {
		s.state.line(v, false)
	}
}

func (o *org) rowLine(r *record) stateLine {
	return stateLine{
		Org: o.id, Object: r.obj.Name, Row: r.row(), With: r.deletedWith,
		Seq: [2]uint64{o.seq[r.obj.Name], o.seq[r.obj.Name+"#"]},
	}
}

func (o *org) journalPut(r *record)  { o.journal(putLine{o, r}) }
func (o *org) journalDrop(r *record) { o.journal(stateLine{Org: o.id, Drop: r.id()}) }

// putLine delays the work of spreading a row until a journal wants it.
type putLine struct {
	o *org
	r *record
}

// MarshalJSON renders the row as a stateLine.
func (p putLine) MarshalJSON() ([]byte, error) { return json.Marshal(p.o.rowLine(p.r)) }

func (s *Server) journalGrant(g *grant) {
	if s.state != nil {
		s.state.line(stateLine{Grant: g}, true)
	}
}

func (s *Server) journalSession(sess *session, ended bool) {
	if s.state != nil {
		s.state.line(stateLine{Session: sess.line(ended)}, true)
	}
}

func (sess *session) line(ended bool) *sessionLine {
	return &sessionLine{sess.id, sess.org, sess.user, sess.grant, sess.scope, sess.born, ended}
}

// openState reads the state file; false means there is none yet.
func (s *Server) openState() (bool, error) {
	if s.opts.StateFile == "" {
		return false, nil
	}
	f, err := os.Open(s.opts.StateFile)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open state file: %w", err)
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewReaderSize(f, 1<<20)
	for n := 1; ; n++ {
		b, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			// What stands behind the last newline was cut off by a kill.
			return n > 1, nil
		}
		if err != nil {
			return false, fmt.Errorf("read state file %s: %w", s.opts.StateFile, err)
		}
		var l stateLine
		if err := json.Unmarshal(b, &l); err != nil {
			return false, fmt.Errorf("read state file %s line %d: %w", s.opts.StateFile, n, err)
		}
		if n == 1 && l.Version != stateVersion {
			return false, fmt.Errorf("state file %s has version %d, this program reads %d: remove it to start afresh", s.opts.StateFile, l.Version, stateVersion)
		}
		if err := s.replay(l); err != nil {
			return false, fmt.Errorf("read state file %s line %d: %w", s.opts.StateFile, n, err)
		}
	}
}

// replay takes one line into memory.
func (s *Server) replay(l stateLine) error {
	switch {
	case l.Grant != nil:
		g := l.Grant
		s.auth.grants[g.ID] = g
		for _, old := range append(g.Old, g.Refresh) {
			if old != "" {
				s.auth.byToken[old] = g
			}
		}
		return nil
	case l.Session != nil:
		x := l.Session
		if x.Ended {
			delete(s.auth.sessions, x.ID)
			return nil
		}
		// The time of last use is not kept; a restart counts as use.
		s.auth.sessions[x.ID] = &session{id: x.ID, org: x.Org, user: x.User, grant: x.Grant, scope: x.Scope, born: x.Born, used: s.now()}
		return nil
	case l.Org == "":
		return nil
	}
	o := s.org(l.Org)
	if o == nil {
		return fmt.Errorf("unknown org %s", l.Org)
	}
	switch {
	case l.Schema != nil:
		l.Schema.prepare()
		o.setObject(l.Schema, l.Changed)
	case l.Hidden != nil:
		o.hidden = map[string]map[string]bool{}
		for user, list := range l.Hidden {
			for _, what := range list {
				o.hide(user, what, true)
			}
		}
		o.schemaChanged = l.Changed
	case l.Share != nil:
		o.sharing.set(*l.Share)
	case l.Stock != nil:
		o.layStock(l.Stock)
	case l.Grave != nil && len(l.Grave.ID) > 3 && o.byPrefix[l.Grave.ID[:3]] != nil:
		t := o.byPrefix[l.Grave.ID[:3]]
		t.dig(l.Grave.ID, grave{l.Grave.At, t.row(l.Grave.ID)})
		o.wake(time.Unix(l.Grave.At, 0).Add(binLife))
	case l.Drop != "":
		if r := o.find(l.Drop); r != nil {
			o.table(r.obj.Name).drop(r)
		}
	default:
		return o.restore(l)
	}
	return nil
}

func (o *org) restore(l stateLine) error {
	t := o.table(l.Object)
	if t == nil {
		return fmt.Errorf("unknown object %s", l.Object)
	}
	r := &record{obj: t.obj, v: make([]any, len(t.obj.Fields)), deletedWith: l.With}
	for name, value := range l.Row {
		i := t.obj.field(name)
		if i < 0 {
			return fmt.Errorf("unknown field %s.%s", l.Object, name)
		}
		v, err := convert(t.obj.Fields[i], value)
		if err != nil {
			return err
		}
		r.v[i] = v
	}
	if r.v[placeID] == nil || t.obj.clock >= 0 && r.v[t.obj.clock] == nil {
		return fmt.Errorf("row of %s without Id or stamp", l.Object)
	}
	t.put(r)
	if r.deleted() {
		t.dig(r.id(), grave{r.stamp(), r})
		o.wake(time.Unix(r.stamp(), 0).Add(binLife))
	} else {
		t.fill(r.id())
	}
	o.seq[t.obj.Name] = max(o.seq[t.obj.Name], l.Seq[0])
	o.seq[t.obj.Name+"#"] = max(o.seq[t.obj.Name+"#"], l.Seq[1])
	return nil
}

// startJournal writes the file anew and appends from then on.
func (s *Server) startJournal() error {
	if s.opts.StateFile == "" {
		return nil
	}
	j := &journal{path: s.opts.StateFile, stop: make(chan struct{}), done: make(chan struct{})}
	if err := s.compact(j); err != nil {
		return err
	}
	s.state = j
	go func() {
		defer close(j.done)
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			select {
			case <-j.stop:
				return
			case <-tick.C:
				s.flush(j)
			}
		}
	}()
	return nil
}

func (s *Server) flush(j *journal) {
	j.mu.Lock()
	if j.err == nil {
		j.err = j.out.Flush()
	}
	grown := j.written > compactAt
	j.mu.Unlock()
	if !grown {
		return
	}
	// No change can happen while these two are held, so nothing is lost between
	// the snapshot and the first line after it.
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.compact(j); err != nil {
		j.mu.Lock()
		j.err = errors.Join(j.err, err)
		j.mu.Unlock()
	}
}

// compact writes everything into a new file and puts it in place of the old one.
func (s *Server) compact(j *journal) error {
	if err := os.MkdirAll(filepath.Dir(j.path), 0o755); err != nil {
		return fmt.Errorf("make directory of state file: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+".*")
	if err != nil {
		return fmt.Errorf("write state file: %w", err)
	}
	out := bufio.NewWriterSize(f, 1<<20)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	err = s.snapshot(enc.Encode)
	if err = errors.Join(err, out.Flush()); err == nil {
		err = os.Rename(f.Name(), j.path)
	}
	if err != nil {
		return fmt.Errorf("write state file %s: %w", j.path, errors.Join(err, f.Close(), os.Remove(f.Name())))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	old := j.file
	j.file, j.out, j.written = f, out, 0
	if old != nil {
		return old.Close()
	}
	return nil
}

func (s *Server) snapshot(put func(any) error) error {
	if err := put(stateLine{Version: stateVersion}); err != nil {
		return err
	}
	for _, o := range s.orgs {
		for _, obj := range o.objects() {
			if err := put(stateLine{Org: o.id, Schema: obj, Changed: o.schemaChanged}); err != nil {
				return err
			}
		}
		if err := put(o.hiddenLine()); err != nil {
			return err
		}
		if o.stock != nil {
			if err := put(stateLine{Org: o.id, Stock: o.stock}); err != nil {
				return err
			}
		}
		for _, obj := range o.objects() {
			var err error
			t := o.table(obj.Name)
			t.ids.walk(key{}, key{0, lastID}, func(k key) bool {
				err = put(o.rowLine(t.rows[k.id]))
				return err == nil
			})
			t.stock.gone(func(id string) {
				if err == nil && t.rows[id] == nil {
					err = put(stateLine{Org: o.id, Drop: id})
				}
			})
			if err != nil {
				return err
			}
			for id, g := range t.graves {
				if err := put(stateLine{Org: o.id, Grave: &graveLine{id, g.at}}); err != nil {
					return err
				}
			}
		}
		for _, l := range o.sharing.lines() {
			if err := put(stateLine{Org: o.id, Share: &l}); err != nil {
				return err
			}
		}
	}
	for _, g := range s.auth.grants {
		if err := put(stateLine{Grant: g}); err != nil {
			return err
		}
	}
	for _, sess := range s.auth.sessions {
		if err := put(stateLine{Session: sess.line(false)}); err != nil {
			return err
		}
	}
	return nil
}

func (o *org) hiddenLine() stateLine {
	out := map[string][]string{"*": {}}
	for user, list := range o.hidden {
		for what, is := range list {
			if is {
				out[user] = append(out[user], what)
			}
		}
	}
	return stateLine{Org: o.id, Hidden: out, Changed: o.schemaChanged}
}
