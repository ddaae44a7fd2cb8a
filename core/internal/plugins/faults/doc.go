// Package faults holds the fault suite of the plugin host: every way in which a
// plugin can misbehave, done to a real host by a real process (faultplugin), and
// what has to come of it. The table in faults_test.go is the specification.
//
// It tests nothing of a plugin's own doing well: that is for package sdktest.
package faults
