// Package discovery makes this gateway known on the local networks and finds
// the others there: DNS-SD (RFC 6763) over multicast DNS (RFC 6762), service
// type _salita._tcp.
//
// What it finds is a hint and nothing more: everything on these networks can be
// forged. It calls nobody, remembers nothing over a restart and says nothing
// about who is Available; whoever uses a sighting proves it by a handshake with
// the pinned key. A gateway announces its id, its port and its addresses, and
// its name only while a pairing window is open.
package discovery
