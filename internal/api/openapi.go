package api

import (
	"net/http"

	"salesforcesync/internal/openapi"
	"salesforcesync/internal/request"
)

// documentPath is where the description of the API is: for anybody, because it says what the program
// can do and nothing about what is in it.
const documentPath = "/api/openapi.json"

func serveDocument(w http.ResponseWriter, r *http.Request) {
	request.Of(r.Context()).Route = r.Pattern
	request.Answer(w, r, http.StatusOK, contentType, openapi.JSON())
}
