package simforce

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// decodeRow reads a JSON object; numbers keep their spelling.
func decodeRow(body []byte) (Row, *apiError) {
	var row Row
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&row); err != nil || row == nil {
		return nil, refuse(http.StatusBadRequest, "JSON_PARSER_ERROR", "The request body is not a JSON object: %v", err)
	}
	return row, nil
}

// writable finds the object of a write and checks that the user sees all the
// fields written.
func (c *call) writable(row Row) (*table, *apiError) {
	t := c.view.object(c.path[1])
	if t == nil {
		return nil, errNotFound()
	}
	if t.obj.ReadOnly {
		return nil, refuse(http.StatusForbidden, "INSUFFICIENT_ACCESS_OR_READONLY", "entity type %s does not support this operation", t.obj.Name)
	}
	for name := range row {
		if i := t.obj.field(name); i >= 0 && !c.view.sees(t.obj, t.obj.Fields[i]) {
			return nil, refuse(http.StatusBadRequest, "INVALID_FIELD", "No such column '%s' on sobject of type %s", name, t.obj.Name)
		}
	}
	return t, nil
}

func (s *Server) createRecord(c *call) *reply {
	row, e := decodeRow(c.body)
	if e != nil {
		return failed(e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, e := c.writable(row)
	if e != nil {
		return failed(e)
	}
	r, e := c.view.apply(change{object: t.obj.Name, fields: row, user: c.view.user, now: s.now()})
	if e != nil {
		return failed(e)
	}
	h := http.Header{}
	h.Set("Location", "/services/data/"+c.version+"/sobjects/"+t.obj.Name+"/"+r.id())
	return &reply{status: http.StatusCreated, header: h, body: []byte(fmt.Sprintf(`{"id":"%s","success":true,"errors":[]}`, r.id()))}
}

func (s *Server) updateRecord(c *call) *reply {
	row, e := decodeRow(c.body)
	if e != nil {
		return failed(e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, e := c.writable(row)
	if e != nil {
		return failed(e)
	}
	id, _ := ID18(c.path[2])
	if r := t.row(id); r != nil && !c.view.reads(r) {
		return failed(errNotFound())
	}
	if _, e = c.view.apply(change{object: t.obj.Name, id: c.path[2], fields: row, user: c.view.user, now: s.now()}); e != nil {
		return failed(e)
	}
	return &reply{status: http.StatusNoContent}
}

func (s *Server) deleteRecord(c *call) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, e := c.writable(nil)
	if e != nil {
		return failed(e)
	}
	id, _ := ID18(c.path[2])
	if r := t.row(id); r == nil || !c.view.reads(r) {
		return failed(errNotFound())
	}
	if e := c.view.remove(id, s.deletion(false)); e != nil {
		return failed(e)
	}
	return &reply{status: http.StatusNoContent}
}

// blob answers the bytes of a file.
func (s *Server) blob(c *call) *reply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := c.view.object(c.path[1])
	if t == nil {
		return failed(errNotFound())
	}
	id, _ := ID18(c.path[2])
	r, i := t.row(id), t.obj.field(c.path[3])
	if r == nil || r.deleted() || !c.view.reads(r) || i < 0 || t.obj.Fields[i].Type != TypeBase64 || !c.view.sees(t.obj, t.obj.Fields[i]) {
		return failed(errNotFound())
	}
	text, _ := r.get(i).(string)
	body, _ := base64.StdEncoding.DecodeString(text) // checked when it was written
	h := http.Header{}
	h.Set("Content-Type", "application/octet-stream")
	return &reply{status: http.StatusOK, header: h, body: body}
}

// retrieve answers one record with all fields the user sees, or those asked for.
func (s *Server) retrieve(c *call) *reply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := c.view.object(c.path[1])
	if t == nil {
		return failed(errNotFound())
	}
	id, _ := ID18(c.path[2])
	r := t.row(id)
	switch {
	case r == nil, !c.view.reads(r):
		return failed(errNotFound())
	case r.deleted():
		return failed(refuse(http.StatusNotFound, "ENTITY_IS_DELETED", "entity is deleted"))
	}
	var paths []*boundPath
	if list := c.query.Get("fields"); list != "" {
		for _, name := range strings.Split(list, ",") {
			p, err := c.view.bind(t.obj, Path{Parts: strings.Split(strings.TrimSpace(name), ".")})
			if err != nil {
				return failed(refuse(http.StatusBadRequest, err.code, "%s", err.reason))
			}
			paths = append(paths, p)
		}
	} else {
		for i, f := range t.obj.Fields {
			if c.view.sees(t.obj, f) {
				paths = append(paths, &boundPath{view: c.view, obj: t.obj, field: f, place: i, name: f.Name, full: f.Name})
			}
		}
	}
	return ok(newTree(paths).append(nil, c.view, r, c.version))
}
