package store

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
)

// Target is everything the sync of one integration needs to know before it asks
// Salesforce anything. It is read anew each time: nothing of it may be kept.
type Target struct {
	IntegrationID  string
	SourceID       string
	Project        string
	Integration    string
	Spec           json.RawMessage // config.Integration
	SpecVersion    int64
	CheckedVersion int64 // 0 = never
	CheckedAt      time.Time
	Desired        string // running, paused, disconnected, deleted
	Epoch          int64
	SyncRequests   int64
	Status         string
	WatchedAt      time.Time // last time Salesforce was asked for news
	ReadAt         time.Time // the database's time when all this was so
	ReadOrder      int64     // the read that began last
	SchemaDue      bool      // describe was not asked for a while
	CheckRequests  int64     // how often a check was asked for
	ChecksAnswered int64     // of these, how many a check has answered
	Undelivered    bool      // there is a delivery, and nobody looks after it
	Leftovers      bool      // batches left something behind that [Store.DropFenced] removes
	Erasable       bool      // there is something for [Store.Erase] to erase
	Unclaimed      bool      // there is a backfill that nobody looks after

	ConnectionState string // none, granted, lost, disconnected
	LostReason      string
	LostHint        string
	GrantedAt       time.Time
	RenewedAt       time.Time // the grant was last used for a new session; the grant itself counts
	Generation      int64
	OrgID           string
	UserID          string
	Username        string
	InstanceURL     string // of the grant

	Objects []TargetObject

	file *config.Integration // Spec, once somebody wanted it
}

// File is the integration file as it was applied, without secrets. What cannot be read has the
// defaults.
func (t *Target) File() config.Integration {
	if t.file == nil {
		t.file = &config.Integration{}
		_ = json.Unmarshal(t.Spec, t.file)
	}
	return *t.file
}

// TargetObject is one object of a Target with its live stream.
type TargetObject struct {
	Name         string
	Spec         json.RawMessage // config.Object
	State        string          // unchecked, ok, config_invalid
	Problem      string
	Hint         string
	Plan         json.RawMessage // poll.Plan of the last good check, also when State is config_invalid now; null before one
	ViewAll      ViewAll         // as of the last check
	Stream       int64
	Epoch        int64
	Seq          int64 // last applied
	Hi           Position
	Dependencies []Dependency
	DueRechecks  bool // records wait to be read again
	SetAside     bool // there are records that could not become comments

	Behind     bool      // there is more to poll before the stream has caught up
	VerifyFrom time.Time // where the next scan for late rows begins; zero before the first batch
	VerifyDue  bool

	VerifiedTo time.Time // complete up to here; zero before the first scan
	CompareDue bool      // the comparison with Salesforce is due
	DeletesTo  time.Time // the log of deletes was read up to here; zero = never
	SweepAt    Position  // where the rolling comparison by Id stands
	Resync     *Resync   // rows are to be read again; nil = none
	Backfill   *Load     // the open one; nil = none
	Part       *Part     // of a backfill, where it was asked for by its stream; else nil
}

// ViewAll says whether the integration user sees every record of an object, whoever owns
// it: by View All Records on the object, or View All Data. Only then does a record that
// no query finds not exist.
type ViewAll string

// The values of ViewAll. Unknown is what the check could not find out.
const (
	ViewAllYes     ViewAll = "yes"
	ViewAllNo      ViewAll = "no"
	ViewAllUnknown ViewAll = "unknown"
)

// Position is a place in the order (SystemModstamp, Id). The zero value is before everything.
type Position struct {
	Stamp time.Time `json:"stamp,omitzero"`
	ID    string    `json:"id,omitempty"`
}

// IsZero reports whether p is before everything.
func (p Position) IsZero() bool { return p.Stamp.IsZero() }

// Before reports whether p stands in front of q in the order (SystemModstamp, Id). Ids
// compare bytewise.
func (p Position) Before(q Position) bool {
	if c := p.Stamp.Compare(q.Stamp); c != 0 {
		return c < 0
	}
	return p.ID < q.ID
}

// Dependency is a parent object on a property path and how far its changes were followed.
type Dependency struct {
	Path       string // relation path from the child, e.g. "Parent.Account"
	Parent     string // Salesforce API name
	Hi         Position
	VerifiedTo time.Time // no change up to here can have been missed; zero = not scanned yet
}

// schemaLookSeconds is SchemaLookEvery as SQL has it.
var schemaLookSeconds = strconv.Itoa(int(SchemaLookEvery / time.Second))

// LoadTarget reads the integration named project/integration. fault.NotFound when
// there is none.
func (s *Store) LoadTarget(ctx context.Context, project, integration string) (*Target, error) {
	return s.loadTarget(ctx, `p.name = $1 and i.name = $2`, project, integration)
}

func (s *Store) loadTarget(ctx context.Context, where string, args ...any) (*Target, error) {
	var t Target
	// One snapshot, so that the integration and its objects belong together; and one exchange with
	// the database, because this is what a look costs when there is nothing to do.
	which := `(select i.id from integrations i join projects p on p.id = i.project_id where ` + where + `)`
	err := s.exchange(ctx, "read the integration", "begin isolation level repeatable read read only", func(batch *pgx.Batch) {
		batch.Queue(`
			select i.id, i.source_id, p.name, i.name, i.spec, i.spec_version, coalesce(i.checked_version, 0),
			       coalesce(i.checked_at, 'epoch'), i.desired, i.epoch, i.sync_requests, i.status,
			       coalesce(i.watched_at, 'epoch'), clock_timestamp(),
			       (select last_value from read_order), coalesce(i.schema_looked_at < now() - make_interval(secs => `+schemaLookSeconds+`), true),
			       i.check_requests, i.checks_answered,
			       exists (select from deliveries d where d.integration_id = i.id and d.held_until < now() - interval '1 minute'),
			       exists (select from streams st join batches b on b.stream_id = st.id
			         where st.integration_id = i.id and b.state <> 'applied' and (b.epoch < st.epoch or b.seq <= st.seq))
			       or exists (select from streams st join staged d on d.stream_id = st.id
			         where st.integration_id = i.id and (d.epoch < st.epoch or d.seq <= st.seq)),
			       exists (select from erasures e where e.source_id = i.source_id and e.not_before <= now()),
			       exists (select from backfills f where f.integration_id = i.id and`+unattended+`),
			       coalesce(c.state, 'none'), coalesce(c.lost_reason, ''), coalesce(c.lost_hint, ''),
			       coalesce(c.granted_at, 'epoch'), coalesce(greatest(c.granted_at, c.refreshed_at), 'epoch'), coalesce(c.generation, 0),
			       coalesce(c.org_id, ''), coalesce(c.user_id, ''), coalesce(c.username, ''), coalesce(c.token_instance_url, '')
			from integrations i
			join projects p on p.id = i.project_id
			left join connections c on c.integration_id = i.id
			where `+where, args...).
			QueryRow(func(row pgx.Row) error {
				return row.Scan(
					&t.IntegrationID, &t.SourceID, &t.Project, &t.Integration, &t.Spec, &t.SpecVersion, &t.CheckedVersion,
					&t.CheckedAt, &t.Desired, &t.Epoch, &t.SyncRequests, &t.Status, &t.WatchedAt, &t.ReadAt,
					&t.ReadOrder, &t.SchemaDue, &t.CheckRequests, &t.ChecksAnswered, &t.Undelivered, &t.Leftovers, &t.Erasable, &t.Unclaimed,
					&t.ConnectionState, &t.LostReason, &t.LostHint, &t.GrantedAt, &t.RenewedAt, &t.Generation,
					&t.OrgID, &t.UserID, &t.Username, &t.InstanceURL)
			})
		batch.Queue(`
			select o.name, o.spec, o.state, o.problem, o.hint, coalesce(o.plan, 'null'), o.view_all,
			       s.id, s.epoch, s.seq, coalesce(s.hi_stamp, '0001-01-01Z'), coalesce(s.hi_id, ''),
			       exists (select 1 from rechecks r
			         where r.integration_id = o.integration_id and r.object = o.name and r.not_before <= now())
			       or exists (select 1 from followed f where f.integration_id = o.integration_id and f.object = o.name and f.pending),
			       exists (select from set_aside a join integrations i on i.source_id = a.source_id where i.id = o.integration_id and a.object = o.name),
			       -- The batch applied last, whatever its epoch: another object's change moves that, too.
			       s.hi_stamp is null or coalesce((select b.more from batches b where b.stream_id = s.id and b.state = 'applied'
			         order by b.epoch desc, b.seq desc limit 1), true),
			       coalesce(s.verified_to, s.verify_from, '0001-01-01Z'), s.verify_after <= now(),
			       coalesce(s.verified_to, '0001-01-01Z'), s.compare_after <= now(), coalesce(s.deletes_to, '0001-01-01Z'),
			       coalesce(s.sweep_stamp, '0001-01-01Z'), coalesce(s.sweep_id, ''),
			       f.id, f.first, f.known, f.reason, f.desired, f.planned, f.from_stamp, f.until_stamp,
			       re.id, re.epoch, re.seq, re.hi_stamp, re.hi_id, re.from_stamp, re.until_stamp, re.reason,
			       coalesce(greatest(re.applied_at, re.requested_at), now())
			from objects o
			join streams s on s.integration_id = o.integration_id and s.object = o.name and s.lane = 'live' and s.part = ''
			left join streams re on re.integration_id = o.integration_id and re.object = o.name and re.lane = 'resync' and re.part = ''
				and re.finished_at is null
			left join backfills f on f.integration_id = o.integration_id and f.object = o.name and f.state = 'open'
			where o.integration_id = `+which+`
			order by o.position`, args...).
			Query(func(rows pgx.Rows) (err error) {
				t.Objects, err = pgx.CollectRows(rows, scanTargetObject)
				return err
			})
		batch.Queue(`
			select object, path, parent, hi_stamp, hi_id, coalesce(verified_to, '0001-01-01Z') from dependencies
			where integration_id = `+which+` order by object, path, parent`, args...).
			Query(func(rows pgx.Rows) error {
				var object string
				var d Dependency
				_, err := pgx.ForEachRow(rows, []any{&object, &d.Path, &d.Parent, &d.Hi.Stamp, &d.Hi.ID, &d.VerifiedTo}, func() error {
					for i := range t.Objects {
						if t.Objects[i].Name == object {
							t.Objects[i].Dependencies = append(t.Objects[i].Dependencies, d)
						}
					}
					return nil
				})
				return err
			})
	})
	if fault.Is(err, fault.NotFound) && len(args) == 2 {
		return nil, fault.New(fault.NotFound, "there is no integration %v/%v", args[0], args[1]).
			WithHint("create it with `starter apply -f integration.yaml`; `starter list` shows what there is")
	}
	return &t, err
}

func scanTargetObject(row pgx.CollectableRow) (TargetObject, error) {
	var o TargetObject
	var re resyncRow
	var f openLoad
	err := row.Scan(&o.Name, &o.Spec, &o.State, &o.Problem, &o.Hint, &o.Plan, &o.ViewAll,
		&o.Stream, &o.Epoch, &o.Seq, &o.Hi.Stamp, &o.Hi.ID, &o.DueRechecks, &o.SetAside,
		&o.Behind, &o.VerifyFrom, &o.VerifyDue, &o.VerifiedTo, &o.CompareDue, &o.DeletesTo,
		&o.SweepAt.Stamp, &o.SweepAt.ID,
		&f.id, &f.first, &f.known, &f.reason, &f.desired, &f.planned, &f.from, &f.until,
		&re.id, &re.epoch, &re.seq, &re.hiStamp, &re.hiID, &re.from, &re.until, &re.reason, &re.lastAt)
	o.Resync, o.Backfill = re.lane(), f.load()
	return o, err
}

// Object returns the object of that name.
func (t *Target) Object(name string) (*TargetObject, bool) {
	for i := range t.Objects {
		if t.Objects[i].Name == name {
			return &t.Objects[i], true
		}
	}
	return nil, false
}

// LoadStreamTarget reads the integration that a stream belongs to, and the
// stream's object: the stream is its live one, its open Resync, or a part of its open backfill. fault.Fenced when the
// stream is gone, because its object was taken out of the file, or a resync or backfill has ended.
func (s *Store) LoadStreamTarget(ctx context.Context, stream int64) (*Target, *TargetObject, error) {
	t, err := s.loadTarget(ctx, `i.id = (select integration_id from streams where id = $1)`, stream)
	if fault.Is(err, fault.NotFound) {
		return nil, nil, fault.New(fault.Fenced, "stream %d is gone", stream)
	}
	if err != nil {
		return nil, nil, err
	}
	for i := range t.Objects {
		if o := &t.Objects[i]; o.Stream == stream || o.Resync != nil && o.Resync.Stream == stream {
			return t, o, nil
		}
	}
	p, ok, err := s.PartOf(ctx, stream)
	if err != nil {
		return nil, nil, err
	}
	for i := range t.Objects {
		if o := &t.Objects[i]; ok && o.Backfill != nil && o.Backfill.ID == p.Backfill {
			o.Part = &p
			return t, o, nil
		}
	}
	return nil, nil, fault.New(fault.Fenced, "stream %d is gone", stream)
}

// Gate is read before each call to Salesforce, so that pause, disconnect and a
// new epoch act within seconds. It returns fault.Stopped or fault.Fenced when
// the call must not be made.
func (s *Store) Gate(ctx context.Context, stream, epoch int64) error {
	var desired, backfill string
	var now int64
	err := s.pool.QueryRow(ctx, `
		select i.desired, st.epoch, coalesce(f.desired, 'running') from streams st
		join integrations i on i.id = st.integration_id
		left join backfill_parts p on p.stream_id = st.id and st.lane = 'backfill'
		left join backfills f on f.id = p.backfill_id
		where st.id = $1`,
		stream).Scan(&desired, &now, &backfill)
	if err = translate("read the desired state", err); fault.Is(err, fault.NotFound) {
		return fault.New(fault.Fenced, "stream %d is gone", stream)
	}
	if err != nil {
		return err
	}
	if now != epoch {
		return fault.New(fault.Fenced, "stream %d is at epoch %d, this work is of epoch %d", stream, now, epoch)
	}
	if desired != "running" {
		return fault.New(fault.Stopped, "the integration is %s", desired)
	}
	if backfill != BackfillRunning {
		return fault.New(fault.Stopped, "the backfill is %s", backfill)
	}
	return nil
}

// RecordURL is where a record is seen in Salesforce.
func (t *Target) RecordURL(recordID string) string {
	at := t.InstanceURL
	if at == "" {
		var spec struct {
			Connection struct {
				InstanceURL string `json:"instance_url"`
			} `json:"connection"`
		}
		_ = json.Unmarshal(t.Spec, &spec) // what cannot be read has no address
		at = spec.Connection.InstanceURL
	}
	return at + "/" + recordID
}

// RawPath is the path at which the API gives a record's raw copy.
func RawPath(project, integration, object, recordID string) string {
	return "/api/v1/integrations/" + project + "/" + integration + "/records/" + object + "/" + recordID + "/raw"
}
