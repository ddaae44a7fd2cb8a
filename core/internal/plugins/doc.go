// Package plugins is the plugin host: it finds plugin programs, checks them,
// starts them as processes, gives each its configuration, watches over it,
// forwards requests to it and stops it.
//
// A plugin is foreign code. Nothing it prints, answers or does may cost more
// than its own capability: every call has a deadline, every buffer a bound,
// every address and every text is checked before it is used, and the process
// and its children are killed as one group when they do not leave by themselves.
//
// Each plugin that was ever enabled has one supervisor. machine.go and
// machine_up.go are its whole behaviour, a pure function; the supervise files
// carry out what that decides. A launch (launch.go) means handshake, manifest,
// configuration and a first healthy answer under one deadline; only then does a
// plugin count as running.
//
// What is to run comes from two sides: Apply brings a new configuration, and
// each plugin folder is watched (folder.go, calm.go). Both end in reconcile,
// which hands every supervisor its newest assignment and waits for nobody. A
// process whose program or environment changed is replaced: the new one is
// started beside it, takes over when it has proved that it works, and only then
// is the old one told to finish. What is executed is a private copy (vault.go).
//
// The package does not decide who may call a plugin, does not watch the
// configuration file, and does not parse configuration: it hands the text to the
// plugin and prints the remarks that come back.
package plugins
