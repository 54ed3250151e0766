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
	"strconv"
	"strings"
	"time"
)

// callJSON makes one HTTP call with JSON in, when there is some, and JSON out, when it is wanted.
func callJSON(ctx context.Context, method, target, token string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var body io.Reader
	if in != nil {
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
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return &statusError{call: method + " " + req.URL.Path, status: resp.Status, code: resp.StatusCode,
			body: strings.TrimSpace(string(b[:min(len(b), 300)]))}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, req.URL.Path, err)
	}
	return nil
}

// statusError is an answer other than 2xx.
type statusError struct {
	call, status, body string
	code               int
}

func (e *statusError) Error() string { return fmt.Sprintf("%s says %s: %s", e.call, e.status, e.body) }

// bulk is a session at the simulator that reads in bulk with nothing but HTTP.
type bulk struct {
	client *http.Client
	base   string // http://…/services/data/v66.0
	token  string
}

// bulk logs another user in than the product's, so that nothing here touches its grant.
func (g *ground) bulk(ctx context.Context) (*bulk, error) {
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := callJSON(ctx, http.MethodPost, g.simURL+"/_sim/login", "", map[string]string{"username": otherUser}, &tokens); err != nil {
		return nil, err
	}
	var versions []struct {
		URL string `json:"url"`
	}
	if err := callJSON(ctx, http.MethodGet, g.simURL+"/services/data", "", nil, &versions); err != nil {
		return nil, err
	}
	if len(versions) == 0 {
		return nil, errors.New("read the simulator's versions: there are none")
	}
	return &bulk{client: &http.Client{}, base: g.simURL + versions[len(versions)-1].URL, token: tokens.AccessToken}, nil
}

// countMails asks Salesforce how many mails the query has.
func (g *ground) countMails(ctx context.Context) (int, error) {
	b, err := g.bulk(ctx)
	if err != nil {
		return 0, err
	}
	_, where, _ := strings.Cut(mailQuery, " FROM ")
	var answer struct {
		TotalSize int `json:"totalSize"`
	}
	err = callJSON(ctx, http.MethodGet, b.base+"/query?q="+url.QueryEscape("SELECT COUNT() FROM "+where), b.token, nil, &answer)
	return answer.TotalSize, err
}

// create makes a job and waits until it is complete.
func (b *bulk) create(ctx context.Context, soql string) (job string, err error) {
	var j struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}
	err = callJSON(ctx, http.MethodPost, b.base+"/jobs/query", b.token, map[string]string{"operation": "query", "query": soql}, &j)
	for err == nil && j.State != "JobComplete" {
		if j.State == "Failed" || j.State == "Aborted" {
			return "", fmt.Errorf("job %s is %s", j.ID, j.State)
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
		err = callJSON(ctx, http.MethodGet, b.base+"/jobs/query/"+j.ID, b.token, nil, &j)
	}
	return j.ID, err
}

// page reads one page of a job's result and returns the locator of the next one, "null" after the last.
func (b *bulk) page(ctx context.Context, job, locator string, most int, read func(io.Reader) error) (string, error) {
	q := url.Values{}
	if locator != "" {
		q.Set("locator", locator)
	}
	if most > 0 {
		q.Set("maxRecords", strconv.Itoa(most))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+"/jobs/query/"+job+"/results?"+q.Encode(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	resp, err := b.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("results of job %s: %s", job, resp.Status)
	}
	if err := read(resp.Body); err != nil {
		return "", fmt.Errorf("results of job %s: %w", job, err)
	}
	next := resp.Header.Get("Sforce-Locator")
	if next == "" {
		return "", fmt.Errorf("results of job %s: no locator", job)
	}
	return next, nil
}

// remove removes a job that is complete.
func (b *bulk) remove(ctx context.Context, job string) error {
	return callJSON(ctx, http.MethodDelete, b.base+"/jobs/query/"+job, b.token, nil, nil)
}
