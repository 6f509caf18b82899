// Package mailserver is a mail server, for tests of what sends mails. It delivers nothing.
package mailserver

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
)

// Stranger is the receiver that the server refuses; User and Password are the login that it takes.
const (
	Stranger = "nobody@example.com"
	User     = "drrun"
	Password = "hunter2"
)

// Server takes mails, with STARTTLS where it has a certificate.
type Server struct {
	Address string

	config   *tls.Config
	listener net.Listener
	start    func(func())
	mu       sync.Mutex
	heard    []string
	mails    []string
}

// Listen starts a server on a free port of 127.0.0.1; config is nil where it offers no STARTTLS. start runs a function on a goroutine.
func Listen(config *tls.Config, start func(func())) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen as a mail server: %w", err)
	}
	s := &Server{Address: listener.Addr().String(), config: config, listener: listener, start: start}
	start(s.accept)
	return s, nil
}

func (s *Server) accept() {
	for {
		connection, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.start(func() { s.serve(connection) })
	}
}

// Close ends the server.
func (s *Server) Close() { _ = s.listener.Close() } // it accepts nobody any more

// Heard are the lines of all clients, each behind whether the connection was encrypted: "false EHLO host".
func (s *Server) Heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// Mails are the mails that were taken, as they were sent.
func (s *Server) Mails() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

func (s *Server) serve(connection net.Conn) {
	defer func() { _ = connection.Close() }() // the client has said QUIT, or has gone
	lines := bufio.NewReader(connection)
	say := func(text string) { _, _ = fmt.Fprintf(connection, "%s\r\n", text) } // a client that has gone hears nothing
	say("220 mail.example.com")
	secure := false
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		s.mu.Lock()
		s.heard = append(s.heard, fmt.Sprint(secure, " ", line))
		s.mu.Unlock()
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			if s.config != nil && !secure {
				say("250-mail.example.com")
				say("250 STARTTLS")
				continue
			}
			say("250-mail.example.com")
			say("250 AUTH PLAIN")
		case "STARTTLS":
			say("220 go on")
			connection = tls.Server(connection, s.config)
			lines, secure = bufio.NewReader(connection), true
		case "AUTH":
			if given, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN ")); string(given) != "\x00"+User+"\x00"+Password {
				say("535 wrong user or password: " + string(given[1:]))
				continue
			}
			say("235 welcome")
		case "RCPT":
			if strings.Contains(rest, Stranger) {
				say("550 no such user")
				continue
			}
			say("250 ok")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				text.WriteString(line)
			}
			s.mu.Lock()
			s.mails = append(s.mails, text.String())
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}
