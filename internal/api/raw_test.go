package api

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/access"
	"salesforcesync/internal/clean"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/salesforce"
	"salesforcesync/internal/store"
	"salesforcesync/internal/transform"
)

const recordID = "02s5e00000AbCdEAAV"

var madeOfRecord = hex.EncodeToString([]byte(recordID))

// record1 stores the record of the comment madeOfRecord, with its raw copy, as the sync does.
func (b *bench) record1(body, state string) {
	b.t.Helper()
	plan, err := json.Marshal(map[string]any{"object": "EmailMessage", "recipe": transform.Recipe{
		Types:   transform.Types{"TextBody": salesforce.TypeTextArea, "FromName": salesforce.TypeString, "CreatedDate": salesforce.TypeDateTime},
		Mapping: transform.Mapping{Mail: true, Body: []transform.TextPath{{Path: "TextBody"}}, FromName: "FromName", Timestamp: []string{"CreatedDate"}},
	}})
	require.NoError(b.t, err)
	integration := b.seed.Strings(`select id from integrations`)[0]
	b.seed.Exec(`update integrations set spec = '{"connection": {"instance_url": "https://acme.my.salesforce.com"}}'`)
	b.seed.Exec(`insert into objects (integration_id, name, position, spec, state, plan) values ($1, 'EmailMessage', 0, '{}', 'ok', $2)`, integration, string(plan))
	b.seed.Exec(`insert into streams (integration_id, object, lane, epoch) values ($1, 'EmailMessage', 'live', 1)`, integration)
	target, err := b.db.LoadTarget(b.t.Context(), "support", "prod")
	require.NoError(b.t, err)
	ref := flow.BatchRef{Stream: target.Objects[0].Stream, Epoch: 1, Seq: 1, Object: "EmailMessage"}
	batch, err := b.db.BeginBatch(b.t.Context(), ref)
	require.NoError(b.t, err)
	raw, err := json.Marshal(map[string]any{"Id": recordID, "TextBody": body, "FromName": "Ann Example", "CreatedDate": "2026-03-01T12:00:00.000+0000", "Secret__c": "sealed"})
	require.NoError(b.t, err)
	raw = append(raw, '\n')
	require.NoError(b.t, b.db.AddChunk(b.t.Context(), batch, store.Chunk{Format: store.FormatJSON, IDs: []string{recordID}, Data: raw}))
	b.seed.Exec(`insert into records (source_id, object, record_id, stamp, read_begin, read_end, record_digest, text_digest, state, comment_id, raw_stream, raw_epoch, raw_seq, raw_chunk)
		values ($1, 'EmailMessage', $2, now(), 1, 2, '', '', $3, $4, $5, 1, 1, 0)`, b.source, recordID, state, madeOfRecord, ref.Stream)
}

func TestRawCopy(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.record1("Thanks.", "live")
	const path = "/api/v1/integrations/support/prod/records/EmailMessage/" + recordID + "/raw"
	got := b.get(path, "sensitive")["record"].(map[string]any)
	require.Equal(t, "live", got["state"])
	require.Equal(t, madeOfRecord, got["comment_id"])
	require.Equal(t, "https://acme.my.salesforce.com/"+recordID, got["salesforce_url"])
	require.Equal(t, map[string]any{"Id": recordID, "TextBody": "Thanks.", "FromName": "Ann Example", "CreatedDate": "2026-03-01T12:00:00.000+0000", "Secret__c": "sealed"}, got["raw"])
	require.Equal(t, got, b.get("/api/v1/integrations/support/prod/records/EmailMessage/"+recordID[:15]+"/raw", "sensitive")["record"], "by the short Id, too")

	require.Equal(t, http.StatusForbidden, b.do(http.MethodGet, path, "reader", "").status, "it has sensitive fields")
	for _, other := range []string{"/records/Case/" + recordID + "/raw", "/records/EmailMessage/02s5e00000AbCdFAAV/raw", "/records/EmailMessage/nope/raw"} {
		require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/api/v1/integrations/support/prod"+other, "sensitive", "").status, other)
	}
	b.seed.Exec(`update records set state = 'deleted'`)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, path, "sensitive", "").status, "a deleted one is as unknown as one that never was")
	b.seed.Exec(`update records set state = 'live'`)
	b.seed.Exec(`delete from raw_chunks`)
	a := b.do(http.MethodGet, path, "sensitive", "")
	require.Equal(t, http.StatusNotFound, a.status)
	require.Contains(t, a.body["message"], "there is no raw copy of record "+recordID)
}

func TestCleaningIsExplained(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.seed.Mail(b.source, madeOfRecord, time.Now(), "subject", "Thanks.")
	b.seed.Mail(b.source, "0a", time.Now(), "subject", "body")
	b.record1("Thanks, grüße.\n\nOn Mon, 2 Mar 2026 at 10:00, Bob <bob@example.com> wrote:\n> Please try again.\n", "live")
	const path = "/api/v1/sources/support/emails/comments/"
	got := b.get(path+madeOfRecord+"/cleaning", "reader")["cleaning"].(map[string]any)
	require.EqualValues(t, clean.Version, got["cleaning_version"])
	require.EqualValues(t, 1, got["cleaning_version_in_force"])
	require.Equal(t, false, got["same"])
	require.Equal(t, "Thanks, grüße.", got["reply"])
	text, spans := []rune(got["text"].(string)), got["spans"].([]any)
	require.NotEmpty(t, spans)
	for _, s := range spans {
		span := s.(map[string]any)
		require.Equal(t, "quote", span["kind"])
		require.NotEmpty(t, span["rule"])
		require.Equal(t, span["text"], string(text[int(span["start"].(float64)):int(span["end"].(float64))]))
	}
	for _, id := range []string{"0a", "ffff", recordID} {
		require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, path+id+"/cleaning", "reader", "").status, id)
	}
	b.seed.Exec(`update comments set changed = pg_current_xact_id(), deleted_at = now()`)
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, path+madeOfRecord+"/cleaning", "reader", "").status, "a tombstone is not read")
}

func TestSkipped(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.user("operator", store.Grant{Project: "support", Permission: access.IntegrationsRead})
	b.record1("Thanks.", "set_aside")
	for _, row := range [][2]string{{"EmailMessage", recordID}, {"EmailMessage", "02s5e00000AbCdFAAV"}, {"Case", "5005e00000AbCdFAAV"}} {
		b.seed.Exec(`insert into set_aside (source_id, object, record_id, reason) values ($1, $2, $3, 'no timestamp')`, b.source, row[0], row[1])
	}
	const path = "/api/v1/integrations/support/prod/skipped"
	var ids []string
	for after := ""; ; {
		page := b.get(path+"?limit=2&after="+url.QueryEscape(after), "operator")
		require.Equal(t, map[string]any{"EmailMessage": 2., "Case": 1.}, page["num_skipped"])
		for _, r := range page["skipped"].([]any) {
			ids = append(ids, r.(map[string]any)["record_id"].(string))
		}
		next, more := page["continuation"].(string)
		if !more {
			break
		}
		after = next
	}
	require.Equal(t, []string{"5005e00000AbCdFAAV", recordID, "02s5e00000AbCdFAAV"}, ids)
	list := b.get(path+"?object=EmailMessage", "operator")["skipped"].([]any)
	require.Len(t, list, 2)
	first := list[0].(map[string]any)
	require.NotEmpty(t, first["since"])
	delete(first, "since")
	require.Equal(t, map[string]any{"object": "EmailMessage", "record_id": recordID, "reason": "no timestamp", "comment_id": madeOfRecord,
		"salesforce_url": "https://acme.my.salesforce.com/" + recordID, "raw_url": "/api/v1/integrations/support/prod/records/EmailMessage/" + recordID + "/raw"}, first)
	require.Nil(t, list[1].(map[string]any)["raw_url"], "there is no raw copy")

	token := b.get(path+"?limit=1", "operator")["continuation"].(string)
	nul := base64.RawURLEncoding.EncodeToString([]byte(`{"a": {"Object": "\u0000", "RecordID": "x"}}`))
	for _, query := range []string{"limit=0", "object=%00", "after=" + nul, "limit=257", "limit=x", "after=%21", "after=e30", "after=" + token + "&object=Case"} {
		if a := b.do(http.MethodGet, path+"?"+query, "operator", ""); query == "after=e30" {
			require.Equal(t, http.StatusOK, a.status, "an empty continuation is the beginning")
		} else {
			require.Equal(t, http.StatusBadRequest, a.status, query)
		}
	}
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/api/v1/integrations/support/none/skipped", "operator", "").status)
}

func TestIntegrationShowsRetransforms(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.user("operator", store.Grant{Project: "support", Permission: access.IntegrationsRead})
	b.record1("Thanks.", "live")
	object := func() map[string]any {
		return b.get("/api/v1/integrations/support/prod", "operator")["objects"].([]any)[0].(map[string]any)
	}
	require.Nil(t, object()["retransform"])
	b.seed.Exec(`insert into retransforms (integration_id, object, epoch, cleaning_version, total, counts, started_at)
		select id, 'EmailMessage', 1, 3, 300, '{"records": 100, "text_changed": 7, "units": 7}', now() - interval '10 seconds' from integrations`)
	got := object()["retransform"].(map[string]any)
	require.Equal(t, "open", got["state"])
	require.EqualValues(t, 7, got["units"])
	require.EqualValues(t, 300, got["total"])
	require.InDelta(t, 10, got["rate_per_second"], 1)
	require.InDelta(t, 20, got["eta_seconds"], 3)
	b.seed.Exec(`update retransforms set state = 'cancelled', reason = 'cancelled by an operator', finished_at = now()`)
	got = object()["retransform"].(map[string]any)
	require.Equal(t, "cancelled by an operator", got["reason"])
	require.Nil(t, got["eta_seconds"])
}
