package plans

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/lua"
	"drrun/stdlib"
)

// addressedPlan writes a plan of so many VMs, each with a MAC and an IP address for a hook that changes addresses, and returns its file.
func addressedPlan(t testing.TB, count int) string {
	t.Helper()
	p := &Plan{Name: "large", Primary: SiteSpec{URL: "https://a.example"}, Secondary: SiteSpec{URL: "https://b.example"},
		StorageDomains: []StorageDomain{{Name: "d", ID: testID(idDomain, 1), Type: StorageNFS, Primary: DomainSide{DataCenter: "x", URL: "nfs://a:/1"}, Secondary: DomainSide{DataCenter: "x", URL: "nfs://b:/1"}}}}
	var addresses strings.Builder
	for n := range count {
		name := fmt.Sprintf("vm%d", n)
		vm := VM{Name: name, ID: testID(idVM, n), Rank: n % 5, Boot: &stdlib.Condition{Kind: stdlib.ConditionGuestAgent, Timeout: 5 * time.Minute}}
		if n >= 5 {
			vm.After = []string{fmt.Sprintf("vm%d", n-5)}
		}
		p.VMs = append(p.VMs, vm)
		fmt.Fprintf(&addresses, "    %s = { mac = \"56:6f:00:%02x:%02x:%02x\", ip = \"10.%d.%d.%d/16\" },\n", name, n>>16, n>>8&255, n&255, n>>16, n>>8&255, n&255)
	}
	text, err := Write(p, WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.Replace(string(text), `  name = "large",`, "  name = \"large\",\n  params = { addresses = {\n"+addresses.String()+"  } },", 1)
	if whole == string(text) {
		t.Fatal("the plan has no place for the addresses")
	}
	file := filepath.Join(t.TempDir(), "large.lua")
	if err := os.WriteFile(file, []byte(whole), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// loadOnce loads a plan and returns it.
func loadOnce(t testing.TB, file string) (p *Plan, found lua.Diagnostics) {
	t.Helper()
	scheduler := engine.NewScheduler(engine.SystemEnv(1))
	if err := scheduler.Run(context.Background(), context.Background(), "load", func(task *engine.Task) error {
		rt := lua.New(lua.Options{Modules: []lua.Module{DR(Options{})}, ReadFile: os.ReadFile})
		p, found = Load(task, rt, file)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return p, found
}

// TestLoadGrowsLinearly loads a plan and one of four times the VMs. Allocations stand for the work, which does not depend on the machine; that
// the compiler's search for constants does not grow is TestLongTablesCompileInParts of package lua. The times are for people.
func TestLoadGrowsLinearly(t *testing.T) {
	if testing.Short() {
		t.Skip("loads a plan of 5,000 VMs")
	}
	work := func(count int) (allocations uint64) {
		file := addressedPlan(t, count)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		p, found := loadOnce(t, file)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if p == nil || len(p.VMs) != count || len(found) > 0 || len(p.Params["addresses"].(map[string]any)) != count {
			t.Fatalf("%d VMs: %v", count, found)
		}
		allocations = after.Mallocs - before.Mallocs
		t.Logf("%d VMs: %v, %d allocations", count, took, allocations)
		return allocations
	}
	work(10) // what is made once
	small, large := work(1250), work(5000)
	if ratio := float64(large) / float64(small); ratio > 4.5 {
		t.Errorf("four times the VMs take %.2f times the allocations: %d and %d", ratio, small, large)
	}
}

// TestManyFindingsGrowLinearly loads plans in which every VM names one that was renamed: each finding has the nearest name, looked for once.
func TestManyFindingsGrowLinearly(t *testing.T) {
	work := func(count int) uint64 {
		text, err := os.ReadFile(addressedPlan(t, count))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "renamed.lua")
		write(t, file, regexp.MustCompile(`after = \{ "vm\d+" \}`).ReplaceAllString(string(text), `after = { "database" }`))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, found := loadOnce(t, file)
		runtime.ReadMemStats(&after)
		if len(found) != count-5 || found[0].Code != "unknown-vm" {
			t.Fatalf("%d findings: %v", len(found), found[:min(3, len(found))])
		}
		return after.Mallocs - before.Mallocs
	}
	work(10)
	small, large := work(250), work(1000)
	if ratio := float64(large) / float64(small); ratio > 5 {
		t.Errorf("four times the findings take %.2f times the allocations: %d and %d", ratio, small, large)
	}
}

func BenchmarkLoadAddresses5000(b *testing.B) {
	file := addressedPlan(b, 5000)
	for b.Loop() {
		loadOnce(b, file)
	}
}
