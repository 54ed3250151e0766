package store

import (
	"fmt"
	"strings"

	"salesforcesync/internal/config"
)

// hintNames points from a name that does not exist to those that do.
func hintNames(wanted string, names []string) string {
	const few = 5
	switch near := config.Nearest(wanted, names); {
	case len(names) == 0:
		return "there are none yet: create one with `starter apply -f integration.yaml`"
	case near != "":
		return fmt.Sprintf("did you mean %s?", near)
	case len(names) <= few:
		return "there is " + strings.Join(names, ", ")
	}
	return "`starter list` shows them all"
}
