package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"salesforcesync/internal/comment"
	"salesforcesync/internal/words"
)

// What is generated: mail of five years, in threads of 1 to 50 that go on for some days.
var (
	firstDay = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	years    = 5 * 365 * 24 * time.Hour
)

const (
	openThreads   = 2000
	longestThread = 50
)

var priorities = []string{"Low", "Medium", "High", "Critical", "None"}

// generator makes comments in the order of time.
type generator struct {
	*language
	rows, made int
	threads    int
	open       []thread
}

// thread is a conversation that goes on.
type thread struct{ number, left int }

func newGenerator(rows int) *generator {
	return &generator{language: newLanguage(uint64(rows)), rows: rows}
}

// threadID and caseNumber are those of the n-th thread.
func threadID(n int) string   { return hex.EncodeToString(fmt.Appendf(nil, "500Qk%010dIAA", n)) }
func caseNumber(n int) string { return fmt.Sprintf("%08d", n) }
func commentID(n int) string  { return hex.EncodeToString(fmt.Appendf(nil, "02sQk%010dIAA", n)) }

// next makes one comment.
func (g *generator) next() comment.Comment {
	if len(g.open) < openThreads {
		left := 1 + g.random.IntN(4)
		if g.random.IntN(10) == 0 {
			left = 1 + g.random.IntN(longestThread)
		}
		g.open = append(g.open, thread{g.threads, left})
		g.threads++
	}
	i := g.random.IntN(len(g.open))
	t := g.open[i]
	if g.open[i].left--; g.open[i].left == 0 {
		g.open[i] = g.open[len(g.open)-1]
		g.open = g.open[:len(g.open)-1]
	}
	at := firstDay.Add(time.Duration(float64(years) * float64(g.made) / float64(g.rows))).Truncate(time.Second)
	host := g.host()
	c := comment.Comment{
		ID: commentID(g.made), Timestamp: at, ThreadID: threadID(t.number),
		Messages: []comment.Message{{
			Subject: &comment.Text{Text: string(g.appendText(nil, 2+g.random.IntN(4)))},
			Body:    comment.Text{Text: string(g.appendText(nil, 6+g.random.IntN(20)))},
			From:    allWords[g.random.IntN(vocabulary)] + "@" + host, To: []string{"support@acme.example"}, SentAt: &at,
		}},
		Properties: comment.Properties{
			"string:Case Number": caseNumber(t.number), "string:Priority": priorities[min(g.random.IntN(8), len(priorities)-1)],
			"string:Direction": []string{"inbound", "outbound"}[g.random.IntN(2)], "string:Domain": host,
		},
	}
	g.made++
	return c
}

// rowsOf are a comment's rows in three tables, as COPY reads them. Nothing in them has to be escaped.
type rowsOf struct{ comments, revisions, words []byte }

func (r *rowsOf) add(source string, number int, c *comment.Comment) error {
	texts := c.Texts()
	var parts [3][]byte
	for i, v := range []any{c.Envelope(), c.Properties, texts} {
		var err error
		if parts[i], err = json.Marshal(v); err != nil {
			return err
		}
	}
	at, hash := c.Timestamp.Format(time.RFC3339), hex.EncodeToString(comment.HashTexts(texts))
	r.comments = fmt.Appendf(r.comments, "%s\t%s\t%s\t%s\t%s\t%s\t1\t\\\\x%s\t\\\\x%s\n", source, c.ID, at, c.ThreadID, parts[0], parts[1], hash, hash)
	r.revisions = fmt.Appendf(r.revisions, "%s\t%s\t1\t%s\t\\\\x%s\t1\n", source, c.ID, parts[2], hash)
	r.words = fmt.Appendf(r.words, "%s\t%s\t%s\t%s\n", source, c.ID, at, words.Lexemes(number, c))
	return nil
}
