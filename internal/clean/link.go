package clean

import (
	"net/url"
	"strings"
)

// longestLink is the length from which an address is left out: what is longer was
// made for machines, to follow who clicks, and is not for reading.
const longestLink = 200

// address is what to write behind the text of a link, "" for nothing: the text
// says where it leads, or nobody can go there.
func address(text, href string) string {
	href = trimBlank(unescape(href))
	if len(href) > 4*longestLink {
		return ""
	}
	switch {
	case hasFold(href, "http://"), hasFold(href, "https://"):
		href = unwrap(href)
		if says(text, href) {
			return ""
		}
	case hasFold(href, "mailto:"):
		href = href[len("mailto:"):]
		href, _, _ = strings.Cut(href, "?")
		if !strings.Contains(href, "@") || indexFold(text, strings.ToLower(href)) >= 0 || strings.Contains(text, "@") {
			return ""
		}
	default:
		return ""
	}
	if len(href) > longestLink {
		return ""
	}
	for i := range len(href) {
		if c := href[i]; c <= ' ' || c == 0x7f || c == '<' || c == '>' || c == 0xC2 || c == 0xE2 {
			return "" // control characters and blanks, or what could be
		}
	}
	return href
}

// says reports whether a reader of text knows where href leads.
func says(text, href string) bool {
	if hasFold(text, "http://") || hasFold(text, "https://") || hasFold(text, "www.") {
		return true
	}
	text, href = bare(text), bare(href)
	if strings.EqualFold(text, href) {
		return true
	}
	host, _, _ := strings.Cut(href, "/")
	return strings.EqualFold(text, host)
}

// bare is an address without what people leave out.
func bare(s string) string {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if hasFold(s, "www.") {
		s = s[len("www."):]
	}
	return strings.TrimSuffix(s, "/")
}

// unwrap takes the address out of a link that a mail gateway or a search engine put around it.
func unwrap(href string) string {
	host, rest, _ := strings.Cut(href[strings.Index(href, "//")+2:], "/")
	host = strings.ToLower(host)
	var inner string
	switch {
	case strings.HasSuffix(host, ".safelinks.protection.outlook.com"):
		inner = parameter(rest, "url")
	case host == "www.google.com" && strings.HasPrefix(rest, "url?"):
		if inner = parameter(rest, "q"); inner == "" {
			inner = parameter(rest, "url")
		}
	case host == "urldefense.com" || host == "urldefense.us":
		if _, after, ok := strings.Cut(rest, "v3/__"); ok {
			inner, _, _ = strings.Cut(after, "__;")
		}
	case host == "urldefense.proofpoint.com" && strings.HasPrefix(rest, "v2/"):
		inner, _ = url.QueryUnescape(strings.NewReplacer("-", "%", "_", "/").Replace(parameter(rest, "u")))
	}
	if hasFold(inner, "http://") || hasFold(inner, "https://") {
		return inner
	}
	return href
}

// parameter is a parameter of a path with a query, "" where it is missing or broken.
func parameter(path, name string) string {
	_, query, _ := strings.Cut(path, "?")
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if key, value, _ := strings.Cut(pair, "="); key == name {
			value, err := url.QueryUnescape(value)
			if err != nil {
				return ""
			}
			return value
		}
	}
	return ""
}
