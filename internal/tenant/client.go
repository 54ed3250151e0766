package tenant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
)

// What one call may hold. The API takes more; its own client sends so much.
const (
	MostComments = 128
	MostDeletes  = 32
)

// Bounds of a call.
const (
	callLongest     = 240 * time.Second // the API's own client waits so long
	connectLongest  = 10 * time.Second
	mostAnswer      = 1 << 20 // bytes of an answer: counts and a message
	mostQuote       = 300     // characters of what the tenant says that are kept
	mostDeleteQuery = 6000    // bytes of ids in an address
	longestWait     = time.Hour
)

// Target is a source at a tenant, and the token that may write to it.
type Target struct {
	Endpoint string // as Hosts.Parse gave it
	Project  string
	Source   string
	Token    secret.Text
}

// Counts is what became of the comments of one call. Known is false when the tenant did
// not say.
type Counts struct {
	New, Updated, Unchanged        int64
	TextChanged, PropertiesChanged int64
	Known                          bool
}

// Client makes calls. It repeats none.
type Client struct {
	hosts Hosts
	http  *http.Client
}

// New makes a Client that sends to what hosts lets it.
func New(hosts Hosts) *Client {
	return newClient(&guard{hosts: hosts})
}

func newClient(g *guard) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	transport.Proxy, transport.DialContext = g.proxy, g.dial
	transport.TLSHandshakeTimeout = connectLongest
	transport.MaxResponseHeaderBytes = 64 << 10
	return &Client{hosts: g.hosts, http: &http.Client{
		Transport:     transport,
		Timeout:       callLongest,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Encode writes a comment as the API takes it.
func Encode(c comment.Comment) (json.RawMessage, error) {
	properties := make(comment.Properties, len(c.Properties))
	for key, value := range c.Properties {
		if f, ok := value.(float64); ok {
			value = comment.Number(f)
		}
		properties[key] = value
	}
	c.Properties, c.Timestamp = properties, c.Timestamp.UTC()
	c.Attachments = slices.Clone(c.Attachments)
	for i := range c.Attachments { // what they refer to is here, not there
		c.Attachments[i].Reference, c.Attachments[i].ContentHash = "", ""
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(c); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "write comment %s as JSON", c.ID)
	}
	return b.Bytes(), nil
}

// Sync creates or overwrites comments, as [Encode] gave them.
func (c *Client) Sync(ctx context.Context, t Target, comments []json.RawMessage) (Counts, error) {
	body := bytes.NewBufferString(`{"comments":[`)
	for i, one := range comments {
		if i > 0 {
			body.WriteByte(',')
		}
		body.Write(one)
	}
	body.WriteString(`]}`)
	var answer struct {
		New               *int64 `json:"new"`
		Updated           *int64 `json:"updated"`
		Unchanged         *int64 `json:"unchanged"`
		TextChanged       int64  `json:"updated_text_changed"`
		PropertiesChanged int64  `json:"updated_properties_only"`
	}
	if err := c.do(ctx, t, "send comments", http.MethodPost, "/sync?no_charge=false", body.Bytes(), &answer); err != nil {
		return Counts{}, err
	}
	counts := Counts{TextChanged: answer.TextChanged, PropertiesChanged: answer.PropertiesChanged}
	if counts.Known = answer.New != nil && answer.Updated != nil && answer.Unchanged != nil; counts.Known {
		counts.New, counts.Updated, counts.Unchanged = *answer.New, *answer.Updated, *answer.Unchanged
	}
	return counts, nil
}

// Delete deletes comments. Whether ids that are not there are an error is up to the tenant:
// fault.NotFound may mean that one of them is not, or that the source is not.
func (c *Client) Delete(ctx context.Context, t Target, ids []string) error {
	return c.do(ctx, t, "delete comments", http.MethodDelete, "/comments?"+url.Values{"id": ids}.Encode(), nil, nil)
}

// FitDeletes is how many of ids, from the first on, one Delete may name.
func FitDeletes(ids []string) int {
	bytes := 0
	for i, id := range ids {
		if bytes += len("&id=") + len(url.QueryEscape(id)); i > 0 && (i == MostDeletes || bytes > mostDeleteQuery) {
			return i
		}
	}
	return len(ids)
}

// Count is how many comments the source has.
func (c *Client) Count(ctx context.Context, t Target) (int64, error) {
	var answer struct {
		Statistics *struct {
			Comments *int64 `json:"num_comments"`
		} `json:"statistics"`
	}
	const op = "count comments"
	if err := c.do(ctx, t, op, http.MethodPost, "/statistics", []byte(`{"comment_filter":{}}`), &answer); err != nil {
		return 0, err
	}
	if answer.Statistics == nil || answer.Statistics.Comments == nil {
		return 0, &fault.Error{Kind: fault.Transient, Op: op, Message: "the tenant's answer has no count"}
	}
	return *answer.Statistics.Comments, nil
}

// do makes one call and reads its good answer into into.
func (c *Client) do(ctx context.Context, t Target, op, method, rest string, body []byte, into any) error {
	if _, err := c.hosts.Parse(t.Endpoint); err != nil { // what was allowed when it was applied may not be any more
		return &fault.Error{Kind: fault.Config, Op: op, Message: "the endpoint may not be called", Cause: err, Hint: fault.HintOf(err)}
	}
	address := t.Endpoint + "/api/v1/sources/" + url.PathEscape(t.Project) + "%2F" + url.PathEscape(t.Source) + rest
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return &fault.Error{Kind: fault.Config, Op: op, Message: "the endpoint is not an address", Hint: "correct destination.endpoint in the integration file"}
	}
	r.Header.Set("Authorization", "Bearer "+t.Token.Reveal())
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(r)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // the address holds ids
		}
		var refused *fault.Error
		if errors.As(err, &refused) { // by the guard
			return &fault.Error{Kind: fault.Config, Op: op, Message: "the endpoint may not be called", Cause: refused, Hint: refused.Hint}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &fault.Error{Kind: fault.Transient, Op: op, Message: "the tenant does not answer", Cause: quote(t, err.Error()),
			Hint: "it is tried again by itself; check destination.endpoint if that goes on"}
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer+1))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return judge(t, op, res, raw, err, into)
}

// judge sorts an answer.
func judge(t Target, op string, res *http.Response, raw []byte, cut error, into any) error {
	var answer struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}
	isJSON := cut == nil && len(raw) <= mostAnswer && json.Unmarshal(raw, &answer) == nil && answer.Status != ""
	f := &fault.Error{Op: op, Code: "HTTP " + strconv.Itoa(res.StatusCode), RequestID: quoted(t, res.Header.Get("X-Request-Id"))}
	if isJSON && answer.Message != "" {
		f.Cause = quote(t, answer.Message)
	}
	const again = "it is tried again by itself"
	status := res.StatusCode
	switch {
	case status >= 200 && status < 300:
		f.Kind, f.Hint = fault.Transient, again+"; check destination.endpoint if that goes on"
		switch {
		case cut != nil:
			f.Message, f.Cause = "the tenant's answer broke off", quote(t, cut.Error())
		case len(raw) > mostAnswer:
			f.Message = "the tenant's answer is far too long"
		case !isJSON:
			f.Message = "what answered is not the comments API: there is no JSON with a status"
		case answer.Status != "ok":
			f.Message = "the tenant answers with an error"
		case into != nil && json.Unmarshal(raw, into) != nil:
			f.Message = "the tenant's answer cannot be read"
		default:
			return nil
		}
	case status >= 500 || status == http.StatusRequestTimeout || status == http.StatusConflict || status == http.StatusTooManyRequests:
		f.Kind, f.Message, f.Hint = fault.Transient, "the tenant cannot take it now", again
		if f.RetryAfter = retryAfter(res.Header); status == http.StatusTooManyRequests {
			f.Kind, f.Message = fault.RateLimited, "the tenant asks to slow down"
		}
	case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity || status == http.StatusRequestEntityTooLarge:
		f.Kind, f.Message = fault.Invalid, "the tenant refuses what was sent"
	case status == http.StatusUnauthorized:
		f.Kind, f.Message = fault.Unauthenticated, "the tenant does not take the token"
		f.Hint = "give a new one in the integration file (destination.token_env) and run `starter apply`; making a token ends the user's one before"
	case status == http.StatusForbidden:
		f.Kind, f.Message = fault.Forbidden, "the token's user may not write to the source"
		f.Hint = "give the user the permission Edit messages (sources-add-comments) on project " + t.Project + " of the tenant"
	case status == http.StatusNotFound:
		f.Kind, f.Message = fault.NotFound, "the tenant has no source "+t.Project+"/"+t.Source+", or none that the token's user may see"
		f.Hint = "create the source there, or correct destination in the integration file"
	case status >= 300 && status < 400:
		f.Kind, f.Message = fault.Config, "the endpoint sends on to another address, to which no token is sent"
		f.Hint = "write the tenant's own address as destination.endpoint"
	default:
		f.Kind, f.Message = fault.Config, "the tenant refuses the call"
		f.Hint = "check destination.endpoint in the integration file"
	}
	return f
}

// retryAfter reads how long the tenant asks to wait: seconds or a date.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), longestWait)
}

// quote is what the tenant or the network said, short, and never with the token in it.
func quote(t Target, text string) error { return errors.New(quoted(t, text)) }

func quoted(t Target, text string) string {
	text = secret.Hide(text, t.Token)
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "�")), " ")
	if runes := []rune(text); len(runes) > mostQuote {
		text = string(runes[:mostQuote]) + "…"
	}
	return strings.ReplaceAll(text, "\x00", "")
}
