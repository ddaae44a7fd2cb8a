// Package outbound is what a plugin finds on its own socket to the gateway: the
// list of the owner's other devices, and the way to their plugins. Requests go
// through peer, so that no plugin ever holds a token or a key.
//
// It does not listen, does not know which plugin is behind which socket unless it
// is told, and does not decide what this device may do elsewhere: the other
// device does.
package outbound
