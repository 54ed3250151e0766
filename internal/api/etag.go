package api

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// etag names an answer by what it says, whoever asked: it tells nothing that the answer does not. It is
// weak, because the same answer goes out compressed and not.
func etag(body []byte) string {
	sum := sha256.Sum256(body)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// hasCurrent reports whether the caller has the answer that tag names.
func hasCurrent(r *http.Request, tag string) bool {
	for _, header := range r.Header.Values("If-None-Match") {
		for item := range strings.SplitSeq(header, ",") {
			item = strings.TrimSpace(item)
			if item == "*" || "W/"+strings.TrimPrefix(item, "W/") == tag {
				return true
			}
		}
	}
	return false
}
