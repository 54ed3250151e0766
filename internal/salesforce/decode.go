package salesforce

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// jsonBody returns the body of a good answer when it begins as the JSON that was
// asked for. An HTML page with status 200, an error list with status 200 and an
// empty body are sorted like the bodies of bad answers.
func jsonBody(a *answer, want byte) (io.Reader, error) {
	b := bufio.NewReaderSize(a.body, 32<<10)
	for {
		c, err := b.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil, Sort("", a.status, a.header, nil)
			}
			return nil, err
		}
		if c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0xef || c == 0xbb || c == 0xbf {
			continue // white space or a byte order mark
		}
		if err := b.UnreadByte(); err != nil {
			return nil, err
		}
		if c == want {
			return b, nil
		}
		const enough = 64 << 10
		body, err := io.ReadAll(io.LimitReader(b, enough))
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		return nil, Sort("", a.status, a.header, body)
	}
}

// decodeJSON reads the whole body into v; want is its first byte, '{' or '['.
func decodeJSON(a *answer, want byte, v any) error {
	if a.status == http.StatusNoContent {
		return Sort("", a.status, a.header, nil)
	}
	body, err := jsonBody(a, want)
	if err != nil {
		return err
	}
	err = json.NewDecoder(body).Decode(v)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
