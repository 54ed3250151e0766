package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"salesforcesync/internal/flow"
)

// part is a part of a backfill with a page under way, or one that failed.
type part struct {
	name    string // for people
	page    int64
	running bool
	trouble
}

// busy reports whether the part may not be given out.
func (p *part) busy(now time.Time) bool { return p.running || p.until.After(now) }

// trouble is what something waits for after it failed.
type trouble struct {
	flow.Failure
	kind     string // "" = nothing that people need to see
	failures int    // in a row
	refused  int    // of these, for want of a right or a name
	until    time.Time
}

// note takes in another failure and says until when to wait.
func (t *trouble) note(ctx workflow.Context, cause error) {
	now := workflow.Now(ctx)
	t.failures++
	t.kind, t.Failure = failureOf(cause)
	switch t.kind {
	case kindStopped, kindFenced, kindReauthorize:
		// The rows in PostgreSQL say it all, and the next step reads them.
		t.giveBack(now)
	case kindConfig, kindPermission:
		t.refused++
		t.until = now.Add(refusal(ctx, "", t.refused, t.RetryAfter))
	default:
		t.until = now.Add(patience(t.kind, t.Failure, t.failures))
	}
}

// giveBack waits for no more than PostgreSQL's word, unless that leads here again and again.
func (t *trouble) giveBack(now time.Time) {
	t.kind, t.Failure = "", flow.Failure{}
	t.until = now.Add(breath)
	if t.failures > 1 {
		t.until = now.Add(backoff(t.failures - 1))
	}
}

// begin reads a part's pages beside those of other parts, from ref on. It is false when
// that part is busy: whoever named it did not know.
func (b *backfill) begin(ctx workflow.Context, ref flow.BatchRef) bool {
	p := b.parts[ref.Stream]
	if p == nil {
		p = &part{}
		b.parts[ref.Stream] = p
	}
	if p.busy(workflow.Now(ctx)) {
		return false
	}
	p.running = true
	p.name = fmt.Sprintf("part %d", ref.Part)
	if ref.Part == 0 {
		p.name = fmt.Sprintf("stream %d", ref.Stream)
	}
	if ref.Object == "" {
		ref.Object = b.params.Object
	}
	b.out++
	workflow.Go(ctx, func(ctx workflow.Context) {
		read, err := b.pages(ctx, p, ref)
		p.running = false
		switch {
		case temporal.IsCanceledError(err):
		case err != nil:
			p.note(ctx, err)
		case !read: // nothing to read after all
			p.failures++
			p.giveBack(workflow.Now(ctx))
		default:
			delete(b.parts, ref.Stream)
		}
		b.out-- // last but for what is shown: a new history may begin when nothing is out
		b.show(ctx)
	})
	return true
}

// pages polls, transforms and upserts one page after the other, until there is no more or
// until the workflow wants to stop. read is false when the last one was not there.
func (b *backfill) pages(ctx workflow.Context, p *part, ref flow.BatchRef) (read bool, err error) {
	for {
		p.page = ref.Seq
		b.show(ctx)
		what := fmt.Sprintf("%s %s, page %d", ref.Object, p.name, ref.Seq)
		polled, err := flow.Poll.Run(onBackfill(ctx, "poll "+what), ref)
		if err != nil || !polled.Sealed {
			return false, err
		}
		done, err := apply(ctx, onBackfill, ref, fmt.Sprintf("%s: %d rows", what, polled.Rows))
		if err != nil {
			return false, err
		}
		if !done.Again {
			b.state.Pages++
			b.state.Totals.Add(done.Counts)
			b.known.Rows += done.Counts.Rows
		}
		p.trouble = trouble{}
		if !done.More || b.parked || full(ctx) {
			return true, nil
		}
		done.Next.Object, done.Next.Part = ref.Object, ref.Part
		ref = done.Next
	}
}

// busy lists the streams of parts that must not be given out.
func (b *backfill) busy(ctx workflow.Context) []int64 {
	var streams []int64
	for _, stream := range workflow.DeterministicKeys(b.parts) {
		if b.parts[stream].busy(workflow.Now(ctx)) {
			streams = append(streams, stream)
		}
	}
	return streams
}

// worst is the trouble that is waited for longest; nil when there is none that people need
// to see.
func (b *backfill) worst(ctx workflow.Context) *trouble {
	var worst *trouble
	consider := func(t *trouble) {
		if t.kind != "" && (worst == nil || t.until.After(worst.until)) {
			worst = t
		}
	}
	consider(&b.trouble)
	for _, stream := range workflow.DeterministicKeys(b.parts) {
		if p := b.parts[stream]; p.busy(workflow.Now(ctx)) {
			consider(&p.trouble)
		}
	}
	return worst
}
