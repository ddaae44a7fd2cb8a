package plugins

import (
	"slices"
	"strings"
	"time"
)

// calm tells the programs of one folder that are there for good from those that
// are just being copied, exchanged or taken away: a file counts when it has
// stayed the same for a moment and nobody has it open for writing. It reads
// nothing and knows no clock.
type calm struct {
	settle  time.Duration // how long a file must stay the same
	explain time.Duration // how long before one that does not is shown with the reason

	begun   bool
	settled map[string]program  // by name
	moving  map[string]sighting // by name
}

// sighting is a program that was seen but does not count yet, or no program in
// the place of one that does.
type sighting struct {
	program program
	since   time.Time // the same since
	first   time.Time // moving since
}

func newCalm(settle, explain time.Duration) *calm {
	return &calm{settle: settle, explain: explain, settled: make(map[string]program), moving: make(map[string]sighting)}
}

// seen is a program with what calm needs to know about it.
type seen struct {
	program
	written bool // somebody has it open for writing
}

// next takes in what the folder holds now. It returns what counts, by name, and
// when to look again: 0 for no need. What the first look finds counts at once,
// unless it is being written.
func (c *calm) next(now time.Time, found []seen) (programs []program, again time.Duration) {
	names := make(map[string]bool, len(found))
	for _, p := range found {
		names[p.name] = true
		if c.counts(now, p) {
			c.settled[p.name] = p.program
			delete(c.moving, p.name)
		}
	}
	for name := range c.settled {
		if !names[name] && c.counts(now, seen{program: program{name: name}}) {
			delete(c.settled, name)
			delete(c.moving, name)
		}
	}
	for name := range c.moving {
		if _, settled := c.settled[name]; !settled && !names[name] {
			delete(c.moving, name) // came and went
		}
	}
	c.begun = true
	return c.listing(now), c.again(now)
}

// counts reports whether the program, or that there is none, is to be believed.
func (c *calm) counts(now time.Time, p seen) bool {
	known, settled := c.settled[p.name]
	switch {
	case p.written:
	case settled && known.path == p.path && known.id.content() == p.id.content():
		return true // perhaps with another mode or owner
	case !c.begun:
		return true
	}
	s, moving := c.moving[p.name]
	if !moving {
		s.first = now
	}
	if !moving || !s.program.same(p.program) || p.written {
		s.program, s.since = p.program, now
	}
	c.moving[p.name] = s
	return now.Sub(s.since) >= c.settle
}

func (c *calm) listing(now time.Time) []program {
	var programs []program
	for _, p := range c.settled {
		programs = append(programs, p)
	}
	for name, s := range c.moving {
		if _, settled := c.settled[name]; !settled && now.Sub(s.first) >= c.explain {
			p := s.program
			p.id, p.problem = fileID{}, refusal("%s is still being copied.", p.path)
			programs = append(programs, p)
		}
	}
	slices.SortFunc(programs, func(a, b program) int { return strings.Compare(a.name, b.name) })
	return programs
}

func (c *calm) again(now time.Time) time.Duration {
	again := time.Duration(0)
	for _, s := range c.moving {
		left := max(c.settle-now.Sub(s.since), time.Millisecond)
		if again == 0 || left < again {
			again = left
		}
	}
	return again
}
