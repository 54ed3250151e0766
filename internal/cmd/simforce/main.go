// Command simforce runs the Salesforce simulator as a program of its own. It is
// for development and tests and is not shipped.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"salesforcesync/internal/simforce"
)

const usage = `simforce is a Salesforce that runs on this machine: OAuth, REST API, SOQL, data.

Start it with your mails, with made-up ones, or go on with what it had:

  simforce -mail DIR -callback http://localhost:8080/external/salesforce/oauth2/callback
  simforce -generate 300 -rate 1 -state .dev/simforce.state
  simforce -generate 0 -big 3000000

Then, for a first look without OAuth (this machine only):

  TOKEN=$(curl -s -d '{"username":"sync@acme.example"}' http://127.0.0.1:8090/_sim/login | sed 's/.*access_token":"\([^"]*\).*/\1/')
  curl -s -H "Authorization: Bearer $TOKEN" -G http://127.0.0.1:8090/services/data/v66.0/query --data-urlencode 'q=SELECT COUNT() FROM EmailMessage'

GET /_sim/ lists what the control endpoint can do. Users are admin@acme.example, sync@acme.example
and, in a second org, admin@globex.example; no passwords.

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// texts is a flag that may be repeated.
type texts []string

func (t *texts) String() string     { return strings.Join(*t, ",") }
func (t *texts) Set(v string) error { *t = append(*t, v); return nil }

// run is main with its surroundings as arguments; it serves until ctx ends. It
// returns 0 after a clean stop, 1 for a failure while running, 2 for bad input.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o simforce.Options
	var callbacks texts
	var secretFile string
	flags := flag.NewFlagSet("simforce", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8090", "`address` to listen on; port 0 takes a free one")
	flags.StringVar(&o.BaseURL, "url", "", "outside `URL`; http:// and the address when empty")
	flags.StringVar(&o.MailDir, "mail", "", "`directory` of .eml files; each becomes one EmailMessage")
	flags.IntVar(&o.Generate, "generate", 200, "how many e-mails to make up when there is no -mail")
	flags.IntVar(&o.Big, "big", 0, "how many e-mails of some 8 KB to have besides; millions take little memory")
	flags.Float64Var(&o.Rate, "rate", 0, "records to write per second while running")
	flags.Uint64Var(&o.Seed, "seed", 1, "`seed` of made-up content and of the order inside ties")
	flags.StringVar(&o.StateFile, "state", "", "`file` that keeps data, grants and tokens over restarts")
	flags.StringVar(&o.ConsumerKey, "consumer-key", "", "consumer `key` of the connected app (default 3MVG9simforce)")
	flags.StringVar(&o.ConsumerSecret, "consumer-secret", "", "consumer `secret` (default simforce-secret)")
	flags.StringVar(&secretFile, "consumer-secret-file", "", "`file` that holds the consumer secret")
	flags.IntVar(&o.DailyRequests, "daily-requests", 0, "API requests the org has per day (default 1000000)")
	flags.BoolVar(&o.MatchRecipients, "match-recipients", false, "outgoing mail names contacts in EmailMessageRelation only, not in ToAddress")
	health := flags.Bool("health", false, "ask the simulator at -addr whether it answers, and exit with 0 or 1")
	flags.Var(&callbacks, "callback", "callback `URL` of the connected app; may be repeated")
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	fail := func(code int, format string, args ...any) int {
		_, _ = fmt.Fprintf(stderr, "simforce: "+format+"\n", args...)
		return code
	}
	if flags.NArg() > 0 {
		return fail(2, "unexpected argument %q: everything is a flag, see simforce -help", flags.Arg(0))
	}
	if *health {
		if err := answers(ctx, *addr); err != nil {
			return fail(1, "%v", err)
		}
		return 0
	}
	if secretFile != "" {
		if o.ConsumerSecret != "" {
			return fail(2, "give -consumer-secret or -consumer-secret-file, not both")
		}
		b, err := os.ReadFile(secretFile)
		if err != nil {
			return fail(2, "read -consumer-secret-file: %v", err)
		}
		o.ConsumerSecret = strings.TrimSpace(string(b))
	}
	o.CallbackURLs = callbacks

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return fail(1, "listen on -addr %s: %v", *addr, err)
	}
	if o.BaseURL == "" {
		o.BaseURL = "http://" + listener.Addr().String()
	}
	s, err := simforce.New(o)
	if err != nil {
		return fail(1, "%v", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	_, _ = fmt.Fprintf(stdout, "simforce listens on %s\n", s.BaseURL())

	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		s.Run(ctx)
	}()
	code := 0
	select {
	case <-ctx.Done():
	case err := <-served:
		code = fail(1, "serve: %v", err)
		stop()
	}
	done, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(done); err != nil {
		_ = server.Close() // clients that hang on do not keep us
	}
	<-wrote
	if err := s.Close(); err != nil {
		code = fail(1, "%v", err)
	}
	return code
}

// answers asks the simulator that listens on addr whether it serves: its container has
// nothing else to ask with.
func answers(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("read -addr: %w", err)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/_sim/", nil)
	if err != nil {
		return fmt.Errorf("ask the simulator: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the simulator: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the simulator: it says %s", resp.Status)
	}
	return nil
}
