//go:build unix

package lab_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"drrun/ovirt/lab"
)

// The throughput of a lab as its clients see it: TLS on loopback with connections that stay open, a token from SSO, answers read to
// their ends. Client and lab share the machine, so what is counted are both; cpu-us/op is their processor time, which says how many
// a quiet machine does when this one is busy. Model time runs fast, because what an engine takes is the world's, not the lab's.

// benchSpeed is how much faster model time runs than the wall.
const benchSpeed = 1000

// served is a lab on a socket with a client that is logged in.
type served struct {
	world  lab.World
	client *http.Client
	api    string
	token  string
}

func serveFor(b *testing.B, w lab.World) *served {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	dir := b.TempDir()
	server, err := lab.Serve(ctx, lab.New(w, lab.ScaledClock(benchSpeed), 1), lab.ServeOptions{Dir: dir, Speed: benchSpeed})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cancel()
		server.Wait()
	})
	ca, err := os.ReadFile(filepath.Join(dir, "primary-ca.pem"))
	if err != nil {
		b.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 64, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	s := &served{world: w, client: &http.Client{Transport: transport}, api: server.PrimaryURL}
	form := url.Values{"grant_type": {"password"}, "scope": {"ovirt-app-api"}, "username": {lab.PrimaryUsername}, "password": {lab.PrimaryPassword}}
	req, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(s.api, "/api")+"/sso/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	res, err := s.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Token == "" {
		b.Fatalf("log in: %d %v", res.StatusCode, err)
	}
	s.token = answer.Token
	return s
}

// do sends a request and reads the whole answer. It returns the number of bytes.
func (s *served) do(b *testing.B, method, path, body, encoding string) int64 {
	req, err := http.NewRequest(method, s.api+path, strings.NewReader(body))
	if err != nil {
		b.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Accept", "application/xml")
	if body != "" {
		req.Header.Set("Content-Type", "application/xml")
	}
	if encoding != "" {
		req.Header.Set("Accept-Encoding", encoding)
	}
	res, err := s.client.Do(req)
	if err != nil {
		b.Error(err)
		return 0
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		b.Errorf("%s %s: %d %s", method, path, res.StatusCode, text)
		return 0
	}
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil {
		b.Error(err)
	}
	return n
}

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs one request after another on each of some connections, and reports how many were answered in a second.
func (s *served) measure(b *testing.B, unit string, connections int, one func(n int) int64) {
	b.SetParallelism(max(1, connections/runtime.GOMAXPROCS(0)))
	b.ReportAllocs()
	var n, bytes atomic.Int64
	b.ResetTimer()
	used := cpu(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			bytes.Add(one(int(n.Add(1) - 1)))
		}
	})
	used = cpu(b) - used
	b.SetBytes(bytes.Load() / int64(b.N))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), unit)
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-us/op")
}

func thousand() lab.World { return lab.TwoSites(lab.TwoSitesOptions{VMs: 1000, Domains: 4}) }

// BenchmarkServedRead reads one VM of 1,000: at least 2,000 a second on two cores.
func BenchmarkServedRead(b *testing.B) {
	s := serveFor(b, thousand())
	vms := s.world.Sites[0].VMs
	s.measure(b, "reads/s", 16, func(n int) int64 { return s.do(b, http.MethodGet, "/vms/"+vms[n%len(vms)].ID, "", "") })
}

// BenchmarkServedList reads the list of 1,000 VMs: at least 15 a second on two cores.
func BenchmarkServedList(b *testing.B) {
	for _, encoding := range []string{"", "gzip"} {
		b.Run(map[string]string{"": "plain"}[encoding]+encoding, func(b *testing.B) {
			s := serveFor(b, thousand())
			s.measure(b, "lists/s", 4, func(int) int64 { return s.do(b, http.MethodGet, "/vms", "", encoding) })
		})
	}
}

// BenchmarkServedDetails reads the list of 1,000 VMs with their NICs and disks.
func BenchmarkServedDetails(b *testing.B) {
	s := serveFor(b, thousand())
	s.measure(b, "lists/s", 2, func(int) int64 { return s.do(b, http.MethodGet, "/vms?follow=nics,disk_attachments.disk", "", "") })
}

// BenchmarkServedActions stops all of 1,000 VMs, starts them, and so on: at least 300 actions a second on two cores.
func BenchmarkServedActions(b *testing.B) {
	s := serveFor(b, thousand())
	vms := s.world.Sites[0].VMs
	s.measure(b, "actions/s", 16, func(n int) int64 {
		action := "/stop"
		if n/len(vms)%2 == 1 {
			action = "/start"
		}
		return s.do(b, http.MethodPost, "/vms/"+vms[n%len(vms)].ID+action, "<action/>", "")
	})
}
