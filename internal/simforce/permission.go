package simforce

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The permissions of a user that SetPermission knows, spelled as the fields of
// PermissionSet spell them without their "Permissions".
const (
	// ViewSetup lets a user read PermissionSet, PermissionSetAssignment,
	// ObjectPermissions and the limits of the org. Everyone has it at first.
	ViewSetup = "ViewSetup"
	// APIEnabled lets a user call the data API at all. Everyone has it at first.
	APIEnabled = "ApiEnabled"
	// ViewAllData is View All on every object. Nobody has it at first.
	ViewAllData = "ViewAllData"
)

// permissionObjects are the objects that say who may do what.
func permissionObjects() []*Object {
	set := object("PermissionSet", "Permission Set", "Permission Sets", "0PS",
		str("Name", "Permission Set Name", 80, required, nameField),
		str("Label", "Permission Set Label", 80, required),
		flag("IsCustom", "Is Custom", readOnly, alwaysSeen),
		flag("IsOwnedByProfile", "Is Owned By Profile", readOnly, alwaysSeen),
		flag("PermissionsApiEnabled", "API Enabled", readOnly, alwaysSeen),
		flag("PermissionsViewSetup", "View Setup and Configuration", readOnly, alwaysSeen),
		flag("PermissionsViewAllData", "View All Data", readOnly, alwaysSeen),
		flag("PermissionsModifyAllData", "Modify All Data", readOnly, alwaysSeen),
	)
	assignment := object("PermissionSetAssignment", "Permission Set Assignment", "Permission Set Assignments", "0Pa",
		ref("AssigneeId", "Assignee ID", "Assignee", one("User"), required, readOnly, alwaysSeen, kept("PermissionSetAssignments")),
		ref("PermissionSetId", "Permission Set ID", "PermissionSet", one("PermissionSet"), required, readOnly, alwaysSeen, kept("Assignments")),
		flag("IsActive", "Is Active", readOnly, alwaysSeen, withDefault(true)),
	)
	assignment.NoModified, assignment.NoCreated = true, true
	rights := object("ObjectPermissions", "Object Permissions", "Object Permissions", "110",
		ref("ParentId", "Parent ID", "Parent", one("PermissionSet"), required, readOnly, alwaysSeen, kept("ObjectPerms")),
		picklist("SobjectType", "Sobject Type Name", nil, required, readOnly, alwaysSeen),
		flag("PermissionsCreate", "Create Records", readOnly, alwaysSeen),
		flag("PermissionsRead", "Read Records", readOnly, alwaysSeen),
		flag("PermissionsEdit", "Edit Records", readOnly, alwaysSeen),
		flag("PermissionsDelete", "Delete Records", readOnly, alwaysSeen),
		flag("PermissionsViewAllRecords", "Read All Records", readOnly, alwaysSeen),
		flag("PermissionsModifyAllRecords", "Edit All Records", readOnly, alwaysSeen),
	)
	out := []*Object{set, assignment.audited(), rights}
	for _, o := range out {
		o.ReadOnly, o.NoReplication, o.NoUndelete = true, true, true
		o.withoutBin()
	}
	return out
}

// setupObjects are the objects only users with View Setup can read, by
// lower-case name.
var setupObjects = map[string]bool{"permissionset": true, "permissionsetassignment": true, "objectpermissions": true}

// ownAccess tells the objects that have permissions of their own. Access to the
// mails, comments and history of a case is access to the case, activities go by
// permissions of the user, and who reads users and set-up is decided elsewhere:
// ObjectPermissions has no rows about any of these.
func (o *Object) ownAccess() bool {
	switch o.Name {
	case "User", "Group", "Organization", "Task", "Event", "CaseStatus":
		return false
	}
	for _, f := range o.Fields {
		if o.follows(f) {
			return false
		}
	}
	return !setupObjects[o.lower]
}

// lacks reports whether a permission that everyone has at first was taken from
// the user.
func (v view) lacks(permission string) bool {
	what := strings.ToLower(permission)
	return v.sharing.lacking["*"][what] || v.sharing.lacking[v.user][what]
}

// viewsAll reports whether the user has View All on an object, by its lower-case
// name, or View All Data.
func (v view) viewsAll(object string) bool {
	for _, who := range []string{"*", v.user} {
		if list := v.sharing.viewAll[who]; list[object] || list[""] {
			return true
		}
	}
	return false
}

// SetPermission gives a user ViewSetup, APIEnabled or ViewAllData or takes it
// away. user "" or "*" means everyone.
func (s *Server) SetPermission(orgName, user, permission string, on bool) error {
	switch permission {
	case ViewAllData:
		return s.SetViewAll(orgName, user, "", on)
	case ViewSetup, APIEnabled:
		return s.share(orgName, user, "lacking", !on, func(*org) (string, error) { return strings.ToLower(permission), nil })
	}
	return fmt.Errorf("permission must be %s, %s or %s, not %q", ViewSetup, APIEnabled, ViewAllData, permission)
}

// enabled refuses users who may not call the data API. The platform says so in
// words that blame the org.
func (s *Server) enabled(sess *session) *apiError {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if v := (view{org: s.org(sess.org), user: sess.user}); v.lacks(APIEnabled) {
		return refuse(http.StatusForbidden, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.")
	}
	return nil
}

// permit brings the permission sets and object permissions of every user in step
// with what the user may see. Everyone has the set of a profile, which lets read
// what is not hidden, and a set of their own, which has what View All gives. The
// caller holds the data lock.
func (o *org) permit(now time.Time) {
	p := &permitter{o: o, now: now, by: o.firstUser(), sets: map[string]*record{}, rights: map[[2]string]*record{}, assigned: map[[2]string]bool{}}
	p.remember()
	o.table("User").each(func(r *record) bool {
		if !r.deleted() {
			p.user(r)
		}
		return true
	})
	for _, r := range p.rights { // what nobody has any more
		o.drop(r)
	}
}

// permitter compares what there is with what there should be.
type permitter struct {
	o        *org
	now      time.Time
	by       string
	sets     map[string]*record    // by name
	rights   map[[2]string]*record // by set and object; those still wanted are taken out
	assigned map[[2]string]bool    // user and set
}

func (p *permitter) remember() {
	p.o.table("PermissionSet").each(func(r *record) bool {
		p.sets[r.text("Name")] = r
		return true
	})
	p.o.table("PermissionSetAssignment").each(func(r *record) bool {
		p.assigned[[2]string{r.text("AssigneeId"), r.text("PermissionSetId")}] = true
		return true
	})
	p.o.table("ObjectPermissions").each(func(r *record) bool {
		p.rights[[2]string{r.text("ParentId"), r.text("SobjectType")}] = r
		return true
	})
}

func (p *permitter) user(r *record) {
	v := view{org: p.o, user: r.id()}
	all := v.sharing.viewAll["*"][""] || v.sharing.viewAll[v.user][""]
	profile := p.set(r, "Profile", Row{
		"IsOwnedByProfile": true, "PermissionsApiEnabled": !v.lacks(APIEnabled), "PermissionsViewSetup": !v.lacks(ViewSetup),
	})
	extra := p.set(r, "Access", Row{"IsCustom": true, "PermissionsViewAllData": all})
	for _, obj := range p.o.objects() {
		if !obj.ownAccess() && !v.sharing.viewAll[v.user][obj.lower] && !v.sharing.viewAll["*"][obj.lower] || !v.visible(obj.Name) {
			continue
		}
		if obj.ownAccess() {
			writes := !obj.ReadOnly
			p.right(profile, obj.Name, Row{
				"PermissionsRead": true, "PermissionsCreate": writes, "PermissionsEdit": writes, "PermissionsDelete": writes,
			})
		}
		if v.viewsAll(obj.lower) {
			p.right(extra, obj.Name, Row{"PermissionsRead": true, "PermissionsViewAllRecords": true})
		}
	}
}

// set finds or makes one of the two sets of a user and returns its id.
func (p *permitter) set(user *record, kind string, fields Row) string {
	name := kind + "_" + user.id()[:15]
	fields["Name"], fields["Label"] = name, cut(kind+" of "+user.text("Name"), 80)
	r := p.put("PermissionSet", p.sets[name], fields)
	if pair := [2]string{user.id(), r.id()}; !p.assigned[pair] {
		p.put("PermissionSetAssignment", nil, Row{"AssigneeId": user.id(), "PermissionSetId": r.id()})
	}
	return r.id()
}

func (p *permitter) right(set, object string, fields Row) {
	pair := [2]string{set, object}
	fields["ParentId"], fields["SobjectType"] = set, object
	p.put("ObjectPermissions", p.rights[pair], fields)
	delete(p.rights, pair)
}

// put writes a row unless it is there with these values already.
func (p *permitter) put(object string, old *record, fields Row) *record {
	c := change{object: object, fields: fields, user: p.by, now: p.now, system: true}
	if old != nil {
		same := true
		for name, v := range fields {
			same = same && old.get(old.obj.field(name)) == v
		}
		if same {
			return old
		}
		c.id = old.id()
	}
	return p.o.must(c)
}
