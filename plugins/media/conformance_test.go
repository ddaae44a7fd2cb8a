package main

import (
	"testing"

	"github.com/salita-mesh/salita/sdk/sdktest"
)

func TestConformance(t *testing.T) {
	sdktest.Conformance(t, sdktest.Build(t, "media", "."), sdktest.CheckOptions{Config: `library = "files"`})
}
