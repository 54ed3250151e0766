package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// simulated asks the simulator, as any client of Salesforce would, how many e-mails
// there are to sync.
type simulated struct {
	url     string // http://127.0.0.1:8090
	session string // access token
	data    string // /services/data/v64.0
}

// whatSyncs leaves drafts out, as preset email does.
const whatSyncs = "SELECT COUNT() FROM EmailMessage WHERE Status != '5' AND IsPrivateDraft = false"

// count returns how many e-mails the simulator has. A session that has ended is replaced once.
func (s *simulated) count(ctx context.Context) (int, error) {
	n, err := s.tryCount(ctx)
	var status *statusError
	if s.session == "" || errors.As(err, &status) && status.code == http.StatusUnauthorized {
		if err := s.login(ctx); err != nil {
			return 0, err
		}
		n, err = s.tryCount(ctx)
	}
	return n, err
}

func (s *simulated) tryCount(ctx context.Context) (int, error) {
	var result struct {
		TotalSize int `json:"totalSize"`
	}
	err := callJSON(ctx, http.MethodGet, s.url+s.data+"/query?q="+url.QueryEscape(whatSyncs), s.session, nil, &result)
	return result.TotalSize, err
}

// login gets a session through the simulator's control endpoint and finds the newest API version.
func (s *simulated) login(ctx context.Context) error {
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := callJSON(ctx, http.MethodPost, s.url+"/_sim/login", "", map[string]string{"username": countingUser}, &tokens); err != nil {
		return err
	}
	var versions []struct {
		URL string `json:"url"`
	}
	if err := callJSON(ctx, http.MethodGet, s.url+"/services/data", "", nil, &versions); err != nil {
		return err
	}
	if len(versions) == 0 {
		return errors.New("read the simulator's versions: there are none")
	}
	s.session, s.data = tokens.AccessToken, versions[len(versions)-1].URL
	return nil
}

// statusError is an answer other than 200.
type statusError struct {
	call, status, body string
	code               int
}

func (e *statusError) Error() string { return fmt.Sprintf("%s says %s: %s", e.call, e.status, e.body) }

// callJSON makes one HTTP call with JSON in, when there is some, and JSON out, when it is wanted.
func callJSON(ctx context.Context, method, target, token string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var body io.Reader
	if in != nil && method != http.MethodGet {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &statusError{
			call: method + " " + req.URL.Path, status: resp.Status, code: resp.StatusCode,
			body: strings.TrimSpace(string(b[:min(len(b), 300)])),
		}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, req.URL.Path, err)
	}
	return nil
}
