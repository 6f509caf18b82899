// Package ovirt is drrun's client of one oVirt-family engine.
//
// It reads inventories, and it brings objects to a goal: each operation that changes something reads the object first, does
// nothing where the goal holds, waits where it is on its way, acts otherwise, and then waits until the goal is seen on the
// object. An answer that did not come, or that is not understood, is settled by reading; nothing is repeated blindly, and each
// repeat carries its reason (Write.Retry). Every request that changes the engine passes the hook Options.OnWrite before it
// leaves. There is no function here that formats, that creates a storage domain instead of importing it, or that deletes a
// template, a disk or a VM that has disks.
//
// The wire types and their readers are go-ovirt's; the transport is ours: the SDK's has no context and no keep-alive (40
// times slower a call, measured), never renews a token, and turns faults into plain strings.
package ovirt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Clock is the model clock. Everything here that blocks, apart from socket I/O, blocks in Wait.
type Clock interface {
	Now() time.Time
	// Wait blocks until wake is closed (woken), d has passed (d < 0: never) or ctx is done (err is its cause). wake may be nil.
	Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) (woken bool, err error)
	// WithTimeout is context.WithTimeout in model time.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
}

// Options describes one site. Name, URL, Username, Password (or FindPassword) and Clock are mandatory.
type Options struct {
	Name               string // "primary" or "secondary": stands in every error
	URL                string // of the engine or its API, with or without the suffix /api
	Username, Password string // opaque to drrun
	// FindPassword takes the place of Password: it is asked before the first request that needs a login.
	FindPassword func(ctx context.Context) (string, error)
	CA           []byte            // PEM; empty means the system's
	CAFile       string            // where CA came from, for messages
	Insecure     bool              // do not verify the engine's certificate
	Transport    http.RoundTripper // nil: own, with TLS, keep-alive and gzip
	Clock        Clock
	Go           func(func()) // part of every package's seam; only LUNsOfHosts starts goroutines, and without it asks one host after the other
	OnWrite      WriteHook
	Logger       *slog.Logger
	Tick         time.Duration // between two looks of a wait, model time; default 3s
	CallTimeout  time.Duration // of one read, model time; default 30s. Inside an operation that changes, a read is repeated for up to 5 minutes
}

// Defaults of Options, and the bounds of what takes longer. All in model time.
const (
	defaultTick        = 3 * time.Second
	defaultCallTimeout = 30 * time.Second
	actionTimeout      = 10 * time.Minute  // of one changing request: attach blocks until the domain is active (ovirt-engine AttachStorageDomainToPoolCommand.java)
	operationTimeout   = 2 * actionTimeout // of an operation whose caller names no time: long enough to settle a request that was never answered
	inventoryTimeout   = 10 * time.Minute  // of one read that makes the engine look at every VM (follow)
	patience           = 5 * time.Minute   // how long an operation waits for an engine that restarts under it
	settleWindow       = 30 * time.Second  // how long an unknown outcome is looked for before it counts as "did not happen"
	dialTimeout        = 10 * time.Second  // wall time
)

// Site is one engine. All methods may be called from several goroutines.
type Site struct {
	o         Options
	log       *slog.Logger
	base, api *url.URL // …/ovirt-engine and …/ovirt-engine/api
	transport http.RoundTripper
	issued    issued
	limit     *limiter
	vms       *poller[string, VM]          // waits: one request a tick for all
	looks     *poller[string, VM]          // fresh reads: those that come while a request is under way share the next one
	details   *poller[string, VM]          // VMs just registered, with NICs and disks: one request a tick for all
	networks  *poller[string, VM]          // VMs with their NICs and what the guests report of those: one request a tick for all
	stores    *poller[eventWatch, []Event] // waits for the end of OVF updates: one request a tick for all

	mu       sync.Mutex
	token    string
	password string
	wide     bool       // searching by id does not work here: wait on whole lists
	login    *loginCall // the login under way, if any
	counters Counters
	domains  map[string]*poller[string, StorageDomain] // by data center
	seenDCs  struct {                                  // the data centers as they were listed last
		sync.Mutex
		at   time.Time
		byID map[string]DataCenter
	}
}

// New makes a site without sending a request.
func New(o Options) (*Site, error) {
	fail := func(code Code, err error) error {
		return &Error{Site: o.Name, Op: opOpen, Subject: Subject{Kind: KindSite, Name: o.Name}, Code: code, Err: err}
	}
	if o.Clock == nil {
		panic("ovirt: Options.Clock is not set")
	}
	u, err := url.Parse(o.URL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fail(CodeBadRequest, fmt.Errorf("%q is not the url of an engine, such as https://engine.example.com/ovirt-engine/api", redactURL(u, o.URL)))
	}
	path := strings.TrimRight(u.Path, "/")
	path = strings.TrimSuffix(path, "/api")
	if path == "" {
		path = "/ovirt-engine"
	}
	s := &Site{o: o, password: o.Password, log: o.Logger, domains: map[string]*poller[string, StorageDomain]{}, transport: o.Transport}
	s.base = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}
	s.api = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path + "/api"}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.log = s.log.With("site", o.Name)
	if s.o.Tick <= 0 {
		s.o.Tick = defaultTick
	}
	if s.o.CallTimeout <= 0 {
		s.o.CallTimeout = defaultCallTimeout
	}
	if s.transport == nil {
		config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure} //nolint:gosec // only when the operator asks for it
		if len(o.CA) > 0 {
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(o.CA) {
				return nil, fail(CodeTLS, fmt.Errorf("there is no PEM certificate in %s", o.CAFile))
			}
		}
		s.transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:     config,
			TLSHandshakeTimeout: dialTimeout,
			MaxIdleConnsPerHost: limitMax,
			// Apache closes idle connections after 5 s by default. A POST that meets such a close has an unknown outcome,
			// so give them up first; polls come more often than this.
			IdleConnTimeout: 4 * time.Second,
		}
	}
	s.limit = newLimiter(o.Clock)
	s.vms = newPoller(o.Clock, s.o.Tick, s.fetchVMs)
	s.looks = newPoller(o.Clock, 0, s.lookVMs)
	s.details = newPoller(o.Clock, s.o.Tick, s.embedding(follow))
	s.networks = newPoller(o.Clock, s.o.Tick, s.embedding(followNICs))
	s.stores = newPoller(o.Clock, s.o.Tick, s.fetchEvents)
	return s, nil
}

// redactURL keeps a password that somebody wrote into the url out of the message.
func redactURL(u *url.URL, text string) string {
	if u != nil {
		return u.Redacted()
	}
	if strings.Contains(text, "@") {
		return "(not shown: it may hold a password)"
	}
	return text
}

// Open makes a site, logs in and reads the API root. Its errors tell unreachable, TLS, credentials and not-an-engine apart;
// nothing is tried twice, so that a dead engine is reported at once.
func Open(ctx context.Context, o Options) (*Site, error) {
	s, err := New(o)
	if err != nil {
		return nil, err
	}
	if _, err := s.product(ctx, false); err != nil {
		if e, ok := asError(err); ok {
			e.Op, e.Subject = opOpen, Subject{Kind: KindSite, Name: o.Name}
			if e.Code == CodeBadReply || e.Code == CodeNotFound {
				e.Code, e.Retryable = CodeNotAnEngine, false
				if e.Err == nil {
					e.Err = errors.New("there is no engine API")
				}
				e.Err = fmt.Errorf("no oVirt engine answers at %s: %w", s.api, e.Err)
				e.Hint = "check the url of the site: https://HOST/ovirt-engine/api"
			}
		}
		return nil, err
	}
	return s, nil
}

// Close gives the login back to the engine, so that no session is left behind. It is best effort and never fails.
func (s *Site) Close(ctx context.Context) {
	s.mu.Lock()
	token := s.token
	s.token = ""
	s.mu.Unlock()
	if token != "" {
		s.logout(ctx, token)
	}
	if t, ok := s.transport.(*http.Transport); ok && s.o.Transport == nil {
		t.CloseIdleConnections()
	}
}

// Name returns the name of the site: "primary" or "secondary".
func (s *Site) Name() string { return s.o.Name }

// URL returns the address of the site's API.
func (s *Site) URL() string { return s.api.String() }

// Counters returns the requests sent so far.
func (s *Site) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counters
}

type class int

const (
	classRead class = iota
	classPoll
	classWrite
)

func (s *Site) count(c class) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c {
	case classRead:
		s.counters.Reads++
	case classPoll:
		s.counters.Polls++
	case classWrite:
		s.counters.Writes++
	}
}

// fail starts an error of this site.
func (s *Site) fail(op string, subject Subject, code Code, err error) *Error {
	return &Error{Site: s.o.Name, Op: op, Subject: subject, Code: code, Err: err}
}

// pause waits in model time; it fails only when ctx ends.
func (s *Site) pause(ctx context.Context, d time.Duration) error {
	_, err := s.o.Clock.Wait(ctx, d, nil)
	return err
}

// backoff is the wait before repeat n (from 0): 0.5 s doubling up to 8 s.
func backoff(n int) time.Duration {
	return min(500*time.Millisecond<<min(n, 8), 8*time.Second)
}

// Counters are the requests of a site so far, in three classes: changes, looks, and looks of waits. Logins and probes are not counted.
type Counters struct{ Writes, Reads, Polls int }
