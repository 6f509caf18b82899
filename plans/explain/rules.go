package explain

import (
	"fmt"
	"slices"
	"strings"

	"drrun/lua"
	"drrun/plans"
	"drrun/plans/report"
	"drrun/stdlib"
)

// workflow is the plan's own workflow for the action, nil for the built-in one.
func (b *explaining) workflow() *lua.Function { return b.plan.Workflows[b.Survey.Action] }

// blocks tells what can be seen now that keeps it from being moved or started.
func (b *explaining) blocks() {
	others := 0
	for _, f := range b.Findings {
		if f.Severity != plans.SeverityError && f.Severity != "" {
			continue
		}
		switch {
		case b.concerns(f):
			b.say(f.Pos, "%s [%s]%s", f.Message, f.Code, hinted(f.Hint))
		case f.Scope == plans.ScopeRun && len(b.section.Statements) < 8:
			b.say(f.Pos, "the whole run: %s [%s]%s", f.Message, f.Code, hinted(f.Hint))
		default:
			others++
		}
	}
	if others > 0 {
		b.say(lua.Pos{}, "the run does not begin before other parts of the plan are put right: %s, see drrun check %s", report.Count(others, "error"), b.plan.File)
	}
	b.strangeDisks()
	b.out.Blocked = len(b.section.Statements) > 0
	for _, f := range b.Findings {
		if f.Severity == plans.SeverityWarning && b.concerns(f) {
			b.say(f.Pos, "warning: %s [%s]%s", f.Message, f.Code, hinted(f.Hint))
		}
	}
	for i, before := range b.vm.Preceding {
		if before.Required && before.Starts == plans.StartsYes && b.vm.Starts != plans.StartsNo {
			b.say(b.at("after", i+1), "it is not started when %s, which is required, does not come up", before.Name)
		}
	}
	if !b.out.Blocked {
		b.say(lua.Pos{}, "nothing that plan and inventory show")
		b.unknown("what the sites show is asked by drrun check %s", b.plan.File)
	}
}

// concerns tells whether a finding is about this VM: by its id, or by a place in the lines of its entry in the plan.
func (b *explaining) concerns(f plans.Finding) bool {
	if f.Kind == "vm" && f.ID != "" {
		return f.ID == b.vm.ID
	}
	from := b.at().Line
	if f.Pos.File != b.vm.Pos.File || f.Pos.Line < from || from == 0 {
		return false
	}
	if b.vm.Place < len(b.plan.VMs) {
		return f.Pos.Line < b.plan.At("vms", b.vm.Place+1).Line || f.Pos.Line == from
	}
	return f.Pos.Line == from || strings.HasPrefix(f.Message, fmt.Sprintf("VM %q", b.vm.Name))
}

func hinted(hint string) string {
	if hint == "" {
		return ""
	}
	return ": " + hint
}

// strangeDisks tells of disks that no storage domain of the plan brings.
func (b *explaining) strangeDisks() {
	record := b.vm.Known.Record
	if record == nil {
		return
	}
	for _, disk := range record.Disks {
		switch {
		case disk.StorageType == "lun":
			b.say(b.at(), "disk %s is a LUN of its own, which this version does not bring: the VM comes without it, or its registration is refused", disk.Alias)
		case len(disk.StorageDomainIDs) > 0 && !slices.ContainsFunc(disk.StorageDomainIDs, func(id string) bool { _, known := b.domain(id); return known }):
			b.say(b.at(), "disk %s lies on storage domain %s, which is not in the plan: the registration is refused without it", disk.Alias, b.domainName(disk.StorageDomainIDs[0]))
		}
	}
}

// domainName is the name of a storage domain that the inventory knows, else its id.
func (b *explaining) domainName(id string) string {
	if b.Survey.Inventory != nil {
		for _, domain := range b.Survey.Inventory.Site(b.Survey.Source).Domains {
			if domain.ID == id {
				return domain.Name
			}
		}
	}
	return id
}

// evidence tells what has to be proved before it may start.
func (b *explaining) evidence() {
	if b.vm.Starts == plans.StartsNo {
		b.say(lua.Pos{}, "it is not started, so none is asked for")
		return
	}
	b.say(lua.Pos{}, "right before its start, and at most 60 s old: %s cannot run it. Either the engine there shows every storage domain of the plan (%s) detached or in maintenance", b.Survey.Source, b.domainNames())
	b.say(lua.Pos{}, "or %s does not answer at all, and a named person has confirmed for this attempt that it is down", b.Survey.Source)
	if b.Survey.Action == plans.ActionFailback {
		b.say(lua.Pos{}, "a planned failback makes that evidence itself: it shuts the VMs down at %s and puts the storage domains there into maintenance", b.Survey.Source)
	} else {
		b.say(lua.Pos{}, "with --planned the run makes that evidence itself: it shuts the VMs down at %s and puts the storage domains there into maintenance", b.Survey.Source)
	}
	b.unknown("which of these it will be, only the engines can tell")
}

func (b *explaining) domainNames() string {
	var list []string
	for i, domain := range b.plan.StorageDomains {
		if i == 5 {
			return strings.Join(list, ", ") + fmt.Sprintf(" and %d more", len(b.plan.StorageDomains)-5)
		}
		list = append(list, domain.Name)
	}
	return strings.Join(list, ", ")
}

// subject says for which object of this VM a handler is called, "" for one that does not touch it.
func (b *explaining) subject(hook plans.Hook) string {
	switch point := hook.Point; point {
	case "before_register", "after_register":
		return "this VM"
	case "before_start", "after_start", "verify_vm":
		if b.vm.Starts == plans.StartsNo {
			return ""
		}
		return "this VM"
	case "before_stop", "after_stop":
		return "this VM, in a planned move"
	case "before_rank", "after_rank":
		return fmt.Sprintf("rank %d", b.vm.Rank)
	case "demote_storage", "ensure_replication":
		return b.withGroups("consistency group %s, in a planned move", hook)
	case "promote_storage", "reverse_replication":
		return b.withGroups("consistency group %s", hook)
	case "before_import", "after_import":
		return b.withGroups("its storage domains of consistency group %s", hook)
	case "confirm_source_down", "before_run", "after_run", "on_error":
		return "the run"
	}
	return "" // no built-in workflow calls it
}

// withGroups names those consistency groups that the VM lies on and the handler is for; "" where there is none. Where nobody knows on
// which it lies, they are all that the handler is for.
func (b *explaining) withGroups(format string, hook plans.Hook) string {
	var list []string
	for _, name := range b.groups() {
		if stdlib.ServesGroup(hook.Point, hook.Groups, name) {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		return ""
	}
	return fmt.Sprintf(format, strings.Join(list, ", "))
}

func (b *explaining) groups() []string {
	record := b.vm.Known.Record
	if record == nil {
		return b.plan.Groups()
	}
	var list []string
	for _, domain := range b.plan.StorageDomains {
		on := slices.ContainsFunc(record.Disks, func(d plans.InventoryDisk) bool { return slices.Contains(d.StorageDomainIDs, domain.ID) })
		if name := domain.GroupName(); on && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// hooks lists the handlers that a run calls for it, in the order in which a run comes to them.
func (b *explaining) hooks() {
	for _, point := range hookOrder {
		for _, hook := range b.plan.HooksAt(point) {
			subject := b.subject(hook)
			if subject == "" {
				continue
			}
			text := fmt.Sprintf("%s: %s, for %s", point, hook.Handler, subject)
			if at := place(hook.Func.Pos()); at != "" && hook.Func.Pos().File != hook.Pos.File {
				text += ", function at " + at
			}
			b.say(hook.Pos, "%s", text)
		}
	}
	if len(b.section.Statements) == 0 {
		b.say(lua.Pos{}, "none")
	}
}

// hookOrder is the order in which the built-in workflows come to the hook points.
var hookOrder = []string{
	"before_run", "ensure_replication", "before_stop", "after_stop", "confirm_source_down", "demote_storage", "promote_storage", "before_import", "after_import",
	"before_register", "after_register", "before_rank", "before_start", "after_start", "verify_vm", "after_rank", "reverse_replication", "after_run", "on_error",
}
