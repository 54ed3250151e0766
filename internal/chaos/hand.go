package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/simforce"
)

// What people and programs do with the product: the operator's program, the OAuth flow in a browser, the API.

// withHost is a URL at another host.
func withHost(raw, host string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	u.Host = host
	return u.String(), nil
}

// starter runs the operator's program and returns what it printed. What it says besides goes into a log.
func (s *stack) starter(ctx context.Context, args ...string) (string, error) {
	return s.starterWith(ctx, "", args...)
}

func (s *stack) starterWith(ctx context.Context, input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "starter"), args...)
	cmd.Env = append(devstack.BareEnvironment(), s.env...)
	cmd.Stdin = strings.NewReader(input)
	log, err := os.OpenFile(s.logPath("starter"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer log.Close()
	var problems strings.Builder
	cmd.Stderr = io.MultiWriter(&problems, log)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("starter %s: %w: %s", args[0], err, strings.TrimSpace(problems.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// fetch makes one HTTP call.
func fetch(ctx context.Context, method, address, token, body string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

// read gets a JSON answer of the API. base is where: over the way of browsers, or straight from an authsvc.
func (r *Run) read(ctx context.Context, base, path, token string, into any) error {
	status, raw, err := fetch(ctx, http.MethodGet, base+path, token, "")
	if err != nil {
		return err
	}
	r.canary.scan("an answer of the API", raw)
	if status != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, status, raw)
	}
	return json.Unmarshal(raw, into)
}

// straight is an authsvc that answers, past every way.
func (r *Run) straight(ctx context.Context) (string, error) {
	var last error
	for _, address := range r.stack.direct {
		status, _, err := fetch(ctx, http.MethodGet, "http://"+address+"/healthz", "", "")
		if err == nil && status == http.StatusOK {
			return "http://" + address, nil
		}
		last = err
	}
	return "", fmt.Errorf("no authsvc answers: %w", last)
}

// connect takes a tenant through login and consent, with a one-time link and without an account.
func (r *Run) connect(ctx context.Context, t *tenant) error {
	link, err := r.stack.starter(ctx, "connect", t.name())
	if err != nil {
		return err
	}
	u, err := url.Parse(link)
	if err != nil {
		return err
	}
	r.canary.add("a one-time link", u.Query().Get("link"))
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	authorize, _, err := r.visit(ctx, browser, link)
	if err != nil {
		return err
	}
	back, err := simforce.Consent(ctx, authorize, t.user, true)
	if err != nil {
		return err
	}
	home, _, err := r.visit(ctx, browser, back)
	if err != nil {
		return err
	}
	_, page, err := r.visit(ctx, browser, home)
	if err == nil && !strings.Contains(page, "configured successfully") {
		return fmt.Errorf("connect %s: the page does not say that it is connected", t.name())
	}
	return err
}

// visit opens a page and returns where it sends the browser, or its text.
func (r *Run) visit(ctx context.Context, browser *http.Client, address string) (to, page string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", "", err
	}
	resp, err := browser.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", "", err
	}
	r.canary.scan("a page", raw)
	if resp.StatusCode == http.StatusOK {
		return "", string(raw), nil
	}
	location, err := resp.Location()
	if err != nil {
		return "", "", fmt.Errorf("visit %s: %d", req.URL.Path, resp.StatusCode)
	}
	return location.String(), "", nil
}

// sql asks PostgreSQL past every way. Columns are divided by "|".
func (r *Run) sql(ctx context.Context, query string) ([][]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := r.stack.pg.Psql(ctx, "", query)
	if err != nil || out == "" {
		return nil, err
	}
	var rows [][]string
	for line := range strings.SplitSeq(out, "\n") {
		rows = append(rows, strings.Split(line, "|"))
	}
	return rows, nil
}
