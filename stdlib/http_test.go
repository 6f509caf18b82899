package stdlib

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// array is the REST interface of a simulated array: it notes what it is asked, and shows what it was sent, as debugging proxies do.
type array struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // method, path and body
	busy  int      // so many requests are answered 503
	calls map[string]int
}

func newArray(t *testing.T) *array {
	t.Helper()
	a := &array{calls: map[string]int{}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *array) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.asked = append(a.asked, strings.TrimSpace(r.Method+" "+r.URL.String()+" "+string(body)))
	a.calls[r.Method+" "+r.URL.Path]++
	busy := a.busy > 0
	a.busy--
	a.mu.Unlock()
	if busy {
		http.Error(w, "the controller starts", http.StatusServiceUnavailable)
		return
	}
	switch r.URL.Path {
	case "/login":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Session", "session-key-4711")
		fmt.Fprint(w, `{"user": {"token": "bearer-token-0815"}, "id": 9007199254740993}`)
	case "/volumes":
		if r.Header.Get("Authorization") != "Bearer bearer-token-0815" || r.Header.Get("X-Session") != "session-key-4711" {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprint(w, `[{"name": "vol_dr", "writable": null}]`)
	case "/echo":
		user, password, _ := r.BasicAuth()
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		fmt.Fprintf(w, "%s %v %s:%s %s", r.Method, r.Header, user, password, body)
	case "/fail":
		http.Error(w, fmt.Sprintf("no: %v %s", r.Header, body), http.StatusConflict)
	case "/moved":
		http.Redirect(w, r, "/login", http.StatusFound)
	case "/away":
		http.Redirect(w, r, "http://other.invalid/", http.StatusFound)
	case "/large":
		fmt.Fprint(w, strings.Repeat("x", 3000))
	case "/hang":
		<-r.Context().Done()
	case "/cut":
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "begun")
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "session=cookie-key-12")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"done": %q}`, r.Method)
	}
}

func (a *array) log() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string{}, a.asked...)
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	s := newScene(t).begin()
	s.secrets["pw"] = "hunter2"
	for _, c := range []struct {
		name, code string
		want       any
	}{
		{"a changing request with JSON", `local r = http.post { url = A .. "/clones", json = { name = "c1", size = 3, tags = json.empty_list, pw = dr.secret "pw" } }; return { r.status, r.json.done, r.headers["content-type"], tostring(r.headers["set-cookie"]) }`,
			[]any{201.0, "POST", "application/json", "nil"}},
		{"put, patch and delete", `return { http.put(A .. "/v").json.done, http.patch(A .. "/v").json.done, http.delete { url = A .. "/v" }.json.done }`, []any{"PUT", "PATCH", "DELETE"}},
		{"a query", `return http.get { url = A .. "/q?a=1", query = { b = "x y", n = 2 } }.status`, 201.0},
		{"head", `local r = http.head(A .. "/x"); return { r.status, r.body }`, []any{201.0, ""}},
		{"an expected status", `return http.get { url = A .. "/fail", expect = { 200, 409 } }.status`, 409.0},
		{"a redirect", `return http.get(A .. "/moved").json.id`, "9007199254740993"},
		{"as a condition", `return { http.ok(A .. "/x"), http.ok(A .. "/fail"), http.ok { url = A .. "/large", max_body = "5B" }, http.ok "http://127.0.0.1:1/" }`, []any{true, false, true, false}},
		{"an answer that is cut", `local r = http.post { url = A .. "/large", max_body = "10B" }; return { r.body, r.truncated }`, []any{"xxxxxxxxxx", true}},
		{"a login, and what it gives", `local login = http.post { url = A .. "/login", json = { user = "u", password = dr.secret "pw" }, observe = true, hide = { "token", "X-Session" } }
local volumes = http.get { url = A .. "/volumes", token = login.json.user.token, headers = { ["X-Session"] = login.headers["x-session"] } }
return { volumes.json[1].name, tostring(volumes.json[1].writable), tostring(login.json.user.token), login.body }`,
			[]any{"vol_dr", "nil", "<secret token>", `{"user": {"token": "<secret token>"}, "id": 9007199254740993}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.must(s.lua(`local http, json, dr, A = require "http", require "json", require "dr", "` + a.URL + `"; ` + c.code))
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v", got)
			}
		})
	}
	asked := strings.Join(a.log(), "\n")
	for _, want := range []string{`POST /clones {"name":"c1","pw":"hunter2","size":3,"tags":[]}`, "GET /q?a=1&b=x+y&n=2", `POST /login {"password":"hunter2","user":"u"}`} {
		if !strings.Contains(asked, want) {
			t.Errorf("the server was not asked %s:\n%s", want, asked)
		}
	}
	s.end()
	left := s.left(nil)
	for _, secret := range []string{"hunter2", "bearer-token-0815", "session-key-4711", "cookie-key-12"} {
		if strings.Contains(left, secret) {
			t.Errorf("%s is in what is left", secret)
		}
	}
	// The login was no change, and neither was what only looked.
	if steps := strings.Join(s.steps(), "\n"); strings.Contains(steps, "/login") || strings.Contains(steps, "GET") || !strings.Contains(steps, "http POST "+a.URL+"/clones: done") {
		t.Errorf("steps:\n%s", steps)
	}
}

func TestHTTPFails(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	s := newFastScene(t, 100).begin()
	s.write("plain.pem", "no certificate")
	for _, c := range []struct {
		name, code, want string
		words            []string
	}{
		{"an unexpected status", `post { url = A .. "/fail?key=1", json = { a = 1 } }`, "http-failed", []string{"POST " + a.URL + "/fail: answered 409 Conflict: no:"}},
		{"a redirect of a change", `post(A .. "/moved")`, "http-failed", []string{"answered 302", "leads to /login"}},
		{"nothing listens", `get { url = "http://127.0.0.1:1/x", tries = 2 }`, "http-failed", []string{"refused", "in 2 tries"}},
		{"no answer", `post { url = A .. "/hang", timeout = "5s" }`, "http-failed", []string{"no answer within 5s", "whether it had its effect is not known"}},
		{"a body that ends too early", `get { url = A .. "/cut", tries = 1 }`, "http-failed", []string{"the body ended too early"}},
		{"too much", `get { url = A .. "/large", max_body = "1KiB" }`, "too-large", []string{"1024 bytes"}},
		{"no address", `get "ftp://x/"`, "bad-argument", []string{"http or https", "main.lua:1:"}},
		{"a password in the address", `get "http://me:hunter2@x/"`, "secret-in-clear", []string{"dr.secret"}},
		{"half a login", `get { url = A, user = "me" }`, "bad-argument", []string{"user and password"}},
		{"a password in clear", `get { url = A, user = "me", password = "hunter2" }`, "bad-argument", []string{"password is not a secret"}},
		{"two bodies", `post { url = A, json = {}, body = "" }`, "bad-argument", []string{"either"}},
		{"a function in JSON", `post { url = A, json = { a = print } }`, "bad-argument", []string{"json.a is a function"}},
		{"hide in a change", `post { url = A, hide = { "token" } }`, "bad-argument", []string{"observe = true"}},
		{"a secret that would leave", `get { url = A .. "/away", token = require "dr".secret "pw" }`, "http-failed", []string{"http://other.invalid", "secrets must not go"}},
		{"a bad CA", `get { url = A, ca_file = "plain.pem" }`, "bad-argument", []string{"holds no certificate"}},
		{"a line break in a header", `get { url = A, headers = { X = "a\nb" } }`, "bad-argument", []string{"header X"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.secrets["pw"] = "other-secret"
			_, err := s.lua(`local A = "` + a.URL + `"; return require "http".` + c.code)
			raised(t, err, c.want, c.words...)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// TestHTTPTries counts what reaches the server: looks and idempotent changes are tried again, others are sent once.
func TestHTTPTries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, code string
		busy, want int
		ok         bool
	}{
		{"a look", `get(A)`, 2, 3, true},
		{"a look, too often", `get(A)`, 5, 3, false},
		{"a change", `post(A)`, 1, 1, false},
		{"a change that may be repeated", `put { url = A, idempotent = true }`, 2, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newArray(t)
			a.busy = c.busy
			s := newFastScene(t, 100).begin()
			_, err := s.lua(`local A = "` + a.URL + `/v"; return require "http".` + c.code)
			if (err == nil) != c.ok || len(a.log()) != c.want {
				t.Errorf("%v after %d requests", err, len(a.log()))
			}
			if !c.ok {
				raised(t, err, "http-failed", "503 Service Unavailable: the controller starts")
			}
		})
	}
}

// TestHTTPSecrets sends secrets in every way to a server that shows them in bodies, headers and error pages.
func TestHTTPSecrets(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	s := newScene(t).begin()
	s.secrets["pw"], s.secrets["key"] = `p"w & <1>`, "key/with+odd=chars"
	got := s.must(s.lua(`local dr, http, A = require "dr", require "http", "` + a.URL + `"
local pw, key = dr.secret "pw", dr.secret "key"
local texts = {}
for _, path in ipairs { "/echo", "/fail" } do
  for _, how in ipairs { { user = "me", password = pw }, { token = key }, { headers = { ["X-Key"] = key } }, { json = { deep = { pw, key } } }, { body = pw } } do
    how.url = A .. path
    local ok, r = pcall(http.post, how)
    texts[#texts + 1] = ok and r.body or r.message
  end
end
return texts`)).([]any)
	if len(got) != 10 {
		t.Fatalf("%d answers", len(got))
	}
	for i, text := range got {
		if !strings.Contains(text.(string), "<secret ") {
			t.Errorf("answer %d does not show that there was a secret: %s", i+1, text)
		}
	}
	s.end()
	left := s.left(nil) + fmt.Sprint(got)
	for _, form := range []string{s.secrets["pw"], s.secrets["key"], `p\"w & <1>`, "p%22w", "bWU6cCJ3"} {
		if strings.Contains(left, form) {
			t.Errorf("%s is in what is left", form)
		}
	}
}

// TestHTTPDurable sees that a change of a hook that is called again is not made again, and that its JSON comes from the record.
func TestHTTPDurable(t *testing.T) {
	t.Parallel()
	a := newArray(t)
	s := newScene(t)
	code := `local r = require "http".post("` + a.URL + `/clones"); if not ctx.retried then error "breaks" end return r.json.done`
	if _, err := s.hook("h", code); err == nil {
		t.Fatal("no error")
	}
	s.end()
	if got := s.must(s.hook("h", code)); got != "POST" || a.calls["POST /clones"] != 1 {
		t.Errorf("got %v, %v", got, a.calls)
	}
}

// TestHTTPS verifies the server, and shows it a certificate.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, len(r.TLS.PeerCertificates))
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	s.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s.write("client.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	s.write("client.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	for options, want := range map[string]string{`ca_file = "ca.pem"`: "0", `insecure = true`: "0", `ca_file = "ca.pem", cert_file = "client.pem", key_file = "client.key"`: "1"} {
		if got := s.must(s.lua(`return require "http".get { url = "` + server.URL + `", ` + options + ` }.body`)); got != want {
			t.Errorf("%s: got %v", options, got)
		}
	}
	_, err = s.lua(`return require "http".get { url = "` + server.URL + `", tries = 1 }`)
	raised(t, err, "http-failed", "certificate")
	_, err = s.lua(`return require "http".get { url = "` + server.URL + `", cert_file = "client.pem", key_file = "ca.pem" }`)
	raised(t, err, "bad-argument", "client.pem")
}
