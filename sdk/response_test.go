package sdk

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestResponseKnowsWhetherItBegan(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(w http.ResponseWriter)
		began bool
	}{
		"nothing":     {func(http.ResponseWriter) {}, false},
		"header only": {func(w http.ResponseWriter) { w.Header().Set("A", "b") }, false},
		"early hints": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) }, false},
		"status":      {func(w http.ResponseWriter) { w.WriteHeader(204) }, true},
		"write":       {func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) }, true},
		"string":      {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") }, true},
		"copy":        {func(w http.ResponseWriter) { _, _ = io.Copy(w, io.LimitReader(strings.NewReader("x"), 1)) }, true},
		"flush":       {func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, true},
		"controller":  {func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }, true},
	} {
		w := &response{ResponseWriter: httptest.NewRecorder()}
		c.do(w)
		if w.started != c.began {
			t.Errorf("%s: %v", name, w.started)
		}
	}
}

// TestResponseKeepsEveryAbility uses the writer as authors do: by assertion and
// through http.ResponseController.
func TestResponseKeepsEveryAbility(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &response{ResponseWriter: w}
		if err := http.NewResponseController(out).EnableFullDuplex(); err != nil {
			t.Errorf("full duplex: %v", err)
		}
		conn, _, err := out.Hijack()
		if err != nil {
			t.Errorf("hijack: %v", err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
		_ = conn.Close()
	}))
	defer server.Close()
	resp, err := http.Get(server.URL)
	must(t, err)
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "hi" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
}
