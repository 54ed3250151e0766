package salesforce_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/csv"
	"salesforcesync/internal/salesforce"
)

// mailFields are 25 columns of a mail: an eighth of a kilobyte of short values, 2 KB of text,
// 6 KB of HTML.
var mailFields = salesforce.Fields{
	"Id": salesforce.TypeID, "SystemModstamp": salesforce.TypeDateTime, "IsDeleted": salesforce.TypeBoolean, "CreatedDate": salesforce.TypeDateTime, "Subject": salesforce.TypeString,
	"TextBody": salesforce.TypeTextArea, "HtmlBody": salesforce.TypeTextArea, "FromAddress": salesforce.TypeEmail, "FromName": salesforce.TypeString, "ToAddress": salesforce.TypeString,
	"CcAddress": salesforce.TypeString, "BccAddress": salesforce.TypeString, "Incoming": salesforce.TypeBoolean, "Status": salesforce.TypePicklist, "MessageDate": salesforce.TypeDateTime,
	"ParentId": salesforce.TypeReference, "ThreadIdentifier": salesforce.TypeString, "MessageIdentifier": salesforce.TypeString, "Headers": salesforce.TypeTextArea,
	"HasAttachment": salesforce.TypeBoolean, "Score__c": salesforce.TypeDouble, "Parent.CaseNumber": salesforce.TypeString, "Parent.Priority": salesforce.TypePicklist,
	"Parent.Status": salesforce.TypePicklist, "Parent.Account.Name": salesforce.TypeString,
}

func mail(path string, i int) string {
	switch path {
	case "Id":
		return salesforce.To18(fmt.Sprintf("02sdM%010d", i))
	case "TextBody":
		return strings.Repeat("Please find attached the signed contract. Grüße\n", 42)
	case "HtmlBody":
		return strings.Repeat(`<p class="MsoNormal" style="margin:0cm">Please find attached the signed contract. Regards</p>`+"\r\n", 63)
	case "CcAddress", "BccAddress", "Headers":
		return ""
	case "Score__c":
		return "3.0"
	}
	switch mailFields[path] {
	case salesforce.TypeDateTime:
		return "2026-05-01T07:25:37.000Z"
	case salesforce.TypeBoolean:
		return "false"
	}
	return "short value " + path
}

// What reading records costs by both ways, digests included. 300,000 such mails are 2.5 GB.
func BenchmarkRecords(b *testing.B) {
	const n = 1000
	paths := make([]string, 0, len(mailFields))
	for path := range mailFields {
		paths = append(paths, path)
	}
	var page []byte
	var rows []json.RawMessage
	for i := -1; i < n; i++ {
		object := map[string]any{}
		for k, path := range paths {
			if k > 0 {
				page = append(page, ',')
			}
			if i < 0 {
				page = csv.AppendCell(page, path)
				continue
			}
			text := mail(path, i)
			page = csv.AppendCell(page, text)
			level := object
			for at := strings.Split(path, "."); ; at = at[1:] {
				if len(at) == 1 {
					level[at[0]] = text
					break
				}
				if level[at[0]] == nil {
					level[at[0]] = map[string]any{}
				}
				level = level[at[0]].(map[string]any)
			}
		}
		page = append(page, '\n')
		if i >= 0 {
			raw, err := json.Marshal(object)
			require.NoError(b, err)
			rows = append(rows, raw)
		}
	}
	each := func(b *testing.B, read func(func(salesforce.Record) error) error) {
		b.SetBytes(int64(len(page)))
		b.ReportAllocs()
		for b.Loop() {
			seen := 0
			err := read(func(r salesforce.Record) error {
				if text, _ := r.Text("HtmlBody"); len(text) < 5000 {
					return errors.New("a short text")
				}
				seen++
				return nil
			})
			if err != nil || seen != n {
				b.Fatal(seen, err)
			}
		}
	}
	bulk := func(f salesforce.Fields, each func(salesforce.Record) error) error {
		r := csv.NewBytesReader(page)
		header, err := r.Header()
		if err != nil {
			return err
		}
		columns, err := salesforce.NewColumns(header, f)
		if err != nil {
			return err
		}
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			rec, err := columns.Record(row)
			if err == nil {
				err = each(rec)
			}
			if err != nil {
				return err
			}
		}
	}
	rest := func(each func(salesforce.Record) error) error {
		shape := mailFields.Shape()
		for _, raw := range rows {
			rec, err := shape.Decode(raw)
			if err == nil {
				err = each(rec)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	whole, text := salesforce.NewDigester(paths), salesforce.NewDigester([]string{"Subject", "TextBody", "HtmlBody"})
	digest := func(then func(salesforce.Record) error) func(salesforce.Record) error {
		return func(r salesforce.Record) error {
			if whole.Sum(r) == text.Sum(r) {
				return errors.New("two digests are one")
			}
			return then(r)
		}
	}
	b.Run("csv", func(b *testing.B) {
		each(b, func(f func(salesforce.Record) error) error { return bulk(mailFields, f) })
	})
	b.Run("csv and two digests", func(b *testing.B) {
		each(b, func(f func(salesforce.Record) error) error { return bulk(mailFields, digest(f)) })
	})
	b.Run("json", func(b *testing.B) {
		each(b, rest)
	})
	b.Run("json and two digests", func(b *testing.B) {
		each(b, func(f func(salesforce.Record) error) error { return rest(digest(f)) })
	})
	b.Run("id and stamp", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		b.ReportAllocs()
		for b.Loop() {
			if err := bulk(salesforce.Fields{"SystemModstamp": salesforce.TypeDateTime}, func(r salesforce.Record) error {
				if _, ok := r.Time("SystemModstamp"); !ok {
					return errors.New("no stamp")
				}
				return nil
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
