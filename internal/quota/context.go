package quota

import (
	"context"
	"sync/atomic"
)

type (
	classKey struct{}
	meterKey struct{}
	probeKey struct{}
)

// WithClass says how urgent the calls made under ctx are.
func WithClass(ctx context.Context, c Class) context.Context {
	return context.WithValue(ctx, classKey{}, c)
}

func classOf(ctx context.Context) Class {
	c, _ := ctx.Value(classKey{}).(Class) // Live when nobody said
	return c
}

// isProbe reports whether a call is the governor's own, which must not ask itself.
func isProbe(ctx context.Context) bool { return ctx.Value(probeKey{}) != nil }

// Meter counts calls that were admitted.
type Meter struct{ calls atomic.Int64 }

// Metered makes a context whose calls are counted.
func Metered(ctx context.Context) (context.Context, *Meter) {
	m := &Meter{}
	return context.WithValue(ctx, meterKey{}, m), m
}

// Calls is how many there were.
func (m *Meter) Calls() int { return int(m.calls.Load()) }

func meterOf(ctx context.Context) *Meter {
	m, _ := ctx.Value(meterKey{}).(*Meter)
	return m
}
