package api

import (
	"slices"
	"strings"

	"salesforcesync/internal/access"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// Limits of a source's fields, as the API's schema has them.
const (
	maxTitle         = 128
	maxDescription   = 16384
	maxSensitive     = 4096
	maxSensitiveName = 1024
	maxTransformTag  = 128
)

// What a source's language and kind may be.
var (
	languages = []string{"en", "de", "xlm"}
	kinds     = []string{"unknown", "call", "chat", "ixp_design", "ixp_runtime"}
)

// createSource makes a source in a project.
func (a *API) createSource(c *call) (reply, error) {
	fields, err := c.sourceFields()
	if err != nil {
		return nil, err
	}
	source, err := a.store.CreateSource(c.r.Context(), c.project, c.name, fields)
	if err != nil {
		return nil, err
	}
	return reply{"source": toWireSource(*source)}, nil
}

// updateSource changes the fields of a source that the body has.
func (a *API) updateSource(c *call) (reply, error) {
	fields, err := c.sourceFields()
	if err != nil {
		return nil, err
	}
	if fields.Kind != nil && *fields.Kind != c.source.Kind {
		return nil, fault.New(fault.Invalid, "source._kind is %s, and stays what it was when the source was created", quoted(c.source.Kind))
	}
	fields.Veiled = !c.who.Can(c.project, access.SourcesReadSensitive)
	source, err := a.store.UpdateSource(c.r.Context(), c.source.ID, fields)
	if err != nil {
		return nil, c.nameSource(err)
	}
	return reply{"source": toWireSource(*source)}, nil
}

// deleteSource deletes a source with its comments. The bill stays.
func (a *API) deleteSource(c *call) (reply, error) {
	return reply{}, c.nameSource(a.store.DeleteSource(c.r.Context(), c.source.ID))
}

var sourceKeys = []string{"title", "description", "language", "should_translate", "sensitive_properties", "_kind", "email_transform_tag", "bucket_id"}

// sourceFields reads a body {"source": {...}}.
func (c *call) sourceFields() (f store.SourceFields, err error) {
	err = c.wrapped("source", sourceKeys, func(s *strict, key string) (err error) {
		switch key {
		case "title":
			f.Title, err = pointer(s.text(maxTitle))
		case "description":
			f.Description, err = pointer(s.text(maxDescription))
		case "language":
			f.Language, err = pointer(s.oneOf(languages))
		case "should_translate":
			f.ShouldTranslate, err = pointer(s.boolean())
		case "sensitive_properties":
			f.SensitiveProperties, err = s.texts(maxSensitive, 1, maxSensitiveName)
			f.SensitiveProperties = append([]string{}, f.SensitiveProperties...) // none is not nil: it takes away what was there
		case "_kind":
			f.Kind, err = pointer(s.oneOf(kinds))
		case "email_transform_tag":
			f.EmailTransformTag, err = pointer(s.textOf(1, maxTransformTag))
		case "bucket_id":
			err = wrong("names a bucket, and there are none here: leave it out or send null")
		}
		return err
	}, nil)
	return f, err
}

// oneOf reads one of these texts.
func (s *strict) oneOf(texts []string) (string, error) {
	text, err := s.text(maxDescription)
	if err == nil && !slices.Contains(texts, text) {
		err = wrong("is " + quoted(text) + ", want " + strings.Join(texts, ", "))
	}
	return text, err
}

// wrapped reads a body that is an object in an object, such as {"source": {...}}: read reads the value of one
// of keys. others are what may stand beside it.
func (c *call) wrapped(name string, keys []string, read func(s *strict, key string) error, others map[string]func(s *strict) error) error {
	names := []string{name}
	for other := range others {
		names = append(names, other)
	}
	return c.object(func(s *strict) error {
		present, err := s.fields(names, func(i int) error {
			if i > 0 {
				return others[names[i]](s)
			}
			_, err := s.fields(keys, func(i int) error { return read(s, keys[i]) })
			return err
		})
		if err != nil {
			return err
		}
		return missing(names[:1], present)
	})
}
