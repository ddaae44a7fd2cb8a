// Package identity is who this device is: its key, its certificate, its id and
// name, all kept in the data folder, and the TLS configurations by which two
// gateways recognise each other's keys.
//
// Browsers know nothing of keys, only of certificates and who signed them. For
// them there are, beside the self-signed certificate, a local authority that a
// phone may install, limited to names and addresses at home, and the owner's own
// certificate, from files that somebody else renews.
//
// The key is the identity. The id is derived from it and the certificate only
// carries it, so both can be made again as long as device.key is there. Nothing
// in this package ever replaces or repairs a key or an identity that it cannot
// read: it says which file is wrong and leaves it as it is.
//
// It does not decide whom to trust, knows no tokens and opens no connection.
package identity
