package main

import (
	"fmt"
	"time"
)

// claims are what was said over the day: "complete up to T".
type claims struct {
	upTo    time.Time
	moved   int // how often T moved
	checked int // changes below this number were there when it passed them
	ages    []time.Duration
}

// hear notes how old T is and holds it to its word when it moves: whatever the org shows
// with a stamp up to T is there, and no such change is in a transaction that is still open.
// Changes are in the order of their stamps and none is stamped in the past, so each is
// looked at once: one that a later change hides is that one's business.
func (c *claims) hear(upTo time.Time, a *account) error {
	now := a.org.now()
	c.ages = append(c.ages, now.Sub(upTo))
	switch {
	case upTo.Equal(c.upTo):
		return nil
	case upTo.Before(c.upTo):
		return fmt.Errorf("\"complete up to\" went back from %s to %s", c.upTo, upTo)
	}
	c.upTo = upTo
	c.moved++
	for ; c.checked < len(a.org.changes) && !a.org.changes[c.checked].stamp.After(upTo); c.checked++ {
		switch change := a.org.changes[c.checked]; {
		case change.commit.After(now):
			return fmt.Errorf("at %s \"complete up to\" is %s, and a change of %s commits at %s", now, upTo, change.stamp, change.commit)
		case a.latest[change.id] <= c.checked && a.org.shown(change.id) == c.checked:
			return fmt.Errorf("at %s \"complete up to\" is %s, and a change of %s is missing", now, upTo, change.stamp)
		}
	}
	return nil
}
