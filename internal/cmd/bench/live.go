package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// liveEvery is how often a mail is written.
const liveEvery = time.Second

// liveMail writes mails into the simulator and sees when each can be read over the API.
type liveMail struct {
	i      *install
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex
	list []time.Duration // how long each took, in the order in which they were written
	err  error
}

// startLive begins to write.
func (i *install) startLive(ctx context.Context) *liveMail {
	ctx, cancel := context.WithCancel(ctx)
	l := &liveMail{i: i, cancel: cancel}
	l.done.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			next := time.Now().Add(liveEvery)
			wait, err := l.one(ctx, n)
			l.mu.Lock()
			switch {
			case err == nil:
				l.list = append(l.list, wait)
			case ctx.Err() == nil && l.err == nil:
				l.err = err
			}
			l.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-time.After(time.Until(next)):
			}
		}
	})
	return l
}

// one writes a mail and waits until it can be read.
func (l *liveMail) one(ctx context.Context, n int) (time.Duration, error) {
	var row struct{ ID string }
	err := callJSON(ctx, http.MethodPost, l.i.simURL+"/_sim/records/EmailMessage", "", map[string]any{"fields": map[string]any{
		"Subject": fmt.Sprintf("Live %d", n), "TextBody": fmt.Sprintf("This is live mail number %d.", n), "Incoming": true, "Status": "1",
		"FromAddress": "live@customer.example", "ToAddress": "support@acme.example",
		"MessageDate": time.Now().UTC().Format(soqlTime),
	}}, &row)
	if err != nil {
		return 0, err
	}
	written := time.Now()
	l.i.mu.Lock()
	l.i.written = append(l.i.written, row.ID)
	l.i.mu.Unlock()
	target := l.i.public + "/api/v1/sources/" + project + "/" + source + "/comments/" + strings.ToLower(hex.EncodeToString([]byte(row.ID)))
	for {
		err := callJSON(ctx, http.MethodGet, target, l.i.token, nil, nil)
		var status *statusError
		switch {
		case err == nil:
			return time.Since(written), nil
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case !errors.As(err, &status) || status.code != http.StatusNotFound:
			return 0, err
		case time.Since(written) > 5*time.Minute:
			return 0, fmt.Errorf("live mail %s cannot be read after five minutes", row.ID)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// waits are those so far.
func (l *liveMail) waits() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]time.Duration(nil), l.list...)
}

// more waits until so many more have arrived.
func (l *liveMail) more(ctx context.Context, n int) error {
	want := len(l.waits()) + n
	for len(l.waits()) < want {
		l.mu.Lock()
		err := l.err
		l.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// stop ends the writing.
func (l *liveMail) stop() {
	l.cancel()
	l.done.Wait()
}

// unwrite takes the live mails out of the simulator without a trace, so that all rows of the
// table read the same mails.
func (i *install) unwrite(ctx context.Context) error {
	for _, id := range i.written {
		if err := callJSON(ctx, http.MethodDelete, i.simURL+"/_sim/records/EmailMessage/"+id+"?hard=true", "", nil, nil); err != nil {
			return fmt.Errorf("take live mail %s out again: %w", id, err)
		}
	}
	return nil
}
