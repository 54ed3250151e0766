package main

import (
	"net/http"
	"net/netip"

	"salesforcesync/internal/api"
	"salesforcesync/internal/app"
	"salesforcesync/internal/request"
)

// newDoor sends each request to the door it knocks at: health, API, or pages. It
// is no ServeMux, which would answer unclean API paths with redirects.
func newDoor(comments, pages http.Handler, health *app.Health, observe func(request.Record), proxies []netip.Prefix) http.Handler {
	inside := request.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if api.Serves(r.URL.Path) {
			comments.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	}), observe, proxies...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			switch r.URL.Path { // asked every few seconds by machines: neither counted nor logged
			case "/healthz":
				health.Alive(w, r)
				return
			case "/readyz":
				health.Ready(w, r)
				return
			}
		}
		inside.ServeHTTP(w, r)
	})
}
