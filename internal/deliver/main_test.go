package deliver

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
	"salesforcesync/internal/tenant"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

const token = "re_0123456789-secret"

// bench is an integration with comments and a destination.
type bench struct {
	t       *testing.T
	db      *store.Store
	seed    *storetest.Seed
	service *Service
	spec    config.Integration
	id      string // of the integration
	source  string // id

	mu   sync.Mutex
	last flow.DeliverResult
	errs []error
}

func setup(t *testing.T, server *httptest.Server) *bench {
	t.Helper()
	b := &bench{t: t}
	b.db, b.seed = storetest.NewSeed(t)
	b.spec = config.Integration{
		Project: "support", Integration: "prod", Source: "emails", PollInterval: config.DefaultPollInterval,
		Connection:  config.Connection{InstanceURL: "https://acme.my.salesforce.com", LoginURL: "https://login.salesforce.com", ConsumerKey: "key", ConsumerSecret: "hunter2"},
		Objects:     []config.Object{{Object: "EmailMessage", Preset: config.PresetEmail, Deleted: config.DeletedTombstone}},
		Destination: &config.Destination{Endpoint: server.URL + "/acme/prod/reinfer_", Project: "cm.project", Source: "mail", Token: token},
	}
	b.apply()
	b.source = b.seed.Strings(`select id from sources where name = 'emails'`)[0]
	listener := store.NewListener()
	go listener.Run(t.Context(), b.db)
	b.service = &Service{Store: b.db, Listener: listener, Tenant: tenant.New(tenant.Hosts{strings.TrimPrefix(server.URL, "http://")}),
		Pages: make(chan struct{}, 1), First: time.Millisecond, Longest: 20 * time.Millisecond, Refused: time.Hour, Parked: time.Hour}
	return b
}

func (b *bench) apply() store.ApplyResult {
	b.t.Helper()
	r, err := b.db.ApplyIntegration(b.t.Context(), b.spec)
	require.NoError(b.t, err)
	b.id = r.IntegrationID
	return r
}

// run delivers as the workflow does until the returned function is called.
func (b *bench) run() (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		shown := flow.StateSyncing
		for ctx.Err() == nil {
			result, err := b.service.Deliver(ctx, flow.DeliverParams{Project: "support", Integration: "prod", Shown: shown})
			b.mu.Lock()
			if err != nil {
				b.errs = append(b.errs, err)
			} else {
				b.last, shown = result, result.State
			}
			b.mu.Unlock()
			if err == nil && (shown == flow.StateCancelled || shown == flow.StateDisconnected) {
				return
			}
		}
	})
	b.t.Cleanup(func() { cancel(); done.Wait() })
	return func() { cancel(); done.Wait() }
}

func (b *bench) shown() flow.DeliverResult {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

func (b *bench) delivery() *store.Delivery {
	b.t.Helper()
	d, err := b.db.Delivery(b.t.Context(), "support", "prod")
	require.NoError(b.t, err)
	return d
}

// delivered waits until nothing is left to deliver.
func (b *bench) delivered() *store.Delivery {
	b.t.Helper()
	var d *store.Delivery
	b.eventually(func() bool {
		d = b.delivery()
		behind, err := b.db.Behind(b.t.Context(), d)
		require.NoError(b.t, err)
		return behind.Changes == 0 && !d.Again && d.State == flow.StateIdle
	}, "everything is delivered")
	return d
}

func (b *bench) inState(state string) {
	b.t.Helper()
	b.eventually(func() bool { return b.shown().State == state }, "the state is "+state)
}

// patience is how long a test waits for what must come. A large transaction of another test's holds changes back.
const patience = 3 * time.Minute

func (b *bench) eventually(yes func() bool, what string) {
	b.t.Helper()
	require.Eventually(b.t, yes, patience, 2*time.Millisecond, what)
}

func (b *bench) mail(id, body string) { b.seed.Mail(b.source, id, noon, "subject of "+id, body) }

func (b *bench) mails(n int) {
	b.t.Helper()
	for i := range n {
		b.mail(fmt.Sprintf("c%03d", i), "1")
	}
	b.settled()
}

// settled waits until all that was written may be read by who follows: a transaction of another test's, on the same
// server, that began before and is open holds changes back, and pages are smaller than they are written here.
func (b *bench) settled() {
	b.t.Helper()
	b.eventually(func() bool {
		return b.seed.Strings(`select count(*)::text from comments where source_id = $1 and changed >= pg_snapshot_xmin(pg_current_snapshot())`, b.source)[0] == "0"
	}, "no older transaction is open")
}

var noon = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)

// rewrite gives a comment another text, and what follows tells whoever listens.
func (b *bench) rewrite(id, body string) {
	b.seed.Exec(`
		with next as (
			update comments set revision = revision + 1, last_modified = now(), deleted_at = null, changed = pg_current_xact_id()
			where source_id = $1 and id = $2 returning source_id, id, revision)
		insert into revisions (source_id, comment_id, revision, texts, text_hash, cleaning_version)
		select source_id, id, revision, jsonb_build_array(jsonb_build_object('body', $3::text)), '\x00', 1 from next`, b.source, id, body)
	b.notify()
}

func (b *bench) entomb(id string) {
	b.seed.Exec(`update comments set deleted_at = now(), last_modified = now(), changed = pg_current_xact_id() where source_id = $1 and id = $2`, b.source, id)
	b.notify()
}

func (b *bench) notify() { b.seed.Exec(`select pg_notify('comments_changed', $1)`, b.source) }

// ours are the live comments by id, with their first text.
func (b *bench) ours() map[string]string {
	b.t.Helper()
	out := map[string]string{}
	for _, row := range b.seed.Strings(`
		select c.id || '=' || (r.texts->0->>'body') from comments c
		join revisions r on (r.source_id, r.comment_id, r.revision) = (c.source_id, c.id, c.revision)
		where c.source_id = $1 and c.deleted_at is null`, b.source) {
		id, body, _ := strings.Cut(row, "=")
		out[id] = body
	}
	return out
}
