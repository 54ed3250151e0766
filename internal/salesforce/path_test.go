package salesforce

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/soql"
)

func testDescribes(t *testing.T) DescribeFunc {
	t.Helper()
	objects := map[string]string{
		"EmailMessage": `{"name":"EmailMessage","label":"Email Message","keyPrefix":"02s","queryable":true,"replicateable":true,"fields":[
			{"name":"Id","type":"id","filterable":true},{"name":"TextBody","type":"textarea","filterable":false,"length":131072},
			{"name":"Incoming","type":"boolean","filterable":true},
			{"name":"ParentId","type":"reference","filterable":true,"referenceTo":["Case"],"relationshipName":"Parent"},
			{"name":"RelatedToId","type":"reference","referenceTo":["Account","Case"],"relationshipName":"RelatedTo","polymorphicForeignKey":true},
			{"name":"Survey__c","type":"reference","referenceTo":["Survey__c"],"relationshipName":"Survey__r"},
			{"name":"ActivityId","type":"reference","referenceTo":["Task"],"relationshipName":null},
			{"name":"Hidden__c","type":"reference","referenceTo":["Hidden__c"],"relationshipName":"Hidden__r"}]}`,
		"Case": `{"name":"Case","label":"Case","keyPrefix":"500","fields":[{"name":"CaseNumber","type":"string","filterable":true},
			{"name":"Priority","type":"picklist","filterable":true},{"name":"AccountId","type":"reference","referenceTo":["Account"],"relationshipName":"Account"},
			{"name":"OwnerId","type":"reference","referenceTo":["Group","User"],"relationshipName":"Owner","polymorphicForeignKey":true},
			{"name":"ParentId","type":"reference","referenceTo":["Case"],"relationshipName":"Parent"}]}`,
		"Account":   `{"name":"Account","label":"Account","keyPrefix":null,"fields":[{"name":"Name","type":"string","filterable":true}]}`,
		"Survey__c": `{"name":"Survey__c","fields":[{"name":"Score__c","type":"double","filterable":true}]}`,
	}
	return func(name string) (Object, error) {
		text, ok := objects[name]
		if !ok {
			return Object{}, fault.New(fault.Config, "object %s does not exist or is not visible to the integration user", name)
		}
		var o Object
		require.NoError(t, json.Unmarshal([]byte(text), &o))
		return o, nil
	}
}

func TestResolvePath(t *testing.T) {
	t.Parallel()
	describe := testDescribes(t)
	p, err := ResolvePath("EmailMessage", "parent.ACCOUNT.name", describe)
	require.NoError(t, err)
	require.Equal(t, "Parent.Account.Name", p.Text)
	require.Equal(t, "Account", p.Object)
	require.Equal(t, TypeString, p.Field.Type)
	require.Equal(t, []Relation{{"Parent", "ParentId", []string{"Case"}}, {"Account", "AccountId", []string{"Account"}}}, p.Relations)

	p, err = ResolvePath("EmailMessage", "textbody", describe)
	require.NoError(t, err)
	require.Equal(t, "TextBody", p.Text)
	require.Equal(t, 131072, p.Field.Length)
	require.Empty(t, p.Relations)

	p, err = ResolvePath("EmailMessage", "Parent.Owner.Name", describe)
	require.NoError(t, err)
	require.Equal(t, "Name", p.Object)
	require.Equal(t, []string{"Group", "User"}, p.Relations[1].Objects)

	_, err = ResolvePath("EmailMessage", "Parent.Parent.Parent.Parent.Parent.CaseNumber", describe)
	require.NoError(t, err, "five relations are allowed")
}

func TestResolvePathRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, message, hint string }{
		{"Foo", "field Foo of EmailMessage does not exist or is not visible to the integration user", "Read Access to Foo in a permission set (Object Settings, Email Message"},
		{"Survey", "field Survey of EmailMessage", "did you mean Survey__c"},
		{"Parent", "field Parent of EmailMessage", "Parent.Name"},
		{"Parent.Foo", "field Foo of Case does not exist or is not visible to the integration user (path Parent.Foo)", "Object Settings, Case"},
		{"ParentId.CaseNumber", "relation ParentId of EmailMessage", "write Parent instead of ParentId"},
		{"Survey__c.Score__c", "relation Survey__c", "write Survey__r instead"},
		{"Survey.Score__c", "relation Survey of", "write Survey__r instead"},
		{"Incoming.Name", "relation Incoming", "boolean field and leads to no other record"},
		{"Nothing.Name", "relation Nothing of EmailMessage", "end in __r"},
		{"RelatedTo.CaseNumber", "points to several kinds of record (Account, Case)", "Name"},
		{"Parent.Owner.Profile.Name", "points to several kinds", "offers only"},
		{"Hidden__r.Name", "object Hidden__c does not exist", ""},
		{"Parent.Parent.Parent.Parent.Parent.Parent.CaseNumber", "climbs 6 relations", "at most 5"},
		{"Parent.", "a name is empty", ""},
		{"Id FROM Case", "not a letter", ""},
	} {
		_, err := ResolvePath("EmailMessage", c.path, testDescribes(t))
		require.ErrorContains(t, err, c.message, c.path)
		require.Contains(t, fault.HintOf(err), c.hint, c.path)
		require.Equal(t, fault.Config, fault.KindOf(err), c.path)
	}
	_, err := ResolvePath("EmailMessage", "Parent.Priority", func(name string) (Object, error) {
		if name == "Case" {
			return Object{}, fault.New(fault.Transient, "describe did not answer")
		}
		return testDescribes(t)(name)
	})
	require.Equal(t, fault.Transient, fault.KindOf(err))
}

func TestConditionResolver(t *testing.T) {
	t.Parallel()
	resolve := ConditionResolver("EmailMessage", testDescribes(t))
	good, err := soql.Parse("Incoming = true AND Parent.Priority IN ('High', 'Low')")
	require.NoError(t, err)
	require.NoError(t, soql.Check(good, resolve))
	bad, err := soql.Parse("TextBody LIKE '%x%'")
	require.NoError(t, err)
	require.Equal(t, fault.Config, fault.KindOf(soql.Check(bad, resolve)))
}
