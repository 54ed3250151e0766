package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"salesforcesync/internal/simforce"
)

// errRefused says that Salesforce did not do what it was asked for; nothing has happened.
var errRefused = errors.New("refused")

// control speaks to the simulator's control endpoint, past every way.
func (s *stack) control(ctx context.Context, method, path string, in, out any) error {
	body := ""
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = string(raw)
	}
	status, raw, err := fetch(ctx, method, "http://"+s.simAddress+"/_sim/"+path, "", body)
	if err != nil {
		return fmt.Errorf("steer the simulator: %w", err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s %s: %w: %d %s", method, path, errRefused, status, raw)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// datetimes are the fields of rows that hold a time and are asked for.
var datetimes = []string{"MessageDate", "CreatedDate", "SystemModstamp", "Submitted__c"}

// asRow gives times their type, which JSON has not.
func asRow(row simforce.Row) simforce.Row {
	for _, name := range datetimes {
		if text, ok := row[name].(string); ok {
			if at, err := time.Parse("2006-01-02T15:04:05.000-0700", text); err == nil {
				row[name] = at
			}
		}
	}
	return row
}

// rows lists an object of an org, deleted rows included.
func (s *stack) rows(ctx context.Context, org, object string) ([]simforce.Row, error) {
	var list []simforce.Row
	if err := s.control(ctx, http.MethodGet, "records/"+object+"?org="+url.QueryEscape(org), nil, &list); err != nil {
		return nil, err
	}
	for _, row := range list {
		asRow(row)
	}
	return list, nil
}

func (s *stack) create(ctx context.Context, object string, w simforce.Write) (simforce.Row, error) {
	var row simforce.Row
	err := s.control(ctx, http.MethodPost, "records/"+object, w, &row)
	return asRow(row), err
}

func (s *stack) update(ctx context.Context, object, id string, w simforce.Write) (simforce.Row, error) {
	var row simforce.Row
	err := s.control(ctx, http.MethodPatch, "records/"+object+"/"+id, w, &row)
	return asRow(row), err
}

// commitAll ends the open transactions.
func (s *stack) commitAll(ctx context.Context) error {
	var open []simforce.TxInfo
	if err := s.control(ctx, http.MethodGet, "transactions", nil, &open); err != nil {
		return err
	}
	for _, tx := range open {
		err := s.control(ctx, http.MethodPost, "transactions/"+tx.ID+"/commit", nil, nil)
		if err != nil && !errors.Is(err, errRefused) { // one that has committed meanwhile is refused
			return err
		}
	}
	return nil
}
