package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
	"salesforcesync/internal/store"
	"salesforcesync/internal/store/storetest"
)

func TestApplyStartsThenTells(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	b.work()
	name, file := b.apply()
	project, integration, _ := flow.SplitName(name)
	id := flow.WorkflowID(project, integration)

	d, err := b.temporal().DescribeWorkflow(t.Context(), id, "")
	require.NoError(t, err)
	require.Equal(t, flow.WorkflowIntegration, d.WorkflowExecutionMetadata.WorkflowType.Name)
	require.Equal(t, flow.QueueIntegrations, d.WorkflowExecutionMetadata.TaskQueueName)
	summary, err := d.GetStaticSummary()
	require.NoError(t, err)
	require.Contains(t, summary, name)
	details, err := d.GetStaticDetails()
	require.NoError(t, err)
	require.Contains(t, details, "`starter status "+name+"`")
	require.Eventually(t, func() bool { // visibility is eventual
		n, err := b.temporal().CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: b.env["TEMPORAL_NAMESPACE"],
			Query:     "SyncProject = '" + project + "' AND SyncIntegration = '" + integration + "' AND SyncStatus = 'awaiting_authorization'",
		})
		return err == nil && n.Count == 1
	}, time.Minute, 100*time.Millisecond)

	var again applyResult
	b.run("apply", "-f", file, "-json").json(&again)
	require.False(t, again.Changed)
	require.Equal(t, operate.WorkflowSignalled, again.Workflow)
	require.EqualValues(t, 1, again.SpecVersion)
	require.Equal(t, "starter connect "+name, again.Next)

	changed := b.write("changed.yaml", strings.NewReplacer("project: support", "project: "+project, "Incoming = true", "Incoming = false").Replace(mailYAML))
	plan := b.run("plan", "-f", changed).good()
	require.Contains(t, plan.out, "would change "+name+" to version 2")
	require.Contains(t, plan.out, "~ objects[EmailMessage].where: Incoming = true → Incoming = false")
	require.Contains(t, plan.out, "read again from the start: EmailMessage")
	require.EqualValues(t, 1, b.integration(name).SpecVersion, "a plan changes nothing")
	require.Contains(t, b.run("plan", "-f", file).good().out, "no changes to "+name)

	r := b.run("apply", "-f", changed).good()
	require.Contains(t, r.out, "changed "+name+" to version 2")
	require.Contains(t, r.out, "read again from the start: EmailMessage")
	require.EqualValues(t, 2, b.integration(name).SpecVersion)
}

// What cannot be taken back is said before.
func TestPlanSaysWhatEnds(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	b = b.withTemporal()
	name, file := b.apply()
	project, _, _ := flow.SplitName(name)
	seed.Mail(seed.Strings(`select source_id from integrations`)[0], "0a", time.Now().Add(-100*24*time.Hour), "subject", "body")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(content), project)
	ends := b.write("ends.yaml", string(content)+"comment_retention: 90d\n")
	require.Contains(t, b.run("plan", "-f", ends).good().out, "erased for good: comments that are older than comment_retention: 1")
	require.Contains(t, b.run("apply", "-f", ends).good().out, "erased for good: comments")
	require.NotContains(t, b.run("plan", "-f", ends).good().out, "erased for good", "it is in force already")
	require.Contains(t, b.run("plan", "-f", file).good().out, "read again from the start: EmailMessage", "they are to be kept longer")
}

func TestApplyReadsStdin(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.runWith(mailYAML, "apply", "-f", "-", "--no-start").good()
	require.Contains(t, r.out, "created support/salesforce-prod")
	require.Contains(t, r.talk, "next: starter connect support/salesforce-prod")
	var result applyResult
	b.runWith(mailYAML, "apply", "-f", "-", "--no-start", "--json").json(&result)
	require.Equal(t, operate.WorkflowNotStarted, result.Workflow)
	require.Equal(t, "integration/support/salesforce-prod", result.WorkflowID)
}

func TestApplyWithTemporalAwayLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runWith(mailYAML, "apply", "-f", "-").bad(exitUnreachable, "Temporal at 127.0.0.1:1 does not answer", "check TEMPORAL_ADDRESS")
	all, err := b.db.ListIntegrations(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestApplyBadFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, c := range map[string]struct {
		replace []string
		want    string
	}{
		"broken YAML":       {[]string{"objects:", "objects: ["}, "stdin: not YAML: line"},
		"unknown key":       {[]string{"source:", "sorce:"}, `line 3: unknown key "sorce": did you mean "source"?`},
		"where":             {[]string{"Incoming = true", "Incoming == true"}, "line 11: where: condition, character"},
		"where with clause": {[]string{"Incoming = true", "Incoming = true LIMIT 5"}, "line 11: where: condition, character 17: LIMIT does not belong"},
		"path":              {[]string{"Parent.CaseNumber", "A.B.C.D.E.F.G"}, "line 13: properties: Case Number: field path \"A.B.C.D.E.F.G\" climbs 6 relations"},
		"object":            {[]string{"object: EmailMessage", "object: Email-Message"}, `line 9: object: name "Email-Message"`},
		"foreign host":      {[]string{"acme.my.salesforce.com", "salesforce.com.evil.example"}, "line 5: instance_url: salesforce.com.evil.example is not a host of Salesforce"},
		"plain http":        {[]string{"acme.my.salesforce.com", "http://acme.my.salesforce.com"}, "line 5: instance_url: acme.my.salesforce.com would be called over plain http"},
		"loopback":          {[]string{"acme.my.salesforce.com", "http://localhost:8090"}, "line 5: instance_url: localhost:8090 is not a host of Salesforce"},
		"browser's address": {[]string{"acme.my.salesforce.com", "https://acme.lightning.force.com"}, "write https://acme.my.salesforce.com"},
		"with a path":       {[]string{"acme.my.salesforce.com", "https://acme.my.salesforce.com/home"}, "line 5: instance_url: the Salesforce address goes on after the host"},
		"secret not set":    {[]string{"SF_CONSUMER_SECRET", "NOT_SET"}, "line 7: consumer_secret_env: the environment variable NOT_SET is not set"},
		"preset of another": {[]string{"preset: email", "preset: chat"}, "line 10: preset: chat is for LiveChatTranscript, not for EmailMessage"},
	} {
		for _, command := range []string{"apply", "plan"} {
			t.Run(command+" "+name, func(t *testing.T) {
				t.Parallel()
				b := &bench{t: t, env: b.env}
				b.runWith(strings.NewReplacer(c.replace...).Replace(mailYAML), command, "-f", "-").bad(exitInput, c.want)
			})
		}
	}
}

func TestAddressesOfAFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.env["SALESFORCE_EXTRA_HOSTS"] = "localhost:8090"
	for given, want := range map[string][2]string{
		"https://acme.my.salesforce.com": {"https://acme.my.salesforce.com", "https://acme.my.salesforce.com"},
		"acme.my.salesforce.com":         {"https://acme.my.salesforce.com", "https://acme.my.salesforce.com"},
		"ACME.my.salesforce.com/":        {"https://acme.my.salesforce.com", "https://acme.my.salesforce.com"},
		"um6.salesforce.com":             {"https://um6.salesforce.com", "https://login.salesforce.com"},
		"http://localhost:8090":          {"http://localhost:8090", "http://localhost:8090"},
	} {
		_, spec, err := (&app{in: strings.NewReader(strings.Replace(mailYAML, "acme.my.salesforce.com", given, 1)),
			lookup: func(name string) string { return b.env[name] }}).readFile("-")
		require.NoError(t, err)
		require.Equal(t, want, [2]string{spec.Connection.InstanceURL, spec.Connection.LoginURL}, given)
	}
}

func TestApplyWithoutKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	delete(b.env, "ENCRYPTION_KEYS")
	b.runWith(mailYAML, "apply", "-f", "-", "--no-start").bad(exitInput, "ENCRYPTION_KEYS: is not set")
	public := strings.Replace(mailYAML, "  consumer_secret_env: SF_CONSUMER_SECRET\n", "", 1)
	b.runWith(public, "apply", "-f", "-", "--no-start").good()
	r := b.runWith(mailYAML, "plan", "-f", "-").good()
	require.Contains(t, r.out, "no changes")
}

const destinationYAML = mailYAML + `destination:
  endpoint: https://cm.example/acme/prod/reinfer_
  project: cm
  source: mail
  token_env: CM_TOKEN
`

func TestApplyWithADestination(t *testing.T) {
	t.Parallel()
	b, seed := newSeeded(t)
	b.withTemporal()
	project := "p" + store.NewID()
	inProject := func(yaml string) string { return strings.Replace(yaml, "project: support", "project: "+project, 1) }
	name, id := project+"/salesforce-prod", flow.DeliveryID(project, "salesforce-prod")
	b.runWith(inProject(destinationYAML), "apply", "-f", "-").bad(exitInput, "token_env: the environment variable CM_TOKEN is not set")
	for given, says := range map[string]string{"https://cm.example": "http://cm.example", "https://cm.example/acme": "https://127.0.0.1/acme"} {
		b.runWith(strings.Replace(destinationYAML, given, says, 1), "plan", "-f", "-").bad(exitInput, "endpoint: ", "DELIVERY_EXTRA_HOSTS")
	}
	b.env["CM_TOKEN"] = "re_hunter2" // which must be in no output
	var result applyResult
	b.runWith(inProject(mailYAML), "apply", "-f", "-", "--json").json(&result)
	require.Equal(t, operate.DeliveryNone, result.Delivery)
	plan := b.runWith(inProject(destinationYAML), "plan", "-f", "-").good()
	require.Contains(t, plan.out, "+ destination.endpoint: https://cm.example/acme/prod/reinfer_")
	b.runWith(inProject(destinationYAML), "apply", "-f", "-", "--json").json(&result)
	require.Equal(t, operate.WorkflowStarted, result.Delivery)
	d, err := b.temporal().DescribeWorkflow(t.Context(), id, "")
	require.NoError(t, err)
	require.Equal(t, flow.WorkflowDelivery, d.WorkflowExecutionMetadata.WorkflowType.Name)

	withoutToken := strings.Replace(inProject(destinationYAML), "  token_env: CM_TOKEN\n", "", 1)
	b.runWith(withoutToken, "apply", "-f", "-", "--json").json(&result)
	require.Equal(t, operate.WorkflowRunning, result.Delivery)
	require.False(t, result.Changed, "the token is kept")
	b.runWith(strings.Replace(withoutToken, "cm.example", "other.example", 1), "apply", "-f", "-").bad(exitInput, "a token is missing for https://other.example")
	b.env["CM_TOKEN"] = "re_hunter2_again"
	require.Contains(t, b.runWith(inProject(destinationYAML), "apply", "-f", "-").good().out, "~ destination.token")

	r := b.run("status", name).good()
	require.Contains(t, r.out, "delivery to https://cm.example/acme/prod/reinfer_, cm/mail: syncing since")
	require.Contains(t, r.out, "sent 0: 0 new, 0 updated, 0 unchanged; 0 deleted")
	var view statusView
	b.run("status", name, "--json").json(&view)
	require.Equal(t, "cm", view.Delivery.Project)
	require.Zero(t, view.SearchLag)

	b.run("deliver", name).bad(exitInput, "say --again")
	seed.Exec(`update deliveries set at_changed = '5', at_id = 'x', tenant_comments = 1, own_comments = 3, compared_at = now()`)
	require.Contains(t, b.run("status", name).good().out, "should have had 3, at")
	require.Contains(t, b.run("status", name).good().out, "2 are missing there; starter deliver "+name+" --again sends all once more")
	require.Contains(t, b.run("deliver", name, "--again").good().talk, name+" sends all comments again")
	require.Equal(t, []string{"0  "}, seed.Strings(`select at_changed::text || ' ' || at_id || ' ' || coalesce(compared_at::text, '') from deliveries`))
	var steered steerResult
	b.run("deliver", name, "--again", "--json").json(&steered)
	require.Equal(t, operate.WorkflowRunning, steered.Workflow)
	b.run("pause", name).good()
	require.Contains(t, b.run("deliver", name, "--again").good().talk, "all comments are sent again when it goes on")
	b.run("resume", name).good()
	seed.Mail(seed.Strings(`select source_id from deliveries`)[0], "0a", time.Now(), "subject", "body")
	seed.Exec(`update comments set changed = pg_current_xact_id(), last_modified = now() - interval '90 seconds'`)
	require.Regexp(t, `search +finds what is older than 1m[3-5]\ds`, b.run("status", name).good().out)
	b.run("status", name, "--json").json(&view)
	require.InDelta(t, 90, view.SearchLag, 30)
	b.run("start", name).good()

	require.Contains(t, b.runWith(inProject(mailYAML), "apply", "-f", "-").good().out, "- destination.source: mail")
	require.NotContains(t, b.run("status", name).good().out, "delivery to")
	b.run("deliver", name, "--again").bad(exitInput, "the integration has no destination", "write destination into the integration file")
	b.run("delete", name, "--yes").good()
	d, err = b.temporal().DescribeWorkflow(t.Context(), id, "")
	require.NoError(t, err)
	require.NotEqual(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, d.WorkflowExecutionMetadata.Status, "no worker was there to end it")
}

func TestApplySourceOfAnother(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runWith(mailYAML, "apply", "-f", "-", "--no-start").good()
	b.runWith(strings.Replace(mailYAML, "integration: salesforce-prod", "integration: second", 1), "apply", "-f", "-", "--no-start").
		bad(exitInput, "source support/salesforce-emails is fed by the integration support/salesforce-prod", "choose another source")
}

func TestSetup(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	b.env["DATABASE_URL"] = storetest.Empty(t)
	b.env["TEMPORAL_NAMESPACE"] = "starter-" + store.NewID()
	b.run("setup").bad(exitInput, "namespace", b.env["TEMPORAL_NAMESPACE"])

	require.NoError(t, registerNamespace(t.Context(), b.env["TEMPORAL_ADDRESS"], b.env["TEMPORAL_NAMESPACE"]))
	b.env["ADMIN_EMAIL"], b.env["ADMIN_PASSWORD"] = "ann@acme.example", "short"
	b.run("setup").bad(exitInput, "ADMIN_EMAIL and ADMIN_PASSWORD")
	b.env["ADMIN_PASSWORD"] = "correct horse battery"
	var first, second setupResult
	require.Eventually(t, func() bool { // a new namespace is not known everywhere at once
		r := b.run("setup", "--json")
		if r.code != exitOK {
			return false
		}
		r.json(&first)
		return true
	}, time.Minute, 200*time.Millisecond)
	for _, attribute := range flow.Attributes {
		_, err := b.temporal().CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: b.env["TEMPORAL_NAMESPACE"], Query: attribute + " = 'x'",
		})
		require.NoError(t, err, attribute)
	}
	b.run("token", "create", "--email", "ann@acme.example", "--name", "x").good()
	b.run("setup", "--json").json(&second)
	require.Equal(t, setupResult{SchemaBefore: first.Schema, Schema: first.Schema, AttributesCreated: []string{}}, second)
	b.run("list").good()
}
