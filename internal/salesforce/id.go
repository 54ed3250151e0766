package salesforce

import (
	"encoding/hex"
	"strings"
)

// checksumAlphabet spells five bits of a checksum. Source: Salesforce, "How to
// convert 15-character IDs to 18-character"; checked against recorded ids.
const checksumAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

// ValidID reports whether s is a record id: 15 letters and digits, or 18 whose
// last three are the checksum of the others. Case matters: a lower-cased id is not
// valid, and would find nothing.
func ValidID(s string) bool {
	if len(s) != 15 && len(s) != 18 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !alphanumeric(s[i]) {
			return false
		}
	}
	return len(s) == 15 || s[15:] == checksum(s[:15])
}

// To18 returns the 18-character form of a valid id, and "" for anything else.
func To18(id string) string {
	switch {
	case !ValidID(id):
		return ""
	case len(id) == 18:
		return id
	}
	return id + checksum(id)
}

// HexID returns the lower-case hex of the 18 characters of a valid id, 36 digits:
// the form of comment ids and thread ids. It returns "" for anything else.
func HexID(id string) string { return hex.EncodeToString([]byte(To18(id))) }

// CompareIDs orders ids as Salesforce does in ORDER BY Id: by byte, so digits come
// before capitals and capitals before small letters.
func CompareIDs(a, b string) int { return strings.Compare(a, b) }

// checksum marks in each of three letters which of five characters are capitals.
func checksum(id15 string) string {
	var sum [3]byte
	for chunk := range 3 {
		bits := 0
		for i := range 5 {
			if c := id15[chunk*5+i]; c >= 'A' && c <= 'Z' {
				bits |= 1 << i
			}
		}
		sum[chunk] = checksumAlphabet[bits]
	}
	return string(sum[:])
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// FirstID is in front of every record id in Salesforce's order.
const FirstID = "000000000000000AAA"

// idDigits are the characters of an id in Salesforce's order.
const idDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// AdvanceID returns the id that lies n steps of the size 62^place behind id in
// Salesforce's order: an end for a range of ids, which no record need have. place is 0
// to 14, n below 62. false when there is no such id.
func AdvanceID(id string, place, n int) (string, bool) {
	if !ValidID(id) || place < 0 || place > 14 {
		return "", false
	}
	digits := []byte(id[:15])
	for i := 14 - place; n > 0; i-- {
		if i < 0 {
			return "", false
		}
		sum := strings.IndexByte(idDigits, digits[i]) + n
		digits[i], n = idDigits[sum%62], sum/62
	}
	return To18(string(digits)), true
}
