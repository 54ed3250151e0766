package main

import (
	"os"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
)

func newHistory() *historypb.History { return &historypb.History{} }

// writeHistory writes what `temporal workflow show --output json` would.
func writeHistory(path string, h *historypb.History) error {
	raw, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(h)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}
