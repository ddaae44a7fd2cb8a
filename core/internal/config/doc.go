// Package config turns config.hcl, the environment and the command line's flags
// into one validated Config: defaults first, then the file, then the
// environment, then flags. Whatever is wrong in the file is reported with its
// line, the place in it and what was expected.
//
// A Source reads the same configuration again, notices when it changes, and edits
// the one setting that commands change: whether a plugin is enabled.
//
// It applies nothing, and does not understand a plugin's own settings: those it
// hands on as they stand in the file, with their position.
package config
