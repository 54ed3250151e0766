package request

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// compressFrom is the size in bytes from which an answer is worth compressing.
const compressFrom = 1024

var compressors = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return w
}}

// Answer writes a whole answer: body compressed when the caller takes gzip, its
// length, and the time it took in Server-Timing. Headers that are set already stay.
func Answer(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	if len(body) >= compressFrom && AcceptsGzip(r) {
		var buf bytes.Buffer
		c := compressors.Get().(*gzip.Writer)
		c.Reset(&buf)
		_, _ = c.Write(body) // a bytes.Buffer takes everything
		_ = c.Close()
		compressors.Put(c)
		body = buf.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	setTiming(w, r)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // whoever left early does not read the error either
	}
}

// NotModified answers that the caller has the answer already. Headers that are set stay.
func NotModified(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept-Encoding")
	setTiming(w, r)
	w.WriteHeader(http.StatusNotModified)
}

func setTiming(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server-Timing", fmt.Sprintf("total;dur=%.1f", float64(time.Since(Of(r.Context()).begun).Microseconds())/1000))
}

// AcceptsGzip reads Accept-Encoding: gzip or * named with a quality above zero.
func AcceptsGzip(r *http.Request) bool {
	star := false
	for _, header := range r.Header.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(header, ",") {
			name, parameters, _ := strings.Cut(item, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			if name != "gzip" && name != "*" {
				continue
			}
			accepted := true
			if q, found := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(parameters), " ", ""), "q="); found {
				quality, err := strconv.ParseFloat(q, 64)
				accepted = err == nil && quality > 0
			}
			if name == "gzip" {
				return accepted
			}
			star = accepted
		}
	}
	return star
}
