package devices

import (
	"slices"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// recentUse is how long a phone that used its access counts as Available.
const recentUse = 2 * time.Minute

// view shows devices as they are at one moment.
type view struct {
	now   time.Time
	uses  map[mesh.DeviceID]time.Time
	fresh time.Duration // how long an answer of a gateway counts
}

// view is the one of now. An answer counts until two checks in a row are overdue:
// then nobody keeps the list.
func (s *Service) view() view {
	schedule := s.schedule.Load()
	return view{now: s.Now(), uses: s.LastUses(), fresh: 2 * (schedule.Interval + schedule.Timeout)}
}

// of is the device as it is to be shown.
func (v view) of(d Device) Device {
	if d.Kind == mesh.KindGateway {
		d.Presence = d.Presence.At(v.now, v.fresh)
	} else {
		d.Presence = d.Presence.Used(v.uses[d.ID]).At(v.now, recentUse)
	}
	return d
}

// seen is when there was last a sign of the device.
func (v view) seen(d Device) time.Time {
	if used := v.uses[d.ID]; used.After(d.Presence.LastSeen) {
		return used
	}
	return d.Presence.LastSeen
}

// face is what people see of a device: a change of it is news.
type face struct {
	name         string
	kind         mesh.Kind
	status       mesh.Status
	capabilities []string
	archived     bool
}

func faceOf(d Device) face {
	return face{d.Name, d.Kind, d.Status, d.Capabilities, d.Archived()}
}

func (f face) equal(g face) bool {
	return f.name == g.name && f.kind == g.kind && f.status == g.status && f.archived == g.archived &&
		slices.Equal(f.capabilities, g.capabilities)
}

// tell lets the others know of a device if it shows otherwise than they were
// last told. The caller holds mu.
func (s *Service) tell(e *entry, v view) {
	shown := v.of(e.Device)
	now := faceOf(shown)
	if e.told != nil && e.told.equal(now) {
		return
	}
	before := e.told
	e.told = &now
	if before == nil || before.status != now.status {
		s.Log.Info("device changed", "device", e.ID, "name", now.name, "status", now.status)
	}
	if s.Changed != nil {
		s.Changed(shown)
	}
}

// settle lets time pass: phones that were put away, and answers that nobody
// repeated.
func (s *Service) settle() {
	view := s.view()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if e.told == nil { // the start is no news
			first := faceOf(view.of(e.Device))
			e.told = &first
			continue
		}
		if e.Kind != mesh.KindGateway {
			s.takeUse(e, view)
		}
		s.tell(e, view)
	}
}

// takeUse keeps the last use of a device that nobody can call, as its sign of
// life. The caller holds mu.
func (s *Service) takeUse(e *entry, v view) {
	used := v.uses[e.ID]
	if used.After(e.Presence.LastSeen) {
		e.Presence.LastSeen = used
	}
	if e.Archived() && used.After(e.ArchivedAt) {
		s.restore(e)
	}
	if e.Presence.LastSeen.Sub(e.Device.Device.LastSeen) >= lastSeenStep {
		e.unsave = true
		notify(s.unsaved)
	}
}
