package plans

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"drrun/stdlib"
)

// orderFor derives the boot order of VMs, with their statuses in the inventory by name.
func orderFor(vms []VM, statuses map[string]string) *BootOrder {
	inventory := &Inventory{}
	for i := range vms {
		vms[i].ID = vms[i].Name
		if vms[i].Start == "" {
			vms[i].Start = StartAsBefore
		}
		if vms[i].Boot == nil {
			vms[i].Boot = &stdlib.Condition{}
		}
		if status := statuses[vms[i].Name]; status != "" {
			inventory.VMs = append(inventory.VMs, InventoryVM{ID: vms[i].Name, Name: vms[i].Name, Status: status})
		}
	}
	survey, _ := CheckOffline(&Plan{VMs: vms}, inventory, CheckOptions{})
	return survey.BootOrder()
}

// TestBootOrder says of each VM: its rank, wave, wave of the shutdown, whether it starts, and when it can begin at the earliest.
func TestBootOrder(t *testing.T) {
	t.Parallel()
	wait := func(d time.Duration) *stdlib.Condition {
		return &stdlib.Condition{Kind: stdlib.ConditionWait, Delay: d}
	}
	agent := &stdlib.Condition{Kind: stdlib.ConditionGuestAgent}
	up := map[string]string{"a": "up", "b": "up", "c": "up", "d": "up", "e": "paused"}
	for _, c := range []struct {
		name     string
		vms      []VM
		statuses map[string]string
		want     []string
	}{
		{"ranks with gaps, in ascending order", []VM{{Name: "a", Rank: 7}, {Name: "b"}, {Name: "c", Rank: 7}}, up,
			[]string{"b: 0 wave 0/0 yes 0s", "a: 7 wave 0/0 yes 0s", "c: 7 wave 0/0 yes 0s"}},
		{"delays add up over ranks and after", []VM{{Name: "a", Boot: wait(time.Minute)}, {Name: "b", After: []string{"a"}, Boot: wait(30 * time.Second)}, {Name: "c", Rank: 1}}, up,
			[]string{"a: 0 wave 0/1 yes 0s", "b: 0 wave 1/0 yes 1m0s", "c: 1 wave 0/0 yes 1m30s"}},
		{"what stays down delays nobody", []VM{{Name: "a", Start: StartNo, Boot: wait(time.Hour)}, {Name: "b", After: []string{"a"}}, {Name: "c", Rank: 1, After: []string{"a", "b"}}}, up,
			[]string{"a: 0 wave 0/1 no 0s", "b: 0 wave 0/0 yes 0s", "c: 1 wave 0/0 yes 0s"}},
		{"what may stay down delays nobody for sure", []VM{{Name: "x", Boot: wait(time.Hour)}, {Name: "b", After: []string{"x"}, Boot: agent}}, up,
			[]string{"x: 0 wave 0/1 unknown 0s", "b: 0 wave 1/0 yes 0s"}},
		{"as before, by the inventory", []VM{{Name: "a"}, {Name: "e"}, {Name: "z"}}, map[string]string{"a": "down", "e": "paused", "z": "suspended"},
			[]string{"a: 0 wave 0/0 no 0s", "e: 0 wave 0/0 yes 0s", "z: 0 wave 0/0 no 0s"}},
		{"a circle, which the check refuses, ends", []VM{{Name: "a", After: []string{"b"}}, {Name: "b", After: []string{"a"}}, {Name: "c", After: []string{"c", "nobody"}}}, up,
			[]string{"a: 0 wave 1/1 yes 0s", "b: 0 wave 2/2 yes 0s", "c: 0 wave 0/0 yes 0s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, rank := range orderFor(c.vms, c.statuses).Ranks {
				for _, vm := range rank.VMs {
					got = append(got, fmt.Sprintf("%s: %d wave %d/%d %s %s", vm.Name, rank.Number, vm.Wave, vm.StopWave, vm.Starts, vm.Begins))
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestBootOrderGrowsLinearly: explain and graph of 5,000 VMs cost four times those of 1,250, also where each waits for the one before.
func TestBootOrderGrowsLinearly(t *testing.T) {
	work := func(count int) uint64 {
		vms := make([]VM, count)
		statuses := map[string]string{}
		for i := range vms {
			vms[i] = VM{Name: fmt.Sprintf("vm%d", i), Rank: i % 5}
			if i >= 5 {
				vms[i].After = []string{fmt.Sprintf("vm%d", i-5)}
			}
			statuses[vms[i].Name] = "up"
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		order := orderFor(vms, statuses)
		runtime.ReadMemStats(&after)
		if last := order.VMs[count-1]; last.Wave != count/5-1 {
			t.Fatalf("the last is in wave %d", last.Wave)
		}
		return after.Mallocs - before.Mallocs
	}
	work(10)
	small, large := work(1250), work(5000)
	if ratio := float64(large) / float64(small); ratio > 4.5 {
		t.Errorf("four times the VMs take %.2f times the allocations: %d and %d", ratio, small, large)
	}
}
