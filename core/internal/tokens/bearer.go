package tokens

// bearerScheme is the scheme of RFC 6750, section 2.1; schemes are
// case-insensitive (RFC 9110, section 11.1).
const bearerScheme = "bearer"

// AuthorizationToken returns the token in an Authorization header's value, as a
// part of it: "Bearer", spaces, and a b64token of RFC 6750, with nothing before
// or after. It allocates nothing. Whether that is a token of ours is Verify's
// question.
func AuthorizationToken(header []byte) ([]byte, bool) {
	if len(header) <= len(bearerScheme) || header[len(bearerScheme)] != ' ' {
		return nil, false
	}
	for i := range len(bearerScheme) {
		if header[i]|0x20 != bearerScheme[i] { // to lower case, for letters
			return nil, false
		}
	}
	token := header[len(bearerScheme):]
	for len(token) > 0 && token[0] == ' ' {
		token = token[1:]
	}
	if !isB64Token(token) {
		return nil, false
	}
	return token, true
}

// isB64Token checks for 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" )
// and then *"=".
func isB64Token(s []byte) bool {
	n := 0
	for n < len(s) && isB64Char(s[n]) {
		n++
	}
	if n == 0 {
		return false
	}
	for n < len(s) && s[n] == '=' {
		n++
	}
	return n == len(s)
}

func isB64Char(c byte) bool {
	switch c {
	case '-', '.', '_', '~', '+', '/':
		return true
	}
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
