// Package mesh is the vocabulary of the gateway: devices, permissions, tokens
// and pairings, with their rules as methods. It does no I/O, starts no
// goroutine and reads no clock; time is always an argument.
package mesh
