package main

import (
	"context"
	"errors"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"salesforcesync/internal/fault"
	"salesforcesync/internal/flow"
	"salesforcesync/internal/operate"
)

// visibleWait bounds the wait for new search attributes to be usable: each of
// Temporal's services refreshes its own copy of the namespace.
const visibleWait = time.Minute

// createAttributes creates the search attributes that are missing and waits until they
// can be used. It gives those it created.
func (w *workflows) createAttributes(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, visibleWait)
	defer cancel()
	created := []string{}
	have, err := w.attributes(ctx)
	if err != nil {
		return nil, err
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, name := range flow.Attributes {
		switch kind, ok := have[name]; {
		case !ok:
			missing[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
			created = append(created, name)
		case kind != enumspb.INDEXED_VALUE_TYPE_KEYWORD:
			return nil, fault.New(fault.Conflict, "temporal: search attribute %s of namespace %s is %s, not Keyword", name, w.Namespace, kind).
				WithHint("remove it if nothing uses it: temporal operator search-attribute remove -n %s --name %s", w.Namespace, name)
		}
	}
	if len(missing) > 0 {
		_, err := w.Client.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: w.Namespace, SearchAttributes: missing,
		})
		var there *serviceerror.AlreadyExists // another setup at the same time
		if err != nil && !errors.As(err, &there) {
			return nil, w.attributeError("create search attributes", err)
		}
	}
	return created, w.waitVisible(ctx)
}

func (w *workflows) attributes(ctx context.Context) (map[string]enumspb.IndexedValueType, error) {
	list, err := w.Client.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: w.Namespace})
	if err != nil {
		return nil, w.attributeError("list search attributes", err)
	}
	return list.GetCustomAttributes(), nil
}

// waitVisible waits until a query by every attribute is understood.
func (w *workflows) waitVisible(ctx context.Context) error {
	query := strings.Join(flow.Attributes, " = 'none' AND ") + " = 'none'"
	for {
		_, err := w.Client.WorkflowService().CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: w.Namespace, Query: query,
		})
		var invalid *serviceerror.InvalidArgument
		if err == nil || !errors.As(err, &invalid) {
			return w.Translate("use the search attributes", err)
		}
		if wait := operate.Rest(ctx, 250*time.Millisecond); wait != nil {
			return fault.Wrap(fault.Transient, err, "temporal: the search attributes cannot be used yet").WithHint("run `starter setup` again in a minute")
		}
	}
}

func (w *workflows) attributeError(op string, err error) error {
	var (
		denied        *serviceerror.PermissionDenied
		unimplemented *serviceerror.Unimplemented
	)
	if errors.As(err, &denied) || errors.As(err, &unimplemented) {
		// Temporal Cloud keeps this for the account's own tools.
		return fault.Wrap(fault.Forbidden, err, "temporal: %s", op).
			WithHint("a namespace administrator creates them: in Temporal Cloud under Namespaces → %s → Search Attributes, or with "+
				"`tcld namespace search-attributes add -n %s --sa %s`; elsewhere with `temporal operator search-attribute create`. Then run setup again",
				w.Namespace, w.Namespace, strings.Join(flow.Attributes, "=Keyword --sa ")+"=Keyword")
	}
	return w.Translate(op, err)
}
