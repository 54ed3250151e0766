package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"salesforcesync/internal/fault"
)

// getStatistics counts the comments of a source, or those that the comment_filter
// of the body lets through. A filter that we cannot apply is refused: a wrong number
// is worse than none.
func (a *API) getStatistics(c *call) (reply, error) {
	filter, err := readFilter(c.r)
	if err != nil {
		return nil, err
	}
	var n int64
	if len(filter.sources) == 0 || slices.Contains(filter.sources, c.source.ID) {
		if n, err = a.counting.count(c.r.Context(), c.source.ID, filter.from, filter.to); err != nil {
			return nil, err
		}
	}
	return reply{"statistics": map[string]int64{"num_comments": n}}, nil
}

type commentFilter struct {
	from, to *time.Time
	sources  []string
}

func readFilter(r *http.Request) (filter commentFilter, err error) {
	raw, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return filter, err
	}
	if err != nil {
		return filter, fault.Wrap(fault.Invalid, err, "the body did not arrive whole")
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
			filter.from, filter.to = span.Minimum, span.Maximum
		case key == "sources":
			if err := json.Unmarshal(value, &filter.sources); err != nil {
				return filter, fault.Wrap(fault.Invalid, err, "comment_filter.sources is not a list of source ids")
			}
		default:
			return filter, fault.New(fault.Invalid, "comment_filter.%.64s cannot be filtered by here: timestamp and sources can", key)
		}
	}
	return filter, nil
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
