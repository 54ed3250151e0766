package simforce

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// apiError is a refusal in the words of the REST API: a JSON array with one
// message and errorCode.
type apiError struct {
	status  int
	code    string
	message string
	fields  []string
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.code, e.message) }

// body renders the error the way the REST API spells it.
func (e *apiError) body() []byte {
	type entry struct {
		Message   string   `json:"message"`
		ErrorCode string   `json:"errorCode"`
		Fields    []string `json:"fields,omitempty"`
	}
	out, err := json.Marshal([]entry{{e.message, e.code, e.fields}})
	if err != nil {
		return []byte(`[{"message":"unprintable error","errorCode":"UNKNOWN_EXCEPTION"}]`)
	}
	return out
}

func refuse(status int, code, format string, args ...any) *apiError {
	return &apiError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func errNotFound() *apiError {
	return refuse(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
}

func errSession() *apiError {
	return refuse(http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
}

func errMethod(method, allowed string) *apiError {
	return refuse(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED",
		"HTTP Method '%s' not allowed. Allowed are %s", method, allowed)
}

// Texts shared by query and record errors; clients match on errorCode and on
// the quoted name at the front of the sentence.
const (
	adviceField  = "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
	adviceObject = "If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
	adviceParent = "If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
)
