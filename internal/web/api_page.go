package web

import (
	"net/http"
	"strings"

	"salesforcesync/internal/openapi"
)

// span is a stretch of a text: code, or words.
type span struct {
	Code bool
	Text string
}

// spans takes a text with `code` in it apart.
func spans(text string) []span {
	var out []span
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			out = append(out, span{Code: i%2 == 1, Text: part})
		}
	}
	return out
}

// apiPage is the description of the API to read. It says what the program can do and nothing
// about what is in it, so it is for anybody.
type apiPage struct {
	page
	About []string
	Tags  []apiTag
}

type apiTag struct {
	Name, Description string
	Operations        []openapi.Operation
}

func (web *Web) apiPage(v *visit) error {
	p := apiPage{page: web.page(v, "API")}
	info, _ := openapi.Document()["info"].(map[string]any)
	about, _ := info["description"].(string)
	p.About = strings.Split(strings.TrimSpace(about), "\n\n")
	tags, _ := openapi.Document()["tags"].([]any)
	for _, tag := range tags {
		t, _ := tag.(map[string]any)
		name, _ := t["name"].(string)
		description, _ := t["description"].(string)
		p.Tags = append(p.Tags, apiTag{Name: name, Description: description})
	}
	for _, op := range openapi.Operations() {
		for i := range p.Tags {
			if p.Tags[i].Name == op.Tag {
				p.Tags[i].Operations = append(p.Tags[i].Operations, op)
			}
		}
	}
	return web.render(v, http.StatusOK, "api", p)
}
