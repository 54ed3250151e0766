package api

import (
	"encoding/json"
	"strings"
	"testing"

	"salesforcesync/internal/comment"
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
