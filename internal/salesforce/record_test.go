package salesforce

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/csv"
	"salesforcesync/internal/fault"
)

const someID = "02sdM00000abcdEQAQ"

func TestDecode(t *testing.T) {
	t.Parallel()
	require.True(t, ValidID(To18(someID[:15])))
	id := To18(someID[:15])
	raw := `{"attributes":{"type":"EmailMessage","url":"/services/data"},"Id":"` + id + `","Subject":null,"Incoming":true,
	 "TextBody":"a\r\nb\rc\u0000d","HtmlBody":"","Score__c":3.0,"Amount__c":1.25E7,"SystemModstamp":"2026-05-01T07:25:37.000+0000",
	 "Due__c":"2026-05-01","At__c":"10:15:00.000Z","Topics__c":"a;b","Address":{"street":"1 Road","city":"R\u00f6m <b>","latitude":1.0},
	 "Parent":{"attributes":{"type":"Case"},"CaseNumber":"00001026","Account":{"Name":"Acme"},"Contact":null},"RelatedTo":null}`
	f := Fields{"Id": TypeID, "Subject": TypeString, "Incoming": TypeBoolean, "TextBody": TypeTextArea, "HtmlBody": TypeTextArea,
		"Score__c": TypeDouble, "Amount__c": TypeCurrency, "SystemModstamp": TypeDateTime, "Due__c": TypeDate, "At__c": TypeTime,
		"Topics__c": TypeMultiPicklist, "Address": TypeAddress, "Parent.CaseNumber": TypeString, "Parent.Account.Name": TypeString,
		"Parent.Contact.Name": TypeString, "RelatedTo.Name": TypeString, "RelatedTo.Owner.Name": TypeString,
		"Gone__c": TypeString, "Parent.Gone__c": TypeString, "Missing.Name": TypeString}
	rec, err := Decode(json.RawMessage(raw), f)
	require.NoError(t, err)
	require.Equal(t, id, rec.ID)
	for path, want := range map[string]string{
		"Id": id, "Incoming": "true", "TextBody": "a\nb\ncd", "Score__c": "3", "Amount__c": "12500000", "SystemModstamp": "2026-05-01T07:25:37Z",
		"Due__c": "2026-05-01", "At__c": "10:15:00.000Z", "Topics__c": "a;b", "Address": `{"city":"Röm <b>","latitude":1.0,"street":"1 Road"}`,
		"Parent.CaseNumber": "00001026", "Parent.Account.Name": "Acme",
	} {
		got, ok := rec.Text(path)
		require.True(t, ok, path)
		require.Equal(t, want, got, path)
	}
	for _, null := range []string{"Subject", "HtmlBody", "Parent.Contact.Name", "RelatedTo.Name", "RelatedTo.Owner.Name"} {
		_, ok := rec.Text(null)
		require.False(t, ok, null)
		require.True(t, rec.Has(null), null)
	}
	for _, missing := range []string{"Gone__c", "Parent.Gone__c", "Missing.Name", "NeverAsked"} {
		require.False(t, rec.Has(missing), missing)
	}
	n, ok := rec.Number("Amount__c")
	require.True(t, ok)
	require.InDelta(t, 12.5e6, n, 0)
	_, ok = rec.Number("Topics__c")
	require.False(t, ok)
	at, ok := rec.Time("SystemModstamp")
	require.True(t, ok)
	require.Equal(t, time.Date(2026, 5, 1, 7, 25, 37, 0, time.UTC), at)
	_, ok = rec.Time("Due__c")
	require.True(t, ok)
	_, ok = rec.Time("Subject")
	require.False(t, ok)
	b, ok := rec.Bool("Incoming")
	require.True(t, b && ok)
	require.Len(t, rec.Paths(), len(f)-3)
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	id := To18(someID[:15])
	for raw, message := range map[string]string{
		`{"Id":"` + id + `","N":"x"}`:              "read N of record " + id,
		`{"Id":"` + id + `","N":1e999999}`:         "outside the range",
		`{"Id":"` + id + `","B":"perhaps"}`:        "neither true nor false",
		`{"Id":"` + id + `","D":"yesterday"}`:      "not a datetime",
		`{"Id":"` + id + `","Parent":"x"}`:         "read Parent of record " + id,
		`{"Id":"zzz"}`:                             "is not a Salesforce id",
		`{}`:                                       "is not a Salesforce id",
		`[]`:                                       "read a record",
		`{"Id":"` + strings.ToLower(someID) + `"}`: "is not a Salesforce id",
		`{"Id":"` + id + `","D":"` + strings.Repeat("9", 1000) + `"}`: "not a datetime",
	} {
		_, err := Decode(json.RawMessage(raw), Fields{"N": TypeDouble, "B": TypeBoolean, "D": TypeDateTime, "Parent.Name": TypeString})
		require.ErrorContains(t, err, message, raw)
		require.Equal(t, fault.Record, fault.KindOf(err), raw)
		require.Less(t, len(err.Error()), 300)
	}
}

func TestCanonicalNumber(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"3.0": "3", "3": "3", "003": "3", "+3": "3", "0.30": "0.3", ".5": "0.5", "5.": "5", "-0.0": "0", "0e9": "0", "1.0E7": "10000000", "1.25e1": "12.5",
		"125E-3": "0.125", "-1e-5": "-0.00001", "12345678901234567890.12345678901234567890": "12345678901234567890.1234567890123456789",
		"1e20": "100000000000000000000",
	} {
		got, err := canonicalNumber(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for _, bad := range []string{"", ".", "-", "e5", "1e", "1,5", "0x1", "NaN", "Infinity", "1 2", "1e401"} {
		_, err := canonicalNumber(bad)
		require.Error(t, err, bad)
	}
}

// The canonical number is the same number, whatever its spelling.
func FuzzCanonicalNumber(f *testing.F) {
	for _, seed := range []string{"3.0", "-12.50e3", "1e-7", ".5", "0000.0e0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := canonicalNumber(in)
		if err != nil || len(in) > 100 {
			return
		}
		want, ok := new(big.Rat).SetString(in)
		require.True(t, ok, in)
		have, ok := new(big.Rat).SetString(got)
		require.True(t, ok, got)
		require.Zero(t, want.Cmp(have), "%s became %s", in, got)
		again, err := canonicalNumber(got)
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}

func TestCanonicalDateTime(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"2026-05-01T07:25:37.000+0000", "2026-05-01T07:25:37.999Z", "2026-05-01T07:25:37Z", "2026-05-01T09:25:37.5+02:00", "2026-05-01T09:25:37+0200"} {
		got, ok, err := canonical(TypeDateTime, in)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "2026-05-01T07:25:37Z", got, in)
	}
}

func TestCanonicalAny(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"3.0": "3", "007": "007", "New": "New", "2026-05-01T07:25:37.000+0000": "2026-05-01T07:25:37Z", "true": "true"} {
		got, ok, err := canonical(TypeAny, in)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	id := To18(someID[:15])
	f := Fields{"A": TypeString, "B": TypeString}
	record := func(members string) Record {
		rec, err := Decode(json.RawMessage(`{"Id":"`+id+`"`+members+`}`), f)
		require.NoError(t, err)
		return rec
	}
	both := []string{"A", "B"}
	seen := map[[32]byte]string{}
	for _, members := range []string{
		``, `,"A":null`, `,"B":null`, `,"A":null,"B":null`, `,"A":"x"`, `,"B":"x"`, `,"A":"x","B":"y"`, `,"A":"xy"`, `,"A":"y","B":"x"`,
		`,"A":"x","B":null`, `,"A":"=\u0001x","B":null`, `,"A":"0","B":null`, `,"A":"-"`,
	} {
		d := record(members).Digest(both)
		require.NotContains(t, seen, d, members)
		seen[d] = members
	}
	x := record(`,"A":"x","B":"y"`)
	require.Equal(t, x.Digest(both), x.Digest([]string{"B", "A", "B"}))
	require.NotEqual(t, x.Digest(both), x.Digest([]string{"A"}))
	require.NotEqual(t, record(``).Digest([]string{"A", "B"}), record(``).Digest([]string{"A"}))
	// stored with comments: another value here means that every record is read anew
	require.Equal(t, "89ac6edf3869bef5", fmt.Sprintf("%x", x.Digest(both))[:16])
}

// One record, spelt as REST and as Bulk spell it, is one Record with one digest.
func TestRESTAndCSVSpellingsMeet(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(11, 12))
	types := []FieldType{TypeString, TypeTextArea, TypePicklist, TypeMultiPicklist, TypeBoolean, TypeInt, TypeDouble, TypeCurrency, TypeDate, TypeDateTime, TypeTime, TypeReference, TypeAny, TypeEmail}
	text := func() string {
		words := []string{"a", "é", "😀", "\"", "\\", ",", ";", "\t", " ", "<b>", "&", "0", "null", "\u2028"}
		var b strings.Builder
		for range 1 + rnd.IntN(8) {
			b.WriteString(words[rnd.IntN(len(words))])
		}
		return b.String()
	}
	quote := func(s string) string {
		raw, err := json.Marshal(s)
		require.NoError(t, err)
		return string(raw)
	}
	// both returns one random value as JSON and as a CSV cell
	both := func(typ FieldType) (rest, csv string) {
		if rnd.IntN(5) == 0 {
			return []string{"null", `""`}[rnd.IntN(2)], ""
		}
		at := time.Unix(rnd.Int64N(4e9), 0).UTC()
		switch typ {
		case TypeBoolean:
			b := strconv.FormatBool(rnd.IntN(2) == 0)
			return b, b
		case TypeInt:
			n := strconv.Itoa(rnd.IntN(2e9) - 1e9)
			return n, n
		case TypeDouble, TypeCurrency, TypePercent:
			n := float64(rnd.IntN(2e9)-1e9) / []float64{1, 10, 1000, 1e-6}[rnd.IntN(4)]
			spell := func() string {
				s := strconv.FormatFloat(n, []byte("fEeg")[rnd.IntN(4)], -1, 64)
				if !strings.ContainsAny(s, ".eE") && rnd.IntN(2) == 0 {
					s += ".0"
				}
				return s
			}
			return spell(), spell()
		case TypeDate:
			return quote(at.Format(time.DateOnly)), at.Format(time.DateOnly)
		case TypeDateTime:
			return quote(at.Format("2006-01-02T15:04:05.000-0700")), at.Format("2006-01-02T15:04:05.000Z")
		case TypeTime:
			return quote(at.Format("15:04:05.000Z")), at.Format("15:04:05.000Z")
		case TypeReference:
			id := randomID(rnd)
			return quote(id), id
		case TypeAny:
			n := rnd.IntN(1000)
			return strconv.Itoa(n), strconv.Itoa(n) + ".0"
		}
		lines := []string{text(), text(), text()}
		return quote(strings.Join(lines, "\r\n")), strings.Join(lines, []string{"\n", "\r\n", "\r"}[rnd.IntN(3)])
	}
	for range 2000 {
		id := randomID(rnd)
		f := Fields{"Id": TypeID}
		rest := map[string]string{"Id": quote(id)}
		parent, grand := map[string]string{}, map[string]string{}
		cells := map[string]string{"Id": id}
		for i, typ := range types {
			name := fmt.Sprintf("F%d__c", i)
			for prefix, level := range map[string]map[string]string{"": rest, "Parent.": parent, "Parent.Owner.": grand} {
				f[prefix+name] = typ
				level[name], cells[prefix+name] = both(typ)
			}
		}
		object := func(members map[string]string) string {
			parts := []string{`"attributes":{"type":"X","url":"/x"}`}
			for k, v := range members {
				parts = append(parts, quote(k)+":"+v)
			}
			rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			return "{" + strings.Join(parts, ",") + "}"
		}
		blank := func(prefix string) {
			for path := range cells {
				if strings.HasPrefix(path, prefix) {
					cells[path] = ""
				}
			}
		}
		parent["Owner"] = object(grand)
		if rnd.IntN(4) == 0 {
			parent["Owner"] = "null"
			blank("Parent.Owner.")
		}
		rest["Parent"] = object(parent)
		if rnd.IntN(4) == 0 {
			rest["Parent"] = "null"
			blank("Parent.")
		}
		a, err := Decode(json.RawMessage(object(rest)), f)
		require.NoError(t, err)
		b, err := fromCSV(t, cells, f)
		require.NoError(t, err)
		require.Equal(t, a, b)
		require.Len(t, a.Paths(), len(f))
		require.Equal(t, a.Digest(a.Paths()), b.Digest(b.Paths()))
		require.Equal(t, referenceDigest(a, a.Paths()), b.Digest(a.Paths()))
	}
}

// fromCSV reads a record out of a CSV text with one row.
func fromCSV(t *testing.T, cells map[string]string, f Fields) (Record, error) {
	t.Helper()
	var header, row []byte
	for name, text := range cells { // in any order
		header = append(csv.AppendCell(header, name), ',')
		row = append(csv.AppendCell(row, text), ',')
	}
	page := append(append(header, "Other\n"...), append(row, "\"x\"\n"...)...)
	r := csv.NewBytesReader(page)
	names, err := r.Header()
	require.NoError(t, err)
	columns, err := NewColumns(names, f)
	require.NoError(t, err)
	next, err := r.Next()
	require.NoError(t, err)
	return columns.Record(next)
}

func TestColumnsKeepMissingApart(t *testing.T) {
	t.Parallel()
	id := To18(someID[:15])
	rec, err := fromCSV(t, map[string]string{"Id": id, "A": "", "T": "x\xffy\x00"}, Fields{"A": TypeString, "B": TypeString, "T": TypeString})
	require.NoError(t, err)
	require.True(t, rec.Has("A"))
	require.False(t, rec.Has("B"))
	require.False(t, rec.Has("Id"), "nobody asked for it")
	require.Equal(t, id, rec.ID)
	text, _ := rec.Text("T")
	require.Equal(t, "x\uFFFDy", text)
	for cells, message := range map[string]string{"n/a": "read N of record " + id, "": ""} {
		_, err = fromCSV(t, map[string]string{"Id": id, "N": cells}, Fields{"N": TypeInt})
		if message == "" {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, fault.Record, fault.KindOf(err))
		require.ErrorContains(t, err, message)
	}
	_, err = fromCSV(t, map[string]string{"Id": strings.ToLower(id)}, Fields{})
	require.ErrorContains(t, err, "is not a Salesforce id")
	rec, err = fromCSV(t, map[string]string{"Id": id[:15]}, Fields{"Id": TypeID})
	require.NoError(t, err)
	require.Equal(t, id, rec.ID)
}

func TestColumnsReadRowAfterRow(t *testing.T) {
	t.Parallel()
	r := csv.NewBytesReader([]byte("Extra,A,Id,_more\n,\"a \"\"b\"\"\",02sdM00000abcdE,m1\n,,02sdM00000abcdF,\n"))
	header, err := r.Header()
	require.NoError(t, err)
	columns, err := NewColumns(header, Fields{"A": TypeString, "Other": TypeString})
	require.NoError(t, err)
	more, ok := columns.Extra("_more")
	require.True(t, ok)
	require.Equal(t, 3, more)
	_, ok = columns.Extra("_less")
	require.False(t, ok)
	row, err := r.Next()
	require.NoError(t, err)
	first, err := columns.Record(row)
	require.NoError(t, err)
	require.Equal(t, "m1", row.Text(more))
	row, err = r.Next()
	require.NoError(t, err)
	second, err := columns.Record(row)
	require.NoError(t, err)
	text, ok := first.Text("A")
	require.True(t, ok, "the first record stays what it is")
	require.Equal(t, `a "b"`, text)
	require.True(t, second.Has("A"))
	_, ok = second.Text("A")
	require.False(t, ok)
	require.NotEqual(t, first.ID, second.ID)
	require.Equal(t, []string{"A"}, second.Paths())

	for _, bad := range [][]string{{"A"}, {"Id", "Id"}, {"id"}, nil} {
		_, err := NewColumns(bad, Fields{})
		require.Equal(t, fault.Transient, fault.KindOf(err), bad)
	}
}

func TestZeroRecord(t *testing.T) {
	t.Parallel()
	var r Record
	require.False(t, r.Has("A"))
	_, ok := r.Text("A")
	require.False(t, ok)
	require.Empty(t, r.Paths())
	require.Equal(t, referenceDigest(r, []string{"A"}), r.Digest([]string{"A"}))
}

// referenceDigest is the encoding of digests written down once more, in full: they are
// stored, and no way of making them faster may change them.
func referenceDigest(r Record, paths []string) [32]byte {
	sorted := slices.Clone(paths)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var b bytes.Buffer
	part := func(s string) {
		var n [binary.MaxVarintLen64]byte
		b.Write(n[:binary.PutUvarint(n[:], uint64(len(s)))])
		b.WriteString(s)
	}
	for _, p := range sorted {
		part(p)
		text, there := r.Text(p)
		switch {
		case !r.Has(p):
			b.WriteByte('-')
		case !there:
			b.WriteByte('0')
		default:
			b.WriteByte('=')
			part(text)
		}
	}
	return sha256.Sum256(b.Bytes())
}

func TestDigestsStayWhatTheyAre(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	names := []string{"A", "B", "C", "Parent.A", "Parent.Owner.Name", "Long", "Id"}
	digesters := map[string]*Digester{}
	for range 500 {
		f, cells := Fields{}, map[string]string{"Id": randomID(rnd)}
		for _, name := range names[:6] {
			if rnd.IntN(4) > 0 {
				f[name] = TypeString
			}
			if rnd.IntN(4) > 0 {
				cells[name] = strings.Repeat("text ", rnd.IntN(4))
			}
		}
		if rnd.IntN(3) == 0 {
			cells["Long"] = strings.Repeat("x", []int{127, 128, 4000, 4096, 4097, 16_383, 16_384, 100_000}[rnd.IntN(8)])
		}
		rec, err := fromCSV(t, cells, f)
		require.NoError(t, err)
		paths := make([]string, rnd.IntN(8))
		for i := range paths {
			paths[i] = names[rnd.IntN(len(names))]
		}
		want := referenceDigest(rec, paths)
		require.Equal(t, want, rec.Digest(paths))
		key := strings.Join(paths, " ")
		if digesters[key] == nil {
			digesters[key] = NewDigester(paths)
		}
		require.Equal(t, want, digesters[key].Sum(rec), "used again for records of other shapes")
		require.Equal(t, want, digesters[key].Sum(rec))
	}
}

// The short ways lead where the long one does.
func TestShortWaysToCanonicalValues(t *testing.T) {
	t.Parallel()
	types := []FieldType{TypeString, TypeTextArea, TypeBoolean, TypeInt, TypeDouble, TypeDate, TypeDateTime, TypeTime, TypeAny, TypeReference, TypeAddress}
	check := func(s string) {
		for _, typ := range types {
			want, ok, wantErr := canonical(typ, s)
			got, err := appendCanonical([]byte("before"), typ, []byte(s))
			require.Equal(t, wantErr == nil, err == nil, "%s %q: %v %v", typ, s, wantErr, err)
			if err == nil {
				require.Equal(t, "before"+want, string(got), "%s %q", typ, s)
				require.Equal(t, ok, len(got) > len("before"))
			}
		}
	}
	for _, s := range []string{
		"", " ", "true", "TRUE", " false", "0", "-0", "-0.0", "0.0", "00", "1.", ".5", "-", "-.5", "007", "3.0", "10.00", "100", "0.50", "1e3", "+1", "1.2.3", "12345678901234567890",
		"123456789012345678", "12345678.901234567800", "2026-05-01", "2026-13-01", "2026-02-29T00:00:00.000Z", "2024-02-29T00:00:00.000Z", "2026-04-31T00:00:00.000Z", "2026-12-31T23:59:59.999+0000",
		"2026-12-31T24:00:00.000Z", "2026-12-31T23:60:00.000Z", "2026-12-31T23:59:60.000Z", "2026-00-10T00:00:00.000Z", "2026-01-00T00:00:00.000Z", "0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.000Z",
		"2026-12-31T23:59:59.000+0100", "2026-12-31T23:59:59Z", "2026-12-31T23:59:59.00Z", "2026-12-31T23:59:59.0000Z", "2026-12-31T23:59:59.000z", "2026-12-31 23:59:59.000Z", "2026-12-31T23:59:59.000Zx",
		"\r", "\n", "\r\n", "\r\r\n\n", "a\rb\r\nc\n", "\r\x00\n", "x\xff\r\ny", "\x00", "é\r", "\xc3",
	} {
		check(s)
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 20_000 {
		pieces := []string{"0", "1", "9", "00", ".", "-", "e", "+", "T", "Z", ":", "2026-05-01", "T07:25:37", ".000", "+0000", "\r", "\n", "\x00", "ü", "\xff", " ", "true"}
		var s string
		for range rnd.IntN(7) {
			s += pieces[rnd.IntN(len(pieces))]
		}
		check(s)
	}
}

func TestRecordTime(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(9, 9))
	for range 2000 {
		at := time.Unix(rnd.Int64N(250e9)-60e9, 0).UTC()
		rec, err := fromCSV(t, map[string]string{"Id": someGoodID, "D": at.Format("2006-01-02T15:04:05.000Z")}, Fields{"D": TypeDateTime})
		require.NoError(t, err)
		got, ok := rec.Time("D")
		require.True(t, ok)
		require.Equal(t, at, got)
	}
}

var someGoodID = To18(someID[:15])

// What encoding/json says a record is, this package's walk over it says too.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"Id":"` + someGoodID + `","A":"x\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83d\udc00\ude00\ud83dx","Parent":{"A":"y","Owner":null}}`,
		` { "Id" : "` + someGoodID + `" , "A" : 1.50 , "Parent" : null } `, `{"Id":"` + someGoodID + `","\u0041":{"z":[1,{"a":"}"}],"b":"\""},"Parent":{"Owner":{"A":true}}}`,
		`{"Id":"` + someGoodID + `","A":1,"A":"2","Parent":{"A":"1"},"Parent":{"B":"2"}}`, `{"Id":7}`, `[]`, `null`, `{}`, `{"Id":"` + someGoodID + `","Parent":[1]}`, "{\"Id\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	fields := Fields{"A": TypeString, "Parent.A": TypeAny, "Parent.Owner.A": TypeBoolean, "B": TypeAddress}
	f.Fuzz(func(t *testing.T, raw []byte) {
		rec, err := Decode(raw, fields)
		var top map[string]any
		if json.Unmarshal(raw, &top) != nil || top == nil {
			require.Error(t, err)
			return
		}
		if err != nil {
			require.Equal(t, fault.Record, fault.KindOf(err))
			return
		}
		if id, ok := top["Id"].(string); ok {
			require.Equal(t, To18(id), rec.ID)
		}
		parent, _ := top["Parent"].(map[string]any)
		owner, _ := parent["Owner"].(map[string]any)
		for path, level := range map[string]map[string]any{"A": top, "Parent.A": parent, "Parent.Owner.A": owner} {
			want, there := level["A"]
			text, isText := want.(string)
			switch got, has := rec.Text(path); {
			case there:
				require.True(t, rec.Has(path), path)
				require.Equal(t, want != nil && (!isText || strings.ReplaceAll(text, "\x00", "") != ""), has, path)
				if isText && path == "A" {
					require.Equal(t, canonicalText(text), got)
				}
			case level != nil:
				require.False(t, rec.Has(path), path)
			default:
				require.False(t, has, path)
			}
		}
	})
}
