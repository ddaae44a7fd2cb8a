// Package plugins is the plugin host: it finds plugin programs, checks them,
// starts them as processes, gives each its configuration, watches over it,
// forwards requests to it and stops it.
//
// A plugin is foreign code. Nothing it prints, answers or does may cost more
// than its own capability: every call has a deadline, every buffer a bound,
// every address and every text is checked before it is used, and the process
// and its children are killed as one group when they do not leave by themselves.
//
// Each enabled plugin has one supervisor (machine.go is its whole behaviour, a
// pure function; supervisor.go carries out what that decides). A launch
// (launch.go) means handshake, manifest, configuration and a first healthy
// answer under one deadline; only then does a plugin count as running.
//
// The package does not decide who may call a plugin, does not watch folders or
// the configuration file, and does not parse configuration: it hands the text
// to the plugin and prints the remarks that come back.
package plugins
