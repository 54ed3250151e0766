package soak

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// bend is a product that is broken in one way. There is no hook in the product for it:
// its queries are changed on their way to Salesforce, or its database forgets.
type bend struct {
	name string
	why  string
	// query changes a query on its way.
	query func(r *run, q string) string
	// forget is SQL for the script's database.
	forget string
	// blind leaves out the checks made while the script plays: what the store holds in
	// the end must show it.
	blind bool

	run *run
}

var bends = []bend{
	{
		name: "no overlap",
		why:  "the scan for late commits starts at the cursor",
		query: func(r *run, q string) string {
			m := scanQuery.FindStringSubmatch(q)
			if m == nil || strings.Contains(q, "SystemModstamp <") {
				return q
			}
			hi := rows[struct{ Hi time.Time }](r.ctx, r.d, `
				select coalesce(greatest((select max(hi_stamp) from streams where integration_id = $1 and object = $2 and lane = 'live'),
					(select max(hi_stamp) from dependencies where integration_id = $1 and parent = $2)), '0001-01-01Z') as hi`, r.id, m[1])[0].Hi
			return lowerBound.ReplaceAllStringFunc(q, func(found string) string {
				from, err := time.Parse(time.RFC3339, lowerBound.FindStringSubmatch(found)[1])
				if err != nil || !from.Before(hi) {
					return found
				}
				return "SystemModstamp >= " + hi.UTC().Format("2006-01-02T15:04:05Z")
			})
		},
	},
	{
		name: "no Id in the order",
		why:  "rows of one second come in any order, and pages end among them",
		query: func(_ *run, q string) string {
			return strings.ReplaceAll(q, "ORDER BY SystemModstamp ASC, Id ASC", "ORDER BY SystemModstamp ASC")
		},
	},
	{
		name: "> for >=",
		why:  "what is left of the cursor's second is passed over",
		query: func(_ *run, q string) string {
			return keyset.ReplaceAllString(q, "SystemModstamp > $1")
		},
	},
	{
		name:  "no fencing",
		why:   "neither a changed file nor a second attempt ends the work under way",
		blind: true,
		forget: `
			create function simtime.same_epoch() returns trigger language plpgsql as 'begin new.epoch := old.epoch; return new; end';
			create trigger same_epoch before update of epoch on streams for each row execute function simtime.same_epoch();
			create function simtime.same_attempt() returns trigger language plpgsql as 'begin new.attempt := old.attempt; return new; end';
			create trigger same_attempt before update of attempt on batches for each row execute function simtime.same_attempt()`,
	},
	{
		name: "no read order",
		why:  "an older reading with the same stamp replaces a newer one",
		forget: `
			create function simtime.no_order() returns trigger language plpgsql as 'begin new.read_begin := 0; new.read_end := 0; return new; end';
			create trigger no_order before insert or update on records for each row execute function simtime.no_order()`,
	},
}

var (
	scanQuery  = regexp.MustCompile(`^SELECT (?:Id|IsDeleted|SystemModstamp|, )+ FROM (\w+) WHERE .* LIMIT 2000$`)
	lowerBound = regexp.MustCompile(`SystemModstamp >= (\S+)`)
	keyset     = regexp.MustCompile(`\(SystemModstamp = \S+ AND Id > '\w+'\) OR SystemModstamp > ([^ )]+)`)
)

// request changes the queries of a request.
func (b *bend) request(req *http.Request) *http.Request {
	if b.query == nil {
		return req
	}
	if strings.HasSuffix(req.URL.Path, "/query") || strings.HasSuffix(req.URL.Path, "/queryAll") {
		clone := req.Clone(req.Context())
		clone.URL.RawQuery = b.soql(clone.URL.RawQuery)
		return clone
	}
	if !strings.HasSuffix(req.URL.Path, "/composite") || req.Body == nil {
		return req
	}
	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close()
	var all map[string]json.RawMessage
	var parts []map[string]any
	if err != nil || json.Unmarshal(body, &all) != nil || json.Unmarshal(all["compositeRequest"], &parts) != nil {
		fail("a composite request cannot be read: %v %s", err, body)
	}
	for _, p := range parts {
		if path, query, ok := strings.Cut(p["url"].(string), "?"); ok && (strings.HasSuffix(path, "/query") || strings.HasSuffix(path, "/queryAll")) {
			p["url"] = path + "?" + b.soql(query)
		}
	}
	all["compositeRequest"] = json.RawMessage(jsonOf(parts))
	body = []byte(jsonOf(all))
	clone := req.Clone(req.Context())
	clone.Body, clone.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	clone.GetBody = nil
	return clone
}

func (b *bend) soql(raw string) string {
	values, err := url.ParseQuery(raw)
	if err != nil || values.Get("q") == "" {
		return raw
	}
	values.Set("q", b.query(b.run, values.Get("q")))
	return values.Encode()
}
