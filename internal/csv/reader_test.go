package csv_test

import (
	"bytes"
	stdcsv "encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/csv"
)

// all reads everything, header first.
func all(r *csv.Reader) ([][]string, error) {
	header, err := r.Header()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return nil, err
	}
	rows := [][]string{header}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) && err == io.EOF { //nolint:errorlint // the end itself, not an error around it
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		cells := make([]string, row.Len())
		for i := range cells {
			cells[i] = row.Text(i)
		}
		rows = append(rows, cells)
	}
}

// corpus is Salesforce's dialect as it was seen, and what else a stream may hold.
var corpus = map[string]struct {
	text string
	want [][]string
}{
	"nothing":                        {"", nil},
	"a header alone":                 {"\"Id\",\"Subject\"\n", [][]string{{"Id", "Subject"}}},
	"empty lines alone":              {"\n\r\n", nil},
	"a byte order mark alone":        {"\xef\xbb\xbf", nil},
	"a byte order mark":              {"\xef\xbb\xbf\"Id\"\n\"1\"\n", [][]string{{"Id"}, {"1"}}},
	"a mark in a row is text":        {"Id\n\xef\xbb\xbf\n", [][]string{{"Id"}, {"\xef\xbb\xbf"}}},
	"line breaks inside":             {"\"Id\",\"T\"\n\"1\",\"a\nb\r\nc\rd\n\"\n", [][]string{{"Id", "T"}, {"1", "a\nb\r\nc\rd\n"}}},
	"quotes doubled":                 {"\"T\"\n\"\"\"\"\n\"a \"\"b\"\" c\"\n\"\"\"\"\"\"\n", [][]string{{"T"}, {`"`}, {`a "b" c`}, {`""`}}},
	"CRLF":                           {"\"A\",\"B\"\r\n\"1\",\"2\r\n3\"\r\n4,5\r\n", [][]string{{"A", "B"}, {"1", "2\r\n3"}, {"4", "5"}}},
	"null is the empty cell alone":   {"A,B,C,D,E\n\"\",,\"null\",\"N/A\",\" \"\n", [][]string{{"A", "B", "C", "D", "E"}, {"", "", "null", "N/A", " "}}},
	"NA, NaN and #N/A":               {"A,B,C\nNA,NaN,#N/A\n", [][]string{{"A", "B", "C"}, {"NA", "NaN", "#N/A"}}},
	"NUL is kept":                    {"\"A\"\n\"x\x00y\"\n", [][]string{{"A"}, {"x\x00y"}}},
	"text that is not UTF-8 is kept": {"\"A\"\n\"x\xffy\"\n", [][]string{{"A"}, {"x\xffy"}}},
	"commas and blanks":              {"A,B\n\" a,b \", c \n", [][]string{{"A", "B"}, {" a,b ", " c "}}},
	"empty lines between":            {"A\n\n1\n\r\n\n2\n\n", [][]string{{"A"}, {"1"}, {"2"}}},
	"one cell in quotes":             {"A\n\"\"\n", [][]string{{"A"}, {""}}},
	"a formula":                      {"A\n\"=cmd|' /C calc'!A0\"\n", [][]string{{"A"}, {"=cmd|' /C calc'!A0"}}},
	"languages":                      {"A,B\n\"Grüße 😀\",\"日本\u2028語\"\n", [][]string{{"A", "B"}, {"Grüße 😀", "日本\u2028語"}}},
	"backslashes mean nothing":       {"A,B\n\"\\\",\"\\n\"\n", [][]string{{"A", "B"}, {`\`, `\n`}}},
}

func TestReadsTheCorpus(t *testing.T) {
	t.Parallel()
	for name, c := range corpus {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, r := range map[string]*csv.Reader{
				"stream":       csv.NewReader(strings.NewReader(c.text), csv.Options{}),
				"memory":       csv.NewBytesReader([]byte(c.text)),
				"byte by byte": csv.NewReader(iotest.OneByteReader(strings.NewReader(c.text)), csv.Options{}),
				"end at once":  csv.NewReader(iotest.DataErrReader(strings.NewReader(c.text)), csv.Options{}),
			} {
				got, err := all(r)
				require.NoError(t, err, how)
				require.Equal(t, c.want, got, how)
				_, err = r.Next()
				require.Equal(t, io.EOF, err, how)
			}
		})
	}
}

// A page of 20 mails with everything that mails hold. Page and expectation were written by
// Python's csv and json.
func TestReadsAPageOfMail(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("testdata", "mail.csv"))
	require.NoError(t, err)
	golden, err := os.ReadFile(filepath.Join("testdata", "mail.golden.jsonl"))
	require.NoError(t, err)
	var want [][]string
	for line := range bytes.Lines(golden) {
		var row []string
		require.NoError(t, json.Unmarshal(line, &row))
		want = append(want, row)
	}
	require.Len(t, want, 20)
	crlf := bytes.ReplaceAll(page, []byte("\"\n\"02s"), []byte("\"\r\n\"02s"))
	require.Len(t, crlf, len(page)+20)
	for _, text := range [][]byte{page, crlf} {
		got, err := all(csv.NewReader(bytes.NewReader(text), csv.Options{}))
		require.NoError(t, err)
		require.Equal(t, []string{"Id", "SystemModstamp", "Incoming", "Subject", "TextBody", "HtmlBody", "ToAddress", "Parent.CaseNumber", "Score__c"}, got[0])
		require.Equal(t, want, got[1:])
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, message string
		is            error
	}{
		"text behind a quote":         {"A,B\n\"1\"x,2\n", "row 1, cell 1, which begins at byte 4", csv.ErrQuote},
		"a blank behind a quote":      {"A,B\n1,\"2\" \n", "row 1, cell 2, which begins at byte 4", csv.ErrQuote},
		"CR behind a quote":           {"A,B\n1,\"2\"\r,\n", "row 1, cell 2", csv.ErrLineEnd},
		"CR in a bare cell":           {"A,B\n1,2\r3\n", "row 1, cell 2", csv.ErrLineEnd},
		"two CR behind a bare cell":   {"A,B\n1,2\r\r\n", "row 1, cell 2", csv.ErrLineEnd},
		"a quote in a bare cell":      {"A,B\n1,2\n3,4\"\n", "row 2, cell 2, which begins at byte 8", csv.ErrQuote},
		"a quote in the header":       {"A\"\n", "the header, cell 1, which begins at byte 0", csv.ErrQuote},
		"too few cells":               {"A,B\n1,2\n\n3\n", "row 2, which begins at byte 9", csv.ErrCells},
		"too many cells":              {"A,B\n1,2,3\n", "row 1, which begins at byte 4", csv.ErrCells},
		"a quote that is not closed":  {"A,B\n1,\"2\n3,4\n", "row 1, cell 2", io.ErrUnexpectedEOF},
		"the end behind a quote":      {"A\n\"1\"", "row 1, cell 1", io.ErrUnexpectedEOF},
		"the end in a bare cell":      {"A\n1", "row 1, cell 1", io.ErrUnexpectedEOF},
		"the end behind a comma":      {"A,B\n1,", "row 1, cell 2", io.ErrUnexpectedEOF},
		"the end inside a line end":   {"A\n\"1\"\r", "row 1", io.ErrUnexpectedEOF},
		"the end in the header":       {"\"A\",\"B", "the header, cell 2", io.ErrUnexpectedEOF},
		"a header without a line end": {"A", "the header, cell 1", io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []*csv.Reader{
				csv.NewBytesReader([]byte(c.text)), csv.NewReader(strings.NewReader(c.text), csv.Options{}),
				csv.NewReader(iotest.OneByteReader(strings.NewReader(c.text)), csv.Options{}),
			} {
				_, err := all(r)
				require.ErrorIs(t, err, c.is)
				require.ErrorContains(t, err, c.message)
				_, again := r.Next()
				require.Equal(t, err, again, "it stays wrong")
				if _, header := r.Header(); strings.Contains(c.message, "header") {
					require.Equal(t, err, header)
				}
			}
		})
	}
}

// Wherever a stream is cut, the rows in front of the cut are whole and the cut is told,
// except between two rows, where only a count can tell.
func TestACutIsNeverAShortRow(t *testing.T) {
	t.Parallel()
	const text = "\"Id\",\"T\"\r\n\"1\",\"a \"\"b\"\"\"\n\"2\",\"\r\n\"\"\"\r\n3,x\n"
	whole, err := all(csv.NewBytesReader([]byte(text)))
	require.NoError(t, err)
	require.Len(t, whole, 4)
	for n := range len(text) {
		got, err := all(csv.NewBytesReader([]byte(text[:n])))
		require.Equal(t, whole[:len(got)], append([][]string{}, got...), "cut at %d", n)
		if err == nil {
			require.True(t, n == 0 || text[n-1] == '\n', "cut at %d", n)
			continue
		}
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d", n)
	}
}

func TestErrorsOfTheStreamPass(t *testing.T) {
	t.Parallel()
	broken := errors.New("the wire broke")
	for _, text := range []string{"", "A\n", "A\n\"1", "A\n1\n"} {
		_, err := all(csv.NewReader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), csv.Options{}))
		require.ErrorIs(t, err, broken, text)
		var e *csv.Error
		require.ErrorAs(t, err, &e)
	}
	for _, text := range []string{"", "A\n", "A\n\"1", "A\n1\n"} { // an error about an end is not the end
		_, err := all(csv.NewReader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(fmt.Errorf("read: %w", io.EOF))), csv.Options{}))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, text)
		require.NotErrorIs(t, err, io.EOF, text)
	}
	_, err := all(csv.NewReader(idle{}, csv.Options{}))
	require.ErrorIs(t, err, io.ErrNoProgress)
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestLargeCells(t *testing.T) {
	t.Parallel()
	large := strings.Repeat(`a "b" `+"\n", 1<<20)
	text := "A,B\n" + string(csv.AppendCell(nil, large)) + ",1\n2,3\n"
	got, err := all(csv.NewReader(strings.NewReader(text), csv.Options{}))
	require.NoError(t, err)
	require.Equal(t, [][]string{{"A", "B"}, {large, "1"}, {"2", "3"}}, got)

	for size, ok := range map[int]bool{999: true, 1000: true, 1001: false, 5_000_000: false} {
		for _, quote := range []string{"", `"`} {
			text := "A\n" + quote + strings.Repeat("x", size) + quote + "\n"
			_, err := all(csv.NewReader(strings.NewReader(text), csv.Options{MaxCell: 1000}))
			if ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, csv.ErrTooLarge)
			}
		}
	}
	// what never ends is given up in time
	for name, endless := range map[string]string{"in quotes": "A\n\"", "bare": "A\n"} {
		from := &counted{Reader: io.MultiReader(strings.NewReader(endless), forever('x'))}
		_, err := all(csv.NewReader(from, csv.Options{}))
		require.ErrorIs(t, err, csv.ErrTooLarge, name)
		require.Less(t, from.n, 4*csv.DefaultMaxCell, name)
	}
	from := &counted{Reader: io.MultiReader(strings.NewReader("A\n"), forever(','))}
	_, err = all(csv.NewReader(from, csv.Options{}))
	require.ErrorIs(t, err, csv.ErrCells)
	require.Less(t, from.n, 1<<20)
}

type forever byte

func (f forever) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(f)
	}
	return len(p), nil
}

type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// The row as it came can be put behind a header and read again: so chunks are made.
func TestRawRowsMakeAChunk(t *testing.T) {
	t.Parallel()
	const text = "\"Id\",\"T\"\r\n\"1\",\"a\r\n\"\"b\"\"\"\r\n2,\n"
	r := csv.NewReader(iotest.HalfReader(strings.NewReader(text)), csv.Options{})
	header, err := r.Header()
	require.NoError(t, err)
	chunk := []byte(strings.Join(header, ",") + ",_more\n")
	offsets := []int64{}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, len(offsets)+1, row.Number())
		offsets = append(offsets, row.Offset())
		chunk = append(append(chunk, row.Raw()...), ',')
		chunk = append(csv.AppendCell(chunk, `{"to":["x"]}`), '\n')
	}
	require.Equal(t, []int64{10, 26}, offsets)
	require.Equal(t, "Id,T,_more\n\"1\",\"a\r\n\"\"b\"\"\",\"{\"\"to\"\":[\"\"x\"\"]}\"\n2,,\"{\"\"to\"\":[\"\"x\"\"]}\"\n", string(chunk))
	before := bytes.Clone(chunk)
	got, err := all(csv.NewBytesReader(chunk))
	require.NoError(t, err)
	require.Equal(t, [][]string{{"Id", "T", "_more"}, {"1", "a\r\n\"b\"", `{"to":["x"]}`}, {"2", "", `{"to":["x"]}`}}, got)
	require.Equal(t, before, chunk, "what is in memory is not touched")
}

// Cells that were asked for stay what they are while others of the row are asked for.
func TestBytesLastAsLongAsTheRow(t *testing.T) {
	t.Parallel()
	var text []byte
	text = append(text, "A,B,C\n"...)
	var want []string
	for i, n := range []int{3, 50_000, 400_000} {
		want = append(want, strings.Repeat(`"`+string(rune('a'+i)), n))
		text = append(csv.AppendCell(text, want[i]), ",,\n"[i])
	}
	r := csv.NewBytesReader(text)
	row, err := r.Next()
	require.NoError(t, err)
	cells := [][]byte{row.Bytes(0), row.Bytes(1), row.Bytes(2)}
	_ = append(cells[0], "more"...)
	for i, cell := range cells {
		require.Equal(t, want[i], string(cell))
		require.Equal(t, want[i], row.Text(i))
	}
}

// normal is how encoding/csv gives cells: CRLF in them is LF.
func normal(rows [][]string) [][]string {
	if rows == nil {
		return nil
	}
	out := make([][]string, len(rows))
	for i, row := range rows {
		out[i] = make([]string, len(row))
		for j, cell := range row {
			out[i][j] = strings.ReplaceAll(cell, "\r\n", "\n")
		}
	}
	return out
}

// compare holds this reader against encoding/csv: both read the same, or both refuse.
// Texts that the two are meant to take differently are left out.
func compare(t *testing.T, text string) {
	t.Helper()
	if strings.HasPrefix(text, "\xef\xbb\xbf") || text != "" && !strings.HasSuffix(text, "\n") {
		return
	}
	want, wantErr := stdcsv.NewReader(strings.NewReader(text)).ReadAll()
	got, err := all(csv.NewReader(strings.NewReader(text), csv.Options{}))
	if wantErr != nil {
		require.Error(t, err, "%q: encoding/csv says %v", text, wantErr)
		return
	}
	if errors.Is(err, csv.ErrLineEnd) { // encoding/csv takes it for text
		return
	}
	require.NoError(t, err, "%q", text)
	require.Equal(t, want, normal(got), "%q", text)
}

func TestLikeEncodingCSV(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 6))
	pieces := []string{`"`, `"`, `""`, ",", ",", "\n", "\r\n", "\r", "a", "ü", "\x00", " ", "\xff"}
	for range 20_000 {
		var b strings.Builder
		for range rnd.IntN(14) {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		compare(t, b.String()+"\n")
	}
	for range 60 { // tables that are right, large enough to move the buffer
		var b bytes.Buffer
		w := stdcsv.NewWriter(&b)
		w.UseCRLF = rnd.IntN(2) == 0
		columns := 1 + rnd.IntN(6)
		for range 1 + rnd.IntN(60) {
			cells := make([]string, columns)
			for i := range cells {
				for range rnd.IntN(4) {
					cells[i] += strings.Repeat(pieces[rnd.IntN(len(pieces))], 1+rnd.IntN(3000))
				}
			}
			require.NoError(t, w.Write(cells))
		}
		w.Flush()
		compare(t, b.String())
	}
}

func FuzzReader(f *testing.F) {
	for _, c := range corpus {
		f.Add(c.text, 3)
	}
	for _, seed := range []string{"A\n\"1\"x\n", "A,B\n1\n", "A\n\"1", "A\n1\r", "\"A\"\"\"\n\"\"\"\"\r\n"} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, text string, step int) {
		compare(t, text)
		compare(t, text+"\n")
		// the same in pieces, and row by row from what it says is raw
		whole, err := all(csv.NewBytesReader([]byte(text)))
		got, errInPieces := all(csv.NewReader(&pieces{strings.NewReader(text), max(step%64, 1)}, csv.Options{}))
		require.Equal(t, whole, got)
		require.Equal(t, err, errInPieces)
		r := csv.NewReader(strings.NewReader(text), csv.Options{})
		for n := 1; ; n++ {
			row, err := r.Next()
			if err != nil {
				break
			}
			require.Equal(t, row.Raw(), []byte(text)[row.Offset():][:len(row.Raw())])
			again := csv.NewBytesReader(append([]byte(strings.Repeat(",", row.Len()-1)+"h\n"), append(bytes.Clone(row.Raw()), '\n')...))
			copied, err := again.Next()
			require.NoError(t, err)
			for i := range row.Len() {
				require.Equal(t, whole[n][i], row.Text(i))
				require.Equal(t, whole[n][i], copied.Text(i))
			}
		}
	})
}

type pieces struct {
	io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.n)]) }

// mails is a page of n mails of about 8 KB, 25 columns.
func mails(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("please find attached the signed contract for our order of twelve pumps delivery will be late because the truck broke down again regards Grüße")
	text := func(size int, markup bool) string {
		var b strings.Builder
		for b.Len() < size {
			switch {
			case markup && rnd.IntN(12) == 0:
				fmt.Fprintf(&b, `<p class="MsoNormal" style="margin:0cm">%s</p>`+"\r\n", words[rnd.IntN(len(words))])
			case rnd.IntN(14) == 0:
				b.WriteString("\n")
			default:
				b.WriteString(words[rnd.IntN(len(words))] + " ")
			}
		}
		return b.String()
	}
	var out []byte
	out = append(out, `"Id","SystemModstamp","IsDeleted","CreatedDate","Subject","TextBody","HtmlBody","FromAddress","FromName","ToAddress","CcAddress","BccAddress","Incoming","Status","MessageDate","ParentId","ThreadIdentifier","MessageIdentifier","Headers","HasAttachment","IsPrivateDraft","Parent.CaseNumber","Parent.Priority","Parent.Status","Parent.Account.Name"`+"\n"...)
	for i := range n {
		id := fmt.Sprintf("02sdM%010d", i)
		for j, cell := range []string{
			id + "QAQ", "2026-05-01T07:25:37.000Z", "false", "2026-05-01T07:25:37.000Z", text(40, false), text(2000, false), text(6000, true), "ann@acme.example", "Ann Example",
			"support@example.com", "", "", "true", "1", "2026-05-01T07:25:36.000Z", "500dM00000abcdEQAQ", "<a" + id + "@mail.example>", "<b" + id + "@mail.example>", "", "false", "false",
			"00001026", "High", "New", `Acme "Pumps" Ltd`,
		} {
			if j > 0 {
				out = append(out, ',')
			}
			out = csv.AppendCell(out, cell)
		}
		out = append(out, '\n')
	}
	return out
}

func BenchmarkReader(b *testing.B) {
	page := mails(2000)
	for name, look := range map[string]func(csv.Row) int{
		"two cells": func(r csv.Row) int { return len(r.Bytes(0)) + len(r.Bytes(1)) },
		"all cells": func(r csv.Row) (n int) {
			for i := range r.Len() {
				n += len(r.Bytes(i))
			}
			return n
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				r := csv.NewReader(bytes.NewReader(page), csv.Options{})
				rows, seen := 0, 0
				for {
					row, err := r.Next()
					if err != nil {
						break
					}
					rows++
					seen += look(row)
				}
				if rows != 2000 || seen == 0 {
					b.Fatal(rows)
				}
			}
		})
	}
	b.Run("encoding/csv", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		for b.Loop() {
			r := stdcsv.NewReader(bytes.NewReader(page))
			r.ReuseRecord = true
			for {
				if _, err := r.Read(); err != nil {
					break
				}
			}
		}
	})
}
