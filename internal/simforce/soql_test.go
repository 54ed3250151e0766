package simforce

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// corpus: statements the parser takes, with their canonical form.
var goodStatements = map[string]string{
	"select id from account":                                                       "SELECT id FROM account",
	"SELECT COUNT() FROM Case":                                                     "SELECT COUNT() FROM Case",
	"SELECT Id,Parent.Owner.Name FROM EmailMessage":                                "SELECT Id, Parent.Owner.Name FROM EmailMessage",
	"SELECT Id FROM Case WHERE (Status = 'New')":                                   "SELECT Id FROM Case WHERE Status = 'New'",
	"SELECT Id FROM Case WHERE NOT Status = 'New'":                                 "SELECT Id FROM Case WHERE NOT Status = 'New'",
	"SELECT Id FROM Case WHERE A=1 AND B=2 AND (C=3 OR D=4)":                       "SELECT Id FROM Case WHERE A = 1 AND B = 2 AND (C = 3 OR D = 4)",
	"SELECT Id FROM Case WHERE A=1 AND (NOT B=2)":                                  "SELECT Id FROM Case WHERE A = 1 AND (NOT B = 2)",
	"SELECT Id FROM Case WHERE S <> 'x'":                                           "SELECT Id FROM Case WHERE S != 'x'",
	"SELECT Id FROM Case WHERE S not  in ('a' ,'b')":                               "SELECT Id FROM Case WHERE S NOT IN ('a', 'b')",
	`SELECT Id FROM Case WHERE S LIKE 'a\_\%\\%'`:                                  `SELECT Id FROM Case WHERE S LIKE 'a\_\%\\%'`,
	`SELECT Id FROM Case WHERE S = 'it\'s\u0041\n'`:                                `SELECT Id FROM Case WHERE S = 'it\'sA\n'`,
	"SELECT Id FROM Case WHERE D > 2026-05-01T07:25:37Z":                           "SELECT Id FROM Case WHERE D > 2026-05-01T07:25:37.000Z",
	"SELECT Id FROM Case WHERE D > 2026-05-01T07:25:37.123Z":                       "SELECT Id FROM Case WHERE D > 2026-05-01T07:25:37.123Z",
	"SELECT Id FROM Case WHERE D > 2026-05-01T07:25:37+02:00":                      "SELECT Id FROM Case WHERE D > 2026-05-01T05:25:37.000Z",
	"SELECT Id FROM Case WHERE D = 2026-05-01":                                     "SELECT Id FROM Case WHERE D = 2026-05-01",
	"SELECT Id FROM Case WHERE D = last_n_days:7":                                  "SELECT Id FROM Case WHERE D = LAST_N_DAYS:7",
	"SELECT Id FROM Case WHERE D = today AND B = TRUE AND N = null AND X = -1.5e3": "SELECT Id FROM Case WHERE D = TODAY AND B = true AND N = null AND X = -1.5e3",
	"SELECT Id FROM Case ORDER BY A, B DESC NULLS LAST LIMIT 5 OFFSET 10":          "SELECT Id FROM Case ORDER BY A ASC NULLS FIRST, B DESC NULLS LAST LIMIT 5 OFFSET 10",
	"SELECT Id FROM Case WHERE Id not in(select A from B where C=1)":               "SELECT Id FROM Case WHERE Id NOT IN (SELECT A FROM B WHERE C = 1)",
	"SELECT\tId\nFROM\r\nCase":                                                     "SELECT Id FROM Case",
}

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range goodStatements {
		q, err := ParseQuery(in)
		require.NoError(t, err, in)
		require.Equal(t, want, q.String(), in)
		again, err := ParseQuery(q.String())
		require.NoError(t, err, q.String())
		require.Equal(t, want, again.String())
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for in, part := range map[string]string{
		"":                             "unexpected token: '<EOF>'",
		"SELECT Id, FROM Account":      "\nSELECT Id, FROM Account\n           ^\nERROR at Row:1:Column:12\nunexpected token: 'FROM'",
		"SELECT FROM Account":          "Column:8\nunexpected token: 'FROM'",
		"SELECT Id FROM":               "unexpected token: '<EOF>'",
		"SELECT Id FROM Case c":        "no object aliases",
		"SELECT Id x FROM Case":        "no field aliases",
		"SELECT Id FROM Case, Account": "reads from one object",
		"SELECT Id, (SELECT Id FROM Contacts) FROM Account":                    "no subqueries",
		"SELECT MAX(CreatedDate) FROM Case":                                    "no functions",
		"SELECT COUNT(Id) FROM Case":                                           "no aggregate but COUNT()",
		"SELECT COUNT(), Id FROM Case":                                         "unexpected token: ','",
		"SELECT FIELDS(ALL) FROM Case LIMIT 200":                               "no functions",
		"SELECT TYPEOF Owner WHEN User THEN Name END FROM Case":                "no TYPEOF",
		"SELECT Id FROM Case GROUP BY Status":                                  "no GROUP BY",
		"SELECT Id FROM Case WHERE A = 1 GROUP BY Status":                      "no GROUP BY",
		"SELECT Id FROM Case FOR UPDATE":                                       "no FOR VIEW",
		"SELECT Id FROM Case USING SCOPE mine":                                 "no USING SCOPE",
		"SELECT Id FROM Case WITH SECURITY_ENFORCED":                           "no WITH",
		"SELECT Id FROM Case ALL ROWS":                                         "no ALL ROWS",
		"SELECT Id FROM Case HAVING COUNT(Id) > 1":                             "no HAVING",
		"SELECT Id FROM Case WHERE A = 1 OR B = 2 AND C = 3":                   "unexpected token: 'AND'",
		"SELECT Id FROM Case WHERE A = 1 AND B = 2 OR C = 3":                   "unexpected token: 'OR'",
		"SELECT Id FROM Case WHERE A = 1 AND NOT B = 2":                        "unexpected token: 'NOT'",
		"SELECT Id FROM Case WHERE NOT A = 1 AND B = 2":                        "unexpected token: 'AND'",
		"SELECT Id FROM Case WHERE Id IN (SELECT Id FROM X":                    "unexpected token: '<EOF>'",
		"SELECT Id FROM Case WHERE Id IN (SELECT Id FROM X, 'a')":              "reads from one object",
		"SELECT Id FROM Case WHERE Id IN ()":                                   "unexpected token: ')'",
		"SELECT Id FROM Case WHERE M INCLUDES ('a')":                           "no INCLUDES",
		"SELECT Id FROM Case WHERE CALENDAR_YEAR(D) = 2026":                    "no functions",
		"SELECT Id FROM Case WHERE D = LAST_N_QUARTERS:2":                      "unexpected token: 'LAST_N_QUARTERS:2'",
		"SELECT Id FROM Case WHERE D = LAST_N_DAYS":                            "unexpected token",
		"SELECT Id FROM Case WHERE D = 2026-13-01T00:00:00Z":                   "unexpected token",
		"SELECT Id FROM Case WHERE S = \"x\"":                                  "unexpected token",
		"SELECT Id FROM Case WHERE S = 'x":                                     "unterminated string",
		`SELECT Id FROM Case WHERE S = 'a\q'`:                                  "Illegal character escape",
		"SELECT Id FROM Case WHERE S = :bind":                                  "unexpected token: ':'",
		"SELECT Id FROM Case WHERE S = “x”":                                    "no viable alternative",
		"SELECT Id FROM Case LIMIT 5 ORDER BY Id":                              "unexpected token: 'ORDER'",
		"SELECT Id FROM Case LIMIT x":                                          "unexpected token: 'x'",
		"SELECT Id FROM Case LIMIT -1":                                         "unexpected token: '-1'",
		"SELECT Id FROM Case WHERE (A = 1":                                     "unexpected token: '<EOF>'",
		"SELECT Id..X FROM Case":                                               "unexpected token: 'Id..X'",
		"SELECT Id FROM Case; DROP":                                            "unexpected token: ';'",
		"SELECT Id FROM Case WHERE S = '" + strings.Repeat("x", 4001) + "'":    "string literal too long",
		"SELECT Id FROM Case WHERE S = '" + strings.Repeat("x", 100_000) + "'": "can not be longer than 100000 characters",
	} {
		_, err := ParseQuery(in)
		var e *apiError
		require.True(t, errors.As(err, &e), in)
		require.Equal(t, "MALFORMED_QUERY", e.code, in)
		require.Equal(t, http.StatusBadRequest, e.status, in)
		require.Contains(t, e.message, part, in)
	}
	_, err := ParseQuery("SELECT Id FROM Case WHERE " + strings.Repeat("(", 1000) + "A=1" + strings.Repeat(")", 1000))
	require.ErrorContains(t, err, "QUERY_TOO_COMPLICATED")
}

func TestErrorPlaceInLongStatement(t *testing.T) {
	t.Parallel()
	b := start(t, Options{})
	code, message := b.query("SELECT Id, CaseNumber, Status, Priority, Bogus, Subject, Origin, Type, Reason, CreatedDate FROM Case WHERE Status = 'New'").error(t)
	require.Equal(t, "INVALID_FIELD", code)
	lines := strings.Split(message, "\n")
	require.Equal(t, "", lines[0])
	caret := strings.Index(lines[2], "^")
	require.True(t, strings.HasPrefix(lines[1][caret:], "Bogus"), message)
	require.GreaterOrEqual(t, caret, 24)
	require.LessOrEqual(t, caret, 32)
	require.Equal(t, "ERROR at Row:1:Column:42", lines[3])
	require.True(t, strings.HasPrefix(lines[4], "No such column 'Bogus' on entity 'Case'. If you are attempting to use a custom field"))
	require.Contains(t, "SELECT Id, CaseNumber, Status, Priority, Bogus, Subject, Origin, Type, Reason, CreatedDate FROM Case", lines[1])
}

func FuzzParse(f *testing.F) {
	for in := range goodStatements {
		f.Add(in)
	}
	f.Add("SELECT Id FROM Case WHERE A = 1 OR B = 2 AND C = 3")
	f.Add(`SELECT Id FROM Case WHERE S LIKE '\u00e4\\\'%' ORDER BY X NULLS FIRST`)
	f.Fuzz(func(t *testing.T, in string) {
		q, err := ParseQuery(in)
		if err != nil {
			return
		}
		again, err := ParseQuery(q.String())
		if err != nil {
			t.Fatalf("%q gave %q, which is refused: %v", in, q.String(), err)
		}
		if q.String() != again.String() {
			t.Fatalf("%q gave %q, then %q", in, q.String(), again.String())
		}
	})
}
