// Package dataplane carries HTTP requests from the gateway to a plugin, over a
// private unix socket, or to another gateway, over TLS. Transport is an
// http.RoundTripper for HTTP/1.1 to one such peer, made for two things: a small
// call in one write and no goroutine, and a large body at memory speed in either
// direction without ever being buffered whole.
//
// It is strict where net/http is lenient, because the peer is foreign code:
// whatever could be read in two ways is an error and costs the connection.
//
// It does not dial by itself, follow redirects, decompress, keep cookies, use
// proxies or speak HTTP/2, and it maps no error to an HTTP status: that is for
// the caller, by the sentinel errors below.
package dataplane
