package simforce

import (
	"html/template"
	"net/http"
)

const pageHead = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}} | Simulated Salesforce</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;background:#f4f6f9;color:#16325c;margin:0;display:grid;place-items:center;min-height:100vh}
main{background:#fff;border:1px solid #d8dde6;border-radius:.5rem;padding:2rem;width:24rem;max-width:90vw}
h1{font-size:1.3rem;margin:0 0 1rem}label{display:block;font-size:.9rem;margin:.8rem 0 .2rem}
select,input{width:100%;box-sizing:border-box;padding:.5rem;font:inherit;border:1px solid #b0b7c3;border-radius:.3rem}
button{margin-top:1.2rem;padding:.6rem 1.4rem;font:inherit;border-radius:.3rem;border:1px solid #0070d2;background:#0070d2;color:#fff;cursor:pointer}
button[value=deny]{background:#fff;color:#0070d2}.error{color:#c23934}small{color:#54698d}
</style></head><body><main>`

const pageFoot = `<p><small>This is a simulator. No password is asked for; nothing here reaches Salesforce.</small></p></main></body></html>`

var messagePage = template.Must(template.New("message").Parse(pageHead + `
<h1>{{.Title}}</h1><p class="error">{{.Text}}</p>` + pageFoot))

var loginPage = template.Must(template.New("login").Parse(pageHead + `
<h1>Log in</h1>
{{with .Error}}<p class="error" role="alert">{{.}}</p>{{end}}
<form method="post" action="/services/oauth2/authorize">
<input type="hidden" name="attempt" value="{{.Attempt}}">
<label for="username">Username</label>
<select id="username" name="username">
{{range .Users}}<option value="{{.Name}}"{{if .Chosen}} selected{{end}}>{{.Name}} ({{.Org}})</option>
{{end}}</select>
<button type="submit">Log In</button>
</form>` + pageFoot))

var consentPage = template.Must(template.New("consent").Parse(pageHead + `
<h1>Allow access?</h1>
<p><b>Salesforce Sync</b> asks, for <b>{{.User}}</b> of <b>{{.Org}}</b>, to:</p>
<ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>
<form method="post" action="/services/oauth2/authorize">
<input type="hidden" name="attempt" value="{{.Attempt}}">
<input type="hidden" name="username" value="{{.User}}">
<button type="submit" name="decision" value="deny">Deny</button>
<button type="submit" name="decision" value="allow">Allow</button>
</form>` + pageFoot))

var indexPage = template.Must(template.New("index").Parse(pageHead + `
<h1>Simulated Salesforce</h1>
<p>REST API at <code>{{.Base}}/services/data/</code>, OAuth at <code>{{.Base}}/services/oauth2/</code>.</p>
<ul>{{range .Orgs}}<li><b>{{.Name}}</b> <code>{{.ID}}</code>: {{range .Counts}}{{.}} · {{end}}</li>{{end}}</ul>` + pageFoot))

func render(w http.ResponseWriter, t *template.Template, data any) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = t.Execute(w, data) // the client may be gone
}

type loginChoice struct {
	Name, Org string
	Chosen    bool
}

func (s *Server) showLogin(w http.ResponseWriter, attempt, chosen, problem string) {
	var choices []loginChoice
	for _, u := range s.users() {
		if u.active {
			choices = append(choices, loginChoice{u.name, u.orgName, u.name == chosen})
		}
	}
	render(w, loginPage, map[string]any{"Title": "Log in", "Attempt": attempt, "Users": choices, "Error": problem})
}

func (s *Server) showConsent(w http.ResponseWriter, attempt string, u *userInfo, a *attempt) {
	render(w, consentPage, map[string]any{"Title": "Allow access?", "Attempt": attempt, "User": u.name, "Org": u.orgName, "Scopes": a.words()})
}

// words are the scopes as the consent page shows them.
func (a *attempt) words() []string {
	var out []string
	seen := map[string]bool{}
	for _, name := range a.scope {
		if w := scopes[name]; !seen[w] {
			seen[w] = true
			out = append(out, w+" ("+name+")")
		}
	}
	return out
}
