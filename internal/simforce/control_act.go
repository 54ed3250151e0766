package simforce

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// controlActions are the routes that do one thing with a JSON body; each returns
// what to answer.
var controlActions = map[string]func(*Server, func(any) error) (any, error){
	"GET transactions": func(s *Server, _ func(any) error) (any, error) { return s.OpenTransactions(), nil },
	"POST transactions": func(s *Server, read func(any) error) (any, error) {
		var in struct {
			Org   string  `json:"org"`
			After float64 `json:"commit_after"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		t, err := s.Begin(in.Org)
		if err == nil && in.After > 0 {
			err = t.CommitAfter(seconds(in.After))
		}
		if err != nil {
			return nil, err
		}
		return map[string]string{"id": t.ID()}, nil
	},
	"POST stock": func(s *Server, read func(any) error) (any, error) {
		var k Stock
		err := read(&k)
		if err == nil {
			err = s.AddStock(k)
		}
		return done, err
	},
	"POST sharing": func(s *Server, read func(any) error) (any, error) {
		var in struct {
			Org     string `json:"org"`
			User    string `json:"user"`
			ID      string `json:"id"`
			Owner   string `json:"owner"`
			Object  string `json:"object"`
			Visible bool   `json:"visible"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		if in.ID != "" {
			return done, s.SetRowVisible(in.Org, in.User, in.ID, in.Visible)
		}
		return done, s.SetOwnerVisible(in.Org, in.User, in.Object, in.Owner, in.Visible)
	},
	"POST view_all": func(s *Server, read func(any) error) (any, error) {
		var in struct {
			Org    string `json:"org"`
			User   string `json:"user"`
			Object string `json:"object"`
			On     bool   `json:"on"`
		}
		err := read(&in)
		if err == nil {
			err = s.SetViewAll(in.Org, in.User, in.Object, in.On)
		}
		return done, err
	},
	"POST permission": func(s *Server, read func(any) error) (any, error) {
		var in struct {
			Org        string `json:"org"`
			User       string `json:"user"`
			Permission string `json:"permission"`
			On         bool   `json:"on"`
		}
		err := read(&in)
		if err == nil {
			err = s.SetPermission(in.Org, in.User, in.Permission, in.On)
		}
		return done, err
	},
	"POST bump": func(s *Server, read func(any) error) (any, error) {
		var in struct {
			Org    string    `json:"org"`
			Object string    `json:"object"`
			IDs    []string  `json:"ids"`
			Stamp  time.Time `json:"stamp"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		n, err := s.Bump(in.Org, in.Object, in.Stamp, in.IDs...)
		return map[string]int{"bumped": n}, err
	},
	"POST picklists/rename": func(s *Server, read func(any) error) (any, error) {
		var in struct {
			Org    string `json:"org"`
			Object string `json:"object"`
			Field  string `json:"field"`
			From   string `json:"from"`
			To     string `json:"to"`
			Stamp  bool   `json:"stamp"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		n, err := s.RenamePicklist(in.Org, in.Object, in.Field, in.From, in.To, in.Stamp)
		return map[string]int{"changed": n}, err
	},
	"POST bin/empty": func(s *Server, read func(any) error) (any, error) {
		var in struct {
			Org    string `json:"org"`
			Object string `json:"object"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		n, err := s.EmptyRecycleBin(in.Org, in.Object)
		return map[string]int{"purged": n}, err
	},
	"POST delete_log/trim": func(s *Server, read func(any) error) (any, error) {
		var in struct {
			Org    string    `json:"org"`
			Object string    `json:"object"`
			Before time.Time `json:"before"`
		}
		err := read(&in)
		if err == nil {
			err = s.TrimDeleteLog(in.Org, in.Object, in.Before)
		}
		return done, err
	},
	"GET faults/classes": func(*Server, func(any) error) (any, error) { return FaultClasses(), nil },
	"GET chaos":          func(s *Server, _ func(any) error) (any, error) { return s.Chaos(), nil },
	"DELETE chaos":       func(s *Server, _ func(any) error) (any, error) { return done, s.SetChaos(Chaos{}) },
	"POST chaos": func(s *Server, read func(any) error) (any, error) {
		var in Chaos
		err := read(&in)
		if err == nil {
			err = s.SetChaos(in)
		}
		return done, err
	},
	"POST instance/move": func(s *Server, read func(any) error) (any, error) {
		var in struct {
			URL string `json:"url"`
		}
		err := read(&in)
		if err == nil {
			err = s.MoveInstance(in.URL)
		}
		return done, err
	},
	"POST cursors/kill": func(s *Server, _ func(any) error) (any, error) {
		return map[string]int{"ended": s.KillCursors()}, nil
	},
	"GET clock": func(s *Server, _ func(any) error) (any, error) { return map[string]time.Time{"now": s.now()}, nil },
	"POST clock/advance": func(s *Server, read func(any) error) (any, error) {
		var in struct {
			Seconds float64 `json:"seconds"`
		}
		if err := read(&in); err != nil {
			return nil, err
		}
		return map[string]time.Time{"now": s.Advance(seconds(in.Seconds))}, nil
	},
}

var done = map[string]bool{"done": true}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// controlAct answers a route of controlActions or of one transaction; false
// means it is neither.
func (s *Server) controlAct(w http.ResponseWriter, route string, body []byte) bool {
	read := func(into any) error { return refused(decodeStrict(body, into)) }
	if act := controlActions[route]; act != nil {
		v, err := act(s, read)
		answerControl(w, v, err)
		return true
	}
	rest, ok := strings.CutPrefix(route, "POST transactions/")
	id, verb, _ := strings.Cut(rest, "/")
	if !ok || verb != "commit" && verb != "rollback" {
		return false
	}
	t := &Tx{s, id}
	var in struct {
		After float64 `json:"after"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			controlError(w, http.StatusBadRequest, err)
			return true
		}
	}
	switch {
	case verb == "rollback":
		answerControl(w, done, t.Rollback())
	case in.After > 0:
		answerControl(w, done, t.CommitAfter(seconds(in.After)))
	default:
		answerControl(w, done, t.Commit())
	}
	return true
}
