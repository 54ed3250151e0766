package devstack

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// pgAccepts asks the server at addr in PostgreSQL's own protocol (version 3.0,
// "Message Flow, Start-up" in PostgreSQL's documentation) whether it takes
// connections: it says hello and reads one message. A request for a password means
// yes; an error (57P03 while it starts, recovers or stops) means not now. So
// pg_isready does it, which not every distribution of PostgreSQL has.
func pgAccepts(ctx context.Context, addr, user string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}

	const version3 = 3 << 16
	params := "user\x00" + user + "\x00database\x00postgres\x00\x00"
	hello := binary.BigEndian.AppendUint32(nil, uint32(8+len(params)))
	hello = binary.BigEndian.AppendUint32(hello, version3)
	hello = append(hello, params...)
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	var head [5]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	switch size := binary.BigEndian.Uint32(head[1:]); {
	case head[0] == 'R':
		return nil
	case head[0] == 'E' && size > 4 && size < 64<<10:
		body := make([]byte, size-4)
		if _, err := io.ReadFull(conn, body); err != nil {
			return err
		}
		return fmt.Errorf("the server says: %s", pgMessage(body))
	default:
		return fmt.Errorf("%s does not speak PostgreSQL's protocol", addr)
	}
}

// pgMessage picks the text out of an error message: fields of one type byte and
// a zero-ended string; M is the text for people.
func pgMessage(body []byte) string {
	for field := range strings.SplitSeq(string(body), "\x00") {
		if strings.HasPrefix(field, "M") {
			return field[1:]
		}
	}
	return "an error without a text"
}
