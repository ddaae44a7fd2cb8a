package media

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/salita-mesh/salita/sdk"
)

// HeaderSHA256 is the optional header, of a request or of one part of a form,
// with which a sender names the SHA-256 of the file in hexadecimal digits. A
// file that arrives with another is not kept. Gateways do not pass headers of
// this prefix on; through them, Content-Digest and Repr-Digest (RFC 9530) do the
// same for a file that is the whole body.
const HeaderSHA256 = "Salita-Sha256"

// checksum parses the value of HeaderSHA256; "" is none.
func checksum(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	if raw, err := hex.DecodeString(value); err != nil || len(raw) != 32 {
		return "", badChecksum(err)
	}
	return strings.ToLower(value), nil
}

// bodyChecksum is the SHA-256 of the whole body that the sender named in any of
// the ways; "" is none.
func bodyChecksum(header http.Header) (string, error) {
	if sum, err := checksum(header.Get(HeaderSHA256)); err != nil || sum != "" {
		return sum, err
	}
	for _, name := range []string{"Content-Digest", "Repr-Digest"} {
		if sum, err := digestField(header.Values(name)); err != nil || sum != "" {
			return sum, err
		}
	}
	return "", nil
}

// digestField finds the SHA-256 in a field of RFC 9530, which is a dictionary
// of RFC 9651: "sha-256=:<base64>:, sha-512=:...:". Other algorithms are passed
// over; "" is none.
func digestField(lines []string) (sum string, err error) {
	for member := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		key, value, _ := strings.Cut(strings.Trim(member, " \t"), "=")
		if key != "sha-256" {
			continue
		}
		value, _, _ = strings.Cut(value, ";")
		inner, opened := strings.CutPrefix(value, ":")
		inner, closed := strings.CutSuffix(inner, ":")
		raw, err := base64.StdEncoding.DecodeString(inner)
		if err != nil || !opened || !closed || len(raw) != 32 {
			return "", badChecksum(err)
		}
		sum = hex.EncodeToString(raw) // of several the last counts
	}
	return sum, nil
}

func badChecksum(cause error) error {
	return sdk.Errorf(sdk.Invalid, "The file's checksum can't be understood.").Because(cause)
}
