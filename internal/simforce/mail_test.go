package simforce

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// mailDir is the directory of real mails where there is one, else one that the
// test fills with made-up mails.
func mailDir(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("MAIL_DIR"), filepath.Join("..", "..", "..", "shared", "data", "mail")} {
		if found, _ := filepath.Glob(filepath.Join(dir, "*.eml")); dir != "" && len(found) > 0 {
			return dir
		}
	}
	dir := t.TempDir()
	a := newAuthor(4)
	n := 0
	for n < 60 {
		for _, l := range a.conversation(time.Date(2024, 5, 1, 9, 0, 0, 0, time.UTC)) {
			n++
			require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("made-%03d.eml", n)), eml(l), 0o600))
		}
	}
	return dir
}

// eml writes a letter as RFC 822.
func eml(l *letter) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: \"=?utf-8?q?%s?=\" <%s>\r\nTo: %s\r\nSubject: =?utf-8?q?%s?=\r\nMessage-ID: %s\r\nDate: %s\r\nMIME-Version: 1.0\r\n",
		encoded(l.fromName), l.from, strings.Join(l.to, ", "), encoded(l.subject), l.id, l.date.Format(time.RFC1123Z))
	if l.parent != "" {
		fmt.Fprintf(&b, "In-Reply-To: %s\r\nReferences: %s\r\n", l.parent, strings.Join(l.references, " "))
	}
	kind, body := "plain", l.text
	if body == "" {
		kind, body = "html", l.html
	}
	fmt.Fprintf(&b, "Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n%s", kind, body)
	return b.Bytes()
}

func encoded(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "=%02X", c)
	}
	return b.String()
}

func TestEveryMailIsOneMessage(t *testing.T) {
	t.Parallel()
	dir := mailDir(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	require.NoError(t, err)
	b := start(t, Options{MailDir: dir})
	rows, err := b.Records("", "EmailMessage")
	require.NoError(t, err)
	require.Len(t, rows, len(files))
	again := start(t, Options{MailDir: dir})
	same, err := again.Records("", "EmailMessage")
	require.NoError(t, err)
	require.Equal(t, rows, same, "the same files give the same rows")

	var texts, htmls, replies, twins int
	stamps := map[time.Time]int{}
	cases := map[string][]Row{}
	byMessageID := map[string]Row{}
	for _, r := range rows {
		text, hasText := r["TextBody"].(string)
		html, hasHTML := r["HtmlBody"].(string)
		if hasText {
			texts++
		}
		if hasHTML {
			htmls++
		}
		require.True(t, utf8.ValidString(text+html))
		require.NotContains(t, text+html, "\x00")
		require.NotNil(t, r["FromAddress"])
		require.NotNil(t, r["MessageDate"])
		require.NotEqual(t, "5", r["Status"])
		if r["Incoming"] == true {
			require.NotEmpty(t, r["Headers"])
		}
		stamps[r["SystemModstamp"].(time.Time)]++
		cases[r["ParentId"].(string)] = append(cases[r["ParentId"].(string)], r)
		if id, ok := r["MessageIdentifier"].(string); ok {
			byMessageID[id] = r
		}
		if r["ReplyToEmailMessageId"] != nil {
			replies++
		}
	}
	for _, n := range stamps {
		if n > 1 {
			twins += n
		}
	}
	require.Positive(t, texts)
	require.Positive(t, htmls)
	require.Less(t, texts, len(rows)+1)
	require.Positive(t, replies)
	require.Positive(t, twins, "some rows share a second")
	require.Greater(t, len(stamps), len(rows)/3)

	all, err := b.Records("", "Case")
	require.NoError(t, err)
	require.Len(t, all, len(cases), "one case per thread")
	numbers := map[string]bool{}
	for _, c := range all {
		require.Regexp(t, `^0000\d{4}$`, c["CaseNumber"])
		numbers[c["CaseNumber"].(string)] = true
		require.NotNil(t, c["OwnerId"])
		for _, m := range cases[c["Id"].(string)] {
			require.False(t, m["CreatedDate"].(time.Time).Before(c["CreatedDate"].(time.Time)))
		}
	}
	require.Len(t, numbers, len(all))
	require.True(t, numbers["00001001"])
	for _, r := range rows {
		if to := r["ReplyToEmailMessageId"]; to != nil {
			i := slices.IndexFunc(rows, func(x Row) bool { return x["Id"] == to })
			require.Equal(t, rows[i]["ParentId"], r["ParentId"], "a reply is in its thread's case")
		}
	}
	// Ids follow the order of the files; the subject of the first proves it.
	slices.Sort(files)
	raw, err := os.ReadFile(files[0])
	require.NoError(t, err)
	first := readLetter(files[0], raw)
	byAge := slices.Clone(rows)
	slices.SortFunc(byAge, func(x, y Row) int {
		return cmp.Or(x["CreatedDate"].(time.Time).Compare(y["CreatedDate"].(time.Time)), cmp.Compare(x["Id"].(string), y["Id"].(string)))
	})
	require.Equal(t, first.subject, cmp.Or(fmt.Sprint(byAge[0]["Subject"]), ""))
	t.Logf("%d mails, %d cases, %d with text, %d with HTML, %d replies linked, %d sharing a second", len(rows), len(all), texts, htmls, replies, twins)
}

func TestOddMails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, body := range map[string]string{
		"01-empty.eml":    "",
		"02-nothead.eml":  "just some words\nwithout any header\n",
		"03-nul.eml":      "From: a@b.example\nSubject: n\x00ul\n\nbo\x00dy",
		"04-latin.eml":    "From: Zo\xeb <zoe@b.example>\nSubject: caf\xe9\n\nna\xefve \xa320\n",
		"05-long.eml":     "From: a@b.example\nContent-Type: text/plain; charset=utf-8\n\n" + strings.Repeat("é", 200_000),
		"06-htmlonly.eml": "From: a@b.example\nContent-Type: text/html; charset=utf-8\n\n<p>only html</p>",
		"07-broken.eml":   "From: a@b.example\nContent-Type: multipart/mixed; boundary=\"x\"\n\n--x\nContent-Type: text/plain\n\ncut off",
		"08-nodate.eml":   "From: \"A, B\" <a@b.example>\nTo: x@y.example, \"Q\" <q@y.example>;\nDate: yesterday\n\nhello",
		"09-many.eml":     "From: a@b.example\nTo: " + strings.Repeat("someone.with.a.long.name@company.example, ", 200) + "z@z.example\n\nhi",
		"10-self.eml":     "From: a@b.example\nMessage-ID: <s@x>\nIn-Reply-To: <s@x>\nReferences: <s@x> <s@x>\n\nloop",
		"11-twin.eml":     "From: a@b.example\nMessage-ID: <s@x>\n\ntwin",
		"notes.txt":       "not a mail",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600))
	}
	b := start(t, Options{MailDir: dir})
	rows, err := b.Records("", "EmailMessage")
	require.NoError(t, err)
	require.Len(t, rows, 11)
	by := func(text string) Row {
		i := slices.IndexFunc(rows, func(r Row) bool {
			return strings.Contains(fmt.Sprint(r["TextBody"], r["HtmlBody"], r["Subject"]), text)
		})
		require.GreaterOrEqual(t, i, 0, text)
		return rows[i]
	}
	require.Equal(t, "body", strings.TrimSpace(by("body")["TextBody"].(string)))
	require.Contains(t, by("20")["TextBody"], "£20")
	long := by("éé")["TextBody"].(string)
	require.Equal(t, 131_072, utf8.RuneCountInString(long))
	require.Nil(t, by("only html")["TextBody"])
	require.Contains(t, by("cut off")["TextBody"], "cut off")
	nodate := by("hello")
	require.Equal(t, nodate["CreatedDate"], nodate["MessageDate"])
	require.Equal(t, "A, B", nodate["FromName"])
	require.Equal(t, "x@y.example; q@y.example", nodate["ToAddress"])
	many := by("hi")["ToAddress"].(string)
	require.LessOrEqual(t, len(many), 4000)
	require.True(t, strings.HasSuffix(many, "@company.example"))
	require.Equal(t, by("loop")["ParentId"], by("twin")["ParentId"])

	_, err = New(Options{MailDir: t.TempDir()})
	require.ErrorContains(t, err, "no .eml file")
}

func TestGenerator(t *testing.T) {
	t.Parallel()
	b := start(t, Options{Generate: 150, Seed: 8})
	rows, err := b.Records("", "EmailMessage")
	require.NoError(t, err)
	require.Len(t, rows, 150)
	same, err := start(t, Options{Generate: 150, Seed: 8}).Records("", "EmailMessage")
	require.NoError(t, err)
	require.Equal(t, rows, same)
	other, err := start(t, Options{Generate: 150, Seed: 9}).Records("", "EmailMessage")
	require.NoError(t, err)
	require.NotEqual(t, rows, other)
	var all strings.Builder
	kinds := map[string]int{}
	for _, r := range rows {
		fmt.Fprint(&all, r["TextBody"], r["HtmlBody"])
		kinds[fmt.Sprint(r["TextBody"] == nil, r["HtmlBody"] == nil, r["Incoming"])]++
	}
	require.Len(t, kinds, 6, "text, HTML and both, in both directions: %v", kinds)
	for _, piece := range []string{"\n> ", "\n-- \n", "<blockquote", "您好", "Здравствуйте", "مرحبا", "Guten Tag"} {
		require.Contains(t, all.String(), piece)
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	b := start(t, Options{MailDir: mailDir(t), Seed: 2})
	before, err := b.Records("", "EmailMessage")
	require.NoError(t, err)
	b.clock.add(time.Hour)
	require.Equal(t, 200, b.WriteNow(200))
	after, err := b.Records("", "EmailMessage")
	require.NoError(t, err)
	old := map[any]Row{}
	for _, r := range before {
		old[r["Id"]] = r
	}
	var added, inThreads, edited, moved int
	for _, r := range after {
		was, known := old[r["Id"]]
		switch {
		case !known:
			added++
			if r["ReplyToEmailMessageId"] != nil {
				inThreads++
			}
		case was["TextBody"] != r["TextBody"] || was["HtmlBody"] != r["HtmlBody"]:
			edited++
			require.Equal(t, b.now(), r["SystemModstamp"])
		case was["Status"] != r["Status"]:
			moved++
		case was["SystemModstamp"] != r["SystemModstamp"]:
			// A status written as it was: a new stamp and nothing else, as happens.
			require.Equal(t, b.now(), r["SystemModstamp"])
		default:
			require.Equal(t, was, r, "an untouched row keeps everything")
		}
	}
	require.Greater(t, added, 60)
	require.Greater(t, inThreads, 40)
	require.Greater(t, edited, 10)
	require.Positive(t, moved)
	cases := b.ids("SELECT Id FROM Case WHERE SystemModstamp = " + b.now().Format("2006-01-02T15:04:05Z"))
	require.Greater(t, len(cases), 10)
}

// Whatever stands in a file, it becomes one message and nothing falls over.
func FuzzMail(f *testing.F) {
	f.Add([]byte("From: a@b.example\nSubject: x\n\nbody"))
	f.Add([]byte("From: =?x?b?\x00?= <@>\nTo: ,;<\nReferences: <<>\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\n\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := New(Options{})
		require.NoError(t, err)
		s.mu.Lock()
		s.deliver([]*letter{readLetter("a.eml", raw), readLetter("b.eml", raw)})
		s.mu.Unlock()
		rows, err := s.Records("", "EmailMessage")
		require.NoError(t, err)
		require.Len(t, rows, 2)
	})
}
