package sdktest

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/salita-mesh/salita/sdk/control"
)

// unknownKey is a setting that no plugin has.
const unknownKey = "salita_conformance_unknown"

// spoiled is the configuration with an unknown key at its end, and where that
// stands.
func (t *trial) spoiled(revision, value string) (control.Config, control.Position) {
	c := t.config(revision)
	text := string(c.Source) + "\n  "
	at := control.Position{
		Line:   c.Start.Line + strings.Count(text, "\n"),
		Column: 3,
		Byte:   c.Start.Byte + len(text),
	}
	c.Source = []byte(fmt.Sprintf("%s%s = %q\n", text, unknownKey, value))
	return c, at
}

func unknownSetting(t *trial) error {
	l, err := t.connected()
	if err != nil {
		return err
	}
	config, at := t.spoiled("1", "x")
	_, err = l.control.ValidateConfig(t.ctx, config)
	if err := refusedAt(err, at); err != nil {
		t.problem("asked to validate it, %w", err)
	}
	_, _, err = l.control.Configure(t.ctx, config, l.environment())
	if err := refusedAt(err, at); err != nil {
		t.problem("asked to apply it, %w", err)
	}
	return nil
}

// refusedAt checks that a configuration was refused for what stands at the place.
func refusedAt(err error, at control.Position) error {
	var refused *control.ConfigError
	if !errors.As(err, &refused) {
		if err == nil {
			return errors.New("it accepts it")
		}
		return fmt.Errorf("it does not say what is wrong: %w", err)
	}
	for _, d := range refused.Diagnostics {
		if d.Severity == control.Error && d.Subject != nil && d.Subject.Start == at && d.Subject.Filename == "config.hcl" {
			if d.Summary == "" {
				return errors.New("its remark has no summary")
			}
			return nil
		}
	}
	return fmt.Errorf("it names no remark at config.hcl:%d,%d: %w", at.Line, at.Column, refused)
}

func validatePure(t *trial) error {
	l, err := t.connected()
	if err != nil {
		return err
	}
	before, err := contents(l.place.base)
	if err != nil {
		return err
	}
	if _, err := l.control.ValidateConfig(t.ctx, t.config("1")); err != nil {
		return fmt.Errorf("the configuration that it works with is refused: %w", err)
	}
	after, err := contents(l.place.base)
	if err != nil {
		return err
	}
	if !maps.Equal(before, after) {
		t.problem("it touched %s", difference(l.place, before, after))
	}
	if err := l.control.CheckHealth(t.ctx); err == nil {
		t.problem("it works afterwards, without having been configured")
	}
	return nil
}

func configureAgain(t *trial) error {
	l, err := t.ready()
	if err != nil {
		return err
	}
	first := l.at
	if err := l.configure(t.ctx, t.config("1"), l.environment()); err != nil {
		return fmt.Errorf("the same revision: %w", err)
	}
	if l.at != first {
		t.problem("for the same revision it serves HTTP elsewhere")
	}
	for _, revision := range []string{"2", ""} {
		if err := l.configure(t.ctx, t.config(revision), l.environment()); err != nil {
			return fmt.Errorf("revision %q: %w", revision, err)
		}
		if err := l.works(t.ctx); err != nil {
			return fmt.Errorf("after revision %q: %w", revision, err)
		}
	}
	return nil
}

func configureRefused(t *trial) error {
	l, err := t.ready()
	if err != nil {
		return err
	}
	config, _ := t.spoiled("2", "x")
	if _, _, err := l.control.Configure(t.ctx, config, l.environment()); err == nil {
		return skipError("it accepts an unknown key, which another rule is about")
	}
	if err := l.works(t.ctx); err != nil {
		return err
	}
	// The refused revision was not taken for the one in force.
	if _, _, err := l.control.Configure(t.ctx, config, l.environment()); err == nil {
		t.problem("asked a second time, it accepts what it has refused")
	}
	return nil
}
