package comment

import (
	"encoding/json"
	"math"
	"strconv"
)

// Number is a property's value as JSON, always written as a float: clients take 2 for an
// integer and refuse it where they expect 2.0.
type Number float64

// MarshalJSON writes the number with a point or an exponent.
func (n Number) MarshalJSON() ([]byte, error) {
	if f := float64(n); f == math.Trunc(f) && math.Abs(f) < 1e21 { // from where on JSON has an exponent
		return append(strconv.AppendFloat(nil, f, 'f', -1, 64), ".0"...), nil
	}
	return json.Marshal(float64(n))
}
