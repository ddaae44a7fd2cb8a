package library

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

func zeroFile(size int64) io.Reader { return io.LimitReader(zeros{}, size) }

// withFree gives a library a drive with that much free space.
func withFree(l *Library, free func() int64) {
	l.space.free = func(string) (int64, error) { return free(), nil }
}

func TestSpaceIsCheckedBefore(t *testing.T) {
	o := options(t)
	o.KeepFree = 100
	l := open(t, o)
	withFree(l, func() int64 { return 1_000_000 })
	tests := []struct {
		size int64
		want string // "" means accepted
	}{
		{-1, ""},
		{0, ""},
		{999_900, ""},
		{999_901, "NAS doesn't have enough space (needs 999.9 kB)."},
		{2_100_000_000, "NAS doesn't have enough space (needs 2.1 GB)."},
	}
	for _, tt := range tests {
		b, err := l.Begin(tt.size)
		if tt.want == "" {
			if err != nil {
				t.Errorf("Begin(%d) = %v", tt.size, err)
				continue
			}
			b.Abort()
			continue
		}
		wantKind(t, err, sdk.NoSpace)
		if got := sdk.AsError(err).Friendly(); got != tt.want {
			t.Errorf("Begin(%d) says %q, want %q", tt.size, got, tt.want)
		}
	}
	withFree(l, func() int64 { return 99 })
	_, err := l.Begin(-1)
	wantKind(t, err, sdk.NoSpace)
	if got, want := sdk.AsError(err).Friendly(), "NAS doesn't have enough space."; got != want {
		t.Errorf("the sentence is %q, want %q", got, want)
	}
}

func TestSpaceIsNotPromisedTwice(t *testing.T) {
	l := open(t, options(t))
	free := int64(1000)
	withFree(l, func() int64 { return free })
	first, err := l.Begin(600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Begin(600)
	wantKind(t, err, sdk.NoSpace)
	if _, err := first.Add("a", zeroFile(600)); err != nil {
		t.Fatal(err)
	}
	free = 400
	_, err = l.Begin(401)
	wantKind(t, err, sdk.NoSpace)
	second, err := l.Begin(400)
	if err != nil {
		t.Fatal(err)
	}
	second.Abort()
	second.Abort()
	first.Abort()
	if l.space.promised != 0 {
		t.Errorf("%d bytes are still promised", l.space.promised)
	}
}

// TestDriveFillsUp: another program fills the drive during an upload.
func TestDriveFillsUp(t *testing.T) {
	o := options(t)
	o.KeepFree = 1000
	l := open(t, o)
	looks := 0
	withFree(l, func() int64 {
		looks++
		if looks > 3 {
			return 999
		}
		return 1 << 40
	})
	for _, size := range []int64{5 * checkEvery, 10} {
		looks = 0
		b, err := l.Begin(-1)
		if err != nil {
			t.Fatal(err)
		}
		if size < checkEvery {
			looks = 3
		}
		_, err = b.Add("a", zeroFile(size))
		wantKind(t, err, sdk.NoSpace)
		b.Abort()
		wantNames(t, l)
	}
}

func TestFailuresOfTheDrive(t *testing.T) {
	l := open(t, options(t))
	tests := map[error]sdk.Kind{
		syscall.ENOSPC:               sdk.NoSpace,
		syscall.EDQUOT:               sdk.NoSpace,
		syscall.EFBIG:                sdk.TooLarge,
		syscall.EROFS:                sdk.PluginUnavailable,
		syscall.EACCES:               sdk.PluginUnavailable,
		syscall.ENOENT:               sdk.PluginUnavailable,
		syscall.EIO:                  sdk.PluginUnavailable,
		errors.New("unforeseen"):     sdk.Internal,
		sdk.Errorf(sdk.Expired, "x"): sdk.Expired,
	}
	for cause, want := range tests {
		err := l.uploadFailure(errors.Join(errors.New("write"), cause), 2_100_000_000)
		wantKind(t, err, want)
		if !errors.Is(err, cause) {
			t.Errorf("%v lost its cause", err)
		}
		if text := sdk.AsError(err).Friendly(); strings.Contains(text, "errno") || strings.Contains(text, "/") {
			t.Errorf("the sentence is technical: %q", text)
		}
	}
	l.device = ""
	if got := l.noSpace(-1).Friendly(); got != "This device doesn't have enough space." {
		t.Errorf("without a name: %q", got)
	}
}

func TestHangingDrive(t *testing.T) {
	l := open(t, options(t))
	release := make(chan struct{})
	hanging := l.probes.join(func() error { <-release; return nil })
	started := time.Now()
	wantKind(t, l.Check(t.Context()), sdk.PluginUnavailable)
	if took := time.Since(started); took < probeTimeout {
		t.Errorf("Check() gave up after %v", took)
	}
	if again := l.probes.join(func() error { t.Error("a second look was started"); return nil }); again != hanging {
		t.Error("a second look was started")
	}
	close(release)
	<-hanging.done
	if err := l.Check(t.Context()); err != nil {
		t.Errorf("Check() of a drive that answers again = %v", err)
	}
}
