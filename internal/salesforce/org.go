package salesforce

import (
	"context"
)

// Limit is one allowance of the org.
type Limit struct {
	Max       int `json:"Max"`
	Remaining int `json:"Remaining"`
}

// Limits returns the org's allowances by name, such as "DailyApiRequests". The
// numbers lag by up to five minutes. Some orgs want the permission View Setup and
// Configuration for it (fault.Permission).
func (c *Client) Limits(ctx context.Context) (map[string]Limit, error) {
	var got map[string]Limit
	err := c.getJSON(ctx, request{op: "read limits", kind: "limits", path: c.dataPath("/limits")}, '{', &got)
	return got, err
}

// UserInfo says as whom, and in which org, the client calls.
type UserInfo struct {
	UserID   string `json:"user_id"`         // 18 characters
	OrgID    string `json:"organization_id"` // 18 characters
	Username string `json:"preferred_username"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Active   bool   `json:"active"`
	UserType string `json:"user_type"`
	Zone     string `json:"zoneinfo"` // date literals such as TODAY are of this zone
}

// UserInfo asks the identity service about the session's user.
func (c *Client) UserInfo(ctx context.Context) (UserInfo, error) {
	var got UserInfo
	err := c.getJSON(ctx, request{op: "read the user", kind: "userinfo", path: "/services/oauth2/userinfo"}, '{', &got)
	got.UserID, got.OrgID = To18(got.UserID), To18(got.OrgID)
	return got, err
}

// Version is one version of the API that the instance serves.
type Version struct {
	Label   string `json:"label"`   // "Spring '26"
	Version string `json:"version"` // "66.0"
}

// Versions lists the versions of the API, oldest first. It sends no token.
func (c *Client) Versions(ctx context.Context) ([]Version, error) {
	var got []Version
	err := c.getJSON(ctx, request{op: "list API versions", kind: "versions", path: "/services/data", anonymous: true}, '[', &got)
	return got, err
}
