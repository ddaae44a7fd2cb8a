package sdktest

// rules are all of them, in the order in which they are checked.
func rules() []rule {
	return []rule{
		{"starts", "It starts, says what it is, takes its configuration and is healthy.", starts, true},
	}
}

// starts is what everything else builds on.
func starts(t *trial) error {
	err := startsAndWorks(t)
	if err != nil {
		t.broken = "the plugin does not start"
	}
	return err
}

func startsAndWorks(t *trial) error {
	l, err := t.connected()
	if err != nil {
		return err
	}
	if t.manifest, err = l.control.Manifest(t.ctx); err != nil {
		return err
	}
	if err := t.manifest.Validate(); err != nil {
		return err
	}
	if err := l.configure(t.ctx, t.config("1"), l.environment()); err != nil {
		return err
	}
	return l.control.CheckHealth(t.ctx)
}
