package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// destination reads where comments are delivered to.
func (r *fileReader) destination(n *yaml.Node) *Destination {
	keys := r.mapping(n, "destination", append([]string{"endpoint", "project", "source"}, secretKeys("token")...))
	if keys == nil {
		return nil
	}
	var d Destination
	if v, ok := keys["endpoint"]; !ok {
		r.problem(n, "destination: endpoint is missing: write what stands before /api, such as https://cloud.uipath.com/acme/production/reinfer_")
	} else if text := r.text(v, "endpoint"); text != "" {
		endpoint, err := r.checks.Endpoint(text)
		r.reject(v, "endpoint", err)
		d.Endpoint = endpoint
	}
	d.Project = r.name(n, keys, "project", projectName, "letters, digits, dot, - and _")
	d.Source = r.name(n, keys, "source", plainName, "letters, digits, - and _")
	d.Token = r.secret(keys, "destination", "token")
	if strings.ContainsFunc(d.Token.Reveal(), func(c rune) bool { return c <= ' ' || c > '~' }) {
		r.problem(n, "token: holds a space or a character that no token has: copy it again")
	}
	return &d
}
