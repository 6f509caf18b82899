package lab_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
)

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	status int
	bytes  int64
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { d.bytes += int64(len(p)); return len(p), nil }

// benchmarkRead reads a path, in which {vm} stands for a VM, of a site with 1,000 VMs, of which all but one run with a guest agent.
func benchmarkRead(b *testing.B, path string) {
	w := lab.TwoSites(lab.TwoSitesOptions{VMs: 1000, Domains: 4})
	f := newForeigner(w, "primary")
	path = strings.ReplaceAll(path, "{vm}", w.Sites[0].VMs[0].ID)
	req := httptest.NewRequest(http.MethodGet, "https://engine"+apiPath+path, nil)
	req.SetBasicAuth(f.user, f.password)
	b.ReportAllocs()
	start := time.Now()
	for b.Loop() {
		d := &discard{header: http.Header{}}
		req.Body = io.NopCloser(http.NoBody)
		f.handler.ServeHTTP(d, req)
		if d.status != http.StatusOK {
			b.Fatal(d.status)
		}
		b.SetBytes(d.bytes)
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "reads/s")
}

// BenchmarkOneVM reads one VM, without TLS and sockets.
func BenchmarkOneVM(b *testing.B) { benchmarkRead(b, "/vms/{vm}") }

// BenchmarkThousandVMs reads the list of 1,000 VMs.
func BenchmarkThousandVMs(b *testing.B) { benchmarkRead(b, "/vms") }

// BenchmarkThousandVMsFollowed reads the list with links that are followed one by one: what no handler writes at once.
func BenchmarkThousandVMsFollowed(b *testing.B) { benchmarkRead(b, "/vms?follow=nics,tags") }

// BenchmarkThousandVMsJSON reads the list as JSON.
func BenchmarkThousandVMsJSON(b *testing.B) { benchmarkRead(b, "/vms?accept=application/json") }
