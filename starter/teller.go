package main

import (
	"fmt"
	"io"
	"time"
)

// teller tells people how far something came, every few seconds.
type teller struct {
	to    io.Writer
	what  string
	noun  string // of what is counted, in the plural
	total int64
	began time.Time
	last  time.Time
}

// tellEvery is how often it does.
const tellEvery = 3 * time.Second

func newTeller(to io.Writer, what, noun string, total int64) *teller {
	now := time.Now()
	return &teller{to: to, what: what, noun: noun, total: total, began: now, last: now}
}

func (t *teller) tell(done int64) {
	now := time.Now()
	if now.Sub(t.last) < tellEvery {
		return
	}
	t.last = now
	rate := float64(done) / now.Sub(t.began).Seconds()
	left := time.Duration(float64(max(t.total-done, 0)) / max(rate, 1) * float64(time.Second)).Round(time.Second)
	_, _ = fmt.Fprintf(t.to, "%s: %s of %s %s, %s a second, about %s left\n", t.what, grouped(done), grouped(t.total), t.noun, grouped(int64(rate)), left)
}
