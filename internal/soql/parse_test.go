package soql

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
)

func TestParseRendersCanonically(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"Incoming = true", "Incoming = true"},
		{"  incoming=TRUE ", "incoming = true"},
		{"A<>1", "A != 1"},
		{"A = +007.50", "A = 7.5"},
		{"A = -.0", "A = 0"},
		{"A >= -12.25", "A >= -12.25"},
		{"A = null and B != NULL", "A = null AND B != null"},
		{"(A = 1)", "A = 1"},
		{"((A = 1 AND B = 2)) AND C = 3", "A = 1 AND B = 2 AND C = 3"},
		{"(A = 1 AND B = 2) OR C = 3", "(A = 1 AND B = 2) OR C = 3"},
		{"A = 1 AND (B = 2 OR (C = 3 OR D = 4))", "A = 1 AND (B = 2 OR C = 3 OR D = 4)"},
		{"not A = 1", "NOT A = 1"},
		{"NOT (A = 1 OR B = 2)", "NOT (A = 1 OR B = 2)"},
		{"(NOT A = 1) AND (NOT (B = 2 AND C = 3))", "(NOT A = 1) AND (NOT (B = 2 AND C = 3))"},
		{"NOT (NOT A = 1)", "NOT (NOT A = 1)"},
		{"Parent.Account.Owner.Name LIKE 'O\\'Br_en\\_%'", `Parent.Account.Owner.Name LIKE 'O\'Br_en\_%'`},
		{`A like '50\%\\x'`, `A LIKE '50\%\\x'`},
		{`A LIKE '\u005c'`, `A LIKE '\\'`},
		{`A = 'tab\there\u00e9\uD83D\uDE00\N'`, `A = 'tab\thereé😀\n'`},
		{`A = ''`, `A = ''`},
		{`Status in ('0','1' , 'a"b')`, `Status IN ('0', '1', 'a\"b')`},
		{"Status NOT\tIN (null, 'x')", "Status NOT IN (null, 'x')"},
		{"Topics__c includes ('a;b','c')", "Topics__c INCLUDES ('a;b', 'c')"},
		{"Topics__c EXCLUDES('a')", "Topics__c EXCLUDES ('a')"},
		{"CreatedDate >= 2026-05-01T09:25:37+02:00", "CreatedDate >= 2026-05-01T07:25:37Z"},
		{"CreatedDate < 2026-05-01t07:25:37.999z", "CreatedDate < 2026-05-01T07:25:37Z"},
		{"CreatedDate < 2026-05-01T07:25:37.000-0130", "CreatedDate < 2026-05-01T08:55:37Z"},
		{"ClosedOn__c = 2026-02-28", "ClosedOn__c = 2026-02-28"},
		{"CreatedDate = last_n_days:007", "CreatedDate = LAST_N_DAYS:7"},
		{"CreatedDate IN (TODAY, N_FISCAL_QUARTERS_AGO:2)", "CreatedDate IN (TODAY, N_FISCAL_QUARTERS_AGO:2)"},
	} {
		e, err := Parse(c.in)
		require.NoError(t, err, c.in)
		require.Equal(t, c.want, e.String(), c.in)
		again, err := Parse(e.String())
		require.NoError(t, err, c.in)
		require.Equal(t, e, again, c.in)
		require.NoError(t, validate(e), c.in)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, message, hint string }{
		{"", "the condition is empty", "Incoming = true"},
		{"Incoming", `condition, character 9: the field "Incoming" is compared with nothing`, "Incoming = true"},
		{"A = 1 AND B = 2 OR C = 3", "condition, character 17: OR after AND needs parentheses", "(a AND b) OR c"},
		{"A = 1 OR B = 2 AND C = 3", "character 16: AND after OR needs parentheses", ""},
		{"A = 1 AND NOT B = 2", "character 11: NOT after AND needs parentheses", "AND (NOT …)"},
		{"NOT A = 1 OR B = 2", "character 11: OR after NOT needs parentheses", "(NOT …) OR"},
		{"NOT NOT A = 1", "character 5: NOT after NOT needs parentheses", ""},
		{"A NOT LIKE 'x'", "character 3: NOT between a field", "(NOT A …)"},
		{"A == 1", `character 3: unknown operator "=="`, ""},
		{"A IS null", "character 3: IS is not a SOQL operator", "A = null"},
		{"A between 1 and 2", "character 3: BETWEEN is not", "A >= a"},
		{`A = "x"`, `character 5: unexpected`, "single quotes"},
		{"A = ‘x’", `character 5: unexpected "‘"`, "straight single quotes"},
		{"ä = 1", `character 1: unexpected "ä"`, ""},
		{"A = 'x", "character 5: the string that begins here has no closing quote", ""},
		{`A = 'x\'`, "has no closing quote", ""},
		{`A = 'x\q'`, `unknown escape \q`, `\\ for a backslash`},
		{`A = 'x\%'`, "means something in LIKE only", ""},
		{`A = '\u12'`, "four hex digits", ""},
		{`A = '\uD83D'`, "four hex digits", ""},
		{"A = '" + strings.Repeat("x", 4001) + "'", "4001 characters", ""},
		{"A = 2026-02-30", "not a day of the calendar", ""},
		{"A = 2026-02-28T25:00:00Z", "not an instant", ""},
		{"A = 2026-02-28T10:00:00", "not an instant", "07:25:37Z"},
		{"A = 1.2.3", `"1.2.3" is not a literal`, ""},
		{"A = 1e5", `"1e5" is not a literal`, ""},
		{"A = USD5000", "the currency literal", ""},
		{"A = Acme", "neither a literal nor a date literal", "single quotes"},
		{"A = LAST_N_DAYS", "LAST_N_DAYS needs a number", "LAST_N_DAYS:7"},
		{"A = TODAY:3", "TODAY takes no number", ""},
		{"A = LAST_N_DAYS:0", "above zero", ""},
		{"A = :name", "bind variables", ""},
		{"A IN (SELECT Id FROM B)", "character 7: a subquery (semi-join) is not supported", ""},
		{"A = (SELECT Id FROM B)", "where a value should stand", ""},
		{"A IN ()", "where a value should stand", ""},
		{"A IN 'x'", "IN needs a list in parentheses", ""},
		{"A IN ('x'", "character 6: the list that opens here is not closed", ""},
		{"A INCLUDES (1)", "INCLUDES takes strings, not a number", ""},
		{"A LIKE 3", "LIKE needs a string", ""},
		{"CALENDAR_YEAR(A) = 2026", `the function "CALENDAR_YEAR"() is not supported`, ""},
		{"A = convertCurrency(5)", "is not supported", ""},
		{"WHERE A = 1", "WHERE does not belong in a condition", "leave the word"},
		{"SELECT Id FROM A", "SELECT does not belong", ""},
		{"A = 1 ORDER BY A", "character 7: ORDER does not belong in a condition", ""},
		{"A = 1 LIMIT 5", "LIMIT does not belong", ""},
		{"A = 1 ALL ROWS", "ALL does not belong", ""},
		{"A = 1 B = 2", `character 7: unexpected "B"`, "AND or OR"},
		{"(A = 1", "character 1: the parenthesis that opens here is not closed", ""},
		{"A = 1)", `character 6: unexpected ")"`, ""},
		{"A = 1 && B = 2", `unexpected "&"`, "AND or OR"},
		{"A = 1;", `unexpected ";"`, ""},
		{"= 1", "where a field should stand", ""},
		{"AND A = 1", "unexpected AND where a field should stand", ""},
		{"A.B.C.D.E.F.G = 1", "climbs 6 relations", "at most 5"},
		{"A..B = 1", "a name is empty", ""},
		{"1 = A", "where a field should stand", ""},
		{strings.Repeat("(", 60) + "A = 1" + strings.Repeat(")", 60), "more than 50 parentheses", ""},
		{"A = '" + strings.Repeat("x", 20000) + "'", "bytes, more than 20000", ""},
		{"A = '\xff'", "not UTF-8", ""},
	} {
		e, err := Parse(c.in)
		require.Error(t, err, c.in)
		require.Nil(t, e)
		require.Equal(t, fault.Invalid, fault.KindOf(err), c.in)
		require.ErrorContains(t, err, c.message, c.in)
		require.Contains(t, fault.HintOf(err), c.hint, c.in)
		require.Less(t, len(err.Error()), 400, c.in)
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	e, err := Parse("(B = 1 OR A.C IN ('x')) AND (NOT B != 2)")
	require.NoError(t, err)
	require.Equal(t, []string{"A.C", "B"}, e.Paths())
}

func TestCheck(t *testing.T) {
	t.Parallel()
	fields := map[string]FieldInfo{
		"Incoming": {Type: "boolean", Filterable: true}, "Subject": {Type: "string", Filterable: true}, "TextBody": {Type: "textarea", Filterable: false},
		"CreatedDate": {Type: "datetime", Filterable: true}, "Due": {Type: "date", Filterable: true}, "Score": {Type: "double", Filterable: true}, "ParentId": {Type: "reference", Filterable: true},
		"Topics": {Type: "multipicklist", Filterable: true}, "Address": {Type: "address", Filterable: true}, "Parent.Status": {Type: "picklist", Filterable: true},
	}
	resolve := func(path string) (FieldInfo, error) {
		if path == "Away" {
			return FieldInfo{}, fault.New(fault.Transient, "describe did not answer")
		}
		f, ok := fields[path]
		if !ok {
			return f, fault.New(fault.Config, "field %s does not exist", path)
		}
		return f, nil
	}
	for _, c := range []struct{ in, message string }{
		{"Incoming = true AND Subject LIKE 'a%' AND CreatedDate > LAST_N_DAYS:3 AND Due = 2026-01-01", ""},
		{"Score IN (1, 2.5) AND ParentId = '500000000000001AAA' AND Topics INCLUDES ('a;b') AND Parent.Status != null", ""},
		{"Address = 'anything'", ""},
		{"Incoming = 'true'", "boolean field and cannot be compared with a string"},
		{"Incoming > true", "operator > does not fit"},
		{"Incoming IN (true)", "operator IN does not fit"},
		{"Subject = 5", "string field and cannot be compared with a number"},
		{"Subject > null", "null compares nothing"},
		{"TextBody LIKE '%x%'", "Salesforce does not filter this field"},
		{"CreatedDate > '2026-01-01T00:00:00Z'", "datetime field and cannot be compared with a string"},
		{"CreatedDate > 2026-01-01", "cannot be compared with a date"},
		{"Due = 2026-01-01T00:00:00Z", "cannot be compared with a datetime"},
		{"ParentId = 'zzz'", "reference field"},
		{"ParentId LIKE '500%'", "LIKE does not fit"},
		{"Topics IN ('a')", "IN does not fit"},
		{"Subject INCLUDES ('a')", "INCLUDES does not fit"},
		{"Missing = 1", "field Missing does not exist"},
	} {
		e, err := Parse(c.in)
		require.NoError(t, err, c.in)
		err = Check(e, resolve)
		if c.message == "" {
			require.NoError(t, err, c.in)
			continue
		}
		require.ErrorContains(t, err, c.message, c.in)
		require.Equal(t, fault.Config, fault.KindOf(err), c.in)
	}

	e, err := Parse("Missing = 1 AND Incoming = 3")
	require.NoError(t, err)
	err = Check(e, resolve)
	require.ErrorContains(t, err, "Missing")
	require.ErrorContains(t, err, "Incoming", "both problems are told at once")

	e, err = Parse("Missing = 1 AND Away = 3")
	require.NoError(t, err)
	require.Equal(t, fault.Transient, fault.KindOf(Check(e, resolve)), "a look-up that did not get through is not a wrong condition")
	require.NoError(t, Check(nil, resolve))
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"Incoming = true", "A = 1 AND (B = 2 OR C LIKE 'x\\_%')", "NOT (A IN ('a', null))", `A = '\u00e9\\\''`,
		"A INCLUDES ('a;b') OR B > 2026-05-01T07:25:37Z OR C = LAST_N_DAYS:3", `A LIKE '\\\\\%\''`, "A = -0.50",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		e, err := Parse(in)
		if err != nil {
			var fe *fault.Error
			if !errors.As(err, &fe) || fe.Kind != fault.Invalid {
				t.Fatalf("error is not Invalid: %v", err)
			}
			return
		}
		text := e.String()
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("%q rendered as %q, which does not parse: %v", in, text, err)
		}
		require.Equal(t, e, again)
		require.Equal(t, text, again.String())
		require.NoError(t, validate(e))
	})
}
