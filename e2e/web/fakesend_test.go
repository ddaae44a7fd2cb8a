package web

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// file makes a file to send.
func file(t *testing.T, name string, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, bytes.Repeat([]byte{'x'}, size), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// onPhone shows a fake to a phone that is paired with it.
func onPhone(t *testing.T, f *fake) *page {
	t.Helper()
	f.window = object{"state": "open"}
	p := newPage(t, phone)
	p.open(f.link())
	p.view("naming")
	p.click("#name-submit")
	p.view("pin")
	p.write("#pin", fakePIN)
	p.click("#pin-submit")
	p.view("done")
	p.click(`[data-view="done"] a.primary`)
	p.view("home")
	p.says("#send-title", "Send to Study Desktop")
	return p
}

func (p *page) choose(paths ...string) {
	p.t.Helper()
	p.do("choose files", chromedp.SetUploadFiles(chromedp.CSS("#files"), paths))
}

func row(name string) string { return fmt.Sprintf(`.upload:has([aria-label$=%q])`, name) }

func TestAPhoneSends(t *testing.T) {
	f := newFake(t)
	f.devices = family()
	p := onPhone(t, f)
	p.says(".device", "Laptop")
	if eval[bool](p, `document.querySelector("#add").checkVisibility() || document.querySelector("#browsers").checkVisibility() || document.querySelector(".device-actions").checkVisibility()`) {
		t.Error("a phone is offered what only the owner may do")
	}
	p.choose(file(t, "beach & dünes.jpg", 2_100_000), file(t, "empty.txt", 0))
	p.says(row("beach & dünes.jpg"), "Arrived, 2.1 MB")
	p.says(row("empty.txt"), "Arrived, 0 bytes")
	p.says("#send-summary", "2 files arrived")
	f.called(t, "UPLOAD beach & dünes.jpg")
	p.shot("sent")
	p.click(`[aria-label="Hide empty.txt"]`)
	p.says("#send-summary", "1 file arrived")
}

func TestAFileThatChangesOnTheWayIsSentAgain(t *testing.T) {
	f := newFake(t)
	f.lie = 1
	p := onPhone(t, f)
	p.choose(file(t, "once.jpg", 1000))
	p.says(row("once.jpg"), "Arrived, 1.0 KB")
	if n := f.count("UPLOAD once.jpg"); n != 2 {
		t.Errorf("sent %d times", n)
	}
	f.set(func() { f.lie = 99 })
	p.choose(file(t, "always.jpg", 1000))
	p.says(row("always.jpg"), "The file changed on the way.")
	if n := f.count("UPLOAD always.jpg"); n != 3 {
		t.Errorf("sent %d times", n)
	}
	p.says("#send-summary", "1 of 2 files arrived, 1 not sent")
}

func TestSendingFailsInWordsAndGoesOn(t *testing.T) {
	f := newFake(t)
	p := onPhone(t, f)
	f.set(func() {
		f.fail["POST /media/upload"] = problem(507, "no_space", "Study Desktop doesn't have enough space (needs 2.1 GB).")
	})
	p.choose(file(t, "film.mp4", 5000))
	p.says(row("film.mp4"), "Study Desktop doesn't have enough space (needs 2.1 GB).")
	p.says(row("film.mp4"), "Reference 7K3QF")
	p.shot("not-sent")
	f.set(func() { clear(f.fail) })
	p.click(`[aria-label="Hide film.mp4"], .upload [data-part="retry"]`)
	p.says(row("film.mp4"), "Arrived, 5.0 KB")
}

func TestSendingCanBeCancelled(t *testing.T) {
	f := newFake(t)
	p := onPhone(t, f)
	p.choose(file(t, "slow.bin", 3_000_000), file(t, "next.bin", 10))
	p.await("the bar", `document.querySelector(".upload progress").checkVisibility()`)
	p.says(row("next.bin"), "Waiting")
	p.shot("sending")
	p.click(`[aria-label="Cancel slow.bin"]`)
	p.says(row("next.bin"), "Arrived, 10 bytes")
	p.says("#send-summary", "1 file arrived")
	close(f.slow)
}

func TestASignedOutPhoneIsTold(t *testing.T) {
	f := newFake(t)
	p := onPhone(t, f)
	f.set(func() { clear(f.roles) })
	p.view("signedout") // the next look at the devices finds out
}
