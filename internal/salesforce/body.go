package salesforce

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// bodyError is what an error body says.
type bodyError struct{ code, message string }

// wireError is every JSON spelling of an error at once: REST array members and
// objects, Bulk 1.0, OAuth.
type wireError struct {
	ErrorCode        string `json:"errorCode"`
	Message          string `json:"message"`
	ExceptionCode    string `json:"exceptionCode"`
	ExceptionMessage string `json:"exceptionMessage"`
	Error            any    `json:"error"` // OAuth: a string
	ErrorDescription string `json:"error_description"`
}

func (w wireError) told() bodyError {
	code, message := w.ErrorCode, w.Message
	if code == "" {
		code, message = w.ExceptionCode, w.ExceptionMessage
	}
	if oauth, ok := w.Error.(string); ok && code == "" {
		code, message = oauth, w.ErrorDescription
	}
	if message == "" {
		message = w.Message
	}
	return bodyError{clean(code, 80), reason(message)}
}

var (
	codeInText    = regexp.MustCompile(`"(?:errorCode|exceptionCode)"\s*:\s*"([A-Za-z0-9_]{1,80})"`)
	messageInText = regexp.MustCompile(`"(?:message|exceptionMessage)"\s*:\s*"((?:[^"\\]|\\.)*)"`)
	bareCode      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,30}_[A-Za-z0-9_]{1,60}$`)
)

// parseBody reads an error body of any shape. What is no error body gets one of the
// codes of this package and a message that says what it is; JSON that tells no error
// gets neither.
func parseBody(contentType string, body []byte) bodyError {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if len(body) == 0 {
		return bodyError{CodeBrokenBody, "an empty body"}
	}
	switch body[0] {
	case '[':
		var list []wireError
		if err := json.Unmarshal(body, &list); err == nil {
			for _, w := range list {
				if told := w.told(); told.code != "" {
					return told
				}
			}
			return bodyError{}
		}
		return brokenJSON(body)
	case '{':
		var w wireError
		if err := json.Unmarshal(body, &w); err != nil {
			return brokenJSON(body)
		}
		return w.told()
	case '<':
		if told, ok := parseXML(body); ok {
			return told
		}
		return bodyError{CodeNotJSON, "an HTML page"}
	}
	if bareCode.Match(body) { // userinfo says Bad_OAuth_Token
		return bodyError{string(body), strings.ReplaceAll(string(body), "_", " ")}
	}
	return bodyError{CodeNotJSON, fmt.Sprintf("text that is not JSON (%s)", clean(nonEmpty(contentType, "no content type"), 60))}
}

// brokenJSON finds code and message in JSON that was cut short.
func brokenJSON(body []byte) bodyError {
	told := bodyError{CodeBrokenBody, "JSON that is broken or cut short"}
	if m := codeInText.FindSubmatch(body); m != nil {
		told.code = string(m[1])
		if m := messageInText.FindSubmatch(body); m != nil {
			var text string
			if json.Unmarshal([]byte(`"`+string(m[1])+`"`), &text) == nil {
				told.message = reason(text)
			}
		}
	}
	return told
}

// parseXML reads <Errors><Error><errorCode>… and Bulk 1.0's <error><exceptionCode>….
func parseXML(body []byte) (told bodyError, ok bool) {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict = false
	var element string
	for range 200 {
		t, err := d.Token()
		if err != nil {
			break
		}
		switch t := t.(type) {
		case xml.StartElement:
			if element = t.Name.Local; strings.EqualFold(element, "html") {
				return told, false
			}
		case xml.EndElement:
			element = ""
		case xml.CharData:
			switch element {
			case "errorCode", "exceptionCode":
				told.code = clean(string(t), 80)
			case "message", "exceptionMessage":
				told.message = reason(string(t))
			}
		}
	}
	if told.code == "InvalidSessionId" { // Bulk 1.0's spelling
		told.code = "INVALID_SESSION_ID"
	}
	return told, told.code != ""
}

var queryPosition = regexp.MustCompile(`(?s)ERROR at Row:(\d+):Column:(\d+)\s*(.*)$`)

// reason shortens a message for people. Of a query error it keeps what follows the
// excerpt of the query and the caret, and the column.
func reason(message string) string {
	if m := queryPosition.FindStringSubmatch(message); m != nil {
		return clean(m[3], 300) + " (column " + m[2] + ")"
	}
	return clean(message, 300)
}

// tokenShape is an access token: 15 or 18 characters of the org id, "!", the rest.
var tokenShape = regexp.MustCompile(`00D[A-Za-z0-9]{12,15}![A-Za-z0-9._!-]+`)

// clean makes one line of text, at most n characters long and without a token.
func clean(s string, n int) string {
	if len(s) > 8*n {
		s = s[:8*n]
	}
	s = tokenShape.ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), "<secret>")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if utf8.RuneCountInString(s) > n {
		s = string([]rune(s)[:n]) + "…"
	}
	return s
}

// excerpt quotes the beginning of a value for a message.
func excerpt(s string) string { return fmt.Sprintf("%q", clean(s, 40)) }
