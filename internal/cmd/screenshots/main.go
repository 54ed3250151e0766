// Command screenshots takes the pictures of the pages in docs/images from a demo that runs (make run):
//
//	make run            # in one terminal
//	make screenshots    # in another
//
// It looks at each page as a reader would, in the light and, of some, in the dark and on a telephone, and
// refuses a page that complains on its console or that axe-core finds something serious in.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"salesforcesync/internal/browser"
)

// picture is one page as somebody sees it.
type picture struct {
	name, path    string
	width, height int
	dark          bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir := flag.String("dir", filepath.Join("docs", "images"), "`folder` for the pictures")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "screenshots takes pictures of the pages of a demo that runs: make run, and then make screenshots.\n\nFlags:\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(ctx, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

// demo is where the demo is, by .dev/demo.env.
type demo struct{ url, token, email, password string }

func run(ctx context.Context, dir string) error {
	d := demo{url: os.Getenv("PUBLIC_URL"), token: os.Getenv("API_TOKEN"), email: os.Getenv("ADMIN_EMAIL"), password: os.Getenv("ADMIN_PASSWORD")}
	if d.url == "" || d.password == "" {
		return errors.New("no demo runs here: start one with `make run`, then `make screenshots`")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	pictures, err := d.pictures(ctx)
	if err != nil {
		return err
	}
	b, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	tab, err := b.Open()
	if err != nil {
		return err
	}
	defer tab.Close()
	if err := errors.Join(tab.Go(d.url+"/sign-in"), tab.Fill("Email", d.email), tab.Fill("Password", d.password), tab.Press("Sign in"), tab.See("Integrations")); err != nil {
		return err
	}
	for _, p := range pictures {
		if err := shoot(tab, d.url, dir, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func shoot(tab *browser.Tab, base, dir string, p picture) error {
	if err := errors.Join(tab.Show(p.width, p.height, p.dark), tab.Go(base+p.path)); err != nil {
		return err
	}
	time.Sleep(time.Second) // what moves has come by then
	found, err := tab.Check()
	if err != nil {
		return err
	}
	if serious := browser.Serious(found); len(serious) > 0 {
		return fmt.Errorf("axe-core finds %v", serious)
	}
	if said := tab.Complaints(); len(said) > 0 {
		return fmt.Errorf("the console says %q", said)
	}
	file := filepath.Join(dir, p.name+".png")
	if err := tab.Screenshot(file, false); err != nil {
		return err
	}
	fmt.Println(file)
	return nil
}

// pictures are those of the pages that a demo has, with a comment and a thread of it that have something to show.
func (d demo) pictures(ctx context.Context) ([]picture, error) {
	comment, thread, err := d.example(ctx)
	if err != nil {
		return nil, err
	}
	const wide, high = 1280, 900
	return []picture{
		{"overview", "/", wide, high, false},
		{"overview-dark", "/", wide, high, true},
		{"overview-narrow", "/", 390, 844, false},
		{"integration", "/integrations/demo/salesforce-demo", wide, high, false},
		{"integration-dark", "/integrations/demo/salesforce-demo", wide, high, true},
		{"new-integration", "/integrations/new", wide, high, false},
		{"comments", "/comments?q=please", wide, high, false},
		{"comment", "/comments/demo/salesforce-emails/" + comment, wide, high, false},
		{"thread", "/threads/demo/salesforce-emails/" + thread, wide, high, false},
		{"thread-narrow", "/threads/demo/salesforce-emails/" + thread, 390, 844, true},
		{"usage", "/usage", wide, high, false},
		{"access", "/access", wide, high, false},
	}, nil
}

// example is a comment that belongs to a thread of several.
func (d demo) example(ctx context.Context) (comment, thread string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/api/v1/sources/demo/salesforce-emails/threads?limit=16", nil)
	if err != nil {
		return "", "", err
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Threads []struct {
			ID       string `json:"thread_id"`
			Comments []struct {
				ID string `json:"id"`
			} `json:"comments"`
		} `json:"threads"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", "", fmt.Errorf("read the threads: %s: %w", resp.Status, err)
	}
	most := 0
	for _, t := range answer.Threads {
		if len(t.Comments) > most {
			most, comment, thread = len(t.Comments), t.Comments[0].ID, t.ID
		}
	}
	if most == 0 {
		return "", "", errors.New("the demo has no comments yet: try again in a minute")
	}
	return url.PathEscape(comment), url.PathEscape(thread), nil
}
