package library

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"
	"testing/iotest"
)

func newChunks() *sync.Pool {
	return &sync.Pool{New: func() any { return new([chunkSize]byte) }}
}

func TestReceive(t *testing.T) {
	readers := map[string]func(io.Reader) io.Reader{
		"plain":         func(r io.Reader) io.Reader { return r },
		"halves":        iotest.HalfReader,
		"data with EOF": iotest.DataErrReader,
	}
	sizes := []int{0, 1, 511, 512, 513, chunkSize - 1, chunkSize, chunkSize + 1, 2 * chunkSize, chunkCount*chunkSize + 7, 9*chunkSize + 1}
	for name, wrap := range readers {
		for _, size := range sizes {
			want := pattern(size)
			var got bytes.Buffer
			c, err := receive(&got, wrap(bytes.NewReader(want)), newChunks())
			sum := sha256.Sum256(want)
			if err != nil || !bytes.Equal(got.Bytes(), want) || c.size != int64(size) || c.sha256 != hex.EncodeToString(sum[:]) {
				t.Errorf("%s, %d bytes: %d written, %d counted, checksum %s, %v", name, size, got.Len(), c.size, c.sha256, err)
			}
			if !bytes.Equal(c.head, want[:min(size, 512)]) {
				t.Errorf("%s, %d bytes: head is %q", name, size, c.head)
			}
		}
	}
}

func TestReceiveFailures(t *testing.T) {
	broken := errors.New("broken")
	for _, size := range []int{0, 10, chunkSize, 3*chunkSize + 5} {
		for _, cause := range []error{broken, io.ErrUnexpectedEOF} {
			src := io.MultiReader(bytes.NewReader(pattern(size)), iotest.ErrReader(cause))
			if _, err := receive(io.Discard, src, newChunks()); err != cause {
				t.Errorf("source fails after %d bytes: error %v, want %v", size, err, cause)
			}
		}
		dst := &fullWriter{room: size, err: broken}
		if _, err := receive(dst, bytes.NewReader(pattern(size+1)), newChunks()); err != broken {
			t.Errorf("destination fails after %d bytes: error %v", size, err)
		}
	}
	if _, err := receive(io.Discard, stuckReader{}, newChunks()); err != io.ErrNoProgress {
		t.Errorf("source that never reads: error %v", err)
	}
}

type stuckReader struct{}

func (stuckReader) Read([]byte) (int, error) { return 0, nil }

type fullWriter struct {
	room int
	err  error
}

func (w *fullWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.room)
	w.room -= n
	if n < len(p) {
		return n, w.err
	}
	return n, nil
}

// TestReceiveAllocates checks that memory does not grow with the file.
func TestReceiveAllocates(t *testing.T) {
	const size = 256 << 20
	chunks := newChunks()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := receive(io.Discard, io.LimitReader(zeros{}, size), chunks)
	runtime.ReadMemStats(&after)
	if err != nil || c.size != size {
		t.Fatalf("received %d bytes, %v", c.size, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 3*chunkCount*chunkSize {
		t.Errorf("%d bytes were allocated for a file of %d", used, size)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func BenchmarkReceive(b *testing.B) {
	chunks := newChunks()
	b.SetBytes(64 << 20)
	for b.Loop() {
		if _, err := receive(io.Discard, io.LimitReader(zeros{}, 64<<20), chunks); err != nil {
			b.Fatal(err)
		}
	}
}
