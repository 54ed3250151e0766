// Package browser drives a real Chromium for tests and screenshots of the pages, and holds each page
// to what every page must keep: nothing on the console, nothing that the Content-Security-Policy
// refuses, no exception, and nothing serious that axe-core finds.
//
// It must not know the product's pages: tests say where to click. It is not part of what is shipped.
package browser
