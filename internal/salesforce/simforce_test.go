package salesforce_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/secret"
	"salesforcesync/internal/simforce"
)

// simulated is a client of the simulator. It is its own token source.
type simulated struct {
	*salesforce.Client
	sim *simforce.Server

	mu        sync.Mutex
	token     salesforce.Token
	refreshed int
	calls     []salesforce.Call
}

func simulate(t *testing.T, o simforce.Options) *simulated {
	t.Helper()
	sim, err := simforce.New(o)
	require.NoError(t, err)
	web := httptest.NewServer(sim)
	t.Cleanup(web.Close)
	sim.SetBaseURL(web.URL)
	u, err := url.Parse(web.URL)
	require.NoError(t, err)
	hosts, err := salesforce.NewHostPolicy([]string{u.Host})
	require.NoError(t, err)
	s := &simulated{sim: sim, token: salesforce.Token{InstanceURL: web.URL}}
	s.Client = salesforce.New(salesforce.Options{Tokens: s, Hosts: hosts, Observe: func(c salesforce.Call) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls = append(s.calls, c)
	}})
	_, err = s.Refresh(t.Context(), 0)
	require.NoError(t, err)
	s.refreshed = 0
	return s
}

func (s *simulated) Token(context.Context) (salesforce.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token, nil
}

func (s *simulated) Refresh(_ context.Context, used int64) (salesforce.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.Generation == used {
		access, err := s.sim.Login(simforce.SyncUser)
		if err != nil {
			return salesforce.Token{}, err
		}
		s.token.Access = secret.Text(access)
		s.token.Generation++
		s.refreshed++
	}
	return s.token, nil
}

func (s *simulated) kinds() map[string]int { return s.sim.Counters().Kinds }

func TestSimulatedDescribe(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{})
	o, err := s.Describe(t.Context(), "emailmessage")
	require.NoError(t, err)
	require.Equal(t, "EmailMessage", o.Name)
	require.Equal(t, "02s", o.KeyPrefix)
	require.True(t, o.Queryable)
	body, ok := o.Field("htmlbody")
	require.True(t, ok)
	require.False(t, body.Filterable)
	require.True(t, body.HTMLFormatted || body.ExtraTypeInfo == "richtextarea", "%+v", body)
	parent, ok := o.Relation("Parent")
	require.True(t, ok)
	require.Equal(t, []string{"Case"}, parent.ReferenceTo)
	_, modified, err := s.DescribeIfModified(t.Context(), "EmailMessage", o.LastModified)
	require.NoError(t, err)
	require.False(t, modified)

	require.NoError(t, s.sim.SetVisible("", simforce.SyncUser, "EmailMessage.Subject", false))
	hidden, modified, err := s.DescribeIfModified(t.Context(), "EmailMessage", o.LastModified)
	require.NoError(t, err)
	require.True(t, modified)
	_, ok = hidden.Field("Subject")
	require.False(t, ok)

	_, err = s.Describe(t.Context(), "Nonsense__c")
	require.True(t, fault.Is(err, fault.Config), "%v", err)
	require.ErrorContains(t, err, "Nonsense__c")
	require.Equal(t, map[string]int{"describe": 4}, s.kinds())
}

func TestSimulatedQueryPages(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{})
	for i := range 450 {
		_, err := s.sim.CreateRecord("EmailMessage", simforce.Write{Fields: simforce.Row{"Subject": fmt.Sprint(i), "TextBody": "x"}})
		require.NoError(t, err)
	}
	const q = "SELECT Id, SystemModstamp, TextBody, HtmlBody FROM EmailMessage ORDER BY Id"
	page, err := s.Query(t.Context(), q, salesforce.QueryOptions{})
	require.NoError(t, err)
	require.Equal(t, 450, page.TotalSize)
	require.False(t, page.ServerTime.IsZero())
	require.Positive(t, page.Usage.Max)
	var sizes []int
	var ids []string
	for {
		sizes = append(sizes, len(page.Rows))
		for _, row := range page.Rows {
			rec, err := salesforce.Decode(row, salesforce.Fields{"SystemModstamp": salesforce.TypeDateTime, "TextBody": salesforce.TypeTextArea})
			require.NoError(t, err)
			ids = append(ids, rec.ID)
		}
		if page.Done {
			break
		}
		page, err = s.QueryNext(t.Context(), page.NextRecordsURL, salesforce.QueryOptions{})
		require.NoError(t, err)
	}
	require.Equal(t, []int{200, 200, 50}, sizes, "two long texts make pages of 200")
	for i := range ids[1:] {
		require.Negative(t, salesforce.CompareIDs(ids[i], ids[i+1]))
	}
	n, err := s.Count(t.Context(), "SELECT COUNT() FROM EmailMessage")
	require.NoError(t, err)
	require.Equal(t, 450, n)
	require.Equal(t, map[string]int{"query": 2, "query_more": 2}, s.kinds())
}

func TestSimulatedLocatorDiesWithItsSession(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"locator", "session"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, simforce.Options{Generate: 250})
			require.NoError(t, s.sim.SetKnobs(func(k *simforce.Knobs) { k.ForeignLocator = how }))
			page, err := s.Query(t.Context(), "SELECT Id, TextBody, HtmlBody FROM EmailMessage", salesforce.QueryOptions{})
			require.NoError(t, err)
			require.False(t, page.Done)
			s.sim.KillSessions("")
			_, err = s.QueryNext(t.Context(), page.NextRecordsURL, salesforce.QueryOptions{})
			require.True(t, fault.Is(err, fault.Stale), "%v", err)
			require.Equal(t, 1, s.refreshed)
			require.Equal(t, 2, s.kinds()["query_more"])
		})
	}
}

func TestSimulatedComposite(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 12})
	one := func(q string) salesforce.Ask { return salesforce.Subquery{SOQL: q} }
	results, err := s.Together(t.Context(), []salesforce.Ask{
		one("SELECT Id FROM EmailMessage LIMIT 3"), one("SELECT Id, Bogus__c FROM Case"), one("SELECT Id FROM Nonsense"),
		one("SELECT COUNT() FROM EmailMessage"), one("SELECT Id FROM Case WHERE Subject LIKE '%zzz%'"),
	})
	require.NoError(t, err)
	require.Len(t, results, 5)
	require.NoError(t, results[0].Err)
	require.Len(t, results[0].Page.Rows, 3)
	require.True(t, fault.Is(results[1].Err, fault.Config), "%v", results[1].Err)
	column, entity, ok := salesforce.MissingColumn(results[1].Err)
	require.True(t, ok)
	require.Equal(t, "Bogus__c Case", column+" "+entity)
	require.True(t, fault.Is(results[2].Err, fault.Config), "%v", results[2].Err)
	require.Equal(t, 12, results[3].Page.TotalSize)
	require.Empty(t, results[4].Page.Rows)
	require.Equal(t, map[string]int{"composite": 1}, s.kinds())

	results, err = s.Together(t.Context(), make7())
	require.NoError(t, err)
	require.Len(t, results, 7)
	for _, r := range results {
		require.NoError(t, r.Err)
		require.Len(t, r.Page.Rows, 1)
	}
	require.Equal(t, map[string]int{"composite": 3}, s.kinds(), "five queries fit into a call")
}

func make7() []salesforce.Ask {
	out := make([]salesforce.Ask, 7)
	for i := range out {
		out[i] = salesforce.Subquery{SOQL: "SELECT Id FROM EmailMessage LIMIT 1", QueryOptions: salesforce.QueryOptions{All: true, BatchSize: 200}}
	}
	return out
}

func TestSimulatedLongQueryTravelsInABody(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 5})
	rows, err := s.sim.Records("", "EmailMessage")
	require.NoError(t, err)
	list := "'" + strings.Repeat(rows[0]["Id"].(string)+"','", 900) + rows[1]["Id"].(string) + "'"
	page, err := s.Query(t.Context(), "SELECT Id FROM EmailMessage WHERE Id IN ("+list+")", salesforce.QueryOptions{All: true})
	require.NoError(t, err)
	require.Len(t, page.Rows, 2)
	require.Equal(t, map[string]int{"composite": 1}, s.kinds())
}

func TestSimulatedDeadSessionIsRenewedOnce(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 5})
	s.sim.KillSessions("")
	page, err := s.Query(t.Context(), "SELECT Id FROM EmailMessage", salesforce.QueryOptions{})
	require.NoError(t, err)
	require.Len(t, page.Rows, 5)
	require.Equal(t, 1, s.refreshed)
	require.Equal(t, map[string]int{"query": 2}, s.kinds())
	require.Equal(t, map[string]int{"query": 1}, s.sim.Counters().Refused)
	require.Len(t, s.calls, 2)
	require.Equal(t, []int{http.StatusUnauthorized, http.StatusOK}, []int{s.calls[0].Status, s.calls[1].Status})
	require.Equal(t, "INVALID_SESSION_ID", s.calls[0].Code)

	// A new token that is refused too is no reason to ask for a third.
	require.NoError(t, s.sim.FailNext(simforce.Fault{PathPrefix: "/services/data/", Status: 401, Times: 5,
		Body: `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`}))
	_, err = s.Query(t.Context(), "SELECT Id FROM EmailMessage", salesforce.QueryOptions{})
	require.True(t, fault.Is(err, fault.Transient), "%v", err)
	require.Positive(t, fault.RetryAfterOf(err))
	require.Equal(t, 2, s.refreshed)
	require.Equal(t, 4, s.kinds()["query"])
	require.NotContains(t, err.Error(), s.token.Access.Reveal())
}

func TestSimulatedRecordsDecodeAsTheyAre(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{Generate: 20})
	page, err := s.Query(t.Context(), "SELECT Id, Subject, Incoming, MessageDate, SystemModstamp, Parent.CaseNumber, Parent.Account.Name FROM EmailMessage", salesforce.QueryOptions{})
	require.NoError(t, err)
	fields := salesforce.Fields{"Subject": salesforce.TypeString, "Incoming": salesforce.TypeBoolean, "MessageDate": salesforce.TypeDateTime,
		"SystemModstamp": salesforce.TypeDateTime, "Parent.CaseNumber": salesforce.TypeString, "Parent.Account.Name": salesforce.TypeString}
	require.Len(t, page.Rows, 20)
	for _, raw := range page.Rows {
		require.True(t, json.Valid(raw))
		rec, err := salesforce.Decode(raw, fields)
		require.NoError(t, err)
		want, err := s.sim.Record("", rec.ID)
		require.NoError(t, err)
		subject, _ := rec.Text("Subject")
		require.Equal(t, want["Subject"], subject)
		incoming, ok := rec.Bool("Incoming")
		require.True(t, ok)
		require.Equal(t, want["Incoming"], incoming)
		stamp, ok := rec.Time("SystemModstamp")
		require.True(t, ok)
		require.True(t, want["SystemModstamp"].(time.Time).Equal(stamp))
		parent, err := s.sim.Record("", want["ParentId"].(string))
		require.NoError(t, err)
		number, _ := rec.Text("Parent.CaseNumber")
		require.Equal(t, parent["CaseNumber"], number)
		require.True(t, rec.Has("Parent.Account.Name"))
	}
}

func TestSimulatedQuotaAndUser(t *testing.T) {
	t.Parallel()
	s := simulate(t, simforce.Options{DailyRequests: 1000})
	info, err := s.UserInfo(t.Context())
	require.NoError(t, err)
	require.Equal(t, simforce.SyncUser, info.Username)
	require.Equal(t, s.sim.Orgs()[0].ID, info.OrgID)
	limits, err := s.Limits(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1000, limits["DailyApiRequests"].Max)
	versions, err := s.Versions(t.Context())
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(versions), salesforce.DefaultAPIVersion)
	require.NoError(t, s.sim.SetQuotaUsed("", 1000))
	_, err = s.Query(t.Context(), "SELECT Id FROM Case", salesforce.QueryOptions{})
	require.True(t, fault.Is(err, fault.Quota), "%v", err)
}
