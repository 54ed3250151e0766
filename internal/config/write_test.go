package config_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
)

// What is written is read as the same integration, whatever texts it holds, and holds no secret.
func TestWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	from := time.Date(2024, 1, 2, 3, 4, 5, 600, time.UTC)
	awkward := []string{"yes", "null", "~", "12", "1e3", "2024-01-01", "a: b", "# no comment", "- x", "'", "\"", "\\", "Ä", "{a}", "[b]", "*c", "&d", "!e", "|", ">", "%f", "@g", "`h", "=", "<<", "a\tb", "ünïcode ☃", "Incoming = true"}
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string { return "x" + strings.TrimSpace(awkward[random.IntN(len(awkward))]) }
	for range 200 {
		i := config.Integration{
			Project: "support", Integration: "prod", Source: "on", PollInterval: config.DefaultPollInterval, VerifyInterval: config.DefaultVerifyInterval,
			Quota: config.Quota{Share: 12.5, Reserve: 0}, MonthlyUnitCap: random.Int64N(3) * 1_000_000, RawRetention: config.Retention(random.IntN(90)), CommentRetention: config.Retention(random.IntN(3) * 365),
			Connection: config.Connection{InstanceURL: "https://acme", LoginURL: "https://acme/login", ConsumerKey: "3MVG9_abc", ConsumerSecret: "hunter2"},
			Objects: []config.Object{{Object: "EmailMessage", Preset: config.PresetEmail, Deleted: config.DeletedTombstone, Where: text()}, {
				Object: "A__c", Deleted: config.DeletedErase, Fields: config.FieldMap{"timestamp": "CreatedDate", "body": text()},
				Properties: []config.Property{{Name: awkward[random.IntN(13)], Path: text()}, {Name: "Second", Path: "B.C"}},
			}},
		}
		if random.IntN(2) == 0 {
			i.StartFrom = &from
			i.Destination = &config.Destination{Endpoint: "https://tenant.example", Project: "p", Source: "s", Token: "hunter3"}
		}
		written, err := config.WriteIntegration(i)
		require.NoError(t, err)
		require.NotContains(t, string(written), "hunter")
		got, err := read(string(written))
		require.NoError(t, err, "%s", written)
		i.Connection.ConsumerSecret = ""
		if i.Destination != nil {
			i.Destination.Token = ""
		}
		require.Equal(t, i, got, "%s", written)
	}
}

// A file from a page can read nothing of the machine that serves the page.
func TestAFileFromAPageReadsNoSecrets(t *testing.T) {
	t.Parallel()
	c := checks(map[string]string{"SF_CONSUMER_SECRET": "hunter2"})
	c.NoSecrets = true
	for _, line := range []string{"consumer_secret: hunter2", "consumer_secret_env: SF_CONSUMER_SECRET", "consumer_secret_file: secret.txt"} {
		file := "project: p\nintegration: i\nsource: s\nconnection:\n  instance_url: acme\n  consumer_key: k\n  " + line + "\n"
		_, err := config.ReadIntegration("conf/integration.yaml", []byte(file), c)
		problems := config.ProblemsOf(err)
		require.Len(t, problems, 1, line)
		require.Equal(t, 7, problems[0].Line)
		require.Contains(t, problems[0].Text, "fields of their own")
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := config.ReadIntegration("x", []byte("objects: 3"), c)
	require.Greater(t, len(config.ProblemsOf(err)), 3)
	require.Nil(t, config.ProblemsOf(nil))
}
