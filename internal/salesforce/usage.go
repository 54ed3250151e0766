package salesforce

import (
	"net/http"
	"regexp"
	"strconv"
)

// Usage is what an answer says of the org's API requests in the rolling 24 hours.
// It is approximate and lags by minutes. Max is 0 when the answer did not say.
type Usage struct {
	Used, Max       int
	AppUsed, AppMax int // of this app's own allowance, where the org sets one
}

var (
	orgUsage = regexp.MustCompile(`(?:^|[ ,;])api-usage=(\d{1,15})/(\d{1,15})`)
	appUsage = regexp.MustCompile(`per-app-api-usage=(\d{1,15})/(\d{1,15})`)
)

// parseUsage reads Sforce-Limit-Info: "api-usage=18/5000, per-app-api-usage=17/250(appName=x)".
func parseUsage(h http.Header) Usage {
	var u Usage
	info := h.Get("Sforce-Limit-Info")
	pair := func(m []string) (used, most int) {
		if m == nil {
			return 0, 0
		}
		used, _ = strconv.Atoi(m[1]) // fifteen digits at most
		most, _ = strconv.Atoi(m[2])
		return used, most
	}
	u.Used, u.Max = pair(orgUsage.FindStringSubmatch(info))
	u.AppUsed, u.AppMax = pair(appUsage.FindStringSubmatch(info))
	return u
}
