package operate

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// knowing is a store that is asked what is sensitive, and nothing else.
type knowing struct {
	Store
	known store.Sensitive
}

func (k knowing) Sensitive(context.Context, string) (store.Sensitive, error) { return k.known, nil }

// What of a file would show what a source keeps back, and what would not.
func TestFilesThatUnveil(t *testing.T) {
	t.Parallel()
	contact := config.Object{Object: "Case", Preset: config.PresetCase, Where: "Priority = 'High'", Properties: []config.Property{
		{Name: "Salary", Path: "Contact.Salary__c"}, {Name: "Pension", Path: "Contact.Pension__c"}, {Name: "Reason", Path: "Reason"}, {Name: "Shown", Path: "Contact.Salary__c"}}}
	file := config.Integration{Project: "support", Integration: "prod", Source: "mail", Objects: []config.Object{contact},
		Destination: &config.Destination{Endpoint: "https://tenant.example", Project: "p", Source: "s"}}
	other := config.Integration{Project: "support", Integration: "other", Source: "open", Objects: []config.Object{{Object: "Task", Preset: config.PresetTask}}}
	earlier := file
	earlier.Objects = []config.Object{{Object: "Case", Fields: config.FieldMap{}, Properties: []config.Property{{Name: "Pension", Path: "Contact.Old__c"}}}}
	hand := &Hand{Store: knowing{known: store.Sensitive{
		Properties: map[string][]string{"mail": {"Salary", "string:Pension", "Case Origin"}, "closed": {"Salary", "Wage", "string:Half", "Both", "Case Origin", "Pension"}},
		Files:      []config.Integration{file, other, earlier},
		InForce:    map[string]config.Integration{"prod": file, "other": other}}}}
	property := func(name, path string) func(*config.Integration) {
		return func(f *config.Integration) {
			f.Objects[0].Properties = append(f.Objects[0].Properties, config.Property{Name: name, Path: path})
		}
	}
	for name, c := range map[string]struct {
		of     config.Integration
		change func(*config.Integration)
		want   string // of the error; "" = it may be applied
	}{
		"as it is":                       {file, func(*config.Integration) {}, ""},
		"a property less":                {file, func(f *config.Integration) { f.Objects[0].Properties = f.Objects[0].Properties[:1] }, ""},
		"another field":                  {file, property("Phone", "Contact.Phone"), ""},
		"under another name":             {file, property("Pay", "Contact.Salary__c"), "here Pay"},
		"spelt in another way":           {file, property("Pay", "contact.SALARY__C"), "here Pay"},
		"a field of an earlier file":     {file, property("Old", "Contact.Old__c"), "sensitive property Pension"},
		"another way to the field":       {file, property("Pay", "Contact.Account.Owner.Salary__c"), "here Pay"},
		"a preset's property renamed":    {file, property("From", "Origin"), "sensitive property Case Origin"},
		"a preset's property elsewhere":  {file, property("Origin", "Parent.Origin"), ""},
		"as the text":                    {file, func(f *config.Integration) { f.Objects[0].Fields = config.FieldMap{"body": "Contact.Salary__c"} }, "here body"},
		"in a condition":                 {file, func(f *config.Integration) { f.Objects[0].Where = "Contact.Pension__c > 5000" }, "here where: Contact.Pension__c > 5000"},
		"in another condition":           {file, func(f *config.Integration) { f.Objects[0].Where = "Priority = 'Low'" }, ""},
		"an object of another":           {other, property("Pay", "What.Salary__c"), "here Pay"},
		"to a source that hides nothing": {file, func(f *config.Integration) { f.Source = "open2"; f.Destination = nil }, "which is none of support/open2"},
		"to a source that hides it": {file, func(f *config.Integration) {
			f.Source, f.Destination = "closed", nil
			f.Objects[0].Properties = []config.Property{{Name: "Wage", Path: "Contact.Salary__c"}}
		}, ""},
		"hidden if it is a text": {file, func(f *config.Integration) {
			f.Source, f.Destination = "closed", nil
			f.Objects[0].Properties = []config.Property{{Name: "Half", Path: "Contact.Salary__c"}}
		}, "here Half"},
		"another tenant": {file, func(f *config.Integration) {
			f.Destination = &config.Destination{Endpoint: "https://mine.example", Project: "p", Source: "s"}
		}, "a destination is sent the sensitive properties of support/mail"},
		"the same tenant, new token": {file, func(f *config.Integration) {
			f.Destination = &config.Destination{Endpoint: "https://tenant.example", Project: "p", Source: "s", Token: "t"}
		}, ""},
		"a tenant less":                {file, func(f *config.Integration) { f.Destination = nil }, ""},
		"its tenant for another":       {other, func(f *config.Integration) { f.Source, f.Destination = "closed", file.Destination }, "a destination is sent"},
		"a tenant where nothing hides": {other, func(f *config.Integration) { f.Destination = file.Destination }, ""},
		"a new one":                    {file, func(f *config.Integration) { f.Integration, f.Source, f.Destination = "second", "second", nil }, "which is none of support/second"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := c.of
			spec.Objects = slices.Clone(spec.Objects)
			spec.Objects[0].Properties = slices.Clone(spec.Objects[0].Properties)
			c.change(&spec)
			err := hand.keepVeiled(t.Context(), spec)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.True(t, fault.Is(err, fault.Forbidden), err)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "needs the permission sources-read-sensitive on project support")
		})
	}
}
