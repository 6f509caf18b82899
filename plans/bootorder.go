package plans

import (
	"cmp"
	"slices"
	"time"

	"drrun/stdlib"
)

// RankOfVMs is the VMs of a plan that start together, when those of the ranks below are done.
type RankOfVMs struct {
	Number int
	VMs    []int // places in Plan.VMs, in the order of the plan
}

// Ranks returns the ranks of a plan in the order in which they start.
func (p *Plan) Ranks() []RankOfVMs {
	at := map[int]int{}
	var ranks []RankOfVMs
	for i, vm := range p.VMs {
		if _, known := at[vm.Rank]; !known {
			at[vm.Rank] = len(ranks)
			ranks = append(ranks, RankOfVMs{Number: vm.Rank})
		}
		rank := &ranks[at[vm.Rank]]
		rank.VMs = append(rank.VMs, i)
	}
	slices.SortFunc(ranks, func(a, b RankOfVMs) int { return cmp.Compare(a.Number, b.Number) })
	return ranks
}

// Whether a run starts a VM, as far as plan and inventory tell.
const (
	StartsYes     = "yes"
	StartsNo      = "no"
	StartsUnknown = "unknown" // only the OVF stores, which the target reads when it has the storage, can tell
)

// BootOrder is in which order the VMs of a plan start, and stop: what dr.steps.boot and dr.steps.stop_source do, as far as it can be told
// before a run.
type BootOrder struct {
	Plan           *Plan
	Source, Target string
	Ranks          []BootRank
	VMs            []*BootVM // in the order of the plan
}

// BootRank is a rank with its VMs in the order of the plan.
type BootRank struct {
	Number int
	VMs    []*BootVM
	Begins time.Duration // after the beginning of the boot, at the earliest: see BootVM.Begins
}

// BootVM is a VM in the boot order.
type BootVM struct {
	*VM
	Place  int // in the plan, from 1
	Known  KnownVM
	Starts string
	Why    string // of Starts, in words

	Preceding []*BootVM // the VMs of its after list
	Following []*BootVM // the VMs that have it in theirs

	// Wave counts from 0 how many VMs of its rank it has to wait for one after the other; StopWave the same for the shutdown.
	Wave, StopWave int
	// Begins is when it can start at the earliest, after the beginning of the boot, by the delays of the boot conditions alone. Holds is
	// when its boot condition can hold then. What guests, engines and functions take comes on top.
	Begins, Holds time.Duration
}

// BootOrder derives the order from the plan and from what is known of each VM.
func (s *Survey) BootOrder() *BootOrder {
	o := &BootOrder{Plan: s.Plan, Source: s.Source, Target: s.Target}
	byName := make(map[string]*BootVM, len(s.Plan.VMs))
	for i := range s.Plan.VMs {
		vm := &BootVM{VM: &s.Plan.VMs[i], Place: i + 1, Known: s.VM(s.Plan.VMs[i].ID)}
		vm.Starts, vm.Why = starts(vm.VM, vm.Known)
		o.VMs = append(o.VMs, vm)
		if byName[vm.Name] == nil {
			byName[vm.Name] = vm
		}
	}
	for _, vm := range o.VMs {
		for _, name := range vm.After {
			if before := byName[name]; before != nil && before != vm {
				vm.Preceding = append(vm.Preceding, before)
				before.Following = append(before.Following, vm)
			}
		}
	}
	begins := time.Duration(0)
	for _, rank := range s.Plan.Ranks() {
		one := BootRank{Number: rank.Number, Begins: begins}
		for _, i := range rank.VMs {
			one.VMs = append(one.VMs, o.VMs[i])
		}
		one.time()
		for _, vm := range one.VMs {
			begins = max(begins, vm.Holds)
		}
		o.Ranks = append(o.Ranks, one)
	}
	return o
}

// starts is FactVM.ToStart before the OVF stores were read.
func starts(vm *VM, known KnownVM) (starts, why string) {
	fact := stdlib.FactVM{Start: vm.Start, Ran: known.Ran}
	start, why := fact.ToStart("")
	switch {
	case vm.Start == StartAsBefore && known.Ran == RanUnknown:
		return StartsUnknown, "what it did before is not known: the OVF store of its storage tells, when the target has read it"
	case start:
		return StartsYes, why
	}
	return StartsNo, why
}

// time finds when each VM of a rank can start. A VM that stays down waits for nobody, and nobody waits for it; one of which that is not
// known may stay down, so that it delays nobody for sure.
func (r *BootRank) time() {
	for _, vm := range r.inOrder(func(vm *BootVM) []*BootVM { return vm.Preceding }) {
		vm.Begins = r.Begins
		vm.Holds = r.Begins
		if vm.Starts == StartsNo {
			continue
		}
		for _, before := range vm.Preceding {
			if before.Rank == vm.Rank && before.Starts != StartsNo {
				vm.Begins, vm.Wave = max(vm.Begins, before.Holds), max(vm.Wave, before.Wave+1)
			}
		}
		vm.Holds = vm.Begins
		if vm.Starts == StartsYes {
			vm.Holds += vm.Boot.Earliest()
		}
	}
	for _, vm := range r.inOrder(func(vm *BootVM) []*BootVM { return vm.Following }) {
		for _, behind := range vm.Following {
			if behind.Rank == vm.Rank && vm.Known.Ran != RanDown && behind.Known.Ran != RanDown {
				vm.StopWave = max(vm.StopWave, behind.StopWave+1)
			}
		}
	}
}

// inOrder sorts the VMs of a rank so that each comes behind those that it waits for. VMs that wait for each other, which the check of the
// plan refuses, come as they stand.
func (r *BootRank) inOrder(waitsFor func(*BootVM) []*BootVM) []*BootVM {
	open := map[*BootVM]int{}
	waiting := map[*BootVM][]*BootVM{}
	var ready, sorted []*BootVM
	for _, vm := range r.VMs {
		for _, other := range waitsFor(vm) {
			if other.Rank == vm.Rank {
				open[vm]++
				waiting[other] = append(waiting[other], vm)
			}
		}
		if open[vm] == 0 {
			ready = append(ready, vm)
		}
	}
	for len(ready) > 0 {
		vm := ready[0]
		ready = ready[1:]
		sorted = append(sorted, vm)
		for _, next := range waiting[vm] {
			if open[next]--; open[next] == 0 {
				ready = append(ready, next)
			}
		}
	}
	for _, vm := range r.VMs {
		if open[vm] > 0 {
			sorted = append(sorted, vm)
		}
	}
	return sorted
}

// Starting counts the VMs of a rank that start for sure, those that stay down, and those of which it is not known.
func (r *BootRank) Starting() (yes, no, unknown int) {
	for _, vm := range r.VMs {
		switch vm.Starts {
		case StartsYes:
			yes++
		case StartsNo:
			no++
		default:
			unknown++
		}
	}
	return yes, no, unknown
}
