package request

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"time"
)

// streamPause is how long a reader of a stream may take for one piece. The server's own limit is for a
// whole answer, and a stream has no length.
const streamPause = 60 * time.Second

// Stream writes an answer whose length nobody knows, in pieces as write makes them, as a file to be
// saved under a name; compressed when the caller takes gzip. An error before the first piece left is
// returned, and nothing is answered. After that the connection is cut, so that nobody takes half of it
// for the whole.
func Stream(w http.ResponseWriter, r *http.Request, contentType, filename string, write func(io.Writer) error) error {
	s := &streaming{w: w, r: r, contentType: contentType, filename: filename, control: http.NewResponseController(w)}
	out := bufio.NewWriterSize(s, 32<<10)
	err := write(out)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = s.end()
	}
	if err == nil || !s.begun {
		return err
	}
	Of(r.Context()).Err = err
	panic(http.ErrAbortHandler)
}

// streaming sends the head of an answer before its first piece.
type streaming struct {
	w           http.ResponseWriter
	r           *http.Request
	contentType string
	filename    string
	control     *http.ResponseController
	zip         *gzip.Writer
	begun       bool
}

func (s *streaming) begin() {
	s.begun = true
	h := s.w.Header()
	h.Set("Content-Type", s.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", `attachment; filename="`+s.filename+`"`)
	h.Add("Vary", "Accept-Encoding")
	if AcceptsGzip(s.r) {
		h.Set("Content-Encoding", "gzip")
		s.zip = compressors.Get().(*gzip.Writer)
		s.zip.Reset(s.w)
	}
	s.w.WriteHeader(http.StatusOK)
}

// Write sends a piece.
func (s *streaming) Write(piece []byte) (int, error) {
	if !s.begun {
		s.begin()
	}
	if s.r.Method == http.MethodHead {
		return len(piece), nil
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(streamPause)) // a writer without deadlines has none to move
	if s.zip != nil {
		return s.zip.Write(piece)
	}
	return s.w.Write(piece)
}

func (s *streaming) end() error {
	if !s.begun {
		s.begin()
	}
	if s.zip == nil {
		return nil
	}
	defer compressors.Put(s.zip)
	if s.r.Method == http.MethodHead {
		return nil
	}
	return s.zip.Close()
}
