// Package nameserver is the primary name server of a zone, for tests of what asks it and changes it (RFC 2136).
package nameserver

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Key and Secret sign the updates that the server takes.
const (
	Key    = "drrun"
	Secret = "c2VjcmV0LW9mLXRoZS1rZXkh"
)

// Server answers by UDP and TCP at one port.
type Server struct {
	Address string

	servers []*dns.Server
	now     func() time.Time
	mu      sync.Mutex
	zone    map[string][]string // "name type" → values
	updates int
}

// Listen starts a server on a free port of 127.0.0.1. The zone maps "www.example.com. A" to its values; start runs a function on a
// goroutine, now is the server's time. Names that begin with "refused." are refused, and answers about those that begin with "note." do not fit into UDP.
func Listen(zone map[string][]string, now func() time.Time, start func(func())) (*Server, error) {
	s := &Server{zone: zone, now: now}
	socket, stream, err := samePort()
	if err != nil {
		return nil, fmt.Errorf("listen as a name server: %w", err)
	}
	s.Address = socket.LocalAddr().String()
	keys := map[string]string{Key + ".": Secret}
	s.servers = []*dns.Server{
		{PacketConn: socket, Handler: s, TsigSecret: keys},
		{Listener: stream, Handler: s, TsigSecret: keys, MsgAcceptFunc: func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }},
	}
	for _, server := range s.servers {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		start(func() { _ = server.ActivateAndServe() }) // Close ends it
		<-started
	}
	return s, nil
}

// samePort listens by UDP and TCP at one port; somebody else may have the other half of the first that is free.
func samePort() (net.PacketConn, net.Listener, error) {
	for tries := 50; ; tries-- {
		socket, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		stream, err := net.Listen("tcp", socket.LocalAddr().String())
		if err == nil {
			return socket, stream, nil
		}
		_ = socket.Close() // it was of no use
		if tries == 0 {
			return nil, nil, err
		}
	}
}

// Close ends the server.
func (s *Server) Close() {
	for _, server := range s.servers {
		_ = server.Shutdown() // it runs: Listen waited for it
	}
}

// Values are those of a name and type, such as "www.example.com. A".
func (s *Server) Values(record string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.zone[record])
}

// Updates counts the updates that were taken.
func (s *Server) Updates() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updates
}

// ServeDNS answers one message.
func (s *Server) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := new(dns.Msg).SetReply(question)
	defer func() { _ = w.WriteMsg(answer) }() // who asked has gone
	if question.Opcode == dns.OpcodeUpdate {
		s.update(w, question, answer)
		return
	}
	name, kind := question.Question[0].Name, dns.TypeToString[question.Question[0].Qtype]
	if strings.HasPrefix(name, "refused.") {
		answer.Rcode = dns.RcodeRefused
		return
	}
	values, found := s.zone[name+" "+kind]
	if !found {
		answer.Rcode = dns.RcodeNameError
	}
	for _, value := range values {
		if kind == "TXT" {
			value = strconv.Quote(value)
		}
		record, err := dns.NewRR(name + " 300 IN " + kind + " " + value)
		if err != nil {
			panic(err) // the zone of a test is wrong
		}
		answer.Answer = append(answer.Answer, record)
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp && strings.HasPrefix(name, "note.") {
		answer.Answer, answer.Truncated = nil, true
	}
}

func (s *Server) update(w dns.ResponseWriter, question, answer *dns.Msg) {
	signed, status := question.IsTsig(), w.TsigStatus()
	// A run on a virtual clock signs with its own time.
	if signed == nil || status != nil && !errors.Is(status, dns.ErrTime) {
		answer.Rcode = dns.RcodeRefused
		return
	}
	s.updates++
	for _, record := range question.Ns {
		h := record.Header()
		key := h.Name + " " + dns.TypeToString[h.Rrtype]
		value := strings.Trim(strings.TrimPrefix(record.String(), h.String()), `"`)
		switch h.Class {
		case dns.ClassANY:
			delete(s.zone, key)
		case dns.ClassNONE:
			s.zone[key] = slices.DeleteFunc(s.zone[key], func(old string) bool { return old == value })
		default:
			s.zone[key] = append(s.zone[key], value)
		}
	}
	answer.SetTsig(Key+".", signed.Algorithm, 300, s.now().Unix())
}
