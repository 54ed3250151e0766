package simforce

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Maintenance is a planned outage. The control endpoint goes on.
type Maintenance struct {
	// From and Until bound it by the clock; it is off while Until is zero.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// JSON answers SERVER_UNAVAILABLE as JSON instead of an HTML page.
	JSON bool `json:"json"`
	// Login closes the login host too.
	Login bool `json:"login"`
}

func (m Maintenance) on(now time.Time) bool {
	return !m.Until.IsZero() && !now.Before(m.From) && now.Before(m.Until)
}

// isData tells requests for the instance from those for the login host.
func isData(path string) bool { return strings.HasPrefix(path, "/services/data") }

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// astray answers requests that came during an outage or to a host that does not
// serve them; false means the request goes on.
func (s *Server) astray(w http.ResponseWriter, r *http.Request) bool {
	k := s.Knobs()
	data := isData(r.URL.Path)
	if k.Maintenance.on(s.now()) && (data || k.Maintenance.Login) {
		s.counters.fault("maintenance")
		if k.Maintenance.JSON {
			send(w, r, failed(refuse(http.StatusServiceUnavailable, "SERVER_UNAVAILABLE", "Server too busy")))
			return true
		}
		writeHTML(w, http.StatusServiceUnavailable, "We are down for maintenance", "Sorry for the inconvenience. We'll be back shortly.")
		return true
	}
	if k.WrongHost == "serve" {
		return false
	}
	home, login := s.instanceURL(), s.BaseURL()
	host := strings.ToLower(r.Host)
	if host == hostOf(home) || !data && host == hostOf(login) {
		return false
	}
	s.counters.fault("wrong_host")
	if !data {
		home = login
	}
	switch {
	case k.WrongHost == "session" && data:
		send(w, r, failed(errSession()))
	case k.WrongHost == "snag" && data:
		writeHTML(w, 420, "We've hit a snag", "The org cannot be reached at this address.")
	default:
		w.Header().Set("Location", home+r.URL.RequestURI())
		w.WriteHeader(http.StatusFound)
	}
	return true
}

// MoveInstance moves the org to another address, as an instance refresh does:
// token answers carry it from now on, sessions, cursors and bulk jobs end. Requests to other
// hosts get what Knobs.WrongHost says, a redirect unless it was set before. The
// login host stays.
func (s *Server) MoveInstance(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Path != "" && u.Path != "/" {
		return fmt.Errorf("move the instance: %q is not the address of a host", address)
	}
	err = s.SetKnobs(func(k *Knobs) {
		k.InstanceURL = strings.TrimSuffix(address, "/")
		if k.WrongHost == "serve" {
			k.WrongHost = "redirect"
		}
	})
	if err != nil {
		return err
	}
	s.KillSessions("")
	s.KillCursors()
	s.DropBulkJobs()
	return nil
}

// busy refuses a data request when too many are in flight. done must be called
// when the request has been answered.
func (s *Server) busy(w http.ResponseWriter, r *http.Request) (refused bool, done func()) {
	if !isData(r.URL.Path) {
		return false, func() {}
	}
	n := s.inflight.Add(1)
	done = func() { s.inflight.Add(-1) }
	if k := s.Knobs(); k.ConcurrentMax > 0 && int(n)+k.ConcurrentOthers > k.ConcurrentMax {
		s.counters.fault("concurrent")
		send(w, r, failed(refuse(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")))
		return true, done
	}
	return false, done
}

// Advance moves the clock of the simulator on by d, on top of Options.Clock:
// sessions and codes age, delays pass, quotas roll, the recycle bin empties.
func (s *Server) Advance(d time.Duration) time.Time {
	s.ahead.Add(int64(max(d, 0)))
	s.settle()
	return s.now()
}
