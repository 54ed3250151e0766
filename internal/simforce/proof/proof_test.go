package proof

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gosf "github.com/k-capehart/go-salesforce/v3"
	"github.com/stretchr/testify/require"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/simforce"
)

const (
	jsforceVersion = "3.9.5"
	callback       = "http://app.example/cb"
	mails          = 2500 // more than two pages of one thousand
)

func serve(t *testing.T) (*simforce.Server, string) {
	t.Helper()
	s, err := simforce.New(simforce.Options{Generate: mails, Seed: 11, CallbackURLs: []string{callback}, ConsumerKey: "key", ConsumerSecret: "secret"})
	require.NoError(t, err)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	s.SetBaseURL(web.URL)
	return s, web.URL
}

// jsforceDir is a directory whose node_modules holds jsforce; it is made once.
func jsforceDir(t *testing.T) string {
	t.Helper()
	tools, err := devstack.Here()
	require.NoError(t, err)
	dir, err := tools.NodePackage(t.Context(), "jsforce", jsforceVersion)
	require.NoError(t, err)
	return dir
}

func TestJsforce(t *testing.T) {
	t.Parallel()
	s, url := serve(t)
	require.NoError(t, s.SetKnobs(func(k *simforce.Knobs) { k.Rotation, k.Bulk.RunSeconds = "off", 0.1 }))
	given, err := json.Marshal(map[string]string{
		"url": url, "clientId": "key", "clientSecret": "secret", "redirectUri": callback, "username": simforce.SyncUser,
	})
	require.NoError(t, err)
	node := exec.CommandContext(t.Context(), "node", "jsforce.cjs", string(given))
	node.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(jsforceDir(t), "node_modules"))
	var stdout, stderr bytes.Buffer
	node.Stdout, node.Stderr = &stdout, &stderr
	require.NoError(t, node.Run(), stderr.String())

	var saw struct {
		State, User, Org, Username      string
		HasRefreshToken                 bool
		Objects, Fields, Fetched, Found []string
		Messages                        [][6]any
		Pages, TotalSize, Count         int
		CountAfterKill, Refreshed       int
		Made                            struct{ ID string }
		Changed                         map[string]any
		Gone, AfterLogout               string
		Error                           struct{ Code, Message string }
		LimitInfo                       struct{ APIUsage struct{ Used, Limit int } }
		Bulk                            [][6]string
		BulkPaged                       [][]string
		BulkGone, BulkRefused           string
		BulkJob                         struct {
			State, JobType         string
			NumberRecordsProcessed int
		}
	}
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &saw), stdout.String())
	org := s.Orgs()[0]
	require.Equal(t, "st", saw.State)
	require.Equal(t, org.ID, saw.Org)
	require.Equal(t, org.Users[simforce.SyncUser], saw.User)
	require.Equal(t, simforce.SyncUser, saw.Username)
	require.True(t, saw.HasRefreshToken)
	require.Contains(t, saw.Objects, "EmailMessage")
	require.Contains(t, saw.Objects, "Survey_Response__c")

	rows, err := s.Records("", "EmailMessage")
	require.NoError(t, err)
	require.Len(t, rows, mails)
	require.Len(t, saw.Fields, len(rows[0]))
	require.Equal(t, 3, saw.Pages, "one long text field: pages of one thousand")
	require.Equal(t, []int{mails, mails, mails}, []int{saw.TotalSize, saw.Count, saw.CountAfterKill})
	cases, err := s.Records("", "Case")
	require.NoError(t, err)
	number := map[any]any{}
	for _, c := range cases {
		number[c["Id"]] = c["CaseNumber"]
	}
	byID := map[any][6]any{}
	for _, m := range saw.Messages {
		byID[m[0]] = m
	}
	require.Len(t, saw.Messages, mails)
	var ids []string
	for _, r := range rows {
		ids = append(ids, r["Id"].(string))
		stamp := r["SystemModstamp"].(time.Time).Format("2006-01-02T15:04:05.000-0700")
		require.Equal(t, [6]any{r["Id"], r["Subject"], r["TextBody"], r["Incoming"], stamp, number[r["ParentId"]]}, byID[r["Id"]])
	}
	require.Equal(t, ids, saw.Fetched, "autoFetch reads every page")
	require.Len(t, saw.Bulk, mails)
	for i, r := range rows {
		require.Equal(t, bulkRow(r, number), saw.Bulk[i][:])
	}
	require.Len(t, saw.BulkPaged, 3, "three pages by locator")
	require.Equal(t, ids, slices.Concat(saw.BulkPaged...))
	require.Equal(t, []any{"JobComplete", "V2Query", mails}, []any{saw.BulkJob.State, saw.BulkJob.JobType, saw.BulkJob.NumberRecordsProcessed})
	require.Equal(t, []string{"NOT_FOUND", "FeatureNotEnabled"}, []string{saw.BulkGone, saw.BulkRefused})

	row, err := s.Record("", saw.Made.ID)
	require.NoError(t, err)
	require.Equal(t, []any{"by jsforce", "High", "Working"}, []any{row["Subject"], row["Priority"], row["Status"]})
	require.Equal(t, row["CaseNumber"], saw.Changed["CaseNumber"])
	require.Equal(t, []string{"Working"}, saw.Found)
	row, err = s.Record("", saw.Gone)
	require.NoError(t, err)
	require.Equal(t, true, row["IsDeleted"])
	require.Equal(t, 1, saw.Refreshed, "jsforce refreshed by itself after the session died")
	require.Equal(t, "INVALID_FIELD", saw.Error.Code)
	require.Contains(t, saw.Error.Message, "No such column 'Nope' on entity 'Case'")
	require.Equal(t, 1_000_000, saw.LimitInfo.APIUsage.Limit)
	require.Positive(t, saw.LimitInfo.APIUsage.Used)
	require.NotEmpty(t, saw.AfterLogout, "the refresh token is gone after logout")
}

// bulkRow is a mail as the CSV of a bulk query spells it.
func bulkRow(r simforce.Row, number map[any]any) []string {
	text := func(v any) string {
		s, _ := v.(string)
		return s
	}
	return []string{
		r["Id"].(string), text(r["Subject"]), text(r["TextBody"]), strconv.FormatBool(r["Incoming"].(bool)),
		r["SystemModstamp"].(time.Time).Format("2006-01-02T15:04:05.000Z"), text(number[r["ParentId"]]),
	}
}

func TestGoSalesforceBulk(t *testing.T) {
	t.Parallel()
	s, url := serve(t)
	require.NoError(t, s.SetKnobs(func(k *simforce.Knobs) { k.Bulk.PageRows = 1000 }))
	token, err := s.Login(simforce.SyncUser)
	require.NoError(t, err)
	sf, err := gosf.Init(gosf.Creds{Domain: url, AccessToken: token})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "mails.csv")
	require.NoError(t, sf.QueryBulkExport("SELECT Id, Subject, TextBody, Incoming, SystemModstamp, Parent.CaseNumber FROM EmailMessage", file))
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	got, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	require.NoError(t, err)
	rows, err := s.Records("", "EmailMessage")
	require.NoError(t, err)
	cases, err := s.Records("", "Case")
	require.NoError(t, err)
	number := map[any]any{}
	for _, c := range cases {
		number[c["Id"]] = c["CaseNumber"]
	}
	require.Equal(t, []string{"Id", "Subject", "TextBody", "Incoming", "SystemModstamp", "Parent.CaseNumber"}, got[0])
	require.Len(t, got, 1+mails)
	for i, r := range rows {
		want := bulkRow(r, number)
		want[2] = strings.ReplaceAll(want[2], "\r\n", "\n") // the CSV reader makes one of the two
		require.Equal(t, want, got[1+i])
	}
	require.Equal(t, 3, s.Counters().Kinds["bulk_results"])

	it, err := sf.QueryBulkIterator("SELECT Id, Subject FROM EmailMessage ORDER BY Id")
	require.NoError(t, err)
	seen := 0
	for it.Next() {
		var page []struct {
			ID      string `csv:"Id"`
			Subject string `csv:"Subject"`
		}
		require.NoError(t, it.Decode(&page))
		for _, r := range page {
			require.Equal(t, rows[seen]["Id"], r.ID)
			seen++
		}
	}
	require.NoError(t, it.Error())
	require.Equal(t, mails, seen)
	require.ErrorContains(t, sf.QueryBulkExport("SELECT COUNT() FROM EmailMessage", file), "Aggregate Relationships not supported")
}

func TestGoSalesforce(t *testing.T) {
	t.Parallel()
	s, url := serve(t)
	token, err := s.Login(simforce.SyncUser)
	require.NoError(t, err)
	sf, err := gosf.Init(gosf.Creds{Domain: url, AccessToken: token})
	require.NoError(t, err)

	type parent struct{ CaseNumber string }
	type message struct {
		ID       string `mapstructure:"Id" salesforce:"Id"`
		Subject  string
		TextBody string
		Incoming bool
		Parent   parent
	}
	var got []message
	require.NoError(t, sf.Query("SELECT Id, Subject, TextBody, Incoming, Parent.CaseNumber FROM EmailMessage WHERE CreatedDate > 2000-01-01T00:00:00Z ORDER BY Id", &got))
	rows, err := s.Records("", "EmailMessage")
	require.NoError(t, err)
	cases, err := s.Records("", "Case")
	require.NoError(t, err)
	number := map[any]string{}
	for _, c := range cases {
		number[c["Id"]] = c["CaseNumber"].(string)
	}
	require.Len(t, got, mails)
	for i, r := range rows {
		text, _ := r["TextBody"].(string)
		require.Equal(t, message{r["Id"].(string), r["Subject"].(string), text, r["Incoming"].(bool), parent{number[r["ParentId"]]}}, got[i])
	}
	require.Equal(t, 3, s.Counters().Kinds["query"]+s.Counters().Kinds["query_more"])

	type where struct {
		Subject string `soql:"equalsOperator,fieldName=Subject"`
	}
	type selected struct {
		ID      string `soql:"selectColumn,fieldName=Id" mapstructure:"Id"`
		Subject string `soql:"selectColumn,fieldName=Subject" mapstructure:"Subject"`
	}
	type statement struct {
		Select selected `soql:"selectClause,tableName=Case"`
		Where  where    `soql:"whereClause"`
	}
	made, err := sf.InsertOne("Case", struct{ Subject, Priority string }{"by go-salesforce", "Low"})
	require.NoError(t, err)
	require.True(t, made.Success)
	require.NoError(t, sf.UpdateOne("Case", struct{ Id, Priority string }{made.Id, "Critical"}))
	var found []selected
	require.NoError(t, sf.QueryStruct(statement{Where: where{"by go-salesforce"}}, &found))
	require.Equal(t, []selected{{made.Id, "by go-salesforce"}}, found)
	row, err := s.Record("", made.Id)
	require.NoError(t, err)
	require.Equal(t, "Critical", row["Priority"])

	res, err := sf.DoRequest("GET", "/sobjects/Case/describe", nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	var described struct{ Fields []struct{ Name string } }
	require.NoError(t, json.NewDecoder(res.Body).Decode(&described))
	require.Len(t, described.Fields, len(row))

	err = sf.Query("SELECT Nope FROM Case", &got)
	require.ErrorContains(t, err, "No such column 'Nope' on entity 'Case'")
	require.NoError(t, sf.DeleteOne("Case", struct{ Id string }{made.Id}))
}
