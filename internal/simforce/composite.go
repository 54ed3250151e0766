package simforce

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Limits of the composite resources.
const (
	maxParts   = 25
	maxQueries = 5
)

type compositeRequest struct {
	AllOrNone          bool            `json:"allOrNone"`
	CollateSubrequests bool            `json:"collateSubrequests"`
	Parts              []compositePart `json:"compositeRequest"`
}

type compositePart struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	Headers     map[string]string `json:"httpHeaders"`
	Body        json.RawMessage   `json:"body"`
}

type compositeAnswer struct {
	Body        json.RawMessage   `json:"body"`
	Headers     map[string]string `json:"httpHeaders"`
	Status      int               `json:"httpStatusCode"`
	ReferenceID string            `json:"referenceId"`
}

var referenceName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// decodeStrict reads JSON and refuses keys the simulator does not act on.
func decodeStrict(body []byte, into any) *apiError {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return refuse(http.StatusBadRequest, "JSON_PARSER_ERROR", "The request body cannot be read: %s", err)
	}
	return nil
}

// part turns a subrequest into a call. base is what its URL must start with.
func (c *call) part(method, target, base string, headers map[string]string, body json.RawMessage) (*call, *apiError) {
	u, err := url.Parse(target)
	if err != nil || !strings.HasPrefix(u.Path, base) {
		return nil, refuse(http.StatusBadRequest, "INVALID_BATCH_REQUEST", "Invalid subrequest URL: %s", target)
	}
	parts := strings.Split(strings.TrimPrefix(u.Path, base), "/")
	if parts[0] != c.version {
		if e := checkVersion(parts[0]); e != nil {
			return nil, e
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "INVALID_BATCH_REQUEST", "Invalid subrequest query: %s", target)
	}
	h := http.Header{}
	for name, value := range headers {
		h.Set(name, value)
	}
	sub := *c
	sub.version, sub.method, sub.path, sub.query, sub.header, sub.body, sub.inner = parts[0], strings.ToUpper(method), trimPath(parts[1:]), query, h, body, true
	return &sub, nil
}

func (c *call) asksQuery() bool {
	return len(c.path) > 0 && (c.path[0] == "query" || c.path[0] == "queryAll")
}

// composite answers POST /composite: parts run in order, each with its own
// status. References to earlier results (@{…}) are refused, and so are writes
// under allOrNone, which would need a rollback.
func (s *Server) composite(c *call) *reply {
	var in compositeRequest
	if e := decodeStrict(c.body, &in); e != nil {
		return failed(e)
	}
	if len(in.Parts) == 0 || len(in.Parts) > maxParts {
		return failed(refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "Composite requests must have 1 to %d subrequests, not %d", maxParts, len(in.Parts)))
	}
	seen := map[string]bool{}
	queries := 0
	var calls []*call
	for _, p := range in.Parts {
		if !referenceName.MatchString(p.ReferenceID) || seen[p.ReferenceID] {
			return failed(refuse(http.StatusBadRequest, "INVALID_INPUT", "Provided referenceId ('%s') must be unique, start with a letter or a number, and contain only letters, numbers and underscores ('_').", p.ReferenceID))
		}
		seen[p.ReferenceID] = true
		if strings.Contains(p.URL, "@{") || bytes.Contains(p.Body, []byte("@{")) {
			return failed(refuse(http.StatusBadRequest, "INVALID_INPUT", "the simulator has no references between subrequests (referenceId %s)", p.ReferenceID))
		}
		sub, e := c.part(p.Method, p.URL, "/services/data/", p.Headers, p.Body)
		if e != nil {
			return failed(e)
		}
		if in.AllOrNone && sub.method != http.MethodGet {
			return failed(refuse(http.StatusBadRequest, "INVALID_INPUT", "the simulator has no writes under allOrNone (referenceId %s)", p.ReferenceID))
		}
		if sub.asksQuery() {
			queries++
		}
		calls = append(calls, sub)
	}
	if queries > maxQueries {
		return failed(refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "Composite requests can have at most %d query subrequests, not %d", maxQueries, queries))
	}
	answers := make([]compositeAnswer, len(calls))
	failedAt := -1
	for i, sub := range calls {
		if failedAt >= 0 && in.AllOrNone {
			break
		}
		rep := s.answer(sub)
		answers[i] = answerOf(rep, in.Parts[i].ReferenceID)
		if rep.status >= 400 && failedAt < 0 {
			failedAt = i
		}
	}
	if in.AllOrNone && failedAt >= 0 {
		halted := refuse(http.StatusBadRequest, "PROCESSING_HALTED", "The transaction was rolled back since another operation in the same transaction failed.")
		for i := range answers {
			if i != failedAt {
				answers[i] = answerOf(failed(halted), in.Parts[i].ReferenceID)
			}
		}
	}
	return okJSON(map[string]any{"compositeResponse": answers})
}

func answerOf(rep *reply, reference string) compositeAnswer {
	a := compositeAnswer{Body: json.RawMessage("null"), Headers: map[string]string{}, Status: rep.status, ReferenceID: reference}
	if len(rep.body) > 0 {
		a.Body = rep.body
	}
	for _, name := range []string{"Etag", "Last-Modified", "Location"} {
		if v := rep.header.Get(name); v != "" {
			a.Headers[map[string]string{"Etag": "ETag"}[name]+strings.TrimPrefix(name, "Etag")] = v
		}
	}
	return a
}

// batch answers POST /composite/batch: independent parts, one API call.
func (s *Server) batch(c *call) *reply {
	var in struct {
		HaltOnError bool `json:"haltOnError"`
		Requests    []struct {
			Method    string          `json:"method"`
			URL       string          `json:"url"`
			RichInput json.RawMessage `json:"richInput"`
		} `json:"batchRequests"`
	}
	if e := decodeStrict(c.body, &in); e != nil {
		return failed(e)
	}
	if len(in.Requests) == 0 || len(in.Requests) > maxParts {
		return failed(refuse(http.StatusBadRequest, "LIMIT_EXCEEDED", "Batch requests must have 1 to %d subrequests, not %d", maxParts, len(in.Requests)))
	}
	type result struct {
		Status int             `json:"statusCode"`
		Result json.RawMessage `json:"result"`
	}
	out := struct {
		HasErrors bool     `json:"hasErrors"`
		Results   []result `json:"results"`
	}{Results: []result{}}
	for _, p := range in.Requests {
		var rep *reply
		target := strings.TrimPrefix(strings.TrimPrefix(p.URL, "/"), "services/data/")
		sub, e := c.part(p.Method, target, "", nil, p.RichInput)
		switch {
		case out.HasErrors && in.HaltOnError:
			rep = failed(refuse(http.StatusPreconditionFailed, "BATCH_PROCESSING_HALTED", "Batch processing halted per request"))
		case e != nil:
			rep = failed(e)
		default:
			rep = s.answer(sub)
		}
		r := result{rep.status, json.RawMessage("null")}
		if len(rep.body) > 0 {
			r.Result = rep.body
		}
		out.HasErrors = out.HasErrors || rep.status >= 400
		out.Results = append(out.Results, r)
	}
	return okJSON(out)
}
