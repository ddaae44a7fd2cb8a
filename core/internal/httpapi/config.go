package httpapi

// ConfigStatus is what the owner learns about config.hcl.
type ConfigStatus struct {
	File          string   `json:"file"`            // "" when there is none
	Error         string   `json:"error,omitempty"` // why the file is not in force, with the place
	RestartNeeded []string `json:"restart_needed"`  // settings that count from the next start on
}

// Config is the configuration of the running gateway.
type Config interface {
	Status() ConfigStatus
	EnablePlugin(name string, enabled bool) error
}

func (s *Server) showConfig(c *call) error {
	status := s.Config.Status()
	if status.RestartNeeded == nil {
		status.RestartNeeded = []string{}
	}
	return c.ok(status)
}

// enablePlugin and disablePlugin answer when the configuration says so. How the
// plugin fares after that is in the list of plugins.
func (s *Server) enablePlugin(c *call) error {
	return c.done(s.Config.EnablePlugin(c.Params("name"), true))
}

func (s *Server) disablePlugin(c *call) error {
	return c.done(s.Config.EnablePlugin(c.Params("name"), false))
}

func (s *Server) restartPlugin(c *call) error {
	return c.done(s.Plugins.Restart(c.Params("name")))
}

// done answers for an act that has nothing to show.
func (c *call) done(err error) error {
	if err != nil {
		return err
	}
	return c.ok(map[string]bool{"ok": true})
}
