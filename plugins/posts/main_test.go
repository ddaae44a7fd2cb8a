package main

import (
	"testing"

	"github.com/salita-mesh/salita/sdk/sdktest"
)

// TestConformance holds the built program to the rules for all plugins.
func TestConformance(t *testing.T) {
	sdktest.Conformance(t, sdktest.Build(t, "posts", "."), sdktest.CheckOptions{})
}
