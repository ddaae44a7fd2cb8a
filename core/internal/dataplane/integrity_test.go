package dataplane

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
)

// noise is n bytes that depend on a seed alone, handed out in pieces of random
// sizes. Pending says yes now and then, as a reader with a buffer would.
type noise struct {
	src  *rand.ChaCha8
	rnd  *rand.Rand
	left int64
}

func newNoise(seed, n int64) *noise {
	var key [32]byte
	copy(key[:], strconv.FormatInt(seed, 16))
	return &noise{src: rand.NewChaCha8(key), rnd: rand.New(rand.NewPCG(uint64(seed), 2)), left: n}
}

func (s *noise) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := int(min(s.left, int64(len(p)), 1+s.rnd.Int64N(200<<10)))
	_, _ = s.src.Read(p[:n])
	s.left -= int64(n)
	return n, nil
}

func (s *noise) Pending() bool { return s.left > 0 && s.rnd.IntN(3) > 0 }

func (s *noise) Close() error { return nil }

func sum(r io.Reader) (string, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return fmt.Sprintf("%d:%x", n, h.Sum(nil)), err
}

// randomSize is small, near a border, or up to a megabyte.
func randomSize(rnd *rand.Rand) int64 {
	borders := []int64{0, 1, readBuffer, smallBody, smallBuffer, largeBuffer}
	switch rnd.IntN(3) {
	case 0:
		return rnd.Int64N(20_000)
	case 1:
		return max(0, borders[rnd.IntN(len(borders))]+rnd.Int64N(64)-32)
	}
	return rnd.Int64N(1 << 20)
}

// TestIntegrity sends and fetches a few hundred bodies of random sizes, of
// declared and of unknown length, several at once over few connections, and
// compares their hashes.
func TestIntegrity(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := sum(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Sum", got)
		seed, _ := strconv.ParseInt(r.URL.Query().Get("seed"), 10, 64)
		size, _ := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64)
		if seed%2 == 0 {
			w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		}
		_, _ = io.Copy(w, newNoise(seed, size))
	}))
	tr := lean(t, p.path, Options{MaxConns: 5})
	var all sync.WaitGroup
	for worker := range int64(8) {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(worker)))
			for i := range int64(40) {
				transfer(t, tr, rnd, worker*1000+i)
			}
		})
	}
	all.Wait()
	if n := p.l.accepted(); n > 5 {
		t.Errorf("%d connections, so some were not reused", n)
	}
}

func transfer(t *testing.T, tr *Transport, rnd *rand.Rand, seed int64) {
	up, down := randomSize(rnd), randomSize(rnd)
	req := newRequest(t, "POST", fmt.Sprintf("/?seed=%d&size=%d", seed, down), nil)
	if up > 0 {
		req.Body, req.ContentLength = newNoise(-seed-1, up), up
	}
	if up > 0 && rnd.IntN(2) == 0 {
		req.ContentLength = -1
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	sent, _ := sum(newNoise(-seed-1, up))
	want, _ := sum(newNoise(seed, down))
	// The hash reads through WriteTo, the plain reader in pieces of any size.
	var body io.Reader = resp.Body
	if rnd.IntN(2) == 0 {
		body = plainReader{body, rnd}
	}
	got, err := sum(body)
	if err != nil || got != want || resp.Header.Get("X-Sum") != sent {
		t.Errorf("%d up (%d declared), %d down: got %s, %v, want %s; plugin got %s, want %s",
			up, req.ContentLength, down, got, err, want, resp.Header.Get("X-Sum"), sent)
	}
}

// plainReader hides WriteTo and reads pieces of random sizes.
type plainReader struct {
	r   io.Reader
	rnd *rand.Rand
}

func (p plainReader) Read(b []byte) (int, error) {
	return p.r.Read(b[:1+p.rnd.IntN(len(b))])
}
