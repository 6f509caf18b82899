package worlds

import (
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"testing"

	"drrun/ovirt/lab"
)

// BenchmarkFleetMemory says what a lab of 5,000 VMs occupies when nobody asks, and the most while its whole list is read with NICs and
// disks: less than 200 MB.
func BenchmarkFleetMemory(b *testing.B) {
	const mb = 1 << 20
	inUse := func() float64 {
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse) / mb
	}
	before := inUse()
	world := sound(b, "../../examples/worlds/fleet-5000.lua")
	var l *lab.Lab
	for b.Loop() {
		l = lab.New(world, lab.ScaledClock(1000), 1)
	}
	b.ReportMetric(inUse()-before, "MB-idle")
	req, err := http.NewRequest(http.MethodGet, lab.PrimaryURL+"/vms?follow=nics,disk_attachments.disk", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.SetBasicAuth(lab.PrimaryUsername, lab.PrimaryPassword)
	for range 3 {
		res, err := l.Transport().RoundTrip(req)
		if err != nil || res.StatusCode != http.StatusOK {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(inUse()-before, "MB-after-lists")
	runtime.KeepAlive(l)
}
