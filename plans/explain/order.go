package explain

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"drrun/plans"
)

// when tells its place in the boot order.
func (b *explaining) when() {
	vm := b.vm
	if b.workflow() != nil {
		b.say(b.workflow().Pos(), "the plan has a %s of its own: what follows holds where that calls the built-in stages", b.Survey.Action)
	}
	if vm.Starts == plans.StartsNo {
		b.say(b.at("start"), "never: it is registered at %s and stays down", b.Survey.Target)
	}
	at, below := 0, []string{}
	for i, rank := range b.Order.Ranks {
		if rank.Number == vm.Rank {
			at = i
			break
		}
		below = append(below, rankWords(rank))
	}
	text := fmt.Sprintf("rank %d, number %d of %d ranks", vm.Rank, at+1, len(b.Order.Ranks))
	if len(b.Order.Ranks) == 1 {
		text = fmt.Sprintf("rank %d, the only one", vm.Rank)
	}
	b.say(b.at("rank"), "%s, with %s", text, countVMs(len(b.Order.Ranks[at].VMs)))
	if len(below) > 6 {
		below = append(below[:6], fmt.Sprintf("and %d ranks more", len(below)-6))
	}
	if len(below) > 0 {
		b.say(b.at("rank"), "before it: %s; each rank is done when every VM of it met its boot condition or failed", strings.Join(below, "; "))
	}
	for i, before := range vm.Preceding {
		b.say(b.at("after", i+1), "%s", b.afterWords(before))
	}
	if vm.Starts != plans.StartsNo {
		b.say(b.at(), "at the earliest %s after the boot begins, by the delays of the plan alone; what engine, guests and functions take comes on top", plans.DurationText(vm.Begins))
	}
	b.say(b.at("rank"), "in a planned move it is shut down at %s in the reverse order: %s", b.Survey.Source, b.stopWords())
}

func (b *explaining) stopWords() string {
	above := 0
	for _, rank := range b.Order.Ranks {
		if rank.Number > b.vm.Rank {
			above++
		}
	}
	text := "with the first rank"
	if above > 0 {
		text = fmt.Sprintf("behind %d higher ranks", above)
		if above == 1 {
			text = "behind 1 higher rank"
		}
	}
	var same []*plans.BootVM
	for _, vm := range b.vm.Following {
		if vm.Rank == b.vm.Rank {
			same = append(same, vm)
		}
	}
	if len(same) > 0 {
		text += ", and behind " + names(same)
	}
	return text
}

func rankWords(rank plans.BootRank) string {
	yes, no, unknown := rank.Starting()
	text := fmt.Sprintf("rank %d with %s", rank.Number, countVMs(len(rank.VMs)))
	var parts []string
	if no > 0 {
		parts = append(parts, fmt.Sprintf("%d stay down", no))
	}
	if unknown > 0 {
		parts = append(parts, fmt.Sprintf("of %d that is not known", unknown))
	}
	if longest := longestLimit(rank); yes > 0 && longest > 0 {
		parts = append(parts, "the longest boot condition may take "+plans.DurationText(longest))
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text
}

func longestLimit(rank plans.BootRank) (longest time.Duration) {
	for _, vm := range rank.VMs {
		if vm.Starts != plans.StartsNo && vm.Boot.Kind != "" {
			longest = max(longest, vm.Boot.Limit())
		}
	}
	return longest
}

// afterWords tells of a VM that starts before, and of those before that.
func (b *explaining) afterWords(before *plans.BootVM) string {
	if b.vm.Starts == plans.StartsNo {
		return fmt.Sprintf("after %s: without effect, since it stays down itself", before.Name)
	}
	if before.Starts == plans.StartsNo {
		return fmt.Sprintf("after %s, which never starts (%s): without effect", before.Name, before.Why)
	}
	text := fmt.Sprintf("after %s of rank %d, which counts as running when %s", before.Name, before.Rank, plans.ConditionWords(before.Boot))
	if before.Required {
		text += "; it is required: when it does not come up, this one is not started"
	} else {
		text += "; when it does not come up, this one is started all the same"
	}
	var chain []string
	seen := map[*plans.BootVM]bool{b.vm: true, before: true}
	for next := before; len(next.Preceding) > 0; {
		next = next.Preceding[0]
		if len(chain) == 6 {
			chain = append(chain, "others")
			break
		}
		if seen[next] {
			break
		}
		seen[next] = true
		chain = append(chain, next.Name)
	}
	if len(chain) > 0 {
		text += "; " + before.Name + " itself comes after " + strings.Join(chain, ", that after ")
	}
	return text
}

// why tells why it starts, or not.
func (b *explaining) why() {
	vm := b.vm
	for _, f := range b.Findings {
		if f.Code == "inventory-missing" || f.Code == "inventory-unreadable" {
			b.say(f.Pos, "%s", f.Message)
		}
	}
	switch {
	case vm.Start != plans.StartAsBefore:
		b.say(b.at("start"), "%s", vm.Why)
		return
	case vm.Starts == plans.StartsUnknown:
		b.section.Statements = append(b.section.Statements, Statement{Text: vm.Why, At: place(b.at()), Unknown: true})
	default:
		record := vm.Known.Record
		b.say(b.at("start"), "%s: the inventory has it as %s at %s, taken %s", vm.Why, cmp.Or(record.Status, "in an unknown state"), record.ReadAt(), vm.Known.Origin.Taken.UTC().Format(time.RFC3339))
	}
	b.unknown("a run asks %s first, where that answers: what it says then has the word", b.Survey.Source)
}

// condition tells when it counts as running, and who waits for that.
func (b *explaining) condition() {
	vm := b.vm
	if vm.Starts == plans.StartsNo {
		b.say(b.at("boot"), "none is waited for: it stays down")
		return
	}
	b.say(b.at("boot"), "it counts as running when %s", plans.ConditionWords(vm.Boot))
	switch {
	case vm.Required:
		b.say(b.at("required"), "when it does not come up or the condition is not met in time, the run stops behind rank %d with exit code 5: it is required", vm.Rank)
	case vm.Boot.Kind != "":
		b.say(b.at("boot"), "when it is not met in time, the VM is unverified: the next rank goes on, and the run ends with exit code 4")
	}
	if vm.OnError == plans.OnErrorStop {
		b.say(b.at("on_error"), "an error of it stops the run (on_error = \"stop\")")
	}
	behind, ranks := 0, 0
	for _, rank := range b.Order.Ranks {
		if rank.Number > vm.Rank {
			behind += len(rank.VMs)
			ranks++
		}
	}
	if len(vm.Following) > 0 {
		b.say(vm.Following[0].Pos, "these wait for it: %s", names(vm.Following))
	}
	if ranks > 0 {
		b.say(b.at("rank"), "the ranks above wait for its rank: %d, with %s", ranks, countVMs(behind))
	}
	if len(vm.Following) == 0 && ranks == 0 {
		b.say(b.at("rank"), "nobody waits for it")
	}
}
