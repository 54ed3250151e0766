package config_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
)

// checks are plain stand-ins: the real rules are tested where they live and, together
// with this reader, by starter.
func checks(env map[string]string) config.Checks {
	refuse := func(word, message string) func(string) error {
		return func(s string) error {
			if strings.Contains(s, word) {
				return fault.New(fault.Invalid, "%s", message).WithHint("do better")
			}
			return nil
		}
	}
	return config.Checks{
		Address: func(text string) (string, error) {
			return "https://" + strings.TrimPrefix(text, "https://"), refuse("evil", "is not Salesforce")(text)
		},
		Endpoint: func(text string) (string, error) { return text, refuse("evil", "may not be called")(text) },
		Login:    func(instance string) string { return instance + "/login" },
		Where:    refuse("WHERE", "does not parse"),
		Path:     refuse("..", "is no path"),
		Name:     refuse(" ", "is no name"),
		Lookup:   func(name string) string { return env[name] },
		ReadFile: func(path string) ([]byte, error) {
			if path == filepath.Join("conf", "secret.txt") {
				return []byte("from-file\n"), nil
			}
			return nil, &os.PathError{Op: "open", Path: path, Err: errors.New("no such file")}
		},
	}
}

func read(text string) (config.Integration, error) {
	return config.ReadIntegration("conf/integration.yaml", []byte(text), checks(map[string]string{"SF_CONSUMER_SECRET": "hunter2"}))
}

const full = `
project: support
integration: salesforce-prod
source: salesforce-emails          # comments go to source support/salesforce-emails
connection:
  instance_url: https://acme.my.salesforce.com
  login_url: https://login.salesforce.com
  consumer_key: 3MVG9.abc_DEF
  consumer_secret_env: SF_CONSUMER_SECRET
poll_interval: 10s
start_from: 2024-01-01T00:00:00Z
objects:
  - object: EmailMessage
    preset: email
    where: "Incoming = true"
    properties:
      Case Number: Parent.CaseNumber
      Case Priority: Parent.Priority
  - object: Survey_Response__c
    timestamp: Submitted__c
    body: Feedback__c
    properties: {Score: Score__c}
    deleted: erase
`

func TestReadIntegration(t *testing.T) {
	t.Parallel()
	got, err := read(full)
	require.NoError(t, err)
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	require.Equal(t, config.Integration{
		Project: "support", Integration: "salesforce-prod", Source: "salesforce-emails",
		Connection: config.Connection{
			InstanceURL: "https://acme.my.salesforce.com", LoginURL: "https://login.salesforce.com",
			ConsumerKey: "3MVG9.abc_DEF", ConsumerSecret: "hunter2",
		},
		PollInterval: config.Duration(10 * time.Second), VerifyInterval: config.DefaultVerifyInterval, Quota: config.DefaultQuota, StartFrom: &start,
		Objects: []config.Object{
			{Object: "EmailMessage", Preset: "email", Where: "Incoming = true", Deleted: "tombstone",
				Properties: []config.Property{{Name: "Case Number", Path: "Parent.CaseNumber"}, {Name: "Case Priority", Path: "Parent.Priority"}}},
			{Object: "Survey_Response__c", Deleted: "erase", Fields: config.FieldMap{"timestamp": "Submitted__c", "body": "Feedback__c"},
				Properties: []config.Property{{Name: "Score", Path: "Score__c"}}},
		},
	}, got)
}

func TestJSONKeepsEverythingButTheSecret(t *testing.T) {
	t.Parallel()
	before, err := read(full)
	require.NoError(t, err)
	data, err := before.MarshalSpec()
	require.NoError(t, err)
	require.NotContains(t, string(data), "hunter2")
	require.Contains(t, string(data), `"poll_interval":"10s"`)
	var after config.Integration
	require.NoError(t, json.Unmarshal(data, &after))
	before.Connection.ConsumerSecret = ""
	require.Equal(t, before, after)
	require.Empty(t, config.Diff(before, after))
}

const connection = "project: p\nintegration: i\nsource: s\nconnection: {instance_url: acme.my.salesforce.com, consumer_key: k}\n"

func TestLoginIsAskedForWhenNotGiven(t *testing.T) {
	t.Parallel()
	i, err := read(connection)
	require.NoError(t, err)
	require.Equal(t, "https://acme.my.salesforce.com", i.Connection.InstanceURL)
	require.Equal(t, "https://acme.my.salesforce.com/login", i.Connection.LoginURL)
}

func TestConsumerSecret(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"consumer_secret: abc":                    "abc",
		"consumer_secret: 0123456789012345678":    "0123456789012345678", // digits only, as older apps have
		"consumer_secret_env: SF_CONSUMER_SECRET": "hunter2",
		"consumer_secret_file: secret.txt":        "from-file",
		"login_url: https://test.salesforce.com":  "",
	} {
		i, err := read("project: p\nintegration: i\nsource: s\nconnection:\n  instance_url: acme.my.salesforce.com\n  consumer_key: k\n  " + line + "\n")
		require.NoError(t, err, line)
		require.Equal(t, want, i.Connection.ConsumerSecret.Reveal(), line)
	}
}

func TestNoObjectsYet(t *testing.T) {
	t.Parallel()
	for _, objects := range []string{"", "objects:\n", "objects: []\n"} {
		i, err := read(connection + objects)
		require.NoError(t, err)
		require.Empty(t, i.Objects)
		require.Equal(t, config.DefaultPollInterval, i.PollInterval)
	}
}

func TestProblemsNameLineAndKey(t *testing.T) {
	t.Parallel()
	email := connection + "objects:\n  - object: EmailMessage\n    preset: email\n" // the next line is 8
	for name, c := range map[string]struct{ text, want string }{
		"empty":               {"", "the file is empty"},
		"only a comment":      {"# nothing\n", "the file is empty"},
		"broken YAML":         {"project: [\n", "not YAML: line"},
		"second document":     {connection + "---\nproject: q\n", "line 5: a second document begins"},
		"a list":              {"- project: p\n", "line 1: the file: must hold \"key: value\" lines, not a list"},
		"unknown key":         {connection + "pol_interval: 5s\n", `line 5: unknown key "pol_interval": did you mean "poll_interval"?`},
		"key twice":           {connection + "source: t\n", "line 5: key source is there twice, first in line 3"},
		"name not text":       {strings.Replace(connection, "project: p", "project: 12", 1), "line 1: project: must be text, not a number: write it in quotes"},
		"name form":           {strings.Replace(connection, "source: s", "source: a/b", 1), `line 3: source: "a/b" may hold only`},
		"no name":             {strings.Replace(connection, "project: p\n", "", 1), "line 1: project is missing"},
		"project of a dot":    {strings.Replace(connection, "project: p", "project: ..", 1), "line 1: project:"},
		"quota share":         {connection + "quota: {share: 0%}\n", "line 5: quota: share: 0% is not between 0.1% and 100%"},
		"quota over":          {connection + "quota:\n  share: 101%\n", "line 6: quota: share: 101% is not between 0.1% and 100%"},
		"quota reserve":       {connection + "quota:\n  share: 5%\n  reserve: -1%\n", "line 7: quota: reserve: -1% is not between 0% and 99.9%"},
		"quota no sign":       {connection + "quota: {share: 20}\n", "line 5: quota: share: 20 has no % sign: write 20%"},
		"quota text":          {connection + "quota: {share: much}\n", `line 5: quota: share: "much" is not a percentage: write it as 20%`},
		"quota not a number":  {connection + "quota: {share: NaN%}\n", `line 5: quota: share: "NaN%" is not a percentage`},
		"quota unknown":       {connection + "quota: {shere: 20%}\n", `line 5: unknown key "shere" in quota: did you mean "share"?`},
		"cap zero":            {connection + "monthly_unit_cap: 0\n", "line 5: monthly_unit_cap: 0 is not between 1 and 1000000000000: leave it out for no cap"},
		"cap below":           {connection + "monthly_unit_cap: -5\n", "line 5: monthly_unit_cap: -5 is not between"},
		"cap above":           {connection + "monthly_unit_cap: 1000000000001\n", "line 5: monthly_unit_cap: 1000000000001 is not between"},
		"cap parts":           {connection + "monthly_unit_cap: 1.5\n", `line 5: monthly_unit_cap: must be a whole number of AI units, such as 50000, not "1.5"`},
		"cap text":            {connection + "monthly_unit_cap: 50,000\n", `line 5: monthly_unit_cap: must be a whole number of AI units, such as 50000, not "50,000"`},
		"cap list":            {connection + "monthly_unit_cap: [5]\n", "line 5: monthly_unit_cap: must be a whole number of AI units, such as 50000, not a list"},
		"quota both":          {connection + "quota: {share: 95%}\n", "line 5: quota: a share of 95% and a reserve of 10% are more than the org has"},
		"quota list":          {connection + "quota: [20%]\n", `line 5: quota: must hold "key: value" lines, not a list`},
		"interval no unit":    {connection + "poll_interval: 10\n", "line 5: poll_interval: 10 has no unit: write 10s"},
		"interval short":      {connection + "poll_interval: 900ms\n", "line 5: poll_interval: 900ms is not between 1s and 24h"},
		"interval long":       {connection + "poll_interval: 25h\n", "line 5: poll_interval: 25h is not between 1s and 24h"},
		"verify too often":    {connection + "verify_interval: 10s\n", "line 5: verify_interval: 10s is not between 1m and 24h"},
		"interval text":       {connection + "poll_interval: often\n", `line 5: poll_interval: "often" is not a duration`},
		"start date only":     {connection + "start_from: 2024-01-01\n", `line 5: start_from: "2024-01-01" is not a time with a zone`},
		"host refused":        {strings.Replace(connection, "acme.my.salesforce.com", "evil.example", 1), "line 4: instance_url: is not Salesforce (do better)"},
		"no consumer key":     {strings.Replace(connection, ", consumer_key: k", "", 1), "line 4: connection: consumer_key is missing"},
		"two secrets":         {strings.Replace(connection, "consumer_key: k", "consumer_key: k, consumer_secret: x, consumer_secret_env: Y", 1), "line 4: connection: consumer_secret and consumer_secret_env"},
		"secret not set":      {strings.Replace(connection, "consumer_key: k", "consumer_key: k, consumer_secret_env: NOT_SET", 1), "line 4: consumer_secret_env: the environment variable NOT_SET is not set"},
		"secret file":         {strings.Replace(connection, "consumer_key: k", "consumer_key: k, consumer_secret_file: no.txt", 1), "line 4: consumer_secret_file: open " + filepath.Join("conf", "no.txt")},
		"objects no list":     {connection + "objects: {object: X}\n", "line 5: objects: must be a list"},
		"object twice":        {email + "  - object: emailmessage\n    preset: email\n", "line 8: objects: emailmessage is listed twice, first in line 6"},
		"object without name": {connection + "objects:\n  - preset: email\n", "line 6: objects: an entry has no object"},
		"object name":         {strings.Replace(email, "EmailMessage", "Email Message", 1), "line 6: object: is no name"},
		"preset of another":   {strings.Replace(email, "preset: email", "preset: case", 1), "line 7: preset: case is for Case, not for EmailMessage: leave it out and name the fields instead"},
		"preset of two":       {strings.Replace(email, "preset: email", "preset: feed", 1), "line 7: preset: feed is for FeedItem and FeedComment, not for EmailMessage"},
		"preset unknown":      {strings.Replace(email, "preset: email", "preset: emial", 1), `line 7: preset: "emial" is unknown: did you mean "email"?`},
		"no timestamp":        {connection + "objects:\n  - object: X\n    body: Y\n", "line 6: objects: X has no preset and no timestamp"},
		"no text":             {connection + "objects:\n  - object: X\n    timestamp: Y\n", "line 6: objects: X has no preset, no body and no subject"},
		"where":               {email + "    where: WHERE x\n", "line 8: where: does not parse (do better)"},
		"path":                {email + "    body: A..B\n", "line 8: body: is no path"},
		"null path":           {email + "    body:\n", "line 8: body: has no value"},
		"unknown part":        {email + "    threads: ParentId\n", `line 8: unknown key "threads" in objects: did you mean "thread"?`},
		"deleted":             {email + "    deleted: tombstones\n", `line 8: deleted: "tombstones" is not one of keep, tombstone, erase: did you mean "tombstone"?`},
		"properties list":     {email + "    properties: [a]\n", "line 8: properties: must be lines of"},
		"property path":       {email + "    properties:\n      A: B..C\n", "line 9: properties: A: is no path"},
		"property reserved":   {email + "    properties:\n      title: Subject\n", "line 9: properties: the name title is reserved"},
		"property empty":      {email + "    properties:\n      \"\": Subject\n", "line 9: properties: the name \"\" is empty"},
		"property long":       {email + "    properties:\n      " + strings.Repeat("x", 300) + ": Subject\n", "has 300 characters, more than 256"},
		"property twice":      {email + "    properties:\n      A: B\n      A: C\n", `line 10: properties: "A" is there twice, first in line 9`},
		"merge key":           {connection + "<<: {source: t}\n", `line 5: unknown key "<<"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(c.text)
			require.True(t, fault.Is(err, fault.Invalid), "%v", err)
			require.ErrorContains(t, err, "conf/integration.yaml")
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestAllProblemsAtOnceInOrder(t *testing.T) {
	t.Parallel()
	_, err := read("project: p\nintegration: i\nsorce: s\nconnection:\n  instance_url: acme.my.salesforce.com\n  consumer_kee: k\npoll_interval: 0s\n")
	require.Error(t, err)
	text := err.Error()
	require.Contains(t, text, "5 problems")
	last := -1
	for _, want := range []string{"line 1: source is missing", `line 3: unknown key "sorce": did you mean "source"?`, "line 5: connection: consumer_key is missing", `line 6: unknown key "consumer_kee"`, "line 7: poll_interval"} {
		at := strings.Index(text, want)
		require.Greater(t, at, last, "%s in %s", want, text)
		last = at
	}
}

func TestAliasesStandForTheirAnchor(t *testing.T) {
	t.Parallel()
	i, err := read(connection + "objects:\n  - object: FeedItem\n    preset: feed\n    properties: &p {X: Y}\n  - object: feedcomment\n    preset: feed\n    properties: *p\n")
	require.NoError(t, err)
	require.Equal(t, i.Objects[0].Properties, i.Objects[1].Properties)
}

func TestDiff(t *testing.T) {
	t.Parallel()
	before, err := read(full)
	require.NoError(t, err)
	after, err := read(strings.NewReplacer(
		"poll_interval: 10s", "poll_interval: 1m",
		"start_from: 2024-01-01T00:00:00Z\n", "",
		"Case Priority: Parent.Priority", "Priority: Parent.Priority",
		"Survey_Response__c", "Feedback__c",
	).Replace(full))
	require.NoError(t, err)
	require.Equal(t, []config.Change{
		{Path: "poll_interval", Old: "10s", New: "1m"},
		{Path: "start_from", Old: "2024-01-01T00:00:00Z", New: ""},
		{Path: "objects[EmailMessage].properties[Case Priority]", Old: "Parent.Priority", New: ""},
		{Path: "objects[EmailMessage].properties[Priority]", Old: "", New: "Parent.Priority"},
		{Path: "objects[Survey_Response__c]", Old: "body: Feedback__c, deleted: erase, properties[Score]: Score__c, timestamp: Submitted__c"},
		{Path: "objects[Feedback__c]", New: "body: Feedback__c, deleted: erase, properties[Score]: Score__c, timestamp: Submitted__c"},
	}, config.Diff(before, after))
	require.False(t, before.Objects[0].ReadsSame(after.Objects[0]))
}

func TestDiffIgnoresOrder(t *testing.T) {
	t.Parallel()
	before, err := read(full)
	require.NoError(t, err)
	after := before
	after.Objects = []config.Object{before.Objects[1], before.Objects[0]}
	after.Objects[1].Properties = []config.Property{before.Objects[0].Properties[1], before.Objects[0].Properties[0]}
	require.Empty(t, config.Diff(before, after))
	require.True(t, before.Objects[0].ReadsSame(after.Objects[1]))
	after.Objects[1].Deleted = "erase"
	require.True(t, before.Objects[0].ReadsSame(after.Objects[1]), "what happens to deletes is not what is read")
}

func TestDurationReadsAsWritten(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"10s", "5m", "1h", "1h30m", "1m30s", "24h", "1h0m5s", "1.5s"} {
		var d config.Duration
		require.NoError(t, d.UnmarshalText([]byte(s)))
		require.Equal(t, s, d.String())
	}
}

func FuzzReadIntegration(f *testing.F) {
	f.Add(full)
	f.Add(connection + "objects:\n  - object: Case\n    preset: &a case\n  - *a\n")
	f.Add("a: &a [*a]\n")
	f.Add("? {a: b}\n: c\n")
	f.Add("project: \"\\0\"\nobjects: [[], {}, ~]\nstart_from: 0000-00-00\n")
	f.Fuzz(func(t *testing.T, text string) {
		i, err := read(text)
		if err == nil {
			data, err := i.MarshalSpec()
			require.NoError(t, err)
			var again config.Integration
			require.NoError(t, json.Unmarshal(data, &again))
			require.Empty(t, config.Diff(i, again))
			return
		}
		message := err.Error()
		require.True(t, fault.Is(err, fault.Invalid), message)
		if !strings.Contains(message, "not YAML") && !strings.Contains(message, "is empty") && !strings.Contains(message, "bytes, more than") {
			require.Contains(t, message, "line ")
		}
	})
}

func TestUnitCap(t *testing.T) {
	t.Parallel()
	none, err := read(connection)
	require.NoError(t, err)
	require.Zero(t, none.MonthlyUnitCap)
	capped, err := read(connection + "monthly_unit_cap: 50_000\n")
	require.NoError(t, err)
	require.EqualValues(t, 50_000, capped.MonthlyUnitCap)
	require.Equal(t, []config.Change{{Path: "monthly_unit_cap", New: "50,000"}}, config.Diff(none, capped))
	require.Equal(t, []config.Change{{Path: "monthly_unit_cap", Old: "50,000"}}, config.Diff(capped, none))
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		require.Equal(t, want, config.Grouped(n))
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	i, err := read(connection + "quota: {share: 12.5%, reserve: 0%}\n")
	require.NoError(t, err)
	require.Equal(t, config.Quota{Share: 12.5}, i.Quota)
	require.Equal(t, i.Quota, i.Quota.InForce())
	data, err := i.MarshalSpec()
	require.NoError(t, err)
	require.Contains(t, string(data), `"quota":{"share":"12.5%","reserve":"0%"}`)

	half, err := read(connection + "quota: {share: 5%}\n")
	require.NoError(t, err)
	require.Equal(t, config.Quota{Share: 5, Reserve: 10}, half.Quota)
	require.Equal(t, config.Quota{Share: 5, Reserve: 10}, half.Quota.Strictest(i.Quota))
	require.Equal(t, []config.Change{
		{Path: "quota.reserve", Old: "0%", New: "10%"}, {Path: "quota.share", Old: "12.5%", New: "5%"},
	}, config.Diff(i, half))

	// A file stored by a release that had no quota is under today's default.
	old, err := read(connection)
	require.NoError(t, err)
	said := old
	old.Quota = config.Quota{}
	require.Equal(t, config.DefaultQuota, old.Quota.InForce())
	require.Empty(t, config.Diff(old, said))
}
