package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/fault"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	quota := fault.New(fault.Quota, "used up")
	for name, c := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"nothing":                         {nil, ""},
		"a fault":                         {quota, fault.Quota},
		"wrapped by fmt":                  {fmt.Errorf("poll: %w", quota), fault.Quota},
		"wrapped twice":                   {fmt.Errorf("a: %w", fmt.Errorf("b: %w", quota)), fault.Quota},
		"joined":                          {errors.Join(io.EOF, quota), fault.Quota},
		"the outer fault decides":         {fault.Wrap(fault.Config, quota, "check"), fault.Config},
		"a fault around a foreign error":  {fault.Wrap(fault.Transient, io.EOF, "read"), fault.Transient},
		"unknown":                         {io.EOF, fault.Internal},
		"cancelled":                       {fmt.Errorf("poll: %w", context.Canceled), fault.Transient},
		"out of time":                     {context.DeadlineExceeded, fault.Transient},
		"a fault around an ended context": {fault.Wrap(fault.Unreachable, context.DeadlineExceeded, "connect"), fault.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, fault.KindOf(c.err))
			require.True(t, fault.Is(c.err, fault.NotFound, c.want))
			require.False(t, fault.Is(c.err, fault.NotFound, fault.Forbidden))
			require.False(t, fault.Is(c.err))
		})
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]*fault.Error{
		"no such field":            fault.New(fault.Config, "no such field"),
		"100 % of 5":               fault.New(fault.Quota, "100 %% of %d", 5),
		"Transient":                {Kind: fault.Transient},
		"query Case: no such":      {Kind: fault.Config, Op: "query Case", Message: "no such"},
		"query Case: Config: EOF":  {Kind: fault.Config, Op: "query Case", Cause: io.EOF},
		"no (INVALID_FIELD)":       {Kind: fault.Config, Message: "no", Code: "INVALID_FIELD"},
		"no (request id r1)":       {Kind: fault.Config, Message: "no", RequestID: "r1"},
		"no (C, request id r1)":    {Kind: fault.Config, Message: "no", Code: "C", RequestID: "r1"},
		"read a row 7: EOF":        fault.Wrap(fault.Transient, io.EOF, "read a row %d", 7),
		"read a row":               fault.Wrap(fault.Transient, nil, "read a row"),
		"hints are not in the way": fault.New(fault.Invalid, "hints are not in the way").WithHint("do %s", "this"),
	} {
		require.EqualError(t, err, want)
	}
}

func TestCausesCanBeFound(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("poll: %w", fault.Wrap(fault.Transient, fmt.Errorf("read: %w", io.ErrUnexpectedEOF), "query"))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	var f *fault.Error
	require.ErrorAs(t, err, &f)
	require.Equal(t, fault.Transient, f.Kind)
}

func TestHintOf(t *testing.T) {
	t.Parallel()
	inner := fault.New(fault.Config, "no such field").WithHint("grant Read on %s", "it")
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"nothing":                       {nil, ""},
		"a foreign error":               {io.EOF, ""},
		"no hint":                       {fault.New(fault.Config, "x"), ""},
		"its own":                       {inner, "grant Read on it"},
		"below fmt":                     {fmt.Errorf("check: %w", inner), "grant Read on it"},
		"below a fault without":         {fault.Wrap(fault.Internal, fmt.Errorf("check: %w", inner), "apply"), "grant Read on it"},
		"the outer hint is nearer":      {fault.Wrap(fault.Internal, inner, "apply").WithHint("look at the file"), "look at the file"},
		"a chain that ends in a fault":  {fault.Wrap(fault.Internal, fault.New(fault.Config, "x"), "y"), ""},
		"a chain that ends in an error": {fault.Wrap(fault.Internal, io.EOF, "y"), ""},
	} {
		require.Equal(t, c.want, fault.HintOf(c.err), name)
	}
}

func TestRetryAfterOf(t *testing.T) {
	t.Parallel()
	limited := &fault.Error{Kind: fault.RateLimited, RetryAfter: 7 * time.Second}
	require.Zero(t, fault.RetryAfterOf(nil))
	require.Zero(t, fault.RetryAfterOf(io.EOF))
	require.Equal(t, 7*time.Second, fault.RetryAfterOf(fmt.Errorf("poll: %w", limited)))
	require.Equal(t, 7*time.Second, fault.RetryAfterOf(fault.Wrap(fault.Transient, limited, "query Case")), "who wraps without an opinion does not hide one")
	require.Equal(t, time.Second, fault.RetryAfterOf(&fault.Error{Kind: fault.Transient, RetryAfter: time.Second, Cause: limited}))
}
