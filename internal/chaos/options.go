package chaos

import (
	"io"
	"time"
)

// Options are what a run is told.
type Options struct {
	// Seed decides the faults, the writes and their order. Not the moments: those are the machine's.
	Seed uint64
	// For is how long things are broken, reckonings not counted; Reckon how long until the next reckoning.
	For, Reckon time.Duration
	// Rate is how many writes per second Salesforce gets.
	Rate float64
	// Lanes is how many faults there may be at a time.
	Lanes int
	// Shortest and Longest bound how long a fault lasts and how long what was killed stays away.
	Shortest, Longest time.Duration
	// Pause is the longest time between two faults of a lane.
	Pause time.Duration

	// Dir is the folder of everything, logs included; it must be empty or not be there.
	Dir string
	// Temporal is the temporal program, "" = found or built. MailDir has mails for the first load, "" = made up.
	Temporal, MailDir string
	// Out gets lines about how it goes.
	Out io.Writer
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Rate == 0 {
		o.Rate = 4
	}
	if o.Lanes == 0 {
		o.Lanes = 2
	}
	if o.Reckon == 0 {
		o.Reckon = time.Minute
	}
	if o.Shortest == 0 {
		o.Shortest = time.Second
	}
	if o.Longest == 0 {
		o.Longest = 20 * time.Second
	}
	if o.Pause == 0 {
		o.Pause = 6 * time.Second
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	return o
}
