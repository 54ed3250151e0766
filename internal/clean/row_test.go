package clean

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// textPieces are what the texts are made of that the fast ways of reading are compared on.
var textPieces = []string{"a", "Z", "ann", "O'Neil", "'", "1", "2025", "٣", "３", "é", "e\u0301", "ß", "İ", "K", "日本", "🙂", " ", "  ", "\t", "\n", "\r", "\r\n", "\x00", "\x7f",
	"\u00a0", "\u200e", "\ufeff", "\u0085", "\xff", "\xc3", ">", ">>", "<", "@", ":", "?", "!", "|", "(", ",", "/", "-", "–", "•", "·", "*", "Ã©", "abcdefgh", "ABCDEFGHIJ", "пять", "Ελ"}

// someText is a text of pieces.
func someText(rng *rand.Rand) string {
	var b strings.Builder
	for range rng.IntN(24) {
		b.WriteString(textPieces[rng.IntN(len(textPieces))])
	}
	return b.String()
}

func TestWhatIsCountedInARowIsWhatRulesCount(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, int(reflect.TypeFor[row]().Size()), 44, "bytes of a row, of which mails have millions")
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		text := strings.TrimSpace(someText(rng))
		var r row
		r.count(text)
		require.Equal(t, countWords(text), int(r.words), "%q", text)
		if r.has&hasFigure == 0 {
			require.Equal(t, figures(text), int(r.figures), "%q", text)
		}
		require.Equal(t, !isASCII(text), r.has&hasHigh != 0, "%q", text)
		names := 0
		for range nameWords(text) {
			names++
		}
		if isASCII(text) {
			require.Equal(t, names, int(r.names), "%q", text)
		}
		require.Equal(t, strings.Contains(strings.ReplaceAll(text, "\t", " "), "  "), r.has&isGapped != 0, "%q", text)
		for c, trait := range map[string]traits{":": hasColon, "@": hasAt, ">": hasGreater, "<": hasLess, "?": hasQuestion, "!": hasExclamation, "|": hasBar, "(": hasParenthesis, ",": hasComma, "/": hasSlash, "-": hasDash, "\t": hasTab, "'": hasApostrophe} {
			require.Equal(t, strings.Contains(text, c), r.has&trait != 0, "%q in %q", c, text)
		}
		within := separatorsOf(&r)
		for i, separator := range separators {
			if strings.Contains(text, separator) {
				require.NotZero(t, within&(1<<i), "%q in %q", separator, text)
			}
		}
	}
	long := strings.Repeat("one 2 ", 1<<16)
	var r row
	r.count(long)
	require.Equal(t, [3]int{mostCounted, mostCounted, 255}, [3]int{int(r.words), int(r.figures), int(r.names)}, "no counter runs over")
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c >= utf8.RuneSelf })
}

func TestTextIsReadEightBytesAtATime(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	sets := []*charset{framingSet, drawingSet, aroundDevices, behindSentences, aroundClosings}
	for range 20_000 {
		text := someText(rng)
		n := 0
		for i := range len(text) {
			if text[i] > ' ' && text[i] != '>' {
				n++
			}
		}
		require.Equal(t, n, letters(text), "%q", text)
		require.Equal(t, !isASCII(text), hasHighByte(text), "%q", text)
		for from := range len(text) {
			want := from
			for want < len(text) && textClasses[text[want]] == textPlain {
				want++
			}
			require.Equal(t, want, nextClassed(text, from), "%q from %d", text, from)
		}
		require.Equal(t, strings.ToLower(text), string(appendLower(nil, text)), "%q", text)
		for _, s := range sets {
			members := s.wide
			for c, in := range s.ascii {
				if in {
					members += string(rune(c))
				}
			}
			require.Equal(t, strings.Trim(text, members), s.trim(text), "%q of %q", members, text)
			require.Equal(t, strings.ContainsAny(text, members), s.in(text), "%q in %q", members, text)
		}
	}
	for c := rune(0); c <= unicode.MaxRune; c++ {
		if lowerRune(c) != unicode.ToLower(c) {
			t.Fatalf("%U in lower case is %U, not %U", c, unicode.ToLower(c), lowerRune(c))
		}
	}
}

// TestQuickLooksPassWhatIsListed holds the quick looks to the lists they are made of.
func TestQuickLooksPassWhatIsListed(t *testing.T) {
	t.Parallel()
	for word := range wrote {
		for _, text := range []string{word, strings.ToUpper(word), "Ann Example " + word} {
			if isWrote(lastWord(text)) {
				require.True(t, mayEndAttribution(text), "%q", text)
			}
		}
		require.True(t, mayBeVerb(word), "%q", word)
	}
	for word := range labels {
		requireBegins(t, word, beginsLabel)
	}
	for word := range on {
		if !isDigit(word[0]) { // which is asked about figures
			requireBegins(t, word, beginsOn)
		}
	}
	for _, lists := range []map[rune][]string{devicePrefixes, deviceBeginnings} {
		for _, list := range lists {
			for _, begins := range list {
				require.True(t, mayBeDevice(begins+"x"), "%q", begins)
				requireBegins(t, begins, beginsDevice)
			}
		}
	}
	for line := range deviceLines {
		requireBegins(t, line, beginsDevice)
	}
	for word := range closingStarts {
		require.True(t, mayClose(word) || closingStarts[word]&startsPhrase == 0, "%q", word)
		requireBegins(t, word, beginsClosing)
	}
	for _, title := range original {
		require.True(t, originalStarts.begin([]byte(title)), "%q", title)
	}
	for _, title := range forwarded {
		require.True(t, forwardedStarts.begin([]byte(title)), "%q", title)
	}
}

// requireBegins asks that rows which begin with some words have a trait, whatever follows.
func requireBegins(t *testing.T, words string, trait traits) {
	t.Helper()
	for _, behind := range []string{"", " x", ":", ", 3", "."} {
		require.NotZero(t, edges(words+behind)&trait, "%q", words+behind)
		if capitals := strings.ToUpper(words); strings.ToLower(capitals) == words {
			require.NotZero(t, edges(capitals+behind)&trait, "%q", capitals+behind)
		}
	}
}
