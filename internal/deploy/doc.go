// Package deploy holds the tests that prove what operators are given to deploy, without a
// container engine: docker-compose.yml is loaded by compose's own loader in every profile and
// held against rules, the Dockerfile is read by BuildKit's parser and linter, the programs are
// built by the Dockerfile's own command and started with the commands, environments, secret
// files and health checks that compose resolves, and the Kubernetes manifests name nothing
// that does not exist.
//
// It has no code of its own. What it cannot see is what only an engine sees: whether the
// images of others exist under their tags and behave as their documentation says.
package deploy
