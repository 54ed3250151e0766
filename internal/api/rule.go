package api

import "salesforcesync/internal/access"

// Rules gives who may do what of the API, one rule per pattern, in the order of the table.
func Rules() []access.Rule {
	reach := map[target]access.Reach{
		onNobody: access.ReachSignedIn, onListed: access.ReachListed, onProject: access.ReachProject, onSource: access.ReachProject, onNewSource: access.ReachProject,
		onUsers: access.ReachUsers, onUser: access.ReachUser, onInstallation: access.ReachInstallation,
	}
	var rules []access.Rule
	for _, r := range routes {
		for _, pattern := range r.patterns {
			rules = append(rules, access.Rule{Method: r.method, Path: pattern, Reach: reach[r.on], Permission: r.permission})
		}
	}
	return append(rules, access.Rule{Method: "GET", Path: documentPath, Reach: access.ReachAnybody})
}
