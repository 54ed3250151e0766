package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
)

// health asks the program whose environment this is how it is.
type health struct {
	*app
	door    bool
	live    bool
	address string
	timeout time.Duration
}

func (a *app) healthCommand() *cobra.Command {
	h := &health{app: a}
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the worker or authsvc beside it whether it is ready; for containers without curl",
		Long: `Asks the program whose environment this is: the exit code is 0 when it is ready and 1 when it
is not, cannot be reached or does not answer in time; what is wrong is said by name. It reads
METRICS_ADDR, or LISTEN_ADDR when that is not set, and nothing else: no database, no Temporal, no
keys. An address that means everywhere, such as 0.0.0.0:9090, is asked on this machine.

Ready is that database, schema and Temporal are good (/readyz). Alive, with --live, is that the
process answers at all (/healthz): restart on that alone, since a restart brings no database back.
--door asks authsvc on LISTEN_ADDR, where its visitors come in, although METRICS_ADDR is set.`,
		Example: `  HEALTHCHECK CMD ["starter", "health"]
  docker compose exec worker starter health
  starter health --live --address 10.0.0.7:9090
  next, when it is not ready: the log of the program, which has the cause`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return h.ask(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&h.live, "live", false, "ask whether it is alive, not whether it is ready")
	flags.BoolVar(&h.door, "door", false, "ask on LISTEN_ADDR although METRICS_ADDR is set")
	flags.StringVar(&h.address, "address", "", "ask `HOST:PORT` instead of what the environment says")
	flags.DurationVar(&h.timeout, "timeout", 5*time.Second, "how long to wait for the answer")
	cmd.MarkFlagsMutuallyExclusive("door", "address")
	return cmd
}

// healthAnswer is what /healthz and /readyz say.
type healthAnswer struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks,omitempty"`
}

// String lists the checks, bad ones first.
func (h healthAnswer) String() string {
	names := slices.SortedFunc(maps.Keys(h.Checks), func(a, b string) int {
		if bad := h.Checks[a] != "ok"; bad != (h.Checks[b] != "ok") {
			if bad {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = name + " " + h.Checks[name]
	}
	return strings.Join(words, ", ")
}

func (h *health) ask(ctx context.Context) error {
	address, err := h.where()
	if err != nil {
		return err
	}
	path, good, bad := "/readyz", "ready", "not ready"
	if h.live {
		path, good, bad = "/healthz", "alive", "not alive"
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	status, answer, err := getHealth(ctx, "http://"+address+path)
	if err != nil {
		// Not fault.Unreachable: that has an exit code which is no answer to a health check.
		return fault.Wrap(fault.Transient, err, "%s: nothing answers on %s", bad, address).
			WithHint("does the program run, and is this the environment it was started with?")
	}
	if h.json {
		if err := h.printJSON(answer); err != nil {
			return err
		}
	}
	if status != http.StatusOK {
		return fault.New(fault.Transient, "%s: %s", bad, answer).WithHint("the program's log has the cause, in the line `not ready`")
	}
	if !h.json {
		h.print("%s", strings.TrimSuffix(good+": "+answer.String(), ": "))
	}
	return nil
}

func (h *health) where() (string, error) {
	switch {
	case h.address != "":
		return h.address, nil
	case h.lookup != nil:
		return config.HealthAddressFrom(h.lookup, h.door)
	}
	return config.HealthAddress(h.door)
}

// getHealth asks one address; an answer that is not one of ours is an error.
func getHealth(ctx context.Context, url string) (int, healthAnswer, error) {
	var answer healthAnswer
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, answer, err
	}
	// The program beside is never behind a proxy.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return 0, answer, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return 0, answer, err
	}
	if json.Unmarshal(body, &answer) != nil || answer.Status == "" {
		return 0, answer, errors.New("the answer, " + res.Status + ", is not that of a worker or an authsvc")
	}
	return res.StatusCode, answer, nil
}
