// Package store keeps posts, comments and reactions in one SQLite file. It
// decides who may remove what, because only here that can be checked and done in
// one step; everything about HTTP and about the wording of texts is elsewhere.
//
// All changes go through one connection, one after the other. A change has
// reached the disk when its method returns: the journal is a write-ahead log that
// is synced at every commit, so what was acknowledged survives a crash of this
// program and of the machine. Reading goes through other connections, which do not
// wait for changes and cannot make any.
//
// Several processes may have the file open, as for a moment when a new version of
// the plugin takes over from the old.
package store
