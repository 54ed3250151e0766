package main

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/quota"
	"salesforcesync/internal/salesforce"
)

// An exchange that fails is told once: by the error that it becomes, or here when the
// client makes it good by itself.
func TestFailedExchangesAreToldOnce(t *testing.T) {
	t.Parallel()
	core, lines := observer.New(zapcore.DebugLevel)
	observe := observe(newMetrics(prometheus.NewRegistry(), &quota.Governor{}), zap.New(core))
	failed := salesforce.Call{Kind: "query", Status: 401, Fault: fault.Stale, Code: "INVALID_SESSION_ID", RequestID: "req-7"}
	observe(salesforce.Call{Kind: "query", Status: 200})
	observe(failed)
	require.Empty(t, lines.All())
	failed.Again = true
	observe(failed)
	require.Len(t, lines.All(), 1)
	require.Equal(t, map[string]any{"call": "query", "status": int64(401), "fault": "Stale", "code": "INVALID_SESSION_ID", "salesforce_request_id": "req-7"},
		lines.All()[0].ContextMap())
}
