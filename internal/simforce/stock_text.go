package simforce

import (
	"fmt"
	"html"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// piece is a stretch of text as it is and as it stands in a cell of CSV.
type piece struct{ plain, cell string }

func pieceOf(s string) piece { return piece{s, strings.ReplaceAll(s, `"`, `""`)} }

// paragraph is some sentences, in text and in HTML.
type paragraph struct{ text, html piece }

// style is a copy of one of styles with everything filled in.
type style struct{ head, open, close, quoteOpen, quoteClose, foot piece }

// texts is what the bodies of a stock are put together from: so much of it that the same
// paragraph rarely stands in mails that are near each other, as else they would take less room
// than real ones wherever they are packed.
type texts struct {
	paragraphs [][]paragraph // by language
	styles     []style
	small      []paragraph
	tokens     string
	quotes     [][2]string // by language: what stands before and behind the name of who is quoted
}

const (
	paragraphsPerLanguage = 1000
	stylesPerKind         = 24
	tokenBytes            = 4 << 20
)

// stockTexts makes the texts once; they are the same in every process.
var stockTexts = sync.OnceValue(func() *texts {
	rng := rand.New(rand.NewPCG(0x570C, 0x7E87))
	t := &texts{}
	for i := range languages {
		l := &languages[i]
		words := coined(rng, wordsOf(l))
		n := paragraphsPerLanguage
		if vocabulary[l.code] != nil {
			n *= 10
		}
		list := make([]paragraph, n)
		for j := range list {
			list[j] = paragraphOf(sentences(rng, l, words))
		}
		t.paragraphs = append(t.paragraphs, list)
		before, behind, _ := strings.Cut(l.quote, "%s")
		between, behind, _ := strings.Cut(behind, "%s")
		t.quotes = append(t.quotes, [2]string{before + "2024" + between, behind})
	}
	for i := range styles {
		for range stylesPerKind {
			s := &styles[i]
			fill := filling(rng)
			t.styles = append(t.styles, style{
				pieceOf(fill(s.head)), pieceOf(fill(s.open)), pieceOf(fill(s.close)),
				pieceOf(fill(s.quoteOpen)), pieceOf(fill(s.quoteClose)), pieceOf(fill(s.foot)),
			})
		}
	}
	for _, s := range smallPrint {
		t.small = append(t.small, paragraphOf(s))
	}
	tokens := make([]byte, tokenBytes)
	for i := range tokens {
		tokens[i] = idAlphabet[rng.IntN(len(idAlphabet))]
	}
	t.tokens = string(tokens)
	return t
})

func paragraphOf(text string) paragraph {
	return paragraph{pieceOf(text), pieceOf(strings.NewReplacer("&#39;", "'", "&#34;", "&quot;").Replace(html.EscapeString(text)))}
}

// coinedShare is how many coined words come to one that is there.
const coinedShare = 6

// coined adds words put together from halves of others: a real language has more words
// than can be listed here, and packs less well for it.
func coined(rng *rand.Rand, words []string) []string {
	var long [][]rune
	for _, w := range words {
		if r := []rune(w); len(r) > 5 {
			long = append(long, r)
		}
	}
	for range coinedShare * len(long) {
		a, b := long[rng.IntN(len(long))], long[rng.IntN(len(long))]
		words = append(words, string(a[:len(a)/2])+string(b[len(b)/2:]))
	}
	return words
}

// filling gives one copy of a style its colours, sizes and tokens.
func filling(rng *rand.Rand) func(string) string {
	font := styleFonts[rng.IntN(len(styleFonts))]
	size, width := strconv.Itoa(10+rng.IntN(6)), strconv.Itoa(560+10*rng.IntN(12))
	return func(s string) string {
		var b strings.Builder
		for {
			before, rest, found := strings.Cut(s, "#")
			b.WriteString(before)
			if !found {
				return b.String()
			}
			s = rest[1:]
			switch rest[0] {
			case 'c':
				b.WriteString(styleColours[rng.IntN(len(styleColours))])
			case 'f':
				b.WriteString(font)
			case 's':
				b.WriteString(size)
			case 'w':
				b.WriteString(width)
			case 'k':
				fmt.Fprintf(&b, "%016x%016x", rng.Uint64(), rng.Uint64())
			default:
				b.WriteString("#" + rest[:1])
			}
		}
	}
}

// sentences makes up a paragraph: phrases of the language, words in no order, numbers.
func sentences(rng *rand.Rand, l *language, words []string) string {
	var b strings.Builder
	for i := range 2 + rng.IntN(4) {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch kind := rng.IntN(8); {
		case kind == 0 || vocabulary[l.code] == nil && kind < 4:
			list := [][]string{l.openings, l.details, l.asks, l.replies, l.followups}[rng.IntN(5)]
			b.WriteString(list[rng.IntN(len(list))])
		default:
			sentence(&b, rng, words)
		}
	}
	return b.String()
}

func sentence(b *strings.Builder, rng *rand.Rand, words []string) {
	for i, n := 0, 6+rng.IntN(12); i < n; i++ {
		word := words[rng.IntN(len(words))]
		if rng.IntN(4) == 0 {
			word = words[rng.IntN(min(len(words), 120))] // a common one
		}
		switch {
		case i == 0:
			first, size := utf8.DecodeRuneInString(word)
			word = string(unicode.ToUpper(first)) + word[size:]
		case rng.IntN(14) == 0:
			word = reference(rng)
		case rng.IntN(40) == 0:
			word = `"` + word + `"`
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.TrimRight(word, ".,!?"))
		if i < n-1 && rng.IntN(9) == 0 {
			b.WriteByte(',')
		}
	}
	b.WriteString([]string{".", ".", ".", ".", "?", "!", " & Co."}[rng.IntN(7)])
}

// reference is what mails of a support desk are full of: numbers, amounts, dates.
func reference(rng *rand.Rand) string {
	switch rng.IntN(6) {
	case 0:
		return fmt.Sprintf("%c%c-%06d", 'A'+rng.IntN(26), 'A'+rng.IntN(26), rng.IntN(1_000_000))
	case 1:
		return fmt.Sprintf("%d.%02d", rng.IntN(5000), rng.IntN(100))
	case 2:
		return fmt.Sprintf("%02d.%02d.20%02d", 1+rng.IntN(28), 1+rng.IntN(12), 18+rng.IntN(8))
	case 3:
		return fmt.Sprintf("#%d", 100_000+rng.IntN(900_000))
	case 4:
		return fmt.Sprintf("https://shop.example/o/%08x", rng.Uint32())
	}
	return strconv.Itoa(rng.IntN(20_000))
}
