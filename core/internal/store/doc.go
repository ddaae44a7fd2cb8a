// Package store keeps what the gateway must remember over a restart in one
// SQLite file: the devices, the tokens given and received, the notes of
// pairings under way and where devices were last found. It speaks mesh types;
// row types stay inside.
//
// It decides nothing: who may pair, when a token renews and what a device is
// called are the rules of other rooms. Plugins keep their own data elsewhere.
//
// A file that the earlier Salita left, which was another program, is taken over
// at the first start: its devices are kept and have to be paired again, its
// posts wait in tables named legacy_*, its access tokens go.
//
// One process at a time uses the file; a lock file beside it sees to that. All
// changes go through one connection that waits for the disk, so whatever was
// acknowledged survives a crash; reading goes through a few others that cannot
// change anything.
package store
