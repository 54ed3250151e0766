package config

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Limits of monthly_unit_cap. The upper one keeps sums in range; nobody has such a bill.
const (
	MinUnitCap = 1
	MaxUnitCap = 1_000_000_000_000
)

// Grouped writes 15000 as 15,000.
func Grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(text) - 3; i > first; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// unitCap reads monthly_unit_cap.
func (r *fileReader) unitCap(n *yaml.Node) int64 {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
		given := kind(n)
		if n.Kind == yaml.ScalarNode {
			given = strconv.Quote(clip(n.Value))
		}
		r.problem(n, "monthly_unit_cap: must be a whole number of AI units, such as 50000, not %s", given)
		return 0
	}
	var units int64
	if err := n.Decode(&units); err != nil || units < MinUnitCap || units > MaxUnitCap {
		r.problem(n, "monthly_unit_cap: %s is not between %d and %d: leave it out for no cap, and pause the integration to spend nothing",
			clip(n.Value), int64(MinUnitCap), int64(MaxUnitCap))
		return 0
	}
	return units
}
