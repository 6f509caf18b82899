package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"drrun/plans"
	"drrun/stdlib"
)

// largePlan writes a plan of so many VMs, each with a boot condition, a predecessor, and a MAC and an IP address for a hook.
func largePlan(t testing.TB, vms int) string {
	t.Helper()
	p := &plans.Plan{Name: "large", Primary: plans.SiteSpec{URL: "https://a.example"}, Secondary: plans.SiteSpec{URL: "https://b.example"},
		StorageDomains: []plans.StorageDomain{{Name: "d", ID: "00000005-0000-4000-8000-000000000001", Type: plans.StorageNFS,
			Primary: plans.DomainSide{DataCenter: "x", URL: "nfs://a:/1"}, Secondary: plans.DomainSide{DataCenter: "x", URL: "nfs://b:/1"}}}}
	var addresses strings.Builder
	for n := range vms {
		vm := plans.VM{Name: fmt.Sprintf("vm%d", n), ID: fmt.Sprintf("00000007-0000-4000-8000-%012d", n), Rank: n % 5,
			Boot: &stdlib.Condition{Kind: stdlib.ConditionGuestAgent, Timeout: 5 * time.Minute}}
		if n >= 5 {
			vm.After = []string{fmt.Sprintf("vm%d", n-5)}
		}
		p.VMs = append(p.VMs, vm)
		fmt.Fprintf(&addresses, "    vm%d = { mac = \"56:6f:00:%02x:%02x:%02x\", ip = \"10.%d.%d.%d/16\" },\n", n, n>>16, n>>8&255, n&255, n>>16, n>>8&255, n&255)
	}
	text, err := plans.Write(p, plans.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.Replace(string(text), `  name = "large",`, "  name = \"large\",\n  params = { addresses = {\n"+addresses.String()+"  } },", 1)
	file := filepath.Join(t.TempDir(), "large.lua")
	if whole == string(text) {
		t.Fatal("the plan has no place for the addresses")
	}
	if err := os.WriteFile(file, []byte(whole), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// BenchmarkCheckOffline5000 is `drrun check --offline` of 5,000 VMs with MAC and IP address, as it is typed. CPU-s/op is the time that the
// processors worked for it, which other work on the machine does not add to.
func BenchmarkCheckOffline5000(b *testing.B) {
	file := largePlan(b, 5000)
	began := processorTime(b)
	for b.Loop() {
		env, stdout, stderr := testEnv(strings.NewReader(""))
		if code := Main(env, []string{"drrun", "check", "--offline", file}); code != 0 {
			b.Fatalf("exit %d: %s%s", code, stdout, stderr)
		}
	}
	b.ReportMetric((processorTime(b)-began).Seconds()/float64(b.N), "CPU-s/op")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
