// Package sshhost is an SSH host of which a function answers every command, for tests of what logs in somewhere. It runs no programs.
package sshhost

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Options say who is let in and what answers.
type Options struct {
	Password func(user, password string) bool          // nil lets nobody in by password
	Key      func(user string, key ssh.PublicKey) bool // nil lets nobody in by key
	// Run answers a command. What it returns ends it; Silent ends the session without an exit code, as a host does that dies.
	Run func(Session) (code uint32, end End)
	Go  func(func()) // starts a goroutine
}

// End is how a session ends.
type End int

// The ends of a session.
const (
	WithCode End = iota // its exit code is told
	Silent              // nothing is told: the host has died
)

// Session is one command of somebody who is logged in.
type Session struct {
	Command string
	User    string
	Channel ssh.Channel // its standard input and outputs
	Gone    func()      // waits until the client has gone
}

// Host is a host that is being served.
type Host struct {
	Name, Port string
	KnownHosts string // its line for a file known_hosts

	options  Options
	listener net.Listener
	open     sync.Map // net.Conn
}

// Listen starts a host on a free port of 127.0.0.1 and returns at once.
func Listen(o Options) (*Host, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of an SSH host: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("make the key of an SSH host: %w", err)
	}
	refused := errors.New("not let in")
	config := &ssh.ServerConfig{
		PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if o.Password == nil || !o.Password(c.User(), string(password)) {
				return nil, refused
			}
			return &ssh.Permissions{}, nil
		},
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if o.Key == nil || !o.Key(c.User(), key) {
				return nil, refused
			}
			return &ssh.Permissions{}, nil
		},
	}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen as an SSH host: %w", err)
	}
	h := &Host{options: o, listener: listener, KnownHosts: knownhosts.Line([]string{listener.Addr().String()}, signer.PublicKey()) + "\n"}
	h.Name, h.Port, _ = net.SplitHostPort(listener.Addr().String()) // what the system gave is well formed
	o.Go(func() { h.accept(config) })
	return h, nil
}

// Close ends the host and all sessions.
func (h *Host) Close() {
	_ = h.listener.Close() // it accepts nobody any more
	h.open.Range(func(connection, _ any) bool {
		_ = connection.(net.Conn).Close() // its session ends with it
		return true
	})
}

func (h *Host) accept(config *ssh.ServerConfig) {
	for {
		plain, err := h.listener.Accept()
		if err != nil {
			return
		}
		h.open.Store(plain, nil)
		h.options.Go(func() {
			defer h.open.Delete(plain)
			h.serve(plain, config)
		})
	}
}

func (h *Host) serve(plain net.Conn, config *ssh.ServerConfig) {
	defer func() { _ = plain.Close() }() // the client has gone, or was not let in
	connection, channels, requests, err := ssh.NewServerConn(plain, config)
	if err != nil {
		return
	}
	h.options.Go(func() { ssh.DiscardRequests(requests) })
	for wanted := range channels {
		channel, asked, err := wanted.Accept()
		if err != nil {
			return
		}
		h.options.Go(func() { h.session(connection, channel, asked) })
	}
}

// session runs the one command of a session: there is no shell.
func (h *Host) session(connection *ssh.ServerConn, channel ssh.Channel, asked <-chan *ssh.Request) {
	defer func() { _ = channel.Close() }() // whoever asked has the answer, or has gone
	for request := range asked {
		_ = request.Reply(request.Type == "exec", nil) // a client that has gone is not told
		if request.Type != "exec" {
			continue
		}
		var command struct{ Text string }
		_ = ssh.Unmarshal(request.Payload, &command) // a payload that is none is the empty command
		code, end := h.options.Run(Session{
			Command: command.Text, User: connection.User(), Channel: channel, Gone: func() { _ = connection.Wait() },
		})
		if end == WithCode {
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{code}))
		}
		return
	}
}
