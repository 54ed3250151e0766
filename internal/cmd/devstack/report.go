package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// testReport turns the events of `go test -json` into lines for people: one per
// package, everything a failing test said, every skipped test, and a closing line.
type testReport struct {
	say     *printer
	verbose bool

	rest    []byte                   // the start of a line that is not all here yet
	output  map[testName][]string    // what running tests have said
	tests   map[string]*packageCount // by package
	passed  int
	failed  []string
	skipped []string
}

type testName struct{ pkg, test string }

type packageCount struct{ passed, failed, skipped int }

// testEvent is one line of `go test -json` (`go doc test2json`); ImportPath is that of build output
// (`go help buildjson`).
type testEvent struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

func newTestReport(say *printer, verbose bool) *testReport {
	return &testReport{say: say, verbose: verbose, output: map[testName][]string{}, tests: map[string]*packageCount{}}
}

// Write takes the output of go test in pieces of any size.
func (r *testReport) Write(b []byte) (int, error) {
	r.rest = append(r.rest, b...)
	for {
		line, rest, whole := bytes.Cut(r.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		r.line(line)
		r.rest = rest
	}
}

func (r *testReport) line(line []byte) {
	var e testEvent
	if len(line) == 0 {
		return
	}
	if line[0] != '{' || json.Unmarshal(line, &e) != nil || e.Action == "" {
		r.say.text(string(line))
		return
	}
	r.event(e)
}

func (r *testReport) event(e testEvent) {
	name := testName{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		r.say.text(e.Output)
	case "output":
		if r.verbose {
			r.say.text(e.Output)
		}
		r.output[name] = append(r.output[name], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.packageEnd(e)
		} else {
			r.testEnd(e)
		}
		delete(r.output, name)
	}
}

func (r *testReport) testEnd(e testEvent) {
	name := testName{e.Package, e.Test}
	count := r.tests[e.Package]
	if count == nil {
		count = &packageCount{}
		r.tests[e.Package] = count
	}
	switch e.Action {
	case "pass":
		count.passed++
		r.passed++
		for _, line := range r.output[name] {
			if strings.Contains(line, "measured:") && !r.verbose {
				r.say.text("        " + strings.TrimSpace(line))
			}
		}
	case "fail":
		count.failed++
		r.failed = append(r.failed, e.Package+" "+e.Test)
		r.say.text(fmt.Sprintf("FAIL    %s %s (%.1fs)", e.Package, e.Test, e.Elapsed))
		r.said(name)
	case "skip":
		count.skipped++
		r.skipped = append(r.skipped, e.Package+" "+e.Test)
		r.say.text(fmt.Sprintf("SKIP    %s %s", e.Package, e.Test))
		r.said(name)
	}
}

// packageEnd prints a package's line. A package can fail without a failing test: it did not build, or
// a test panicked, ran into the timeout or ended the program.
func (r *testReport) packageEnd(e testEvent) {
	count := r.tests[e.Package]
	if count == nil {
		count = &packageCount{}
	}
	delete(r.tests, e.Package) // another go test may run it again
	switch {
	case e.Action == "fail" && count.failed == 0:
		r.failed = append(r.failed, e.Package)
		what := "failed outside of a finished test"
		if e.FailedBuild != "" {
			what = "does not build"
		}
		r.say.text(fmt.Sprintf("FAIL    %s %s", e.Package, what))
		r.said(testName{e.Package, ""})
		for name := range r.output { // tests that never came to an end
			if name.pkg == e.Package && name.test != "" {
				r.said(name)
				delete(r.output, name)
			}
		}
	case e.Action == "fail":
		r.say.line("FAIL %s: %d passed, %d failed (%.1fs)", e.Package, count.passed, count.failed, e.Elapsed)
	case e.Action == "pass" && count.passed+count.skipped > 0:
		r.say.line("ok   %s: %d passed (%.1fs)", e.Package, count.passed, e.Elapsed)
	}
}

// said prints what a test has said, without the lines of go test itself.
func (r *testReport) said(name testName) {
	if r.verbose {
		return // printed as it came
	}
	for _, line := range r.output[name] {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "=== ") || strings.HasPrefix(trimmed, "--- ") || trimmed == "" {
			continue
		}
		r.say.text("        " + strings.TrimRight(line, "\n"))
	}
}

// mostCheckLines is how much of a check's complaint is printed: workflowcheck prints whole call trees.
const mostCheckLines = 60

func (r *testReport) checkFailed(name string, err error, output string) {
	r.failed = append(r.failed, name)
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if over := len(lines) - mostCheckLines; over > 0 {
		lines = append(lines[:mostCheckLines], fmt.Sprintf("… and %d more lines", over))
	}
	r.say.text(fmt.Sprintf("FAIL    %s: %v\n%s", name, err, strings.Join(lines, "\n")))
}

// end takes how go test itself ended.
func (r *testReport) end(err error) {
	if len(r.rest) > 0 {
		r.line(r.rest)
		r.rest = nil
	}
	if err != nil && len(r.failed) == 0 {
		r.failed = append(r.failed, fmt.Sprintf("go test (%v)", err))
	}
}

// close prints what failed and was skipped, and the closing line, which stands alone. With strict a
// skipped test is as bad as a failed one. No test at all is a failure.
func (r *testReport) close(strict bool) error {
	if r.passed+len(r.failed)+len(r.skipped) == 0 {
		r.failed = append(r.failed, "no test ran")
	}
	for _, name := range r.failed {
		r.say.text("failed:  " + name)
	}
	for _, name := range r.skipped {
		r.say.text("skipped: " + name)
	}
	if strict && len(r.skipped) > 0 {
		r.say.text("with CI=true nothing may be skipped")
	}
	r.say.text(fmt.Sprintf("%d passed, %d failed, %d skipped", r.passed, len(r.failed), len(r.skipped)))
	if len(r.failed) > 0 || strict && len(r.skipped) > 0 {
		return &testsFailedError{failed: len(r.failed), skipped: len(r.skipped)}
	}
	return nil
}
