// Package sdktest runs plugins in tests, over the protocol that the gateway
// speaks, without a gateway.
//
// Start serves an author's own sdk.Plugin inside the test; StartProgram runs a
// built one as a process. Both give an Instance: requests as any caller, other
// devices, events, log lines, health, new configurations.
//
// Conformance is the suite that every plugin must pass, in whatever language it
// is written; Check is the same for programs that are not tests.
//
// The package plays the gateway's part of the protocol and nothing more: it
// checks no permissions, supervises nothing and confines nothing.
package sdktest
