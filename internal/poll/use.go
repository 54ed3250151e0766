package poll

import (
	"salesforcesync/internal/config"
	"salesforcesync/internal/soql"
)

// Use is what a path of an object serves for, by the file and by its preset.
type Use struct {
	Path     string
	Property string // that it feeds; "" = something that whoever reads comments can tell
	For      string // what that is: a part of the comment, or the condition as a whole
}

// Uses lists what the paths of an object serve for. Whether Salesforce has them is not asked, and a preset that is no
// preset has none.
func Uses(o config.Object) []Use {
	var uses []Use
	if p, err := findPreset(o); err == nil && p != nil {
		for _, one := range p.paths {
			if !owns(o, one) {
				uses = append(uses, Use{Path: one.path, Property: one.property, For: one.part})
			}
		}
	}
	for _, part := range config.Parts {
		if path, ok := o.Fields[part]; ok {
			uses = append(uses, Use{Path: path, For: part})
		}
	}
	for _, p := range o.Properties {
		uses = append(uses, Use{Path: p.Path, Property: p.Name})
	}
	if e, err := soql.Parse(o.Where); err == nil && e != nil {
		for _, path := range e.Paths() {
			uses = append(uses, Use{Path: path, For: "where: " + o.Where})
		}
	}
	return uses
}
