// Package control is the gateway's end of the plugin protocol: the go-plugin
// handshake and typed calls to one plugin, with nothing of protobuf showing. It
// also reads the log lines that the SDK writes. It starts no process, applies
// no policy and sets no deadline: every call takes a context, and the caller is
// the one to bound it.
//
// Plugin authors have no use for it; they call sdk.Main.
package control
