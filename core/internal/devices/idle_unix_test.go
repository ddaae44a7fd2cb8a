//go:build unix

package devices_test

import (
	"syscall"
	"testing"
	"time"
)

// BenchmarkIdleMesh reports what a mesh of 20 devices costs one that does
// nothing but check them, once a minute each, in percent of one core.
func BenchmarkIdleMesh(b *testing.B) {
	const peers = 20
	s := newMesh(b, peers, 0, false, 5*time.Second)
	if r := s.Discover(b.Context()); len(r.Available) != peers {
		b.Fatalf("%d are available", len(r.Available))
	}
	b.ResetTimer()
	before := cpu(b)
	for b.Loop() {
		s.Discover(b.Context())
	}
	perRound := (cpu(b) - before) / time.Duration(b.N)
	b.ReportMetric(float64(perRound.Microseconds())/peers, "cpu-µs/check")
	b.ReportMetric(100*perRound.Seconds()/time.Minute.Seconds(), "%core")
}

// BenchmarkColdRound reports what the checks of a mesh too large to keep its
// connections cost: each begins with a handshake.
func BenchmarkColdRound(b *testing.B) {
	const peers = 200
	s := newMesh(b, peers, 0, false, 20*time.Second)
	s.Discover(b.Context())
	b.ResetTimer()
	before := cpu(b)
	for b.Loop() {
		s.Discover(b.Context())
	}
	perRound := (cpu(b) - before) / time.Duration(b.N)
	b.ReportMetric(float64(perRound.Microseconds())/peers, "cpu-µs/check")
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
