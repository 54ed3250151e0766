package api

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"salesforcesync/internal/fault"
)

const (
	// maxBody is enough for any request that does not bring comments.
	maxBody = 1 << 20
	// maxBatch is what a batch of comments may have; both count what was compressed after it is unpacked.
	maxBatch = 64 << 20
)

// slowest is how long a caller may take for the next bytes of a large body.
const slowest = 30 * time.Second

// body is a request's body: unpacked, and no larger than maxBody for those who do not ask for more.
type body struct {
	io.ReadCloser               // at most maxBody
	whole         io.ReadCloser // at most maxBatch
}

// openBody makes the body of a request readable. Nothing is read yet.
func openBody(w http.ResponseWriter, r *http.Request) (*body, error) {
	raw := &patient{http.MaxBytesReader(w, r.Body, maxBatch), http.NewResponseController(w)}
	var whole io.ReadCloser = raw
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip":
		whole = http.MaxBytesReader(w, &unpacking{raw: raw}, maxBatch)
	default:
		return nil, &unsupportedEncoding{encoding}
	}
	return &body{http.MaxBytesReader(w, whole, maxBody), whole}, nil
}

// unsupportedEncoding is a body packed in a way that we do not take.
type unsupportedEncoding struct{ encoding string }

func (e *unsupportedEncoding) Error() string {
	return "the body's Content-Encoding is " + quoted(e.encoding) + ", want gzip or none"
}

// patient waits for a large body as long as bytes keep coming. The server's own limit is for a whole request,
// which one that brings many megabytes over a slow line would not keep.
type patient struct {
	io.ReadCloser
	connection *http.ResponseController
}

func (p *patient) Read(b []byte) (int, error) {
	// Tests without a connection have nothing to wait for.
	_ = p.connection.SetReadDeadline(time.Now().Add(slowest))
	n, err := p.ReadCloser.Read(b)
	if err != nil { // the end: now the work, and the answer
		_ = p.connection.SetReadDeadline(time.Time{})
		_ = p.connection.SetWriteDeadline(time.Now().Add(2 * slowest))
	}
	return n, err
}

// unpacking unpacks a body from its first read on.
type unpacking struct {
	raw io.ReadCloser
	zip *gzip.Reader
}

func (u *unpacking) Read(b []byte) (int, error) {
	if u.zip == nil {
		zip, err := gzip.NewReader(u.raw)
		if err != nil {
			return 0, err
		}
		u.zip = zip
	}
	return u.zip.Read(b)
}

func (u *unpacking) Close() error { return u.raw.Close() }

// batch runs read on the whole body of a request that brings comments. Bodies that are not small are read
// a few at a time, because what they bring is in memory; small ones are there before
// anybody else has to wait for them.
func (a *API) batch(c *call, read func(io.Reader) error) error {
	whole := io.Reader(c.r.Body)
	if b, ok := c.r.Body.(*body); ok {
		whole = b.whole
	}
	ahead := bufio.NewReaderSize(whole, 1<<10)
	small, err := io.ReadAll(io.LimitReader(ahead, maxBody))
	if err != nil {
		return bodyFault(err)
	}
	if len(small) == maxBody {
		leave, err := a.batches.Enter(c.r.Context())
		if err != nil {
			return err
		}
		defer leave()
	}
	return read(io.MultiReader(bytes.NewReader(small), ahead))
}

// object reads a small body that is one JSON object, and hands it to read.
func (c *call) object(read func(*strict) error) error {
	raw, err := readWhole(c.r)
	if err != nil {
		return err
	}
	if err := checkJSON(raw); err != nil {
		return err
	}
	return invalid(read(&strict{data: raw}))
}

// checkJSON refuses what is not one JSON value.
func checkJSON(raw []byte) error {
	var value json.RawMessage
	if err := json.Unmarshal(raw, &value); err != nil {
		return fault.Wrap(fault.Invalid, err, "the body is not JSON: %v", err)
	}
	return nil
}

// invalid makes a fault of what does not fit.
func invalid(err error) error {
	var m *misfit
	if errors.As(err, &m) {
		if m.place == "" {
			return fault.New(fault.Invalid, "the body %s", m.what)
		}
		return fault.New(fault.Invalid, "%s", m.Error())
	}
	return err
}

// bodyFault is the fault of a body that could not be read to its end.
func bodyFault(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return fault.Wrap(fault.Invalid, err, "the body did not arrive whole")
}
