package flow

import (
	"net/url"
	"strings"
)

// About tells who finds a workflow in Temporal's pages what it is and where to go on, in Markdown. It follows from the
// workflow's id, and from where our own page is, if that is known. It does not change while the workflow
// runs: how things stand is in its current details.
func About(id, publicURL string) string {
	project, integration := OfWorkflow(id)
	if project == "" {
		return ""
	}
	name := project + "/" + integration
	kind, _, _ := strings.Cut(id, "/")
	var b strings.Builder
	switch kind {
	case "integration":
		b.WriteString("Keeps the comments of **" + name + "** equal to what Salesforce holds, for as long as the integration exists. " +
			"It asks for news (`Watch`), and takes each object's news in batches: `Poll`, `Transform`, `Upsert`.\n\n" +
			"- Why it waits and what to do: `starter status " + name + "`\n" +
			"- Stop and go on: signals `" + SignalPause + "` and `" + SignalResume + "`; look at once: `" + SignalSyncNow + "`\n" +
			"- Beside it: `backfill/" + name + "/OBJECT` for large loads, `delivery/" + name + "` to a tenant, `retransform/" + name + "` for texts made anew\n")
	case "backfill":
		_, object, _ := strings.Cut(strings.TrimPrefix(id, "backfill/"+name), "/")
		b.WriteString("Loads all records of " + object + " for **" + name + "**, beside live sync, and ends when they are here.\n\n" +
			"- How far it is: `starter status " + name + " --watch`\n" +
			"- Stop, go on, give up: `starter backfill " + name + " --object " + object + " --pause`, `--resume`, `--cancel`\n" +
			"- What it belongs to: `integration/" + name + "`\n")
	case "delivery":
		b.WriteString("Keeps a source of a tenant equal to the comments of **" + name + "**, for as long as the integration has a destination.\n\n" +
			"- What the tenant says: `starter status " + name + "`\n" +
			"- Send all once more: `starter deliver " + name + " --again`\n" +
			"- What it belongs to: `integration/" + name + "`\n")
	case "retransform":
		b.WriteString("Makes texts of **" + name + "** anew of stored raw copies, without asking Salesforce, and ends when that is done.\n\n" +
			"- How far it is: `starter status " + name + "`\n" +
			"- Give up, what is made stays: signal `" + SignalCancel + "`\n" +
			"- What it belongs to: `integration/" + name + "`\n")
	default:
		return ""
	}
	if publicURL != "" {
		b.WriteString("- [Its page](" + publicURL + "/integrations/" + url.PathEscape(project) + "/" + url.PathEscape(integration) + ")\n")
	}
	return b.String()
}
