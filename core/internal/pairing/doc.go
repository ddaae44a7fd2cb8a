// Package pairing makes two devices members of one My Devices, by the protocol
// salita-pair/1: one side shows a link and then a six-digit number (S, the
// showing side), the other takes the link or an address and is given the number
// by a person (J, the joining side). Both prove to each other that they know
// the number with CPace, bound to the keys of the TLS connection between them,
// so that a relay in the middle makes both fail; then each gives the other a
// token and stores the other device, wholly or not at all, whatever crashes
// when.
//
// Phones, browsers and scripts, which have no key, join over plain HTTPS: they
// claim the window with the whole link, and only then there is a number, which a
// person reads off the gateway's screen and types. What protects them from a
// relay is the certificate they trust, not this protocol; hence they are never
// allowed to manage by pairing alone.
//
// The package owns live windows and joins. It opens no sockets and knows no
// HTTP: requests reach the showing side as method calls with the key that the
// connection proved, and the joining side calls out through Caller. The rules of
// a window are mesh.PairingWindow; storage, tokens and certificates belong to
// others.
//
// # The commit
//
// J saves a note of everything it needs to finish before it sends its confirm.
// S stores the pairing and its answer in one transaction before it answers. J
// repeats the same confirm, across restarts and for a day, until S answers
// (J stores the pairing) or S itself says that it knows nothing of it (J forgets
// the note). S gives the same confirm the same answer for as long. Hence both
// sides end with the pairing, or neither. Of several pairings of the same two
// gateways, which may cross, both end with the same one: see turn.
//
// A browser has nowhere to keep a note. It may send the very same verify again
// within a minute of its success, also to a gateway that has started anew, and
// gets new secrets for the same device.
package pairing
