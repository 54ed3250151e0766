package simforce

import (
	"net/http"
	"time"
)

// How far back updated and deleted reach.
const (
	updatedDays = 30
	deletedDays = 15
)

// window reads start and end; the platform drops their seconds.
func (s *Server) window(c *call, days int) (from, to time.Time, e *apiError) {
	read := func(name string) (time.Time, *apiError) {
		v := c.query.Get(name)
		if v == "" {
			return time.Time{}, refuse(http.StatusBadRequest, "MISSING_ARGUMENT", "%s is required", name)
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000Z0700", "2006-01-02T15:04:05Z0700"} {
			if t, err := time.Parse(layout, v); err == nil {
				return t.UTC().Truncate(time.Minute), nil
			}
		}
		return time.Time{}, refuse(http.StatusBadRequest, "ILLEGAL_QUERY_PARAMETER_VALUE", "%s is not a dateTime: %s", name, v)
	}
	if from, e = read("start"); e != nil {
		return
	}
	if to, e = read("end"); e != nil {
		return
	}
	switch {
	case !from.Before(to):
		e = refuse(http.StatusBadRequest, "INVALID_REPLICATION_DATE", "startDate must be at least one minute greater than endDate")
	case from.Before(s.now().AddDate(0, 0, -days)):
		e = refuse(http.StatusBadRequest, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date")
	}
	return
}

func (s *Server) replicated(c *call) (*table, *apiError) {
	t := c.view.object(c.path[1])
	switch {
	case t == nil:
		return nil, errNotFound()
	case t.obj.NoReplication:
		return nil, refuse(http.StatusBadRequest, "INVALID_TYPE", "entity type %s is not replicateable", t.obj.Name)
	}
	return t, nil
}

// covered is the latest moment up to which the lists are complete: the end
// asked for, unless it lies ahead.
func (s *Server) covered(to time.Time) time.Time {
	if now := s.now(); to.After(now) {
		return now.Truncate(time.Minute)
	}
	return to
}

func (s *Server) updated(c *call) *reply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, e := s.replicated(c)
	if e != nil {
		return failed(e)
	}
	from, to, e := s.window(c, updatedDays)
	if e != nil {
		return failed(e)
	}
	ids := []string{}
	t.stamps.walk(key{from.Unix(), firstID}, key{to.Unix() - 1, lastID}, func(k key) bool {
		if !t.rows[k.id].deleted() {
			ids = append(ids, k.id)
		}
		return true
	})
	return okJSON(struct {
		IDs     []string `json:"ids"`
		Covered string   `json:"latestDateCovered"`
	}{ids, s.covered(to).Format(wireDatetime)})
}

func (s *Server) deleted(c *call) *reply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, e := s.replicated(c)
	if e != nil {
		return failed(e)
	}
	from, to, e := s.window(c, updatedDays)
	if e != nil {
		return failed(e)
	}
	earliest := s.now().AddDate(0, 0, -deletedDays).Truncate(time.Minute)
	type gone struct {
		ID   string `json:"id"`
		Date string `json:"deletedDate"`
	}
	list := []gone{}
	for _, g := range c.view.graves(t, max(from.Unix(), earliest.Unix()), to.Unix()-1) {
		list = append(list, gone{g.id, time.Unix(g.stamp, 0).UTC().Format(wireDatetime)})
	}
	return okJSON(struct {
		Records  []gone `json:"deletedRecords"`
		Earliest string `json:"earliestDateAvailable"`
		Covered  string `json:"latestDateCovered"`
	}{list, earliest.Format(wireDatetime), s.covered(to).Format(wireDatetime)})
}

// graves lists the deletions of [from, to] seconds that are still known: those
// whose row is in the recycle bin.
func (o *org) graves(t *table, from, to int64) []key {
	var out []key
	t.stamps.walk(key{from, firstID}, key{to, lastID}, func(k key) bool {
		if t.rows[k.id].deleted() {
			out = append(out, k)
		}
		return true
	})
	return out
}
