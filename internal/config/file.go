package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"salesforcesync/internal/fault"
)

// Bounds of a file. They are far above what an org can be asked in one composite
// call or one query, and keep a mistaken file from costing more than a message.
const (
	maxFileBytes  = 1 << 20
	maxObjects    = 200
	maxName       = 256 // of a project, an integration, a source; Temporal's ids are bounded too
	maxProperties = 500 // of one object
	maxProblems   = 50  // reported
)

// Checks are the rules an integration file is held to that belong to other packages,
// and where its secret is read from.
type Checks struct {
	// Address gives a Salesforce address in one of its usual spellings as
	// scheme://host[:port], or says why Salesforce may not be spoken to there.
	Address func(text string) (string, error)
	// Login is where people sign in for an instance that Address gave.
	Login func(instance string) string
	// Endpoint is like Address for where comments may be delivered to.
	Endpoint func(text string) (string, error)

	Where func(condition string) error // is it a condition?
	Path  func(path string) error      // is it a field path, at most five relations deep?
	Name  func(name string) error      // is it the name of an object?

	// NoSecrets is for a file that was written in a page: secrets have fields of their own there, and
	// nothing of this machine, be it a variable or a file, is read for somebody far away.
	NoSecrets bool

	Lookup   func(string) string          // environment; nil = os.Getenv
	ReadFile func(string) ([]byte, error) // nil = os.ReadFile
}

// ReadIntegration reads an integration file. name is its path, for messages and for a
// relative consumer_secret_file. The error is one fault.Invalid that lists every
// problem with its line; ProblemsOf gives them one by one.
func ReadIntegration(name string, data []byte, checks Checks) (Integration, error) {
	if checks.Lookup == nil {
		checks.Lookup = os.Getenv
	}
	if checks.ReadFile == nil {
		checks.ReadFile = os.ReadFile
	}
	if len(data) > maxFileBytes {
		return Integration{}, fault.New(fault.Invalid, "%s has %d bytes, more than %d: is it an integration file?", name, len(data), maxFileBytes)
	}
	root, err := parseYAML(data)
	if err != nil {
		return Integration{}, fault.New(fault.Invalid, "%s: %v", name, err).WithHint("an example is in docs/integration-file.md")
	}
	r := fileReader{checks: checks, dir: filepath.Dir(name)}
	i := r.integration(root)
	return i, r.err(name)
}

// parseYAML gives the one document of data.
func parseYAML(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty")
	case err != nil:
		return nil, fmt.Errorf("not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	case len(doc.Content) == 0:
		return nil, errors.New("the file is empty")
	}
	switch err := d.Decode(&more); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, fmt.Errorf("not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	default:
		return nil, fmt.Errorf("line %d: a second document begins: write one integration per file", more.Line)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, errors.New("the file is empty")
	}
	return root, nil
}

// Problem is one thing that is wrong with a file.
type Problem struct {
	Line int
	Text string
}

// fileError is the error of a file, with what is wrong one by one.
type fileError struct {
	fault    *fault.Error
	problems []Problem
}

func (e fileError) Error() string { return e.fault.Error() }
func (e fileError) Unwrap() error { return e.fault }

// ProblemsOf gives what ReadIntegration found wrong, by line; nil for an error that is not about lines.
func ProblemsOf(err error) []Problem {
	var e fileError
	if errors.As(err, &e) {
		return e.problems
	}
	return nil
}

// fileReader walks the tree of a file and gathers problems.
type fileReader struct {
	checks   Checks
	dir      string
	problems []Problem
}

func (r *fileReader) problem(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, Problem{n.Line, fmt.Sprintf(format, args...)})
}

// reject reports what another package's check found, with its hint.
func (r *fileReader) reject(n *yaml.Node, key string, err error) {
	if err == nil {
		return
	}
	text := key + ": " + err.Error()
	if hint := fault.HintOf(err); hint != "" {
		text += " (" + hint + ")"
	}
	r.problem(n, "%s", text)
}

func (r *fileReader) err(name string) error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
	if len(r.problems) == 1 {
		return fileError{fault.New(fault.Invalid, "%s, line %d: %s", name, r.problems[0].Line, r.problems[0].Text), r.problems}
	}
	var b strings.Builder
	for i, p := range r.problems {
		if i == maxProblems {
			fmt.Fprintf(&b, "\n  and %d more", len(r.problems)-maxProblems)
			break
		}
		fmt.Fprintf(&b, "\n  line %d: %s", p.Line, p.Text)
	}
	return fileError{fault.New(fault.Invalid, "%s has %d problems:%s", name, len(r.problems), b.String()), r.problems}
}

var (
	projectName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	plainName   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

func (r *fileReader) integration(root *yaml.Node) Integration {
	i := Integration{PollInterval: DefaultPollInterval, VerifyInterval: DefaultVerifyInterval, Quota: DefaultQuota}
	keys := r.mapping(root, "", []string{"project", "integration", "source", "connection", "poll_interval", "verify_interval", "raw_retention", "comment_retention", "quota", "monthly_unit_cap", "start_from", "objects", "destination"})
	i.Project = r.name(root, keys, "project", projectName, "letters, digits, dot, - and _")
	if i.Project == "." || i.Project == ".." {
		r.problem(keys["project"], "project: %q would be lost in an address: choose another name", i.Project)
	}
	i.Integration = r.name(root, keys, "integration", plainName, "letters, digits, - and _")
	i.Source = r.name(root, keys, "source", plainName, "letters, digits, - and _")
	if n, ok := keys["connection"]; ok {
		i.Connection = r.connection(n)
	} else {
		r.problem(root, "connection is missing: it says how to reach Salesforce")
	}
	if n, ok := keys["poll_interval"]; ok {
		i.PollInterval = r.duration(n, "poll_interval", MinPollInterval, MaxPollInterval, DefaultPollInterval)
	}
	if n, ok := keys["verify_interval"]; ok {
		i.VerifyInterval = r.duration(n, "verify_interval", MinVerifyInterval, MaxVerifyInterval, DefaultVerifyInterval)
	}
	i.RawRetention = r.retention(keys, "raw_retention")
	i.CommentRetention = r.retention(keys, "comment_retention")
	if n, ok := keys["quota"]; ok {
		i.Quota = r.quota(n)
	}
	if n, ok := keys["monthly_unit_cap"]; ok {
		i.MonthlyUnitCap = r.unitCap(n)
	}
	if n, ok := keys["start_from"]; ok {
		i.StartFrom = r.startFrom(n)
	}
	if n, ok := keys["objects"]; ok {
		i.Objects = r.objects(n)
	}
	if n, ok := keys["destination"]; ok {
		i.Destination = r.destination(n)
	}
	return i
}

// retention reads a key that may be missing: then nothing ends.
func (r *fileReader) retention(keys map[string]*yaml.Node, key string) (kept Retention) {
	if n, ok := keys[key]; ok {
		if err := kept.UnmarshalText([]byte(r.text(n, key))); err != nil {
			r.problem(n, "%s: %v: write it as 90d or forever", key, err)
		}
	}
	return kept
}

func (r *fileReader) name(parent *yaml.Node, keys map[string]*yaml.Node, key string, form *regexp.Regexp, rule string) string {
	n, ok := keys[key]
	if !ok {
		r.problem(parent, "%s is missing", key)
		return ""
	}
	value := r.text(n, key)
	if value != "" && (len(value) > maxName || !form.MatchString(value)) {
		r.problem(n, "%s: %q may hold only %s, at most %d of them", key, clip(value), rule, maxName)
	}
	return value
}

// duration reads a length of time between least and most.
func (r *fileReader) duration(n *yaml.Node, key string, least, most, otherwise Duration) Duration {
	if n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float") {
		r.problem(n, "%s: %s has no unit: write %ss for seconds", key, clip(n.Value), clip(n.Value))
		return otherwise
	}
	value := r.text(n, key)
	if value == "" {
		return otherwise
	}
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		r.problem(n, "%s: %q is not a duration: write it as 10s, 5m or 1h", key, clip(value))
	case Duration(d) < least || Duration(d) > most:
		r.problem(n, "%s: %s is not between %s and %s", key, clip(value), least, most)
	default:
		return Duration(d)
	}
	return otherwise
}

func (r *fileReader) startFrom(n *yaml.Node) *time.Time {
	if n.Kind != yaml.ScalarNode || (n.ShortTag() != "!!timestamp" && n.ShortTag() != "!!str") {
		r.problem(n, "start_from: must be a time, such as 2024-01-01T00:00:00Z, not %s", kind(n))
		return nil
	}
	t, err := time.Parse(time.RFC3339, n.Value)
	if err != nil || t.Year() < 1 {
		r.problem(n, "start_from: %q is not a time with a zone: write it as 2024-01-01T00:00:00Z", clip(n.Value))
		return nil
	}
	t = t.UTC()
	return &t
}

func (r *fileReader) connection(n *yaml.Node) Connection {
	var c Connection
	keys := r.mapping(n, "connection", []string{"instance_url", "login_url", "consumer_key", "consumer_secret", "consumer_secret_env", "consumer_secret_file"})
	if keys == nil {
		return c
	}
	if v, ok := keys["instance_url"]; ok {
		c.InstanceURL = r.address(v, "instance_url")
	} else {
		r.problem(n, "connection: instance_url is missing: write your org's My Domain, such as https://acme.my.salesforce.com")
	}
	if v, ok := keys["login_url"]; ok {
		c.LoginURL = r.address(v, "login_url")
	} else if c.InstanceURL != "" {
		c.LoginURL = r.checks.Login(c.InstanceURL)
	}
	if v, ok := keys["consumer_key"]; ok {
		c.ConsumerKey = r.text(v, "consumer_key")
		if strings.ContainsFunc(c.ConsumerKey, func(c rune) bool { return c <= ' ' || c > '~' }) {
			r.problem(v, "consumer_key: holds a space or a character that no consumer key has: copy it again from the app in Salesforce")
		}
	} else {
		r.problem(n, "connection: consumer_key is missing: copy it from the app in Salesforce")
	}
	c.ConsumerSecret = r.secret(keys, "connection", "consumer_secret")
	return c
}

func (r *fileReader) address(n *yaml.Node, key string) string {
	value := r.text(n, key)
	if value == "" {
		return ""
	}
	address, err := r.checks.Address(value)
	r.reject(n, key, err)
	return address
}
