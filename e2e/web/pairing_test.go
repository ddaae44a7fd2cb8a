package web

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestOwnerSignsIn uses nothing but what a person has: the command and a browser.
func TestOwnerSignsIn(t *testing.T) {
	g := newGateway(t, "Study Desktop")
	link := g.run("open", "--print")
	p := newPage(t, desktop)
	p.open(link)
	p.view("home")
	p.says(".device", "Study Desktop")
	p.says(".device", "Can\u00a0store\u00a0media")
	p.says("#devices-empty", "Pair your first device to get started.")
	p.says("#browser-list", "This browser")
	if got := p.path(); got != "/" {
		t.Errorf("landed on %s", got)
	}

	again := newPage(t, desktop)
	again.open(link)
	again.view("failed")
	again.open(g.base + "/")
	again.view("signedout")

	other := newPage(t, phone)
	other.open(g.run("open", "--print"))
	other.view("home")
	p.says("#browser-list", "Sign out")
	p.click(`#browser-list [data-part="sign-out"]:not([hidden])`)
	other.view("signedout") // on its very next request

	p.click(`[aria-label="Rename Study Desktop"]`)
	p.write("#new-name", "Anna's <b>Desk</b>")
	p.click("#rename-submit")
	p.says(".device h2", "Anna's <b>Desk</b>")
	p.click("#sign-out")
	p.view("signedout")
	p.do("reload", chromedp.Reload())
	p.view("signedout")
}

// TestAPhoneJoinsTheRealGateway is the way of PRODUCT: the code on one screen,
// the number on the other, done on both; then a photo.
func TestAPhoneJoinsTheRealGateway(t *testing.T) {
	g := newGateway(t, "Study Desktop")
	d := newPage(t, desktop)
	d.open(g.run("open", "--print"))
	d.view("home")
	d.click("#add")
	d.view("open")
	link := d.scan()
	if !strings.HasPrefix(link, g.base+"/join#v1.") {
		t.Fatalf("scanned %q", link)
	}

	m := newPage(t, phone)
	m.open(link)
	m.view("naming")
	m.do("reload", chromedp.Reload())
	m.view("naming")
	preview := newPage(t, desktop) // a link preview opens it as well
	preview.open(link)
	preview.view("naming")
	if !eval[bool](d, `document.body.dataset.shown === "open"`) {
		t.Error("looking at the link changed something")
	}

	m.write("#name", "Anna's iPhone")
	m.click("#name-submit")
	m.view("pin")
	m.says("h1", "Joining Study Desktop")
	d.view("claimed")
	d.says("h1", "Anna's iPhone wants to join")
	preview.click("#name-submit") // and is too late
	preview.says(".problem", "Another device is joining right now.")

	number := d.text("#number")
	wrong := "000 000"
	if number == wrong {
		wrong = "000 001"
	}
	m.write("#pin", wrong)
	m.click("#pin-submit")
	m.says("#pin-problem", "That's not the number on the screen.")
	m.do("reload", chromedp.Reload()) // as phones do when memory is short
	m.view("pin")
	m.write("#pin", number)
	m.click("#pin-submit")
	m.view("done")
	d.view("paired")
	d.says("h1", "Anna's iPhone is paired")
	if got := eval[string](m, "JSON.stringify([history.state, Object.keys(localStorage), Object.keys(sessionStorage), document.cookie])"); got != `[null,[],[],""]` {
		t.Errorf("the phone's page keeps %s", got)
	}

	m.click(`[data-view="done"] a.primary`)
	m.says("#send-title", "Send to Study Desktop")
	m.choose(file(t, "beach.jpg", 300_000))
	m.says(row("beach.jpg"), "Arrived, 300 KB")
	if got := g.kept(t, 300_000); got != 1 {
		t.Errorf("%d files of that size in the library", got)
	}

	d.click(`[data-view="paired"] a`)
	d.says(".device", "Anna's iPhone")
	d.says("#browser-list", "Anna's iPhone")
	d.shot("real-home")
	d.click(`[aria-label="Remove Anna's iPhone"]`)
	d.says("#toast", "removed")
	m.view("signedout") // once the time for Undo is over
	for _, device := range g.devices() {
		t.Errorf("%s is still there", device.Name)
	}
}

// kept counts the files of a size in the media plugin's library.
func (g *gateway) kept(t *testing.T, size int64) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(g.library, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Size() == size {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTwoGatewaysPairInTheBrowser: the link of one is pasted on the other.
func TestTwoGatewaysPairInTheBrowser(t *testing.T) {
	desk, nas := newGateway(t, "Study Desktop"), newGateway(t, "NAS")
	d, n := newPage(t, desktop), newPage(t, desktop)
	d.open(desk.run("open", "--print"))
	d.view("home")
	d.click("#add")
	d.view("open")
	link := eval[string](d, `document.querySelector("#link").value`)

	n.open(nas.run("open", "--print"))
	n.view("home")
	n.click("#add")
	n.view("open")
	n.write("#target", "not an address at all")
	n.click("#join-submit")
	n.says("#target-problem", "That's not a link or an address of a device.")
	n.write("#target", link)
	n.click("#join-submit")
	n.view("pin")
	n.says("h1", "Joining Study Desktop")
	d.view("claimed")
	d.says("h1", "NAS wants to join")
	number := d.text("#number")
	wrong := "000 000"
	if number == wrong {
		wrong = "000 001"
	}
	n.write("#pin", wrong)
	n.click("#pin-submit")
	n.says("#pin-problem", "That's not the number on the screen.")
	n.write("#pin", number)
	n.click("#pin-submit")
	n.view("paired")
	n.says("h1", "Study Desktop is paired")
	d.view("paired")
	d.says("h1", "NAS is paired")
	d.click(`[data-view="paired"] a`)
	d.says(".device", "NAS")
	d.says(`.device[data-status="available"]:not(:first-child)`, "Can\u00a0store\u00a0media")
}
