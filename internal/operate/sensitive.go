package operate

import (
	"context"
	"slices"
	"strings"

	"salesforcesync/internal/access"
	"salesforcesync/internal/config"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/poll"
	"salesforcesync/internal/store"
)

// keepVeiled refuses with fault.Forbidden a file by which others would see what a source keeps from them: a field that feeds
// a sensitive property, or fed one in an earlier file, shown under another name, in a part of the comment, in another
// source, or by what a condition lets through; and a tenant that gets the sensitive properties, too. What is in force
// already may stay as it is.
func (h *Hand) keepVeiled(ctx context.Context, spec config.Integration) error {
	known, err := h.Store.Sensitive(ctx, spec.Project)
	if err != nil || len(known.Properties) == 0 {
		return err
	}
	before := known.InForce[spec.Integration]
	same, lists := before.Source == spec.Source, known.Properties[spec.Source]
	if to := spec.Destination; to != nil && len(lists) > 0 && (!same || !sameTenantSource(before.Destination, to)) {
		return unseen(spec, "a destination is sent the sensitive properties of %s/%s", spec.Project, spec.Source).
			WithHint("leave the destination as it is, or ask somebody who has the permission")
	}
	veiled := veiledFields(known)
	for _, o := range spec.Objects {
		var inForce []poll.Use
		if was, there := before.FindObject(o.Object); there && same {
			inForce = poll.Uses(was)
		}
		for _, u := range poll.Uses(o) {
			feeds, ok := veiled[fieldOf(o.Object, u.Path)]
			if !ok || hides(lists, u.Property) || slices.Contains(inForce, u) {
				continue
			}
			if u.Property == "" {
				return unseen(spec, "%s of %s feeds the sensitive property %s, and here %s", u.Path, o.Object, feeds, u.For).
					WithHint("leave it out there, or ask somebody who has the permission")
			}
			return unseen(spec, "%s of %s feeds the sensitive property %s, and here %s, which is none of %s/%s", u.Path, o.Object, feeds, u.Property, spec.Project, spec.Source).
				WithHint("make %s a sensitive property of the source first, or ask somebody who has the permission", u.Property)
		}
	}
	return nil
}

func unseen(spec config.Integration, what string, args ...any) *fault.Error {
	return fault.New(fault.Forbidden, what+": this needs the permission %s on project %s", append(args, access.SourcesReadSensitive, spec.Project)...)
}

// veiledFields says of each field that feeds a sensitive property, or did, which one that is.
func veiledFields(known store.Sensitive) map[string]string {
	veiled := map[string]string{}
	for _, file := range known.Files {
		for _, o := range file.Objects {
			for _, u := range poll.Uses(o) {
				if u.Property != "" && mayHide(known.Properties[file.Source], u.Property) {
					veiled[fieldOf(o.Object, u.Path)] = u.Property + " of " + file.Project + "/" + file.Source
				}
			}
		}
	}
	return veiled
}

// fieldOf names a field as Salesforce compares names. One that an org made for itself is known by its name alone, whichever way
// leads to it; of the others there are too many of one name.
func fieldOf(object, path string) string {
	path = strings.ToLower(path)
	if field := path[strings.LastIndexByte(path, '.')+1:]; strings.HasSuffix(field, "__c") {
		return field
	}
	return strings.ToLower(object) + "." + path
}

// What stands before the name of a property in a comment, and may stand before it in a source's list.
const (
	textProperty   = "string:"
	numberProperty = "number:"
)

// mayHide reports whether a source's list hides a property of this name, whatever its kind turns out to be.
func mayHide(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return s == name || s == textProperty+name || s == numberProperty+name })
}

// hides reports whether it does for certain.
func hides(list []string, name string) bool {
	return name != "" && (slices.Contains(list, name) || slices.Contains(list, textProperty+name) && slices.Contains(list, numberProperty+name))
}

func sameTenantSource(a, b *config.Destination) bool {
	return a != nil && b != nil && a.Endpoint == b.Endpoint && a.Project == b.Project && a.Source == b.Source
}
