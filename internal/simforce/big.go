package simforce

import (
	"encoding/hex"
	"fmt"
	"html"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Millions of mails have no place in memory. Big mails are rows like all others, but what
// stands in their fields is worked out from their number when somebody looks. One that is
// written to becomes an ordinary row. Their bodies, about 2 KB of text and the same as 6 KB
// of HTML, are stretches of one long text of made-up words in the letters of five
// languages, which packs about as well as real mail does.

const (
	bigSpan       = 3 * 365 * 24 * time.Hour // over which they are spread
	bigPerCase    = 4
	bigParagraphs = 16_000 // of the long text
	bigPerMail    = 7      // paragraphs in a mail
)

// bigMail is all there is to know of the big mails of an org.
type bigMail struct {
	n     int
	from  time.Time
	cases []string // ids
	user  string
	what  []func(b *bigMail, i int) any // by place; nil = null

	text, html           joined // paragraphs
	textCSV, htmlCSV     joined // the same with doubled quotes
	place, placeHTML     int    // of the bodies
	head, foot           string // of HTML
	headCSV, footCSV     string
	people, firms, words []string
}

// joined is texts one behind the other: number i is all[at[i]:at[i+1]].
type joined struct {
	all string
	at  []int
}

func join(list []string) joined {
	j := joined{at: make([]int, 1, len(list)+1)}
	var b strings.Builder
	for _, s := range list {
		b.WriteString(s)
		j.at = append(j.at, b.Len())
	}
	j.all = b.String()
	return j
}

func (j joined) from(i, n int) string { return j.all[j.at[i]:j.at[i+n]] }

// stretch is where the paragraphs of mail i begin. Neighbours have nothing in common.
func (b *bigMail) stretch(i int) int { return i * 7919 % (bigParagraphs - bigPerMail) }

// hash is a number that looks like chance.
func (b *bigMail) hash(i, salt int) int {
	x := uint64(i)*0x9E3779B97F4A7C15 + uint64(salt)*0xBF58476D1CE4E5B9
	x ^= x >> 29
	x *= 0x94D049BB133111EB
	return int(x >> 33)
}

func (b *bigMail) incoming(i int) bool { return b.hash(i, 1)%10 < 7 }

// at is the stamp of mail i, and when it was made.
func (b *bigMail) at(i int) time.Time {
	return b.from.Add(time.Duration(int64(bigSpan) / int64(b.n) * int64(i))).Truncate(time.Second)
}

func (b *bigMail) caseOf(i int) string { return b.cases[i/bigPerCase] }

func (b *bigMail) person(i int) (name, address string) {
	h := b.hash(i/bigPerCase, 3)
	name = b.people[h%len(b.people)]
	return name, strings.ReplaceAll(strings.ToLower(name), " ", ".") + "@" + b.firms[h/7%len(b.firms)] + ".example"
}

func (b *bigMail) value(i, place int) any {
	if place < len(b.what) && b.what[place] != nil {
		return b.what[place](b, i)
	}
	return nil
}

// appendCSV appends the cell of a body without making a text of it; false for other fields.
func (b *bigMail) appendCSV(buf []byte, i, place int) ([]byte, bool) {
	switch place {
	case b.place:
		buf = append(buf, `"Ref `...)
		buf = strconv.AppendInt(buf, int64(i), 36)
		buf = append(buf, "\n\n"...)
		buf = append(buf, b.textCSV.from(b.stretch(i), bigPerMail)...)
	case b.placeHTML:
		buf = append(buf, '"')
		buf = append(buf, b.headCSV...)
		buf = strconv.AppendInt(buf, int64(i), 36)
		buf = append(buf, "</p>\n"...)
		buf = append(buf, b.htmlCSV.from(b.stretch(i), bigPerMail)...)
		buf = append(buf, b.footCSV...)
	default:
		return buf, false
	}
	return append(buf, '"'), true
}

// bigBytes is about what a big mail takes in a result.
const bigBytes = 9_000

// loadBig fills the first org with n big mails and their cases. The caller holds the data lock.
func (s *Server) loadBig(n int) {
	o := s.orgs[0]
	mails, cases := o.table("EmailMessage"), o.table("Case")
	b := newBigMail(s.opts.Seed, mails.obj)
	b.n, b.from, b.user = n, s.now().Add(-bigSpan-2*time.Hour), o.firstUser()
	var rows []*record
	for i := 0; i < n; i += bigPerCase {
		r := &record{obj: cases.obj, v: make([]any, len(cases.obj.Fields))}
		set := func(name string, v any) {
			if at := cases.obj.field(name); at >= 0 {
				r.v[at] = v
			}
		}
		for at, f := range cases.obj.Fields {
			r.v[at] = f.Default
		}
		id := o.newID(cases.obj)
		h := b.hash(i, 5)
		name, address := b.person(i)
		r.v[placeID], r.v[placeDeleted] = id, false
		for _, at := range []string{"CreatedDate", "LastModifiedDate", "SystemModstamp"} {
			set(at, b.at(i))
		}
		set("CreatedById", b.user)
		set("LastModifiedById", b.user)
		set("OwnerId", b.user)
		set("CaseNumber", fmt.Sprintf("%08d", o.next("Case.CaseNumber")))
		set("Subject", b.subject(i))
		set("Origin", "Email")
		set("Status", caseStatuses[h%len(caseStatuses)])
		set("Priority", casePriorities[h/11%len(casePriorities)])
		set("SuppliedName", name)
		set("SuppliedEmail", address)
		b.cases = append(b.cases, id)
		rows = append(rows, r)
	}
	cases.load(rows)
	rows = rows[:0:0]
	for i := range n {
		rows = append(rows, &record{obj: mails.obj, v: []any{o.newID(mails.obj), false}, big: b, n: i})
	}
	mails.load(rows)
}

// load puts many new rows at once.
func (t *table) load(rows []*record) {
	ids, stamps := make([]key, 0, len(rows)+len(t.rows)), make([]key, 0, len(rows)+len(t.rows))
	for _, r := range t.rows {
		ids, stamps = append(ids, key{0, r.id()}), append(stamps, key{r.stamp(), r.id()})
	}
	for _, r := range rows {
		id := r.id()
		t.rows[id] = r
		ids, stamps = append(ids, key{0, id}), append(stamps, key{r.stamp(), id})
		for i, f := range t.obj.Fields {
			if !indexed(f) {
				continue
			}
			if target, ok := r.get(i).(string); ok {
				t.link(i, target, id)
			}
		}
	}
	slices.SortFunc(ids, key.compare)
	slices.SortFunc(stamps, key.compare)
	t.ids, t.stamps = indexOf(ids), indexOf(stamps)
}

func (b *bigMail) subject(i int) string {
	h := b.hash(i/bigPerCase, 2)
	return b.words[h%len(b.words)] + " " + b.words[h/13%len(b.words)] + " " + strconv.Itoa(i/bigPerCase)
}

// newBigMail writes the long text and says what stands in each field.
func newBigMail(seed uint64, obj *Object) *bigMail {
	g := rand.New(rand.NewPCG(seed, 0xB16))
	b := &bigMail{what: make([]func(*bigMail, int) any, len(obj.Fields)), place: obj.field("TextBody"), placeHTML: obj.field("HtmlBody")}
	vocabularies := make([][]string, len(bigLetters))
	for i := range bigLetters {
		vocabularies[i] = vocabulary(g, bigLetters[i], 6000)
	}
	b.words = vocabularies[0][:400]
	for range 500 {
		b.people = append(b.people, title(vocabularies[0][g.IntN(2000)])+" "+title(vocabularies[0][g.IntN(2000)]))
	}
	for range 200 {
		b.firms = append(b.firms, vocabularies[0][g.IntN(2000)])
	}
	var text, marked []string
	for i := range bigParagraphs {
		words := vocabularies[i/40%len(vocabularies)] // one language for a while, as in a mail
		t, h := paragraph(g, words)
		text, marked = append(text, t), append(marked, h)
	}
	doubled := func(list []string) joined {
		out := make([]string, len(list))
		for i, s := range list {
			out[i] = strings.ReplaceAll(s, `"`, `""`)
		}
		return join(out)
	}
	b.text, b.html, b.textCSV, b.htmlCSV = join(text), join(marked), doubled(text), doubled(marked)
	b.head = `<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"><style><!-- p.MsoNormal {margin:0cm; font-size:11.0pt; font-family:"Calibri",sans-serif;} a:link {color:#0563C1;} --></style></head><body lang="EN-US" link="#0563C1"><div class="WordSection1"><p class="MsoNormal">Ref `
	b.foot = `</div></body></html>`
	b.headCSV, b.footCSV = strings.ReplaceAll(b.head, `"`, `""`), b.foot

	field := func(name string, f func(b *bigMail, i int) any) {
		if at := obj.field(name); at >= 0 {
			b.what[at] = f
		}
	}
	for _, name := range []string{"CreatedDate", "LastModifiedDate", "SystemModstamp"} {
		field(name, func(b *bigMail, i int) any { return b.at(i) })
	}
	for _, name := range []string{"CreatedById", "LastModifiedById"} {
		field(name, func(b *bigMail, _ int) any { return b.user })
	}
	for _, name := range []string{"HasAttachment", "IsPrivateDraft", "IsClientManaged"} {
		field(name, func(*bigMail, int) any { return false })
	}
	field("IsExternallyVisible", func(*bigMail, int) any { return true })
	field("MessageDate", func(b *bigMail, i int) any { return b.at(i).Add(-7 * time.Second) })
	field("Incoming", func(b *bigMail, i int) any { return b.incoming(i) })
	field("Status", func(b *bigMail, i int) any {
		if b.incoming(i) {
			return "1"
		}
		return "3"
	})
	field("ParentId", func(b *bigMail, i int) any { return b.caseOf(i) })
	field("RelatedToId", func(b *bigMail, i int) any { return b.caseOf(i) })
	field("Subject", func(b *bigMail, i int) any { return b.subject(i) })
	who := func(customer bool, part int) func(b *bigMail, i int) any {
		return func(b *bigMail, i int) any {
			name, address := b.person(i)
			if b.incoming(i) != customer {
				name, address = deskName, deskAddress
			}
			return []string{name, address}[part]
		}
	}
	field("FromName", who(true, 0))
	field("FromAddress", who(true, 1))
	field("ToAddress", who(false, 1))
	field("MessageIdentifier", func(b *bigMail, i int) any { return "<" + strconv.Itoa(i) + ".big@mail.example>" })
	field("ThreadIdentifier", func(b *bigMail, i int) any { return "<" + strconv.Itoa(i-i%bigPerCase) + ".big@mail.example>" })
	field("TextBody", func(b *bigMail, i int) any {
		return "Ref " + strconv.FormatInt(int64(i), 36) + "\n\n" + b.text.from(b.stretch(i), bigPerMail)
	})
	field("HtmlBody", func(b *bigMail, i int) any {
		return b.head + strconv.FormatInt(int64(i), 36) + "</p>\n" + b.html.from(b.stretch(i), bigPerMail) + b.foot
	})
	return b
}

// bigLetters are what words are made of, in five languages.
var bigLetters = [][2]string{
	{"b c d f g h k l m n p r s t v w st tr ch br", "a e i o u ea ou ie"},
	{"b d f g h k l m n r s t w z sch st pf", "a e i o u ä ö ü ei au"},
	{"b c d f g l m n p q r s t v ch gn", "a e i o u é è à ou eau"},
	{"б в г д ж з к л м н п р с т ч ш", "а е и о у ы я ю"},
	{"b c č d h k l m n p r ř s š t v z ž", "a e i o u á é í ů y"},
}

func vocabulary(g *rand.Rand, letters [2]string, n int) []string {
	hard, soft := strings.Fields(letters[0]), strings.Fields(letters[1])
	out := make([]string, n)
	for i := range out {
		var b strings.Builder
		for range 1 + g.IntN(4) {
			b.WriteString(hard[g.IntN(len(hard))] + soft[g.IntN(len(soft))])
		}
		if g.IntN(2) == 0 {
			b.WriteString(hard[g.IntN(len(hard))])
		}
		out[i] = b.String()
	}
	return out
}

func title(word string) string {
	r := []rune(word)
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}

// paragraph is some 280 bytes of text, and the same as some 850 bytes of HTML as mail
// programs write it.
func paragraph(g *rand.Rand, words []string) (text, marked string) {
	word := func() string {
		// Few words are frequent and most are rare.
		if x := g.Float64(); g.IntN(20) > 0 {
			return words[int(x*x*x*float64(len(words)))]
		}
		return strconv.Itoa(g.IntN(1_000_000))
	}
	var plain strings.Builder
	for plain.Len() < 255 {
		plain.WriteString(title(word()))
		for range 5 + g.IntN(9) {
			plain.WriteString(" " + word())
		}
		plain.WriteString(". ")
	}
	text = strings.TrimSpace(plain.String()) + "\n\n"
	body := html.EscapeString(strings.TrimSpace(text))
	token := hex.EncodeToString([]byte{byte(g.IntN(256)), byte(g.IntN(256)), byte(g.IntN(256)), byte(g.IntN(256)), byte(g.IntN(256)), byte(g.IntN(256))})
	style := fmt.Sprintf(`font-size:%d.0pt;font-family:"Segoe UI",sans-serif;color:#%06X`, 9+g.IntN(4), g.IntN(1<<24))
	style = html.EscapeString(style)
	switch g.IntN(5) {
	case 0:
		first, rest, _ := strings.Cut(body, ". ")
		marked = `<table border="0" cellpadding="0" cellspacing="0" width="` + strconv.Itoa(400+g.IntN(300)) + `" style="border-collapse:collapse"><tbody><tr><td style="padding:0cm 5.4pt 0cm 5.4pt"><p class="MsoNormal"><b><span style="` + style + `">` + first +
			`</span></b><o:p></o:p></p></td></tr><tr><td style="padding:0cm 5.4pt 0cm 5.4pt"><p class="MsoNormal"><span style="` + style + `">` + rest + `</span></p></td></tr></tbody></table>` + "\n"
	case 1:
		marked = `<ul style="margin-top:0cm" type="disc"><li class="MsoListParagraph" style="margin-left:0cm;mso-list:l0 level1 lfo` + strconv.Itoa(g.IntN(30)) + `"><span lang="EN-US" style="` + style + `">` +
			strings.ReplaceAll(body, ". ", `.</span></li><li class="MsoListParagraph"><span lang="EN-US">`) + `</span></li></ul>` + "\n"
	default:
		marked = `<p class="MsoNormal" id="x_` + token + `" style="margin-bottom:12.0pt;line-height:normal"><span lang="EN-US" style="` + style + `;mso-fareast-language:EN-US">` +
			strings.Replace(body, ". ", `. <o:p></o:p></span><a href="https://portal.acme.example/t/`+token+`?u=`+strconv.Itoa(g.IntN(1_000_000))+`" style="color:#0563C1" target="_blank">`+token[:6]+`</a> <span lang="EN-US">`, 1) +
			`</span></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p>` + "\n"
	}
	return text, marked
}
