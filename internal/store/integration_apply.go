package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/secret"
)

// ApplyResult says what applying an integration file did, or would do.
type ApplyResult struct {
	IntegrationID  string          `json:"-"`
	Created        bool            `json:"created"` // the integration is new
	Changed        bool            `json:"changed"` // the file differs from the one in force
	ProjectCreated bool            `json:"project_created"`
	SourceCreated  bool            `json:"source_created"`
	SecretChanged  bool            `json:"secret_changed"` // the consumer secret was replaced or forgotten
	TokenChanged   bool            `json:"token_changed"`  // the token of the destination was replaced
	SpecVersion    int64           `json:"spec_version"`
	Epoch          int64           `json:"epoch"`
	Changes        []config.Change `json:"changes"`
	Added          []string        `json:"objects_added"`
	Reread         []string        `json:"objects_read_again"`  // objects whose every record is read again
	Removed        []string        `json:"objects_removed"`     // their comments stay
	Erase          int64           `json:"records_to_erase"`    // deleted records whose texts and copies go, because the policy is erase now
	Age            int64           `json:"comments_to_erase"`   // older than comments are kept now
	Reconnect      string          `json:"reconnect,omitempty"` // why the access that was granted can no longer be used
	Desired        string          `json:"desired"`             // running, paused or disconnected
	Connected      bool            `json:"connected"`           // there is a grant that can be used
}

// ApplyIntegration makes spec the integration file in force, in one transaction. It
// creates the project, the source and the integration when they are missing. A file
// that differs in nothing keeps its version; in both cases the integration is checked
// against Salesforce again before its next poll.
//
// An object whose rows or fields changed is read again from its start: the epoch goes
// up by one, which fences every batch begun before, its live cursor is cleared, and
// its seq goes on. An object that is gone from the file takes its cursor and its
// waiting work with it; its comments stay.
//
// The consumer secret is sealed; an empty one keeps what is stored unless the
// consumer key changed, because the stored one belongs to the other app. A grant that
// cannot be used any more (another consumer key, another instance) is marked lost.
//
// Errors: fault.Conflict when the source is fed by another integration or the
// integration is being deleted; fault.Invalid when a secret is given and the store
// has no key ring.
func (s *Store) ApplyIntegration(ctx context.Context, spec config.Integration) (ApplyResult, error) {
	var result ApplyResult
	err := s.inTx(ctx, "apply "+spec.Name(), func(tx pgx.Tx) error {
		a := applying{store: s, tx: tx, spec: spec}
		var err error
		result, err = a.run(ctx)
		return err
	})
	return result, err
}

// ApplyIntegrationOver is ApplyIntegration for who has looked at version, and decided on what was in it; 0
// is for an integration that is to be new. fault.Conflict when another version is in force, unless the file says
// what is in force already: the same form sent twice is applied once.
func (s *Store) ApplyIntegrationOver(ctx context.Context, spec config.Integration, version int64) (ApplyResult, error) {
	var result ApplyResult
	err := s.inTx(ctx, "apply "+spec.Name(), func(tx pgx.Tx) error {
		a := applying{store: s, tx: tx, spec: spec, over: &version}
		var err error
		result, err = a.run(ctx)
		return err
	})
	return result, err
}

// errPlanned rolls a plan's transaction back.
var errPlanned = errors.New("planned")

// PlanIntegration says what ApplyIntegration would do, and changes nothing. Without
// a key ring it cannot tell whether the consumer secret differs and leaves it out.
func (s *Store) PlanIntegration(ctx context.Context, spec config.Integration) (ApplyResult, error) {
	var result ApplyResult
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		a := applying{store: s, tx: tx, spec: spec, plan: true}
		var err error
		if result, err = a.run(ctx); err != nil {
			return err
		}
		return errPlanned
	})
	if errors.Is(err, errPlanned) {
		err = nil
	}
	return result, translate("plan "+spec.Name(), err)
}

// applying is one run of ApplyIntegration.
type applying struct {
	store *Store
	tx    pgx.Tx
	spec  config.Integration
	plan  bool
	over  *int64 // the version that must be in force; nil = whatever is

	sourceID string
	before   config.Integration // zero when the integration is new
	moved    bool               // to another source
	result   ApplyResult
}

func (a *applying) run(ctx context.Context) (ApplyResult, error) {
	projectID, created, err := ensureProject(ctx, a.tx, a.spec.Project)
	if err != nil {
		return a.result, err
	}
	a.result.ProjectCreated = created
	if a.sourceID, a.result.SourceCreated, err = ensureSource(ctx, a.tx, projectID, a.spec.Source); err != nil {
		return a.result, err
	}
	if err := a.find(ctx, projectID); err != nil {
		return a.result, err
	}
	if err := a.checkSource(ctx); err != nil {
		return a.result, err
	}
	if a.result.Created {
		if err := a.create(ctx, projectID); err != nil {
			return a.result, err
		}
	} else {
		a.result.Changes = config.Diff(a.before, a.spec)
	}
	if err := a.connection(ctx); err != nil {
		return a.result, err
	}
	if err := a.destination(ctx); err != nil {
		return a.result, err
	}
	a.result.Changed = a.result.Created || a.result.SecretChanged || a.result.TokenChanged || len(a.result.Changes) > 0
	if err := a.checkOver(); err != nil {
		return a.result, err
	}
	if len(a.result.Changes) > 0 || a.result.Created {
		if err := a.objects(ctx); err != nil {
			return a.result, err
		}
		if err := a.kind(ctx); err != nil {
			return a.result, err
		}
		if err := a.age(ctx); err != nil {
			return a.result, err
		}
	}
	return a.result, a.finish(ctx)
}

// kind says of the source what its comments are, as the Comments API wants it: chats have a
// message per turn. One of mixed objects is of no kind.
func (a *applying) kind(ctx context.Context) error {
	kind := "unknown"
	if len(a.spec.Objects) > 0 && !slices.ContainsFunc(a.spec.Objects, func(o config.Object) bool { return o.Preset != config.PresetChat }) {
		kind = "chat"
	}
	_, err := a.tx.Exec(ctx, `update sources set kind = $2, updated_at = now() where id = $1 and kind <> $2 and kind in ('unknown', 'chat')`, a.sourceID, kind)
	return err
}

// age counts what is older than comments are kept from now on; it is erased between looks.
func (a *applying) age(ctx context.Context) error {
	if a.spec.CommentRetention == config.RetentionForever || !a.moved && a.before.CommentRetention == a.spec.CommentRetention {
		return nil
	}
	return a.tx.QueryRow(ctx, `
		select count(*) from comments where source_id = $1 and ts < now() - $2::interval and not erased`,
		a.sourceID, a.spec.CommentRetention.String()).Scan(&a.result.Age)
}

// find locks the integration and reads what is in force. Its streams and its
// connection are locked first, as Upsert and a grant do, so that whoever meets waits
// in one order.
func (a *applying) find(ctx context.Context, projectID string) error {
	if _, err := a.tx.Exec(ctx, `
		select 1 from streams st join integrations i on i.id = st.integration_id
		where i.project_id = $1 and i.name = $2
		order by st.id for update of st`, projectID, a.spec.Integration); err != nil {
		return err
	}
	if _, err := a.tx.Exec(ctx, `
		select 1 from connections c join integrations i on i.id = c.integration_id
		where i.project_id = $1 and i.name = $2 for update of c`, projectID, a.spec.Integration); err != nil {
		return err
	}
	var spec []byte
	var sourceID string
	// Not FOR UPDATE: rows that refer to the integration may be written meanwhile.
	err := a.tx.QueryRow(ctx, `
		select id, source_id, spec, spec_version, epoch, desired from integrations
		where project_id = $1 and name = $2 for no key update`, projectID, a.spec.Integration).Scan(
		&a.result.IntegrationID, &sourceID, &spec, &a.result.SpecVersion, &a.result.Epoch, &a.result.Desired)
	if errors.Is(err, pgx.ErrNoRows) {
		a.result.Created = true
		return nil
	}
	if err != nil {
		return err
	}
	if a.result.Desired == DesiredDeleted {
		return fault.New(fault.Conflict, "%s is being deleted", a.spec.Name()).
			WithHint("let `starter delete %s` finish, then apply again", a.spec.Name())
	}
	if err := json.Unmarshal(spec, &a.before); err != nil {
		return fault.Wrap(fault.Internal, err, "read the stored file of %s", a.spec.Name())
	}
	a.moved = sourceID != a.sourceID
	return nil
}

// checkOver refuses to change another version than the one that was looked at.
func (a *applying) checkOver() error {
	switch {
	case a.over == nil || !a.result.Changed:
		return nil
	case a.result.Created && *a.over != 0:
		return fault.New(fault.NotFound, "there is no integration %s any more", a.spec.Name())
	case !a.result.Created && *a.over == 0:
		return fault.New(fault.Conflict, "there is an integration %s already", a.spec.Name())
	case !a.result.Created && *a.over != a.result.SpecVersion:
		return fault.New(fault.Conflict, "%s was changed meanwhile: version %d is in force, not %d", a.spec.Name(), a.result.SpecVersion, *a.over)
	}
	return nil
}

func (a *applying) checkSource(ctx context.Context) error {
	var feeder string
	err := a.tx.QueryRow(ctx, `
		select p.name || '/' || i.name from integrations i join projects p on p.id = i.project_id
		where i.source_id = $1 and i.id <> $2`, a.sourceID, a.result.IntegrationID).Scan(&feeder)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return fault.New(fault.Conflict, "source %s/%s is fed by the integration %s", a.spec.Project, a.spec.Source, feeder).
		WithHint("one integration feeds a source: choose another source, or delete %s first", feeder)
}

func (a *applying) create(ctx context.Context, projectID string) error {
	spec, err := a.spec.MarshalSpec()
	if err != nil {
		return fault.Wrap(fault.Internal, err, "write the file of %s as JSON", a.spec.Name())
	}
	a.result.IntegrationID, a.result.Desired = NewID(), DesiredRunning
	if err := a.tx.QueryRow(ctx, `
		insert into integrations (id, project_id, name, source_id, spec, status_reason, status_hint)
		values ($1, $2, $3, $4, $5, 'Salesforce is not connected yet', $6)
		returning spec_version, epoch`,
		a.result.IntegrationID, projectID, a.spec.Integration, a.sourceID, spec, "run `starter connect "+a.spec.Name()+"`").
		Scan(&a.result.SpecVersion, &a.result.Epoch); err != nil {
		return err
	}
	_, err = a.tx.Exec(ctx, `insert into connections (integration_id, instance_url, login_url, consumer_key) values ($1, '', '', '')`, a.result.IntegrationID)
	return err
}

// connection brings the way to Salesforce up to date.
func (a *applying) connection(ctx context.Context) error {
	id, now := a.result.IntegrationID, a.spec.Connection
	var instance, key, sealed, state, granted string
	// Locked: what is sealed anew meanwhile is not put back as it was.
	if err := a.tx.QueryRow(ctx, `
		select instance_url, consumer_key, consumer_secret, state, token_instance_url from connections where integration_id = $1 for update`, id).
		Scan(&instance, &key, &sealed, &state, &granted); err != nil {
		return err
	}
	keyChanged := !a.result.Created && key != now.ConsumerKey
	newSealed, err := a.sealSecret(id, sealed, now.ConsumerSecret, keyChanged)
	if err != nil {
		return err
	}
	var reason string
	switch {
	case state != "granted":
	case keyChanged:
		reason = "consumer_key names another app than the one that was granted access"
	case instance != now.InstanceURL && !sameHost(granted, now.InstanceURL):
		reason = "instance_url is another address than the one that was granted access"
	}
	a.result.Reconnect = reason
	a.result.Connected = state == "granted" && reason == ""
	// The tokens stay until the next grant or disconnect, which can still give them
	// back; generation + 1 fences a refresh that is under way.
	_, err = a.tx.Exec(ctx, `
		update connections set instance_url = $2, login_url = $3, consumer_key = $4, consumer_secret = $5, updated_at = now(),
			state = case when $6 = '' then state else 'lost' end,
			generation = case when $6 = '' then generation else generation + 1 end,
			lost_reason = case when $6 = '' then lost_reason else $6 end,
			lost_hint = case when $6 = '' then lost_hint else $7 end
		where integration_id = $1
		  and ($6 <> '' or (instance_url, login_url, consumer_key, consumer_secret) is distinct from ($2, $3, $4, $5))`,
		id, now.InstanceURL, now.LoginURL, now.ConsumerKey, newSealed, reason, "run `starter connect "+a.spec.Name()+"`")
	if err != nil {
		return err
	}
	if !keyChanged {
		return nil
	}
	// A code or a grant of the other app is of no use to this one.
	if _, err := a.tx.Exec(ctx, `delete from oauth_attempts where integration_id = $1`, id); err != nil {
		return err
	}
	_, err = a.tx.Exec(ctx, `delete from pending_grants where integration_id = $1`, id)
	return err
}

// sealSecret gives the sealed consumer secret to store.
func (a *applying) sealSecret(id, sealed string, given secret.Text, keyChanged bool) (string, error) {
	if given == "" {
		a.result.SecretChanged = keyChanged && sealed != ""
		if a.result.SecretChanged {
			return "", nil
		}
		return sealed, nil
	}
	if a.plan && a.store.keys == nil {
		return sealed, nil
	}
	// A secret that no longer opens is replaced like one that differs.
	if stored, err := a.store.open(sealed, "connections", id, "consumer_secret"); err == nil && stored == given {
		return sealed, nil
	}
	a.result.SecretChanged = true
	return a.store.seal(given, "connections", id, "consumer_secret")
}

// finish writes the file and wakes whoever watches.
func (a *applying) finish(ctx context.Context) error {
	id := a.result.IntegrationID
	spec, err := a.spec.MarshalSpec()
	if err != nil {
		return fault.Wrap(fault.Internal, err, "write the file of %s as JSON", a.spec.Name())
	}
	if a.result.Changed && !a.result.Created {
		a.result.SpecVersion++
	}
	// checked_version null: every apply asks for a check, also one that changes nothing.
	if _, err := a.tx.Exec(ctx, `
		update integrations set source_id = $2, spec = $3, spec_version = $4, epoch = $5, checked_version = null,
			updated_at = case when $6 then now() else updated_at end
		where id = $1`, id, a.sourceID, spec, a.result.SpecVersion, a.result.Epoch, a.result.Changed); err != nil {
		return err
	}
	if err := a.keepFile(ctx, spec); err != nil {
		return err
	}
	if err := a.audit(ctx, spec); err != nil {
		return err
	}
	return wake(ctx, a.tx, id)
}

// audit says who changed the file, and what of it. Values may be conditions and names of fields; what
// they are stays in the file, and digests tell which file it was.
func (a *applying) audit(ctx context.Context, spec []byte) error {
	if !a.result.Changed {
		return nil
	}
	keys := []string{}
	for _, c := range a.result.Changes {
		keys = append(keys, c.Path)
	}
	if a.result.SecretChanged {
		keys = append(keys, "connection.consumer_secret")
	}
	details := map[string]any{"created": a.result.Created, "version": a.result.SpecVersion, "changed": keys, "digest_after": digestOf(spec)}
	if !a.result.Created {
		before, err := a.before.MarshalSpec()
		if err != nil {
			return fault.Wrap(fault.Internal, err, "write the file of %s as JSON", a.spec.Name())
		}
		details["digest_before"] = digestOf(before)
	}
	return auditedIntegration(ctx, a.tx, EventIntegrationApplied, a.result.IntegrationID, details)
}

func digestOf(spec []byte) string {
	sum := sha256.Sum256(spec)
	return hex.EncodeToString(sum[:])
}

// wake tells a running Watch to look at the integration's row again, when the
// transaction commits.
func wake(ctx context.Context, tx pgx.Tx, integrationID string) error {
	_, err := tx.Exec(ctx, `select pg_notify($1, $2)`, channelWake, integrationID)
	return err
}

func sameHost(a, b string) bool {
	u, err := url.Parse(a)
	if err != nil {
		return false
	}
	v, err := url.Parse(b)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, v.Host)
}
