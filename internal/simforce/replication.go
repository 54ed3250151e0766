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

// maxReplicated is the most ids updated and deleted give.
const maxReplicated = 600_000

// window reads start and end; the platform drops their seconds.
func (s *Server) window(c *call) (from, to time.Time, e *apiError) {
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
	switch now := s.now().Truncate(time.Minute); {
	case !from.Before(to):
		e = refuse(http.StatusBadRequest, "INVALID_REPLICATION_DATE", "startDate must be at least one minute greater than endDate")
	case from.Before(now.AddDate(0, 0, -updatedDays)):
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

// covered is the latest moment up to which the lists are complete: the start of
// the oldest open transaction; else the end asked for, or the present minute
// when that lies ahead.
func (s *Server) covered(o *org, to time.Time) time.Time {
	if now := s.now().Truncate(time.Minute); to.After(now) {
		to = now
	}
	if open := o.oldest().Truncate(time.Second); !open.IsZero() && open.Before(to) {
		return open
	}
	return to
}

// tooMany refuses a list that is longer than the platform gives.
func (s *Server) tooMany(n int) *apiError {
	if limit := s.Knobs().ReplicationMax; n > limit {
		return refuse(http.StatusBadRequest, "EXCEEDED_ID_LIMIT", "exceeded %d id limit, reduce date range", limit)
	}
	return nil
}

func (s *Server) updated(c *call) *reply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, e := s.replicated(c)
	if e != nil {
		return failed(e)
	}
	from, to, e := s.window(c)
	if e != nil {
		return failed(e)
	}
	ids := []string{}
	t.inStamps().walk(key{from.Unix(), firstID}, key{to.Unix() - 1, lastID}, func(r *record) bool {
		if !r.deleted() && c.view.reads(r) {
			ids = append(ids, r.id())
		}
		return true
	})
	if e := s.tooMany(len(ids)); e != nil {
		return failed(e)
	}
	return okJSON(struct {
		IDs     []string `json:"ids"`
		Covered string   `json:"latestDateCovered"`
	}{ids, s.covered(c.view.org, to).Format(wireDatetime)})
}

func (s *Server) deleted(c *call) *reply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, e := s.replicated(c)
	if e != nil {
		return failed(e)
	}
	from, to, e := s.window(c)
	if e != nil {
		return failed(e)
	}
	earliest := s.now().Add(-binLife).Truncate(time.Minute)
	if trimmed := time.Unix(t.logFrom, 0).UTC(); trimmed.After(earliest) {
		earliest = trimmed
	}
	type gone struct {
		ID   string `json:"id"`
		Date string `json:"deletedDate"`
	}
	list := []gone{}
	t.log.walk(key{max(from.Unix(), earliest.Unix()), firstID}, key{to.Unix() - 1, lastID}, func(k key) bool {
		if last := t.graves[k.id].last; last == nil || c.view.reads(last) {
			list = append(list, gone{k.id, time.Unix(k.stamp, 0).UTC().Format(wireDatetime)})
		}
		return true
	})
	if e := s.tooMany(len(list)); e != nil {
		return failed(e)
	}
	return okJSON(struct {
		Records  []gone `json:"deletedRecords"`
		Earliest string `json:"earliestDateAvailable"`
		Covered  string `json:"latestDateCovered"`
	}{list, earliest.Format(wireDatetime), s.covered(c.view.org, to).Format(wireDatetime)})
}
