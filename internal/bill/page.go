package bill

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/store"
)

// UnitsPage lists the units that a filter chooses, at most limit, behind the place that the page before gave; "" is
// the first page. next is the place behind them, "" when there are no more. A list is of what there was
// when its first page was asked for, however long it takes to read it.
// Errors: fault.Invalid for a place that was never given.
func UnitsPage(ctx context.Context, s Ledger, f store.LedgerFilter, place string, limit int) (units []store.Unit, next string, err error) {
	at := unitsPlace{}
	if place == "" {
		at.Before, err = s.SettledUnits(ctx)
	} else {
		at, err = readUnitsPlace(place)
	}
	if err != nil {
		return nil, "", err
	}
	units, more, err := s.ListUnits(ctx, f, at.Before, at.After, limit)
	if err != nil || !more {
		return units, "", err
	}
	key := units[len(units)-1].Key()
	at.After = &key
	return units, at.String(), nil
}

// unitsPlace is a place in a list of units. It is no secret and no right: what is asked for, and
// whether the caller may see it, is read with every page.
type unitsPlace struct {
	Before time.Time      `json:"b"`
	After  *store.UnitKey `json:"a"`
}

// String writes the place as one word.
func (u unitsPlace) String() string {
	raw, _ := json.Marshal(u) // times read from PostgreSQL always encode
	return base64.RawURLEncoding.EncodeToString(raw)
}

var sourceID = regexp.MustCompile(`^[0-9a-f]{16}$`)

func readUnitsPlace(text string) (unitsPlace, error) {
	var u unitsPlace
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &u) != nil || u.After == nil || !sourceID.MatchString(u.After.SourceID) ||
		strings.ContainsRune(u.After.CommentID, 0) || u.After.Revision < 0 || u.After.Revision > 1<<30 || u.Before.Year() > 9999 || u.After.At.Year() > 9999 {
		return u, fault.New(fault.Invalid, "after is not a continuation of this list: send it as it was received")
	}
	return u, nil
}
