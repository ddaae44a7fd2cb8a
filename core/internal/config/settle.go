package config

import "time"

// patience says how long a reading must stay the same before it is believed.
type patience struct {
	calm  time.Duration // since an editor may still be writing
	doubt time.Duration // when believing it would undo everything, or only complain
}

// settling tells a configuration that somebody finished writing from one that is
// in the middle of it. It reads nothing and knows no clock.
type settling struct {
	patience
	believed Reading
	pending  Reading
	since    time.Time // when pending was first seen; zero without
}

// next takes in what was read now. It reports whether that is to be believed
// from now on, and otherwise when to look again: 0 for no need.
func (s *settling) next(r Reading, now time.Time) (again time.Duration, news bool) {
	if r.Same(s.believed) {
		s.since = time.Time{}
		return 0, false
	}
	if s.since.IsZero() || !r.Same(s.pending) {
		s.pending, s.since = r, now
	}
	if left := s.needs(r) - now.Sub(s.since); left > 0 {
		return left, false
	}
	s.believed, s.since = r, time.Time{}
	return 0, true
}

// needs is the time that the reading must stay the same. An editor that empties
// the file first, or takes it away and puts another in its place, would
// otherwise stop every plugin for a moment.
func (s *settling) needs(r Reading) time.Duration {
	if r.Err != nil || len(r.source) == 0 {
		return s.doubt
	}
	return s.calm
}
