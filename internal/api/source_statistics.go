package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// getStatistics counts the comments of a source, or those that the comment_filter
// of the body lets through. A filter that we cannot apply is refused: a wrong number
// is worse than none.
func (a *API) getStatistics(c *call) (reply, error) {
	filter, err := readFilter(c.r)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(filter.Properties)) {
		if err := c.hidden().Allow(name, c.project); err != nil {
			return nil, err
		}
	}
	var n int64
	if len(filter.sources) == 0 || slices.Contains(filter.sources, c.source.ID) {
		if n, err = a.counting.count(c.r.Context(), c.source.ID, filter.CountFilter); err != nil {
			return nil, err
		}
	}
	return reply{"statistics": map[string]int64{"num_comments": n}}, nil
}

type commentFilter struct {
	store.CountFilter
	sources []string
}

func readFilter(r *http.Request) (filter commentFilter, err error) {
	raw, err := readWhole(r)
	if err != nil {
		return filter, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return filter, nil
	}
	var body struct {
		Filter map[string]json.RawMessage `json:"comment_filter"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return filter, fault.Wrap(fault.Invalid, err, "the body is not a JSON object with comment_filter, an object")
	}
	for _, key := range slices.Sorted(maps.Keys(body.Filter)) {
		value := bytes.TrimSpace(body.Filter[key])
		switch {
		case isEmpty(value):
		case key == "timestamp":
			var span struct {
				Minimum *time.Time `json:"minimum"`
				Maximum *time.Time `json:"maximum"`
			}
			d := json.NewDecoder(bytes.NewReader(value))
			d.DisallowUnknownFields()
			if err := d.Decode(&span); err != nil {
				return filter, fault.Wrap(fault.Invalid, err, "comment_filter.timestamp is not an object with minimum and maximum in RFC 3339")
			}
			filter.From, filter.To = span.Minimum, span.Maximum
		case key == "sources":
			if err := json.Unmarshal(value, &filter.sources); err != nil {
				return filter, fault.Wrap(fault.Invalid, err, "comment_filter.sources is not a list of source ids")
			}
		case key == "user_properties":
			if filter.Properties, err = readPropertyFilters(value); err != nil {
				return filter, err
			}
		default:
			return filter, fault.New(fault.Invalid, "comment_filter.%.64s cannot be filtered by here: timestamp, user_properties and sources can", key)
		}
	}
	return filter, nil
}

// maxPropertyFilters is how many properties, and values of one, may be named.
const maxPropertyFilters = 64

func readPropertyFilters(raw []byte) (map[string]store.PropertyFilter, error) {
	var body map[string]struct {
		OneOf    []any `json:"one_of"`
		NotOneOf []any `json:"not_one_of"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "comment_filter.user_properties is not an object of properties with one_of and not_one_of, lists of values")
	}
	if len(body) > maxPropertyFilters {
		return nil, fault.New(fault.Invalid, "comment_filter.user_properties names %d properties, at most %d", len(body), maxPropertyFilters)
	}
	filters := make(map[string]store.PropertyFilter, len(body))
	for _, name := range slices.Sorted(maps.Keys(body)) {
		f := body[name]
		if len(f.OneOf)+len(f.NotOneOf) > maxPropertyFilters {
			return nil, fault.New(fault.Invalid, "comment_filter.user_properties.%.64s has %d values, at most %d", name, len(f.OneOf)+len(f.NotOneOf), maxPropertyFilters)
		}
		for _, value := range slices.Concat(f.OneOf, f.NotOneOf) {
			one := comment.Comment{ID: "a", Timestamp: time.Unix(0, 0), Messages: []comment.Message{{}}, Properties: comment.Properties{name: value}}
			if err := one.Validate(); err != nil {
				return nil, fault.New(fault.Invalid, "comment_filter.user_properties: %v", err)
			}
		}
		filters[name] = store.PropertyFilter{OneOf: f.OneOf, NotOneOf: f.NotOneOf}
	}
	return filters, nil
}

// isEmpty reports a filter that lets everything through; clients send them along.
func isEmpty(value []byte) bool {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return false
	}
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}
