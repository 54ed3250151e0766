package salesforce_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/csv"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/simforce"
)

// records reads all records of an object over REST or over Bulk, by Id.
func (s *simulated) records(t *testing.T, bulk bool, q string, f salesforce.Fields) map[string]salesforce.Record {
	t.Helper()
	out := map[string]salesforce.Record{}
	if !bulk {
		page, err := s.Query(t.Context(), q, salesforce.QueryOptions{All: true})
		require.NoError(t, err)
		shape := f.Shape()
		for {
			for _, raw := range page.Rows {
				rec, err := shape.Decode(raw)
				require.NoError(t, err)
				out[rec.ID] = rec
			}
			if page.Done {
				return out
			}
			page, err = s.QueryNext(t.Context(), page.NextRecordsURL, salesforce.QueryOptions{})
			require.NoError(t, err)
		}
	}
	job := s.job(t, q)
	require.NoError(t, s.JobResults(t.Context(), job.ID, "", 0, func(p salesforce.Results) error {
		r := csv.NewReader(p.Body, csv.Options{})
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
			if err != nil {
				return err
			}
			out[rec.ID] = rec
		}
	}))
	return out
}

// One record of the simulator, read over REST and over Bulk, is one Record with one digest:
// every type of field, of the record and of its parents.
func TestRESTAndBulkGiveTheSameRecords(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 150, MatchRecipients: true, Objects: []simforce.Object{{
		Name: "Everything__c", KeyPrefix: "a0E", Fields: []*simforce.Field{
			{Name: "Text__c", Type: simforce.TypeString}, {Name: "Long__c", Type: simforce.TypeTextarea, Length: 32_000}, {Name: "Html__c", Type: simforce.TypeTextarea, HTML: true, Length: 32_000},
			{Name: "Check__c", Type: simforce.TypeBoolean}, {Name: "Int__c", Type: simforce.TypeInt}, {Name: "Double__c", Type: simforce.TypeDouble}, {Name: "Money__c", Type: simforce.TypeCurrency},
			{Name: "Percent__c", Type: simforce.TypePercent}, {Name: "Date__c", Type: simforce.TypeDate}, {Name: "At__c", Type: simforce.TypeDatetime}, {Name: "Time__c", Type: simforce.TypeTime},
			{Name: "Pick__c", Type: simforce.TypePicklist}, {Name: "Many__c", Type: simforce.TypeMultipicklist}, {Name: "Mail__c", Type: simforce.TypeEmail}, {Name: "Phone__c", Type: simforce.TypePhone},
			{Name: "Link__c", Type: simforce.TypeURL}, {Name: "Secret__c", Type: simforce.TypeEncrypted},
			{Name: "Case__c", Type: simforce.TypeReference, ReferenceTo: []string{"Case"}, Relationship: "Case__r"},
		},
	}}})
	cases, err := s.sim.Records("", "Case")
	require.NoError(t, err)
	rnd := rand.New(rand.NewPCG(21, 22))
	words := []string{"a", "é", "😀", `"`, `""`, `\`, ",", ";", "\t", "<b>", "&amp;", "null", "N/A", "\u2028", "\n", "\r\n", "\r"}
	text := func() any {
		var b strings.Builder
		for range rnd.IntN(9) {
			b.WriteString(words[rnd.IntN(len(words))])
		}
		return b.String()
	}
	at := func() time.Time { return time.Unix(rnd.Int64N(2e9), 0).UTC() }
	for range 150 {
		fields := simforce.Row{}
		for name, make := range map[string]func() any{
			"Text__c": text, "Long__c": text, "Html__c": text, "Check__c": func() any { return rnd.IntN(2) == 0 }, "Int__c": func() any { return rnd.IntN(2e9) - 1e9 },
			"Double__c": func() any { return float64(rnd.IntN(2e9)-1e9) / 1000 }, "Money__c": func() any { return float64(rnd.IntN(2e9)) * 1e3 }, "Percent__c": func() any { return float64(rnd.IntN(1000)) / 1e6 },
			"Date__c": func() any { return at().Format(time.DateOnly) }, "At__c": func() any { return at().Format("2006-01-02T15:04:05Z") }, "Time__c": func() any { return at().Format("15:04:05.000Z") },
			"Many__c": func() any { return "a;b" }, "Mail__c": func() any { return "a@b.example" }, "Case__c": func() any { return cases[rnd.IntN(len(cases))]["Id"] },
		} {
			if rnd.IntN(4) > 0 {
				fields[name] = make()
			}
		}
		_, err := s.sim.CreateRecord("Everything__c", simforce.Write{Fields: fields})
		require.NoError(t, err, fmt.Sprint(fields))
	}
	types := map[salesforce.FieldType]bool{}
	for object, parents := range map[string][]string{
		"Everything__c": {"Case__r.CaseNumber", "Case__r.Description", "Case__r.CreatedDate", "Case__r.Account.NumberOfEmployees", "Case__r.IsClosed"},
		"EmailMessage":  {"Parent.CaseNumber", "Parent.Account.Name", "Parent.Owner.Name", "RelatedTo.Name"},
		"Case":          {"Account.Name", "Contact.Email", "Owner.Name"}, "Account": nil, "Contact": {"Account.Name"}, "User": nil, "Task": nil, "EmailMessageRelation": nil,
		"Survey_Response__c": {"Case__r.Subject"}, "CaseHistory": nil,
	} {
		describe := func(name string) (salesforce.Object, error) { return s.Describe(t.Context(), name) }
		o, err := describe(object)
		require.NoError(t, err)
		f := salesforce.Fields{}
		for _, field := range o.Fields {
			if !field.Type.Compound() && field.Type != salesforce.TypeBase64 {
				f[field.Name] = field.Type
			}
		}
		for _, path := range parents {
			p, err := salesforce.ResolvePath(object, path, describe)
			require.NoError(t, err)
			f[p.Text] = p.Field.Type
		}
		var names []string
		for name, typ := range f {
			names = append(names, name)
			types[typ] = true
		}
		slices.Sort(names)
		q := "SELECT " + strings.Join(names, ", ") + " FROM " + object
		rest, bulk := s.records(t, false, q, f), s.records(t, true, q, f)
		require.Len(t, bulk, len(rest), object)
		d := salesforce.NewDigester(names)
		for id, want := range rest {
			got, there := bulk[id]
			require.True(t, there)
			for _, name := range names {
				a, aSet := want.Text(name)
				b, bSet := got.Text(name)
				require.Equal(t, []any{want.Has(name), aSet, a}, []any{got.Has(name), bSet, b}, "%s.%s of %s", object, name, id)
			}
			require.Equal(t, want, got)
			require.Equal(t, d.Sum(want), d.Sum(got))
		}
	}
	for _, typ := range []salesforce.FieldType{salesforce.TypeInt, salesforce.TypeDouble, salesforce.TypeCurrency, salesforce.TypePercent, salesforce.TypeDate, salesforce.TypeDateTime,
		salesforce.TypeTime, salesforce.TypeBoolean, salesforce.TypeAny, salesforce.TypeMultiPicklist, salesforce.TypeReference, salesforce.TypeID, salesforce.TypeTextArea} {
		require.True(t, types[typ], typ)
	}
}
