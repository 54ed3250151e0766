package config

import (
	"bytes"
	"time"

	"go.yaml.in/yaml/v3"

	"salesforcesync/internal/fault"
)

// WriteIntegration writes an integration as a file, which ReadIntegration reads as the same integration but
// for its secrets: they are never written.
func WriteIntegration(i Integration) ([]byte, error) {
	var file, connection mapping
	file.add("project", i.Project).add("integration", i.Integration).add("source", i.Source)
	connection.add("instance_url", i.Connection.InstanceURL).add("login_url", i.Connection.LoginURL).add("consumer_key", i.Connection.ConsumerKey)
	file.put("connection", connection.node())
	file.add("poll_interval", i.PollInterval.String())
	if i.VerifyInterval != 0 {
		file.add("verify_interval", i.VerifyInterval.String())
	}
	file.add("raw_retention", i.RawRetention.String())
	if i.CommentRetention != RetentionForever {
		file.add("comment_retention", i.CommentRetention.String())
	}
	var quota mapping
	quota.add("share", i.Quota.InForce().Share.String()).add("reserve", i.Quota.InForce().Reserve.String())
	file.put("quota", quota.node())
	if i.MonthlyUnitCap > 0 {
		file.put("monthly_unit_cap", plain(i.MonthlyUnitCap))
	}
	if i.StartFrom != nil {
		file.put("start_from", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!timestamp", Value: i.StartFrom.UTC().Format(time.RFC3339Nano)})
	}
	objects := &yaml.Node{Kind: yaml.SequenceNode}
	for _, o := range i.Objects {
		objects.Content = append(objects.Content, o.node())
	}
	if len(i.Objects) > 0 {
		file.put("objects", objects)
	}
	if d := i.Destination; d != nil {
		var to mapping
		to.add("endpoint", d.Endpoint).add("project", d.Project).add("source", d.Source)
		file.put("destination", to.node())
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(file.node()); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "write the file of %s", i.Name())
	}
	return out.Bytes(), nil
}

func (o Object) node() *yaml.Node {
	var m mapping
	m.add("object", o.Object).add("preset", o.Preset).add("where", o.Where)
	for _, part := range Parts {
		m.add(part, o.Fields[part])
	}
	if len(o.Properties) > 0 {
		var properties mapping
		for _, p := range o.Properties {
			properties.add(p.Name, p.Path)
		}
		m.put("properties", properties.node())
	}
	if o.Deleted != DeletedTombstone {
		m.add("deleted", o.Deleted)
	}
	return m.node()
}

// mapping is a YAML mapping that is being made, in the order in which keys are added.
type mapping struct{ content []*yaml.Node }

// add puts text behind a key, unless it is "". What YAML would take for something else is quoted.
func (m *mapping) add(key, value string) *mapping {
	if value != "" {
		m.put(key, plain(value))
	}
	return m
}

func (m *mapping) put(key string, value *yaml.Node) {
	m.content = append(m.content, plain(key), value)
}

func (m *mapping) node() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Content: m.content} }

// plain is a scalar as the encoder writes it.
func plain(value any) *yaml.Node {
	var n yaml.Node
	_ = n.Encode(value) // text and whole numbers always encode
	return &n
}
