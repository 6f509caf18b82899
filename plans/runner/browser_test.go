//go:build browser

package runner_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"drrun/ovirt/lab"
	"drrun/plans"
)

// shots is where the pages are kept as pictures and PDF, to be looked at.
var shots = flag.String("shots", "", "folder for screenshots and PDFs of the reports; empty keeps none")

// hostile is the name of a VM that tries to be more than a name. It is as a file of a plan may hold it, not as an engine would allow it.
const hostile = `<script>alert(1)</script><img src=https://attacker.example/x onerror=alert(2)>&quot;'--></style>`

// browserStories are runs whose reports a browser shows, with what a reader must find.
var browserStories = []struct {
	name  string
	world lab.TwoSitesOptions
	run   func(p *pair) string
	want  []string
}{
	{"done", lab.TwoSitesOptions{}, func(p *pair) string {
		p.hook(`plan:on("reverse_replication", function() return { ready = true } end, { as = "array" })`)
		r := p.planned(plans.ActionFailover, nil, nil)
		expect(p.t, r, 0)
		return r.Run
	}, []string{"The planned failover of Plan_Recovery from primary to secondary is done", "Reverse replication: ready", "Recovery time (RTO)"}},
	{"confirmed", lab.TwoSitesOptions{}, func(p *pair) string {
		p.lose()
		r := p.failover(nil)
		expect(p.t, r, 0)
		return r.Run
	}, []string{"NOT ISOLATED: do not power on the primary: only the word of Ann", "saw the smoke", "Reverse replication: NOT ready"}},
	{"failed", lab.TwoSitesOptions{VMs: 12, Domains: 2}, func(p *pair) string {
		p.fail(lab.Fault{Kind: lab.FaultVMBoot, Site: "secondary", Subject: "vm2"})
		p.lose()
		r := p.failover(nil)
		expect(p.t, r, 4)
		return r.Run
	}, []string{"not everything is as it should be: vm2 is failed", "VMs that are not as they should be", "drrun resume "}},
	{"killed", lab.TwoSitesOptions{}, func(p *pair) string {
		p.lose()
		return p.killedAt(92)
	}, []string{"attempt 1 has no end", "drrun resume ", "NOT ISOLATED"}},
	{"hostile", lab.TwoSitesOptions{}, func(p *pair) string {
		text := p.read("/site/plan.lua")
		p.write("/site/plan.lua", strings.Replace(text, `name = "vm2"`, fmt.Sprintf("name = %q", hostile), 1))
		p.lose()
		r := p.failover(nil)
		if r.Run == "" {
			p.t.Fatalf("no run: %+v", r.Error)
		}
		return r.Run
	}, []string{hostile}},
}

// TestBrowser opens reports in a browser, on a desk and on a telephone, by day and by night, and prints them.
func TestBrowser(t *testing.T) {
	browser := startBrowser(t)
	for _, story := range browserStories {
		t.Run(story.name, func(t *testing.T) {
			p := newPair(t, 31, story.world)
			show(t, browser, story.name, []byte(p.reportNow(story.run(p))), story.want)
		})
	}
	t.Run("fleet", func(t *testing.T) {
		p := newPair(t, 31, lab.TwoSitesOptions{})
		show(t, browser, "fleet", p.pageOf(p.fleet(5000)), []string{
			"is done: 5000 VMs are up on secondary", "The 5000 VMs are drawn together, a row for each rank.",
		})
	})
}

// show opens a page in every view, and prints it.
func show(t *testing.T, browser context.Context, name string, page []byte, want []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	must(t, os.WriteFile(file, page, 0o600))
	for _, view := range []struct {
		width  int64
		scheme string
	}{{1280, "light"}, {1280, "dark"}, {400, "light"}, {400, "dark"}} {
		t.Run(fmt.Sprintf("%d-%s", view.width, view.scheme), func(t *testing.T) {
			look(t, browser, file, name, view.width, view.scheme, want)
		})
	}
	t.Run("pdf", func(t *testing.T) { prints(t, browser, file, name, want) })
}

// startBrowser starts the browser that DRRUN_CHROMIUM or PATH names, for all of the tests.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browserPath(t)))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(closeBrowser)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return ctx
}

func browserPath(t *testing.T) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
	if named := os.Getenv("DRRUN_CHROMIUM"); named != "" {
		names = []string{named}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("none of %v is there: run make browser", names)
	return ""
}

// tab is a new tab with a view, and what the page in it asked for and complained of.
type tab struct {
	context.Context
	mu       sync.Mutex
	requests []string
	trouble  []string
}

func openTab(t *testing.T, browser context.Context, width int64, scheme string) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	shown := &tab{Context: ctx}
	must(t, chromedp.Listen(ctx, func(event any) {
		shown.mu.Lock()
		defer shown.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			shown.requests = append(shown.requests, e.Request.URL)
		case *runtime.EventExceptionThrown:
			shown.trouble = append(shown.trouble, "exception: "+e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			shown.trouble = append(shown.trouble, "console: "+string(e.Type))
		case *log.EventEntryAdded:
			shown.trouble = append(shown.trouble, "log: "+e.Entry.Text)
		}
	}))
	_, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 700,
	})
	must(t, err)
	_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	must(t, err)
	return shown
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func evaluate[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	must(t, err)
	return value
}

// contrasts are texts whose colour is too near to what is behind them: 4.5 to 1 is what WCAG 2 asks for (AA). Colours are asked of the
// browser as it resolved them.
const contrasts = `(() => {
  const rgb = text => text.match(/[\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 }); return .2126 * r + .7152 * g + .0722 * b };
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c } return [255, 255, 255] };
  const bad = [];
  for (const e of [...document.querySelectorAll('body *')].slice(0, 3000)) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || e.closest('svg') || !e.checkVisibility()) continue;
    const a = light(rgb(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(e.tagName + '.' + e.className + ' ' + ratio.toFixed(2) + ': ' + e.textContent.slice(0, 40));
  }
  return bad.slice(0, 10);
})()`

// smallest is the size of the smallest text that can be read, in pixels.
const smallest = `Math.min(...[...document.querySelectorAll('body *')].slice(0, 5000)
  .filter(e => !e.closest('svg') && e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
  .map(e => parseFloat(getComputedStyle(e).fontSize)))`

// cut are texts that reach out of the view to the right, where nothing scrolls.
const cut = `[...document.querySelectorAll('h1, h2, p, li, dt, dd, td, th, summary, .what, .note')].slice(0, 5000)
  .filter(e => e.checkVisibility() && !e.closest('.scroll, pre') && e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 40)).slice(0, 10)`

func look(t *testing.T, browser context.Context, file, name string, width int64, scheme string, want []string) {
	shown := openTab(t, browser, width, scheme)
	must(t, chromedp.Do(shown, chromedp.Navigate("file://"+file)))
	text := evaluate[string](t, shown, "document.body.innerText")
	for _, want := range want {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if evaluate[int](t, shown, "document.scripts.length + document.images.length") != 0 {
		t.Error("the page has scripts or images")
	}
	if wide, view := evaluate[int](t, shown, "document.documentElement.scrollWidth"), evaluate[int](t, shown, "window.innerWidth"); wide > view || int64(view) != width {
		t.Errorf("the page is %d wide in a view of %d", wide, view)
	}
	if size := evaluate[float64](t, shown, smallest); size < 12 {
		t.Errorf("the smallest text has %.1f px", size)
	}
	if size := evaluate[float64](t, shown, "parseFloat(getComputedStyle(document.body).fontSize)"); size < 16 {
		t.Errorf("the text has %.1f px", size)
	}
	for _, text := range evaluate[[]string](t, shown, contrasts) {
		t.Errorf("hard to read: %s", text)
	}
	for _, text := range evaluate[[]string](t, shown, cut) {
		t.Errorf("cut off: %s", text)
	}
	dark := evaluate[string](t, shown, "getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 28)"
	if dark != (scheme == "dark") {
		t.Errorf("dark is %t in the scheme %s", dark, scheme)
	}
	keepShot(t, shown, fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
	shown.mu.Lock()
	defer shown.mu.Unlock()
	if len(shown.trouble) > 0 {
		t.Errorf("the page complains: %q", shown.trouble)
	}
	for _, url := range shown.requests {
		if url != "file://"+file && url != "data:," {
			t.Errorf("the page asks for %s", url)
		}
	}
	if len(shown.requests) == 0 {
		t.Error("no request was seen, not even that for the page")
	}
}

// keepShot writes a picture of the page where somebody wants to look at it.
func keepShot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(*shots, name), picture, 0o600))
}

func prints(t *testing.T, browser context.Context, file, name string, want []string) {
	shown := openTab(t, browser, 1280, "light")
	must(t, chromedp.Do(shown, chromedp.Navigate("file://"+file)))
	pdf, err := chromedp.Run(shown, chromedp.PrintToPDF(chromedp.PDFPrintBackground(), chromedp.PDFPreferCSSPageSize(), chromedp.PDFPaper(chromedp.PaperA4)))
	must(t, err)
	target := filepath.Join(t.TempDir(), "report.pdf")
	must(t, os.WriteFile(target, pdf, 0o600))
	if *shots != "" {
		must(t, os.WriteFile(filepath.Join(*shots, name+".pdf"), pdf, 0o600))
	}
	out, err := exec.Command("pdftotext", "-enc", "UTF-8", target, "-").Output()
	if err != nil {
		t.Fatalf("read the PDF: %v (make browser installs poppler-utils)", err)
	}
	pages := strings.Count(string(out), "\f")
	text := strings.Join(strings.Fields(string(out)), "")
	for _, want := range want {
		if !strings.Contains(text, strings.Join(strings.Fields(want), "")) {
			t.Errorf("the PDF does not show %q", want)
		}
	}
	if strings.Contains(text, "/affinitylabels") {
		t.Error("the PDF shows the changing requests, which are folded")
	}
	if pages < 2 || pages > 60 {
		t.Errorf("the PDF has %d pages", pages)
	}
	t.Logf("%s: %d pages, %d kB", name, pages, len(pdf)/1000)
}
