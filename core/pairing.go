package core

import (
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/pairing"
)

func (a *App) newPairing() *pairing.Service {
	return pairing.New(pairing.Config{
		Policy:   pairingPolicy(a.config()),
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

func pairingPolicy(c Config) pairing.Policy {
	return pairing.Policy{Window: c.Pairing.Window, Attempts: c.Pairing.Attempts, Grant: c.Pairing.Grant}
}

// lastUses says when each device last used its token or its session.
func (a *App) lastUses() map[mesh.DeviceID]time.Time {
	uses := map[mesh.DeviceID]time.Time{}
	note := func(device mesh.DeviceID, at time.Time) {
		if at.After(uses[device]) {
			uses[device] = at
		}
	}
	for _, t := range a.tokens.List() {
		note(t.DeviceID, t.LastUsedAt)
	}
	for _, s := range a.sessions.List() {
		note(s.DeviceID, s.LastUsedAt)
	}
	return uses
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
