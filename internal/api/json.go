package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"salesforcesync/internal/fault"
)

// readWhole reads the body of a request.
func readWhole(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, bodyFault(err)
	}
	return raw, nil
}

// readJSON reads the body of a request into a struct. A key that the struct does not have is refused: what
// was meant by it would be left undone in silence.
func readJSON(r *http.Request, into any) error {
	raw, err := readWhole(r)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fault.Wrap(fault.Invalid, err, "the body is not the JSON that this takes: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "the body has something behind its JSON object")
	}
	return nil
}
