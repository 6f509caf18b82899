package lab

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// ArrayAddress is how the array of a site is reached.
type ArrayAddress struct {
	Site     string
	URL      string // https://HOST:PORT, with a certificate of the site's CA
	SSH      string // HOST:PORT
	Username string
	Password string
}

// ArrayServer is the arrays of a lab on sockets, each with its REST interface and its command line.
type ArrayServer struct {
	Arrays     []ArrayAddress
	KnownHosts []byte // the lines of all arrays for a file known_hosts
	Key        []byte // a private key that opens every one of them, as OpenSSH writes it

	closers []io.Closer
	done    sync.WaitGroup
	once    sync.Once
}

// ArrayOptions says how arrays are served.
type ArrayOptions struct {
	// Latency is what each answer takes in model time, beside its job; 0 is nothing.
	Latency time.Duration
	// Go starts a goroutine; nil uses the go statement.
	Go func(func())
}

// ServeArrays starts to serve the array of each site that has storage, on free ports of 127.0.0.1, and returns at once. It ends with
// ctx or ArrayServer.Close. While a site has no power, connections to its array are reset.
func ServeArrays(ctx context.Context, l *Lab, o ArrayOptions) (*ArrayServer, error) {
	if o.Go == nil {
		o.Go = spawn
	}
	s := &ArrayServer{}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("serve arrays: make a key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "drrun lab")
	if err != nil {
		return nil, fmt.Errorf("serve arrays: write the key: %w", err)
	}
	s.Key = pem.EncodeToMemory(block)
	allowed, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("serve arrays: %w", err)
	}
	for _, site := range l.arraySites() {
		if err := s.serve(l, site, allowed, o); err != nil {
			_ = s.Close()
			return nil, fmt.Errorf("serve the array of %s: %w", site, err)
		}
	}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	return s, nil
}

// arraySites are the sites that have storage.
func (l *Lab) arraySites() []string {
	l.lock()
	defer l.mu.Unlock()
	var sites []string
	for _, e := range l.engines {
		if l.array(e.name) != nil {
			sites = append(sites, e.name)
		}
	}
	return sites
}

// Array returns how the array of a site is reached; the zero value where it has none.
func (s *ArrayServer) Array(site string) ArrayAddress {
	return find(s.Arrays, func(a ArrayAddress) bool { return a.Site == site })
}

// Close ends all servers at once and waits for them. Closing again does nothing.
func (s *ArrayServer) Close() error {
	s.once.Do(func() {
		for _, c := range s.closers {
			_ = c.Close() // what they serve ends with them
		}
	})
	s.done.Wait()
	return nil
}

func (s *ArrayServer) start(o ArrayOptions, serve func()) {
	s.done.Add(1)
	o.Go(func() {
		defer s.done.Done()
		serve()
	})
}

func (s *ArrayServer) serve(l *Lab, site string, allowed ssh.PublicKey, o ArrayOptions) error {
	l.lock()
	a := l.array(site)
	authority, err := l.engine(site).authority()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	web, err := a.listen(s)
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{authority.server}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	srv := &http.Server{Handler: l.ArrayHandler(site, o.Latency), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 30 * time.Second}
	s.closers = append(s.closers, srv)
	s.start(o, func() { serveOn(srv, tls.NewListener(web, config)) })

	shell, err := a.listen(s)
	if err != nil {
		return err
	}
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(hostKey)
	if err != nil {
		return err
	}
	login := a.sshLogin(allowed)
	login.AddHostKey(signer)
	s.KnownHosts = append(s.KnownHosts, knownhosts.Line([]string{knownhosts.Normalize(shell.Addr().String())}, signer.PublicKey())+"\n"...)
	s.start(o, func() { s.acceptSSH(a, shell, login, o) })
	s.Arrays = append(s.Arrays, ArrayAddress{Site: site, URL: "https://" + web.Addr().String(), SSH: shell.Addr().String(), Username: ArrayUsername, Password: a.password()})
	return nil
}

// listen opens a free port that answers while the site has power.
func (a *array) listen(s *ArrayServer) (*gate, error) {
	raw, err := listen("")
	if err != nil {
		return nil, err
	}
	g := &gate{Listener: raw, lab: a.lab, up: a.up, open: map[net.Conn]bool{}}
	s.closers = append(s.closers, g)
	a.lab.lock()
	defer a.lab.mu.Unlock()
	a.lab.dark = append(a.lab.dark, func(site string) {
		if site == a.site {
			g.cut()
		}
	})
	return g, nil
}

// sshLogin lets the array's user in, by password or by the key that is allowed.
func (a *array) sshLogin(allowed ssh.PublicKey) *ssh.ServerConfig {
	refused := errors.New("not let in")
	is := func(given, wanted string) bool { return subtle.ConstantTimeCompare([]byte(given), []byte(wanted)) == 1 }
	return &ssh.ServerConfig{
		PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if c.User() != ArrayUsername || !is(string(password), a.password()) {
				return nil, refused
			}
			return &ssh.Permissions{}, nil
		},
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if c.User() != ArrayUsername || !is(string(key.Marshal()), string(allowed.Marshal())) {
				return nil, refused
			}
			return &ssh.Permissions{}, nil
		},
	}
}

// acceptSSH serves connections until the listener is closed, and then waits for those that are open.
func (s *ArrayServer) acceptSSH(a *array, g *gate, login *ssh.ServerConfig, o ArrayOptions) {
	for {
		raw, err := g.Accept()
		if err != nil {
			g.cut()
			return
		}
		s.start(o, func() { s.serveSSH(a, raw, login, o) })
	}
}

func (s *ArrayServer) serveSSH(a *array, raw net.Conn, login *ssh.ServerConfig, o ArrayOptions) {
	defer func() { _ = raw.Close() }() // the client has gone, or was not let in
	connection, channels, requests, err := ssh.NewServerConn(raw, login)
	if err != nil {
		return
	}
	defer func() { _ = connection.Close() }()
	s.start(o, func() { ssh.DiscardRequests(requests) })
	for wanted := range channels {
		if wanted.ChannelType() != "session" {
			_ = wanted.Reject(ssh.UnknownChannelType, "only sessions") // a client that has gone is not told
			continue
		}
		channel, asked, err := wanted.Accept()
		if err != nil {
			return
		}
		s.start(o, func() { a.session(channel, asked, o.Latency) })
	}
}

// session runs the one command of a session: there is no shell.
func (a *array) session(channel ssh.Channel, asked <-chan *ssh.Request, latency time.Duration) {
	defer func() { _ = channel.Close() }() // whoever asked has the answer, or has gone
	for request := range asked {
		isCommand := request.Type == "exec"
		var command struct{ Text string }
		if isCommand {
			isCommand = ssh.Unmarshal(request.Payload, &command) == nil
		}
		_ = request.Reply(isCommand, nil)
		if !isCommand {
			continue
		}
		if latency > 0 {
			if _, err := a.lab.clock.Wait(context.Background(), latency, nil); err != nil {
				return
			}
		}
		a.lab.lock()
		stdout, stderr, code := a.command(command.Text)
		a.lab.mu.Unlock()
		_, _ = io.WriteString(channel, stdout)
		_, _ = io.WriteString(channel.Stderr(), stderr)
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{code}))
		return
	}
}
