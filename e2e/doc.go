// Package e2e tests Salita from outside: the real programs, real sockets, real
// TLS, real crashes. It imports nothing of the gateway's.
package e2e
