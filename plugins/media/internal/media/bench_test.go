package media

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// The path of the real thing but for the gateway: HTTP over a unix socket, and
// synced to the drive.

const benchSize = 64 << 20

// noise is what photos and films look like to a reader: every byte occurs.
func noise(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return string(b)
}

func benchClient(b *testing.B) *http.Client {
	b.Helper()
	dir := b.TempDir()
	h, err := New(b.Context(), environment(dir, io.Discard), Config{})
	if err != nil {
		b.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l)
	}()
	b.Cleanup(func() {
		s.Close()
		<-done
		h.Shutdown(context.Background())
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, WriteBufferSize: 256 << 10}}
}

func benchUpload(b *testing.B, contentType, body string) {
	client := benchClient(b)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		w, err := client.Post("http://media/media/upload?filename=film.mov", contentType, strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		w.Body.Close()
		if w.StatusCode != http.StatusCreated {
			b.Fatal(w.Status)
		}
	}
}

func BenchmarkUpload(b *testing.B) {
	b.Run("raw", func(b *testing.B) { benchUpload(b, "video/mp4", noise(benchSize)) })
	b.Run("form", func(b *testing.B) {
		head := "--b\r\nContent-Disposition: form-data; filename=\"film.mov\"\r\n\r\n"
		benchUpload(b, "multipart/form-data; boundary=b", head+noise(benchSize)+"\r\n--b--\r\n")
	})
	b.Run("small", func(b *testing.B) { benchUpload(b, "image/jpeg", noise(100_000)) })
}
