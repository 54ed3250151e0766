package salesforce

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	c, _, _ := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/services/data/v66.0/sobjects/":
			_, _ = io.WriteString(w, `{"encoding":"UTF-8","sobjects":[{"name":"Case","keyPrefix":"500","queryable":true},{"name":"Odd","keyPrefix":null}]}`)
		case "/services/data/v66.0/sobjects/Case/describe":
			w.Header().Set("Last-Modified", "Mon, 23 Nov 2026 10:00:00 GMT")
			if r.Header.Get("If-Modified-Since") == "Mon, 23 Nov 2026 10:00:00 GMT" {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = io.WriteString(w, `{"name":"Case","keyPrefix":"500","queryable":true,"replicateable":true,"fields":[{"name":"Id","type":"id","filterable":true,"extra":1}],
				"childRelationships":[{"childSObject":"EmailMessage","field":"ParentId","relationshipName":"EmailMessages","cascadeDelete":true}]}`)
		case "/services/data/v66.0/sobjects/Strange/describe":
			_, _ = io.WriteString(w, `{}`)
		default:
			w.WriteHeader(404)
			_, _ = io.WriteString(w, errorList("NOT_FOUND", "The requested resource does not exist"))
		}
	})
	all, err := c.DescribeGlobal(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ObjectSummary{{Name: "Case", KeyPrefix: "500", Queryable: true}, {Name: "Odd"}}, all)

	o, err := c.Describe(t.Context(), "Case")
	require.NoError(t, err)
	require.True(t, o.Queryable && o.Replicateable && o.ChildRelationships[0].CascadeDelete)
	f, ok := o.Field("ID")
	require.True(t, ok)
	require.Equal(t, TypeID, f.Type)

	again, modified, err := c.DescribeIfModified(t.Context(), "Case", o.LastModified)
	require.NoError(t, err)
	require.False(t, modified)
	require.Empty(t, again.Name)

	_, err = c.Describe(t.Context(), "Hidden__c")
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.ErrorContains(t, err, "object Hidden__c does not exist or is not visible to the integration user")
	require.Contains(t, fault.HintOf(err), "View All")
	_, err = c.Describe(t.Context(), "Strange")
	require.Equal(t, fault.Transient, fault.KindOf(err))
	_, err = c.Describe(t.Context(), "../../oauth2/userinfo")
	require.Equal(t, fault.Config, fault.KindOf(err))
}

func TestOrgCalls(t *testing.T) {
	t.Parallel()
	c, g, _ := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/services/data/v66.0/limits":
			_, _ = io.WriteString(w, `{"DailyApiRequests":{"Max":15000,"Remaining":14976,"Ant Migration Tool":{"Max":0,"Remaining":0}}}`)
		case "/services/oauth2/userinfo":
			if r.Header.Get("Authorization") == "Bearer token-1" {
				w.WriteHeader(403)
				_, _ = io.WriteString(w, "Bad_OAuth_Token")
				return
			}
			_, _ = io.WriteString(w, `{"user_id":"005dM00000aYf0q","organization_id":"00DdM00000vFGtU","preferred_username":"a@b.c","active":true}`)
		case "/services/data":
			require.Empty(t, r.Header.Get("Authorization"))
			_, _ = io.WriteString(w, `[{"label":"Spring '26","url":"/services/data/v66.0","version":"66.0"}]`)
		}
	})
	limits, err := c.Limits(t.Context())
	require.NoError(t, err)
	require.Equal(t, Limit{15000, 14976}, limits["DailyApiRequests"])
	user, err := c.UserInfo(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, g.refreshes)
	require.Equal(t, UserInfo{UserID: To18("005dM00000aYf0q"), OrgID: To18("00DdM00000vFGtU"), Username: "a@b.c", Active: true}, user)
	versions, err := c.Versions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Version{{"Spring '26", "66.0"}}, versions)
}

func TestReplication(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	id := To18("500dM00003jU9Gx")
	c, _, _ := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "2026-11-23T09:00:00+00:00", r.URL.Query().Get("start"))
		require.Equal(t, "2026-11-23T10:00:00+00:00", r.URL.Query().Get("end"))
		switch r.URL.Path {
		case "/services/data/v66.0/sobjects/Case/updated/":
			_, _ = io.WriteString(w, `{"ids":["`+id+`"],"latestDateCovered":"2026-11-23T09:58:00.000+0000"}`)
		case "/services/data/v66.0/sobjects/Case/deleted/":
			_, _ = io.WriteString(w, `{"deletedRecords":[{"id":"`+id+`","deletedDate":"2026-11-23T09:13:19.000+0000"}],"earliestDateAvailable":"2026-11-08T00:00:00.000+0000","latestDateCovered":"2026-11-23T09:59:00.000+0000"}`)
		default:
			_, _ = io.WriteString(w, `{"ids":["nonsense"],"deletedRecords":[{"id":"x","deletedDate":"never"}]}`)
		}
	})
	up, err := c.Updated(t.Context(), "Case", from, from.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, Updated{[]string{id}, from.Add(58 * time.Minute)}, up)
	del, err := c.Deleted(t.Context(), "Case", from, from.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, []DeletedRecord{{id, from.Add(13*time.Minute + 19*time.Second)}}, del.Records)
	require.Equal(t, from.Add(59*time.Minute), del.Covered)
	_, err = c.Updated(t.Context(), "Odd", from, from.Add(time.Hour))
	require.Equal(t, fault.Transient, fault.KindOf(err))
	_, err = c.Deleted(t.Context(), "Odd", from, from.Add(time.Hour))
	require.Equal(t, fault.Transient, fault.KindOf(err))
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]Usage{
		"": {}, "api-usage=17/15000": {Used: 17, Max: 15000}, "per-app-api-usage=17/250(appName=a)": {AppUsed: 17, AppMax: 250}, "api-usage=x/y": {},
		"api-usage=99999999999999999999/1": {},
	} {
		require.Equal(t, want, parseUsage(http.Header{"Sforce-Limit-Info": {header}}), header)
	}
}
