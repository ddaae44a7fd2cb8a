package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// CA is the local certificate authority as a phone gets it. Nothing in it is
// secret.
type CA struct {
	DER        []byte    // application/x-x509-ca-cert
	PEM        []byte    // application/x-pem-file
	ValidUntil time.Time // when it has to be installed anew
	// Fingerprint is the SHA-256 of DER in the form in which phones and
	// computers show it: pairs of upper-case hexadecimal digits with colons.
	Fingerprint string
}

// CACertificate returns the local certificate authority; false if EnableCA never
// made one, or if its files are damaged.
func (i *Identity) CACertificate() (CA, bool) {
	ca := i.authority.Load()
	if ca == nil {
		return CA{}, false
	}
	return ca.public(), true
}

// AppleProfile is the configuration profile by which iPhones, iPads and Macs
// install the local certificate authority (application/x-apple-aspen-config);
// false without one. For the same authority and device name it is the same,
// byte for byte, and a later one takes the place of an earlier one.
func (i *Identity) AppleProfile() ([]byte, bool) {
	ca := i.authority.Load()
	if ca == nil {
		return nil, false
	}
	return appleProfile(ca.certificate.Raw, string(i.ID()), i.Name()), true
}

func (a *authority) public() CA {
	der := bytes.Clone(a.certificate.Raw)
	return CA{
		DER: der, PEM: encodeCertificate(der),
		ValidUntil:  a.certificate.NotAfter,
		Fingerprint: fingerprint(der),
	}
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	pairs := make([]string, len(sum))
	for n, b := range sum {
		pairs[n] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}

// profile has the keys that Apple's "Configuration Profile Reference" requires
// of a profile with one root certificate. Its arguments are escaped already.
const profile = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>PayloadType</key>
	<string>Configuration</string>
	<key>PayloadVersion</key>
	<integer>1</integer>
	<key>PayloadIdentifier</key>
	<string>salita.%[1]s</string>
	<key>PayloadUUID</key>
	<string>%[2]s</string>
	<key>PayloadDisplayName</key>
	<string>Salita: %[3]s</string>
	<key>PayloadDescription</key>
	<string>Your device recognizes %[3]s in your home network, without a warning. It changes nothing about pages on the internet.</string>
	<key>PayloadContent</key>
	<array>
		<dict>
			<key>PayloadType</key>
			<string>com.apple.security.root</string>
			<key>PayloadVersion</key>
			<integer>1</integer>
			<key>PayloadIdentifier</key>
			<string>salita.%[1]s.ca</string>
			<key>PayloadUUID</key>
			<string>%[4]s</string>
			<key>PayloadDisplayName</key>
			<string>Salita: %[3]s</string>
			<key>PayloadCertificateFileName</key>
			<string>salita-ca.cer</string>
			<key>PayloadContent</key>
			<data>%[5]s</data>
		</dict>
	</array>
</dict>
</plist>
`

func appleProfile(der []byte, id, name string) []byte {
	return fmt.Appendf(nil, profile, xmlText(id), uuidFor("profile", der), xmlText(name), uuidFor("certificate", der),
		base64.StdEncoding.EncodeToString(der))
}

// xmlText is the text as XML has it; characters that XML cannot carry become
// U+FFFD.
func xmlText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// uuidFor derives a UUID of version 8 (RFC 9562 section 5.8) from what it stands
// for, so that no identifier has to be stored.
func uuidFor(purpose string, der []byte) string {
	sum := sha256.Sum256(append([]byte("salita "+purpose+"\x00"), der...))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
