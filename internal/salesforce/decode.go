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
	text, known := jsonText(a.body, a.header, a.lenient)
	if !known {
		return nil, unwanted(a, []byte("in a charset that is not known"))
	}
	b := bufio.NewReaderSize(text, 32<<10)
	for {
		c, err := b.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil, unwanted(a, nil)
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
		return nil, unwantedBody(a, b)
	}
}

// unwanted sorts a body that is not what was asked for although the status is good.
func unwanted(a *answer, body []byte) error {
	e, cure := sortAnswer("", a.status, a.header, body)
	return &mendable{e, cure}
}

// unwantedBody is unwanted for a body that was not read yet.
func unwantedBody(a *answer, from io.Reader) error {
	const enough = 64 << 10
	body, err := io.ReadAll(io.LimitReader(from, enough))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return unwanted(a, body)
}

// decodeJSON reads the whole body into v; want is its first byte, '{' or '['.
func decodeJSON(a *answer, want byte, v any) error {
	if a.status == http.StatusNoContent {
		return unwanted(a, nil)
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
