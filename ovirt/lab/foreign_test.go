package lab_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"drrun/ovirt/lab"
)

// What the tests of this package know of an engine is what any client knows: its URL, HTTP and XML.

// strideClock is model time that passes for whoever waits.
type strideClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *strideClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *strideClock) Wait(ctx context.Context, d time.Duration, _ <-chan struct{}) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(max(d, 0))
	return false, nil
}

func (c *strideClock) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// foreigner is a client of one engine of a lab, that shares no code with the lab.
type foreigner struct {
	handler        http.Handler
	user, password string
}

func newForeigner(w lab.World, site string) foreigner {
	s, _ := w.Site(site)
	l := lab.New(w, &strideClock{now: time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)}, 1)
	return foreigner{l.Handler(site), s.Username, s.Password}
}

// get asks for a path below the API's root, or for an href.
func (f foreigner) get(path string) *httptest.ResponseRecorder {
	return f.send(http.MethodGet, path, "")
}

// send sends a request with a body, which may be empty.
func (f foreigner) send(method, path, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "https://engine"+apiPath+strings.TrimPrefix(path, apiPath), strings.NewReader(body))
	req.Header.Set("Content-Type", "application/xml")
	req.SetBasicAuth(f.user, f.password)
	req.Header.Set("Accept", "application/xml")
	rec := httptest.NewRecorder()
	f.handler.ServeHTTP(rec, req)
	return rec
}

const apiPath = "/ovirt-engine/api"

// element is an XML element.
type element struct {
	name     string
	attrs    []xml.Attr
	text     string
	children []*element
}

func parseElements(text []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	top := &element{}
	open := []*element{top}
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		last := open[len(open)-1]
		switch t := t.(type) {
		case xml.StartElement:
			e := &element{name: t.Name.Local, attrs: t.Copy().Attr}
			last.children = append(last.children, e)
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			last.text += string(t)
		}
	}
	if len(top.children) != 1 {
		return nil, errors.New("not one root element")
	}
	return top.children[0], nil
}

func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// stopVM powers a VM off.
func (f foreigner) stopVM(t *testing.T, name string) {
	t.Helper()
	vms := f.document(t, "/vms?search=name%3D"+name)
	if len(vms.children) != 1 {
		t.Fatalf("%d VMs %s", len(vms.children), name)
	}
	if rec := f.send(http.MethodPost, vms.children[0].attr("href")+"/stop", "<action/>"); rec.Code != http.StatusOK {
		t.Fatalf("stop %s: %d %s", name, rec.Code, rec.Body)
	}
	for range 1000 { // each request takes its time
		if vms = f.document(t, "/vms?search=name%3D"+name+"+and+status%3Ddown"); len(vms.children) == 1 {
			return
		}
	}
	t.Fatalf("%s does not go down", name)
}

// document gets a document that must be there.
func (f foreigner) document(t *testing.T, path string) *element {
	t.Helper()
	rec := f.get(path)
	if rec.Code != http.StatusOK {
		t.Fatalf("GET %s = %d %s", path, rec.Code, rec.Body)
	}
	e, err := parseElements(rec.Body.Bytes())
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return e
}
