// Package sdk is what a plugin author imports: describe the plugin, hand over
// an http.Handler, and Main does the rest. It is also the vocabulary of errors
// that gateway, plugins and commands share.
//
// A plugin is a program named salita-plugin-<name>. The gateway starts it, asks
// what it can do, gives it its configuration and forwards the requests that
// the caller is permitted to make.
package sdk
