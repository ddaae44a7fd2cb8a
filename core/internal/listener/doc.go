// Package listener is the gateway's two doors: one TCP port for TLS and plain
// HTTP, told apart by the first byte, and the owner's unix socket. It hands out
// connections that have finished their handshake and say who is at the other
// end: a gateway's key, the owner of this machine, or nobody special.
//
// Its connections also move bodies well: deadlines that a steady transfer never
// meets and a stalled one always does, small TLS records joined into large reads
// and writes, and an early refusal that reaches a client which is still sending.
//
// It does not speak HTTP, except for the few words by which plain HTTP is sent
// to https, and decides nothing about anyone's rights.
package listener
