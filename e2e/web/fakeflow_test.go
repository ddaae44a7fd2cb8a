package web

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// signIn opens the pages of a fake as its owner.
func signIn(t *testing.T, f *fake, l look) *page {
	t.Helper()
	p := newPage(t, l)
	p.open(f.URL + "/open#salita_open_once_only")
	p.view("home")
	return p
}

func TestSignInLinkWorksOnce(t *testing.T) {
	f := newFake(t)
	p := signIn(t, f, desktop)
	if got := p.path(); got != "/" {
		t.Errorf("landed on %s", got)
	}
	if n := eval[int](p, "history.length"); n > 2 {
		t.Errorf("%d pages in the history", n)
	}
	if got := eval[string](p, "JSON.stringify([Object.keys(localStorage), Object.keys(sessionStorage), document.cookie])"); got != `[[],[],""]` {
		t.Errorf("the page keeps %s", got)
	}

	again := newPage(t, desktop)
	again.open(f.URL + "/open#salita_open_once_only")
	again.view("failed")
	again.says("code", "salita open")
	if got := again.path(); got != "/open" {
		t.Errorf("the secret is still in the address: %s", got)
	}
	if n := f.count("POST /auth/session"); n != 2 {
		t.Errorf("%d sign-ins", n)
	}

	empty := newPage(t, desktop)
	empty.open(f.URL + "/open")
	empty.view("failed")
	if n := f.count("POST /auth/session"); n != 2 {
		t.Error("a link without a secret asked the gateway")
	}
}

func TestAStrangerIsToldTheWayIn(t *testing.T) {
	f := newFake(t)
	p := newPage(t, phone)
	p.open(f.URL + "/")
	p.view("signedout")
	p.says("code", "salita open")
	p.open(f.URL + "/add")
	p.view("signedout")
	p.open(f.URL + "/join")
	p.view("nolink")
}

func TestNoAnswer(t *testing.T) {
	f := newFake(t)
	f.fail["GET /auth/session"] = problem(500, "internal", "Something went wrong")
	p := newPage(t, desktop)
	p.open(f.URL + "/")
	p.view("unreachable")
	p.says("#unreachable-problem", "Something went wrong")
	p.says(".reference", "7K3QF")
	f.set(func() { clear(f.fail) })
	p.click("#try-again")
	p.view("signedout")
}

func family() []object {
	ago := func(d time.Duration) any { return time.Now().Add(-d).UTC().Format(time.RFC3339) }
	return []object{
		{"id": "nas", "name": "NAS in the attic", "kind": "gateway", "status": "needs_repair", "capabilities": []string{"media.storage", "always_on"}, "last_seen": ago(50 * time.Hour)},
		{"id": "pi", "name": "Kitchen Pi", "kind": "gateway", "status": "offline", "capabilities": []string{"posts"}, "last_seen": ago(3 * time.Hour)},
		{"id": "laptop", "name": "Laptop", "kind": "gateway", "status": "available", "capabilities": []string{"media.storage", "media.transcode"}, "last_seen": ago(time.Minute)},
		{"id": "iphone", "name": "Anna's iPhone", "kind": "browser", "status": "offline", "capabilities": []string{}, "last_seen": ago(20 * time.Minute)},
	}
}

func browsers() []object {
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) }
	return []object{
		{"id": "s1", "kind": "owner", "description": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "created_at": ago(90 * time.Hour), "last_used_at": ago(26 * time.Hour), "current": false},
		{"id": "s2", "kind": "owner", "description": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "created_at": ago(time.Hour), "last_used_at": ago(time.Second), "current": true},
	}
}

func TestMyDevices(t *testing.T) {
	f := newFake(t)
	f.devices, f.browser = family(), browsers()
	p := signIn(t, f, desktop)
	p.says(".device", "NAS in the attic")
	got := eval[[]string](p, `[...document.querySelectorAll(".device h2")].map((e) => e.textContent)`)
	if want := "Study Desktop, Laptop, Anna's iPhone, Kitchen Pi, NAS in the attic"; strings.Join(got, ", ") != want {
		t.Errorf("order %q", got)
	}
	p.says(".device:nth-child(2)", "Can\u00a0store\u00a0media · Can\u00a0process\u00a0video")
	p.says(".device:nth-child(4)", "Last seen 3 hours ago")
	p.says(".device:nth-child(5)", "Needs re-pairing")
	p.says(".device:nth-child(5) a", "Pair again")

	p.click(`[aria-label="Rename Laptop"]`)
	p.write("#new-name", "Big Laptop")
	p.click("#rename-submit")
	p.says(".device h2", "Big Laptop")
	f.called(t, `PATCH /api/devices/laptop {"name":"Big Laptop"}`)

	p.click(`[aria-label="Rename Study Desktop"]`)
	p.write("#new-name", " ")
	p.click("#rename-submit")
	p.says("#rename-problem", "A device needs a name.")
	p.write("#new-name", "Desk")
	p.click("#rename-submit")
	p.says(".device h2", "Desk")
	f.called(t, `POST /api/node/identity {"name":"Desk"}`)

	p.click(`[aria-label="Sign out Firefox on Linux"]`)
	f.called(t, "DELETE /api/sessions/s1")
	p.await("the row to go", `document.querySelectorAll("#browser-list > li").length === 1`)
	p.click("#sign-out")
	p.view("signedout")
	f.called(t, "DELETE /auth/session")
}

func TestRemovingCanBeUndone(t *testing.T) {
	f := newFake(t)
	f.devices = family()
	p := signIn(t, f, desktop)
	p.click(`[aria-label="Remove Laptop"]`)
	p.says("#toast", "Laptop removed")
	p.await("the focus on Undo", `document.activeElement.id === "undo"`)
	p.await("the card to go", `!document.querySelector("#device-list").textContent.includes("Laptop")`)
	p.click("#undo")
	p.says(".device", "Laptop")
	p.await("the focus to go back", `document.activeElement.id === "devices-title"`)

	p.click(`[aria-label="Remove Kitchen Pi"]`)
	p.says("#toast", "Kitchen Pi removed")
	p.open(f.URL + "/join") // leaving the page makes it final
	f.called(t, "DELETE /api/devices/pi")
	if f.count("DELETE /api/devices/laptop") != 0 {
		t.Error("an undone removal was sent")
	}
}

func TestRemovingIsSentWhenItsTimeIsOver(t *testing.T) {
	f := newFake(t)
	f.devices = family()
	p := signIn(t, f, desktop)
	p.click(`[aria-label="Remove Laptop"]`)
	if f.count("DELETE") != 0 {
		t.Error("sent at once")
	}
	f.called(t, "DELETE /api/devices/laptop")
	p.await("the offer to go", `document.querySelector("#toast").hidden`)
}

func TestAPhoneJoins(t *testing.T) {
	f := newFake(t)
	d := signIn(t, f, desktop)
	d.click("#add")
	d.view("open")
	d.says("#countdown", "This code works for 5 more minutes.")
	link := d.scan()
	if link != f.link() {
		t.Fatalf("scanned %q", link)
	}

	m := newPage(t, phone)
	m.open(link)
	m.view("naming")
	if got := m.path(); got != "/join" {
		t.Errorf("the secret is still in the address: %s", got)
	}
	m.do("reload", chromedp.Reload())
	m.view("naming")
	if f.count("POST /auth/pair/claim") != 0 {
		t.Error("looking at the page claimed the code")
	}
	if got := eval[string](m, `document.querySelector("#name").value`); got != "iPhone" {
		t.Errorf("guessed %q", got)
	}
	m.click("#name-submit")
	m.view("pin")
	m.says("h1", "Joining Study Desktop")

	d.view("claimed")
	d.says("h1", "iPhone wants to join")
	d.says("#number", "481 920")
	if eval[bool](d, `document.querySelector("#qr").hasAttribute("src") || document.querySelector("#link").value !== ""`) {
		t.Error("the code is still there")
	}

	m.write("#pin", "12")
	m.click("#pin-submit")
	m.says("#pin-problem", "six digits")
	m.write("#pin", "111111")
	m.click("#pin-submit")
	m.says("#pin-problem", "That's not the number on the screen.")
	m.do("reload", chromedp.Reload()) // a phone may do that by itself
	m.view("pin")
	m.write("#pin", "481920")
	if got := eval[string](m, `document.querySelector("#pin").value`); got != "481 920" {
		t.Errorf("the field shows %q", got)
	}
	m.click("#pin-submit")
	m.view("done")
	d.view("paired")
	d.says("h1", "iPhone is paired")
	if got := eval[string](m, "JSON.stringify([history.state, Object.keys(localStorage), Object.keys(sessionStorage), document.cookie])"); got != `[null,[],[],""]` {
		t.Errorf("the phone's page keeps %s", got)
	}
	m.click(`[data-view="done"] a.primary`)
	m.view("home")
	m.says("#send-title", "Send to Study Desktop")
}

func TestCodesThatAreOver(t *testing.T) {
	f := newFake(t)
	d := signIn(t, f, desktop)
	d.open(f.URL + "/add")
	d.view("open")
	f.set(func() { f.window = object{"state": "expired", "error": "This code has expired. Show a new one."} })
	d.view("ended")
	d.says("#ended-problem", "This code has expired. Show a new one.")

	m := newPage(t, phone)
	m.open(f.link())
	m.view("naming")
	m.click("#name-submit")
	m.view("ended")
	m.says("#ended-problem", "This code has expired.")
	m.says(".reference", "Reference 7K3QF")

	d.click(`[data-view="ended"] [data-again]`)
	d.view("open")
	m.open(f.URL + "/")
	m.open(f.link())
	m.view("naming")
	m.click("#name-submit")
	m.view("pin")
	d.view("claimed")
	d.click("#cancel")
	d.view("ended")
	f.called(t, "DELETE /auth/pair/"+fakeCode)
	m.write("#pin", fakePIN)
	m.click("#pin-submit")
	m.view("ended")

	d.click(`[data-view="ended"] [data-again]`)
	d.view("open")
	before := f.count("DELETE /auth/pair/" + fakeCode)
	d.open(f.URL + "/")
	d.view("home")
	for range int(patience / (20 * time.Millisecond)) {
		if f.count("DELETE /auth/pair/"+fakeCode) > before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("leaving the page left the window open")
}

func TestJoiningAnotherGateway(t *testing.T) {
	f := newFake(t)
	p := signIn(t, f, desktop)
	p.open(f.URL + "/add")
	p.view("open")
	p.click("#join-submit")
	p.says("#target-problem", "Paste the link, or type the address.")
	p.write("#target", "nonsense")
	p.click("#join-submit")
	p.says("#target-problem", "That's not a link or an address of a device.")
	p.write("#target", "192.168.178.30")
	p.click("#join-submit")
	p.view("connecting")
	f.called(t, "DELETE /auth/pair/"+fakeCode) // one number at a time
	f.set(func() { f.join = object{"state": "pin_needed", "device": object{"name": "NAS"}} })
	p.view("pin")
	p.says("h1", "Joining NAS")
	p.write("#pin", "000000")
	p.click("#pin-submit")
	p.says("#pin-problem", "That's not the number on the screen.")
	p.write("#pin", fakePIN)
	p.click("#pin-submit")
	p.view("paired")
	p.says("h1", "NAS is paired")
}

func TestPairingAgain(t *testing.T) {
	f := newFake(t)
	f.devices = family()
	p := signIn(t, f, desktop)
	p.says(".device", "NAS in the attic")
	p.click(`.device[data-status="needs_repair"] a`)
	p.view("open")
	p.says("h1", "NAS in the attic")
	p.says("#steps-gateway", "Paste the link")
	p.await("the link to be shown", `document.querySelector("#link").checkVisibility()`)
	f.called(t, "POST /api/devices/nas/repair")
	if f.count("POST /auth/pair/start") != 0 {
		t.Error("opened a window for anybody")
	}
	p.everywhere("add-repair")
	p.open(f.URL + "/add#repair=gone")
	p.do("reload", chromedp.Reload())
	p.view("ended")
	p.says("#ended-problem", "That isn't here.")
}

func TestTrustedConnection(t *testing.T) {
	f := newFake(t)
	m := newPage(t, phone)
	m.open(f.URL + "/trust")
	m.view("signedout")
	m.everywhere("trust-signedout")
	p := signIn(t, f, desktop)
	p.click(".foot a")
	p.view("off")
	p.everywhere("trust-off")
	p.click("#enable")
	p.view("steps")
	p.says("#fingerprint", "A1:A1:A1:A1 A1")
	p.await("the right steps", `document.querySelector("#on-other").open`)
	p.everywhere("trust-steps")

	m = onPhone(t, f)
	m.open(f.URL + "/trust")
	m.view("steps")
	m.await("the right steps", `document.querySelector("#on-apple").open && !document.querySelector("#on-other").open`)
	m.everywhere("trust-phone")
}

func TestDeviceNamesAreOnlyText(t *testing.T) {
	f := newFake(t)
	names := []string{
		`<img src=x onerror="document.title='broken'">`,
		"<script>document.title='broken'</script>",
		"\u202egnp.exe\u202c",
		strings.Repeat("W", 10_000),
		"אבג 123", "a\x00b\x1b[31m\nc", `"><b data-view="home">`,
	}
	for i, name := range names {
		f.devices = append(f.devices, object{"id": string(rune('a' + i)), "name": name, "kind": "gateway", "status": "offline", "capabilities": nil})
	}
	f.name = names[0]
	p := signIn(t, f, look{name: "narrow", width: 320, height: 640})
	p.says(".device", "123")
	p.shot("hostile-names")
	p.fits("home with hostile names")
	if title := eval[string](p, "document.title"); title == "broken" {
		t.Error("a name ran")
	}
	if n := eval[int](p, `document.querySelectorAll("img").length + document.querySelectorAll("#device-list :is(script, b)").length`); n != 1 {
		t.Errorf("a name became markup: %d", n)
	}
	if n := eval[int](p, `Math.max(...[...document.querySelectorAll(".device")].map((e) => e.offsetHeight))`); n > 400 {
		t.Errorf("a name fills the page: %d px", n)
	}
}
