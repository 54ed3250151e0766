package simforce

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// controlHelp is what GET /_sim/ answers.
var controlHelp = map[string]string{
	"GET /_sim/orgs":                            "orgs with their users and ids",
	"GET /_sim/records/{object}":                "all rows in Id order, deleted ones included, all fields; ?org=",
	"GET /_sim/records/{object}/{id}":           "one row",
	"POST /_sim/records/{object}":               `create: {"fields":{…},"org":"","user":"","stamp":"…","quiet":false,"still":false,"tx":"","commit_after":0}; returns the row; with "count":n many of one stamp, returns the ids`,
	"PATCH /_sim/records/{object}/{id}":         "change, same body; returns the row",
	"DELETE /_sim/records/{object}/{id}":        "delete; ?hard=true leaves no trace; ?org= ?tx=",
	"POST /_sim/records/{object}/{id}/undelete": "bring back; ?org= ?tx=",
	"POST /_sim/records/{object}/{id}/purge":    "take out of the recycle bin for good; ?org=",
	"POST /_sim/records/{object}/{id}/archive":  "archive an activity; ?org=",
	"POST /_sim/records/{object}/{id}/merge":    `{"losers":["…"]}: fold them into this row; ?org= ?tx=`,
	"GET, POST /_sim/transactions":              `open ones; begin: {"org":"","commit_after":0}; returns the id`,
	"POST /_sim/transactions/{id}/commit":       `{"after":30} seconds of the clock, or at once; …/rollback forgets it`,
	"POST /_sim/sharing":                        `{"org":"","user":"*","id":"…","visible":false}, or "owner" and "object" instead of "id"`,
	"POST /_sim/view_all":                       `{"org":"","user":"…","object":"Case","on":true}`,
	"POST /_sim/permission":                     `{"org":"","user":"*","permission":"ViewSetup|ApiEnabled|ViewAllData","on":false}`,
	"GET /_sim/visible/{object}":                "what a user sees of it, deleted rows included, parents by dotted names; ?org= &user= &path= (repeated)",
	"POST /_sim/bump":                           `{"org":"","object":"Case","ids":[],"stamp":"…"}: new SystemModstamp, same content; no ids = all rows`,
	"POST /_sim/picklists/rename":               `{"org":"","object":"Case","field":"Status","from":"New","to":"Fresh","stamp":false}`,
	"POST /_sim/bin/empty":                      `{"org":"","object":""}: purge all deleted rows`,
	"POST /_sim/delete_log/trim":                `{"org":"","object":"Case","before":"…"}`,
	"POST /_sim/stock":                          `{"org":"","mails":300000,"from":"…","to":"…"}: e-mails that are made when they are looked at`,
	"GET /_sim/faults/classes":                  "names for class and classes",
	"GET, POST, DELETE /_sim/chaos":             `random faults: {"rate":0.1,"seed":1,"classes":[],"path_prefix":"","most":0}`,
	"POST /_sim/instance/move":                  `{"url":"http://…"}: instance_url moves, sessions and cursors end`,
	"POST /_sim/cursors/kill":                   "end query locators",
	"GET /_sim/clock":                           "the time here",
	"POST /_sim/clock/advance":                  `{"seconds":3600}: move it on`,
	"GET, DELETE /_sim/counters":                "requests by kind, and how often each page of a bulk result was asked for; DELETE sets them to zero",
	"GET /_sim/requests":                        "the latest requests",
	"GET, PATCH /_sim/knobs":                    "behaviours; PATCH takes those to change",
	"GET, POST, DELETE /_sim/faults":            `{"path_prefix":"/services/data","times":3,"status":503,"body":"…","stage":"before|after","drop":false}`,
	"POST /_sim/login":                          `{"username":"…"}: tokens without the pages`,
	"POST /_sim/sessions/kill":                  `{"username":"…"}: end access tokens; empty = all`,
	"POST /_sim/grants/revoke":                  `{"username":"…"}: revoke refresh tokens too`,
	"POST /_sim/quota":                          `{"org":"","used":14000}`,
	"POST /_sim/visibility":                     `{"org":"","user":"*","what":"Case.Subject","visible":false}`,
	"POST /_sim/objects":                        `{"org":"","object":{"name":"X__c","keyPrefix":"a01","fields":[{"name":"Y__c","type":"string"}]}}`,
	"POST /_sim/write":                          `{"count":10}: let the writer write now`,
}

// local reports whether a request comes from this machine, and not from a web
// page or through a proxy.
func local(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback() && r.Header.Get("Origin") == "" && r.Header.Get("X-Forwarded-For") == ""
}

func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	if !local(r) {
		writeJSON(w, http.StatusForbidden, map[string]string{"error": "the control endpoint answers this machine only"})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		controlError(w, http.StatusBadRequest, err)
		return
	}
	parts := trimPath(strings.Split(strings.TrimPrefix(r.URL.Path, "/_sim/"), "/"))
	if len(parts) > 0 && parts[0] == "records" && len(parts) > 1 {
		s.controlRecords(w, r, parts[1:], body)
		return
	}
	if len(parts) == 2 && parts[0] == "visible" && r.Method == http.MethodGet {
		s.controlVisible(w, parts[1], r.URL.Query())
		return
	}
	s.controlRest(w, r.Method+" "+strings.Join(parts, "/"), body)
}

func controlError(w http.ResponseWriter, status int, err error) {
	var e *apiError
	if errors.As(err, &e) {
		status = e.status
	}
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

// answerControl writes v, or the error as a bad request.
func answerControl(w http.ResponseWriter, v any, err error) {
	if err != nil {
		controlError(w, http.StatusBadRequest, err)
		return
	}
	writeJSON(w, http.StatusOK, v)
}

func (s *Server) controlRecords(w http.ResponseWriter, r *http.Request, parts []string, body []byte) {
	org := r.URL.Query().Get("org")
	tx := r.URL.Query().Get("tx")
	var in struct {
		Write
		Count int `json:"count"`
	}
	if r.Method == http.MethodPost && len(parts) == 1 || r.Method == http.MethodPatch {
		if e := decodeStrict(body, &in); e != nil {
			controlError(w, e.status, e)
			return
		}
		if in.Org == "" {
			in.Org = org
		}
		org = in.Org
	}
	switch method, n := r.Method, len(parts); {
	case method == http.MethodGet && n == 1:
		s.controlList(w, org, parts[0])
	case method == http.MethodGet && n == 2:
		row, err := s.Record(org, parts[1])
		s.answerRow(w, org, row, err)
	case method == http.MethodPost && n == 1 && in.Count > 0:
		ids, err := s.CreateRecords(parts[0], in.Count, in.Write)
		answerControl(w, map[string][]string{"ids": ids}, err)
	case method == http.MethodPost && n == 1:
		row, err := s.CreateRecord(parts[0], in.Write)
		s.answerRow(w, org, row, err)
	case method == http.MethodPatch && n == 2:
		row, err := s.UpdateRecord(parts[0], parts[1], in.Write)
		s.answerRow(w, org, row, err)
	case method == http.MethodDelete && n == 2:
		hard, _ := strconv.ParseBool(r.URL.Query().Get("hard"))
		answerControl(w, map[string]bool{"deleted": true}, s.deleteRow(org, tx, parts[1], hard))
	case method == http.MethodPost && n == 3 && parts[2] == "undelete":
		answerControl(w, map[string]bool{"undeleted": true}, s.undeleteRow(org, tx, parts[1]))
	case method == http.MethodPost && n == 3 && parts[2] == "purge":
		answerControl(w, done, s.PurgeRecord(org, parts[1]))
	case method == http.MethodPost && n == 3 && parts[2] == "archive":
		answerControl(w, done, s.ArchiveRecord(org, parts[1]))
	case method == http.MethodPost && n == 3 && parts[2] == "merge":
		var who struct {
			Losers []string `json:"losers"`
		}
		if e := decodeStrict(body, &who); e != nil {
			controlError(w, e.status, e)
			return
		}
		answerControl(w, done, s.mergeRows(org, tx, parts[1], who.Losers))
	default:
		controlError(w, http.StatusNotFound, errors.New("no such control route: see GET /_sim/"))
	}
}

// controlList writes rows spelled as REST spells them, one per line.
func (s *Server) controlList(w http.ResponseWriter, orgName, object string) {
	s.settle()
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, err := s.orgOf(orgName)
	if err != nil {
		controlError(w, http.StatusNotFound, err)
		return
	}
	t := o.table(object)
	if t == nil {
		controlError(w, http.StatusNotFound, errNotFound())
		return
	}
	b := []byte("[")
	t.each(func(r *record) bool {
		if len(b) > 1 {
			b = append(b, ",\n"...)
		}
		b = o.appendAll(b, r)
		return true
	})
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = w.Write(append(b, ']')) // the client may be gone
}

// controlVisible writes what Visible gives, spelled as REST spells it.
func (s *Server) controlVisible(w http.ResponseWriter, object string, q url.Values) {
	b := []byte("[")
	err := s.seeing(q.Get("org"), q.Get("user"), func(v view) error {
		return v.seen(object, q["path"], func(columns []*boundPath, r *record) {
			if len(b) > 1 {
				b = append(b, ",\n"...)
			}
			for i, c := range columns {
				b = append(b, map[bool]byte{true: '{', false: ','}[i == 0])
				b = append(appendString(b, c.full), ':')
				b = appendValue(b, c.field, c.value(r))
			}
			b = append(b, '}')
		})
	})
	if err != nil {
		controlError(w, http.StatusBadRequest, err)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = w.Write(append(b, ']'))
}

func (o *org) appendAll(b []byte, r *record) []byte {
	for i, f := range r.obj.Fields {
		b = append(b, map[bool]byte{true: '{', false: ','}[i == 0])
		b = appendString(b, f.Name)
		b = append(b, ':')
		b = appendValue(b, f, o.value(r, i))
	}
	return append(b, '}')
}

func (s *Server) answerRow(w http.ResponseWriter, orgName string, row Row, err error) {
	if err != nil {
		controlError(w, http.StatusBadRequest, err)
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	id, _ := row["Id"].(string)
	b := []byte{}
	var fields []*Field
	for _, o := range s.orgs { // an open transaction may belong to another org
		if t := o.byPrefix[id[:3]]; t != nil && (fields == nil || o == s.org(orgName)) {
			fields = t.obj.Fields
		}
	}
	for i, f := range fields {
		b = append(b, map[bool]byte{true: '{', false: ','}[i == 0])
		b = appendString(b, f.Name)
		b = append(b, ':')
		b = appendValue(b, f, row[f.Name])
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = w.Write(append(b, '}')) //nolint:gosec // JSON by its Content-Type; the client may be gone
}

func (s *Server) controlRest(w http.ResponseWriter, route string, body []byte) {
	var in struct {
		Username string `json:"username"`
		Org      string `json:"org"`
		User     string `json:"user"`
		What     string `json:"what"`
		Visible  bool   `json:"visible"`
		Used     int    `json:"used"`
		Count    int    `json:"count"`
		Object   Object `json:"object"`
	}
	read := func(into any) bool {
		if e := decodeStrict(body, into); e != nil {
			controlError(w, e.status, e)
			return false
		}
		return true
	}
	if s.controlAct(w, route, body) {
		return
	}
	switch route {
	case "GET ":
		writeJSON(w, http.StatusOK, controlHelp)
	case "GET orgs":
		writeJSON(w, http.StatusOK, s.Orgs())
	case "GET counters":
		writeJSON(w, http.StatusOK, s.Counters())
	case "DELETE counters":
		s.ResetCounters()
		writeJSON(w, http.StatusOK, done)
	case "GET requests":
		writeJSON(w, http.StatusOK, s.Requests())
	case "GET knobs":
		writeJSON(w, http.StatusOK, s.Knobs())
	case "PATCH knobs":
		var bad *apiError
		err := s.SetKnobs(func(k *Knobs) {
			next := *k
			if bad = decodeStrict(body, &next); bad == nil {
				*k = next
			}
		})
		if bad != nil {
			err = bad
		}
		answerControl(w, s.Knobs(), err)
	case "GET faults":
		writeJSON(w, http.StatusOK, s.Faults())
	case "DELETE faults":
		s.ClearFaults()
		writeJSON(w, http.StatusOK, done)
	case "POST faults":
		var f Fault
		if read(&f) {
			answerControl(w, done, s.FailNext(f))
		}
	case "POST login":
		if read(&in) {
			t, err := s.Grant(in.Username)
			answerControl(w, t, err)
		}
	case "POST sessions/kill":
		if read(&in) {
			writeJSON(w, http.StatusOK, map[string]int{"ended": s.KillSessions(in.Username)})
		}
	case "POST grants/revoke":
		if read(&in) {
			writeJSON(w, http.StatusOK, map[string]int{"revoked": s.RevokeGrants(in.Username)})
		}
	case "POST quota":
		if read(&in) {
			answerControl(w, done, s.SetQuotaUsed(in.Org, in.Used))
		}
	case "POST visibility":
		if read(&in) {
			answerControl(w, done, s.SetVisible(in.Org, in.User, in.What, in.Visible))
		}
	case "POST objects":
		if read(&in) {
			answerControl(w, done, s.AddObject(in.Org, in.Object))
		}
	case "POST write":
		if read(&in) {
			writeJSON(w, http.StatusOK, map[string]int{"written": s.WriteNow(in.Count)})
		}
	default:
		controlError(w, http.StatusNotFound, errors.New("no such control route: see GET /_sim/"))
	}
}
