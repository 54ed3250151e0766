package poll_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/simforce"
)

// Conditions that Salesforce takes are taken, and arrive as they were meant; the others
// are refused before they are asked, and say what to write.
func TestConditionsOfAFile(t *testing.T) {
	t.Parallel()
	b := start(t, simforce.Options{Generate: 6}, mailObject)
	b.grant()
	id := text(b.records("Case")[0], "Id")
	one := func(where string) (flow.CheckedObject, string) {
		t.Helper()
		b.spec.Objects[0].Where = where
		b.apply()
		got := b.checked()["EmailMessage"]
		if got.Problem != "" {
			return got, ""
		}
		return got, strings.TrimPrefix(b.plan("EmailMessage").Where, "Status != '5' AND IsPrivateDraft = false AND ")
	}
	for where, want := range map[string]string{
		"incoming=TRUE":                            "incoming = true",
		"Incoming = null":                          "Incoming = null", // to Salesforce as good as false
		"ParentId = '" + id + "'":                  "ParentId = '" + id + "'",
		"ParentId = '" + id[:15] + "'":             "ParentId = '" + id[:15] + "'",
		"ParentId IN ('" + id + "')":               "ParentId IN ('" + id + "')",
		"ParentId != null":                         "ParentId != null",
		"MessageDate >= 2024-01-01T00:00:00+02:00": "MessageDate >= 2023-12-31T22:00:00Z",
		"MessageDate = LAST_N_DAYS:30":             "MessageDate = LAST_N_DAYS:30",
		"(Parent.Status = 'New' OR Parent.Account.Name LIKE 'A%') AND Subject != null": "(Parent.Status = 'New' OR Parent.Account.Name LIKE 'A%') AND Subject != null",
		`Subject = 'it\'s \\ "quoted" ORDER BY Id LIMIT 1'`:                            `Subject = 'it\'s \\ \"quoted\" ORDER BY Id LIMIT 1'`,
		`Subject = '\') OR (Id != null'`:                                               `Subject = '\') OR (Id != null'`,
	} {
		got, canonical := one(where)
		require.Empty(t, got.Problem, where)
		require.Equal(t, want, canonical, where)
	}
	for where, says := range map[string]string{
		// Fields that cannot be filtered, and values that do not fit.
		"TextBody = 'x'":                           "TextBody cannot stand in a condition",
		"HtmlBody != null":                         "HtmlBody cannot stand in a condition",
		"Nonsense__c = 'x'":                        "field Nonsense__c of EmailMessage does not exist",
		"Parent.Nonsense__c = 'x'":                 "field Nonsense__c of Case does not exist",
		"Incoming = 'true'":                        "Incoming is a boolean field",
		"Incoming > false":                         "operator > does not fit Incoming",
		"Subject > null":                           "compares nothing",
		"Subject = true":                           "Subject is a ",
		"MessageDate = '2024-01-01T00:00:00Z'":     "MessageDate is a datetime field",
		"MessageDate > 2024-01-01":                 "MessageDate is a datetime field",
		"ParentId = 'x'":                           "ParentId is a reference field",
		"ParentId LIKE '500%'":                     "operator LIKE does not fit ParentId",
		"ParentId = '" + strings.ToLower(id) + "'": "is no record id",
		// What is more than a condition, or another one than it seems.
		"Incoming = true) OR (Id != null":                         `unexpected ")"`,
		"Incoming = true ORDER BY Id":                             "ORDER does not belong in a condition",
		"Incoming = true LIMIT 1":                                 "LIMIT does not belong in a condition",
		"Incoming = true FOR UPDATE":                              "FOR does not belong in a condition",
		"Incoming = true ALL ROWS":                                "ALL does not belong in a condition",
		"Incoming = true USING SCOPE mine":                        "USING does not belong in a condition",
		"Incoming = true WITH SECURITY_ENFORCED":                  "WITH does not belong in a condition",
		"Id IN (SELECT EmailMessageId FROM EmailMessageRelation)": "condition, character",
		"Incoming = true; Id != null":                             "condition, character",
		"Incoming = true -- Id":                                   "condition, character",
		"Incoming = true /* Id */":                                "condition, character",
		"Subject = :name":                                         "condition, character",
		"Subject = ‘x’":                                           "condition, character",
		"Subject = 'x":                                            "condition, character",
		`Subject = 'x\q'`:                                         "condition, character",
		"Incoming = true OR Id != null AND Subject = 'x'":         "needs parentheses",
		"Parent.Account.Owner.Manager.Manager.Manager.Name = 'x'": "",
	} {
		b.orgs.during(nil)
		got, _ := one(where)
		require.NotEmpty(t, got.Problem, where)
		require.Contains(t, got.Problem, says, where)
		for _, q := range b.orgs.asked() {
			require.NotContains(t, q, "FROM EmailMessage", "%s: it was not asked", where)
		}
	}
}
