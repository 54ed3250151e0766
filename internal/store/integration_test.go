package store_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

func mailFile() config.Integration {
	return config.Integration{
		Project: "support", Integration: "salesforce-prod", Source: "salesforce-emails",
		Connection: config.Connection{
			InstanceURL: "https://acme.my.salesforce.com", LoginURL: "https://acme.my.salesforce.com",
			ConsumerKey: "key-1", ConsumerSecret: "secret-1",
		},
		PollInterval: config.DefaultPollInterval,
		Objects: []config.Object{
			{Object: "EmailMessage", Preset: "email", Deleted: "tombstone", Properties: []config.Property{{Name: "Case", Path: "Parent.CaseNumber"}}},
			{Object: "Survey__c", Fields: config.FieldMap{"timestamp": "At__c", "body": "Text__c"}, Deleted: "keep"},
		},
	}
}

func apply(t *testing.T, db *store.Store, spec config.Integration) store.ApplyResult {
	t.Helper()
	result, err := db.ApplyIntegration(t.Context(), spec)
	require.NoError(t, err)
	return result
}

// liveStreams gives "epoch seq hi" of each object's live stream.
func liveStreams(s *storetest.Seed, id string) map[string]string {
	out := map[string]string{}
	for _, row := range s.Strings(`select object || ' ' || epoch || ' ' || seq || ' ' || coalesce(hi_id, '-')
	                                 from streams where integration_id = $1 and lane = 'live'`, id) {
		object, rest, _ := strings.Cut(row, " ")
		out[object] = rest
	}
	return out
}

func TestApplyCreatesEverything(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	result := apply(t, db, mailFile())
	require.True(t, result.Created && result.Changed && result.ProjectCreated && result.SourceCreated && result.SecretChanged)
	require.Equal(t, []string{"EmailMessage", "Survey__c"}, result.Added)
	require.Empty(t, result.Reread)
	require.EqualValues(t, 1, result.SpecVersion)
	require.Equal(t, map[string]string{"EmailMessage": "1 0 -", "Survey__c": "1 0 -"}, liveStreams(seed, result.IntegrationID))

	spec := seed.Strings(`select spec::text from integrations`)[0]
	require.NotContains(t, spec, "secret-1")
	var stored config.Integration
	require.NoError(t, json.Unmarshal([]byte(spec), &stored))
	require.Empty(t, config.Diff(mailFile(), stored))
	sealed := seed.Strings(`select consumer_secret from connections`)[0]
	require.NotContains(t, sealed, "secret-1")
	opened, err := storetest.Keys(t).Open(sealed, "connections/"+result.IntegrationID+"/consumer_secret")
	require.NoError(t, err)
	require.Equal(t, "secret-1", opened.Reveal())

	target, err := db.LoadTarget(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	require.Len(t, target.Objects, 2)
}

func TestApplyAgainChangesNothingButAsksForACheck(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	first := apply(t, db, mailFile())
	seed.Exec(`update integrations set checked_version = spec_version`)
	before := seed.Strings(`select xmin::text from connections union all select xmin::text from objects union all select xmin::text from streams`)

	again := apply(t, db, mailFile())
	require.False(t, again.Created || again.Changed || again.SecretChanged)
	require.Empty(t, again.Changes)
	require.Equal(t, first.SpecVersion, again.SpecVersion)
	require.Equal(t, first.Epoch, again.Epoch)
	require.Equal(t, before, seed.Strings(`select xmin::text from connections union all select xmin::text from objects union all select xmin::text from streams`))
	require.Equal(t, []string{"null"}, seed.Strings(`select coalesce(checked_version::text, 'null') from integrations`))

	reordered := mailFile()
	reordered.Objects[0], reordered.Objects[1] = reordered.Objects[1], reordered.Objects[0]
	require.False(t, apply(t, db, reordered).Changed)
}

func TestApplyChangedMappingReadsThatObjectAgain(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*config.Integration){
		"where":    func(i *config.Integration) { i.Objects[0].Where = "Incoming = true" },
		"property": func(i *config.Integration) { i.Objects[0].Properties[0].Name = "Case Number" },
		"field":    func(i *config.Integration) { i.Objects[0].Fields = config.FieldMap{"thread": "ParentId"} },
		"preset": func(i *config.Integration) {
			i.Objects[0].Preset, i.Objects[0].Fields = "", config.FieldMap{"timestamp": "A", "body": "B"}
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, seed := storetest.NewSeed(t)
			id := apply(t, db, mailFile()).IntegrationID
			seed.Exec(`update objects set state = 'ok', plan = '{}'`)
			seed.Exec(`update streams set seq = 7, hi_stamp = now(), hi_id = 'x', verified_to = now(), salesforce_rows = 5, counted_at = now(), rows_applied = 9`)
			seed.Exec(`insert into streams (integration_id, object, lane, part, epoch) values ($1, 'EmailMessage', 'backfill', '1', 1)`, id)
			seed.Exec(`insert into dependencies values ($1, 'EmailMessage', 'Parent', 'Case', now(), 'y')`, id)

			spec := mailFile()
			change(&spec)
			plan, err := db.PlanIntegration(t.Context(), spec)
			require.NoError(t, err)
			require.Equal(t, map[string]string{"EmailMessage": "1 7 x", "Survey__c": "1 7 x"}, liveStreams(seed, id), "a plan changes nothing")

			result := apply(t, db, spec)
			require.Equal(t, plan, result, "a plan says what apply does")
			require.Equal(t, []string{"EmailMessage"}, result.Reread)
			require.EqualValues(t, 2, result.SpecVersion)
			require.EqualValues(t, 2, result.Epoch)
			require.Equal(t, map[string]string{"EmailMessage": "2 7 -", "Survey__c": "2 7 x"}, liveStreams(seed, id))
			require.Equal(t, []string{"EmailMessage unchecked null", "Survey__c ok {}"},
				seed.Strings(`select name || ' ' || state || ' ' || coalesce(plan::text, 'null') from objects order by 1`))
			require.Equal(t, []string{"live 9 null"}, seed.Strings(`select lane || ' ' || rows_applied || ' ' || coalesce(verified_to::text, 'null') from streams where object = 'EmailMessage'`))
			require.Empty(t, seed.Strings(`select object from dependencies`))
		})
	}
}

func TestApplyKeepsCursorsWhenOnlyTheWayChanges(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	id := apply(t, db, mailFile()).IntegrationID
	seed.Exec(`update objects set state = 'ok', plan = '{}'`)
	seed.Exec(`update streams set seq = 7, hi_stamp = now(), hi_id = 'x'`)
	spec := mailFile()
	spec.PollInterval = config.Duration(time.Minute)
	spec.Connection.LoginURL = "https://login.salesforce.com"
	spec.Objects[1].Deleted = "erase"
	spec.Objects[1].Object = "SURVEY__C" // Salesforce's names ignore case
	result := apply(t, db, spec)
	require.True(t, result.Changed)
	require.Empty(t, result.Reread)
	require.Empty(t, result.Reconnect)
	require.EqualValues(t, 2, result.SpecVersion)
	require.EqualValues(t, 1, result.Epoch)
	require.Equal(t, map[string]string{"EmailMessage": "1 7 x", "Survey__c": "1 7 x"}, liveStreams(seed, id))
	require.Equal(t, []string{"ok", "ok"}, seed.Strings(`select state from objects`))
	require.Equal(t, []string{"erase"}, seed.Strings(`select spec->>'deleted' from objects where name = 'Survey__c'`))
	require.Equal(t, []string{"https://login.salesforce.com"}, seed.Strings(`select login_url from connections`))
}

func TestApplyStartFromAndSourceReadEverythingAgain(t *testing.T) {
	t.Parallel()
	db, _ := storetest.NewSeed(t)
	apply(t, db, mailFile())
	spec := mailFile()
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	spec.StartFrom = &start
	require.Equal(t, []string{"EmailMessage", "Survey__c"}, apply(t, db, spec).Reread)
	spec.Source = "other"
	result := apply(t, db, spec)
	require.Equal(t, []string{"EmailMessage", "Survey__c"}, result.Reread)
	require.True(t, result.SourceCreated)
	status, err := db.IntegrationByName(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	require.Equal(t, "other", status.Source)
}

func TestApplyRemovedObjectKeepsItsComments(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	id := apply(t, db, mailFile()).IntegrationID
	source := seed.Strings(`select source_id from integrations`)[0]
	seed.Mail(source, "aa", time.Now(), "hello", "world")
	seed.Exec(`insert into rechecks (integration_id, object, record_id, reason) values ($1, 'EmailMessage', 'r', 'late')`, id)
	seed.Exec(`insert into batches (stream_id, epoch, seq, state) select id, 1, 1, 'reading' from streams where object = 'EmailMessage'`)
	seed.Exec(`insert into staged (stream_id, epoch, seq, record_id, stamp, record_digest, text_digest, chunk)
	           select id, 1, 1, 'r', now(), '', '', 1 from streams where object = 'EmailMessage'`)
	spec := mailFile()
	spec.Objects = spec.Objects[1:]
	result := apply(t, db, spec)
	require.Equal(t, []string{"EmailMessage"}, result.Removed)
	require.EqualValues(t, 1, result.Epoch, "nothing of the other object is fenced")
	for _, table := range []string{"objects", "streams", "rechecks"} {
		require.Empty(t, seed.Strings(`select 'x' from `+table+` where `+map[bool]string{true: "name", false: "object"}[table == "objects"]+` = 'EmailMessage'`), table)
	}
	require.Empty(t, seed.Strings(`select 'x' from staged`))
	require.Len(t, seed.Strings(`select id from comments`), 1)

	require.Equal(t, []string{"EmailMessage"}, apply(t, db, mailFile()).Added, "it may come back")
}

func TestApplyRefusesASourceThatIsFed(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	apply(t, db, mailFile())
	other := mailFile()
	other.Integration = "second"
	_, err := db.ApplyIntegration(t.Context(), other)
	require.True(t, fault.Is(err, fault.Conflict))
	require.ErrorContains(t, err, "source support/salesforce-emails is fed by the integration support/salesforce-prod")
	require.Equal(t, []string{"salesforce-prod"}, seed.Strings(`select name from integrations`))

	other.Project = "sales"
	require.True(t, apply(t, db, other).Created, "another project's source of the same name is another source")
}

func TestApplyNewConsumerKeyNeedsANewGrant(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	apply(t, db, mailFile())
	grant := func() {
		seed.Exec(`update connections set state = 'granted', access_token = 'a', refresh_token = 'r', org_id = '00D', user_id = '005',
			generation = 3, token_instance_url = 'https://acme.my.salesforce.com', lost_reason = '', lost_hint = ''`)
	}
	grant()
	spec := mailFile()
	spec.Connection.ConsumerKey, spec.Connection.ConsumerSecret = "key-2", ""
	result := apply(t, db, spec)
	require.Contains(t, result.Reconnect, "consumer_key")
	require.False(t, result.Connected)
	require.True(t, result.SecretChanged, "the stored secret was the other app's")
	require.Equal(t, []string{"lost|4||00D"}, seed.Strings(`select state || '|' || generation || '|' || consumer_secret || '|' || org_id from connections`))

	grant()
	spec.Connection.InstanceURL = "https://acme2.my.salesforce.com"
	require.Contains(t, apply(t, db, spec).Reconnect, "instance_url")

	grant()
	spec.Connection.InstanceURL = "https://acme.my.salesforce.com" // where the grant says the org is
	result = apply(t, db, spec)
	require.Empty(t, result.Reconnect)
	require.True(t, result.Connected)
}

func TestApplySecretIsKeptWhenNotGiven(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	apply(t, db, mailFile())
	sealed := seed.Strings(`select consumer_secret from connections`)
	spec := mailFile()
	spec.Connection.ConsumerSecret = ""
	require.False(t, apply(t, db, spec).Changed)
	require.Equal(t, sealed, seed.Strings(`select consumer_secret from connections`))
	spec.Connection.ConsumerSecret = "secret-2"
	result := apply(t, db, spec)
	require.True(t, result.SecretChanged && result.Changed)
	require.NotEqual(t, sealed, seed.Strings(`select consumer_secret from connections`))
}

func TestApplyWithoutKeysRefusesASecretAndLeavesNothing(t *testing.T) {
	t.Parallel()
	_, url := storetest.NewURL(t)
	db, err := store.Open(t.Context(), url, store.Options{})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	_, err = db.ApplyIntegration(t.Context(), mailFile())
	require.True(t, fault.Is(err, fault.Invalid))
	require.ErrorContains(t, err, "ENCRYPTION_KEYS")
	projects, err := db.Projects(t.Context())
	require.NoError(t, err)
	require.Empty(t, projects)
	_, err = db.PlanIntegration(t.Context(), mailFile())
	require.NoError(t, err, "a plan needs no keys")
}

func TestApplyTwiceAtOnceMakesOne(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	var wg sync.WaitGroup
	results, errs := make([]store.ApplyResult, 4), make([]error, 4)
	for i := range results {
		wg.Go(func() { results[i], errs[i] = db.ApplyIntegration(t.Context(), mailFile()) })
	}
	wg.Wait()
	created := 0
	for i := range results {
		require.NoError(t, errs[i])
		if results[i].Created {
			created++
		}
		require.EqualValues(t, 1, results[i].SpecVersion)
	}
	require.Equal(t, 1, created)
	require.Len(t, seed.Strings(`select id from integrations`), 1)
}

func TestSteeringWakesTheWatch(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	id := apply(t, db, mailFile()).IntegrationID
	ctx, cancel := context.WithCancel(t.Context())
	listener := store.NewListener()
	woken, stop := listener.Wait(id)
	var running sync.WaitGroup
	running.Go(func() { listener.Run(ctx, db) })
	t.Cleanup(func() { stop(); cancel(); running.Wait() })
	next := func() {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(time.Minute):
			require.Fail(t, "nobody was woken")
		}
	}
	next() // it listens now

	require.NoError(t, db.SetDesired(t.Context(), id, store.DesiredPaused))
	next()
	require.NoError(t, db.RequestSync(t.Context(), id))
	next()
	apply(t, db, mailFile())
	next()
	require.Equal(t, []string{"paused 1"}, seed.Strings(`select desired || ' ' || sync_requests from integrations`))

	require.NoError(t, db.SetDesired(t.Context(), id, store.DesiredDeleted))
	next()
	require.True(t, fault.Is(db.SetDesired(t.Context(), id, store.DesiredRunning), fault.Conflict), "deleting is final")
	_, err := db.ApplyIntegration(t.Context(), mailFile())
	require.True(t, fault.Is(err, fault.Conflict))
	require.NoError(t, db.DeleteIntegration(t.Context(), id, false))
	next()
	require.True(t, fault.Is(db.SetDesired(t.Context(), id, store.DesiredPaused), fault.NotFound))
	require.True(t, fault.Is(db.RequestSync(t.Context(), id), fault.NotFound))
	require.True(t, fault.Is(db.DeleteIntegration(t.Context(), id, false), fault.NotFound))
}

func TestUnknownNamesPointToKnownOnes(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	_, err := db.IntegrationByName(t.Context(), "support", "salesforce-prod")
	require.True(t, fault.Is(err, fault.NotFound))
	require.Contains(t, fault.HintOf(err), "starter apply")
	apply(t, db, mailFile())
	_, err = db.IntegrationStatus(t.Context(), "suport", "salesforce-prod")
	require.Equal(t, "did you mean support/salesforce-prod?", fault.HintOf(err))
	_, err = db.IntegrationByName(t.Context(), "x", "y")
	require.Equal(t, "there is support/salesforce-prod", fault.HintOf(err))
}

func TestIntegrationStatus(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	apply(t, db, mailFile())
	source := seed.Strings(`select source_id from integrations`)[0]
	seed.Mail(source, "aa", time.Now(), "hello", "world")
	verified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	seed.Exec(`insert into records (source_id, object, record_id, stamp, read_begin, read_end, record_digest, text_digest, state, comment_id)
	           values ($1, 'EmailMessage', 'r', now(), 1, 2, '', '', 'live', 'aa')`, source)
	seed.Exec(`insert into set_aside (source_id, object, record_id, reason) values ($1, 'EmailMessage', 's', 'no body')`, source)
	seed.Exec(`update streams set seq = 1, rows_applied = 2, verified_to = $1 where object = 'EmailMessage'`, verified)
	seed.Exec(`insert into batches (stream_id, epoch, seq, state, rows, checksum, read_begin, read_end, created, set_aside, units, applied_at)
	           select id, 1, 1, 'applied', 2, 'x', 1, 2, 1, 1, 1, now() from streams where object = 'EmailMessage'`)
	seed.Exec(`update ledger_days set integration = 'salesforce-prod', object = 'EmailMessage', lane = 'live'`)
	seed.Exec(`update objects set state = 'config_invalid', problem = 'no such object', hint = 'check the name' where name = 'Survey__c'`)

	status, err := db.IntegrationStatus(t.Context(), "support", "salesforce-prod")
	require.NoError(t, err)
	require.Equal(t, "awaiting_authorization", status.Status)
	require.Equal(t, "run `starter connect support/salesforce-prod`", status.Hint)
	require.Equal(t, "none", status.ConnectionState)
	require.EqualValues(t, 1, status.Comments)
	require.EqualValues(t, 1, status.Units)
	require.EqualValues(t, 1, status.Invalid)
	require.Nil(t, status.CompleteTo, "one object was never verified")
	require.Len(t, status.ObjectList, 2)
	mail, survey := status.ObjectList[0], status.ObjectList[1]
	require.Equal(t, "EmailMessage", mail.Name)
	require.EqualValues(t, 1, mail.Comments)
	require.EqualValues(t, 1, mail.Units)
	require.EqualValues(t, 1, mail.SetAside)
	require.EqualValues(t, 2, mail.RowsApplied)
	require.True(t, verified.Equal(*mail.VerifiedTo))
	require.EqualValues(t, 2, mail.LastBatch.Counts.Rows)
	require.Equal(t, mail.LastBatch.Counts.Rows, mail.LastBatch.Counts.Sum())
	require.Equal(t, "no such object", survey.Problem)
	require.Nil(t, survey.LastBatch)

	list, err := db.ListIntegrations(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, status.Integration, list[0])
	list, err = db.ListIntegrations(t.Context(), "other")
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestDeleteKeepsCommentsUnlessErased(t *testing.T) {
	t.Parallel()
	for _, erase := range []bool{false, true} {
		db, seed := storetest.NewSeed(t)
		id := apply(t, db, mailFile()).IntegrationID
		source := seed.Strings(`select source_id from integrations`)[0]
		seed.Mail(source, "aa", time.Now(), "hello", "the body")
		seed.Exec(`insert into outbox (workflow_id, signal) values ('integration/support/salesforce-prod', 'token-granted')`)
		require.NoError(t, db.DeleteIntegration(t.Context(), id, erase))
		for _, table := range []string{"integrations", "objects", "connections", "streams", "outbox"} {
			require.Empty(t, seed.Strings(`select 'x' from `+table), table)
		}
		require.Len(t, seed.Strings(`select comment_id from ledger`), 1, "the bill stays")
		texts := seed.Strings(`select texts::text from revisions`)
		envelope := seed.Strings(`select envelope::text || properties::text from comments where deleted_at is null`)
		if erase {
			require.Empty(t, texts)
			require.Empty(t, envelope)
			require.Equal(t, []string{"{}"}, seed.Strings(`select envelope::text from comments where erased`))
		} else {
			require.Len(t, texts, 1)
			require.Len(t, envelope, 1)
		}
		again := apply(t, db, mailFile())
		require.True(t, again.Created)
		require.False(t, again.SourceCreated)
	}
}

// A source of chats is one to the Comments API as long as nothing else is written to it.
func TestSourcesOfChats(t *testing.T) {
	t.Parallel()
	db, seed := storetest.NewSeed(t)
	chat := config.Object{Object: "LiveChatTranscript", Preset: config.PresetChat, Deleted: config.DeletedTombstone}
	mail := config.Object{Object: "EmailMessage", Preset: config.PresetEmail, Deleted: config.DeletedTombstone}
	spec := config.Integration{Project: "support", Integration: "prod", Source: "chats", PollInterval: config.DefaultPollInterval,
		Connection: config.Connection{InstanceURL: "https://acme.my.salesforce.com", LoginURL: "https://acme.my.salesforce.com", ConsumerKey: "key"}}
	for _, c := range []struct {
		objects []config.Object
		kind    string
	}{{nil, "unknown"}, {[]config.Object{chat}, "chat"}, {[]config.Object{chat, mail}, "unknown"}, {[]config.Object{chat}, "chat"}} {
		spec.Objects = c.objects
		_, err := db.ApplyIntegration(t.Context(), spec)
		require.NoError(t, err)
		require.Equal(t, []string{c.kind}, seed.Strings(`select kind from sources`))
	}
}
