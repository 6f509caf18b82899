package ovirt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// realClock is the clock of the bubbles of testing/synctest: there, time jumps when all goroutines wait.
type realClock struct{}

func (realClock) Now() time.Time { return time.Now().UTC() }

func (realClock) Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) (bool, error) {
	var after <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-wake:
		return true, nil
	default:
	}
	select {
	case <-wake:
		return true, nil
	case <-after:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

func (realClock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// answer is what the fake engine says to one request.
type answer struct {
	status int
	kind   string // content type; default application/xml
	body   string
	err    error         // instead of an answer
	cut    bool          // the connection ends in the middle of the body
	after  time.Duration // how long it takes
	header map[string]string
}

func xmlAnswer(status int, body string) answer { return answer{status: status, body: body} }
func fault(status int, reason, detail string) answer {
	return answer{status: status, body: "<fault><detail>" + detail + "</detail><reason>" + reason + "</reason></fault>"}
}

var (
	notFound = answer{status: 404}
	htmlPage = answer{status: 200, kind: "text/html;charset=UTF-8", body: "<html><head><title>Welcome</title></head><body>log in</body></html>"}
	complete = xmlAnswer(200, "<action><job id=\"1\"/><status>complete</status></action>")
	refused  = answer{err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}
	reset    = answer{err: &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}}
)

// fake is an engine in the test's hands: a transport that answers by method and path.
type fake struct {
	t       *testing.T
	mu      sync.Mutex
	routes  map[string]func(r *http.Request, body string) answer
	log     []string // "METHOD path?query", the SSO left out
	bodies  []string // of changing requests
	hooked  []Write  // what the write hook saw
	ended   []WriteResult
	logins  int
	tokens  int
	valid   func(token string) bool
	latency time.Duration // of every answer
}

func newFake(t *testing.T) *fake {
	return &fake{t: t, routes: map[string]func(*http.Request, string) answer{}}
}

// on sets what the engine says; several answers are given in turn, the last one for ever.
func (f *fake) on(route string, answers ...answer) {
	var n atomic.Int64
	f.handle(route, func(*http.Request, string) answer {
		return answers[min(int(n.Add(1)), len(answers))-1]
	})
}

func (f *fake) handle(route string, fn func(r *http.Request, body string) answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.routes[route] = fn
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		text, _ := io.ReadAll(r.Body)
		body = string(text)
	}
	a := f.answer(r, body)
	if a.after += f.latency; a.after > 0 {
		timer := time.NewTimer(a.after)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if a.err != nil {
		return nil, a.err
	}
	resp := &http.Response{StatusCode: a.status, Header: http.Header{}, Request: r, ProtoMajor: 1, ProtoMinor: 1}
	if a.kind == "" && a.body != "" {
		a.kind = "application/xml"
	}
	if a.kind != "" {
		resp.Header.Set("Content-Type", a.kind)
	}
	for k, v := range a.header {
		resp.Header.Set(k, v)
	}
	var stream io.Reader = strings.NewReader(a.body)
	if a.cut {
		stream = io.MultiReader(strings.NewReader(a.body), failing{})
	}
	resp.Body = io.NopCloser(stream)
	return resp, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (f *fake) answer(r *http.Request, body string) answer {
	f.mu.Lock()
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/ovirt-engine/api")
	route := r.Method + " " + path
	if strings.Contains(path, "/sso/oauth/token") {
		f.logins++
		fn := f.routes["SSO"]
		f.mu.Unlock()
		if fn != nil {
			return fn(r, body)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.tokens++
		return answer{status: 200, kind: "application/json", body: fmt.Sprintf(`{"access_token":"token%d","scope":"ovirt-app-api","exp":"1","token_type":"bearer"}`, f.tokens)}
	}
	if strings.Contains(path, "/services/") {
		fn := f.routes[route[strings.Index(route, "/services"):]]
		f.mu.Unlock()
		if fn != nil {
			return fn(r, body)
		}
		return answer{status: 200, kind: "application/json", body: "{}"}
	}
	line := route
	if r.URL.RawQuery != "" {
		line += "?" + r.URL.RawQuery
	}
	f.log = append(f.log, line)
	if r.Method != http.MethodGet {
		f.bodies = append(f.bodies, body)
	}
	if f.valid != nil && !f.valid(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
		f.mu.Unlock()
		return answer{status: 401, kind: "text/html", body: "<html><head><title>Error</title></head><body>Unauthorized</body></html>"}
	}
	fn := f.routes[route]
	f.mu.Unlock()
	if fn == nil {
		return notFound
	}
	return fn(r, body)
}

// site opens a client of the fake engine.
func (f *fake) site(change ...func(*Options)) *Site {
	n := 0
	o := Options{
		Name: "secondary", URL: "https://engine2.localdomain/ovirt-engine/api", Username: "admin@internal", Password: "s3cret",
		Transport: f, Clock: realClock{}, Go: func(fn func()) { go fn() },
		OnWrite: func(_ context.Context, w *Write) (func(WriteResult), error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			n++
			w.Correlation = fmt.Sprintf("run-%d", n)
			f.hooked = append(f.hooked, *w)
			return func(r WriteResult) {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.ended = append(f.ended, r)
			}, nil
		},
	}
	for _, fn := range change {
		fn(&o)
	}
	s, err := New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func (f *fake) requests(prefix string) (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range f.log {
		if strings.HasPrefix(line, prefix) {
			out = append(out, line)
		}
	}
	return out
}

// writes are the changing requests that arrived.
func (f *fake) writes() (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range f.log {
		if !strings.HasPrefix(line, "GET ") {
			out = append(out, line)
		}
	}
	return out
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, fn func(t *testing.T, f *fake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		fn(t, f)
		// Each changing request that arrived had its intent, and each intent ended.
		if len(f.hooked) < len(f.writes()) || len(f.hooked) != len(f.ended) {
			t.Errorf("%d changing requests, %d intents, %d ended", len(f.writes()), len(f.hooked), len(f.ended))
		}
	})
}

func wantCode(t *testing.T, err error, code Code) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T), want an *Error with code %s", err, err, code)
	}
	if e.Code != code {
		t.Fatalf("error %v has code %s, want %s", err, e.Code, code)
	}
	if e.Site != "secondary" {
		t.Fatalf("error %v names site %q", err, e.Site)
	}
	if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "token1") {
		t.Fatalf("error %q has several lines or a secret", err)
	}
	return e
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !bytes.Equal([]byte(strings.Join(got, "\n")), []byte(strings.Join(want, "\n"))) {
		t.Fatalf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// Documents of the fake engine.
const (
	dcID = "58ca604b-0001-0001-0001-000000000001"
	sdID = "26c8cd54-65d4-424f-a870-8145439bba1c"
	hoID = "9be35c00-6523-4c2f-89d2-680a6b6da4c0"
	clID = "b875154c-5b87-4068-aa3f-f32c4d672193"
	prID = "4ec7ba24-c6bf-42fc-9975-d6a9bf3f01cf"
	nicI = "fee0cbf3-e81f-4b5e-a0d4-1ad3e1210951"
	tmID = "5037cc2a-0268-4412-a591-ee7da56efe53"
)

func vmID(n int) string { return fmt.Sprintf("8070fa6d-5b82-412c-9d41-%012d", n) }

func vmXML(n int, status string) string {
	return fmt.Sprintf(`<vm href="/ovirt-engine/api/vms/%[1]s" id="%[1]s"><name>vm%[2]d</name><status>%[3]s</status>`+
		`<nics><nic id="%[4]s"><name>nic1</name><mac><address>00:1a:4a:16:01:04</address></mac><vnic_profile id="%[5]s"/></nic></nics></vm>`,
		vmID(n), n, status, nicI, prID)
}

func vmsXML(vms ...string) string { return "<vms>" + strings.Join(vms, "") + "</vms>" }

func sdXML(id, status, dc string) string {
	text := fmt.Sprintf(`<storage_domain id="%s"><name>nfs_ds</name><type>data</type><storage><address>192.168.122.210</address><path>/nfs_ds_replica</path><type>nfs</type></storage>`, id)
	if status != "" {
		text += "<status>" + status + "</status>"
	}
	if dc != "" {
		text += fmt.Sprintf(`<data_centers><data_center id="%s"/></data_centers>`, dc)
	}
	return text + "</storage_domain>"
}

// blockXML is the domain on Fibre Channel LUNs.
func blockXML(status string, luns ...string) string {
	units := ""
	for _, id := range luns {
		units += `<logical_unit id="` + id + `"/>`
	}
	return strings.Replace(sdXML(sdID, status, ""), "<address>192.168.122.210</address><path>/nfs_ds_replica</path><type>nfs</type>",
		"<type>fcp</type><volume_group id=\"v1\"><logical_units>"+units+"</logical_units></volume_group>", 1)
}

func eventXML(id, code int, more string) string {
	return fmt.Sprintf(`<event id="%d"><index>%d</index><code>%d</code><severity>error</severity>%s</event>`, id, id, code, more)
}
