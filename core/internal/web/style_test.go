package web

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	property = regexp.MustCompile(`(--[a-z-]+):\s*([^;]+);`)
	usage    = regexp.MustCompile(`var\((--[a-z-]+)\)`)
)

// themes returns the custom properties for light and dark.
func themes(t *testing.T, css string) (light, dark map[string]string) {
	t.Helper()
	light, dark = make(map[string]string), make(map[string]string)
	before, after, ok := strings.Cut(css, "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("no dark theme")
	}
	after, _, _ = strings.Cut(after, "@media")
	for _, m := range property.FindAllStringSubmatch(before, -1) {
		light[m[1]], dark[m[1]] = m[2], m[2]
	}
	for _, m := range property.FindAllStringSubmatch(after, -1) {
		if light[m[1]] == "" {
			t.Errorf("%s is dark only", m[1])
		}
		dark[m[1]] = m[2]
	}
	return light, dark
}

func styleSheet(t *testing.T) string {
	t.Helper()
	a, ok := Lookup("/assets/salita.css")
	if !ok {
		t.Fatal("no style sheet")
	}
	return string(a.Body)
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(colour string) (float64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil || len(colour) != 7 {
		return 0, fmt.Errorf("colour %q", colour)
	}
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(n>>(16-8*i)&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum, nil
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, err := luminance(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := luminance(b)
	if err != nil {
		t.Fatal(err)
	}
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestContrast holds WCAG 2.2's 1.4.3 for text and 1.4.11 for edges and signs.
func TestContrast(t *testing.T) {
	light, dark := themes(t, styleSheet(t))
	for name, theme := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"--ink", "--ground", 7},
			{"--ink", "--surface", 7},
			{"--ink", "--warn-ground", 7},
			{"--soft", "--ground", 4.5},
			{"--soft", "--surface", 4.5},
			{"--soft", "--warn-ground", 4.5},
			{"--accent", "--ground", 4.5},
			{"--accent", "--surface", 4.5},
			{"--on-accent", "--accent", 4.5},
			{"--on-accent", "--accent-strong", 4.5},
			{"--warn", "--surface", 4.5},
			{"--good", "--surface", 3},
			{"--edge", "--surface", 3},
			{"--edge", "--ground", 3},
		} {
			if got := contrast(t, theme[pair.front], theme[pair.back]); got < pair.least {
				t.Errorf("%s: %s on %s is %.2f, below %.1f", name, pair.front, pair.back, got, pair.least)
			}
		}
	}
	if got := contrast(t, "#000000", "#ffffff"); math.Abs(got-21) > 0.01 {
		t.Errorf("black on white is %.2f", got)
	}
}

func TestPropertiesAreDefinedAndUsed(t *testing.T) {
	css := styleSheet(t)
	light, _ := themes(t, css)
	used := make(map[string]bool)
	for _, m := range usage.FindAllStringSubmatch(css, -1) {
		used[m[1]] = true
		if light[m[1]] == "" {
			t.Errorf("%s is not defined", m[1])
		}
	}
	for name := range light {
		if !used[name] {
			t.Errorf("%s is not used", name)
		}
	}
}

func TestStyleSheetKeepsItsPromises(t *testing.T) {
	css := styleSheet(t)
	if strings.Count(css, "{") != strings.Count(css, "}") {
		t.Error("braces do not match")
	}
	for _, promise := range []string{
		"--target: 2.75rem", ":focus-visible", "prefers-reduced-motion", "prefers-contrast", "forced-color-adjust", "overflow-wrap: anywhere",
	} {
		if !strings.Contains(css, promise) {
			t.Errorf("no %s", promise)
		}
	}
	if strings.Contains(css, "@import") {
		t.Error("the style sheet imports another")
	}
	// Whoever wants no motion gets none: it is only ever switched on.
	before, _, _ := strings.Cut(css, "@media (prefers-reduced-motion: no-preference)")
	for _, motion := range []string{"animation:", "transition:", "scroll-behavior:"} {
		if strings.Contains(before, motion) {
			t.Errorf("%s cannot be switched off", motion)
		}
	}
}
