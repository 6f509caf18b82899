package ovirt

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestLoginIsShared(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.handle("SSO", func(r *http.Request, body string) answer {
			if r.Header.Get("Accept") != "application/json" || !strings.Contains(body, "scope=ovirt-app-api") || !strings.Contains(body, "username=admin%40internal") {
				t.Errorf("login: %v %s", r.Header, body)
			}
			return answer{status: 200, kind: "application/json", body: `{"access_token":"tok"}`, after: time.Second}
		})
		f.handle("GET /datacenters", func(r *http.Request, _ string) answer {
			h := r.Header
			if h.Get("Authorization") != "Bearer tok" || h.Get("Accept") != "application/xml" || h.Get("Version") != "4" || h.Get("Accept-Language") != "en" || h.Get("Correlation-Id") != "" {
				t.Errorf("headers: %v", h)
			}
			return xmlAnswer(200, "<data_centers/>")
		})
		s := f.site()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := s.DataCenters(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if f.logins != 1 || s.Counters() != (Counters{Reads: 20}) {
			t.Fatalf("%d logins, %+v", f.logins, s.Counters())
		}
	})
}

func TestWrongPasswordIsTriedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("SSO", answer{status: 400, kind: "application/json", after: time.Second,
			body: `{"error_code":"access_denied","error":"Cannot authenticate user 'admin@internal': The username or password is incorrect.."}`})
		s := f.site()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := s.DataCenters(t.Context())
				var e *Error
				if !errors.As(err, &e) || e.Code != CodeCredentials || !strings.Contains(e.Hint, "admin@ovirt@internal") || !strings.Contains(err.Error(), "access_denied") {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if f.logins != 1 {
			t.Fatalf("%d logins", f.logins)
		}
	})
}

func TestTokenIsRenewedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /datacenters", xmlAnswer(200, "<data_centers/>"))
		s := f.site()
		if _, err := s.DataCenters(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.valid = func(token string) bool { return token == "token2" }
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := s.DataCenters(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if f.logins != 2 {
			t.Fatalf("%d logins", f.logins)
		}
		// An engine that refuses every token is asked twice, not for ever.
		f.valid = func(string) bool { return false }
		_, err := s.DataCenters(t.Context())
		wantCode(t, err, CodeCredentials)
		if f.logins != 3 {
			t.Fatalf("%d logins", f.logins)
		}
	})
}

func TestOpen(t *testing.T) {
	for _, c := range []struct {
		name  string
		sso   answer
		root  answer
		code  Code
		words string
	}{
		{"engine", answer{status: 200, kind: "application/json", body: `{"access_token":"t"}`}, xmlAnswer(200, readCalls[0].good), "", ""},
		{"down", refused, notFound, CodeUnreachable, "open secondary: connection refused"},
		{"unknown name", answer{err: &net.OpError{Op: "dial", Err: &net.DNSError{Name: "engine2.localdomain", IsNotFound: true}}}, notFound, CodeUnreachable, `"engine2.localdomain" is not known`},
		{"web server only", answer{status: 404, kind: "text/html", body: "<title>Apache</title>"}, notFound, CodeNotAnEngine, "no oVirt engine answers"},
		{"web page", htmlPage, htmlPage, CodeNotAnEngine, `"Welcome"`},
		{"other api", answer{status: 200, kind: "application/json", body: `{"access_token":"t"}`}, htmlPage, CodeNotAnEngine, "no oVirt engine answers"},
		{"no api", answer{status: 200, kind: "application/json", body: `{"access_token":"t"}`}, notFound, CodeNotAnEngine, "no oVirt engine answers"},
		{"engine down behind its web server", answer{status: 503, kind: "text/html"}, notFound, CodeUnreachable, "503"},
		{"password", answer{status: 400, kind: "application/json", body: `{"error_code":"access_denied","error":"no"}`}, notFound, CodeCredentials, "refused the user name or password (access_denied)"},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			f.on("SSO", c.sso)
			f.on("GET ", c.root)
			o := f.site().o
			_, err := Open(t.Context(), o)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantCode(t, err, c.code)
			if !strings.Contains(err.Error(), c.words) || f.logins > 1 {
				t.Errorf("%s: %v (%d logins)", c.name, err, f.logins)
			}
		})
	}
}

func TestURLs(t *testing.T) {
	for in, want := range map[string]string{
		"https://e/ovirt-engine/api":    "https://e/ovirt-engine/api",
		"https://e/ovirt-engine/api/":   "https://e/ovirt-engine/api",
		"https://e/ovirt-engine":        "https://e/ovirt-engine/api",
		"https://e":                     "https://e/ovirt-engine/api",
		"https://e:8443/":               "https://e:8443/ovirt-engine/api",
		"https://proxy/x/ovirt-engine/": "https://proxy/x/ovirt-engine/api",
		"e/ovirt-engine/api":            "",
		"ftp://e/":                      "",
		"https://admin:s3cret@e/":       "",
		"https://e/?x=1":                "",
		"https://e:s3cret@ /":           "",
	} {
		s, err := New(Options{Name: "secondary", URL: in, Clock: realClock{}})
		if want == "" {
			wantCode(t, err, CodeBadRequest)
			continue
		}
		if err != nil || s.URL() != want {
			t.Errorf("%s: %v, %v", in, s, err)
		}
	}
}

func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /datacenters", xmlAnswer(200, "<data_centers/>"))
		form := ""
		f.handle("/services/sso-logout", func(_ *http.Request, body string) answer { form = body; return answer{status: 200} })
		s := f.site()
		if _, err := s.DataCenters(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Close(t.Context())
		s.Close(t.Context())
		if form != "scope=ovirt-app-api&token=token1" {
			t.Fatal(form)
		}
	})
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		answer  answer
		answers bool
		kind    string
	}{
		{answer{status: 200, kind: "text/plain", body: "DB Up!Welcome to Health Status!"}, true, ReachAPI},
		{answer{status: 500, body: "DB down"}, true, ReachError},
		{answer{status: 401}, true, ReachError},
		{answer{status: 404}, true, ReachError},
		{answer{status: 502}, true, ReachError},
		{answer{status: 503}, true, ReachError},
		{answer{status: 504}, true, ReachError},
		{refused, false, ReachRefused},
		{reset, false, ReachRefused},
		{answer{err: io.EOF}, false, ReachRefused},
		{answer{err: &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}}, false, ReachRefused},
		{answer{err: &net.OpError{Op: "dial", Err: syscall.EMFILE}}, true, ReachError},
		{answer{err: &net.OpError{Op: "dial", Err: &net.DNSError{Name: "x", IsNotFound: true}}}, false, ReachDNS},
		{answer{err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}, true, ReachTLS},
		{answer{err: errors.New("malformed HTTP response")}, true, ReachError},
		{answer{after: time.Hour}, false, ReachTimeout},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			f.on("/services/health", c.answer)
			s := f.site()
			got := s.Probe(t.Context())
			if got.Answers != c.answers || got.Kind != c.kind || got.Text == "" {
				t.Errorf("%+v: %+v", c.answer, got)
			}
			if f.logins != 0 || s.Counters() != (Counters{}) {
				t.Error("the probe logged in or was counted")
			}
		})
	}
	bubble(t, func(t *testing.T, f *fake) {
		f.on("/services/health", answer{after: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := f.site().Probe(ctx); !got.Answers || got.Kind != ReachCancelled {
			t.Errorf("a cancelled look is taken for silence: %+v", got)
		}
	})
}

// certify makes a server certificate of a CA of its own.
func certify(t *testing.T, name string, until time.Time) (tls.Certificate, []byte) {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey, leafKey := key(), key()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of " + name}, NotBefore: time.Unix(0, 0),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name, Organization: []string{"lab"}}, DNSNames: []string{name},
		NotBefore: time.Unix(0, 0), NotAfter: until}
	if name == "127.0.0.1" {
		leaf.IPAddresses, leaf.DNSNames = []net.IP{net.ParseIP(name)}, nil
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, leafKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
}

func TestTLS(t *testing.T) {
	good, goodCA := certify(t, "127.0.0.1", time.Now().Add(time.Hour))
	_, otherCA := certify(t, "127.0.0.1", time.Now().Add(time.Hour))
	old, oldCA := certify(t, "127.0.0.1", time.Now().Add(-time.Hour))
	stranger, strangerCA := certify(t, "engine2.localdomain", time.Now().Add(time.Hour))
	for _, c := range []struct {
		name     string
		cert     tls.Certificate
		ca       []byte
		insecure bool
		words    string
	}{
		{"verified", good, goodCA, false, ""},
		{"insecure", good, nil, true, ""},
		{"other CA", good, otherCA, false, `the certificate of "CN=127.0.0.1,O=lab", issued by "CN=CA of 127.0.0.1", is not signed by the CA in secondary-ca.pem`},
		{"expired", old, oldCA, false, `is valid from 1970-01-01 to`},
		{"other host", stranger, strangerCA, false, `is for engine2.localdomain, not for "127.0.0.1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/sso/oauth/token") {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, `{"access_token":"t"}`)
					return
				}
				w.Header().Set("Content-Type", "application/xml")
				_, _ = io.WriteString(w, readCalls[0].good)
			}))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{c.cert}}
			server.StartTLS()
			defer server.Close()
			o := Options{Name: "secondary", URL: server.URL, Username: "a@b", Password: "s3cret", CA: c.ca, CAFile: "secondary-ca.pem", Insecure: c.insecure, Clock: realClock{}}
			s, err := Open(t.Context(), o)
			if c.words == "" {
				if err != nil {
					t.Fatal(err)
				}
				s.Close(t.Context())
				return
			}
			e := wantCode(t, err, CodeTLS)
			if !strings.Contains(err.Error(), c.words) || e.Hint == "" || e.Retryable {
				t.Fatalf("%v\n%s", err, e.Hint)
			}
			if fresh, err := New(o); err != nil {
				t.Fatal(err)
			} else if reach := fresh.Probe(t.Context()); !reach.Answers || reach.Kind != ReachTLS {
				t.Fatalf("%+v", reach)
			}
		})
	}
	_, err := New(Options{Name: "secondary", URL: "https://e", CA: []byte("no pem"), CAFile: "x.pem", Clock: realClock{}})
	wantCode(t, err, CodeTLS)
}

func TestPlainHTTPBehindHTTPS(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, err := Open(t.Context(), Options{Name: "secondary", URL: strings.Replace(server.URL, "http:", "https:", 1), Username: "a", Password: "s3cret", Clock: realClock{}})
	e := wantCode(t, err, CodeTLS)
	if !strings.Contains(err.Error(), "does not speak TLS") || e.Hint == "" {
		t.Fatal(err)
	}
}
