package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"salesforcesync/internal/devstack"
)

const (
	axeVersion = "4.14.1"
	patience   = 90 * time.Second // for one thing to appear, on a machine that has other things to do
)

// Browser is one Chromium with nothing in it: no cookies, no history.
type Browser struct {
	ctx    context.Context
	cancel func()
	axe    string // axe-core's source
}

// Start starts a Chromium and installs it, and axe-core, where they are missing.
func Start(ctx context.Context) (*Browser, error) {
	tools, err := devstack.Here()
	if err != nil {
		return nil, err
	}
	program, err := tools.Chromium(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := tools.NodePackage(ctx, "axe-core", axeVersion)
	if err != nil {
		return nil, err
	}
	axe, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		return nil, fmt.Errorf("read axe-core: %w", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true), chromedp.Flag("no-proxy-server", true))
	allocator, stop := chromedp.NewExecAllocator(ctx, options...)
	first, cancel := chromedp.NewContext(allocator)
	b := &Browser{ctx: first, axe: string(axe), cancel: func() { cancel(); stop() }}
	if err := chromedp.Do(first); err != nil {
		b.cancel()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return b, nil
}

// Close ends the Chromium.
func (b *Browser) Close() { b.cancel() }

// Tab is one page at a time, with what it complained of so far. It is for one goroutine.
type Tab struct {
	ctx     context.Context
	close   func()
	browser *Browser

	mu         sync.Mutex
	complaints []string
}

// Open opens an empty tab with cookies of its own.
func (b *Browser) Open() (*Tab, error) {
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t := &Tab{ctx: ctx, close: cancel, browser: b}
	err := chromedp.Listen(ctx, t.hear)
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open a tab: %w", err)
	}
	return t, nil
}

// Close closes the tab.
func (t *Tab) Close() { t.close() }

// hear notes what a page complains of: exceptions, warnings and errors on the console, and what the
// browser itself logs, refusals of the Content-Security-Policy among them.
func (t *Tab) hear(event any) {
	var said string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		said = "exception: " + e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			said += " " + x.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError && e.Type != runtime.ConsoleAPICalledTypeWarning {
			return
		}
		var args []string
		for _, a := range e.Args {
			args = append(args, string(a.Value)+a.Description)
		}
		said = "console." + string(e.Type) + ": " + strings.Join(args, " ")
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError && e.Entry.Level != log.EntryLevelWarning {
			return
		}
		said = string(e.Entry.Source) + ": " + e.Entry.Text + " " + e.Entry.URL
	default:
		return
	}
	t.mu.Lock()
	t.complaints = append(t.complaints, said)
	t.mu.Unlock()
}

// Complaints gives what the pages of this tab complained of since it was last asked.
func (t *Tab) Complaints() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	said := t.complaints
	t.complaints = nil
	return said
}

// run runs actions for as long as a person would wait.
func (t *Tab) run(what string, actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	err := chromedp.Do(ctx, actions...)
	if errors.Is(err, context.DeadlineExceeded) {
		text, _ := t.Text("body")
		return fmt.Errorf("%s: did not happen within %s; the page %s says: %.600s", what, patience, t.Address(), text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Go goes to an address and waits until the page has loaded.
func (t *Tab) Go(address string) error { return t.run("go to "+address, chromedp.Navigate(address)) }

// Address is that of the page shown.
func (t *Tab) Address() string {
	at, _ := evaluate[string](t.ctx, `location.href`, 5*time.Second)
	return at
}

// Click clicks on what a CSS selector finds, once it is to be seen.
func (t *Tab) Click(selector string) error {
	return t.run("click on "+selector, chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// Press clicks on the button or link with these very words.
func (t *Tab) Press(words string) error {
	path := fmt.Sprintf(`//*[self::button or self::a or self::summary][normalize-space(.)=%s]`, quoted(words))
	return t.run("press "+words, chromedp.WaitVisible(path), chromedp.Click(path))
}

// Fill writes into the field with this label, in place of what is in it, or chooses this option of it.
func (t *Tab) Fill(label, value string) error {
	find := fmt.Sprintf(`(() => {
		for (const label of document.querySelectorAll("label")) {
			const field = label.control;
			if (label.textContent.trim() !== %[1]q || !field?.checkVisibility()) continue;
			field.focus();
			if (field.tagName !== "SELECT") { field.select(); return true; }
			const option = [...field.options].find((o) => o.text.trim() === %[2]q || o.value === %[2]q);
			if (!option) return false;
			field.value = option.value;
			field.dispatchEvent(new Event("input", { bubbles: true }));
			field.dispatchEvent(new Event("change", { bubbles: true }));
			return true;
		}
	})()`, label, value)
	if err := t.Until("find the field "+label, find); err != nil {
		return err
	}
	chosen, err := evaluate[bool](t.ctx, `document.activeElement.tagName === "SELECT"`, patience)
	if err != nil || chosen {
		return err
	}
	if value == "" {
		return t.Key(kb.Delete)
	}
	return t.run("fill in "+label, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, input.InsertText, input.InsertTextParams{Text: value})
		return chromedp.Void{}, err
	})
}

// Key presses keys, such as kb.Tab or kb.Enter of chromedp's package kb, where the focus is.
func (t *Tab) Key(keys string) error { return t.run("press keys", chromedp.KeyEvent(keys)) }

// See waits until words are on the page.
func (t *Tab) See(words string) error {
	return t.Until("see "+words, fmt.Sprintf(`document.body?.innerText.includes(%q)`, words))
}

// SeeNot waits until words are not on the page any more.
func (t *Tab) SeeNot(words string) error {
	return t.Until("see no "+words, fmt.Sprintf(`document.body && !document.body.innerText.includes(%q)`, words))
}

// Until waits until an expression of JavaScript is true in the page; what says so in words.
func (t *Tab) Until(what, expression string) error {
	end := time.Now().Add(patience)
	for {
		// A page that is being left has no answer.
		if yes, err := evaluate[bool](t.ctx, "Boolean("+expression+")", 5*time.Second); err == nil && yes {
			return nil
		}
		if time.Now().After(end) {
			text, _ := t.Text("body")
			return fmt.Errorf("%s: did not happen within %s; the page %s says: %.600s", what, patience, t.Address(), text)
		}
		select {
		case <-t.ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(t.ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func evaluate[T any](ctx context.Context, expression string, limit time.Duration) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Text is what can be read in what a CSS selector finds first.
func (t *Tab) Text(selector string) (string, error) {
	return evaluate[string](t.ctx, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector), patience)
}

// Evaluate gives the value of an expression of JavaScript in the page, or of its promise.
func Evaluate[T any](t *Tab, expression string) (T, error) {
	return evaluate[T](t.ctx, expression, patience)
}

// Show sets the size of the window and whether the reader likes it dark.
func (t *Tab) Show(width, height int, dark bool) error {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	if err := t.run("resize", chromedp.EmulateViewport(int64(width), int64(height))); err != nil {
		return err
	}
	_, err := chromedp.Call(t.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	return err
}

// Screenshot writes what is to be seen of the page, or all of it, to a PNG file.
func (t *Tab) Screenshot(file string, whole bool) error {
	shoot := chromedp.CaptureScreenshot()
	if whole {
		shoot = chromedp.FullScreenshot(100)
	}
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	image, err := chromedp.Run(ctx, shoot)
	if err != nil {
		return fmt.Errorf("take a screenshot: %w", err)
	}
	if err := os.WriteFile(file, image, 0o644); err != nil { //nolint:gosec // a picture for everybody
		return fmt.Errorf("take a screenshot: %w", err)
	}
	return nil
}

// Finding is something that axe-core holds against a page.
type Finding struct {
	Rule   string   `json:"id"`
	Impact string   `json:"impact"` // minor, moderate, serious or critical
	Help   string   `json:"help"`
	Where  []string `json:"where"` // CSS selectors
}

// Check has axe-core look at the page for the rules of WCAG 2.2 A and AA and its own best practices.
func (t *Tab) Check() ([]Finding, error) {
	// The source is given to the browser, not to the page, whose policy would refuse it.
	if _, err := evaluate[bool](t.ctx, t.browser.axe+"\n;true", patience); err != nil {
		return nil, fmt.Errorf("load axe-core: %w", err)
	}
	return evaluate[[]Finding](t.ctx, `axe.run(document, { resultTypes: ["violations"] }).then(r => r.violations.map(v =>
		({ id: v.id, impact: v.impact, help: v.help, where: v.nodes.map(n => n.target.join(" ")) })))`, patience)
}

// Serious is what of the findings keeps people out.
func Serious(found []Finding) []Finding {
	var serious []Finding
	for _, f := range found {
		if f.Impact == "serious" || f.Impact == "critical" {
			serious = append(serious, f)
		}
	}
	return serious
}

// quoted is text as XPath 1.0 writes it, which has no escapes.
func quoted(text string) string {
	if !strings.Contains(text, `'`) {
		return `'` + text + `'`
	}
	return `"` + text + `"`
}
