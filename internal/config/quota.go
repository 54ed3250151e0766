package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Quota bounds what is taken of the org's daily API requests. Integrations on one org
// share one budget, by the strictest of their files.
type Quota struct {
	Share   Percent `json:"share"`   // of the org's requests, the most that all our integrations use together
	Reserve Percent `json:"reserve"` // of the org's requests, kept for other programs: with less left nothing is asked
}

// DefaultQuota is in force where a file says nothing.
var DefaultQuota = Quota{Share: 20, Reserve: 10}

// Limits of a share; a reserve may be nothing.
const (
	MinShare Percent = 0.1
	MaxShare Percent = 100
)

// InForce fills in the default for a quota that was never given.
func (q Quota) InForce() Quota {
	if q.Share == 0 {
		return DefaultQuota
	}
	return q
}

// Strictest is what satisfies both q and p.
func (q Quota) Strictest(p Quota) Quota {
	return Quota{Share: min(q.Share, p.Share), Reserve: max(q.Reserve, p.Reserve)}
}

// Percent is a part of a hundred. It reads and writes as "20%".
type Percent float64

// Of is so many percent of n.
func (p Percent) Of(n int64) float64 { return float64(n) * float64(p) / 100 }

// String writes "20%" or "12.5%".
func (p Percent) String() string { return strconv.FormatFloat(float64(p), 'f', -1, 64) + "%" }

// MarshalText writes "20%".
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads "20%".
func (p *Percent) UnmarshalText(text []byte) error {
	number, sign := strings.CutSuffix(strings.TrimSpace(string(text)), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !sign || v != v {
		return fmt.Errorf("read a percentage: %q is none", text)
	}
	*p = Percent(v)
	return nil
}

func (r *fileReader) quota(n *yaml.Node) Quota {
	q := DefaultQuota
	keys := r.mapping(n, "quota", []string{"share", "reserve"})
	if v, ok := keys["share"]; ok {
		q.Share = r.percent(v, "quota: share", MinShare, MaxShare, q.Share)
	}
	if v, ok := keys["reserve"]; ok {
		q.Reserve = r.percent(v, "quota: reserve", 0, 100-MinShare, q.Reserve)
	}
	if q.Share+q.Reserve > 100 {
		r.problem(n, "quota: a share of %s and a reserve of %s are more than the org has: lower one of them", q.Share, q.Reserve)
		return DefaultQuota
	}
	return q
}

func (r *fileReader) percent(n *yaml.Node, key string, least, most, otherwise Percent) Percent {
	if n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float") {
		r.problem(n, "%s: %s has no %% sign: write %s%%", key, clip(n.Value), clip(n.Value))
		return otherwise
	}
	value := r.text(n, key)
	if value == "" {
		return otherwise
	}
	var p Percent
	switch err := p.UnmarshalText([]byte(value)); {
	case err != nil:
		r.problem(n, "%s: %q is not a percentage: write it as %s", key, clip(value), otherwise)
	case p < least || p > most:
		r.problem(n, "%s: %s is not between %s and %s", key, clip(value), least, most)
	default:
		return p
	}
	return otherwise
}
