package api

import (
	"encoding/json"
	"strings"
	"testing"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/store"
)

// Whatever bytes come: nothing panics, what is taken is what encoding/json reads, and it keeps every limit of
// the domain.
func FuzzDecodeComments(f *testing.F) {
	for _, seed := range []string{
		batchOf(one("0a", "text")), batchOf(one("0a", "t"), one("0b", "é\u2028")), `{"comments":[]}`, `{"comments" : [ ] } `, "{", `{"comments":[{}]}`, `{"comments":[1,"x",null,[],{"a":[{}]}]}`,
		batchOf(one("0a", "t", "user_properties", `{"string:a\u0062":"\ud83d\ude00","number:x":-1.5e3}`, "attachments", `[{"name":"\/","size":12,"content_type":""}]`)),
		batchOf(one("0a", "t", "messages", `[{"body":{"text":"\"\\\b\f\n\r\t","text_markup":{"a":["]","\"}"]}},"to":["x"],"sent_at":"2024-01-01T00:00:00.5+02:00"}]`)),
		`{"comments":[{"id":"\ud800"}]}`, "{\"comments\":[{\"id\":\"\xff\"}]}", `{"comments":[{"id":"a"}],"comments":[]}`, `{"comments":[{"id":"a",}]}`, `{"comments":[,]}`, `{"comments":[1 2]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		list, err := decodeComments(strings.NewReader(body))
		if err != nil {
			return
		}
		var want struct{ Comments []comment.Comment }
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			t.Fatalf("what was taken is no JSON: %v", err)
		}
		if len(list) != len(want.Comments) {
			t.Fatalf("%d comments of %d", len(list), len(want.Comments))
		}
		for i := range list {
			got := &list[i].Comment
			if err := got.Validate(); err != nil {
				t.Fatalf("comment %d: %v", i, err)
			}
			if got.ID != want.Comments[i].ID || string(comment.HashTexts(got.Texts())) != string(comment.HashTexts(want.Comments[i].Texts())) {
				t.Fatalf("comment %d was read otherwise: %+v", i, got)
			}
			for key, value := range want.Comments[i].Properties {
				if got.Properties[key] != value {
					t.Fatalf("property %q is %v, not %v", key, got.Properties[key], value)
				}
			}
		}
	})
}

// Whatever mails come: nothing panics, and what is made of them keeps every limit of the domain and can be sent as it is.
func FuzzDecodeMails(f *testing.F) {
	for _, seed := range []string{
		documents(document(rawHead(someHead), plainBody(someBody))), `{"documents":[]}`, `{"documents":[{}],"include_comments":true}`, `{"transform_tag":null,"documents":[1]}`,
		documents(document(`{"parsed":{"Date":"1 Jan 24 12:00 EST","to":"a;b, <c@d>,\"","from":"=?x?q?=ff?="}}`, `{"html":"<p>x<blockquote>y","plain":""}`, "comment_id", `"0a"`, "user_properties", `{"number:x":1}`)),
		documents(document(rawHead("Date: 2024-01-01T00:00:00Z\nMessage-ID: <a\x01\u202e@b>\nContent-Type: multipart/mixed; boundary=b\nSubject: =?utf-8?b?AAA=?="), plainBody("--b\nContent-Transfer-Encoding: base64\n\nAP8=\n--b--"))),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		m, err := decodeMails(strings.NewReader(body))
		if err != nil {
			return
		}
		for i := range m.comments {
			c := &m.comments[i]
			if err := c.Validate(); err != nil {
				t.Fatalf("mail %d: %v", i, err)
			}
			out := toWireComment(store.StoredComment{Comment: c.Comment}, nil)
			raw, err := json.Marshal(map[string]any{"comments": []any{map[string]any{
				"id": out.ID, "timestamp": out.Timestamp, "thread_id": out.ThreadID, "messages": out.Messages, "user_properties": out.UserProperties, "attachments": out.Attachments,
			}}})
			if err != nil {
				t.Fatalf("mail %d: %v", i, err)
			}
			again, err := decodeComments(strings.NewReader(string(raw)))
			if err != nil {
				t.Fatalf("mail %d cannot be sent as the comment it became: %v", i, err)
			}
			if string(comment.HashTexts(again[0].Texts())) != string(comment.HashTexts(c.Texts())) {
				t.Fatalf("mail %d is another text as a comment", i)
			}
		}
	})
}
