package main

import (
	"math/rand/v2"
)

// vocabulary is how many words there are. In a language as it is spoken the n-th most
// frequent word is used about 1/n as often as the first one.
const vocabulary = 50_000

// language makes texts; equal seeds make equal texts.
type language struct {
	random *rand.Rand
	words  *rand.Zipf
	hosts  *rand.Zipf
}

func newLanguage(seed uint64) *language {
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same every time is what is wanted
	return &language{random: random, words: rand.NewZipf(random, 1.02, 2.7, vocabulary-1), hosts: rand.NewZipf(random, 1.2, 5, 20_000)}
}

var (
	onsets = []string{"b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z"}
	vowels = []string{"a", "e", "i", "o", "u"}
)

// word is the n-th most frequent word: two syllables or more, the frequent ones short.
func word(n int) string {
	out := make([]byte, 0, 12)
	for syllable := 0; syllable < 2 || n > 0; syllable++ {
		out = append(out, onsets[n%len(onsets)]...)
		n /= len(onsets)
		out = append(out, vowels[n%len(vowels)]...)
		n /= len(vowels)
	}
	return string(out)
}

var allWords = func() (all [vocabulary]string) {
	for n := range all {
		all[n] = word(n)
	}
	return all
}()

// appendText adds n words.
func (l *language) appendText(to []byte, n int) []byte {
	for i := range n {
		if i > 0 {
			to = append(to, ' ')
		}
		to = append(to, allWords[l.words.Uint64()]...)
	}
	return to
}

// host is a domain that mail comes from: a few send most of it.
func (l *language) host() string { return allWords[l.hosts.Uint64()] + ".example" }
