package web

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/flow"
	"salesforcesync/internal/store"
)

func TestHomeShowsLargeLoads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project := b.seed.Project("support")
	id := b.seed.Integration(project, b.seed.Source(project, "emails"), "prod", "syncing", "", "")
	b.seed.Exec(`insert into objects (integration_id, name, position, spec, state, plan) values ($1, 'EmailMessage', 1, '{}', 'ok', '{}')`, id)
	b.seed.Exec(`insert into streams (integration_id, object, lane, epoch, verified_to) values ($1, 'EmailMessage', 'live', 1, '2026-11-25T12:00:00Z')`, id)
	br := b.browser()
	br.signIn(adminEmail, "/")
	require.NotContains(t, br.get("/").html, "<progress")

	load := b.seed.Backfill(id, "EmailMessage", true, 300_000)
	live := br.live("/")
	require.Contains(t, live, "0 of 300,000 rows</p>", "no rate and no time left are made up")
	b.seed.Part(load, 162_000, store.PartReady, false)
	live = br.live("/")
	for _, want := range []string{"First load of EmailMessage</strong>", ">54%</span>", `max="100" value="54"></progress>`,
		"162,000 of 300,000 rows · 2,700 a second · about 51 seconds left</p>", "not known yet"} {
		require.Contains(t, live, want)
	}
	require.NotContains(t, live, "style=", "the page's policy forbids it")
	require.NotContains(t, live, "Waits:")

	b.seed.Exec(`update backfills set first = false, rows_expected = null, fault_kind = 'Quota', fault_message = 'the share <is> used', fault_hint = 'take a larger one', retry_at = '2026-11-25T12:00:00Z'`)
	b.seed.Exec(`update backfill_parts set api = 'rest', why_rest = 'Bulk does not take it'`)
	live = br.live("/")
	for _, want := range []string{"Backfill of EmailMessage</strong>", `max="100" class="waits"></progress>`, "162,000 rows</p>", "Waits: the share &lt;is&gt; used; tried again at ",
		`<time datetime="2026-11-25T12:00:00Z">`, "take a larger one", "1 of 1 parts over REST: Bulk does not take it", "25 Nov 2026, 12:00:00 UTC"} {
		require.Contains(t, live, want)
	}
	require.NotContains(t, live, "not known yet", "what is read again is here already")

	require.NoError(t, b.db.SteerBackfill(t.Context(), "support", "prod", "EmailMessage", flow.SignalPause))
	require.Contains(t, br.live("/"), "let it go on with the button on its page")
	require.NoError(t, b.db.EndBackfill(t.Context(), load, store.BackfillDone))
	require.NotContains(t, br.live("/"), "<progress")
}

func TestInWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "1 second", 51 * time.Second: "51 seconds", 100 * time.Second: "2 minutes", 99 * time.Minute: "99 minutes",
		100 * time.Minute: "2 hours", 47*time.Hour + 29*time.Minute: "47 hours", 48 * time.Hour: "2 days", 24 * 9 * time.Hour: "9 days",
	} {
		require.Equal(t, want, inWords(d), d.String())
	}
}

func TestHomeShowsTextsMadeAnew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project := b.seed.Project("support")
	id := b.seed.Integration(project, b.seed.Source(project, "emails"), "prod", "idle", "", "")
	br := b.browser()
	br.signIn(adminEmail, "/")
	b.seed.Exec(`insert into retransforms (integration_id, object, epoch, cleaning_version, total, counts, started_at)
		values ($1, 'EmailMessage', 1, 3, 6000, '{"records": 1500, "text_changed": 70, "units": 71}', now() - interval '15 seconds')`, id)
	live := br.live("/")
	for _, want := range []string{"Texts of EmailMessage made anew</strong>", ">25%</span>", `max="100" value="25"></progress>`, "1,500 of 6,000 records", "70 changed texts, 71 AI units</p>"} {
		require.Contains(t, live, want)
	}
	b.seed.Exec(`update retransforms set state = 'done', finished_at = now()`)
	require.NotContains(t, br.live("/"), "<progress")
}
