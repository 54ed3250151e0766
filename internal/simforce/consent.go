package simforce

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

var attemptField = regexp.MustCompile(`name="attempt" value="([0-9a-f]+)"`)

// Consent is the user in front of the browser, for scripts: it opens an
// authorize URL of a simulator, logs in as username, allows or denies, and
// returns the address the browser would be sent to. It does not open that
// address. A page without a form (unknown app, wrong redirect_uri) is an error
// that quotes the page.
func Consent(ctx context.Context, authorizeURL, username string, allow bool) (callbackURL string, err error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	u, err := url.Parse(authorizeURL)
	if err != nil {
		return "", fmt.Errorf("open authorize url: %w", err)
	}
	page, location, err := visit(ctx, client, http.MethodGet, authorizeURL, nil)
	if err != nil || location != "" {
		return location, err
	}
	m := attemptField.FindStringSubmatch(page)
	if m == nil {
		return "", fmt.Errorf("open authorize url: no login form on the page: %s", cut(plainOf(page), 2000))
	}
	post := u.Scheme + "://" + u.Host + "/services/oauth2/authorize"
	answer := url.Values{"attempt": {m[1]}, "username": {username}}
	if page, _, err = visit(ctx, client, http.MethodPost, post, answer); err != nil {
		return "", err
	}
	if !strings.Contains(page, `name="decision"`) {
		return "", fmt.Errorf("log in as %s: no consent form on the page: %s", username, cut(plainOf(page), 2000))
	}
	answer.Set("decision", map[bool]string{true: "allow", false: "deny"}[allow])
	page, location, err = visit(ctx, client, http.MethodPost, post, answer)
	if err == nil && location == "" {
		err = fmt.Errorf("answer the consent page: not sent back: %s", cut(plainOf(page), 2000))
	}
	return location, err
}

func visit(ctx context.Context, client *http.Client, method, address string, form url.Values) (page, location string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := client.Do(req)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return string(body), res.Header.Get("Location"), err
}
