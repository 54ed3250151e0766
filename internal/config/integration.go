package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"salesforcesync/internal/secret"
)

// Integration is an integration file with its defaults filled in. As JSON it is what
// the store keeps; the consumer secret is not in it.
type Integration struct {
	Project      string     `json:"project"`
	Integration  string     `json:"integration"`
	Source       string     `json:"source"`
	Connection   Connection `json:"connection"`
	PollInterval Duration   `json:"poll_interval"`
	// VerifyInterval is within which deletes and other differences are found; zero in
	// what a release before it had stored.
	VerifyInterval Duration  `json:"verify_interval,omitempty"`
	RawRetention   Retention `json:"raw_retention,omitzero"` // of raw copies, since they were applied
	// CommentRetention is of comments that were made of records, by their timestamp; what is older is erased.
	CommentRetention Retention  `json:"comment_retention,omitzero"`
	Quota            Quota      `json:"quota,omitzero"`             // zero in files stored by older releases; see InForce
	MonthlyUnitCap   int64      `json:"monthly_unit_cap,omitempty"` // AI units, at most, per month (UTC); 0 = no cap
	StartFrom        *time.Time `json:"start_from,omitempty"`       // UTC; nil = from the beginning
	Objects          []Object   `json:"objects"`
	// Destination is where the comments are delivered to, too; nil = nowhere.
	Destination *Destination `json:"destination,omitempty"`
}

// Destination is a source of a Communications Mining tenant, or of another installation of this product.
type Destination struct {
	Endpoint string      `json:"endpoint"` // what stands before /api
	Project  string      `json:"project"`
	Source   string      `json:"source"`
	Token    secret.Text `json:"-"` // "" = not given: the one kept at an earlier apply
}

// Connection is how the integration reaches its Salesforce org.
type Connection struct {
	InstanceURL    string      `json:"instance_url"` // https://host[:port]
	LoginURL       string      `json:"login_url"`    // https://host[:port]
	ConsumerKey    string      `json:"consumer_key"`
	ConsumerSecret secret.Text `json:"-"` // "" = not given: the one kept at an earlier apply, or none
}

// Object says what to read of one Salesforce object and what it becomes.
type Object struct {
	Object     string     `json:"object"` // API name
	Preset     string     `json:"preset,omitempty"`
	Where      string     `json:"where,omitempty"` // condition without the word WHERE
	Fields     FieldMap   `json:"fields,omitempty"`
	Properties []Property `json:"properties,omitempty"` // in file order
	Deleted    string     `json:"deleted"`
}

// FieldMap maps a part of a comment (one of [Parts]) to the Salesforce path that
// fills it. It holds what the file says; a preset's own fields are not in it.
type FieldMap map[string]string

// Property is metadata on a comment, filled from a Salesforce path.
type Property struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// Parts are the parts of a comment that an object's fields may fill, as keys of an
// object in the file.
var Parts = []string{"id", "thread", "subject", "body", "signature", "from", "to", "cc", "bcc", "sent_at", "timestamp", "direction"}

// Presets by name: each fills an object's parts, and fits some objects only.
const (
	PresetEmail       = "email"
	PresetCase        = "case"
	PresetCaseComment = "case-comment"
	PresetTask        = "task"
	PresetFeed        = "feed"
	PresetChat        = "chat"
)

// Presets are all of them, and PresetObjects the objects that they fit.
var (
	Presets       = []string{PresetEmail, PresetCase, PresetCaseComment, PresetTask, PresetFeed, PresetChat}
	PresetObjects = map[string][]string{
		PresetEmail: {"EmailMessage"}, PresetCase: {"Case"}, PresetCaseComment: {"CaseComment"}, PresetTask: {"Task"},
		PresetFeed: {"FeedItem", "FeedComment"}, PresetChat: {"LiveChatTranscript"},
	}
)

// What becomes of a comment whose record was deleted in Salesforce.
const (
	DeletedKeep      = "keep"
	DeletedTombstone = "tombstone" // the default
	DeletedErase     = "erase"
)

// Limits of poll_interval.
const (
	MinPollInterval     = Duration(time.Second)
	MaxPollInterval     = Duration(24 * time.Hour)
	DefaultPollInterval = Duration(10 * time.Second)
)

// Limits of verify_interval.
const (
	MinVerifyInterval     = Duration(time.Minute)
	MaxVerifyInterval     = Duration(24 * time.Hour)
	DefaultVerifyInterval = Duration(10 * time.Minute)
)

// Duration is a time.Duration that reads and writes as "10s".
type Duration time.Duration

// String writes whole hours, minutes and seconds without zero parts: 10s, 5m, 1h30m.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes "10s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "10s".
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("read a duration: %w", err)
	}
	*d = Duration(v)
	return nil
}

// Name is "<project>/<integration>".
func (i Integration) Name() string { return i.Project + "/" + i.Integration }

// FindObject returns the object called name; Salesforce's names ignore case.
func (i Integration) FindObject(name string) (Object, bool) {
	for _, o := range i.Objects {
		if strings.EqualFold(o.Object, name) {
			return o, true
		}
	}
	return Object{}, false
}

// ReadsSame reports whether o and p read the same rows and the same fields, so that
// what was read for one holds for the other.
func (o Object) ReadsSame(p Object) bool {
	return strings.EqualFold(o.Object, p.Object) && o.Preset == p.Preset && o.Where == p.Where &&
		maps.Equal(o.Fields, p.Fields) && maps.Equal(o.propertyMap(), p.propertyMap())
}

func (o Object) propertyMap() map[string]string {
	m := make(map[string]string, len(o.Properties))
	for _, p := range o.Properties {
		m[p.Name] = p.Path
	}
	return m
}

// Change is one difference between two integrations. Old is "" for what is new, New
// is "" for what is gone.
type Change struct {
	Path string `json:"path"` // such as connection.instance_url or objects[EmailMessage].where
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Diff lists what differs in meaning: the order of objects, properties and keys does
// not. The consumer secret is not compared.
func Diff(before, after Integration) []Change {
	changes := diffMaps("", before.flat(), after.flat())
	for _, o := range before.Objects {
		if p, stays := after.FindObject(o.Object); stays {
			changes = append(changes, diffMaps("objects["+p.Object+"]", o.flat(), p.flat())...)
		} else {
			changes = append(changes, Change{Path: "objects[" + o.Object + "]", Old: o.summary()})
		}
	}
	for _, o := range after.Objects {
		if _, known := before.FindObject(o.Object); !known {
			changes = append(changes, Change{Path: "objects[" + o.Object + "]", New: o.summary()})
		}
	}
	return changes
}

func (i Integration) flat() map[string]string {
	m := map[string]string{
		"project": i.Project, "integration": i.Integration, "source": i.Source,
		"connection.instance_url": i.Connection.InstanceURL, "connection.login_url": i.Connection.LoginURL,
		"connection.consumer_key": i.Connection.ConsumerKey, "poll_interval": i.PollInterval.String(),
		"verify_interval": cmp.Or(i.VerifyInterval, DefaultVerifyInterval).String(),
		"raw_retention":   i.RawRetention.String(), "comment_retention": i.CommentRetention.String(),
		"quota.share": i.Quota.InForce().Share.String(), "quota.reserve": i.Quota.InForce().Reserve.String(),
	}
	if i.MonthlyUnitCap > 0 {
		m["monthly_unit_cap"] = Grouped(i.MonthlyUnitCap)
	}
	if i.StartFrom != nil {
		m["start_from"] = i.StartFrom.UTC().Format(time.RFC3339Nano)
	}
	if d := i.Destination; d != nil {
		m["destination.endpoint"], m["destination.project"], m["destination.source"] = d.Endpoint, d.Project, d.Source
	}
	return m
}

func (o Object) flat() map[string]string {
	m := map[string]string{".preset": o.Preset, ".where": o.Where, ".deleted": o.Deleted}
	for part, path := range o.Fields {
		m["."+part] = path
	}
	for _, p := range o.Properties {
		m[".properties["+p.Name+"]"] = p.Path
	}
	return m
}

func (o Object) summary() string {
	flat := o.flat()
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(flat)) {
		if flat[key] != "" {
			parts = append(parts, key[1:]+": "+flat[key])
		}
	}
	return strings.Join(parts, ", ")
}

func diffMaps(prefix string, before, after map[string]string) []Change {
	keys := slices.Sorted(maps.Keys(before))
	for key := range after {
		if _, both := before[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var changes []Change
	for _, key := range keys {
		if before[key] != after[key] {
			changes = append(changes, Change{Path: prefix + key, Old: before[key], New: after[key]})
		}
	}
	return changes
}

// MarshalSpec is the JSON that the store keeps.
func (i Integration) MarshalSpec() ([]byte, error) {
	if i.Objects == nil {
		i.Objects = []Object{}
	}
	return json.Marshal(i)
}
