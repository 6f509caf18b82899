package runner_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"drrun/internal/mailserver"
	"drrun/internal/nameserver"
	"drrun/internal/sshhost"

	"golang.org/x/crypto/ssh"
)

// neighbours are the servers of a site that the hooks of the examples talk to, each under the name that the examples use.
type neighbours struct {
	web   *webServer
	names *nameserver.Server
	mails *mailserver.Server
	log   net.PacketConn
	shell *sshhost.Host // any host that is logged in to with the key "host-key"
	ran   *commands
}

// commands are what was run on the shell, and what that answers to each, from the first that it begins with; "" else.
type commands struct {
	mu      sync.Mutex
	heard   []string
	answers map[string][]string // one after the other; the last stays
}

func (c *commands) run(s sshhost.Session) (uint32, sshhost.End) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, s.Command)
	for begin, answers := range c.answers {
		if strings.HasPrefix(s.Command, begin) {
			_, _ = io.WriteString(s.Channel, answers[0]+"\n")
			c.answers[begin] = answers[min(1, len(answers)-1):]
		}
	}
	return 0, sshhost.WithCode
}

func (c *commands) log() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.heard)
}

func newNeighbours(t *testing.T) *neighbours {
	t.Helper()
	background := func(serve func()) { go serve() }
	n := &neighbours{web: newWebServer(t)}
	var err error
	if n.names, err = nameserver.Listen(map[string][]string{
		"example.com. SOA": {"ns.example.com. admin.example.com. 1 3600 600 86400 60"}, "www.example.com. A": {"10.0.0.10"},
	}, time.Now, background); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.names.Close)
	if n.mails, err = mailserver.Listen(nil, background); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.mails.Close)
	if n.log, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.log.Close() })
	n.ran = &commands{answers: map[string][]string{}}
	if n.shell, err = sshhost.Listen(sshhost.Options{
		Key: func(string, ssh.PublicKey) bool { return true }, Run: n.ran.run, Go: background,
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.shell.Close)
	return n
}

// replace pairs the names that examples use with the addresses of the servers.
func (n *neighbours) replace() []string {
	var names []string
	for _, name := range []string{"balancer", "chat", "tickets", "monitoring"} {
		names = append(names, "http://"+name+".localdomain", n.web.URL)
	}
	return append(names, "db.localdomain", n.shell.Name, "app.localdomain", n.shell.Name, "port = 22", "port = "+n.shell.Port, "dns.localdomain:53", n.names.Address, "mail.localdomain:25", n.mails.Address, "log.localdomain:514", n.log.LocalAddr().String())
}

// webServer is a load balancer, a chat channel and a ticket system. A member of the balancer loses a connection each time it is looked at
// once it drains.
type webServer struct {
	*httptest.Server
	mu          sync.Mutex
	heard       []string // requests that change something: "PUT /api/… {"state":"enabled"}"
	connections map[string]int
}

// webToken is what the balancer and the ticket system want to see.
const webToken = "token-of-the-web"

func newWebServer(t *testing.T) *webServer {
	t.Helper()
	w := &webServer{connections: map[string]int{}}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method != http.MethodGet {
		s.heard = append(s.heard, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	}
	if strings.HasPrefix(r.URL.Path, "/api/") && r.Header.Get("Authorization") != "Bearer "+webToken {
		http.Error(w, "log in", http.StatusUnauthorized)
		return
	}
	answer := map[string]any{}
	_, member, isMember := strings.Cut(r.URL.Path, "/members/")
	switch {
	case strings.HasSuffix(r.URL.Path, "/tickets"):
		answer["id"] = "CHG-4711"
	case isMember && r.Method == http.MethodPut && strings.Contains(string(body), "draining"):
		s.connections[member] = 2
	case isMember && r.Method == http.MethodGet:
		s.connections[member] = max(0, s.connections[member]-1)
		answer["connections"] = s.connections[member]
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *webServer) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// lines reads what the log server got by now.
func (n *neighbours) lines(t *testing.T, count int) (lines []string) {
	t.Helper()
	buffer := make([]byte, 2000)
	for range count {
		size, _, err := n.log.ReadFrom(buffer)
		if err != nil {
			t.Fatal(fmt.Errorf("the log server: %w", err))
		}
		_, text, _ := strings.Cut(string(buffer[:size]), " - ")
		lines = append(lines, text)
	}
	return lines
}
