package stdlib

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/ovirt"
)

// lunsOf tells which LUNs take the place of those that are disks of a VM. without names the disks that it comes up without, as the plan
// allows. A LUN that is not there and not optional is an error: the VM is not registered without its data.
func (v *vmRef) lunsOf(ctx context.Context) (targets []ovirt.LUNTarget, without []FactLUNDisk, err error) {
	s := v.site.session
	for _, disk := range v.fact.LUNs {
		at := slices.IndexFunc(s.Facts.LUNs, func(lun FactLUN) bool { return lun.Source == disk.LUN })
		if at < 0 {
			return nil, nil, fmt.Errorf("register VM %q on %s: its disk %q is LUN %s, and the plan's mappings.luns does not say what takes its place", v.fact.Name, v.site.Name, disk.Alias, disk.LUN)
		}
		lun := s.Facts.LUNs[at]
		if lun.Target == "" || s.lunAbsent(lun.Source) {
			if lun.Optional {
				without = append(without, disk)
				continue
			}
			return nil, nil, &StorageUnreachableError{code: "luns-missing",
				Text:   fmt.Sprintf("register VM %q on %s: no host sees LUN %s, which takes the place of its disk %q", v.fact.Name, v.site.Name, lun.Target, disk.Alias),
				Advice: "promote it and let the array show it to the hosts, then drrun resume; or optional = true in mappings.luns, where the VM can do without it"}
		}
		target := ovirt.LUNTarget{FromID: lun.Source, ToID: lun.Target}
		for _, t := range lun.Targets {
			password := ""
			if t.Username != "" && s.TargetPassword != nil {
				if password, err = s.TargetPassword(ctx, v.site.Name, t); err != nil {
					return nil, nil, err
				}
			}
			target.Targets = append(target.Targets, t.engineTarget(password))
		}
		targets = append(targets, target)
	}
	return targets, without, nil
}

func (s *Session) lunAbsent(sourceLUN string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lunsAbsent[sourceLUN]
}

// compareDisks makes sure that a VM that was registered without some of its LUNs has lost no other disk with them, and says what it lacks.
func (v *vmRef) compareDisks(registered ovirt.VM, without []FactLUNDisk) error {
	if len(without) == 0 {
		return nil
	}
	s := v.site.session
	var names, lost []string
	for _, disk := range without {
		names = append(names, disk.Alias)
	}
	for _, id := range v.fact.Disks {
		there := slices.ContainsFunc(registered.Disks, func(d ovirt.Disk) bool { return d.ID == id })
		if !there && !slices.ContainsFunc(without, func(d FactLUNDisk) bool { return d.Disk == id }) {
			lost = append(lost, id)
		}
	}
	if len(lost) > 0 {
		return fmt.Errorf("VM %q came without its disk %s, which the plan does not allow to be left out", v.fact.Name, strings.Join(lost, ", "))
	}
	text := fmt.Sprintf("VM %s came without its disk %s: no host of %s sees the LUN, and the plan calls it optional", v.fact.Name, strings.Join(names, ", "), v.site.Name)
	s.Warn(engine.Subject{Kind: ovirt.KindVM, Site: v.site.Name, ID: v.fact.ID, Name: v.fact.Name}, text)
	s.Skip(text)
	return nil
}

// forgetLUNs takes what is left of the VM's LUNs out of the site's engine: the VM has left with its storage domain, and the disks that are
// LUNs stay behind, which keeps it from being registered there again.
func (v *vmRef) forgetLUNs(ctx context.Context) error {
	s := v.site.session
	if len(v.fact.LUNs) == 0 {
		return nil
	}
	loose, err := v.site.looseLUNs.get(ctx, s.Env.Clock, s.Tick, func(ctx context.Context) ([]ovirt.Disk, error) { return v.site.Engine.LooseLUNDisks(ctx) })
	if err != nil {
		return err
	}
	there := func(disk FactLUNDisk) bool {
		return slices.ContainsFunc(loose, func(d ovirt.Disk) bool { return d.ID == disk.Disk })
	}
	if s.Dry != nil {
		return v.wouldForgetLUNs(ctx, there)
	}
	for _, disk := range v.fact.LUNs {
		subject := engine.Subject{Kind: ovirt.KindDisk, Site: v.site.Name, ID: disk.Disk, Name: disk.Alias}
		cut := s.cut(ovirt.OpRemoveLUNDisk, subject)
		if !there(disk) {
			s.settleByState(cut, false)
			continue
		}
		if v.site == s.Target {
			err = s.requireStale(ctx)
		} else {
			err = s.hasArrived(ctx, v.fact)
		}
		if err != nil {
			return err
		}
		over := s.permit(v.site, disk.Disk, ovirt.OpRemoveLUNDisk)
		changed, err := v.site.Engine.RemoveLUNDisk(ctx, disk.Disk)
		over()
		if err != nil {
			return err
		}
		s.settleByState(cut, changed)
	}
	return nil
}

// wouldForgetLUNs adds the removals of the entries that are loose, or would be when the VM has left.
func (v *vmRef) wouldForgetLUNs(ctx context.Context, there func(FactLUNDisk) bool) error {
	s := v.site.session
	vm, err := v.site.Engine.VMs(ctx, ovirt.VMQuery{Search: "id=" + v.fact.ID})
	if err != nil {
		return err
	}
	for _, disk := range v.fact.LUNs {
		if there(disk) || len(vm) > 0 {
			s.Dry.add(ovirt.OpRemoveLUNDisk, "remove the entry of LUN "+disk.Alias+" of VM "+v.fact.Name, engine.Subject{Kind: ovirt.KindDisk, Site: v.site.Name, ID: disk.Disk, Name: disk.Alias})
		}
	}
	return nil
}
