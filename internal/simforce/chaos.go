package simforce

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// Chaos makes requests fail at random. The same seed and the same order of
// requests make the same faults.
type Chaos struct {
	// Rate is the share of requests that fail, 0 to 1; 0 ends it.
	Rate float64 `json:"rate"`
	Seed uint64  `json:"seed"`
	// Classes are names of FaultClasses; none means all that are neither lasting
	// nor heavy, those of the token endpoint included.
	Classes []string `json:"classes"`
	// PathPrefix narrows it down to some requests, as /services/data.
	PathPrefix string `json:"path_prefix"`
	// Most ends it after so many faults; 0 never.
	Most int `json:"most"`
}

type chaos struct {
	mu      sync.Mutex
	c       Chaos
	classes []*FaultClass
	drawn   uint64
	struck  int
	on      atomic.Bool
}

// SetChaos starts, changes or (with rate 0) ends random faults.
func (s *Server) SetChaos(c Chaos) error {
	if c.Rate < 0 || c.Rate > 1 || c.Most < 0 {
		return fmt.Errorf("chaos: rate must be 0 to 1 and most not negative")
	}
	var list []*FaultClass
	for _, name := range c.Classes {
		class := faultClass(name)
		if class == nil {
			return fmt.Errorf("chaos: no fault class %q: see GET /_sim/faults/classes", name)
		}
		list = append(list, class)
	}
	for _, class := range faultClasses {
		if len(c.Classes) == 0 && !class.Lasting && !class.Heavy {
			list = append(list, class)
		}
	}
	s.chaos.mu.Lock()
	defer s.chaos.mu.Unlock()
	s.chaos.c, s.chaos.classes, s.chaos.drawn, s.chaos.struck = c, list, 0, 0
	s.chaos.on.Store(c.Rate > 0)
	return nil
}

// Chaos returns what SetChaos was given last.
func (s *Server) Chaos() Chaos {
	s.chaos.mu.Lock()
	defer s.chaos.mu.Unlock()
	return s.chaos.c
}

// draw decides about one request: a class, or nil.
func (x *chaos) draw(r *http.Request, kind string) *FaultClass {
	if !x.on.Load() || !strings.HasPrefix(r.URL.Path, "/services/") {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !strings.HasPrefix(r.URL.Path, x.c.PathPrefix) {
		return nil
	}
	x.drawn++
	die := mix(x.c.Seed^x.drawn*0x9E3779B97F4A7C15, "chaos")
	if float64(die>>11)/(1<<53) >= x.c.Rate || x.c.Most > 0 && x.struck >= x.c.Most {
		return nil
	}
	var fit []*FaultClass
	for _, c := range x.classes {
		if c.hits(r.URL.Path, kind) {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	x.struck++
	return fit[mix(die, "class")%uint64(len(fit))]
}

// failing answers a request with a waiting fault or a random one; false means
// the request goes on.
func (s *Server) failing(w http.ResponseWriter, r *http.Request, kind string) bool {
	if f := s.faults.take(r, kind); f != nil {
		if f.DelayMS > 0 {
			pause(r, f.DelayMS)
		}
		if f.passes() {
			s.counters.fault("delay")
			return false
		}
		if class := faultClass(f.Class); class != nil {
			if f.Stage == "after" && class.bend == nil {
				s.route(&discard{header: http.Header{}}, r)
			}
			s.strike(class, w, r, f.Contains)
			return true
		}
		s.counters.fault("custom")
		if f.Stage == "after" {
			s.route(&discard{header: http.Header{}}, r)
		}
		f.write(w)
		return true
	}
	if class := s.chaos.draw(r, kind); class != nil {
		s.strike(class, w, r, "")
		return true
	}
	return false
}
