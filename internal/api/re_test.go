package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/store"
)

// re speaks as the vendor's command line client does: full names as one encoded segment, no user agent,
// answers in gzip, and of each answer it takes no more and no less than the client does.
type re struct {
	*bench
	who string
}

// call makes one request, which must answer with a status, and decodes what the client decodes.
func (c *re) call(want int, method, path string, body string, into any) {
	c.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+path, reader)
	require.NoError(c.t, err)
	req.Header = http.Header{"Authorization": {"Bearer " + c.tokens[c.who]}, "Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "User-Agent": nil}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(c.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	record := <-c.records
	if res.Header.Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(bytes.NewReader(raw))
		require.NoError(c.t, err)
		raw, err = io.ReadAll(zip)
		require.NoError(c.t, err)
	}
	require.Equal(c.t, want, res.StatusCode, "%s %s: %s", method, path, raw)
	described(c.t, record.Route, res.StatusCode, raw)
	var status struct{ Status, Message string }
	require.NoError(c.t, json.Unmarshal(raw, &status))
	require.Equal(c.t, want < 300, status.Status == "ok", "a status that does not go with the code is a broken protocol")
	require.Equal(c.t, want >= 300, status.Message != "")
	if into != nil {
		require.NoError(c.t, json.Unmarshal(raw, into))
	}
}

// begin is what comes before each command; changes also refresh the rights.
func (c *re) begin(changes bool) {
	c.t.Helper()
	var user struct {
		User struct {
			ID, Username, Email, Created string
			GlobalPermissions            []string            `json:"global_permissions"`
			OrganisationPermissions      map[string][]string `json:"organisation_permissions"`
			SSO                          []string            `json:"sso_global_permissions"`
			Verified                     bool
		}
	}
	c.call(http.StatusOK, http.MethodGet, "/auth/user", "", &user)
	require.NotEmpty(c.t, user.User.ID)
	require.NotNil(c.t, user.User.OrganisationPermissions)
	if changes {
		var refreshed struct {
			PermissionsRefreshed *bool `json:"permissions_refreshed"`
		}
		c.call(http.StatusOK, http.MethodPost, "/auth/refresh-user-permissions", "{}", &refreshed)
		require.NotEqual(c.t, new(bool), refreshed.PermissionsRefreshed)
	}
}

// reSource has what the client requires of a source.
type reSource struct {
	ID, Owner, Name, Title, Description, Language string
	ShouldTranslate                               *bool   `json:"should_translate"`
	CreatedAt                                     *string `json:"created_at"`
	UpdatedAt                                     *string `json:"updated_at"`
	Kind                                          *string `json:"_kind"`
}

func (c *re) source(want int, full string) reSource {
	c.t.Helper()
	var answer struct{ Source *reSource }
	c.call(want, http.MethodGet, "/api/v1/sources/"+url.PathEscape(full), "", &answer)
	if want != http.StatusOK {
		return reSource{}
	}
	require.NotNil(c.t, answer.Source)
	for _, p := range []*string{answer.Source.CreatedAt, answer.Source.UpdatedAt, answer.Source.Kind} {
		require.NotNil(c.t, p)
	}
	require.NotNil(c.t, answer.Source.ShouldTranslate)
	return *answer.Source
}

func (c *re) buckets() {
	c.t.Helper()
	var answer struct{ Buckets []any }
	c.call(http.StatusOK, http.MethodGet, "/api/_private/buckets", "", &answer)
	require.NotNil(c.t, answer.Buckets)
}

// reComment is a comment as the client reads it and writes it into its files.
type reComment struct {
	ID         string                     `json:"id"`
	UID        string                     `json:"uid,omitempty"`
	Timestamp  string                     `json:"timestamp"`
	CreatedAt  string                     `json:"created_at,omitempty"`
	Messages   []map[string]any           `json:"messages"`
	Properties map[string]json.RawMessage `json:"user_properties"`
	ThreadID   string                     `json:"thread_id,omitempty"`
	Context    string                     `json:"context,omitempty"`
}

// comments is `re get comments`, with --from-timestamp and --to-timestamp where they are not empty. Of the two only the
// latter is sent again with each page.
func (c *re) comments(full, from, to string) []reComment {
	c.t.Helper()
	c.begin(false)
	source := c.source(http.StatusOK, full)
	var statistics struct {
		Statistics struct {
			NumComments *int `json:"num_comments"`
		}
	}
	span := map[string]string{}
	if from != "" {
		span["minimum"] = from
	}
	if to != "" {
		span["maximum"] = to
	}
	filter, err := json.Marshal(span)
	require.NoError(c.t, err)
	c.call(http.StatusOK, http.MethodPost, "/api/v1/sources/"+url.PathEscape(full)+"/statistics",
		`{"comment_filter":{"timestamp":`+string(filter)+`,"sources":["`+source.ID+`"],"messages":{}}}`, &statistics)
	all := []reComment{}
	until := ""
	if to != "" {
		until = "&to_timestamp=" + url.QueryEscape(to)
	}
	query := "?limit=64&include_markup=true" + until
	if from != "" {
		query += "&from_timestamp=" + url.QueryEscape(from)
	}
	for pages := 1; ; pages++ {
		var page struct {
			Comments     []reComment
			Continuation *string
		}
		c.call(http.StatusOK, http.MethodGet, "/api/_private/sources/"+url.PathEscape(full)+"/comments"+query, "", &page)
		require.LessOrEqual(c.t, len(page.Comments), 64)
		for _, one := range page.Comments {
			require.NotEmpty(c.t, one.Timestamp)
			require.NotEmpty(c.t, one.CreatedAt)
			require.Equal(c.t, source.ID+"."+one.ID, one.UID)
			require.NotEmpty(c.t, one.Messages)
		}
		all = append(all, page.Comments...)
		if page.Continuation == nil {
			require.Equal(c.t, max(1, (len(all)+63)/64), pages)
			break
		}
		query = "?limit=64&include_markup=true" + until + "&after=" + url.QueryEscape(*page.Continuation)
	}
	require.Equal(c.t, *statistics.Statistics.NumComments, len(all))
	return all
}

// create is `re create comments`, with --overwrite or without, in batches of 128.
func (c *re) create(want int, full string, overwrite bool, comments ...string) (counts struct {
	New, Updated, Unchanged *int
	PropertiesOnly          int `json:"updated_properties_only"`
	TextChanged             int `json:"updated_text_changed"`
},
) {
	c.t.Helper()
	c.begin(true)
	c.source(http.StatusOK, full)
	for begin := 0; begin < len(comments); begin += 128 {
		body := batchOf(comments[begin:min(begin+128, len(comments))]...)
		if overwrite {
			c.call(want, http.MethodPost, "/api/v1/sources/"+url.PathEscape(full)+"/sync?no_charge=false", body, &counts)
			require.Equal(c.t, want == http.StatusOK, counts.New != nil && counts.Updated != nil && counts.Unchanged != nil)
			continue
		}
		var answer map[string]any
		c.call(want, http.MethodPut, "/api/_private/sources/"+url.PathEscape(full)+"/comments?no_charge=false", body, &answer)
		if want == http.StatusOK {
			require.Equal(c.t, map[string]any{"status": "ok"}, answer, "the client takes no other key here")
		}
	}
	return counts
}

// The commands of the vendor's client that a server has to answer, one after the other, as it makes them.
func TestTheVendorsClientWorks(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	var grants []store.Grant
	for _, permission := range access.Permissions() {
		grants = append(grants, store.Grant{Permission: permission})
	}
	b.user("owner", grants...)
	c := &re{b, "owner"}
	const full, at = "acme-2/re_views", "/api/v1/sources/acme-2%2Fre_views"

	// re create project acme-2; it asks until it sees the project.
	c.begin(true)
	c.call(http.StatusOK, http.MethodPut, "/api/_private/projects/acme-2", `{"project":{"title":"Acme","description":""},"user_ids":[]}`, nil)
	var projects struct {
		Projects []struct {
			Name, Title, Description string
			CreatedAt                string `json:"created_at"`
			UpdatedAt                string `json:"updated_at"`
		}
	}
	c.call(http.StatusOK, http.MethodGet, "/api/_private/projects", "", &projects)
	require.Len(t, projects.Projects, 3)

	// re create source acme-2/re_views --title Reviews
	c.begin(true)
	c.source(http.StatusNotFound, full)
	c.call(http.StatusOK, http.MethodPut, at, `{"source":{"title":"Reviews"}}`, nil)
	// re update source acme-2/re_views
	c.begin(true)
	c.source(http.StatusOK, full)
	c.call(http.StatusOK, http.MethodPost, at, `{"source":{"description":"What guests say","bucket_id":null}}`, nil)
	require.Equal(t, "What guests say", c.source(http.StatusOK, full).Description)

	// re get sources, with --stats
	c.begin(false)
	var sources struct{ Sources []reSource }
	c.call(http.StatusOK, http.MethodGet, "/api/v1/sources", "", &sources)
	require.Len(t, sources.Sources, 3)
	c.buckets()
	c.call(http.StatusOK, http.MethodPost, at+"/statistics", `{"comment_filter":{"timestamp":{},"sources":[],"messages":{}}}`, nil)
	// re get sources acme-2/re_views, and by the id alone
	c.begin(false)
	named := c.source(http.StatusOK, full)
	c.buckets()
	c.begin(false)
	var byID struct{ Source reSource }
	c.call(http.StatusOK, http.MethodGet, "/api/v1/sources/id:"+named.ID, "", &byID)
	require.Equal(t, named.ID, byID.Source.ID)
	require.Equal(t, []string{"acme-2", "re_views"}, []string{byID.Source.Owner, byID.Source.Name})
	require.Empty(t, c.comments(full, "", ""))

	// re create comments: 130 of them, in two batches; once more they are there already.
	list := make([]string, 130)
	for i := range list {
		list[i] = one(fmt.Sprintf("%03x", i), "text "+strings.Repeat("w ", i), "timestamp", fmt.Sprintf(`"2024-01-01T00:%02d:%02dZ"`, i/60, i%60),
			"user_properties", fmt.Sprintf(`{"string:Case Number":"%08d","number:Priority":2}`, i))
	}
	c.create(http.StatusOK, full, false, list...)
	c.create(http.StatusConflict, full, false, list[:1]...)
	all := c.comments(full, "", "")
	require.Len(t, all, 130)
	require.Equal(t, "2.0", string(all[0].Properties["number:Priority"]))
	require.Len(t, c.comments(full, "2024-01-01T00:01:05Z", ""), 65, "two pages, and the bound is inclusive")
	require.Len(t, c.comments(full, "2024-01-01T00:00:10Z", "2024-01-01T00:01:50Z"), 101, "as is the other one")
	require.Equal(t, 130, b.units(c.source(http.StatusOK, full).ID))

	// What `re get comments` wrote, `re create comments --overwrite` takes, and nothing changes.
	again := make([]string, 0, len(all))
	for _, one := range all[:100] {
		one.UID, one.CreatedAt, one.Context = "", "", ""
		raw, err := json.Marshal(one)
		require.NoError(t, err)
		again = append(again, string(raw))
	}
	counts := c.create(http.StatusOK, full, true, again...)
	require.Equal(t, []int{0, 0, 100}, []int{*counts.New, *counts.Updated, *counts.Unchanged})
	counts = c.create(http.StatusOK, full, true, one("000", "text ", "timestamp", `"2024-01-01T00:00:00Z"`, "user_properties", `{"string:Case Number":"1","number:Priority":2.0}`))
	require.Equal(t, []int{0, 1, 0, 1, 0}, []int{*counts.New, *counts.Updated, *counts.Unchanged, counts.PropertiesOnly, counts.TextChanged})
	counts = c.create(http.StatusOK, full, true, one("000", "other", "timestamp", `"2024-01-01T00:00:00Z"`, "user_properties", `{"string:Case Number":"1","number:Priority":2.0}`))
	require.Equal(t, []int{0, 1, 0, 0, 1}, []int{*counts.New, *counts.Updated, *counts.Unchanged, counts.PropertiesOnly, counts.TextChanged})
	require.Equal(t, 131, b.units(c.source(http.StatusOK, full).ID))

	// re create comments --resume-on-error: the batch fails, and is sent comment by comment.
	bad := []string{one("r1", "good"), one("r2", "bad", "timestamp", `"soon"`), one("r3", "good")}
	c.create(http.StatusBadRequest, full, true, bad...)
	for i, comment := range bad {
		c.create(map[int]int{0: 200, 1: 400, 2: 200}[i], full, true, comment)
	}

	// An overwrite by its context.
	var got struct{ Comment reComment }
	c.call(http.StatusOK, http.MethodGet, at+"/comments/r1?include_markup=true", "", &got)
	c.create(http.StatusOK, full, false, one("r1", "better", "context", quote(got.Comment.Context)))
	c.create(http.StatusConflict, full, false, one("r1", "best", "context", quote(got.Comment.Context)))

	// re get comment, with ids that need care.
	for _, id := range []string{"a%b", "a+b", "a:b", "100%25", "<x@y.z>", "a&b=c?d#e"} {
		c.create(http.StatusOK, full, true, one(id, "text"))
		c.begin(false)
		c.source(http.StatusOK, full)
		c.call(http.StatusOK, http.MethodGet, at+"/comments/"+url.PathEscape(id)+"?include_markup=true", "", &got)
		require.Equal(t, id, got.Comment.ID)
		// re delete comments
		c.begin(false)
		c.call(http.StatusOK, http.MethodDelete, at+"/comments?id="+url.QueryEscape(id), "", nil)
		c.call(http.StatusNotFound, http.MethodGet, at+"/comments/"+url.PathEscape(id), "", nil)
	}

	// re parse msgs: mails in batches of 128, with heads as they are and texts for bodies.
	c.begin(true)
	c.source(http.StatusOK, full)
	const document = `{"raw_email":{"body":{"plain":"Hello world"},"headers":{"raw":"Message-ID:\r\n <%d@acme.example>\r\nFrom: a@b.c\r\nDate: Wed, 25 Oct 2023 17:03:22 +0000\r\n"},` +
		`"attachments":[{"name":"hello.pdf","size":1000,"content_type":".pdf"}]},"user_properties":{"string:MSG NAME ID":"%d.msg"}}`
	for range 2 {
		var made struct {
			New, Updated, Unchanged *int
			Comments                []reComment
		}
		c.call(http.StatusOK, http.MethodPost, at+"/sync-raw-emails?no_charge=false",
			`{"documents":[`+fmt.Sprintf(document, 1, 1)+","+fmt.Sprintf(document, 2, 2)+`],"include_comments":false,"transform_tag":"generic.0.CONVKER5"}`, &made)
		require.Equal(t, 2, *made.New+*made.Unchanged)
		require.Zero(t, *made.Updated)
		require.Nil(t, made.Comments)
	}
	c.call(http.StatusOK, http.MethodDelete, at+"/comments?id="+fmt.Sprintf("%x&id=%x", "1@acme.example", "2@acme.example"), "", nil)

	// re delete bulk: pages of 256, of which 32 comments at a time are deleted before the next page is read.
	for i := range list {
		list[i] = one(fmt.Sprintf("bulk-%03x", i), "text")
	}
	c.create(http.StatusOK, full, true, list...)
	c.begin(false)
	c.source(http.StatusOK, full)
	deleted := 0
	for query := "?limit=256&include_markup=false"; query != ""; {
		var page struct {
			Comments []struct {
				ID             string
				HasAnnotations bool `json:"has_annotations"`
			}
			Continuation *string
		}
		c.call(http.StatusOK, http.MethodGet, "/api/_private/sources/acme-2%2Fre_views/comments"+query, "", &page)
		for begin := 0; begin < len(page.Comments); begin += 32 {
			ids := url.Values{}
			for _, one := range page.Comments[begin:min(begin+32, len(page.Comments))] {
				require.False(t, one.HasAnnotations)
				ids.Add("id", one.ID)
			}
			c.call(http.StatusOK, http.MethodDelete, at+"/comments?"+ids.Encode(), "", nil)
		}
		deleted += len(page.Comments)
		if query = ""; page.Continuation != nil {
			query = "?limit=256&include_markup=false&after=" + url.QueryEscape(*page.Continuation)
		}
	}
	require.Equal(t, 262, deleted)
	require.Empty(t, c.comments(full, "", ""))

	c.tenant()

	// re delete source and project
	c.begin(false)
	c.call(http.StatusOK, http.MethodDelete, "/api/v1/sources/id:"+c.source(http.StatusOK, full).ID, "", nil)
	c.source(http.StatusNotFound, full)
	c.call(http.StatusOK, http.MethodDelete, "/api/_private/projects/acme-2?force=false", "", nil)
	c.call(http.StatusOK, http.MethodGet, "/api/_private/projects", "", &projects)
	require.Len(t, projects.Projects, 2)
}

// tenant is `re get` of what is not in a source: users, quotas, audit events and integrations, of which ours must not be there.
func (c *re) tenant() {
	t := c.t
	t.Helper()
	c.begin(false)
	var users struct {
		Users []struct {
			ID, Username, Email, Created string
			GlobalPermissions            []string            `json:"global_permissions"`
			OrganisationPermissions      map[string][]string `json:"organisation_permissions"`
			SSO                          []string            `json:"sso_global_permissions"`
			Verified                     *bool
		}
	}
	c.call(http.StatusOK, http.MethodGet, "/api/_private/users", "", &users)
	require.Len(t, users.Users, len(c.users))
	for _, u := range users.Users {
		require.NotEmpty(t, u.ID)
		require.NotEmpty(t, u.Email)
		require.NotEmpty(t, u.Created)
		require.NotNil(t, u.GlobalPermissions)
		require.NotNil(t, u.OrganisationPermissions)
		require.NotNil(t, u.SSO)
		require.NotNil(t, u.Verified)
	}

	c.begin(false)
	var quotas struct {
		Quotas []struct {
			Kind  string  `json:"quota_kind"`
			Limit *uint32 `json:"hard_limit"`
			Used  *uint32 `json:"current_max_usage"`
		}
	}
	c.call(http.StatusOK, http.MethodGet, "/api/_private/quotas", "", &quotas)
	require.NotEmpty(t, quotas.Quotas)
	for _, q := range quotas.Quotas {
		require.NotEmpty(t, q.Kind)
		require.NotNil(t, q.Limit, q.Kind)
		require.NotNil(t, q.Used, q.Kind)
	}

	c.begin(false)
	var log map[string]any
	c.call(http.StatusOK, http.MethodPost, "/api/v1/audit_events/query", `{"filter":{"timestamp":{}}}`, &log)
	for _, list := range []string{"audit_events", "projects", "datasets", "tenants", "users"} {
		require.IsType(t, []any{}, log[list], list)
	}
	require.NotEmpty(t, log["audit_events"])
	lookedUp(t, log)

	// There is an integration. The client reads none that is not with Exchange, so this route has none of ours; nor can one be made.
	c.begin(false)
	var integrations struct{ Integrations []any }
	c.call(http.StatusOK, http.MethodGet, "/api/_private/integrations", "", &integrations)
	require.NotNil(t, integrations.Integrations)
	require.Empty(t, integrations.Integrations)
	require.Len(t, c.get("/api/v1/integrations", c.who)["integrations"], 1)
	c.call(http.StatusNotFound, http.MethodPut, "/api/_private/integrations/acme-2%2Fnew", `{"integration":{"enabled":true,"configuration":{"mailboxes":[]}}}`, nil)
	c.call(http.StatusNotFound, http.MethodPut, "/api/_private/buckets/acme-2%2Fnew/emails?no_charge=false", `{"emails":[]}`, nil)
}
