package clean

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Turn is what somebody says in a chat at one time.
type Turn struct {
	From  string // as the transcript has it; "" when it does not say
	Text  string
	After time.Duration // since the chat began
	Dated bool          // whether the transcript says After
}

// Chat reads the transcript of a chat as Salesforce keeps it (LiveChatTranscript.Body):
//
//	<p align="center">Chat Started: …</p>( 4s ) Visitor: Hello<br>( 1m 20s ) Lena: How can I help?<br>
//
// Times are read in several languages, and as clocks, which date nothing. Where there are none,
// lines that begin with a speaker are turns if somebody speaks twice. What the program says about the
// chat, in paragraphs of its own, is left out; every other line is in a turn. It gives nil for
// what is no transcript. A change that can alter a text raises [Version], as everywhere here.
func Chat(body string) []Turn {
	parts := transcript(body)
	for _, begins := range []func(string) (Turn, bool){byTime, byClock, bySpeaker} {
		var turns []Turn
		var rest [][]string // of each turn's text, the lines behind the first
		found, dated := 0, false
		for _, lines := range parts {
			open := false // whether the last turn goes on
			for _, line := range lines {
				t, is := begins(line)
				switch {
				case is:
					found, dated = found+1, dated || t.Dated
				case open:
					rest[len(turns)-1] = append(rest[len(turns)-1], line)
					continue
				case strings.TrimSpace(line) == "":
					continue
				default:
					t = Turn{Text: line}
				}
				turns, rest, open = append(turns, t), append(rest, nil), true
			}
		}
		if found > 0 && (dated || conversation(turns)) {
			return saidTurns(turns, rest)
		}
	}
	return nil
}

// conversation reports whether somebody speaks twice: a form has each of its names once.
func conversation(turns []Turn) bool {
	spoke := map[string]bool{}
	for _, t := range turns {
		if t.From != "" && spoke[t.From] {
			return true
		}
		spoke[t.From] = true
	}
	return false
}

// saidTurns puts the turns together and drops those in which nothing is said.
func saidTurns(turns []Turn, rest [][]string) []Turn {
	out := turns[:0]
	for i, t := range turns {
		if len(rest[i]) > 0 {
			t.Text += "\n" + strings.Join(rest[i], "\n")
		}
		if t.Text = strings.TrimSpace(t.Text); t.Text != "" {
			out = append(out, t)
		}
	}
	return out
}

// transcript is the lines of a transcript, in the parts between what the program says.
func transcript(body string) [][]string {
	if !strings.Contains(body, "<") {
		return [][]string{strings.Split(Text(body), "\n")}
	}
	var parts [][]string
	for _, part := range spokenParts(body) {
		parts = append(parts, strings.Split(HTML(part), "\n"))
	}
	return parts
}

// longestBeginning is how much of a paragraph is looked at for the time that a turn begins with, in bytes.
const longestBeginning = 512

// spokenParts is a transcript without its centred paragraphs.
func spokenParts(body string) []string {
	var parts []string
	lower := smallTags(body)
	from, at := 0, 0
	for {
		open := strings.Index(lower[at:], "<p")
		if open < 0 {
			break
		}
		open += at
		end := strings.IndexByte(lower[open:], '>')
		if end < 0 {
			break
		}
		inside := open + end + 1
		tag := lower[open:inside]
		if at = inside; !strings.Contains(tag, "center") {
			continue
		}
		close := strings.Index(lower[inside:], "</p>")
		if close < 0 {
			break
		}
		// Only its beginning: of paragraphs in one another each would be read to the end of all.
		if _, turn := byTime(HTML(body[inside : inside+min(close, longestBeginning)])); turn {
			continue
		}
		parts = append(parts, body[from:open])
		at = inside + close + len("</p>")
		from = at
	}
	return append(parts, body[from:])
}

// smallTags puts the letters of tags, which are ASCII, in small. The places stay.
func smallTags(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// byTime reads the beginning of a turn with its time, such as "( 1m 20s ) Lena: ".
func byTime(line string) (Turn, bool) {
	inside, rest, ok := bracketed(line)
	if !ok {
		return Turn{}, false
	}
	after, ok := duration(inside)
	if !ok {
		return Turn{}, false
	}
	t := Turn{Text: rest, After: after, Dated: true}
	if name, text, ok := speaker(rest); ok {
		t.From, t.Text = name, text
	}
	return t, true
}

// byClock reads the beginning of a turn with a time of which nobody knows what it counts from,
// or in whose words: "[10:04:31] Lena: ".
func byClock(line string) (Turn, bool) {
	inside, rest, ok := bracketed(line)
	if !ok || strings.IndexFunc(inside, unicode.IsDigit) != 0 {
		return Turn{}, false
	}
	name, text, ok := speaker(rest)
	return Turn{From: name, Text: text}, ok
}

func bySpeaker(line string) (Turn, bool) {
	name, text, ok := speaker(line)
	return Turn{From: name, Text: text}, ok
}

// longestTime is how long a time in brackets may be, in bytes.
const longestTime = 40

// bracketed cuts what stands in brackets off the beginning of a line.
func bracketed(line string) (inside, rest string, ok bool) {
	line = strings.TrimLeftFunc(line, unicode.IsSpace)
	if line == "" || line[0] != '(' && line[0] != '[' {
		return "", "", false
	}
	closing := map[byte]byte{'(': ')', '[': ']'}[line[0]]
	end := strings.IndexByte(line[:min(len(line), longestTime)], closing)
	if end < 0 {
		return "", "", false
	}
	return strings.TrimSpace(line[1:end]), strings.TrimSpace(line[end+1:]), true
}

// longestSpeaker is how long a speaker's name may be, in bytes.
const longestSpeaker = 160

// speaker reads "Name: text".
func speaker(s string) (name, text string, ok bool) {
	head := s[:min(len(s), longestSpeaker)]
	at := strings.IndexAny(head, ":：")
	if at <= 0 {
		return "", "", false
	}
	_, size := utf8.DecodeRuneInString(s[at:])
	name, text = strings.TrimSpace(s[:at]), s[at+size:]
	if next, _ := utf8.DecodeRuneInString(text); size == 1 && text != "" && !unicode.IsSpace(next) { // https://…, 10:30
		return "", "", false
	}
	if !strings.ContainsFunc(name, unicode.IsLetter) || strings.ContainsAny(name, "<>{}?!") {
		return "", "", false
	}
	return name, strings.TrimSpace(text), true
}

// units are the words for hours, minutes and seconds in small letters, whole words only: "(3
// servers)" is no time.
var units = func() map[string]time.Duration {
	out := map[string]time.Duration{}
	for unit, words := range map[time.Duration]string{
		time.Hour: "h hr hrs hour hours std stunde stunden heure heures hora horas ora ore uur tim timme timmar t time timer tunti tuntia " +
			"godz godziny hod óra ó saat sa ч час часа часов год ώ ώρα ώρες 時 時間 时 小时 小時 시간",
		time.Minute: "m min mins minute minutes minuten minuto minutos minuti minut minuter minutter minutt minuutti minuuttia minuty " +
			"perc dk dakika м мин минута минуты минут хв λ λεπτά 分 分钟 分鐘 분",
		time.Second: "s sec secs second seconds sek sekunde sekunden seconde secondes seconden seg segundo segundos secondo secondi " +
			"sekund sekunder sekunti sekuntia sekundy mp másodperc sn saniye с сек секунда секунды секунд δ δευτ 秒 秒钟 초",
	} {
		for _, word := range strings.Fields(words) {
			out[word] = unit
		}
	}
	return out
}()

// duration reads a time such as "1h 2m 3s", "4 Min. 5 Sek." or "1分20秒".
func duration(s string) (time.Duration, bool) {
	var total time.Duration
	seen := false
	for s = strings.TrimSpace(s); s != ""; {
		digits := 0
		for digits < len(s) && '0' <= s[digits] && s[digits] <= '9' {
			digits++
		}
		if digits == 0 || digits > 6 {
			return 0, false
		}
		n := 0
		for _, c := range s[:digits] {
			n = n*10 + int(c-'0')
		}
		s = strings.TrimLeft(s[digits:], " \u00A0")
		end := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && r != '.' })
		if end < 0 {
			end = len(s)
		}
		unit, known := units[strings.ToLower(strings.TrimRight(s[:end], "."))]
		if !known {
			return 0, false
		}
		total += time.Duration(n) * unit
		seen = true
		s = strings.TrimLeft(s[end:], " \u00A0,")
	}
	return total, seen
}
