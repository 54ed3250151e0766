package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"

	"salesforcesync/internal/fault"
)

// browser goes through the OAuth pages the way a person's would: it keeps cookies,
// follows redirects, fills forms in and presses the button that agrees.
type browser struct {
	client *http.Client
	home   string            // the product's address, where the flow ends
	fields map[string]string // what to enter, by the field's name; other fields as agree does
}

func newBrowser(home string, fields map[string]string) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &browser{client: &http.Client{Jar: jar, Timeout: 30 * time.Second}, home: home, fields: fields}, nil
}

// consent opens link and agrees to everything until it is back at the product's
// front page.
func (b *browser) consent(ctx context.Context, link string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return fmt.Errorf("open the authenticate link: %w", err)
	}
	const mostPages = 8
	for range mostPages {
		resp, err := b.client.Do(req)
		if err != nil {
			return fmt.Errorf("connect to Salesforce: %w", err)
		}
		page, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		if err != nil {
			return fmt.Errorf("connect to Salesforce: %w", err)
		}
		at := resp.Request.URL
		if resp.StatusCode != http.StatusOK {
			return fault.New(fault.Unreachable, "connect to Salesforce: %s%s says %s: %s", at.Host, at.Path, resp.Status, pageText(page))
		}
		if strings.TrimSuffix(at.Scheme+"://"+at.Host+at.Path, "/") == b.home {
			return nil
		}
		if req, err = b.agree(ctx, at, page); err != nil {
			return err
		}
	}
	return fault.New(fault.Unreachable, "connect to Salesforce: not back at %s after %d pages", b.home, mostPages)
}

// agree makes the request that a person makes who fills in the page's form and agrees.
func (b *browser) agree(ctx context.Context, at *url.URL, page []byte) (*http.Request, error) {
	doc, err := html.Parse(strings.NewReader(string(page)))
	if err != nil {
		return nil, fmt.Errorf("read the page %s%s: %w", at.Host, at.Path, err)
	}
	form := findForm(doc)
	if form == nil {
		return nil, fault.New(fault.Unreachable, "connect to Salesforce: the page %s%s has no form: %s", at.Host, at.Path, pageText(page))
	}
	action, err := at.Parse(attribute(form, "action"))
	if err != nil {
		return nil, fmt.Errorf("read the form of %s%s: %w", at.Host, at.Path, err)
	}
	values := formValues(form)
	for name, value := range b.fields {
		if values.Has(name) {
			values.Set(name, value)
		}
	}
	if !strings.EqualFold(attribute(form, "method"), http.MethodPost) {
		action.RawQuery = values.Encode()
		return http.NewRequestWithContext(ctx, http.MethodGet, action.String(), nil)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, action.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

func findForm(n *html.Node) *html.Node {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == "form" {
			return d
		}
	}
	return nil
}

// formValues fills a form in: what stands in it, some text where nothing stands, the
// chosen or first entry of a list, and the button that does not refuse.
func formValues(form *html.Node) url.Values {
	values := url.Values{}
	pressed := false
	for n := range form.Descendants() {
		name := attribute(n, "name")
		if n.Type != html.ElementNode || name == "" {
			continue
		}
		value := attribute(n, "value")
		switch kind := attribute(n, "type"); {
		case n.Data == "select":
			values.Set(name, chosen(n))
		case n.Data == "button" || n.Data == "input" && kind == "submit":
			if refuses := slices.Contains([]string{"deny", "cancel", "no"}, strings.ToLower(value)); !pressed && !refuses {
				values.Set(name, value)
				pressed = true
			}
		case n.Data == "input" && (kind == "" || kind == "text" || kind == "email" || kind == "password") && value == "":
			values.Set(name, "demo")
		case n.Data == "input" && kind != "checkbox" && kind != "radio":
			values.Set(name, value)
		}
	}
	return values
}

// chosen returns the value of the selected entry of a list, else of its first one.
func chosen(list *html.Node) string {
	value, found := "", false
	for n := range list.Descendants() {
		if n.Type != html.ElementNode || n.Data != "option" {
			continue
		}
		selected := slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "selected" })
		if selected || !found {
			value, found = attribute(n, "value"), true
		}
		if selected {
			break
		}
	}
	return value
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// pageText returns the start of what a page says.
func pageText(page []byte) string {
	doc, err := html.Parse(strings.NewReader(string(page)))
	if err != nil {
		return ""
	}
	var words []string
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" && n.Parent.Data != "script" {
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	text := strings.Join(words, " ")
	if len(text) > 300 {
		text = text[:300] + " …"
	}
	return text
}
