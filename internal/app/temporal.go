package app

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"salesforcesync/internal/fault"
)

// DialTemporal connects to Temporal and checks that it answers and has the
// namespace. Errors are fault.Unreachable, or fault.Invalid for a namespace that
// does not exist.
func DialTemporal(ctx context.Context, log *zap.Logger, o client.Options) (client.Client, error) {
	o.Logger = TemporalLogger(log)
	// A connection that a network has forgotten is known to be dead within 25 seconds; the SDK's own 45 leave little of the
	// minute in which work goes on. Temporal refuses to be asked more often than every ten seconds.
	o.ConnectionOptions.KeepAliveTime, o.ConnectionOptions.KeepAliveTimeout = 15*time.Second, 10*time.Second
	c, err := client.DialContext(ctx, o)
	if err != nil {
		var missing *serviceerror.NamespaceNotFound
		if errors.As(err, &missing) {
			return nil, fault.Wrap(fault.Invalid, err, "Temporal at %s has no namespace %q", o.HostPort, o.Namespace).
				WithHint("create it with `temporal operator namespace create -n %s`, or set TEMPORAL_NAMESPACE", o.Namespace)
		}
		return nil, fault.Wrap(fault.Unreachable, err, "Temporal at %s does not answer", o.HostPort).
			WithHint("check TEMPORAL_ADDRESS and that the server is running")
	}
	return c, nil
}

// TemporalReady is the check of readiness that Temporal answers and has the namespace: a server that came
// back with an empty database answers, too, and nothing is run there. Who may not ask for the namespace is
// content with the answer.
func TemporalReady(c client.Client, namespace string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
			return err
		}
		_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
		var missing *serviceerror.NamespaceNotFound
		if errors.As(err, &missing) {
			return fault.Wrap(fault.Invalid, err, "Temporal has no namespace %q", namespace)
		}
		return nil
	}
}
