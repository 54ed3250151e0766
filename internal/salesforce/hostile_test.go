package salesforce

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
)

const (
	cleanPage = `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Case"},"Id":"500dM00000abcdEQAQ","Subject":"Grüße aus Köln"}]}`
	loginPage = `<!DOCTYPE html><html><head><title>Login | Salesforce</title></head><body>secret page text</body></html>`
)

// say answers with a status, a content type and a body.
func say(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func zipped(body string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, body)
	_ = z.Close()
	return b.Bytes()
}

// latin1 spells text in one byte per letter.
func latin1(s string) string {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

func utf16le(s string) string {
	var b []byte
	for _, u := range append([]uint16{0xFEFF}, utf16.Encode([]rune(s))...) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// Whatever comes instead of a page: it is sorted, asked for again only where that can
// help, told with its request id, and never taken for a short page.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	const json8 = "application/json;charset=UTF-8"
	dead := errorList("INVALID_SESSION_ID", "Session expired or invalid")
	for name, c := range map[string]struct {
		answer    http.HandlerFunc
		kind      fault.Kind
		code      string
		exchanges int
		refreshes int
	}{
		"an expired session":             {say(401, json8, dead), fault.Transient, "INVALID_SESSION_ID", 2, 1},
		"an expired session with 200":    {say(200, json8, dead), fault.Transient, "INVALID_SESSION_ID", 2, 1},
		"an expired session in XML":      {say(401, "application/xml", `<Errors><Error><errorCode>INVALID_SESSION_ID</errorCode><message>Session expired or invalid</message></Error></Errors>`), fault.Transient, "INVALID_SESSION_ID", 2, 1},
		"401 without a word":             {say(401, "", ""), fault.Transient, CodeBrokenBody, 2, 1},
		"a malformed token":              {say(401, json8, errorList("INVALID_AUTH_HEADER", "INVALID_AUTH_HEADER")), fault.Transient, "INVALID_AUTH_HEADER", 2, 1},
		"a session that is not for REST": {say(401, json8, errorList("INVALID_SESSION_ID", "This session is not valid for use with the REST API")), fault.Permission, "INVALID_SESSION_ID", 1, 0},
		"an app that is not attached":    {say(401, json8, errorList("INVALID_SESSION_ID", "Connected app is not attached to Agent")), fault.Permission, "INVALID_SESSION_ID", 1, 0},
		"QUERY_TIMEOUT":                  {say(400, json8, errorList("QUERY_TIMEOUT", "Your query request was running for too long.")), fault.Transient, "QUERY_TIMEOUT", 1, 0},
		"OPERATION_TOO_LARGE with 403":   {say(403, json8, errorList("OPERATION_TOO_LARGE", "exceeded 100000 distinct who/what's")), fault.Permission, "OPERATION_TOO_LARGE", 1, 0},
		"the quota's end":                {say(403, json8, errorList("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")), fault.Quota, "REQUEST_LIMIT_EXCEEDED", 1, 0},
		"too much at once":               {say(403, json8, errorList("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")), fault.RateLimited, "REQUEST_LIMIT_EXCEEDED", 1, 0},
		"too often":                      {say(429, json8, errorList("REQUEST_LIMIT_EXCEEDED", "Too many requests.")), fault.RateLimited, "REQUEST_LIMIT_EXCEEDED", 1, 0},
		"a disabled API":                 {say(403, json8, errorList("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.")), fault.Permission, "API_DISABLED_FOR_ORG", 1, 0},
		"a hidden field":                 {say(400, json8, errorList("INVALID_FIELD", noSuchColumn)), fault.Config, "INVALID_FIELD", 1, 0},
		"a query we spelt wrongly":       {say(400, json8, errorList("MALFORMED_QUERY", "unexpected token: 'FROM'")), fault.Internal, "MALFORMED_QUERY", 1, 0},
		"transaction security":           {say(400, json8, errorList("TXN_SECURITY_METERING_ERROR", "x")), fault.Permission, "TXN_SECURITY_METERING_ERROR", 1, 0},
		"a retired version":              {say(410, json8, errorList("UNSUPPORTED_API_VERSION", "x")), fault.Internal, "UNSUPPORTED_API_VERSION", 1, 0},
		"an unknown exception":           {say(500, json8, errorList("UNKNOWN_EXCEPTION", "An unexpected error occurred.")), fault.Transient, "UNKNOWN_EXCEPTION", 1, 0},
		"an object instead of a list":    {say(500, json8, `{"message":"m","errorCode":"UNKNOWN_EXCEPTION","enhancedErrorType":"None"}`), fault.Transient, "UNKNOWN_EXCEPTION", 1, 0},
		"an OAuth object":                {say(503, json8, `{"error":"temporarily_unavailable","error_description":"try again later"}`), fault.Transient, "temporarily_unavailable", 1, 0},
		"an OAuth object with 200":       {say(200, json8, `{"error":"temporarily_unavailable"}`), fault.Transient, CodeBrokenBody, 1, 0},
		"XML with 200":                   {say(200, "application/xml", `<?xml version="1.0"?><QueryResult/>`), fault.Transient, CodeNotJSON, 1, 0},
		"XML with 500":                   {say(500, "application/xml", `<Errors><Error><errorCode>UNKNOWN_EXCEPTION</errorCode></Error></Errors>`), fault.Transient, "UNKNOWN_EXCEPTION", 1, 0},
		"a page for people with 200":     {say(200, "text/html", loginPage), fault.Transient, CodeNotJSON, 1, 0},
		"a page for people with 400":     {say(400, "text/html", loginPage), fault.Transient, CodeNotJSON, 1, 0},
		"a page for people with 503":     {say(503, "text/html", loginPage), fault.Transient, CodeNotJSON, 1, 0},
		"a page in Latin-1 with 200":     {say(200, "text/html", latin1("<html>Wartung für Köln</html>")), fault.Transient, CodeNotJSON, 1 + mostDamaged, 0},
		"nobody at this address":         {say(420, "text/html", loginPage), fault.Transient, CodeNotJSON, 2, 1},
		"nothing with 200":               {say(200, json8, ""), fault.Transient, CodeBrokenBody, 1, 0},
		"blanks with 200":                {say(200, json8, " \n\t "), fault.Transient, CodeBrokenBody, 1, 0},
		"nothing with 204":               {say(204, "", ""), fault.Transient, CodeBrokenBody, 1, 0},
		"nothing with 406":               {say(406, "", ""), fault.Transient, CodeBrokenBody, 1, 0},
		"nothing with 503":               {say(503, "", ""), fault.Transient, CodeBrokenBody, 1, 0},
		"an unasked 304":                 {say(304, "", ""), fault.Transient, CodeBrokenBody, 1, 0},
		"cut JSON":                       {say(200, json8, cleanPage[:len(cleanPage)-10]), fault.Transient, CodeBrokenBody, 1, 0},
		"JSON cut in a character":        {say(200, json8, cleanPage[:strings.Index(cleanPage, "ü")+1]), fault.Transient, CodeBrokenBody, 1, 0},
		"JSON cut in an error":           {say(403, json8, errorList("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")[:70]), fault.Quota, "REQUEST_LIMIT_EXCEEDED", 1, 0},
		"JSON that is no page":           {say(200, json8, `{"hello":"world"}`), fault.Transient, CodeBrokenBody, 1, 0},
		"a list instead of a page":       {say(200, json8, `[1,2,3]`), fault.Transient, CodeBrokenBody, 1, 0},
		"a page without records":         {say(200, json8, `{"totalSize":1,"done":true}`), fault.Transient, CodeBrokenBody, 1, 0},
		"a page that names no next one":  {say(200, json8, `{"totalSize":9,"done":false,"records":[]}`), fault.Transient, CodeBrokenBody, 1, 0},
		"rows that are no objects":       {say(200, json8, `{"totalSize":1,"done":true,"records":[null]}`), fault.Transient, CodeBrokenBody, 1, 0},
		"NUL between the members":        {say(200, json8, "{\x00\"totalSize\":1,\"done\":true,\"records\":[]}"), fault.Transient, CodeBrokenBody, 1, 0},
		"UTF-16 that says it is UTF-8":   {say(200, json8, utf16le(cleanPage)), fault.Transient, CodeNotJSON, 1 + mostDamaged, 0},
		"a charset that nobody knows":    {say(200, "application/json;charset=x-klingon", cleanPage), fault.Transient, CodeNotJSON, 1, 0},
		"gzip cut short":                 {func(w http.ResponseWriter, _ *http.Request) { gzipped(w, zipped(strings.Repeat(cleanPage, 50))[:60]) }, fault.Transient, CodeBrokenBody, 1, 0},
		"gzip that is none":              {func(w http.ResponseWriter, _ *http.Request) { gzipped(w, []byte(cleanPage)) }, fault.Transient, CodeBrokenBody, 1, 0},
		"gzip with a wrong sum": {func(w http.ResponseWriter, _ *http.Request) {
			z := zipped(cleanPage[:40])
			z[len(z)-6] ^= 1
			gzipped(w, z)
		}, fault.Transient, CodeBrokenBody, 1, 0},
		"a connection that ends in a page": {hangUp, fault.Transient, CodeBrokenBody, 1, 0},
		"a login page by redirect": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://login.salesforce.com/?ec=302")
			say(302, "text/html", loginPage)(w, nil)
		}, fault.Transient, CodeNotJSON, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, g, seen := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-Id", "req-7")
				c.answer(w, r)
			})
			_, err := client.Query(t.Context(), "SELECT Topsecret FROM Case", QueryOptions{})
			require.Error(t, err)
			require.Equal(t, c.kind, fault.KindOf(err), "%v", err)
			require.Equal(t, c.code, codeOf(err), "%v", err)
			require.ErrorContains(t, err, "request id req-7")
			require.NotEmpty(t, fault.HintOf(err), "%v", err)
			for _, hidden := range []string{"Topsecret", "secret page text", "token-"} {
				require.NotContains(t, err.Error(), hidden)
			}
			require.Len(t, *seen, c.exchanges)
			require.Equal(t, c.refreshes, g.refreshes)
			for i, call := range *seen {
				require.Equal(t, "req-7", call.RequestID)
				require.NotEmpty(t, call.Fault)
				require.Equal(t, i < c.exchanges-1, call.Again, "what the client tries again is told by nobody else")
			}
		})
	}
}

func gzipped(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = w.Write(body)
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "5000")
	_, _ = io.WriteString(w, cleanPage[:50])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// Text that arrives damaged is asked for again, and arrives in the end, whatever it is.
func TestDamagedText(t *testing.T) {
	t.Parallel()
	row := func(subject string) string {
		return `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"Case"},"Id":"500dM00000abcdEQAQ","Subject":"` + subject + `"}]}`
	}
	const json8 = "application/json;charset=UTF-8"
	for name, c := range map[string]struct {
		answers   []http.HandlerFunc // the last one again and again
		subject   string
		exchanges int
	}{
		"as it should be":              {[]http.HandlerFunc{say(200, json8, cleanPage)}, "Grüße aus Köln", 1},
		"Latin-1 that says so":         {[]http.HandlerFunc{say(200, "application/json; charset=ISO-8859-1", latin1(cleanPage))}, "Grüße aus Köln", 1},
		"UTF-16 that says so":          {[]http.HandlerFunc{say(200, "application/json;charset=UTF-16", utf16le(cleanPage))}, "Grüße aus Köln", 1},
		"Latin-1 by accident":          {[]http.HandlerFunc{say(200, json8, latin1(cleanPage)), say(200, json8, cleanPage)}, "Grüße aus Köln", 2},
		"Latin-1 by accident, twice":   {[]http.HandlerFunc{say(200, json8, latin1(cleanPage)), say(200, json8, latin1(cleanPage)), say(200, json8, cleanPage)}, "Grüße aus Köln", 3},
		"no UTF-8 in Salesforce":       {[]http.HandlerFunc{say(200, json8, row("a\xff\xfeb\xc3"))}, "a\ufffd\ufffdb\ufffd", 3},
		"half a character at its end":  {[]http.HandlerFunc{say(200, json8, row("K\xc3"))}, "K\ufffd", 3},
		"half a surrogate pair":        {[]http.HandlerFunc{say(200, json8, row(`a\ud83db`))}, "a\ufffdb", 1},
		"NUL, bare":                    {[]http.HandlerFunc{say(200, json8, row("\x00a\x00b\x00"))}, "ab", 1},
		"NUL, escaped":                 {[]http.HandlerFunc{say(200, json8, row(`\u0000a\u0000b`))}, "ab", 1},
		"NUL in an escape":             {[]http.HandlerFunc{say(200, json8, row("a\\\x00nb"))}, "a\nb", 1},
		"bare control characters":      {[]http.HandlerFunc{say(200, json8, row("a\nb\tc\x01\x1fd"))}, "a\nb\tc\x01\x1fd", 1},
		"bare ones behind a backslash": {[]http.HandlerFunc{say(200, json8, row("a\\\\\nb\\\"\n"))}, "a\\\nb\"\n", 1},
		"a byte order mark":            {[]http.HandlerFunc{say(200, json8, "\ufeff"+cleanPage)}, "Grüße aus Köln", 1},
		"the charset in quotes":        {[]http.HandlerFunc{say(200, `application/json; charset="utf-8"`, cleanPage)}, "Grüße aus Köln", 1},
		"no content type":              {[]http.HandlerFunc{say(200, "", cleanPage)}, "Grüße aus Köln", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			client, _, seen := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
				i := int(n.Add(1)) - 1
				c.answers[min(i, len(c.answers)-1)](w, r)
			})
			for _, ask := range []func() (Page, error){
				func() (Page, error) {
					return client.Query(t.Context(), "SELECT Id, Subject FROM Case", QueryOptions{})
				},
			} {
				page, err := ask()
				require.NoError(t, err)
				require.Len(t, page.Rows, 1)
				rec, err := Decode(page.Rows[0], Fields{"Subject": TypeString})
				require.NoError(t, err)
				got, _ := rec.Text("Subject")
				require.Equal(t, c.subject, got)
			}
			require.Len(t, *seen, c.exchanges)
			for i, call := range *seen {
				require.Equal(t, i < c.exchanges-1, call.Again)
			}
		})
	}
}

// The reader must see characters whole wherever the network cuts.
func TestTextInSmallPieces(t *testing.T) {
	t.Parallel()
	text := strings.Repeat(`{"a":"Grüße 👩‍👩‍👧 \"x\" \\ \u00e9"}`+"\n", 3000)
	for _, piece := range []int{1, 2, 3, 5, 4095, 16 << 10, 1 << 20} {
		from, ok := jsonText(&pieces{strings.NewReader(text), piece}, http.Header{}, false)
		require.True(t, ok)
		got, err := io.ReadAll(from)
		require.NoError(t, err)
		require.Equal(t, text, string(got), piece)
	}
	from, _ := jsonText(&pieces{strings.NewReader(text[:10] + "\xff" + text), 3}, http.Header{}, false)
	_, err := io.ReadAll(from)
	require.ErrorIs(t, err, errNotUTF8)
}

// pieces gives at most n bytes at a time.
type pieces struct {
	io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.n)]) }

func FuzzText(f *testing.F) {
	f.Add([]byte(cleanPage), 3)
	f.Add([]byte("{\"a\":\"\x00\\\x00\"}"), 1)
	f.Add([]byte("\xc3\x28\xff\""), 2)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		strict, _ := jsonText(&pieces{bytes.NewReader(body), 1 + n&0xff}, http.Header{}, false)
		got, err := io.ReadAll(strict)
		lenient, _ := jsonText(bytes.NewReader(body), http.Header{}, true)
		all, lerr := io.ReadAll(lenient)
		require.NoError(t, lerr)
		if err == nil {
			require.Equal(t, got, all, "what passes strictly passes leniently")
		}
		if json.Valid(body) {
			var want, got bytes.Buffer
			require.NoError(t, json.Compact(&want, body))
			require.NoError(t, json.Compact(&got, all))
			require.Equal(t, want.String(), got.String(), "what is JSON stays as it is")
		}
	})
}

// Parts of one call are sorted one by one, and a session that died between two of them is
// renewed like one that died before.
func TestHostileParts(t *testing.T) {
	t.Parallel()
	part := func(i int, status int, body string) string {
		return `{"body":` + body + `,"httpHeaders":{},"httpStatusCode":` + itoa(status) + `,"referenceId":"q` + itoa(i) + `"}`
	}
	good := `{"totalSize":0,"done":true,"records":[]}`
	dead := errorList("INVALID_SESSION_ID", "Session expired or invalid")
	asks := []Ask{Subquery{SOQL: "SELECT Id FROM Case"}, Subquery{SOQL: "SELECT Id FROM Task"}}
	call := func(first, second string) http.HandlerFunc {
		return say(200, "application/json", `{"compositeResponse":[`+first+`,`+second+`]}`)
	}
	for name, c := range map[string]struct {
		answers   []http.HandlerFunc
		kind      fault.Kind // of the call
		part      fault.Kind // of the second part
		code      string
		exchanges int
		refreshes int
	}{
		"good": {[]http.HandlerFunc{call(part(0, 200, good), part(1, 200, good))}, "", "", "", 1, 0},
		"a session that died": {[]http.HandlerFunc{call(part(0, 200, good), part(1, 401, dead)), call(part(0, 200, good), part(1, 200, good))},
			"", "", "", 2, 1},
		"a session that stays dead": {[]http.HandlerFunc{call(part(0, 200, good), part(1, 401, dead))}, fault.Transient, "", "INVALID_SESSION_ID", 2, 1},
		"a session that is not for REST": {[]http.HandlerFunc{call(part(0, 200, good),
			part(1, 401, errorList("INVALID_SESSION_ID", "This session is not valid for use with the REST API")))}, "", fault.Permission, "INVALID_SESSION_ID", 1, 0},
		"a server that is busy": {[]http.HandlerFunc{call(part(0, 200, good), part(1, 503, errorList("SERVER_UNAVAILABLE", "Server too busy")))},
			"", fault.Transient, "SERVER_UNAVAILABLE", 1, 0},
		"a page for people":        {[]http.HandlerFunc{call(part(0, 200, good), part(1, 503, `"<html>busy</html>"`))}, "", fault.Transient, CodeNotJSON, 1, 0},
		"nothing":                  {[]http.HandlerFunc{call(part(0, 200, good), part(1, 500, `null`))}, "", fault.Transient, CodeNotJSON, 1, 0},
		"an error list with 200":   {[]http.HandlerFunc{call(part(0, 200, good), part(1, 200, dead))}, fault.Transient, "", CodeBrokenBody, 1, 0},
		"one part twice":           {[]http.HandlerFunc{call(part(0, 200, good), part(0, 200, good))}, fault.Transient, "", CodeBrokenBody, 1, 0},
		"a part that is cut short": {[]http.HandlerFunc{say(200, "application/json", `{"compositeResponse":[`+part(0, 200, good)+`]}`)}, fault.Transient, "", CodeBrokenBody, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			client, g, seen := org(t, nil, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-Id", "req-7")
				i := int(n.Add(1)) - 1
				c.answers[min(i, len(c.answers)-1)](w, r)
			})
			results, err := client.Together(t.Context(), asks)
			require.Len(t, *seen, c.exchanges)
			require.Equal(t, c.refreshes, g.refreshes)
			if c.kind != "" {
				require.Equal(t, c.kind, fault.KindOf(err), "%v", err)
				require.Equal(t, c.code, codeOf(err))
				require.ErrorContains(t, err, "req-7")
				return
			}
			require.NoError(t, err)
			require.NoError(t, results[0].Err)
			require.Equal(t, c.part, fault.KindOf(results[1].Err), "%v", results[1].Err)
			if c.part != "" {
				require.Equal(t, c.code, codeOf(results[1].Err))
				require.ErrorContains(t, results[1].Err, "query Task")
				require.ErrorContains(t, results[1].Err, "req-7")
			}
		})
	}
}

func itoa(n int) string {
	raw, _ := json.Marshal(n) // a number always encodes
	return string(raw)
}

// A trickle keeps the line alive for ever: the call as a whole is bounded, too.
func TestEndlessTrickle(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"of a page": 200, "of an error": 503} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _, seen := org(t, func(o *Options) { o.CallTimeout = 200 * time.Millisecond }, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"totalSize":1,"done":true,"records":[`)
				for r.Context().Err() == nil {
					if _, err := io.WriteString(w, " "); err != nil {
						return
					}
					_ = http.NewResponseController(w).Flush()
					time.Sleep(time.Millisecond)
				}
			})
			began := time.Now()
			_, err := client.Query(t.Context(), "SELECT Id FROM Case", QueryOptions{})
			require.Equal(t, fault.Transient, fault.KindOf(err), "%v", err)
			require.Less(t, time.Since(began), time.Minute)
			require.Len(t, *seen, 1)
		})
	}
}

// An answer of 2 GB costs no more memory than the largest one that is taken. Not
// parallel: it looks at the memory of the process.
func TestTwoGigabytes(t *testing.T) {
	const size = 2 << 30
	row := []byte(`{"attributes":{"type":"Case"},"Id":"500dM00000abcdEQAQ","Description":"` + strings.Repeat("text ", 6000) + `"},`)
	for name, c := range map[string]struct{ head, block []byte }{
		"of rows":   {[]byte(`{"totalSize":1,"done":true,"records":[`), bytes.Repeat(row, 30)},
		"of blanks": {[]byte(`{"totalSize":1,"done":true,"records":[`), bytes.Repeat([]byte(" "), 1<<20)},
		"of one text": {[]byte(`{"totalSize":1,"done":true,"records":[{"attributes":{},"Id":"`),
			bytes.Repeat([]byte("x"), 1<<20)},
		"of what we skip": {[]byte(`{"totalSize":1,"done":true,"junk":"`), bytes.Repeat([]byte("x"), 1<<20)},
	} {
		for _, packed := range []bool{false, true} {
			var sent atomic.Int64
			head, block := c.head, c.block
			if packed { // packed texts one after the other are one packed text
				head, block = zipped(string(head)), zipped(string(block))
			}
			client, _, _ := org(t, nil, func(w http.ResponseWriter, _ *http.Request) {
				if packed {
					w.Header().Set("Content-Encoding", "gzip")
				}
				_, err := w.Write(head)
				for err == nil && sent.Load() < size {
					_, err = w.Write(block)
					sent.Add(int64(len(c.block)))
				}
			})
			before := heap()
			var most atomic.Uint64
			stop := make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					select {
					case <-stop:
						return
					case <-time.After(5 * time.Millisecond):
						most.Store(max(most.Load(), heap()))
					}
				}
			}()
			_, err := client.Query(t.Context(), "SELECT Id, Description FROM Case", QueryOptions{})
			close(stop)
			<-done
			require.True(t, TooBroad(err), "%s: %v", name, err)
			if !packed { // what is packed well fits into the buffers on the way
				require.Less(t, sent.Load(), int64(size/2), "%s: most was never read", name)
			}
			grown := int64(most.Load()) - int64(before)
			t.Logf("%s, packed %v: %d MB", name, packed, grown>>20)
			require.Less(t, grown, int64(400<<20), name)
		}
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
