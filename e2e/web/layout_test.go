package web

import (
	"fmt"
	"testing"
)

// audit lists what a person with a thumb, a keyboard or a screen reader would
// stumble over in what is shown right now.
const audit = `(() => {
  const out = [];
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) out.push("the page is " + wide + " px too wide");
  const name = (e) => e.getAttribute("aria-label") || [...(e.labels ?? [])].map((l) => l.textContent).join() || e.textContent.trim() || e.querySelector("img")?.alt;
  for (const e of document.querySelectorAll("a[href], button, input, textarea, summary, label.button")) {
    if (!e.checkVisibility({ visibilityProperty: true }) || e.matches(".unseen, .skip")) continue;
    const { width, height } = e.getBoundingClientRect();
    if (width < 44 || height < 44) out.push("<" + e.localName + "> " + name(e) + " is " + Math.round(width) + " by " + Math.round(height) + " px");
    if (!name(e)) out.push("<" + e.localName + " id=" + e.id + "> has no name");
  }
  const levels = [...document.querySelectorAll("h1, h2, h3")].filter((e) => e.checkVisibility()).map((e) => Number(e.localName[1]));
  if (levels[0] !== 1 && document.querySelector("dialog[open]") === null) out.push("the first heading is an h" + levels[0]);
  for (const e of document.querySelectorAll("p, h1, h2, h3, button, a, label, time, code")) {
    if (!e.checkVisibility() || e.matches(".unseen, .skip")) continue;
    const box = e.getBoundingClientRect();
    if (box.right > document.documentElement.clientWidth + 1 || box.left < -1) out.push("<" + e.localName + "> " + e.textContent.slice(0, 30) + " sticks out");
  }
  return out;
})()`

// fits fails the test for whatever the audit finds.
func (p *page) fits(where string) {
	p.t.Helper()
	for _, found := range eval[[]string](p, audit) {
		p.t.Errorf("%s at %d px: %s", where, p.look.width, found)
	}
}

// looks are the screens that every view must do well on; 320 px is also a
// 1280 px screen at 400 % zoom.
func looks() []look {
	return []look{
		desktop,
		{name: "desktop", width: 1280, height: 800, dark: true},
		phone,
		{name: "phone", width: 390, height: 844, phone: true, dark: true},
		{name: "narrow", width: 320, height: 256},
	}
}

// everywhere audits what is shown on all screens, and takes its picture.
func (p *page) everywhere(name string) {
	p.t.Helper()
	before := p.look
	for _, l := range looks() {
		p.lookAs(l)
		p.fits(name)
		p.accessible(name)
		p.shot(name)
	}
	p.lookAs(before)
}

func TestEveryViewOnEveryScreen(t *testing.T) {
	f := newFake(t)
	f.devices, f.browser = family(), browsers()

	p := newPage(t, desktop)
	p.open(f.URL + "/")
	p.view("signedout")
	p.everywhere("home-signedout")
	p.open(f.URL + "/open")
	p.view("failed")
	p.everywhere("open-failed")
	p.open(f.URL + "/join")
	p.view("nolink")
	p.everywhere("join-nolink")
	p.open(f.URL + "/add")
	p.view("signedout")
	p.everywhere("add-signedout")

	p.open(f.URL + "/open#salita_open_once_only")
	p.view("home")
	p.says(".device", "Laptop")
	p.everywhere("home")
	p.click(`[aria-label="Rename Laptop"]`)
	p.everywhere("home-rename")
	p.click("#rename-cancel")
	p.click(`[aria-label="Remove Laptop"]`)
	p.says("#toast", "Laptop")
	p.everywhere("home-removed")
	p.click("#undo")
	f.set(func() { f.devices, f.browser = []object{}, f.browser[1:] })
	p.says("#devices-empty", "Pair your first device to get started.")
	p.everywhere("home-empty")

	p.open(f.URL + "/add")
	p.scan()
	p.everywhere("add-open")
	p.click("summary")
	p.everywhere("add-nocamera")
	f.set(func() {
		f.window = object{"state": "claimed", "pin": fakePIN, "device": object{"name": "iPhone", "kind": "browser"}}
	})
	p.view("claimed")
	p.everywhere("add-claimed")
	f.set(func() { f.window["state"] = "paired" })
	p.view("paired")
	p.everywhere("add-paired")
	p.click(`[data-view="paired"] [data-again]`)
	p.view("open")
	f.set(func() { f.window = object{"state": "failed", "error": "For your safety, start again."} })
	p.view("ended")
	p.everywhere("add-ended")
}

func TestEveryViewOfJoining(t *testing.T) {
	f := newFake(t)
	f.window = object{"state": "open"}
	f.devices = family()
	p := newPage(t, phone)
	p.open(f.link())
	p.view("naming")
	p.everywhere("join-naming")
	p.click("#name-submit")
	p.view("pin")
	p.everywhere("join-pin")
	p.write("#pin", "111111")
	p.click("#pin-submit")
	p.says("#pin-problem", "number")
	p.everywhere("join-wrong")
	p.write("#pin", fakePIN)
	p.click("#pin-submit")
	p.view("done")
	p.everywhere("join-done")
	p.click(`[data-view="done"] a.primary`)
	p.says("#send-title", "Study Desktop")
	p.choose(file(t, "IMG_2041.jpg", 3_400_000), file(t, "slow holiday film with a rather long name (1).mp4", 9_000_000), file(t, "notes.txt", 10))
	p.says(".upload", "Arrived")
	p.await("the bar", `[...document.querySelectorAll(".upload progress")].some((e) => e.checkVisibility())`)
	if ticks := eval[[]string](p, `[...document.querySelectorAll(".upload")].filter((e) => e.querySelector(".mark").checkVisibility()).map((e) => e.dataset.state)`); len(ticks) != 1 || ticks[0] != "arrived" {
		t.Errorf("a tick for what is %q", ticks)
	}
	p.everywhere("home-phone")
	close(f.slow)
	p.says("#send-summary", "3 files arrived")

	q := newPage(t, phone)
	q.open(f.link())
	q.view("naming")
	q.click("#name-submit")
	q.view("ended")
	q.everywhere("join-ended")
}

// TestByKeyboard walks the owner's pages without a pointer.
func TestByKeyboard(t *testing.T) {
	f := newFake(t)
	f.devices = family()
	p := signIn(t, f, desktop)
	p.says(".device", "Laptop")
	seen := make(map[string]bool)
	for range 30 {
		p.press("\t")
		name := eval[string](p, `document.activeElement.getAttribute("aria-label") || document.activeElement.textContent.trim()`)
		if seen[name] {
			break
		}
		seen[name] = true
		if !eval[bool](p, `document.activeElement === document.body || document.activeElement.matches(".skip") || getComputedStyle(document.activeElement).outlineStyle === "solid"`) {
			t.Errorf("%q shows no focus", name)
		}
	}
	for _, want := range []string{"Skip to content", "Sign out", "Add a device", "Rename Laptop", "Remove Laptop", "Pair again"} {
		if !seen[want] {
			t.Errorf("%q cannot be reached; reached %v", want, fmt.Sprint(seen))
		}
	}

	p.do("focus", focus(`[aria-label="Rename Laptop"]`))
	p.press("\r")
	p.await("the dialog", `document.querySelector("#rename").open && document.activeElement.id === "new-name"`)
	p.press("\x1b")
	p.await("the focus to come back", `document.activeElement.getAttribute("aria-label") === "Rename Laptop"`)
}
