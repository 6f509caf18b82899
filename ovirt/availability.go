package ovirt

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Bodies of changes of a VM. They have no member for disks, NICs, memory or anything else that could be lost.
type (
	vmHAXML struct {
		XMLName xml.Name  `xml:"vm"`
		HA      haXML     `xml:"high_availability"`
		Lease   *leaseXML `xml:"lease,omitempty"`
	}
	haXML struct {
		Enabled  bool `xml:"enabled"`
		Priority int  `xml:"priority,omitempty"`
	}
	leaseXML struct {
		Domain refXML `xml:"storage_domain"`
	}
	vmProtectionXML struct {
		XMLName xml.Name `xml:"vm"`
		On      bool     `xml:"delete_protected"`
	}
	vmCommentXML struct {
		XMLName xml.Name `xml:"vm"`
		Comment string   `xml:"comment"`
	}
)

// SetHA switches a VM's high availability and, in the same request, gives it a priority and a lease; what the goal leaves open
// stays as it is. It is legal in every status of the VM and takes effect at once: the engine reads the flag afresh before each
// restart that it tries (ovirt-engine HaAutoStartVmsRunner.java). It is read back, because the engine gives a VM that is tied to an
// instance type the type's value with every update, and answers 200 (VmManagementCommandBase.java). A lease can be added but not
// taken away, and an existing one survives HA off.
//
// was is what the VM had before, for the caller to record and to restore with another call.
func (s *Site) SetHA(ctx context.Context, vmID string, goal HA) (was HA, changed bool, err error) {
	body := vmHAXML{HA: haXML{Enabled: goal.Enabled, Priority: goal.Priority}}
	if goal.LeaseDomainID != "" {
		body.Lease = &leaseXML{Domain: refXML{ID: goal.LeaseDomainID}}
	}
	before, now, changed, err := s.updateVM(ctx, OpSetHA, vmID, body, func(vm VM) bool {
		have := ha(vm)
		return have.Enabled == goal.Enabled && (goal.Priority == 0 || have.Priority == goal.Priority) &&
			(goal.LeaseDomainID == "" || have.LeaseDomainID == goal.LeaseDomainID)
	})
	if e, ok := asError(err); ok && e.State == "" && now.ID != "" {
		e.State = ha(now).String()
		if now.InstanceTypeID != "" {
			e.Hint = "the VM is tied to an instance type, whose value wins: change the instance type, or untie the VM from it"
		}
	}
	return ha(before), changed, err
}

func ha(vm VM) HA {
	return HA{Enabled: vm.HAEnabled, Priority: vm.HAPriority, LeaseDomainID: vm.LeaseDomainID}
}

// String renders it for messages.
func (h HA) String() string {
	text := "HA off"
	if h.Enabled {
		text = fmt.Sprintf("HA on, priority %d", h.Priority)
	}
	if h.LeaseDomainID != "" {
		text += ", lease on storage domain " + h.LeaseDomainID
	}
	return text
}

// SetDeleteProtection switches a VM's delete protection, which keeps its storage domain from being detached. It is read back.
func (s *Site) SetDeleteProtection(ctx context.Context, vmID string, on bool) (changed bool, err error) {
	_, _, changed, err = s.updateVM(ctx, OpSetProtection, vmID, vmProtectionXML{On: on}, func(vm VM) bool { return vm.DeleteProtected == on })
	return changed, err
}

// TouchVM gives a VM another comment. It is the harmless change that makes the engine write the VM's OVF anew with the next
// UpdateOVFStore: the engine exports only VMs that were edited since the last export, and neither a guest that powers itself off nor
// the end of a shutdown counts (ovirt-engine OvfDataUpdater.java, StopVmCommandBase.java). A VM that has the comment already is not
// touched (changed is false). was is the comment that it had; restoring it is the caller's matter.
func (s *Site) TouchVM(ctx context.Context, vmID, comment string) (was string, changed bool, err error) {
	before, _, changed, err := s.updateVM(ctx, OpTouchVM, vmID, vmCommentXML{Comment: comment},
		func(vm VM) bool { return strings.TrimSpace(vm.Comment) == strings.TrimSpace(comment) })
	return before.Comment, changed, err
}

// eventVMUpdated is USER_UPDATE_VM (ovirt-engine AuditLogType.java).
const eventVMUpdated = 35

// VMUpdateReached reports whether the engine has an event of a change of a VM that was requested with that correlation id. It settles a
// change that was cut off: what the VM is now can come from another one.
func (s *Site) VMUpdateReached(ctx context.Context, correlation string) (bool, error) {
	return s.hasEvent(ctx, correlation, eventVMUpdated)
}

// updateVM sends one PUT of a VM, unless the goal holds, and reads the VM back. It returns the VM before and as it was seen last.
func (s *Site) updateVM(ctx context.Context, op, vmID string, body any, holds func(VM) bool) (before, now VM, changed bool, err error) {
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	var answer VM
	e := &ensurance{change: change{op: op, subject: Subject{Kind: KindVM, ID: vmID}, method: http.MethodPut, path: "/vms/" + segment(vmID),
		body: body, accept: acceptInto(decodeVM, &answer)}}
	subject := &e.change.subject
	e.look = func(ctx context.Context, sent bool) (bool, error) {
		if sent { // a wait, so that the read-backs of many VMs share one request a tick
			now, err = s.WaitVM(ctx, vmID, s.patience(ctx), func(VM) (bool, error) { return true, nil })
		} else {
			now, err = s.lookVM(ctx, vmID)
		}
		if err != nil {
			return false, err
		}
		if before.ID == "" {
			before = now
		}
		subject.Name = now.Name
		return holds(now), nil
	}
	e.undone = func() *Error {
		return s.fail(op, *subject, CodeEngineError, errors.New("the engine accepted the change, and the VM does not have it"))
	}
	changed, err = s.ensure(ctx, e)
	if failure, ok := asError(err); ok && failure.Status == http.StatusBadRequest && failure.Hint == "" {
		// ovirt-engine UpdateVmCommand.java checks all of the VM, whatever the body changes.
		failure.Hint = "the engine checks the whole VM with every change: is its CD image still there? eject it"
	}
	return before, now, changed, err
}

// RemoveDisklessVM takes a VM that has no disks and is down out of the engine. It refuses every other VM before anything is sent:
// it reads the VM and its disk attachments first, and the request keeps disks in any case (detach_only, ovirt-engine
// RemoveVmCommand.java). A VM that the engine does not have is fine. VMs that have disks leave an engine with their storage
// domain, never by this call.
func (s *Site) RemoveDisklessVM(ctx context.Context, vmID string) (changed bool, err error) {
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	path := "/vms/" + segment(vmID)
	e := &ensurance{change: change{op: OpRemoveVM, subject: Subject{Kind: KindVM, ID: vmID}, method: http.MethodDelete, path: path,
		query: map[string][]string{"detach_only": {"true"}}, accept: acceptAction}}
	subject := &e.change.subject
	var readAt time.Time
	examine := func(ctx context.Context) (gone bool, err error) {
		vm, err := s.VM(ctx, vmID)
		if HasCode(err, CodeNotFound) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		subject.Name = vm.Name
		no := s.fail(OpRemoveVM, *subject, CodeRefused, nil)
		no.State = vm.Status
		if vm.ID != vmID {
			no.Code, no.Err = CodeWrongObject, fmt.Errorf("the engine answers with VM %q", vm.ID)
			return false, no
		}
		if vm.Status != "down" {
			no.Err = errors.New("only a VM that is down is removed")
			return false, no
		}
		attached, err := read(ctx, s, call{subject: Subject{Kind: "disk attachments of vm", ID: vmID}, path: path + "/diskattachments"}, decodeAttachments)
		if err != nil {
			return false, err
		}
		if len(attached) > 0 {
			no.Err = fmt.Errorf("it has disks (%d): it leaves the engine with its storage domain, and is never removed by itself", len(attached))
			return false, no
		}
		readAt = s.o.Clock.Now()
		return false, nil
	}
	e.look = func(ctx context.Context, sent bool) (bool, error) { return examine(ctx) }
	e.change.gate = func(ctx context.Context) error {
		if s.o.Clock.Now().Sub(readAt) <= s.o.Tick {
			return nil
		}
		_, err := examine(ctx) // it had to wait for its turn: what was read is old
		return err
	}
	e.reached = func(ctx context.Context) (bool, error) {
		_, err := s.VM(ctx, vmID)
		if HasCode(err, CodeNotFound) {
			return true, nil
		}
		return false, err
	}
	e.undone = func() *Error {
		return s.fail(OpRemoveVM, *subject, CodeEngineError, errors.New("the engine said that it was removed, and still has it"))
	}
	return s.ensure(ctx, e)
}
