package runner_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/report"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// requestsOfAVM are made in a failover: it is registered and started.
const requestsOfAVM = 2

// fleet tells the journal of a failover of vm1 as that of so many VMs, 500 to a rank, a minute for each rank: the lab needs minutes for
// such a run, and its journal has nothing else in it.
func (p *pair) fleet(vms int) *engine.RunInfo {
	p.t.Helper()
	p.dropVM("vm2")
	p.dropVM("vm3")
	p.lose()
	r := p.failover(nil)
	expect(p.t, r, 0)
	var info *engine.RunInfo
	p.do(func(env engine.Env) { info, _ = engine.ReadRun(env, "/state", r.Run) })
	var facts stdlib.Facts
	if err := json.Unmarshal(info.Facts(), &facts); err != nil {
		p.t.Fatal(err)
	}
	one := facts.VMs[0]
	facts.VMs = nil
	copies := make([]*strings.Replacer, vms)
	for i := range vms {
		vm := one
		vm.ID, vm.Name, vm.Rank = fmt.Sprintf("%08x-ad2e-4023-b5d5-5fc6f58df77c", i), fmt.Sprintf("vm%05d", i), i/500
		facts.VMs = append(facts.VMs, vm)
		copies[i] = strings.NewReplacer(one.ID, vm.ID, `"`+one.Name+`"`, `"`+vm.Name+`"`, `"rank":0`, `"rank":`+strconv.Itoa(vm.Rank))
	}
	var told []engine.Record
	var requests []string // of the VM
	number := 0
	for _, record := range info.Records {
		if record.Kind == "facts" {
			record.Data = p.json(facts)
		}
		text := string(p.json(record))
		mine := record.Kind != "facts" && (strings.Contains(text, one.ID) || slices.Contains(requests, record.ID))
		if !mine {
			if len(requests) == requestsOfAVM { // after the last start
				record.Time = record.Time.Add(time.Duration(vms/500-1) * time.Minute)
			}
			told = append(told, record)
			continue
		}
		if record.Intent != nil {
			requests = append(requests, record.Intent.ID)
		}
		for i, of := range copies {
			copied := of.Replace(text)
			for _, id := range requests {
				copied = strings.ReplaceAll(copied, `"`+id+`"`, fmt.Sprintf(`"%s%05d"`, id, i))
			}
			var record engine.Record
			if err := json.Unmarshal([]byte(copied), &record); err != nil {
				p.t.Fatal(err)
			}
			record.Time = record.Time.Add(time.Duration(i/500) * time.Minute)
			for _, at := range []*time.Time{markTime(record, true), markTime(record, false)} {
				if at != nil {
					*at = at.Add(time.Duration(i/500) * time.Minute)
				}
			}
			told = append(told, record)
		}
	}
	slices.SortStableFunc(told, func(a, b engine.Record) int { return a.Time.Compare(b.Time) })
	for i := range told {
		number++
		told[i].N = int64(number)
	}
	info.Records = told
	return info
}

func markTime(record engine.Record, started bool) *time.Time {
	switch {
	case record.Mark == nil:
		return nil
	case started:
		return record.Mark.StartedAt
	}
	return record.Mark.UpAt
}

func (p *pair) json(v any) []byte {
	p.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// pageOf makes the page of a run with the plan's text.
func (p *pair) pageOf(info *engine.RunInfo) []byte {
	p.t.Helper()
	model, err := report.Build(report.Input{Run: info, Next: runner.OutlookOf(info, false).Commands(""), Texts: []report.Text{{Attempt: 1, Path: "plan.lua", Body: p.read("/site/plan.lua")}}})
	if err != nil {
		p.t.Fatal(err)
	}
	var page bytes.Buffer
	if err := report.HTML(&page, model); err != nil {
		p.t.Fatal(err)
	}
	return page.Bytes()
}

// TestReportOfAFleet: a report of 5,000 VMs stays a page that can be mailed and opened.
func TestReportOfAFleet(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{})
	info := p.fleet(5000)
	page := p.pageOf(info)
	for _, want := range []string{"is done: 5000 VMs are up on secondary", "rank 9 · 500 VMs", "vm04999", "Rank 9: 500 of 500 VMs up"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if rows := bytes.Count(page, []byte("<svg")); rows > 60 {
		t.Errorf("the timeline has %d rows", rows)
	}
	if size := len(page); size > 6<<20 {
		t.Errorf("the report has %d bytes", size)
	}
	t.Logf("%d records, a page of %.1f MB", len(info.Records), float64(len(page))/1e6)
}

// BenchmarkReport5000 makes the report of a failover of 5,000 VMs from its records, and tells its size.
func BenchmarkReport5000(b *testing.B) {
	p := newPair(b, 3, lab.TwoSitesOptions{})
	info := p.fleet(5000)
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		size = len(p.pageOf(info))
	}
	b.ReportMetric(float64(size)/1e6, "MB/page")
}
