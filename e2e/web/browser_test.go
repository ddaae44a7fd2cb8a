package web

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds every wait of these tests. It is long because it only decides
// how late a failure is reported.
const patience = 60 * time.Second

// browser is the one browser of this package, started in TestMain.
var browser context.Context

// noBrowser says why there is none; then the tests that need one are skipped.
var noBrowser error

func TestMain(m *testing.M) {
	code, err := withBrowser(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withBrowser(m *testing.M) (int, error) {
	defer removeBuilt()
	var path string
	if path, noBrowser = findBrowser(); noBrowser != nil {
		return m.Run(), nil
	}
	profile, err := os.MkdirTemp("", "salita-chromium-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(profile)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		// A gateway has a certificate of its own; people accept it once.
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("lang", "en-GB"),
		chromedp.Flag("font-render-hinting", "none"),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	ctx, quit := chromedp.NewContext(ctx)
	defer quit()
	if err := chromedp.Do(ctx); err != nil {
		return 1, fmt.Errorf("start %s: %w", path, err)
	}
	browser = ctx
	return m.Run(), nil
}

func findBrowser() (string, error) {
	if path := os.Getenv("SALITA_CHROMIUM"); path != "" {
		return path, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no chromium here; scripts/install-test-tools installs it")
}

// look is how a page is looked at.
type look struct {
	name          string
	width, height int64
	phone         bool
	dark          bool
}

var (
	desktop = look{name: "desktop", width: 1280, height: 800}
	phone   = look{name: "phone", width: 390, height: 844, phone: true}
)

const iPhone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"

// page is a tab in a browser profile of its own.
type page struct {
	t    *testing.T
	ctx  context.Context
	look look

	mu        sync.Mutex
	home      string // the only host it may talk to
	complaint []string
}

// newPage opens a tab that shares nothing with the others. At the end the test
// fails if a script broke, the page's own policy stopped something, or a request
// went to another host.
func newPage(t *testing.T, l look) *page {
	t.Helper()
	if noBrowser != nil {
		t.Skip(noBrowser)
	}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &page{t: t, ctx: ctx, look: l}
	if err := chromedp.Listen(ctx, p.hear); err != nil { // opens the tab
		t.Fatal(err)
	}
	p.do("watch the tab", command(network.Enable, network.EnableParams{}), command(runtime.Enable, cdp.Empty{}), command(log.Enable, cdp.Empty{}))
	p.lookAs(l)
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range p.complaint {
			t.Errorf("%s: %s", l.name, c)
		}
	})
	return p
}

// hear notes what must not happen.
func (p *page) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.complaint = append(p.complaint, "a script broke: "+broken(e.ExceptionDetails))
	case *log.EventEntryAdded:
		if strings.Contains(e.Entry.Text, "Content Security Policy") {
			p.complaint = append(p.complaint, e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil && u.Scheme != "data" && u.Host != p.home && p.home != "" {
			p.complaint = append(p.complaint, "it asked "+u.Host)
		}
	}
}

func broken(d *runtime.ExceptionDetails) string {
	if d.Exception != nil {
		return d.Exception.Description
	}
	return d.Text
}

// command makes an action of one command of the protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func (p *page) lookAs(l look) {
	p.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	actions := []chromedp.Action[chromedp.Void]{
		command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: l.width, Height: l.height, DeviceScaleFactor: 2, Mobile: l.phone,
		}),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
	}
	if l.phone {
		actions = append(actions,
			command(emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true}),
			command(emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: iPhone}))
	}
	p.do("look", actions...)
	p.look = l
}

// do runs actions of the browser.
func (p *page) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	_, err := try(p, chromedp.Steps(actions...))
	p.must(what, err)
}

func (p *page) must(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.shot("failed")
		p.t.Fatalf("%s: %s: %v\n%s", p.look.name, what, err, p.state())
	}
}

// try runs one action within patience.
func try[T any](p *page, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// state is what the page says right now, for a failed test.
func (p *page) state() string {
	text, _ := try(p, chromedp.Evaluate[string](`location.pathname + "\n" + document.body.innerText`))
	return text
}

func (p *page) open(address string) {
	p.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.home = u.Host
	p.mu.Unlock()
	p.do("open "+address, chromedp.Navigate(address))
}

// eval returns what an expression is on the page.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	out, err := try(p, chromedp.Evaluate[T](expression))
	p.must(expression, err)
	return out
}

// evalPromise returns what a promise becomes.
func evalPromise[T any](p *page, expression string) T {
	p.t.Helper()
	out, err := try(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	p.must("a promise", err)
	return out
}

// await waits until an expression is true on the page, whichever page that is:
// while one goes and the next comes, nothing is true.
func (p *page) await(what, expression string) {
	p.t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(25 * time.Millisecond) {
		var ok bool
		if ok, err = try(p, chromedp.Evaluate[bool]("Boolean("+expression+")")); ok {
			return
		}
	}
	p.must("wait for "+what, fmt.Errorf("in vain: %v", err))
}

// view waits until the page shows the view of this name.
func (p *page) view(name string) {
	p.t.Helper()
	p.await("view "+name, fmt.Sprintf("document.body?.dataset.shown === %q", name))
}

// says waits until an element that is seen holds the text.
func (p *page) says(selector, text string) {
	p.t.Helper()
	p.await(fmt.Sprintf("%s to say %q", selector, text), fmt.Sprintf(
		`[...document.querySelectorAll(%q)].some((e) => e.checkVisibility() && e.textContent.includes(%q))`, selector, text))
}

func (p *page) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%q).textContent`, selector))
}

func (p *page) path() string {
	return eval[string](p, "location.pathname + location.search + location.hash")
}

func (p *page) click(selector string) {
	p.t.Helper()
	p.do("click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// write replaces what a field holds, as a person would type it.
func (p *page) write(selector, text string) {
	p.t.Helper()
	p.do("write in "+selector, focus(selector))
	eval[bool](p, fmt.Sprintf("document.querySelector(%q).select() === undefined", selector))
	p.do("write in "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// shot keeps a picture of the page when SALITA_SHOTS names a folder.
func (p *page) shot(name string) {
	dir := os.Getenv("SALITA_SHOTS")
	if dir == "" {
		return
	}
	png, err := try(p, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Logf("no picture: %v", err)
		return
	}
	shade := "light"
	if p.look.dark {
		shade = "dark"
	}
	file := fmt.Sprintf("%s-%s-%s.png", name, p.look.name, shade)
	if err := os.WriteFile(filepath.Join(dir, file), png, 0o600); err != nil {
		p.t.Log(err)
	}
}

// press presses one key.
func (p *page) press(key string) {
	p.t.Helper()
	p.do("press a key", chromedp.KeyEvent(key))
}

func focus(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Focus(chromedp.CSS(selector), chromedp.NodeVisible)
}
