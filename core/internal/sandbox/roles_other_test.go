//go:build !linux || android

package sandbox

func roles() map[string]func() { return nil }
