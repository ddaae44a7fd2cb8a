package core

import (
	"github.com/salita-mesh/salita/core/internal/pairing"
)

func (a *App) newPairing() *pairing.Service {
	c := a.config.Pairing
	return pairing.New(pairing.Config{
		Policy:   pairing.Policy{Window: c.Window, Attempts: c.Attempts, Grant: c.Grant},
		Self:     a.self,
		Store:    a.store,
		Tokens:   a.tokens,
		Sessions: a.sessions,
		Caller:   a.peers,
		Paired:   a.devices.Paired,
		Absorbed: a.devices.Absorbed,
		Log:      a.log.Named("pairing"),
	})
}

// self is what others learn of this device by pairing with it.
func (a *App) self() pairing.Self {
	self := pairing.Self{
		ID: a.identity.ID(), Name: a.identity.Name(), Key: a.identity.Key(),
		Hostname: hostname(), Port: a.port(), Addresses: a.addresses(),
	}
	for _, capability := range a.plugins.Capabilities() {
		self.Capabilities = append(self.Capabilities, capability.ID)
	}
	return self
}
