package sandbox

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxShebang is how much of a script's first line the system looks at.
const maxShebang = 256

// defaultPath is where env looks for programs when it is told nothing.
const defaultPath = "/usr/local/bin:/usr/bin:/bin"

// Interpreter lists what a script needs to be run: its interpreter and the
// folder in which that is installed, such as a virtual environment of Python.
// searchPath is the PATH that the program gets. For what is not a script it is
// empty.
func Interpreter(program, searchPath string) []string {
	words := shebang(program)
	if len(words) == 0 {
		return nil
	}
	var places []string
	interpreter := words[0]
	if filepath.Base(interpreter) == "env" {
		places = append(places, interpreter)
		interpreter = find(firstCommand(words[1:]), searchPath)
	}
	if !filepath.IsAbs(interpreter) {
		return places
	}
	return append(places, installation(interpreter)...)
}

// shebang is the first line of a script, in words.
func shebang(program string) []string {
	f, err := os.Open(program)
	if err != nil {
		return nil
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxShebang)).ReadString('\n')
	text, ok := strings.CutPrefix(line, "#!")
	if !ok || err != nil && err != io.EOF {
		return nil
	}
	return strings.Fields(text)
}

// firstCommand is the program among the arguments of env.
func firstCommand(arguments []string) string {
	for _, a := range arguments {
		if !strings.HasPrefix(a, "-") && !strings.Contains(a, "=") {
			return a
		}
	}
	return ""
}

// find looks for a command as env does.
func find(command, searchPath string) string {
	if command == "" || strings.Contains(command, "/") {
		return command
	}
	if searchPath == "" {
		searchPath = defaultPath
	}
	for _, dir := range filepath.SplitList(searchPath) {
		path := filepath.Join(dir, command)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// installation is an interpreter with the folder around the one it is in. For a
// virtual environment that is one and the installation it was made from.
func installation(interpreter string) []string {
	places := environment(filepath.Dir(filepath.Dir(interpreter)))
	real, err := filepath.EvalSymlinks(interpreter)
	if err != nil {
		return places
	}
	places = append(places, real)
	// People's own ~/.local holds far more than programs.
	if root := filepath.Dir(filepath.Dir(real)); filepath.Base(root) != ".local" && filepath.Dir(root) != root {
		places = append(places, root)
	}
	return places
}

// environment is a virtual environment of Python with what it is based on;
// nothing when the folder is none.
func environment(root string) []string {
	settings, err := os.ReadFile(filepath.Join(root, "pyvenv.cfg"))
	if err != nil {
		return nil
	}
	places := []string{root}
	for line := range strings.Lines(string(settings)) {
		key, value, _ := strings.Cut(line, "=")
		if value = strings.TrimSpace(value); strings.TrimSpace(key) == "home" && filepath.IsAbs(value) {
			places = append(places, filepath.Dir(value))
		}
	}
	return places
}
