package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ServeOptions says where a lab is served. Addresses are HOST:PORT, port 0 is any free one, "" is 127.0.0.1:0.
type ServeOptions struct {
	Primary, Secondary, Control string
	// Dir receives primary-ca.pem, secondary-ca.pem, the files of the arrays (array-known-hosts, array-key) and lab.env; "" writes no
	// files.
	Dir string
	// Speed is what the lab's clock was made with; lab.env tells it to drrun. 0 means 1.
	Speed float64
	// Since is when the lab's clock left the time of day; lab.env tells it to drrun, whose time would otherwise begin anew in
	// each process. Zero leaves it out.
	Since time.Time
	// Go starts a goroutine; nil uses the go statement.
	Go func(func())
}

// Server is a lab on sockets: two engines with TLS, their arrays, and the control API without.
type Server struct {
	Primary, Secondary, Control string // HOST:PORT as bound
	PrimaryURL, SecondaryURL    string // https://HOST:PORT/ovirt-engine/api
	Arrays                      *ArrayServer
	Env                         []byte // the content of lab.env

	servers   []*http.Server
	listeners []net.Listener
	done      sync.WaitGroup
	once      sync.Once
}

// Serve starts to serve the lab, whose world must have the sites primary and secondary, and returns at once. It ends with ctx or
// Server.Close.
func Serve(ctx context.Context, l *Lab, o ServeOptions) (*Server, error) {
	if o.Speed == 0 {
		o.Speed = 1
	}
	if o.Go == nil {
		o.Go = spawn
	}
	s := &Server{}
	fail := func(err error) (*Server, error) {
		_ = s.Close()
		return nil, fmt.Errorf("serve lab: %w", err)
	}
	var cas [2][]byte
	var servers []func()
	for i, site := range []struct {
		name, addr string
		bound, url *string
	}{{"primary", o.Primary, &s.Primary, &s.PrimaryURL}, {"secondary", o.Secondary, &s.Secondary, &s.SecondaryURL}} {
		l.lock()
		e := l.engine(site.name)
		if e == nil {
			l.mu.Unlock()
			return fail(fmt.Errorf("the world has no site %q", site.name))
		}
		a, err := e.authority()
		l.mu.Unlock()
		if err != nil {
			return fail(err)
		}
		cas[i] = a.caPEM
		raw, err := listen(site.addr)
		if err != nil {
			return fail(err)
		}
		s.listeners = append(s.listeners, raw)
		gate := &gate{Listener: raw, lab: l, up: func() bool { return e.answers }, open: map[net.Conn]bool{}}
		l.lock()
		l.down = append(l.down, func(site string) {
			if site == e.name {
				gate.cut()
			}
		})
		l.mu.Unlock()
		*site.bound = raw.Addr().String()
		*site.url = "https://" + raw.Addr().String() + apiRoot
		h := s.server(l.Handler(site.name))
		config := &tls.Config{Certificates: []tls.Certificate{a.server}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
		servers = append(servers, func() { serveOn(h, tls.NewListener(gate, config)) })
	}
	raw, err := listen(o.Control)
	if err != nil {
		return fail(err)
	}
	s.listeners = append(s.listeners, raw)
	s.Control = raw.Addr().String()
	h := s.server(l.Control())
	servers = append(servers, func() { serveOn(h, raw) })
	if s.Arrays, err = ServeArrays(ctx, l, ArrayOptions{Latency: arrayLatency, Go: o.Go}); err != nil {
		return fail(err)
	}
	s.Env = s.environment(l, o)
	if o.Dir != "" {
		if err := s.writeFiles(o.Dir, cas); err != nil {
			return fail(err)
		}
	}
	for _, serve := range servers {
		s.done.Add(1)
		o.Go(func() {
			defer s.done.Done()
			serve()
		})
	}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	return s, nil
}

func listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	return net.Listen("tcp", addr)
}

func (s *Server) server(h http.Handler) *http.Server {
	// The server's own log would print each connection that a disaster cuts.
	srv := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 30 * time.Second}
	s.servers = append(s.servers, srv)
	return srv
}

func serveOn(srv *http.Server, ln net.Listener) {
	if err := srv.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
		_ = ln.Close() // the listener broke: clients see a closed port
	}
}

// Close ends all servers at once and waits for them. Closing again does nothing.
func (s *Server) Close() error {
	s.once.Do(func() {
		for _, srv := range s.servers {
			_ = srv.Close()
		}
		for _, ln := range s.listeners { // those that no server had taken yet
			_ = ln.Close()
		}
	})
	s.done.Wait()
	if s.Arrays != nil {
		return s.Arrays.Close()
	}
	return nil
}

// arrayLatency is what each answer of a served array takes.
const arrayLatency = 40 * time.Millisecond

// Wait returns when the server was closed.
func (s *Server) Wait() { s.done.Wait() }

// gate is the listener of something that can stop to answer: while it does not, connections are reset.
type gate struct {
	net.Listener
	lab  *Lab
	up   func() bool // called with the lab's lock
	mu   sync.Mutex
	open map[net.Conn]bool
}

// Accept returns the next connection while it answers.
func (g *gate) Accept() (net.Conn, error) {
	for {
		raw, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g.lab.lock()
		up := g.up()
		if up {
			g.mu.Lock()
			g.open[raw] = true
			g.mu.Unlock()
		}
		g.lab.mu.Unlock()
		if up {
			return &gated{Conn: raw, gate: g}, nil
		}
		reset(raw)
	}
}

// cut resets all open connections.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for raw := range g.open {
		reset(raw)
	}
	g.open = map[net.Conn]bool{}
}

// reset closes a connection so that the other end sees a reset.
func reset(raw net.Conn) {
	if t, ok := raw.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = raw.Close()
}

type gated struct {
	net.Conn
	gate *gate
}

// Close closes the connection.
func (c *gated) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.open, c.Conn)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}

type envLine struct{ name, value string }

// Names of the files of the arrays.
const (
	arrayKnownHosts = "array-known-hosts"
	arrayKey        = "array-key"
)

// environment is lab.env: shell lines that drrun and people use.
func (s *Server) environment(l *Lab, o ServeOptions) []byte {
	primaryStorage, secondaryStorage := l.StorageLists()
	l.lock()
	defer l.mu.Unlock()
	var b strings.Builder
	lines := []envLine{
		{"DRRUN_SECRET_PRIMARY_PASSWORD", l.engine("primary").spec.Password},
		{"DRRUN_SECRET_SECONDARY_PASSWORD", l.engine("secondary").spec.Password},
		{"LAB_PRIMARY_URL", s.PrimaryURL},
		{"LAB_SECONDARY_URL", s.SecondaryURL},
		{"LAB_PRIMARY_USERNAME", l.engine("primary").spec.Username},
		{"LAB_SECONDARY_USERNAME", l.engine("secondary").spec.Username},
		{"LAB_PRIMARY_STORAGE", primaryStorage},
		{"LAB_SECONDARY_STORAGE", secondaryStorage},
		{"LAB_CONTROL", s.Control},
		{"DRRUN_SPEED", strconv.FormatFloat(o.Speed, 'g', -1, 64)},
	}
	for _, a := range s.Arrays.Arrays {
		name := "LAB_" + strings.ToUpper(a.Site) + "_ARRAY_"
		lines = append(lines, envLine{"DRRUN_SECRET_" + strings.ToUpper(a.Site) + "_ARRAY_PASSWORD", a.Password},
			envLine{name + "URL", a.URL}, envLine{name + "SSH", a.SSH}, envLine{name + "USERNAME", a.Username})
	}
	if dir, err := filepath.Abs(o.Dir); err == nil && o.Dir != "" {
		lines = append(lines, envLine{"LAB_ARRAY_KNOWN_HOSTS", filepath.Join(dir, arrayKnownHosts)}, envLine{"LAB_ARRAY_KEY", filepath.Join(dir, arrayKey)},
			envLine{"DRRUN_STATE", filepath.Join(dir, "state")}) // runs on the lab do not belong among real ones
	}
	if !o.Since.IsZero() {
		lines = append(lines, envLine{"DRRUN_SPEED_SINCE", o.Since.UTC().Format(time.RFC3339Nano)})
	}
	for _, line := range lines {
		fmt.Fprintf(&b, "export %s='%s'\n", line.name, strings.ReplaceAll(line.value, "'", `'\''`))
	}
	return []byte(b.String())
}

func (s *Server) writeFiles(dir string, cas [2][]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, f := range []struct {
		name    string
		content []byte
		mode    os.FileMode
	}{{"primary-ca.pem", cas[0], 0o644}, {"secondary-ca.pem", cas[1], 0o644}, {"lab.env", s.Env, 0o600},
		{arrayKnownHosts, s.Arrays.KnownHosts, 0o644}, {arrayKey, s.Arrays.Key, 0o600}} {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.content, f.mode); err != nil {
			return err
		}
	}
	return nil
}
