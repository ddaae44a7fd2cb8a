package plugins

import (
	"fmt"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// busyHost has ten plugins on its board, all running.
func busyHost() *Host {
	h := New(Options{Log: discard()})
	for n := range 10 {
		name := fmt.Sprintf("p%d", n)
		h.board.update(name, func(e *entry) {
			*e = newEntry(program{name: name}, Running)
			e.apply(report{state: Running, instance: answering(fine), manifest: &sdk.Manifest{
				Name: name, Title: name,
				Capabilities: []sdk.Capability{{ID: name, Title: "x", Route: "GET /" + name}},
				Routes:       []sdk.Route{{Pattern: "GET /" + name, Permission: name + ":read"}},
			}})
		})
	}
	return h
}

// BenchmarkCapabilities is what /health asks of the plugin host.
func BenchmarkCapabilities(b *testing.B) {
	h := busyHost()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if len(h.Capabilities()) != 10 {
				b.Error("some are missing")
			}
		}
	})
}

// BenchmarkAdmit is the host's own part of forwarding one request.
func BenchmarkAdmit(b *testing.B) {
	m := Match{Plugin: "p5", board: busyHost().board}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			e, err := m.try(nil)
			if err != nil {
				b.Error(err)
				return
			}
			e.instance.answered()
			e.instance.done()
		}
	})
}
