package stdlib

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/internal/mailserver"
	"drrun/lua"
)

func TestWebhook(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	s := newScene(t).begin()
	s.secrets["hook"] = a.URL + "/services/T0/key-of-the-channel"
	got := s.must(s.lua(`local notify, dr, A = require "notify", require "dr", "` + a.URL + `"
return {
  notify.webhook { url = A .. "/x", body = { status = "done", vms = { "a" } } },
  notify.webhook { url = dr.secret "hook", body = "hello" },
  notify.webhook { url = A .. "/fail", body = { text = "x" } },
  notify.webhook { url = "http://127.0.0.1:1/key", body = "x", timeout = "200ms" },
}`))
	if want := []any{true, true, false, false}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if want := []string{`POST /x {"status":"done","vms":["a"]}`, "POST /services/T0/key-of-the-channel hello", `POST /fail {"text":"x"}`}; !reflect.DeepEqual(a.log(), want) {
		t.Errorf("the server was asked %q", a.log())
	}
	warnings := s.session.Warnings()
	if len(warnings) != 2 || !strings.Contains(warnings[0], "the message was not sent: notify.webhook "+a.URL+"/fail: POST: answered 409 Conflict") {
		t.Errorf("warnings %q", warnings)
	}
	_, err := s.lua(`return require "notify".webhook { url = "` + a.URL + `/fail", body = "x", required = true }`)
	raised(t, err, "notify-failed", "409 Conflict")
	_, err = s.lua(`return require "notify".webhook { url = "` + a.URL + `", body = 5 }`)
	raised(t, err, "bad-argument", "neither a table nor a text")
	s.end()
	if strings.Contains(s.left(err), "key-of-the-channel") {
		t.Error("the address of the channel is in what is left")
	}
}

// TestNotifiedOnce sees that a message is not sent again by a hook that is called again, and that on_error sends one in every attempt.
func TestNotifiedOnce(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	s := newScene(t)
	code := `require "notify".webhook { url = "` + a.URL + `/begun", body = "x" }; if not ctx.retried then error "breaks" end`
	path := s.write("on_error.lua", `return function(ctx, report) require "notify".webhook { url = "`+a.URL+`/failed", body = report } end`)
	onError := func() {
		t.Helper()
		err := s.within(func(task *engine.Task, rt *lua.Runtime) error {
			fn, err := rt.RunFile(task, path)
			if err != nil {
				return err
			}
			s.session.Hooks["on_error"] = []Handler{{Point: "on_error", Name: "plan", Func: fn.(*lua.Function)}}
			return s.session.RunOnError(task, map[string]any{"message": "m"})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.hook("h", code); err == nil {
		t.Fatal("no error")
	}
	onError()
	s.end()
	s.must(s.hook("h", code))
	onError()
	if want := map[string]int{"POST /begun": 1, "POST /failed": 2}; !reflect.DeepEqual(a.calls, want) {
		t.Errorf("sent %v, want %v", a.calls, want)
	}
}

func newMailServer(t *testing.T, config *tls.Config) *mailserver.Server {
	t.Helper()
	m, err := mailserver.Listen(config, func(serve func()) { go serve() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func TestMail(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	s.secrets["pw"], s.secrets["wrong"] = "hunter2", "hunter3"
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	s.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})))
	secure, plain := newMailServer(t, web.TLS.Clone()), newMailServer(t, nil)
	mail := func(server *mailserver.Server, rest string) (any, error) {
		return s.lua(`local dr = require "dr"
local call = { server = "` + server.Address + `", from = "drrun <drrun@example.com>", to = { "ops@example.com", "Ann <ann@example.com>" },
  subject = "Ausfall: übernommen\nBcc: x@y", body = "First.\n.\nLäuft = ja\n", required = true }
for name, value in pairs { ` + rest + ` } do call[name] = value end
return require "notify".mail(call)`)
	}
	s.must(mail(secure, `ca_file = "ca.pem", user = "drrun", password = dr.secret "pw"`))
	if len(secure.Mails()) != 1 {
		t.Fatalf("%d mails", len(secure.Mails()))
	}
	for _, want := range []string{"From: \"drrun\" <drrun@example.com>\r\n", "To: ops@example.com, ann@example.com\r\n", "Subject: =?utf-8?q?Ausfall:_=C3=BCbernommen_Bcc:_x@y?=\r\n",
		"Message-ID: <", "\r\n\r\nFirst.\r\n..\r\nL=C3=A4uft =3D ja\r\n"} {
		if !strings.Contains(secure.Mails()[0], want) {
			t.Errorf("the mail lacks %q:\n%s", want, secure.Mails()[0])
		}
	}
	for _, heard := range secure.Heard() {
		if strings.HasPrefix(heard, "false ") && !strings.Contains(heard, "EHLO") && !strings.Contains(heard, "STARTTLS") {
			t.Errorf("in clear: %s", heard)
		}
	}
	for _, c := range []struct {
		server *mailserver.Server
		rest   string
		words  []string
	}{
		{secure, ``, []string{"STARTTLS", "certificate"}},
		{secure, `ca_file = "ca.pem", user = "drrun", password = dr.secret "wrong"`, []string{"log in as drrun", "535"}},
		{plain, ``, []string{"offers no STARTTLS"}},
		{plain, `starttls = "never", to = { "nobody@example.com" }`, []string{"the receiver nobody@example.com: 550"}},
	} {
		_, err := mail(c.server, c.rest)
		raised(t, err, "notify-failed", c.words...)
	}
	if got := s.must(mail(plain, `starttls = "if_offered"`)); got != true || len(plain.Mails()) != 1 {
		t.Errorf("got %v, %d mails", got, len(plain.Mails()))
	}
	for rest, want := range map[string]string{`to = {}`: "no receiver", `to = { "x" }`: "no mail address", `from = "a b c"`: "no mail address", `user = "x"`: "user and password"} {
		_, err := mail(plain, rest)
		raised(t, err, "bad-argument", want)
	}
	s.end()
	left := s.left(nil)
	for _, form := range []string{"hunter2", "hunter3", base64.StdEncoding.EncodeToString([]byte("\x00drrun\x00hunter2"))} {
		if strings.Contains(left, form) {
			t.Errorf("%s is in what is left", form)
		}
	}
}

func TestSyslog(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	s.must(s.lua(`return require "notify".syslog { text = "VM db\nis up", server = "` + socket.LocalAddr().String() + `", severity = "warning", facility = "local3" }`))
	buffer := make([]byte, 2000)
	n, _, err := socket.ReadFrom(buffer)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.SplitN(string(buffer[:n]), " ", 8)
	if len(fields) != 8 || fields[0] != "<156>1" || fields[3] != "drrun" || fields[4] != s.session.Run.ID() || fields[7] != "VM db is up" {
		t.Errorf("got %q", fields)
	}
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	s.must(s.lua(`return require "notify".syslog { text = "hello", server = "` + stream.Addr().String() + `", protocol = "tcp" }`))
	connection, err := stream.Accept()
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(connection).ReadString(' ')
	if length, numberErr := strconv.Atoi(strings.TrimSpace(line)); err != nil || numberErr != nil || length < 50 {
		t.Errorf("the line begins with %q, %v", line, err)
	}
	got := s.must(s.lua(`return require "notify".syslog { text = "hello", server = "127.0.0.1:1", protocol = "tcp" }`))
	if warnings := s.session.Warnings(); got != false || len(warnings) != 1 || !strings.Contains(warnings[0], "notify.syslog to 127.0.0.1:1") {
		t.Errorf("got %v, warnings %q", got, warnings)
	}
}
