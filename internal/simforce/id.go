package simforce

import "strings"

// idAlphabet is the base-62 alphabet of record ids in ASCII order, so that
// counting up yields ids that ascend bytewise.
const idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const checksumAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

// Checksum returns the three characters that turn a 15-character id into its
// 18-character form: one character per five, with one bit per capital letter.
func Checksum(id15 string) string {
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

// ID18 brings an id literal to 18 characters. It reports false for anything
// that cannot be an id. An 18-character value is returned as it stands: like
// the platform, a wrong-cased one simply matches nothing.
func ID18(id string) (string, bool) {
	for i := range len(id) {
		if strings.IndexByte(idAlphabet, id[i]) < 0 {
			return "", false
		}
	}
	switch len(id) {
	case 15:
		return id + Checksum(id), true
	case 18:
		return id, true
	}
	return "", false
}

// makeID builds an 18-character id from key prefix, pod and running number.
func makeID(prefix, pod string, n uint64) string {
	var digits [10]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = idAlphabet[n%62]
		n /= 62
	}
	id := prefix + pod + string(digits[:])
	return id + Checksum(id)
}
