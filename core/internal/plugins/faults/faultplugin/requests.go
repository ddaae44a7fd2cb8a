//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// requests are what /<name>/<what> does. Any other word is answered politely.
var requests = map[string]func(h *handler, w http.ResponseWriter, r *http.Request){
	"pid":     func(_ *handler, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) },
	"library": func(h *handler, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, h.config.Library) },
	"echo": func(_ *handler, w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(w, r.Body)
	},
	"slow":  slow,
	"never": func(_ *handler, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "began"); flush(w); select {} },

	// Row 9 and 10.
	"longline": func(_ *handler, _ http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(os.Stderr, strings.Repeat("y", 10<<20))
		fmt.Fprintln(os.Stderr, "\x00\xff\xfe\x1b[2J\x1b]0;title\x07 binary")
	},
	"flood": func(h *handler, _ http.ResponseWriter, _ *http.Request) {
		for i := range 100_000 {
			h.env.Logger.Info("flood", "n", i)
		}
	},
	"stdout": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		_, _ = syscall.Write(1, []byte(strings.Repeat("o", 70<<10)+"\n"))
		fmt.Fprint(w, "done")
	},

	// Row 11.
	"panic": func(*handler, http.ResponseWriter, *http.Request) { panic("lost my mind") },
	"abort": func(*handler, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"cut": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		flush(w)
		panic(errors.New("lost my mind"))
	},

	// Row 12 and 14.
	"boom": func(_ *handler, _ http.ResponseWriter, _ *http.Request) { crashWithin(0); select {} },
	"exit": func(_ *handler, _ http.ResponseWriter, _ *http.Request) { lastBreath(); os.Exit(7) },
	"kill": func(_ *handler, _ http.ResponseWriter, _ *http.Request) {
		lastBreath()
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	},
	"memory": func(_ *handler, _ http.ResponseWriter, _ *http.Request) { exhaustMemory() },
	"stop": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		time.Sleep(200 * time.Millisecond) // it takes a moment to reach every thread
		fmt.Fprint(w, "awake again")
	},

	// Row 29.
	"bighead": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Big", strings.Repeat("x", 10<<20))
	},
	"manyheads": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		for i := range 20_000 {
			w.Header().Set(fmt.Sprintf("X-Head-%d", i), "x")
		}
	},
	"status":  func(_ *handler, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(799) },
	"endless": endless,
	"toolong": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		rawAnswer(w, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmuch more than four")
	},
	"tooshort": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		rawAnswer(w, "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nnot so much")
	},
	"bothways": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		rawAnswer(w, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsafe\r\n0\r\n\r\n")
	},
	"badchunk": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		rawAnswer(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsafe\r\nzzz\r\n")
	},
	"nothttp": func(_ *handler, w http.ResponseWriter, _ *http.Request) { rawAnswer(w, "SSH-2.0-OpenSSH_9.9\r\n") },
	"status0": func(_ *handler, w http.ResponseWriter, _ *http.Request) { rawAnswer(w, "HTTP/1.1 000 Nothing\r\n\r\n") },
	"early": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		rawAnswer(w, strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 100_000))
	},
	"forged": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		for name, value := range map[string]string{"Salita-Caller-Id": "owner", "Set-Cookie": "session=forged", "Service-Worker-Allowed": "/", "Clear-Site-Data": `"*"`, "X-Own": "kept"} {
			w.Header().Set(name, value)
		}
	},

	// Row 30.
	"big": bigBody,
	"refuse": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	},
	"unread": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		var err error
		for ; err == nil; time.Sleep(10 * time.Millisecond) {
			_, err = fmt.Fprint(w, ".")
			flush(w)
		}
		note("unread", "request ended: %v", err)
	},

	// Row 31.
	"upgrade": upgrade,
	"events":  serverSentEvents,
	"file": func(_ *handler, w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "file.txt", time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), strings.NewReader("0123456789"))
	},
	"trailers": func(_ *handler, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, "body")
		flush(w)
		w.Header().Set("X-Sum", "42")
	},
	"nothing": func(_ *handler, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },

	// Row 33.
	"place": func(_ *handler, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, socketDir()) },

	// Row 34.
	"publish": func(h *handler, w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		for i := range n {
			h.env.Events.Publish(h.name()+".counted", map[string]any{"n": i, "pad": strings.Repeat("x", 8<<10)})
		}
		h.env.Events.Publish("bystander.forged", nil)
		for range n {
			h.env.Events.HealthChanged()
		}
	},
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// name is the plugin's name.
func (h *handler) name() string { return lastSegment(h.env.DataDir) }

// slow says that it began, and ends when the file "go" appears.
func slow(_ *handler, w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "began")
	flush(w)
	for !has("go") {
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Fprintln(w, "ended")
}

// exhaustMemory takes more than the system is going to give.
func exhaustMemory() {
	const room = 64 << 20
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &now); err != nil {
		panic(err)
	}
	now.Cur = room // less than is mapped already: every further piece is refused
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &now); err != nil {
		panic(err)
	}
	var kept [][]byte
	for {
		kept = append(kept, make([]byte, room))
		kept[len(kept)-1][0] = 1
	}
}

// endless writes until it cannot, and notes that.
func endless(_ *handler, w http.ResponseWriter, r *http.Request) {
	piece := make([]byte, 64<<10)
	for {
		if _, err := w.Write(piece); err != nil {
			break
		}
	}
	<-r.Context().Done()
	note("endless", "request ended")
}

// bigBody answers with so many bytes.
func bigBody(_ *handler, w http.ResponseWriter, r *http.Request) {
	size, _ := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64)
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	_, err := io.CopyN(w, zeros{}, size)
	note("big", "request ended: %v", err)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// rawAnswer sends the bytes in place of an answer and hangs up.
func rawAnswer(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, text)
}

func upgrade(_ *handler, w http.ResponseWriter, _ *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_ = rw.Flush()
	_, _ = io.Copy(conn, rw)
}

// serverSentEvents sends one event, and the next when the file "go" appears.
func serverSentEvents(_ *handler, w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "data: one\n\n")
	flush(w)
	for !has("go") {
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Fprint(w, "data: two\n\n")
}
