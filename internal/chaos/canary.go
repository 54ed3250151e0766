package chaos

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"
)

// canary knows every secret of the installation and looks for them where they must not be.
type canary struct {
	mu      sync.Mutex
	secrets map[string]string // value → what it is
	found   map[string]int    // "a refresh token in the log of worker 1" → how often
	looked  map[string]int64  // where → bytes
}

func newCanary() *canary {
	return &canary{secrets: map[string]string{}, found: map[string]int{}, looked: map[string]int64{}}
}

// add plants a secret, or how all secrets of a kind begin.
func (c *canary) add(what, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[value] = what
}

// scan looks for the secrets in what is to be seen somewhere: as they are, in base64, in hexadecimal.
func (c *canary) scan(where string, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked[where] += int64(len(b))
	for value, what := range c.secrets {
		for _, form := range []string{value, base64.StdEncoding.EncodeToString([]byte(value)), hex.EncodeToString([]byte(value))} {
			if n := bytes.Count(b, []byte(form)); n > 0 {
				c.found[what+" in "+where] += n
				break
			}
		}
	}
}

// total is how many secrets were found, and where.
func (c *canary) total() (n int, where []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(c.found)) {
		n += c.found[name]
		where = append(where, fmt.Sprintf("%s, %d times", name, c.found[name]))
	}
	return n, where
}

// search looks everywhere: logs, histories and the file behind them, a dump of the database, command lines.
func (r *Run) search(ctx context.Context) error {
	logs, err := filepath.Glob(filepath.Join(r.o.Dir, "logs", "*.log"))
	if err != nil {
		return err
	}
	for _, path := range logs {
		name := strings.TrimSuffix(filepath.Base(path), ".log")
		if name == nameSalesforce {
			continue // whose secrets they are
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r.canary.scan("the log of "+name, raw)
		r.bodies("the log of "+name, raw)
	}
	for _, path := range []string{r.stack.temporalFile(), r.stack.temporalFile() + "-wal"} {
		raw, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		r.canary.scan("Temporal's file", raw)
		r.bodies("Temporal's file", raw)
	}
	for _, m := range r.stack.members {
		if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", m.process().PID())); err == nil {
			r.canary.scan("a command line", raw)
		}
	}
	dump, err := r.dump(ctx)
	if err != nil {
		return err
	}
	r.canary.scan("the database", dump)
	return r.searchHistories(ctx)
}

// bodies looks for texts of records where only references may be.
func (r *Run) bodies(where string, raw []byte) {
	if n := bytes.Count(raw, []byte(marker)); n > 0 {
		r.off("bodies", "%s has %d texts of records", where, n)
	}
}

// dump is everything that is in the database.
func (r *Run) dump(ctx context.Context) ([]byte, error) {
	env, err := r.stack.pg.ClientEnvironment("")
	if err != nil {
		return nil, err
	}
	dump := exec.CommandContext(ctx, filepath.Join(r.stack.pg.Install().Bin, "pg_dump"), "--data-only")
	dump.Env = env
	out, err := dump.Output()
	if err != nil {
		return nil, fmt.Errorf("dump the database: %w", err)
	}
	return out, nil
}

// searchHistories looks into every event that Temporal keeps.
func (r *Run) searchHistories(ctx context.Context) error {
	c, err := client.NewLazyClient(client.Options{HostPort: r.stack.temporal.Address(), Logger: quiet{}})
	if err != nil {
		return err
	}
	defer c.Close()
	var next []byte
	for {
		list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default", NextPageToken: next})
		if err != nil {
			return fmt.Errorf("list the workflows: %w", err)
		}
		for _, e := range list.GetExecutions() {
			events := c.GetWorkflowHistory(ctx, e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for events.HasNext() {
				event, err := events.Next()
				if err != nil {
					return fmt.Errorf("read a history: %w", err)
				}
				raw, err := proto.Marshal(event)
				if err != nil {
					return err
				}
				r.events++
				r.canary.scan("a history", raw)
				r.bodies("a history", raw)
			}
		}
		if next = list.GetNextPageToken(); len(next) == 0 {
			return nil
		}
	}
}

// quiet is a log of nothing.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
