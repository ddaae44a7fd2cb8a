package plugins

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCalm tells the stories of files in a folder. A file is written as
// "name:version"; "!" after it: somebody has it open for writing; "-": it must
// not be run. What counts is listed in the same way; "?": still being copied.
func TestCalm(t *testing.T) {
	const settle, explain = 300, 2000 // milliseconds, as all times here
	for _, c := range []struct {
		name  string
		looks []string // "at: files => what counts"
	}{
		{"there from the beginning", []string{"0: a:1 b:1 => a:1 b:1"}},
		{"being written from the beginning", []string{"0: a:1! b:1 => b:1", "100: a:2! b:1 => b:1", "200: a:3 b:1 => b:1", "500: a:3 b:1 => a:3 b:1"}},
		{"a new one", []string{"0: => ", "100: a:1 => ", "399: a:1 => ", "400: a:1 => a:1"}},
		{"a new one that grows", []string{"0: => ", "100: a:1 => ", "300: a:2 => ", "500: a:2 => ", "600: a:2 => a:2"}},
		{"a slow copy", []string{"0: => ", "100: a:1! => ", "1100: a:1! => ", "2100: a:2! => a:?", "2200: a:3 => a:?", "2500: a:3 => a:3"}},
		{"copied over", []string{"0: a:1 => a:1", "100: a:0! => a:1", "5000: a:2! => a:1", "5100: a:2 => a:1", "5400: a:2 => a:2"}},
		{"removed", []string{"0: a:1 => a:1", "100: => a:1", "399: => a:1", "400: => ", "500: => "}},
		{"exchanged", []string{"0: a:1 => a:1", "100: => a:1", "200: a:2 => a:1", "500: a:2 => a:2"}},
		{"away for a moment", []string{"0: a:1 => a:1", "100: => a:1", "200: a:1 => a:1", "900: a:1 => a:1"}},
		{"came and went", []string{"0: => ", "100: a:1 => ", "200: => ", "300: a:1 => ", "400: a:1 => ", "600: a:1 => a:1"}},
		{"another mode counts at once", []string{"0: a:1 => a:1", "100: a:1- => a:1-", "150: a:1 => a:1"}},
		{"another mode and another file", []string{"0: a:1 => a:1", "100: a:2- => a:1", "350: a:2 => a:1", "650: a:2 => a:2"}},
		{"back before anybody believed it", []string{"0: a:1 => a:1", "100: a:2 => a:1", "200: a:1 => a:1", "400: a:2 => a:1", "700: a:2 => a:2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			calm := newCalm(settle*time.Millisecond, explain*time.Millisecond)
			for _, look := range c.looks {
				when, rest, _ := strings.Cut(look, ":")
				before, after, _ := strings.Cut(rest, "=>")
				var at int
				fmt.Sscan(when, &at)
				got, again := calm.next(start.Add(time.Duration(at)*time.Millisecond), parseFiles(before))
				if diff := cmp.Diff(strings.Fields(after), nameFiles(got)); diff != "" {
					t.Errorf("%s: %s", look, diff)
				}
				if moving := len(calm.moving) > 0; moving != (again > 0) || again > settle*time.Millisecond {
					t.Errorf("%s: to look again after %s", look, again)
				}
			}
		})
	}
}

func parseFiles(text string) []seen {
	var files []seen
	for _, word := range strings.Fields(text) {
		name, rest, _ := strings.Cut(word, ":")
		p := program{name: name, path: "/" + name, id: fileID{inode: uint64(rest[0])}}
		if strings.HasSuffix(rest, "-") {
			p.problem = refusal("no")
		}
		files = append(files, seen{program: p, written: strings.HasSuffix(rest, "!")})
	}
	return files
}

func nameFiles(programs []program) []string {
	names := []string{}
	for _, p := range programs {
		version, mark := string(rune(p.id.inode)), ""
		switch sentence(p.problem) {
		case "no":
			mark = "-"
		case p.path + " is still being copied.":
			version, mark = "", "?"
		}
		names = append(names, p.name+":"+version+mark)
	}
	return names
}
