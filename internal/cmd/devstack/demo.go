package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// What the demo is called everywhere.
const (
	adminEmail      = "admin@example.com"
	demoProject     = "demo"
	demoIntegration = "salesforce-demo"
	demoSource      = "salesforce-emails"
	demoName        = demoProject + "/" + demoIntegration
	consumerKey     = "3MVG9simforce.demo"

	// Users of the simulator: who grants access, and who only counts for the progress lines.
	// Two, so that counting never touches the integration's grant.
	integrationUser = "sync@acme.example"
	countingUser    = "admin@acme.example"
)

const (
	// simulatorRate is how many records per second the simulator writes: enough to see the page
	// move, slow enough to read.
	simulatorRate = 0.3
	// simulatorMails is how many e-mails it makes up when there are no real ones.
	simulatorMails = 300
)

// simforce starts the Salesforce simulator on its data of the run before.
func (d *demo) simforce(ctx context.Context) error {
	port, err := d.port("the Salesforce simulator", simulatorPort)
	if err != nil {
		return err
	}
	if _, err := d.secrets.once("consumer_secret", newPassword); err != nil {
		return err
	}
	host := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	d.simulated.url = "http://" + host
	d.env["SALESFORCE_EXTRA_HOSTS"] = host
	state := d.tools.Dev("simforce.state")
	args := []string{
		"-addr", host,
		"-state", state,
		"-rate", strconv.FormatFloat(simulatorRate, 'f', -1, 64),
		"-consumer-key", consumerKey,
		"-consumer-secret-file", d.secrets.path("consumer_secret"),
		"-callback", d.publicURL + "/external/salesforce/oauth2/callback",
	}
	source := "mails of its own"
	if d.mail != "" {
		source = "the mails in " + d.mail
		args = append(args, "-mail", d.mail)
	} else {
		args = append(args, "-generate", strconv.Itoa(simulatorMails))
	}
	if _, err := os.Stat(state); err == nil {
		source = "the data it had"
	}
	d.say.line("starting the Salesforce simulator with %s", source)
	return d.program(ctx, "simforce", d.env, d.simulated.url+"/services/data", args...)
}

// createToken makes an API token for the demo's administrator, unless the one of the run
// before still works.
func (d *demo) createToken(ctx context.Context) error {
	var err error
	if d.token, err = d.secrets.get("api_token"); err != nil {
		return err
	}
	if d.token != "" && d.api(ctx, http.MethodGet, "/auth/user", nil) == nil {
		return nil
	}
	if d.token, err = d.starter(ctx, d.env, "token", "create", "--email", adminEmail, "--name", "demo"); err != nil {
		return err
	}
	return d.secrets.set("api_token", d.token)
}

// apply writes the demo's integration file and hands it to starter.
func (d *demo) apply(ctx context.Context) error {
	file := d.tools.Dev("demo.yaml")
	text := fmt.Sprintf(`# The demo's integration, written by make run at every start.
project: %s
integration: %s
source: %s
connection:
  instance_url: %s
  consumer_key: %s
  consumer_secret_file: %s
poll_interval: 5s
objects:
  - object: EmailMessage
    preset: email
    properties:
      Case Number: Parent.CaseNumber
      Case Priority: Parent.Priority
      Case Status: Parent.Status
`, demoProject, demoIntegration, demoSource, d.simulated.url, consumerKey, strconv.Quote(d.secrets.path("consumer_secret")))
	if err := writeFile(file, text); err != nil {
		return err
	}
	d.say.line("applying the demo's integration: starter apply -f .dev/demo.yaml")
	_, err := d.starter(ctx, d.env, "apply", "-f", file)
	return err
}

// connect takes the integration through Salesforce's login and consent, unless it is connected.
func (d *demo) connect(ctx context.Context) error {
	connected, err := d.connected(ctx)
	if err != nil || connected {
		return err
	}
	d.say.line("connecting to Salesforce: OAuth login and consent in the simulator")
	link, err := d.starter(ctx, d.env, "connect", demoName)
	if err != nil {
		return err
	}
	b, err := newBrowser(d.publicURL, map[string]string{"username": integrationUser})
	if err != nil {
		return err
	}
	return b.consent(ctx, link)
}

// readable waits until the source can be read, which it can from the moment apply made it.
func (d *demo) readable(ctx context.Context) error {
	_, err := d.counts(ctx)
	return err
}

// firstSync waits until the source holds as much as the simulator held when it began.
func (d *demo) firstSync(ctx context.Context) error {
	d.say.line("waiting for the first sync")
	const quiet = 30 * time.Second
	var target int
	var last counts
	moved := time.Now()
	for {
		c, err := d.counts(ctx)
		if target == 0 {
			target = c.records
		}
		switch {
		case err == nil && target > 0 && c.comments >= target:
			d.say.line("synced: %s", c)
			return nil
		case err == nil && c.comments != last.comments:
			d.say.line("syncing: %s", c)
			last, moved = c, time.Now()
		case time.Since(moved) > quiet:
			moved = time.Now()
			if err != nil {
				d.say.line("cannot see how far it is: %v", err)
			} else if status, err := d.starter(ctx, d.env, "status", demoName); err == nil {
				d.say.line("nothing moved for %s; starter status says:", quiet)
				d.say.text(status)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

// watch prints where to look and then a line whenever the counts moved, at most every ten
// seconds, until ctx ends.
func (d *demo) watch(ctx context.Context) {
	d.say.text(d.whereToLook())
	last, _ := d.counts(ctx)
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if c, err := d.counts(ctx); err == nil && c != last {
			d.say.line("%s", c)
			last = c
		}
	}
}

// counts are what both sides hold.
type counts struct{ records, comments int }

func (c counts) String() string {
	return fmt.Sprintf("Salesforce has %d e-mails, the source has %d comments", c.records, c.comments)
}

func (d *demo) counts(ctx context.Context) (counts, error) {
	var c counts
	var err error
	if c.records, err = d.simulated.count(ctx); err != nil {
		return c, err
	}
	var stats struct {
		Statistics struct {
			NumComments int `json:"num_comments"`
		} `json:"statistics"`
	}
	err = d.api(ctx, http.MethodPost, "/api/v1/sources/"+demoProject+"/"+demoSource+"/statistics", &stats)
	c.comments = stats.Statistics.NumComments
	return c, err
}

// api calls the product's HTTP API as the demo's administrator.
func (d *demo) api(ctx context.Context, method, path string, out any) error {
	return callJSON(ctx, method, d.publicURL+path, d.token, struct{}{}, out)
}

// connected asks starter whether the integration has a grant.
func (d *demo) connected(ctx context.Context) (bool, error) {
	out, err := d.starter(ctx, d.env, "status", "-json", demoName)
	if err != nil {
		return false, err
	}
	var status struct {
		Connected bool `json:"connected"`
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return false, fmt.Errorf("read starter status: %w", err)
	}
	return status.Connected, nil
}
