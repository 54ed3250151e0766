package simforce

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// faultText is what Fault.Contains is looked for in: the decoded query string
// and, of a composite request, the decoded URLs of its parts, of a bulk job its
// query. The body stays readable.
func faultText(r *http.Request, kind string) string {
	text, err := url.QueryUnescape(r.URL.RawQuery)
	if err != nil {
		text = ""
	}
	for _, p := range partsOf(r, kind) {
		text += "\n" + p.URL
	}
	return text + "\n" + jobQuery(r, kind)
}

// jobQuery is the statement of a request for a bulk job, "" of any other; the
// body stays readable.
func jobQuery(r *http.Request, kind string) string {
	if kind != "bulk_create" || r.Header.Get("Content-Encoding") != "" {
		return ""
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in struct {
		Query string `json:"query"`
	}
	if err != nil || json.Unmarshal(body, &in) != nil {
		return ""
	}
	return in.Query
}

// partsOf reads the parts of a composite request, with decoded URLs, and puts
// the body back.
func partsOf(r *http.Request, kind string) []compositePart {
	if kind != "composite" || r.Header.Get("Content-Encoding") != "" {
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in compositeRequest
	if err != nil || json.Unmarshal(body, &in) != nil {
		return nil
	}
	for i, p := range in.Parts {
		if plain, err := url.QueryUnescape(p.URL); err == nil {
			in.Parts[i].URL = plain
		}
	}
	return in.Parts
}

// strikePart gives a query class to one query of a composite request: the first
// whose text has contains. The other parts are answered as usual.
func (s *Server) strikePart(c *FaultClass, w http.ResponseWriter, r *http.Request, contains string) {
	var reference string
	for _, p := range partsOf(r, "composite") {
		if isQuery(p.URL) && strings.Contains(p.URL, contains) {
			reference = p.ReferenceID
			break
		}
	}
	full := capture(r, s)
	var out struct {
		Parts []compositeAnswer `json:"compositeResponse"`
	}
	i := -1
	if json.Unmarshal(full.body.Bytes(), &out) == nil {
		i = slices.IndexFunc(out.Parts, func(a compositeAnswer) bool { return a.ReferenceID == reference && a.Status < 400 })
	}
	if reference == "" || i < 0 {
		full.send(w)
		return
	}
	s.counters.fault(c.Name)
	out.Parts[i].Status, out.Parts[i].Body, out.Parts[i].Headers = c.status, json.RawMessage(c.body), map[string]string{}
	send(w, r, okJSON(out))
}

// isQuery tells the parts that a class of queries can befall.
func isQuery(address string) bool {
	return strings.Contains(address, "/query?") || strings.Contains(address, "/queryAll?") || strings.Contains(address, "/query/?")
}
