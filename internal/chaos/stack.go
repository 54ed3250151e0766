package chaos

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"salesforcesync/internal/devstack"
	"salesforcesync/internal/netfault"
)

// What there is one of, and what there are two of.
const (
	nameWorker, nameAuthsvc = "worker", "authsvc"
	namePostgres            = "PostgreSQL"
	nameTemporal            = "Temporal"
	nameSalesforce          = "Salesforce"
	programs                = 2 // of each kind
)

const (
	adminEmail   = "admin@example.com"
	consumerKey  = "3MVG9chaos"
	callbackPath = "/external/salesforce/oauth2/callback"
)

// stack is an installation: servers, programs, and a way between every two that talk to each other.
type stack struct {
	o     Options
	tools *devstack.Tools
	say   func(format string, args ...any)
	bin   string

	pg       *devstack.Postgres
	temporal *devstack.Temporal
	postgres *member
	server   *member // of Temporal
	org      *member // the simulator
	workers  []*member
	authsvcs []*member
	members  []*member // all of these
	ways     []*netfault.Proxy

	simAddress string   // its own, which is no way
	instance   string   // where workers find Salesforce
	login      string   // where people and tokens go
	public     string   // where browsers go: both authsvc behind one way
	direct     []string // addresses of authsvc, which are no ways
	env        []string // of starter, without ways
	secret     struct{ consumer, password, key, database string }
	logs       []*os.File
}

// newStack starts the servers and prepares the database; programs are not started yet.
func newStack(ctx context.Context, o Options, say func(string, ...any)) (_ *stack, err error) {
	s := &stack{o: o, say: say, bin: filepath.Join(o.Dir, "bin")}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.tools, err = devstack.Here(); err != nil {
		return nil, err
	}
	for _, dir := range []string{"bin", "logs"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, dir), 0o750); err != nil {
			return nil, err
		}
	}
	if err := s.build(ctx); err != nil {
		return nil, err
	}
	s.secret.consumer, s.secret.password = "consumer-"+rand.Text(), "password-"+rand.Text()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	s.secret.key = base64.StdEncoding.EncodeToString(key)
	for _, step := range []func(context.Context) error{s.startPostgres, s.startTemporal, s.startSalesforce, s.prepare} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// build builds what runs.
func (s *stack) build(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", s.bin+"/", "./worker", "./starter", "./authsvc", "./internal/cmd/simforce")
	cmd.Dir = s.tools.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}

// log opens the log of a member.
func (s *stack) log(name string) (*os.File, error) {
	f, err := os.OpenFile(s.logPath(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		s.logs = append(s.logs, f)
	}
	return f, err
}

func (s *stack) logPath(name string) string { return filepath.Join(s.o.Dir, "logs", name+".log") }

// member adds a process and starts it.
func (s *stack) member(ctx context.Context, name string, launch func(context.Context) (*devstack.Process, error)) (*member, error) {
	m := &member{name: name, launch: launch, say: s.say}
	if err := m.start(ctx); err != nil {
		return nil, err
	}
	s.members = append(s.members, m)
	return m, nil
}

func (s *stack) startPostgres(ctx context.Context) error {
	log, err := s.log(namePostgres)
	if err != nil {
		return err
	}
	if s.pg, err = devstack.StartPostgres(ctx, devstack.PostgresOptions{Durable: true, Database: "chaos", Log: log}); err != nil {
		return err
	}
	s.postgres, err = s.member(ctx, namePostgres, func(ctx context.Context) (*devstack.Process, error) {
		if s.postgres != nil { // not the first time: it runs
			if err := s.pg.Restart(ctx); err != nil {
				return nil, err
			}
		}
		return s.pg.Process(), nil
	})
	return err
}

func (s *stack) startTemporal(ctx context.Context) error {
	log, err := s.log(nameTemporal)
	if err != nil {
		return err
	}
	s.temporal, err = devstack.StartTemporal(ctx, devstack.TemporalOptions{Bin: s.o.Temporal, DBFile: s.temporalFile(), Log: log})
	if err != nil {
		return err
	}
	s.server, err = s.member(ctx, nameTemporal, func(ctx context.Context) (*devstack.Process, error) {
		if s.server != nil {
			if err := s.temporal.Restart(ctx); err != nil {
				return nil, err
			}
		}
		return s.temporal.Process(), nil
	})
	return err
}

func (s *stack) temporalFile() string { return filepath.Join(s.o.Dir, "temporal.db") }

func (s *stack) stateFile() string { return filepath.Join(s.o.Dir, "simforce.state") }

// way opens a way to servers.
func (s *stack) way(name string, servers ...string) (*netfault.Proxy, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := netfault.Listen(name, address, servers...)
	if err == nil {
		s.ways = append(s.ways, p)
	}
	return p, err
}

func freeAddress() (string, error) {
	port, err := devstack.FreePort()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), err
}

// startSalesforce starts the simulator. It is found at two addresses, as the real one is: where people and tokens go,
// which is where authsvc talks to, and the instance, where workers read.
func (s *stack) startSalesforce(ctx context.Context) (err error) {
	if s.simAddress, err = freeAddress(); err != nil {
		return err
	}
	data, err := s.way("workers → Salesforce", s.simAddress)
	if err != nil {
		return err
	}
	login, err := s.way("authsvc → Salesforce", s.simAddress)
	if err != nil {
		return err
	}
	s.instance, s.login = "http://"+data.Address(), "http://"+login.Address()
	for range programs {
		address, err := freeAddress()
		if err != nil {
			return err
		}
		s.direct = append(s.direct, address)
	}
	front, err := s.way("browsers → authsvc", s.direct...)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(front.Address())
	if err != nil {
		return err
	}
	// Another host than the simulator's, as with the real Salesforce: cookies must do without one.
	s.public = "http://localhost:" + port
	secretFile := filepath.Join(s.o.Dir, "consumer_secret")
	if err := os.WriteFile(secretFile, []byte(s.secret.consumer), 0o600); err != nil {
		return err
	}
	log, err := s.log(nameSalesforce)
	if err != nil {
		return err
	}
	args := []string{"-addr", s.simAddress, "-url", s.instance, "-state", s.stateFile(), "-consumer-key", consumerKey,
		"-consumer-secret-file", secretFile, "-callback", s.public + callbackPath, "-seed", strconv.FormatUint(s.o.Seed, 10)}
	if s.o.MailDir != "" {
		args = append(args, "-mail", s.o.MailDir)
	} else {
		args = append(args, "-generate", "300")
	}
	s.org, err = s.member(ctx, nameSalesforce, func(ctx context.Context) (*devstack.Process, error) {
		proc, err := s.spawn("simforce", nameSalesforce, nil, log, args...)
		if err != nil {
			return nil, err
		}
		return proc, s.answers(ctx, proc, "http://"+s.simAddress+"/services/data")
	})
	return err
}

// spawn starts a program.
func (s *stack) spawn(program, name string, env []string, log io.Writer, args ...string) (*devstack.Process, error) {
	return devstack.StartProcess(devstack.ProcessOptions{Name: name, Path: filepath.Join(s.bin, program), Args: args,
		Env: append(devstack.BareEnvironment(), env...), Log: log, StopTimeout: 40 * time.Second})
}

// answers waits until an address does.
func (s *stack) answers(ctx context.Context, proc *devstack.Process, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if status, _, err := fetch(ctx, http.MethodGet, url, "", ""); err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-proc.Done():
			return proc.Ended()
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer at %s: %w", proc.Name(), url, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// prepare sets the database up.
func (s *stack) prepare(ctx context.Context) error {
	s.env = s.environment(s.pg.URL(), s.temporal.Address())
	_, err := s.starter(ctx, "setup")
	return err
}

func (s *stack) environment(database, temporal string) []string {
	return []string{"DATABASE_URL=" + database, "TEMPORAL_ADDRESS=" + temporal, "PUBLIC_URL=" + s.public, "ENCRYPTION_KEYS=chaos:" + s.secret.key,
		"SALESFORCE_EXTRA_HOSTS=" + s.instance[len("http://"):] + "," + s.login[len("http://"):],
		"ADMIN_EMAIL=" + adminEmail, "ADMIN_PASSWORD=" + s.secret.password, "SF_CONSUMER_SECRET=" + s.secret.consumer}
}

// startPrograms starts workers and authsvc, each with ways of its own.
func (s *stack) startPrograms(ctx context.Context) error {
	for i := range programs {
		worker, err := s.program(ctx, nameWorker, i+1, nil)
		if err != nil {
			return err
		}
		s.workers = append(s.workers, worker)
		authsvc, err := s.program(ctx, nameAuthsvc, i+1, []string{"LISTEN_ADDR=" + s.direct[i]})
		if err != nil {
			return err
		}
		s.authsvcs = append(s.authsvcs, authsvc)
	}
	for _, address := range s.direct {
		if err := s.answers(ctx, s.authsvcs[0].process(), "http://"+address+"/readyz"); err != nil {
			return err
		}
	}
	return nil
}

// program starts one of the product's programs.
func (s *stack) program(ctx context.Context, program string, number int, env []string) (*member, error) {
	name := fmt.Sprintf("%s %d", program, number)
	database, err := s.way(name+" → "+namePostgres, net.JoinHostPort("127.0.0.1", strconv.Itoa(s.pg.Port())))
	if err != nil {
		return nil, err
	}
	temporal, err := s.way(name+" → "+nameTemporal, s.temporal.Address())
	if err != nil {
		return nil, err
	}
	url, err := withHost(s.pg.URL(), database.Address())
	if err != nil {
		return nil, err
	}
	log, err := s.log(name)
	if err != nil {
		return nil, err
	}
	all := append(s.environment(url, temporal.Address()), env...)
	return s.member(ctx, name, func(context.Context) (*devstack.Process, error) { return s.spawn(program, name, all, log) })
}

// close ends everything.
func (s *stack) close() {
	for i := len(s.members) - 1; i >= 0; i-- {
		if proc := s.members[i].end(); proc != nil {
			_ = proc.Thaw()
			if err := proc.Kill(); err != nil {
				s.say("%v", err)
			}
		}
	}
	for _, p := range s.ways {
		p.Close()
	}
	if s.pg != nil {
		if err := s.pg.Remove(); err != nil {
			s.say("%v", err)
		}
	}
	var errs []error
	for _, f := range s.logs {
		errs = append(errs, f.Close())
	}
	if err := errors.Join(errs...); err != nil {
		s.say("close the logs: %v", err)
	}
}
