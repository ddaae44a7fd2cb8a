package cpace

import "crypto/sha512"

// The suite's constants, as the draft names them.
const (
	dsi           = "CPaceRistretto255"
	dsiISK        = dsi + "_ISK"
	dsiSidOutput  = "CPaceSidOutput"
	dsiMac        = "CPaceMac"
	fieldSize     = 32               // bytes of an encoded element
	inputBlock    = sha512.BlockSize // H.s_in_bytes
	uniformLength = 2 * fieldSize    // what the one-way map takes
)

// PrependLen appends data to dst after its length in LEB128: prepend_len of
// the draft's appendix.
func PrependLen(dst, data []byte) []byte {
	n := len(data)
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	dst = append(dst, byte(n))
	return append(dst, data...)
}

// LVCat is lv_cat of the draft: every part after its length, so that two
// different lists never give the same bytes.
func LVCat(parts ...[]byte) []byte {
	var out []byte
	for _, part := range parts {
		out = PrependLen(out, part)
	}
	return out
}

// generatorString fills the first hash block with the domain, the password and
// zeros, so that the time to hash does not tell how long the password is.
func generatorString(prs, ci, sid []byte) []byte {
	pad := inputBlock - 1 - len(PrependLen(nil, prs)) - len(PrependLen(nil, []byte(dsi)))
	return LVCat([]byte(dsi), prs, make([]byte, max(0, pad)), ci, sid)
}
