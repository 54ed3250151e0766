// Package monitoringtest holds docs/monitoring.md, the alert rules and the dashboard against each other, and lets
// tests of the programs hold the page against what they really export. It is for tests only.
//
//	what worker and authsvc export ══ docs/monitoring.md ◄── alerts.yml, dashboard.json ──► docs/operations.md
//	        (tests in worker, authsvc, internal/app)                 (tests here)
package monitoringtest
