package api

import (
	"io"
	"net/http"
)

// readWhole reads the body of a request.
func readWhole(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, bodyFault(err)
	}
	return raw, nil
}
