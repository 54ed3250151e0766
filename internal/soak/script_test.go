package soak

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// script is what one run does. The same script does the same.
type script struct {
	seed  uint64 // of the setup, and of the simulator
	steps []step
}

// step is one line of a script: what it is, and a seed for whatever it has to choose.
type step struct {
	name string
	seed uint32
}

// makeScript is the script of a seed.
func makeScript(seed uint64) script {
	g := rand.New(rand.NewPCG(seed, 0x5eed))
	s := script{seed: seed}
	total := 0
	for _, a := range acts {
		total += a.weight
	}
	n := 12 + g.IntN(34)
	if floods(seed) {
		n /= 3
		s.steps = append(s.steps, step{"tick", g.Uint32()}, step{"flood", g.Uint32()})
	}
	for range n {
		at := g.IntN(total)
		for _, a := range acts {
			if at -= a.weight; at < 0 {
				s.steps = append(s.steps, step{a.name, g.Uint32()})
				break
			}
		}
	}
	return s
}

// String is the script in the form that SOAK_SCRIPT takes.
func (s script) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", s.seed)
	for _, st := range s.steps {
		fmt.Fprintf(&b, " %s:%x", st.name, st.seed)
	}
	return b.String()
}

func parseScript(text string) (script, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return script{}, fmt.Errorf("the script is empty")
	}
	seed, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		return script{}, fmt.Errorf("the script's seed: %w", err)
	}
	s := script{seed: seed}
	for _, word := range words[1:] {
		name, hex, _ := strings.Cut(word, ":")
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil || actOf(name) == nil {
			return script{}, fmt.Errorf("no such step: %q", word)
		}
		s.steps = append(s.steps, step{name, uint32(n)})
	}
	return s, nil
}

func (st step) rng() *rand.Rand { return rand.New(rand.NewPCG(uint64(st.seed), 0xac7)) }

// shrink leaves out steps as long as the script still fails, at most tries runs. It
// returns the smallest script that fails and its failure.
func shrink(s script, failure error, tries int, play func(script) error) (script, error) {
	for size := max(len(s.steps)/2, 1); size >= 1; {
		dropped := false
		for from := 0; from < len(s.steps) && tries > 0; {
			fewer := script{seed: s.seed, steps: append([]step{}, s.steps[:from]...)}
			fewer.steps = append(fewer.steps, s.steps[min(from+size, len(s.steps)):]...)
			tries--
			if err := play(fewer); err != nil {
				s, failure, dropped = fewer, err, true
			} else {
				from += size
			}
		}
		if tries <= 0 || size == 1 && !dropped {
			break
		}
		if size > 1 {
			size /= 2
		}
	}
	return s, failure
}
